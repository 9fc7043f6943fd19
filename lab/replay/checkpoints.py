"""Checkpoints: saved instants of one run, few enough to fit into a bounded memory.

Rule 1: the first checkpoint stays; any of the others may go, and only time is lost.
Rule 2: the further from the cursor, the thinner: what goes is the checkpoint whose loss
makes the widest gap smallest, measured by the gap's distance from the cursor.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import attrgetter

from emu.calls import Frame
from lab.replay.halting import Instant

MOST = 2000  # checkpoints; looking for the one to drop takes time in proportion


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All there is to know of a run at one instant."""

    at: Instant
    before: Instant  # the last instant before the trap that the kernel handled last
    cycle: int
    machine: bytes  # compressed
    kernel: bytes  # compressed
    stacks: tuple[tuple[int, tuple[Frame, ...]], ...]  # by thread
    events: int  # that had happened

    @property
    def size(self) -> int:
        """Bytes that it takes, nearly."""
        frames = sum(len(frames) for _, frames in self.stacks)
        return len(self.machine) + len(self.kernel) + 200 * frames + 1000


_at = attrgetter("at")


class Checkpoints:
    """The checkpoints of a run, in its order."""

    def __init__(self, limit: int) -> None:
        self._limit = limit  # bytes
        self._all: list[Checkpoint] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._all)

    def add(self, checkpoint: Checkpoint, *, cursor: Instant) -> None:
        """Keep a checkpoint, and drop as many others as it takes to make room."""
        place = bisect_left(self._all, checkpoint.at, key=_at)
        if place < len(self._all) and self._all[place].at == checkpoint.at:
            return
        self._all.insert(place, checkpoint)
        self.size += checkpoint.size
        while len(self._all) > 1 and (self.size > self._limit or len(self._all) > MOST):
            self._drop(cursor)

    def latest(self, at: Instant) -> Checkpoint:
        """Give the last checkpoint that is not after an instant."""
        place = bisect_right(self._all, at, key=_at)
        assert place, "a run has a checkpoint at its beginning"
        return self._all[place - 1]

    def before(self, at: Instant) -> Checkpoint:
        """Give the last checkpoint that is before an instant."""
        place = bisect_left(self._all, at, key=_at)
        assert place, "nothing is before the beginning"
        return self._all[place - 1]

    def before_cycle(self, cycle: int) -> Checkpoint:
        """Give the last checkpoint before a cycle, or the first one."""
        place = bisect_left(self._all, cycle, key=attrgetter("cycle"))
        return self._all[max(place - 1, 0)]

    def _drop(self, cursor: Instant) -> None:
        kept = self._all
        if len(kept) == 2:
            worst = 1
        else:
            last = kept[-1].at.position
            worst = min(
                range(1, len(kept)),
                key=lambda k: _loss(
                    kept[k - 1].at.position,
                    kept[k].at.position,
                    kept[k + 1].at.position if k + 1 < len(kept) else 2 * last + 1,
                    cursor.position,
                ),
            )
        self.size -= kept.pop(worst).size


def _loss(left: int, middle: int, right: int, cursor: int) -> float:
    return (right - left) / (abs(middle - cursor) + 1)
