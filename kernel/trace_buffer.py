"""The trace buffer: what guests write into the kernel's log of events (ABI 6.10, group 2).

A status page and a ring of slots lie in memory that guests may map to read it; they are the
state, and there is no other.  The kernel adds no entries of its own: a run has a trace.

Layouts are those of `l4/sys/ktrace_events.h`, and of Fiasco's `Tracebuffer_status`.  Where
those have a pointer to a kernel object, an entry has the object's number.
"""

import struct
from typing import TypeAlias

from kernel import abi, frames, log, timeout
from kernel.abi import Errno, Page
from kernel.errors import GuestFault
from kernel.events import Purpose
from kernel.flexpage import Kind, decode, encode
from kernel.objects import Mapping
from kernel.quota import MAPPING_BYTES
from kernel.request import Answer, Request
from kernel.state import Kernel

OPERATIONS = frozenset(
    (
        abi.DEBUGGER_TRACE_TEXT,
        abi.DEBUGGER_TRACE_CLEAR,
        abi.DEBUGGER_TRACE_DUMP,
        abi.DEBUGGER_TRACE_VALUES,
        abi.DEBUGGER_TRACE_BINARY,
        abi.DEBUGGER_TRACE_STATUS,
        abi.DEBUGGER_TRACE_SLOTS,
    )
)
SLOTS = 256  # a power of two

# Offsets in the status page: it has what belongs together in cache lines.
_ALIGNMENT = 64
_MASK = 64
_TAIL = 128

# Types of entries (`enum L4_ktrace_tbuf_entry_fixed`).
_TEXT = 5
_VALUES = 6
_BINARY = 8

# What an entry begins with, by the size of a word: number, ip, time stamp counter, context,
# two performance counters, clock, type, CPU.  Its own part follows: bytes at once, a text
# or words after two bytes more.
_HEAD = {8: struct.Struct("<QQQQIIIBB"), 4: struct.Struct("<IIQIIIIBB")}
_BYTES = {8: 80, 4: 24}  # that the longest text has, with the NUL behind it, or binary data
_NUMBERS = 3  # values in an entry
_PAD = 2

Entry: TypeAlias = tuple[Purpose, bytes, tuple[int, ...]]


def invoke(kernel: Kernel, request: Request, opcode: int) -> Answer | Entry:
    """Serve an operation of the trace buffer; an entry comes back as what it says."""
    buffer, word = _Buffer(kernel), kernel.arch.word
    match opcode:
        case abi.DEBUGGER_TRACE_TEXT:
            text = log.counted_text(request, 1, word=word)
            return buffer.add(request, Purpose.TEXT, text, ())
        case abi.DEBUGGER_TRACE_VALUES:
            text = log.counted_text(request, 1 + _NUMBERS, word=word)
            values = request.caller.utcb.load_words(_NUMBERS, 1)
            return buffer.add(request, Purpose.VALUES, text, values)
        case abi.DEBUGGER_TRACE_BINARY:
            return buffer.add(
                request, Purpose.BINARY, log.counted_text(request, 1, word=word), ()
            )
        case abi.DEBUGGER_TRACE_CLEAR:
            buffer.clear()
            return Answer()
        case abi.DEBUGGER_TRACE_DUMP:
            for line in buffer.lines():
                kernel.cost += kernel.costs.system_call
                log.print_bytes(kernel, request.caller, line)
            return Answer()
        case abi.DEBUGGER_TRACE_STATUS:
            return _show(kernel, request, buffer.frame, abi.PAGE_SIZE)
    return _show(kernel, request, buffer.frame + abi.PAGE_SIZE, buffer.size)


class _Buffer:
    """The trace buffer of a kernel, which is made when it is used for the first time."""

    def __init__(self, kernel: Kernel) -> None:
        word = kernel.arch.word
        self._kernel = kernel
        self._word = word
        self._head = _HEAD[word]
        self._slot = self._head.size + _BYTES[word] + (-self._head.size - _BYTES[word]) % 64
        self.size = SLOTS * self._slot
        if kernel.trace_frame < 0:
            self._create()
        self.frame = kernel.trace_frame
        self._status = self._bytes(self.frame, abi.PAGE_SIZE)
        self._slots = self._bytes(self.frame + abi.PAGE_SIZE, self.size)

    def add(
        self, request: Request, purpose: Purpose, text: bytes, values: tuple[int, ...]
    ) -> Entry:
        """Write an entry over the oldest one: of a text as much as there is room for."""
        kernel, word = self._kernel, self._word
        number = self._tail() + 1 & kernel.arch.mask
        number += not number  # 0 is no entry
        room = _BYTES[word] - len(values) * word
        if purpose is Purpose.BINARY:
            kind, body = _BINARY, text[:room]
        else:
            kind = _VALUES if values else _TEXT
            shown = bytes(c if 0x20 <= c < 0x80 else ord(".") for c in text[: room - 1])
            numbers = b"".join(value.to_bytes(word, "little") for value in values)
            body = bytes(_PAD) + numbers + shown
        us = timeout.microseconds_of(kernel.machine.now, cpu_khz=kernel.machine.cpu_khz)
        head = self._head.pack(
            *(number, request.caller.context.ip, kernel.machine.now, request.caller.number),
            *(0, 0, us & 0xFFFF_FFFF, kind, 0),
        )
        at = number % SLOTS * self._slot
        self._slots[at : at + self._slot] = (head + body).ljust(self._slot, b"\0")
        self._set_tail(number)
        return purpose, text, values

    def clear(self) -> None:
        """Forget all entries."""
        self._slots[:] = bytes(self.size)
        self._set_tail(0)

    def lines(self) -> list[bytes]:
        """Give the entries as lines for people, the oldest first; the form is ours."""
        tail = self._tail()
        found = (self._line(n) for n in range(max(1, tail - SLOTS + 1), tail + 1))
        return [line for line in found if line is not None]

    def _line(self, number: int) -> bytes | None:
        at = number % SLOTS * self._slot
        have, ip, cycle, thread, _, _, _, kind, _ = self._head.unpack_from(self._slots, at)
        if have != number:
            return None
        body = bytes(self._slots[at + self._head.size : at + self._slot])
        if kind == _BINARY:
            said = body[: _BYTES[self._word]].rstrip(b"\0").hex(" ")
        else:
            body = body[_PAD:]
            values: list[str] = []
            if kind == _VALUES:
                for k in range(0, _NUMBERS * self._word, self._word):
                    values.append(hex(int.from_bytes(body[k : k + self._word], "little")))
                body = body[_NUMBERS * self._word :]
            said = " ".join((body.partition(b"\0")[0].decode("ascii"), *values))
        return f"{number} cycle {cycle} thread {thread} ip {ip:#x}: {said}\n".encode()

    def _create(self) -> None:
        kernel, word = self._kernel, self._word
        frame = frames.take(kernel.shared_free, abi.PAGE_SIZE + self.size)
        if frame is None:
            raise GuestFault(Errno.ENOMEM)
        kernel.trace_frame = frame
        self._bytes(frame, abi.PAGE_SIZE + self.size)[:] = bytes(abi.PAGE_SIZE + self.size)
        status = self._bytes(frame, abi.PAGE_SIZE)
        letter = "Q" if word == 8 else "I"
        struct.pack_into(f"<I{'4x' if word == 8 else ''}{letter}", status, 0, 0, _ALIGNMENT)
        struct.pack_into(f"<{letter}", status, _MASK, SLOTS - 1)
        # As `l4_tsc_to_ns` and its like take them (`l4/util/rdtsc.h`): of 2^27, 2^32 and 2^27.
        khz = kernel.machine.cpu_khz
        scales = (1_000_000 << 27) // khz, (1000 << 32) // khz, (khz << 27) // 1_000_000
        struct.pack_into("<3I", status, _TAIL + word, *(s & 0xFFFF_FFFF for s in scales))

    def _tail(self) -> int:
        return int.from_bytes(self._status[_TAIL : _TAIL + self._word], "little")

    def _set_tail(self, number: int) -> None:
        self._status[_TAIL : _TAIL + self._word] = number.to_bytes(self._word, "little")

    def _bytes(self, frame: int, size: int) -> memoryview:
        return self._kernel.machine.words(frame, size // self._word).cast("B")


def _show(kernel: Kernel, request: Request, frame: int, size: int) -> Answer:
    # Read-only, where the flexpage says, which has just this size; like the info page, it can
    # be unmapped and mapped on.
    request.require_words(2, Errno.EMSGTOOSHORT)
    fpage = decode(request.word(1))
    address = fpage.base << abi.PAGE_SHIFT
    if fpage.kind != Kind.MEMORY or 1 << fpage.order != size:
        raise GuestFault(Errno.EINVAL)
    if address + size > kernel.machine.user_end:
        raise GuestFault(Errno.EINVAL)
    task = request.caller.task
    pages = range(address, address + size, abi.PAGE_SIZE)
    if any(page in task.pages or page in task.ku_pages for page in pages):
        raise GuestFault(Errno.EEXIST)
    if not task.quota.take(MAPPING_BYTES * len(pages)):
        raise GuestFault(Errno.ENOMEM)
    kernel.cost += kernel.costs.mapping * len(pages)
    for page in pages:
        shown = frame + page - address
        if not kernel.machine.map(task.number, page, shown, Page.R):
            for mapped in range(address, page, abi.PAGE_SIZE):
                kernel.machine.unmap(task.number, mapped)
                del task.pages[mapped]
            task.quota.give_back(MAPPING_BYTES * len(pages))
            raise GuestFault(Errno.ENOMEM)
        task.pages[page] = Mapping(task, page, shown, int(Page.R))
    return Answer(0, (encode(fpage.with_rights(int(Page.R))),))
