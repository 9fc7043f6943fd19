"""Uses: what becomes of a value that was read, in the instructions that follow.

Rule 1: a copy is no use: not to a register, not to memory, and not back to where it came
from.  So whoever saves registers and puts them back has used none.
Rule 2: anything else is: arithmetic, a comparison, an address, and a store into another
place of the UTCB, from where it is sent.
"""

from collections.abc import Callable
from enum import Enum

from lab.replay.operation import Memory, Operation

LONGEST = 3_000  # instructions of the thread that are looked at


class Fate(Enum):
    """What became of the value."""

    USED = "used"
    COPIED = "copied, and no copy used"
    UNKNOWN = "copied, and then lost from sight"


class UseTracker:
    """Follows one value from its read on."""

    __slots__ = (
        "_address",
        "_bytes",
        "_is_back",
        "_kept",
        "_limit",
        "_registers",
        "_steps",
        "begin",
        "fate",
        "is_done",
        "thread",
    )

    def __init__(self, thread: int, position: int, utcb: range, offset: int, size: int) -> None:
        self.thread = thread
        self.begin = position
        self.fate = Fate.UNKNOWN
        self.is_done = False
        self._limit = utcb
        self._address = range(utcb.start + offset, utcb.start + offset + size)
        self._registers: set[str] = set()
        self._kept: set[str] | None = None  # while they are a handler's
        self._bytes: set[int] = set()  # addresses of copies
        self._is_back = False
        self._steps = 0

    def result(self) -> Fate:
        """Say what became of it, now that nobody looks any more."""
        if self.is_done:
            return self.fate
        return Fate.COPIED if self._steps else Fate.UNKNOWN

    def is_active(self, position: int) -> bool:
        """Whether the value may still be used at a position."""
        return not self.is_done and position >= self.begin

    def interrupt(self) -> None:
        """Take note that a handler of the thread's own begins: registers come back after it."""
        self._kept = set(self._registers)

    def resume(self) -> None:
        """Take note that it has ended."""
        if self._kept is not None:
            self._registers, self._kept = self._kept, None

    def step(self, operation: Operation, position: int, load: Callable[[str], int]) -> None:
        """Take note of an instruction that is about to be executed."""
        self._steps += 1
        is_first = position == self.begin
        if operation.flow is not None:
            self._flow(operation, load, is_first=is_first)
        else:
            self._look(operation, load, is_first=is_first)
        if is_first or self.is_done:
            return
        if not self._registers and not self._bytes:
            self._finish(Fate.COPIED)
        elif self._steps > LONGEST:
            self._finish(Fate.COPIED if self._is_back else Fate.UNKNOWN)

    def _flow(
        self, operation: Operation, load: Callable[[str], int], *, is_first: bool
    ) -> None:
        assert operation.flow is not None
        source, target = operation.flow
        for place in (source, target):
            if isinstance(place, Memory) and self._is_address(place):
                self._finish(Fate.USED)
                return
        moved: set[int] | None = None  # which bytes of it are the value's; None: none
        if isinstance(source, str):
            has = source in self._registers
        else:
            at = source.address(load)
            covered = range(at, at + source.size)
            here = set(self._address) if is_first else self._bytes
            moved = {each - at for each in covered if each in here}
            has = bool(moved)
        if isinstance(target, str):
            self._registers.discard(target)
            if has:
                self._registers.add(target)
            return
        at = target.address(load)
        covered = range(at, at + target.size)
        self._bytes.difference_update(covered)
        if not has:
            return
        if at in self._limit:
            origin = self._address
            if covered.start < origin.stop and origin.start < covered.stop:
                self._is_back = True
            else:
                self._finish(Fate.USED)
            return
        offsets = range(target.size) if moved is None else moved
        self._bytes.update(at + each for each in offsets)

    def _look(
        self, operation: Operation, load: Callable[[str], int], *, is_first: bool
    ) -> None:
        is_read = is_first or any(each in self._registers for each in operation.reads)
        if is_read and not operation.clears:
            self._finish(Fate.USED)
            return
        for memory in operation.memory:
            at = memory.address(load)
            if any(each in self._bytes for each in range(at, at + memory.size)):
                if operation.stores:
                    self._bytes.difference_update(range(at, at + memory.size))
                else:
                    self._finish(Fate.USED)
                    return
        self._registers.difference_update(operation.writes)

    def _is_address(self, memory: Memory) -> bool:
        return memory.base in self._registers or memory.scaled in self._registers

    def _finish(self, fate: Fate) -> None:
        self.fate = fate
        self.is_done = True
