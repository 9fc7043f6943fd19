"""Variations: what is changed in a run on purpose, as values that a run's identity holds.

A *change* says when, as a position of the unchanged run, and what.  Changes are in the order
of their positions.  What *steers* a run says how it goes on where a real CPU could go on in
several ways: by thread or IRQ, kind of choice point, and how many of these came before.
A run with a variation is another run, and the same one every time.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeAlias

from kernel.errors import UsageError


@dataclass(frozen=True, slots=True)
class OverrideRead:
    """The instruction at `position` finds `data` in its thread's UTCB; nothing else does."""

    position: int
    thread: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StoreBytes:
    """From `position` on, when `thread` runs there, its UTCB has `data` at `offset`."""

    position: int
    thread: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Points:
    """Where choices are, beside kernel exits: see `kernel.state.Kernel`."""

    grain: int = 0  # cycles
    window: int = 0  # cycles
    overrules: bool = False


@dataclass(frozen=True, slots=True)
class Choose:
    """At its choice number `ordinal` at a kind of point, from 0, `subject` takes an option."""

    subject: int  # number of a thread or IRQ
    point: str
    ordinal: int
    option: int


@dataclass(frozen=True, slots=True)
class DelayIrq:
    """The interrupt number `ordinal` of an IRQ, from 0, comes so many cycles later."""

    irq: int
    ordinal: int
    cycles: int


@dataclass(frozen=True, slots=True)
class InjectIpc:
    """Before `position`, when `thread` runs there, it calls the log, which answers.

    The program has not asked for it: it is what a function with an innocent name would do.
    The call sends and gets back message registers; no other register changes.
    """

    position: int
    thread: int


@dataclass(frozen=True, slots=True)
class ReplyWords:
    """Every reply of a thread has so many words, whatever its tag says."""

    thread: int
    words: int


Change: TypeAlias = OverrideRead | StoreBytes
Steering: TypeAlias = Points | Choose | DelayIrq | InjectIpc | ReplyWords
Variation: TypeAlias = tuple[Change | Steering, ...]

_NAMES: dict[str, type[Change] | type[Steering]] = {
    "override-read": OverrideRead,
    "store-bytes": StoreBytes,
    "inject-ipc": InjectIpc,
    "reply-words": ReplyWords,
    "points": Points,
    "choose": Choose,
    "delay-irq": DelayIrq,
}
_POINT = frozenset("abcdefghijklmnopqrstuvwxyz-")


def encode(change: Change | Steering) -> str:
    """Write a change down, for an identity or a file."""
    name = next(name for name, kind in _NAMES.items() if type(change) is kind)
    values = (getattr(change, field.name) for field in fields(change))
    return " ".join((name, *map(_encode_value, values)))


def decode(text: str) -> Change | Steering:
    """Read what `encode` has written; UsageError if it did not."""
    name, *parts = text.split(" ")
    try:
        kind = _NAMES[name]
        types = [field.type for field in fields(kind)]
        values = [_decode_value(each, part) for each, part in zip(types, parts, strict=True)]
        make: Callable[..., Change | Steering] = kind
        change = make(*values)
    except (ValueError, KeyError) as error:
        raise UsageError(f"no change of a run: {text!r}") from error
    if encode(change) != text:
        raise UsageError(f"no change of a run: {text!r}")
    return change


def changes(variation: Variation) -> tuple[Change, ...]:
    """Give what changes bytes of a UTCB."""
    return tuple(each for each in variation if isinstance(each, OverrideRead | StoreBytes))


def _encode_value(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(int(value)) if isinstance(value, int) else str(value)


def _decode_value(kind: object, text: str) -> object:
    if kind is bytes:
        return bytes.fromhex(text)
    if kind is str:
        if not text or not _POINT.issuperset(text):
            raise ValueError("a choice point has a name")
        return text
    value = int(text)
    if value < 0 or (kind is bool and value > 1):
        raise ValueError("no number of this kind")
    return bool(value) if kind is bool else value
