"""The bars of a report: messages from birth to death, nested ones inside, on their threads."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

from lab.names import Names
from lab.query import History
from lab.trace.lives import Life, Way
from lab.views.report.rows import Rows
from lab.views.text import printable

_DEEPEST = 7  # bars in each other that are drawn beside each other


def collect_bars(
    history: History, rows: Rows, names: Names, *, most: int
) -> list[dict[str, Any]]:
    """Give the messages that were alive at any of the rows, by birth; at most `most`."""
    if not rows.positions:
        return []
    found: list[Life] = []
    for life in history.lives(rows.positions[0], rows.positions[-1]):
        if life.thread in rows.numbers and _is_seen(life, rows):
            found.append(life)
            if len(found) == most:
                break
    found.sort(key=lambda life: (life.born, life.message))
    return [_bar(life, level, rows, names) for life, level in _nested(found)]


def _is_seen(life: Life, rows: Rows) -> bool:
    last = rows.positions[-1] if life.died is None else life.died
    return bisect_left(rows.positions, life.born) < bisect_right(rows.positions, last)


def _nested(lives: Iterable[Life]) -> Iterable[tuple[Life, int]]:
    # Of each thread, by level; what comes in and what goes out are drawn apart.
    open_lives: dict[tuple[int, Way], list[Life | None]] = {}
    for life in lives:
        levels = open_lives.setdefault((life.thread, life.way), [])
        for level, other in enumerate(levels):
            if other is not None and other.died is not None and other.died <= life.born:
                levels[level] = None
        while levels and levels[-1] is None:
            levels.pop()
        # What is nested is inside: never beside what it is in.
        levels.append(life)
        yield life, min(len(levels) - 1, _DEEPEST)


def _bar(life: Life, level: int, rows: Rows, names: Names) -> dict[str, Any]:
    begin = None
    if life.way is Way.IN:
        begin = rows.arrivals.get((life.thread, life.born))
    if begin is None:
        begin = bisect_left(rows.positions, life.born)
    end = len(rows.positions)
    if life.died is not None:
        end = max(bisect_left(rows.positions, life.died), begin)
    partner = rows.numbers.get(life.partner, -1)
    bar = {
        "id": f"M{life.message}",
        "column": rows.numbers[life.thread],
        "partner": partner,
        "level": level,
        "out": life.way is Way.OUT,
        "begin": begin,
        "end": end,
        "words": life.words,
        "owner": printable(life.owner),
        "born": f"{life.born:,}",
        "died": "" if life.died is None else f"{life.died:,}",
    }
    if partner < 0 and life.partner:
        bar["with"] = printable(names.of(life.partner))
    return bar
