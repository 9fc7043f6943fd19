"""Lives of messages as a trace stores them: whose each was, from birth to death.

Rule 1: lives are stored by their ends, so a part of a run needs the chunks that overlap it.
Rule 2: a chunk has its lives column by column, each number as its difference from the one
above: that is what compresses.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from kernel.utcb import MR_COUNT

ALIVE = (1 << 63) - 1  # stored as the death of a message that was alive at the run's end
LIVES = 4096  # in a chunk

_COLUMNS = 10
_MASK = (1 << 64) - 1
_LARGEST_NUMBER = 1 << 31  # of an object
_DEEPEST = 1 << 16  # calls in each other that are counted


class Way(IntEnum):
    """Which end of a message a thread was."""

    IN = 0  # it was delivered there
    OUT = 1  # it was built there


@dataclass(frozen=True, slots=True)
class Life:
    """The life of one message in the UTCB of one thread.

    A message that came in lives from its delivery on, one that goes out from the first store
    of it until the answer comes.  `died` is None if it was alive when the run ended.
    """

    message: int  # its number, as in the M17 of findings
    thread: int  # whose UTCB it was in
    partner: int  # who sent it, or whom it was sent to; 0 if that is not known
    way: Way
    born: int  # position
    cycle: int  # of its delivery, or of the call that sent it
    died: int | None  # position
    words: int
    depth: int  # calls that the owner was in
    owner: str  # the function whose frame it belonged to


class LifeChunk(NamedTuple):
    """What the index says of a chunk of lives."""

    number: int
    records: int
    born: int
    died: int
    threads: int
    size: int


class Packed(NamedTuple):
    """A chunk of lives as a row of the table, but for its number."""

    records: int
    born: int  # the first position of any
    died: int  # the last one
    threads: int  # a set of their numbers modulo 64
    size: int
    data: bytes  # not compressed


def pack(lives: Sequence[Life], owners: dict[str, int]) -> Packed:
    """Pack lives; owners that are new are entered with the next number."""
    columns: list[list[int]] = [[] for _ in range(_COLUMNS)]
    threads = 0
    for life in lives:
        row = (
            life.message,
            life.thread,
            life.partner,
            int(life.way),
            life.born,
            life.cycle,
            ALIVE if life.died is None else life.died,
            life.words,
            min(life.depth, _DEEPEST - 1),
            owners.setdefault(life.owner, len(owners)),
        )
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        threads |= 1 << (life.thread & 63)
    words: list[int] = []
    for column in columns:
        words += ((new - old) & _MASK for old, new in zip([0, *column], column, strict=False))
    data = struct.pack(f"<{len(words)}Q", *words)
    return Packed(len(lives), min(columns[4]), max(columns[6]), threads, len(data), data)


def unpack(data: bytes, records: int, owners: Sequence[str]) -> list[Life]:
    """Give the lives of a chunk; ValueError if these are none."""
    if len(data) != records * _COLUMNS * 8:
        raise ValueError(f"{len(data)} bytes are not {records} lives")
    words = struct.unpack(f"<{records * _COLUMNS}Q", data)
    columns: list[list[int]] = []
    for at in range(_COLUMNS):
        value = 0
        column = []
        for difference in words[at * records : (at + 1) * records]:
            value = (value + difference) & _MASK
            column.append(value)
        columns.append(column)
    return [_life(row, owners) for row in zip(*columns, strict=True)]


def _life(row: Sequence[int], owners: Sequence[str]) -> Life:
    message, thread, partner, way, born, cycle, died, words, depth, owner = row
    if (
        max(message, born, cycle, died) > ALIVE
        or max(thread, partner) >= _LARGEST_NUMBER
        or way > Way.OUT
        or died < born
        or words > MR_COUNT
        or depth >= _DEEPEST
        or owner >= len(owners)
    ):
        raise ValueError("a life that makes no sense")
    end = None if died == ALIVE else died
    return Life(
        message, thread, partner, Way(way), born, cycle, end, words, depth, owners[owner]
    )
