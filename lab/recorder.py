"""The recorder of a run: console, counts, what went wrong, the last events, the hash."""

from collections.abc import Callable
from hashlib import blake2b
from typing import TypeGuard

from kernel.abi import ARCHES, TAG_WORDS
from kernel.events import (
    Created,
    Event,
    Exception_,
    Fate,
    Fault,
    Invocation,
    Log,
    Named,
    Refused,
    Transfer,
    Waiting,
)
from kernel.message import Utcb
from kernel.objects import Thread
from kernel.port import LABEL, TAG
from kernel.recorder import Recorder
from kernel.utcb import MR_COUNT
from lab.names import Names
from lab.trace.console import CONSOLE_LIMIT, decode_console
from lab.trace.format import (
    HASH_SIZE,
    KIND_BITS,
    SWITCH,
    SWITCH_WORDS,
    TRANSFER,
    TRANSFER_HEAD,
    Identity,
    decode,
    encode,
)

LAST_EVENTS = 40
_ROOM = 1 << 14  # words of records that are kept; LAST_EVENTS of the longest are fewer
_MOST_REPORTS = 100  # of a kind: a guest may repeat itself for ever


class RunRecorder(Recorder):
    """Takes the events of one run in, in bounded memory, and passes them on.

    `messages` counts completed transfers into a thread, `invocations` those of kernel
    objects; `refused` has the first of `refusals`.  `names` is told what guests say of names.
    """

    __slots__ = (
        "_bytes",
        "_end",
        "_hash",
        "_hashed",
        "_log",
        "_old",
        "_out",
        "_previous",
        "_word",
        "faults",
        "identity",
        "invocations",
        "listener",
        "messages",
        "names",
        "refusals",
        "refused",
    )

    def __init__(
        self, identity: Identity, *, listener: Callable[[Event], None] | None = None
    ) -> None:
        super().__init__()
        self.identity = identity
        self.listener = listener  # is shown every event
        self.messages = 0
        self.invocations = 0
        self.faults: list[Fault | Exception_] = []
        self.refused: list[Refused] = []
        self.refusals = 0
        self.names: Names | None = None
        self._log = bytearray()
        self._hash = blake2b(identity.encode(), digest_size=HASH_SIZE)
        self._word = ARCHES[identity.arch].word
        # Records up to word `_end`, hashed up to `_hashed`; and those before them.
        self._bytes = memoryview(bytearray(_ROOM * 8))
        self._out = self._bytes.cast("Q")
        self._end = self._hashed = 0
        self._previous = b""
        self._old = memoryview(bytearray(MR_COUNT * 8)).cast("Q")

    def prepare(self, utcb: Utcb, count: int) -> None:
        """Keep what a receiver holds in the first `count` words: a transfer comes next."""
        utcb.widen(self._old, 0, count)

    def transfer(
        self,
        cycle: int,
        position: int,
        sender: int,
        receiver: Thread,
        operation: int,
        via: int,
        error: int,
        sender_ip: int,
        receiver_ip: int,
    ) -> None:
        """Take note of a message that has just reached `receiver`."""
        tag = receiver.registers[TAG]
        count = tag & TAG_WORDS
        size = TRANSFER_HEAD + 2 * count
        if self._end + size > _ROOM:
            self._turn()
        at = self._end
        self._out[at] = TRANSFER | size << KIND_BITS
        self._out[at + 1] = cycle
        self._out[at + 2] = position
        self._out[at + 3] = sender
        self._out[at + 4] = receiver.number
        self._out[at + 5] = operation
        self._out[at + 6] = via
        self._out[at + 7] = tag
        self._out[at + 8] = receiver.registers[LABEL]
        self._out[at + 9] = error
        self._out[at + 10] = sender_ip
        self._out[at + 11] = receiver_ip
        receiver.utcb.widen(self._out, at + TRANSFER_HEAD, count)
        at += TRANSFER_HEAD + count
        for k in range(count):
            self._out[at + k] = self._old[k]
        self.messages += 1
        self._close(size)

    def switch(self, cycle: int, position: int, previous: int, following: int) -> None:
        """Take note of a switch of threads."""
        if self._end + SWITCH_WORDS > _ROOM:
            self._turn()
        at = self._end
        self._out[at] = SWITCH | SWITCH_WORDS << KIND_BITS
        self._out[at + 1] = cycle
        self._out[at + 2] = position
        self._out[at + 3] = previous
        self._out[at + 4] = following
        self._close(SWITCH_WORDS)

    def record(self, event: Event) -> None:
        """Take note of `event`."""
        record = encode(event, self._word)
        size = len(record)
        if self._end + size > _ROOM:
            self._turn()
        if isinstance(event, Refused):
            self._digest()
        for k in range(size):
            self._out[self._end + k] = record[k]
        if isinstance(event, Refused):
            self._hashed += size
        self._note(event)
        self._close(size)

    def console(self) -> str:
        """Give all that guests wrote to the log, as text."""
        return decode_console(bytes(self._log))

    def trace_hash(self) -> str:
        """Give the hash of all events so far."""
        self._digest()
        return self._hash.hexdigest()

    def last(self) -> tuple[Event, ...]:
        """Give the last events, as many as LAST_EVENTS, in order."""
        words = memoryview(self._previous + bytes(self._bytes[: self._end * 8])).cast("Q")
        starts = []
        at = 0
        while at < len(words):
            starts.append(at)
            at += words[at] >> KIND_BITS
        ends = [*starts[1:], len(words)]
        bounds = list(zip(starts, ends, strict=True))[max(len(starts) - LAST_EVENTS, 0) :]
        return tuple(decode(words[a:b].tolist(), self._word) for a, b in bounds)

    def _close(self, size: int) -> None:
        # The record is complete.
        at = self._end
        self._end = at + size
        if self.listener is not None:
            words = self._bytes[at * 8 : self._end * 8].cast("Q").tolist()
            self.listener(decode(words, self._word))

    def _turn(self) -> None:
        # Begin anew, and keep the old ones for `last`.
        self._digest()
        self._previous = bytes(self._bytes[: self._end * 8])
        self._end = self._hashed = 0

    def _digest(self) -> None:
        self._hash.update(self._bytes[self._hashed * 8 : self._end * 8])
        self._hashed = self._end

    def _note(self, event: Event) -> None:
        if isinstance(event, Invocation | Waiting):
            self.invocations += 1
        elif isinstance(event, Named):
            if self.names is not None:
                self.names.give(event.target, event.name)
        elif isinstance(event, Created):
            if self.names is not None and event.kind == Thread.kind:
                self.names.adopt(event.target, event.thread)
        elif isinstance(event, Log):
            if len(self._log) <= CONSOLE_LIMIT:
                self._log += event.data
        elif isinstance(event, Transfer):
            self.messages += 1
        elif isinstance(event, Refused):
            self.refusals += 1
            if len(self.refused) < _MOST_REPORTS:
                self.refused.append(event)
        elif _is_unhandled(event) and len(self.faults) < _MOST_REPORTS:
            self.faults.append(event)


def _is_unhandled(event: Event) -> TypeGuard[Fault | Exception_]:
    return isinstance(event, Fault | Exception_) and event.fate in (Fate.KILLED, Fate.STUCK)
