"""Midways: where in a run its twins can begin, so that they need not begin at the boot.

Rule 1: a midway lies between two kernel entries; a run that is stopped there and one that
goes on from there are the run itself.
Rule 2: there are few, and none in a run so short that it would not pay.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from emu.machine import Machine
from kernel.freeze import freeze
from kernel.state import Kernel

MOST = 16
_BEFORE = 4_000  # cycles before what is looked for: blocks and kernel entries are shorter
_WORTH = 100_000  # cycles that a twin saves at least


@dataclass(frozen=True, slots=True)
class Midway:
    """A state of a run; it has been frozen."""

    position: int
    machine: bytes  # compressed
    kernel: bytes  # compressed


def plan_stops(cycles: Iterable[int]) -> list[int]:
    """Give the cycles at which to stop on the way to these, in their order."""
    found: list[int] = []
    last = 0
    for cycle in sorted(cycles):
        stop = cycle - _BEFORE
        if stop >= last + _WORTH:
            found.append(stop)
            last = stop
    return found[:: -(-len(found) // MOST)] if found else []


def save_midway(machine: Machine, kernel: Kernel) -> Midway:
    """Freeze a run that has stopped."""
    return Midway(
        machine.instructions,
        zlib.compress(machine.freeze(), 1),
        zlib.compress(freeze(kernel), 1),
    )


def last_before(midways: list[Midway], position: int) -> Midway | None:
    """Give the last of them, which are in order, that a position lies behind."""
    at = bisect_left(midways, position, key=lambda each: each.position)
    return midways[at - 1] if at else None
