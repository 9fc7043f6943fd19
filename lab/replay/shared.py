"""Memory that threads share: which words of it each stretch of a run has read and written.

UTCBs are not looked at: they are a thread's own, and the checker's business.
"""

from typing import NamedTuple

from emu.machine import Machine
from emu.recorder import Access
from kernel.objects import Thread
from kernel.state import Kernel

_WORD = 3  # log2 of the bytes that count as one place


class Touched(NamedTuple):
    """The words that a stretch has read and written, and the block that it began with."""

    reads: frozenset[int]
    writes: frozenset[int]
    block: tuple[int, int]  # task and address


class Memory:
    """Watches all of RAM."""

    def __init__(self, machine: Machine, kernel: Kernel) -> None:
        self._machine = machine
        self._kernel = kernel
        self._records: list[Access] = []
        frames = machine.frames
        self._watch = machine.watch(range(frames.start, frames.stop), self._records.extend)

    def begin(self) -> None:
        """Forget what was recorded: a run begins."""
        self._records.clear()

    def take(self, thread: Thread, ip: int) -> Touched | None:
        """Give what was accessed since the last time, by a stretch that began at `ip`."""
        records = [*self._records, *self._watch.drain()]
        self._records.clear()
        if not records:
            return None
        reads: set[int] = set()
        writes: set[int] = set()
        for record in records:
            first = record.address >> _WORD
            last = record.address + record.size - 1 >> _WORD
            (writes if record.is_write else reads).update(range(first, last + 1))
        return Touched(frozenset(reads), frozenset(writes), (thread.task.number, ip))


def has_shared_memory(kernel: Kernel) -> bool:
    """Whether any frame can be written by one thread and accessed by another.

    As the system stands: a scenario may map more later, but then by system calls that count
    as dependent on everything.
    """
    from_tasks: dict[int, set[int]] = {}
    writable: set[int] = set()
    threads: dict[int, int] = {}
    for thread in kernel.threads.values():
        if thread.is_bound():
            threads[thread.task.number] = threads.get(thread.task.number, 0) + 1
    for thread in kernel.threads.values():
        if not thread.is_bound():
            continue
        for page in thread.task.pages.values():
            from_tasks.setdefault(page.frame, set()).add(thread.task.number)
            if page.rights & _WRITE:
                writable.add(page.frame)
    return any(
        len(tasks) > 1 or threads[next(iter(tasks))] > 1
        for frame, tasks in from_tasks.items()
        if frame in writable
    )


_WRITE = 2  # Page.W
