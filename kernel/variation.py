"""Variations: what is changed in a run on purpose, as values that a run's identity holds.

A change says when, as a position of the unchanged run, and what.  Changes are in the order
of their positions; a run with changes is another run, and the same one every time.
"""

from dataclasses import dataclass
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


Change: TypeAlias = OverrideRead | StoreBytes
Variation: TypeAlias = tuple[Change, ...]

_NAMES: dict[str, type[OverrideRead] | type[StoreBytes]] = {
    "override-read": OverrideRead,
    "store-bytes": StoreBytes,
}


def encode(change: Change) -> str:
    """Write a change down, for an identity or a file."""
    name = next(name for name, kind in _NAMES.items() if type(change) is kind)
    return f"{name} {change.position} {change.thread} {change.offset} {change.data.hex()}"


def decode(text: str) -> Change:
    """Read what `encode` has written; UsageError if it did not."""
    parts = text.split(" ")
    try:
        name, position, thread, offset, data = parts
        change = _NAMES[name](int(position), int(thread), int(offset), bytes.fromhex(data))
    except (ValueError, KeyError) as error:
        raise UsageError(f"no change of a run: {text!r}") from error
    if min(change.position, change.thread, change.offset) < 0 or encode(change) != text:
        raise UsageError(f"no change of a run: {text!r}")
    return change
