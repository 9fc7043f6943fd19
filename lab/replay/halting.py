"""A machine whose run can be halted at an exact place, between two kernel entries.

The kernel calls `run` and learns nothing of this: `Halted` flies through its loop, and
calling that loop again goes on as if nothing had happened, since all it did before `run`
is done once (costs are charged, the clock is told, the switch is made).

Rule 1: an *instant* is where a run can be halted: before an instruction that is executed
or raises a trap.  A position can have several, numbered by their turn: a page fault
completes nothing, and the instant before its pager runs has the same position.
Rule 2: an instant is a property of the run, not of how it was reached.
"""

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from emu.context import Context
from emu.machine import Machine, MachineConfig
from emu.traps import BREAKPOINT, DEBUG, EXCEPTION, OVERFLOW, STEPPED, SYSTEM_CALL

# Exceptions that are raised behind their instruction, which is completed (Intel SDM
# vol. 3, 6.5: traps).
_BEHIND = (DEBUG, BREAKPOINT, OVERFLOW)


class Instant(NamedTuple):
    """A place in a run: instructions completed, and which of the instants there it is."""

    position: int
    turn: int = 0

    def __str__(self) -> str:
        return f"{self.position}+{self.turn}" if self.turn else str(self.position)


NEVER = Instant(1 << 62)


class Halted(Exception):
    """A run stands where it was to be halted."""

    def __init__(self, at: Instant, number: int, *, is_break: bool) -> None:
        super().__init__(f"halted at {at}, before thread {number} runs")
        self.at = at
        self.number = number  # of the context that would run
        self.is_break = is_break


class HaltingMachine(Machine):
    """Halts at `goal`, at breaks, and where `wanted` says so."""

    __slots__ = (
        "at",
        "before",
        "breaks",
        "entered",
        "goal",
        "last",
        "left",
        "mappings",
        "passed",
        "resuming",
        "turns",
        "wanted",
    )

    def __init__(self, config: MachineConfig) -> None:
        super().__init__(config)
        self.at = Instant(0, -1)  # the last instant there was; turn -1: none at this position
        self.before = Instant(0, 0)  # the last instant before the last trap
        self.goal = NEVER
        self.passed = NEVER  # no break counts at this instant
        self.breaks: dict[int, frozenset[int]] = {}  # by space
        self.wanted: Callable[[], bool] | None = None  # halt at the next instant?
        # Told after every run, with the instant it began at; and before every run.
        self.left: Callable[[Instant], None] | None = None
        self.entered: Callable[[Instant], None] | None = None
        self.last = 0  # the number of the context that ran last, or would now
        self.resuming = False  # halted at `at`, which the next run begins at
        self.mappings = 0  # how often they have changed
        self.turns: dict[int, int] | None = None  # by position: its last instant, if not 0

    @property
    def shown(self) -> Instant:
        """Give the first instant that shows what the kernel does now."""
        return Instant(self.at.position, self.at.turn + 1)

    def run(self, context: Context, deadline: int) -> int:
        """Run as any machine, but raise Halted at the first instant of those wanted."""
        at = self.at
        if not self.resuming:
            at = self.at = self.shown
            if at.turn and self.turns is not None:
                self.turns[at.position] = at.turn
            if self.entered is not None:
                self.entered(at)
        self.resuming = False
        self.last = context.number
        self.pass_breaks(at.position if at == self.passed else -1)
        is_break = self.is_break(context)
        if at >= self.goal or is_break or (self.wanted is not None and self.wanted()):
            self.resuming = True
            raise Halted(at, context.number, is_break=is_break)
        trap = self._run(context, deadline)
        position = self.instructions
        is_behind = trap == EXCEPTION and context.vector in _BEHIND
        if position > at.position and (trap == SYSTEM_CALL or is_behind):
            self.before = Instant(position - 1) if position - 1 > at.position else at
            self.at = Instant(position, -1)
        else:
            self.before = Instant(position) if position > at.position else at
            self.at = self.before
        if self.left is not None:
            self.left(at)
        return trap

    def _run(self, context: Context, deadline: int) -> int:
        # The last instruction alone: a run may fail to fetch the one behind it, and
        # that fault is not part of it.
        goal = max(self.goal.position, self.at.position + 1)
        while True:
            trap = self.run_until_position(context, deadline, goal - 1)
            if trap != STEPPED:
                return trap
            position = self.instructions
            if self.is_break(context):
                self._halt(context, position, is_break=True)
            trap = self.step(context, deadline)
            if trap != STEPPED:
                return trap
            if self.instructions > position and self.instructions >= self.goal.position:
                if self.instructions > self.goal.position or not self.goal.turn:
                    self._halt(context, self.instructions, is_break=False)
                goal = self.instructions + 1

    def _halt(self, context: Context, position: int, *, is_break: bool) -> NoReturn:
        at = Instant(position) if position > self.at.position else self.at
        entered, self.at = self.at, at
        self.resuming = True
        if self.left is not None:
            self.left(entered)
        raise Halted(at, context.number, is_break=is_break)

    def create_space(self, number: int) -> bool:
        """Make a space, with the breaks that it is to have."""
        made = super().create_space(number)
        if made and number in self.breaks:
            self.set_breaks(number, self.breaks[number])
        return made

    def map(self, space: int, address: int, frame: int, rights: int) -> bool:
        """Map a page, and count it."""
        self.mappings += 1
        return super().map(space, address, frame, rights)

    def unmap(self, space: int, address: int) -> None:
        """Take a page away, and count it."""
        self.mappings += 1
        super().unmap(space, address)
