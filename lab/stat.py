"""Where the time of a run went, as values; nothing here knows the machine."""

from collections.abc import Iterable
from dataclasses import dataclass

TICKS_PER_CYCLE = 64


@dataclass(frozen=True, slots=True)
class ThreadStat:
    """What one thread did; the kernel's work for it is not in it."""

    name: str
    ticks: int
    instructions: int
    received: int
    sent: int
    faults: int  # page faults and exceptions
    switches: int  # to it


@dataclass(frozen=True, slots=True)
class PathStat:
    """What was spent in one function, called along one path."""

    task: str
    thread: str
    stack: tuple[str, ...]  # functions, outermost first
    ticks: int
    instructions: int
    entries: int  # executions of the function's first block


@dataclass(frozen=True, slots=True)
class FunctionStat:
    """What was spent in one function of a task itself, whoever called it."""

    task: str
    name: str
    ticks: int
    instructions: int
    entries: int


@dataclass(frozen=True, slots=True)
class Stat:
    """Where the time of a run went."""

    scenario: str
    arch: str
    cpu: str
    model: str
    outcome: str
    trace_hash: str
    ticks: int
    idle_ticks: int
    instructions: int
    messages: int
    invocations: int
    faults: int
    switches: int
    threads: tuple[ThreadStat, ...]  # in the order of their numbers
    paths: tuple[PathStat, ...]
    guessed: tuple[tuple[str, int], ...]  # forms that no cost table has, and executions

    @property
    def thread_ticks(self) -> int:
        """What threads spent in their own code."""
        return sum(thread.ticks for thread in self.threads)

    @property
    def kernel_ticks(self) -> int:
        """What the kernel spent."""
        return self.ticks - self.idle_ticks - self.thread_ticks

    @property
    def cycles_per_message(self) -> float | None:
        """Give all cycles but idle ones by message that arrived; None without messages."""
        if not self.messages:
            return None
        return (self.ticks - self.idle_ticks) / TICKS_PER_CYCLE / self.messages

    def functions(self) -> tuple[FunctionStat, ...]:
        """List functions, those that took longest first."""
        sums: dict[tuple[str, str], list[int]] = {}
        for path in self.paths:
            row = sums.setdefault((path.task, path.stack[-1]), [0, 0, 0])
            row[0] += path.ticks
            row[1] += path.instructions
            row[2] += path.entries
        found = (FunctionStat(*key, *row) for key, row in sums.items())
        return tuple(sorted(found, key=lambda each: (-each.ticks, each.task, each.name)))


def per_cycle(instructions: int, ticks: int) -> float | None:
    """Give instructions per cycle; None if no time passed."""
    return instructions * TICKS_PER_CYCLE / ticks if ticks else None


def merge(paths: Iterable[PathStat]) -> tuple[PathStat, ...]:
    """Add up what differs in nothing that is shown; sorted."""
    sums: dict[tuple[str, str, tuple[str, ...]], list[int]] = {}
    for path in paths:
        row = sums.setdefault((path.task, path.thread, path.stack), [0, 0, 0])
        row[0] += path.ticks
        row[1] += path.instructions
        row[2] += path.entries
    return tuple(PathStat(*key, *row) for key, row in sorted(sums.items()))
