"""The scheduler: fixed priorities, time slices, donation (ABI 4.4).

Rule 1: whoever runs is decided here, and nobody else touches the ready list.
Rule 2: a *scheduling context* is named by the thread that owns it.  A thread usually runs
on its own; a donating switch lets it run on its caller's, at the caller's priority.
Rule 3: a thread that becomes ready goes to the front of its priority level, one whose
time slice ended to the back.
"""

from kernel.objects import Thread

LEVELS = 256
NOBODY = -1  # below all priorities


class Scheduler:
    """Ready threads by priority, and who runs on whose time slice."""

    __slots__ = ("current", "highest", "levels", "owner", "slice", "slice_end")

    def __init__(self, slice_cycles: int) -> None:
        self.slice = slice_cycles
        self.levels: list[list[Thread]] = [[] for _ in range(LEVELS)]
        self.highest = NOBODY  # no level above this one has a thread
        self.current: Thread | None = None
        self.owner: Thread | None = None  # of the scheduling context in use
        self.slice_end = 0  # when the owner's slice is used up

    def enqueue(self, thread: Thread, *, front: bool) -> None:
        """Put a ready thread into the list."""
        assert not thread.queued, "a thread is in the ready list once"
        level = self.levels[thread.priority]
        level.insert(0 if front else len(level), thread)
        self.highest = max(self.highest, thread.priority)
        thread.queued = True

    def remove(self, thread: Thread) -> None:
        """Take a thread out of the list if it is there."""
        if thread.queued:
            self.levels[thread.priority].remove(thread)
            thread.queued = False

    def wake(self, thread: Thread, now: int) -> None:
        """Let a thread that became ready run at once if its priority is equal or higher.

        It is compared with the scheduling context in use; when nobody runs, `pick` decides.
        """
        owner = self.owner
        if self.current is not None and owner is not None and thread.priority >= owner.priority:
            self._displace()
            self.remove(thread)
            self._run(thread, now)
        elif not thread.queued:
            self.enqueue(thread, front=True)

    def donate(self, thread: Thread) -> None:
        """Switch to `thread` on the scheduling context in use."""
        self._displace()
        self.remove(thread)
        self.current = thread

    def block(self) -> None:
        """The current thread cannot run on."""
        self.current = None

    def pick(self, now: int) -> Thread | None:
        """Let the first of the highest ready threads run; None if there is none."""
        while self.highest > NOBODY:
            level = self.levels[self.highest]
            if level:
                thread = level[0]
                self.remove(thread)
                self._run(thread, now)
                return thread
            self.highest -= 1
        return None

    def is_contested(self) -> bool:
        """Answer whether somebody else would run if the running time slice ended now."""
        current = self.current
        if current is None:
            return False
        return bool(self.levels[current.priority]) or self._above(current.priority)

    def ready(self) -> list[Thread]:
        """List the threads that are ready and do not run, in the order of their turns."""
        return [
            thread for level in range(self.highest, NOBODY, -1) for thread in self.levels[level]
        ]

    def force(self, thread: Thread, now: int) -> None:
        """Let a ready thread run whatever its priority, which no real CPU would do."""
        self._displace()
        self.remove(thread)
        self._run(thread, now)

    def rotate(self, now: int) -> None:
        """End the running time slice: the current thread goes to the back of its level."""
        owner = self.owner
        assert owner is not None, "a time slice that ends belongs to a thread"
        owner.slice_left = owner.quantum or self.slice
        self.slice_end = now + owner.slice_left
        current = self.current
        if current is not None:
            self.current = None
            self.enqueue(current, front=False)

    def reprioritise(self, thread: Thread, priority: int, now: int) -> None:
        """Give a thread another priority.

        A ready one is treated as if it had just become ready.  If the running scheduling
        context got a lower one, those that are above it now go first.
        """
        queued = thread.queued
        self.remove(thread)
        thread.priority = priority
        if queued:
            self.wake(thread, now)
        elif thread is self.owner and self._above(priority):
            self._displace()
            self.current = None

    def apportion(self, thread: Thread, quantum: int, now: int) -> None:
        """Give a thread time slices of `quantum` cycles, or of the usual length if it is 0.

        A new one begins at once.
        """
        thread.quantum = quantum
        thread.slice_left = quantum
        if thread is self.owner:
            self.slice_end = now + (quantum or self.slice)

    def forget(self, thread: Thread) -> None:
        """A thread stops for good: it neither runs nor waits to run."""
        self.remove(thread)
        if self.current is thread:
            self.current = None

    def disown(self, thread: Thread) -> None:
        """A thread is deleted: whoever runs on its scheduling context has to be chosen anew."""
        self.forget(thread)
        if self.owner is thread:
            self._displace()
            self.current = None
            self.owner = None

    def _displace(self) -> None:
        # The one who ran stays ready if it can; the others are where they should be.
        current = self.current
        if current is not None and current.is_runnable() and not current.queued:
            self.enqueue(current, front=True)

    def _run(self, thread: Thread, now: int) -> None:
        self.current = thread
        owner = self.owner
        if owner is not thread:
            if owner is not None:
                owner.slice_left = max(self.slice_end - now, 0)
            self.owner = thread
            self.slice_end = now + (thread.slice_left or thread.quantum or self.slice)

    def _above(self, priority: int) -> bool:
        return any(self.levels[level] for level in range(priority + 1, self.highest + 1))
