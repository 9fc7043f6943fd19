"""A tally: the ticks and instructions of every block in every call path of every context.

Rule 1: it is exact.  What passes between two blocks that start belongs to the first of
them, and what passes while no context runs to none.
Rule 2: it only looks: a run with a tally is the run without it.
"""

from dataclasses import dataclass

from emu.blocks import Block
from emu.calls import Calls

CELLS = 1 << 18  # of different places; what comes after them counts under one
ELSEWHERE = 0  # the path and the start of that one


@dataclass(frozen=True, slots=True)
class Place:
    """A block in a call path of a context."""

    context: int
    path: int  # a number for `Watch.frames`
    start: int


class Tally:
    """Counts of one run, by place."""

    __slots__ = ("_calls", "_cell", "_cells", "_instructions", "_paused", "_ticks")

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        # Ticks, instructions and executions; an object for each block would take too long.
        self._cells: dict[tuple[int, int, int], list[int]] = {}
        self._paused: dict[int, list[int]] = {}  # by context: where it goes on
        self._cell = [0, 0, 0]
        self._ticks = self._instructions = 0

    def resume(self, context: int, ticks: int, instructions: int) -> None:
        """Take note that a context begins to run."""
        self._cell = self._paused.get(context) or self._find(context, ELSEWHERE, ELSEWHERE)
        self._ticks = ticks
        self._instructions = instructions

    def pause(self, context: int, ticks: int, instructions: int) -> None:
        """Take note that it stops; its next instruction is still of the same block."""
        self._close(ticks, instructions)
        self._paused[context] = self._cell

    def enter(self, start: int, ticks: int, instructions: int) -> None:
        """Take note that a block starts, which is not charged yet."""
        self._close(ticks, instructions)
        self._cell = self._find(self._calls.number, self._calls.path, start)
        self._cell[2] += 1

    def enter_all(
        self, blocks: tuple[Block, ...], ticks: int, instructions: int, more: int
    ) -> None:
        """Take note that blocks start one after the other; the first costs `more`."""
        for block in blocks:
            self.enter(block.start, ticks, instructions)
            ticks += block.ticks + more
            instructions += block.count
            more = 0

    def counts(self) -> list[tuple[Place, int, int, int]]:
        """List ticks, instructions and executions by place, in order."""
        return [
            (Place(*key), ticks, instructions, executions)
            for key, (ticks, instructions, executions) in sorted(self._cells.items())
        ]

    def _close(self, ticks: int, instructions: int) -> None:
        cell = self._cell
        cell[0] += ticks - self._ticks
        cell[1] += instructions - self._instructions
        self._ticks = ticks
        self._instructions = instructions

    def _find(self, context: int, path: int, start: int) -> list[int]:
        cell = self._cells.get((context, path, start))
        if cell is None:
            if len(self._cells) >= CELLS:
                path = start = ELSEWHERE
            cell = self._cells.setdefault((context, path, start), [0, 0, 0])
        return cell
