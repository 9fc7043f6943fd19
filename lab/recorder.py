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
    Remark,
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
    CHUNK,
    HASH_SIZE,
    KIND_BITS,
    PARTIES,
    SWITCH,
    SWITCH_WORDS,
    TRANSFER,
    TRANSFER_HEAD,
    Identity,
    decode,
    encode,
)
from lab.trace.sink import Sink

LAST_EVENTS = 40
_ROOM = 1 << 14  # words of records that are kept; LAST_EVENTS of the longest are fewer
_MOST_REPORTS = 100  # of a kind: a guest may repeat itself for ever
_KIND = (1 << KIND_BITS) - 1
_ONE = 1  # as wide as the sets of kinds and objects
_OBJECT = 63


class Follower:
    """Whoever follows a run event by event, and wants no object of a transfer or switch."""

    __slots__ = ()

    def transfer(
        self,
        cycle: int,
        position: int,
        sender: int,
        receiver: int,
        operation: int,
        via: int,
        tag: int,
        label: int,
        error: int,
        receiver_ip: int,
        payload: bytes,
        overwritten: bytes,
    ) -> None:
        """Take note of a message that has just arrived: see `events.Transfer`."""
        raise NotImplementedError

    def switch(self, following: int) -> None:
        """Take note of a switch of threads: see `events.Switch`."""
        raise NotImplementedError

    def event(self, event: Event) -> None:
        """Take note of anything else."""
        raise NotImplementedError


class RunRecorder(Recorder):
    """Takes the events of one run in, in bounded memory, and passes them on.

    `messages` counts completed transfers into a thread, `invocations` those of kernel
    objects; `refused` has the first of `refusals`, `remarks` of all that were `remarked`.
    `names` is told what guests say of names.  A `sink` that is there before the first event
    gets all records, the last at `flush`.
    """

    __slots__ = (
        "_before",
        "_bytes",
        "_end",
        "_given",
        "_hash",
        "_hashed",
        "_kinds",
        "_last",
        "_log",
        "_objects",
        "_old",
        "_out",
        "_previous",
        "_records",
        "_word",
        "faults",
        "follower",
        "identity",
        "invocations",
        "listeners",
        "messages",
        "names",
        "refusals",
        "refused",
        "remarked",
        "remarks",
        "sink",
    )

    def __init__(
        self, identity: Identity, *, listener: Callable[[Event], None] | None = None
    ) -> None:
        super().__init__()
        self.identity = identity
        # Whoever is shown every event, one after the other.
        self.listeners = [] if listener is None else [listener]
        self.follower: Follower | None = None  # it is shown events before the listeners are
        self.messages = 0
        self.invocations = 0
        self.faults: list[Fault | Exception_] = []
        self.refused: list[Refused] = []
        self.refusals = 0
        self.remarks: list[Remark] = []
        self.remarked = 0
        self.names: Names | None = None
        self.sink: Sink | None = None
        self._log = bytearray()
        self._hash = blake2b(identity.encode(), digest_size=HASH_SIZE)
        self._word = ARCHES[identity.arch].word
        # Records up to word `_end`, of which the last begins at `_last`, hashed up to
        # `_hashed` and given to the sink up to `_given`; and those before them.
        self._bytes = memoryview(bytearray(_ROOM * 8))
        self._out = self._bytes.cast("Q")
        self._end = self._last = self._hashed = self._given = 0
        self._previous = b""
        # Of the chunk that is not complete yet.
        self._records = 0
        self._kinds = self._objects = 0
        self._before = b""  # what `prepare` kept, if anybody follows
        self._old = memoryview(bytearray(MR_COUNT * 8)).cast("Q")

    def prepare(self, utcb: Utcb, count: int) -> None:
        """Keep what a receiver holds in the first `count` words: a transfer comes next."""
        utcb.widen(self._old, 0, count)
        if self.follower is not None:
            self._before = utcb.read(count)

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
        self._kinds |= _ONE << TRANSFER
        self._objects |= _ONE << (sender & _OBJECT) | _ONE << (receiver.number & _OBJECT)
        if self.follower is not None:
            self.follower.transfer(
                cycle,
                position,
                sender,
                receiver.number,
                operation,
                via,
                tag,
                receiver.registers[LABEL],
                error,
                receiver_ip,
                receiver.utcb.read(count),
                self._before,
            )
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
        self._kinds |= _ONE << SWITCH
        self._objects |= _ONE << (previous & _OBJECT) | _ONE << (following & _OBJECT)
        if self.follower is not None:
            self.follower.switch(following)
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
        kind = record[0] & _KIND
        self._kinds |= _ONE << kind
        for at in PARTIES[kind]:
            party = record[at]
            self._objects |= _ONE << (party & _OBJECT)
        self._note(event)
        if self.follower is not None:
            self.follower.event(decode(record, self._word))
        self._close(size)

    def flush(self) -> None:
        """Give the sink what it has not got yet: the run is over."""
        if self._records:
            self._close_chunk()

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
        at = self._last = self._end
        self._end = at + size
        if self.listeners:
            words = self._bytes[at * 8 : self._end * 8].cast("Q").tolist()
            event = decode(words, self._word)
            for listener in self.listeners:
                listener(event)
        self._records += 1
        if self._records == CHUNK:
            self._close_chunk()

    def _close_chunk(self) -> None:
        if self.sink is not None:
            self._digest()
            self._give()
            cycle, position = self._out[self._last + 1], self._out[self._last + 2]
            self.sink.close(
                self._records,
                self._kinds,
                self._objects,
                cycle,
                position,
                self._hash.hexdigest(),
            )
        self._records = 0
        self._kinds = self._objects = 0

    def _give(self) -> None:
        if self.sink is not None:
            self.sink.take(bytes(self._bytes[self._given * 8 : self._end * 8]))
            self._given = self._end

    def _turn(self) -> None:
        # Begin anew, and keep the old ones for `last`.
        self._digest()
        self._give()
        self._previous = bytes(self._bytes[: self._end * 8])
        self._end = self._last = self._hashed = self._given = 0

    def _digest(self) -> None:
        self._hash.update(self._bytes[self._hashed * 8 : self._end * 8])
        self._hashed = self._end

    def _note(self, event: Event) -> None:
        if isinstance(event, Invocation | Waiting):
            self.invocations += 1
        elif isinstance(event, Named | Created):
            if self.names is not None:
                self.names.note(event)
        elif isinstance(event, Log):
            if len(self._log) <= CONSOLE_LIMIT:
                self._log += event.data
        elif isinstance(event, Transfer):
            self.messages += 1
        elif isinstance(event, Refused):
            self.refusals += 1
            if len(self.refused) < _MOST_REPORTS:
                self.refused.append(event)
        elif isinstance(event, Remark):
            self.remarked += 1
            if len(self.remarks) < _MOST_REPORTS:
                self.remarks.append(event)
        elif _is_unhandled(event) and len(self.faults) < _MOST_REPORTS:
            self.faults.append(event)


def _is_unhandled(event: Event) -> TypeGuard[Fault | Exception_]:
    return isinstance(event, Fault | Exception_) and event.fate in (Fate.KILLED, Fate.STUCK)
