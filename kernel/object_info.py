"""What the debugger tells of all kernel objects (ABI 6.10, operation 0x110).

A record has 64 bytes, `struct L4_kobj_info` of `l4/sys/debugger_info.h`: type, global id and
references, then what belongs to the type.  There are no kernel addresses here; fields that
would have one are 0.
"""

import struct

from kernel import abi
from kernel.abi import Errno
from kernel.errors import GuestFault
from kernel.objects import (
    READY,
    Debugger,
    Factory,
    Gate,
    Irq,
    Log,
    Object,
    SchedulerObject,
    Semaphore,
    Task,
    Thread,
)
from kernel.request import Answer, Request
from kernel.state import Kernel

RECORD = 64  # bytes

_TYPE_BITS = 5
_TYPES: dict[type, int] = {
    Thread: 1,
    Task: 2,
    Gate: 4,
    Irq: 5,
    Semaphore: 6,
    Factory: 7,
    Debugger: 8,
    SchedulerObject: 9,
    Log: 10,
}
_CHIP = b"none"  # no interrupt controller drives our interrupts


def write(kernel: Kernel, request: Request) -> Answer:
    """Write records into kernel-user memory: w1 its address, w2 its size, w3 how many to skip.

    The answer: how many were written, and how many there are.  -22 if the place is
    not all in kernel-user memory of the caller's task, or not aligned to a word of 64 bits.
    """
    request.require_words(4, Errno.EMSGTOOSHORT)
    address, size, skip = (request.word(k) for k in range(1, 4))
    task = request.caller.task
    known = [n for n, thing in kernel.objects.items() if type(thing) in _TYPES]
    count = min(max(len(known) - skip, 0), size // RECORD)
    end = address + count * RECORD
    pages = range(address & -abi.PAGE_SIZE, end, abi.PAGE_SIZE)
    # The size may be any: what is used of it is bounded by the number of objects.
    if address % 8 or any(page not in task.ku_pages for page in pages):
        raise GuestFault(Errno.EINVAL)
    kernel.cost += kernel.costs.word * len(known) + kernel.costs.mapping * count
    wanted = known[skip : skip + count] if count else []
    for at, number in zip(range(address, end, RECORD), wanted, strict=True):
        _store(kernel, task, at, _record(kernel, kernel.objects[number]))
    return Answer(0, (count, len(known)))


def _store(kernel: Kernel, task: Task, address: int, record: bytes) -> None:
    # A record may lie across two pages, which need not be neighbours.
    for at, value in zip(
        range(address, address + RECORD, 8), struct.unpack("<8Q", record), strict=True
    ):
        page = at & -abi.PAGE_SIZE
        view = kernel.machine.words(task.ku_pages[page][0] + at - page, 8 // kernel.arch.word)
        view.cast("B")[:] = value.to_bytes(8, "little")


def _record(kernel: Kernel, thing: Object) -> bytes:
    head = thing.number << _TYPE_BITS | _TYPES[type(thing)]
    references = kernel.references.get(thing.number, 0)
    return struct.pack("<3Q", head, 0, references) + _details(kernel, thing).ljust(40, b"\0")


def _details(kernel: Kernel, thing: Object) -> bytes:
    if isinstance(thing, Thread):
        is_current = kernel.scheduler.current is thing
        space = thing.task.number if thing.is_bound() else 0
        ready = thing.state == READY
        return struct.pack("<4?II4xqQ", False, is_current, ready, False, 0, 0, 0, space)
    if isinstance(thing, Gate):
        return struct.pack("<QQ", thing.label, _number(thing.thread))
    if isinstance(thing, Irq):
        fields = (_CHIP, 0, 0, thing.label, _number(thing.thread), int(thing.queued))
        return struct.pack("<10sHIQQq", *fields)
    if isinstance(thing, Semaphore):
        return struct.pack("<10sHIQQq", _CHIP, 0, 0, 0, 0, len(thing.waiters))
    if isinstance(thing, Factory):
        return struct.pack("<QQ", thing.quota.used, thing.quota.limit)
    return b""


def _number(thing: Thread | None) -> int:
    return thing.number if thing is not None else 0
