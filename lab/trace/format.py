"""The canonical encoding of events, and the trace hash over it.

Rule 1: little-endian, fixed widths, message words at 64 bits whatever the machine's are.
Rule 2: only what the guests could tell apart is encoded: no names, symbols, positions,
paths, findings or engine.  Two runs with one hash are the same run.
Rule 3: a change of this encoding bumps TRACE_VERSION.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

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

    __slots__ = ("_hash",)

    def __init__(self, identity: Identity) -> None:
        self._hash = blake2b(identity.encode(), digest_size=HASH_SIZE)

    def add(self, event: Event) -> None:
        """Take `event` in."""
        self._hash.update(encode(event))

    def hexdigest(self) -> str:
        """Give the hash of all events so far."""
        return self._hash.hexdigest()


def encode(event: Event) -> bytes:
    """Encode one event; a `Refused` is our report and no event of the guests: empty."""
    return _ENCODERS[type(event)](event)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _words(words: tuple[int, ...]) -> bytes:
    return struct.pack(f"<B{len(words)}Q", len(words), *words)


# Each begins with kind, cycle and thread number.
_TRANSFER = struct.Struct("<BQIIBIQQI")
_FAILURE = struct.Struct("<BQIBII")
_INVOCATION = struct.Struct("<BQIBIQQ")
_FAULT = struct.Struct("<BQIQIQB")
_EXCEPTION = struct.Struct("<BQIIIQB")
_SWITCH = struct.Struct("<BQII")
_LOG = struct.Struct("<BQII")
_END = struct.Struct("<BQIB")


def _transfer(e: Transfer) -> bytes:
    head = _TRANSFER.pack(
        1, e.cycle, e.receiver, e.sender, e.operation, e.via, e.tag, e.label, e.error
    )
    return head + _words(e.words)


def _failure(e: Failure) -> bytes:
    return _FAILURE.pack(2, e.cycle, e.thread, e.operation, e.target, e.error)


def _invocation(e: Invocation) -> bytes:
    head = _INVOCATION.pack(3, e.cycle, e.thread, e.operation, e.target, e.tag, e.result)
    return head + _words(e.words) + _words(e.answer)


def _fault(e: Fault) -> bytes:
    return _FAULT.pack(4, e.cycle, e.thread, e.address, e.error, e.ip, e.fate)


def _exception(e: Exception_) -> bytes:
    return _EXCEPTION.pack(5, e.cycle, e.thread, e.vector, e.error, e.ip, e.fate)


def _switch(e: Switch) -> bytes:
    return _SWITCH.pack(6, e.cycle, e.next, e.previous)


def _log(e: Log) -> bytes:
    return _LOG.pack(7, e.cycle, e.thread, len(e.data)) + e.data


def _end(e: End) -> bytes:
    return _END.pack(8, e.cycle, 0, e.outcome)


def _refused(e: Refused) -> bytes:
    return b""


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
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
