"""Policies: how the choices of one run are made.

Rule 1: what a policy does follows from its arguments and what it is asked; numbers that look
random come from a hash of seed, run and place.
"""

from hashlib import blake2b

from kernel.kernel import IRQ, OVERRULE, PREEMPT, SLICE, START, TIMEOUT
from kernel.state import Kernel
from kernel.variation import Choose
from lab.replay.choices import Key
from lab.replay.stage import Asked


class Fixed:
    """Takes the choices given, and what is usual everywhere else."""

    __slots__ = ("invalid", "left")

    def __init__(self, choices: tuple[Choose, ...]) -> None:
        self.left: dict[Key, int] = {
            (each.subject, each.point, each.ordinal): each.option for each in choices
        }
        self.invalid = False

    def decide(self, asked: Asked, kernel: Kernel) -> int:
        """Pick an option."""
        option = self.left.pop((asked.subject, asked.point, asked.ordinal), 0)
        if option < asked.options:
            return option
        self.invalid = True
        return 0


class Random:
    """Takes every option with the same chance."""

    __slots__ = ("_count", "_run", "_seed")

    def __init__(self, seed: int, run: int) -> None:
        self._seed, self._run = seed, run
        self._count = 0

    def decide(self, asked: Asked, kernel: Kernel) -> int:
        """Pick an option."""
        self._count += 1
        return draw(asked.options, self._seed, self._run, self._count)


class Pct:
    """Runs threads by random priorities that change at `depth` - 1 random places.

    That is probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): with n threads
    and k places it finds a bug of this depth with a chance of 1 / (n * k ** (depth - 1)) or
    better, in every run.  Here only those choices are made that one CPU has: a time slice
    ends when the thread that would follow has the higher priority.
    """

    __slots__ = ("_changes", "_count", "_given", "_run", "_seed")

    def __init__(self, seed: int, run: int, *, depth: int, places: int) -> None:
        self._seed, self._run = seed, run
        self._count = 0
        self._given: dict[int, int] = {}
        self._changes: dict[int, int] = {}
        for number in range(depth - 1):
            place = draw(max(places, 1), seed, run, number, "change")
            self._changes[place] = -1 - number

    def decide(self, asked: Asked, kernel: Kernel) -> int:
        """Pick an option."""
        if asked.point == START:
            # The threads that are left begin with the subject, in their order.
            at = asked.ready.index(asked.subject)
            rest = asked.ready[at : at + asked.options]
            return max(range(len(rest)), key=lambda k: self._priority(rest[k]))
        if asked.point in (IRQ, TIMEOUT):
            return draw(asked.options, self._seed, self._run, asked.ordinal, asked.subject)
        change = self._changes.get(self._count)
        self._count += 1
        if change is not None:
            self._given[asked.subject] = change
        own = self._priority(asked.subject)
        if asked.point == OVERRULE:
            best = max(asked.ready, key=self._priority)
            return asked.ready.index(best) + 1 if self._priority(best) > own else 0
        assert asked.point in (PREEMPT, SLICE), "these are all points"
        return int(self._priority(asked.ready[0]) > own)

    def _priority(self, thread: int) -> int:
        known = self._given.get(thread)
        if known is None:
            known = self._given[thread] = draw(1 << 48, self._seed, self._run, thread, "first")
        return known


def draw(below: int, *what: int | str) -> int:
    """Give a number from 0 up to `below` that follows from all the others."""
    digest = blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % below
