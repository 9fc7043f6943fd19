"""Leftovers: whether a value that was stored had been left on the stack by chance.

Rule 1: what lies below the stack pointer is nobody's.  When the stack grows over it, it is a
leftover until somebody stores there.
Rule 2: a copy of a leftover is one; what is computed of it is not followed.
Rule 3: only the stack below where the stretch begins is known; all else counts as stored.
What another thread stores on this stack is not seen.
"""

from collections.abc import Callable

from lab.replay.operation import Memory, Operation

LONGEST = 20_000  # instructions of a stretch


class LeftoverTracker:
    """Follows one thread from a message to a store of a word of it."""

    __slots__ = (
        "_address",
        "_fresh",
        "_kept",
        "_pushes",
        "_registers",
        "_sp",
        "_stored",
        "_top",
        "begin",
        "end",
        "is_leftover",
        "thread",
    )

    def __init__(self, thread: int, begin: int, end: int, address: int) -> None:
        self.thread = thread
        self.begin = max(begin, end - LONGEST)
        self.end = end
        self.is_leftover = False
        self._address = address  # of the byte that is stored to
        self._top = self._sp = -1
        self._stored: set[int] = set()  # bytes below the top
        self._pushes = False  # whether that was stored at its end
        self._fresh: range | None = None  # what the last instruction has stored there
        self._registers: set[str] = set()  # that hold leftovers
        self._kept: set[str] | None = None  # while they are a handler's

    def is_active(self, position: int) -> bool:
        """Whether an instruction at a position has to be shown to it."""
        return self.begin <= position <= self.end

    def interrupt(self) -> None:
        """Take note that a handler of the thread's own begins: registers come back after it."""
        self._kept = set(self._registers)

    def resume(self) -> None:
        """Take note that it has ended."""
        if self._kept is not None:
            self._registers, self._kept = self._kept, None

    def step(
        self, operation: Operation | None, position: int, sp: int, load: Callable[[str], int]
    ) -> None:
        """Take note of an instruction that is about to be executed."""
        self._move(sp)
        self._pushes = operation is not None and operation.pushes
        if operation is None:
            return
        if operation.flow is None:
            for memory in operation.memory:
                at = memory.address(load)
                self._store(range(at, at + memory.size))
            self._registers.difference_update(operation.writes)
            return
        source, target = operation.flow
        if isinstance(source, Memory):
            at = source.address(load)
            is_leftover = self._is_left(range(at, at + source.size))
        else:
            is_leftover = source in self._registers
        if isinstance(target, Memory):
            at = target.address(load)
            covered = range(at, at + target.size)
            if position == self.end and self._address in covered:
                self.is_leftover = is_leftover
            if is_leftover:
                self._stored.difference_update(covered)
            self._fresh = range(0) if is_leftover else covered
        elif is_leftover:
            self._registers.add(target)
        else:
            self._registers.discard(target)

    def _move(self, sp: int) -> None:
        """Take note of where the stack is now, and of what the last instruction stored."""
        if self._top < 0:
            self._top = self._sp = sp
        fresh, grown = self._fresh, range(sp, self._sp)
        self._fresh = None
        if len(grown) > len(self._stored):
            self._stored = {at for at in self._stored if at not in grown}
        else:
            self._stored.difference_update(grown)
        if fresh is not None:
            self._store(fresh)
        elif self._pushes:
            self._store(grown)
        self._sp = sp

    def _store(self, covered: range) -> None:
        if covered and covered.start < self._top:
            self._stored.update(covered)

    def _is_left(self, covered: range) -> bool:
        """Whether nobody has stored any of these bytes."""
        return (
            self._sp <= covered.start
            and covered.stop <= self._top
            and self._stored.isdisjoint(covered)
        )
