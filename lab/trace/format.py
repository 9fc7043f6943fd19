"""The canonical encoding of events, and the trace hash over it.

Rule 1: little-endian, fixed widths, message words at 64 bits whatever the machine's are.
Rule 2: only what the guests could tell apart is encoded: no names, symbols, positions,
paths, findings or engine.  Two runs with one hash are the same run.
Rule 3: a change of this encoding bumps TRACE_VERSION.
"""

import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from kernel.abi import ARCHES
from kernel.events import (
    End,
    Event,
    Exception_,
    Failure,
    Fault,
    Invocation,
    Log,
    Refused,
    Switch,
    Transfer,
)

TRACE_VERSION = 1

HASH_SIZE = 16  # bytes: BLAKE2b-128
_BATCH = 1 << 16  # bytes that are hashed at a time


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


class TraceHash:
    """A running hash; feed it every event in order."""

    __slots__ = ("_buffer", "_hash", "_word")

    def __init__(self, identity: Identity) -> None:
        self._hash = blake2b(identity.encode(), digest_size=HASH_SIZE)
        self._word = ARCHES[identity.arch].word
        self._buffer = bytearray()

    def add(self, event: Event) -> None:
        """Take `event` in."""
        self._buffer += encode(event, self._word)
        if len(self._buffer) >= _BATCH:
            self._flush()

    def hexdigest(self) -> str:
        """Give the hash of all events so far."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._buffer)
        self._buffer.clear()


def encode(event: Event, word: int) -> bytes:
    """Encode one event of a machine whose words have `word` bytes.

    A `Refused` is our report and no event of the guests: it is empty.
    """
    return _ENCODERS[type(event)](event, word)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _words(words: tuple[int, ...]) -> bytes:
    return struct.pack(f"<B{len(words)}Q", len(words), *words)


# Each begins with kind, cycle and thread number.
_TRANSFER = struct.Struct("<BQIIBIQQIB").pack
_FAILURE = struct.Struct("<BQIBII").pack
_INVOCATION = struct.Struct("<BQIBIQQ").pack
_FAULT = struct.Struct("<BQIQIQB").pack
_EXCEPTION = struct.Struct("<BQIIIQB").pack
_SWITCH = struct.Struct("<BQII").pack
_LOG = struct.Struct("<BQII").pack
_END = struct.Struct("<BQIB").pack


def _transfer(e: Transfer, word: int) -> bytes:
    cycle, _, sender, receiver, operation, via, tag, label, error, payload, _, _, _ = e
    count = len(payload) // word
    if word == 4:
        payload = array("Q", array("I", payload)).tobytes()
    return (
        _TRANSFER(1, cycle, receiver, sender, operation, via, tag, label, error, count)
        + payload
    )


def _failure(e: Failure, word: int) -> bytes:
    return _FAILURE(2, e.cycle, e.thread, e.operation, e.target, e.error)


def _invocation(e: Invocation, word: int) -> bytes:
    head = _INVOCATION(3, e.cycle, e.thread, e.operation, e.target, e.tag, e.result)
    return head + _words(e.words) + _words(e.answer)


def _fault(e: Fault, word: int) -> bytes:
    return _FAULT(4, e.cycle, e.thread, e.address, e.error, e.ip, e.fate)


def _exception(e: Exception_, word: int) -> bytes:
    return _EXCEPTION(5, e.cycle, e.thread, e.vector, e.error, e.ip, e.fate)


def _switch(e: Switch, word: int) -> bytes:
    cycle, _, previous, following = e
    return _SWITCH(6, cycle, following, previous)


def _log(e: Log, word: int) -> bytes:
    return _LOG(7, e.cycle, e.thread, len(e.data)) + e.data


def _end(e: End, word: int) -> bytes:
    return _END(8, e.cycle, 0, e.outcome)


def _refused(e: Refused, word: int) -> bytes:
    return b""


_ENCODERS: dict[type, Callable[[Any, int], bytes]] = {
    Transfer: _transfer,
    Failure: _failure,
    Invocation: _invocation,
    Fault: _fault,
    Exception_: _exception,
    Switch: _switch,
    Log: _log,
    End: _end,
    Refused: _refused,
}
