"""The canonical encoding of events: what traces hold, and what the trace hash is over.

Rule 1: an event is a record of little-endian 64-bit words: its kind and length, the
cycle, the position, and its other fields in their order.  Message words take 64 bits
whatever the machine's are.
Rule 2: no names, symbols, paths, findings or engine.  Two runs with one hash are the
same run.  A `Refused` is our report, not the guests' doing, and is not hashed.
Rule 3: a change of this encoding bumps TRACE_VERSION.

`lab.recorder` writes transfers and switches itself, since they come by the million.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from kernel.events import (
    Awoken,
    Created,
    Deleted,
    End,
    Event,
    Exception_,
    Failure,
    Fate,
    Fault,
    Firing,
    Interrupt,
    Invocation,
    Items,
    Log,
    Named,
    Outcome,
    Purpose,
    Refused,
    Remark,
    Resumption,
    Switch,
    Transfer,
    Waiting,
)

TRACE_VERSION = 4

HASH_SIZE = 16  # bytes: BLAKE2b-128
TRANSFER = 1  # kinds of records
SWITCH = 6
KIND_BITS = 8  # of a record's first word; above them is its length in words
TRANSFER_HEAD = 12  # words of a transfer's record before its payloads
SWITCH_WORDS = 5  # of a switch's record
CHUNK = 4096  # records that are stored, found and compared together
MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a run the run that it is: with the same identity comes the same trace."""

    arch: str
    model: str  # CPU model and digest of its cost tables
    images: tuple[str, ...]  # sha256 of each task's image, in the scenario's order
    variation: tuple[str, ...] = ()  # what was changed on purpose, in order

    def encode(self) -> bytes:
        """Encode the header of a trace."""
        parts = (self.arch, self.model, *self.images, "", *self.variation)
        head = struct.pack("<II", TRACE_VERSION, len(parts))
        return head + b"".join(_text(part) for part in parts)


def encode(event: Event, word: int) -> list[int]:
    """Encode one event of a machine whose words have `word` bytes as a record."""
    kind = KINDS[type(event)]
    body: list[int] = []
    if isinstance(event, Transfer):
        body += cast("tuple[int, ...]", event[: TRANSFER_HEAD - 1])
        body += _unpack(event.payload, word)
        body += _unpack(event.overwritten, word)
    else:
        for value in event:
            _encode_field(body, value)
    return [kind | len(body) + 1 << KIND_BITS, *body]


def decode(record: Sequence[int], word: int) -> Event:
    """Give the event that `encode` made the record of; ValueError if it did not."""
    kind = _BY_KIND.get(record[0] & (1 << KIND_BITS) - 1)
    if kind is None or record[0] >> KIND_BITS != len(record):
        raise ValueError(f"no record begins with {record[0]:#x}")
    if kind is Transfer:
        count, odd = divmod(len(record) - TRANSFER_HEAD, 2)
        if count < 0 or odd:
            raise ValueError(f"no transfer has {len(record)} words")
        words = record[TRANSFER_HEAD:]
        payloads = _pack(words[:count], word), _pack(words[count:], word)
        return Transfer._make((*record[1:TRANSFER_HEAD], *payloads))
    reader = _Reader(record)
    fields = [reader.read(name, hint) for name, hint in kind.__annotations__.items()]
    if reader.at != len(record):
        raise ValueError(f"{len(record) - reader.at} words behind a {kind.__name__}")
    event: Event = kind(*fields)
    return event


KINDS: dict[type[Event], int] = {
    Transfer: TRANSFER,
    Failure: 2,
    Invocation: 3,
    Fault: 4,
    Exception_: 5,
    Switch: SWITCH,
    Log: 7,
    End: 8,
    Refused: 9,
    Waiting: 10,
    Awoken: 11,
    Interrupt: 12,
    Named: 13,
    Items: 14,
    Created: 15,
    Deleted: 16,
    Resumption: 17,
    Remark: 18,
}
_BY_KIND: dict[int, Any] = {number: kind for kind, number in KINDS.items()}


# Which words of a record number the objects that it concerns, by kind.
_PARTY_FIELDS = frozenset(("sender", "receiver", "thread", "target", "irq", "previous", "next"))
PARTIES: dict[int, tuple[int, ...]] = {
    number: tuple(
        at for at, name in enumerate(kind.__annotations__, start=1) if name in _PARTY_FIELDS
    )
    for kind, number in KINDS.items()
}


def _encode_field(body: list[int], value: object) -> None:
    # Numbers are themselves; what has a length begins with it.
    if isinstance(value, int):
        body.append(value & MASK)
    elif isinstance(value, tuple):
        body.append(len(value))
        body += value
    else:
        data = value.encode() if isinstance(value, str) else value
        assert isinstance(data, bytes), f"{value!r} has no encoding"
        body.append(len(data))
        body += _unpack(data + bytes(-len(data) % 8), 8)


class _Reader:
    """Takes the fields of a record one after the other."""

    def __init__(self, record: Sequence[int]) -> None:
        self.record = record
        self.at = 1

    def read(self, name: str, hint: type) -> object:
        """Read the field of an event that has this name and type."""
        if hint is bytes or hint is str:
            size = self._take(1)[0]
            data = _pack(self._take(-(-size // 8)), 8)[:size]
            return data if hint is bytes else data.decode()
        value = self._take(1)[0]
        convert = _CONVERTERS.get(hint)
        if convert is None:
            return tuple(self._take(value))
        return convert(value - (1 << 64) if name in _SIGNED and value >> 63 else value)

    def _take(self, count: int) -> Sequence[int]:
        taken = self.record[self.at : self.at + count]
        self.at += count
        if len(taken) != count:
            raise ValueError("a record ends within a field")
        return taken


_SIGNED = frozenset(("protocol",))  # every other number has no sign
_CONVERTERS: dict[type, Callable[[int], object]] = {
    int: int,
    Fate: Fate,
    Firing: Firing,
    Outcome: Outcome,
    Purpose: Purpose,
}


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _unpack(data: bytes, word: int) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // word}{_LETTER[word]}", data)


def _pack(words: Sequence[int], word: int) -> bytes:
    try:
        return struct.pack(f"<{len(words)}{_LETTER[word]}", *words)
    except struct.error as error:
        raise ValueError(f"a word of {word} bytes: {error}") from error


_LETTER = {4: "I", 8: "Q"}
