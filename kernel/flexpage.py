"""Flexpages: aligned windows of an address or capability space, and how one maps into another.

Rule 1: everything here is a function of numbers; nothing knows a task.
Rule 2: an `Area` counts in units of its space: pages of memory, capability slots, ports.
So one geometry serves all of them (ABI 4.9), and a hot spot is a unit like any other.

A flexpage is a word (`l4/sys/__l4_fpage.h`): rights in bits 3..0, type in 5..4, order (the
binary logarithm of its size) in 11..6, and from bit 12 on the address, index or port.
"""

from enum import IntEnum
from typing import Optional

from kernel.abi import (
    FPAGE_BASE_SHIFT,
    FPAGE_KIND,
    FPAGE_KIND_SHIFT,
    FPAGE_ORDER,
    FPAGE_ORDER_SHIFT,
    FPAGE_RIGHTS,
    FPAGE_WHOLE_ORDER,
)

ALL_SPACES = FPAGE_WHOLE_ORDER << FPAGE_ORDER_SHIFT
INVALID = 0


class Kind(IntEnum):
    """What a flexpage is about; SPECIAL is all spaces or nothing."""

    SPECIAL = 0
    MEMORY = 1
    IO = 2
    OBJECT = 3


class Outcome(IntEnum):
    """What came of mapping a flexpage; of several, the largest."""

    NOTHING = 0  # the source has nothing there
    MAPPED = 1
    FULL = 2  # a quota or the page tables were used up on the way


# The same numbers as plain constants: for each page fault they are compared a dozen times,
# and an enumeration takes 0.2 us to make one.
SPECIAL, MEMORY, IO, OBJECT = map(int, Kind)
NOTHING, MAPPED, FULL = map(int, Outcome)

# The next three are values, made for every item.  They are no dataclasses because those
# cannot be compiled to extension types.


class Flexpage:
    """A flexpage taken apart; `base` is its number of unit: page, capability index or port.

    The order of memory is that of its bytes, as in the word, of others that of their units.
    """

    __slots__ = ("base", "kind", "order", "rights")

    def __init__(self, kind: int, base: int, order: int, rights: int) -> None:
        self.kind = kind
        self.base = base
        self.order = order
        self.rights = rights

    def is_all_spaces(self) -> bool:
        """Answer whether this stands for everything that a task has."""
        return self.kind == SPECIAL and self.order == FPAGE_WHOLE_ORDER

    def with_rights(self, rights: int) -> "Flexpage":
        """Give the same flexpage with other rights."""
        return Flexpage(self.kind, self.base, self.order, rights)

    def area(self) -> Optional["Area"]:
        """Give the units that this covers, aligned to its size; None if it is less than one.

        All spaces begin at 0 and have no end that matters.
        """
        order = self.order
        if self.kind == MEMORY:
            if order < FPAGE_BASE_SHIFT:
                return None
            order -= FPAGE_BASE_SHIFT
        elif self.kind == SPECIAL:
            if order != FPAGE_WHOLE_ORDER:
                return None
            return Area(0, order)
        return Area(align(self.base, order), order)


class Area:
    """2**`order` units from unit `first` on, which is a multiple of that."""

    __slots__ = ("first", "order", "size")

    def __init__(self, first: int, order: int) -> None:
        self.first = first
        self.order = order
        self.size = 1 << order  # of the argument, whose type is Python's: C's 1 has 32 bits


class Placement:
    """What is sent of a source, and the unit of the target where it begins."""

    __slots__ = ("source", "target")

    def __init__(self, source: Area, target: int) -> None:
        self.source = source
        self.target = target


def decode(word: int) -> Flexpage:
    """Take a flexpage apart; every word is one."""
    return Flexpage(
        word >> FPAGE_KIND_SHIFT & FPAGE_KIND,
        word >> FPAGE_BASE_SHIFT,
        word >> FPAGE_ORDER_SHIFT & FPAGE_ORDER,
        word & FPAGE_RIGHTS,
    )


def encode(fpage: Flexpage) -> int:
    """Put a flexpage together; whoever asks sees to it that it fits a word."""
    return (
        fpage.base << FPAGE_BASE_SHIFT
        | fpage.order << FPAGE_ORDER_SHIFT
        | fpage.kind << FPAGE_KIND_SHIFT
        | fpage.rights
    )


def align(unit: int, order: int) -> int:
    """Give the multiple of 2**`order` at or below `unit`."""
    return unit >> order << order


def place(source: Area, window: Area, hot_spot: int) -> Placement:
    """Say what of `source` goes where in a receiver's `window` (ABI 4.9).

    The larger of the two is cut to the size of the smaller one, at the hot spot.
    """
    if window.order >= source.order:
        offset = align(hot_spot & window.size - 1, source.order)
        return Placement(source, window.first + offset)
    offset = align(hot_spot & source.size - 1, window.order)
    return Placement(Area(source.first + offset, window.order), window.first)
