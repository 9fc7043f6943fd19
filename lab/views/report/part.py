"""Which part of a run a report shows, if all of it would be too much to look at."""

from collections.abc import Iterable, Sequence

from lab.query import History
from lab.trace.mark import Clock, Mark

MOST = 10_000  # events
_LEAST = 16  # events around a point

Window = tuple[int, int]  # the first event, and the one behind the last


def choose_windows(
    history: History, first: int, end: int, *, most: int, points: Sequence[int]
) -> tuple[Window, ...]:
    """Choose at most about `most` events from `first` to before `end`: those around points.

    `points` are positions, the most important first.  Without any it is the beginning and
    the end of the part.
    """
    if end - first <= most:
        return ((first, end),) if first < end else ()
    near = [
        at
        for at in (history.find(Mark(Clock.POSITION, point)) for point in points)
        if first <= at <= end
    ][: max(most // _LEAST, 1)]
    if not near:
        half = max(most // 2, 1)
        return ((first, first + half), (end - half, end))
    around = max(most // (2 * len(near)), 1)
    return _merge((max(at - around, first), min(at + around, end)) for at in sorted(near))


def _merge(windows: Iterable[Window]) -> tuple[Window, ...]:
    found: list[Window] = []
    for first, end in windows:
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((first, end))
    return tuple(found)
