"""A moment: what it takes to bring the same machine back to where it once was.

Unlike a checkpoint it is good for one machine only, whose emulator instances and their
translations stay; going back to it costs as much as what has changed since.
"""

from dataclasses import dataclass
from typing import Any

from emu.context import Context, Held


@dataclass(frozen=True, slots=True)
class ContextMoment:
    """One context."""

    context: Context
    cpu: bytes
    stamp: int
    ticks: int
    trap: int
    held: Held | None
    registers: tuple[int, ...]
    fault: tuple[int, int, int]  # address, error, vector
    descriptors: tuple[int, ...]
    previous: int  # the start of the block charged last, or -1
    branch: int  # the end of a branch in it that is not judged yet, or 0


@dataclass(frozen=True, slots=True)
class Moment:
    """All of a machine; `pages` has those that were mapped or not zero, by physical address."""

    ticks: int
    instructions: int
    contexts: dict[int, ContextMoment]
    # By number of the space and address: frame, rights and accessed flags.
    mapped: dict[int, dict[int, tuple[int, int, int]]]
    # By number of the space: slot, entries and size of its local descriptor table.
    tables: dict[int, tuple[int, tuple[int, ...], int]]
    pages: dict[int, bytes]
    mappings: int
    predictor: bytes
    paths: Any  # of calls, if they were watched
