"""Layout: text in columns that fits a width, for reports that are read on a terminal.

Rule 1: a width is in cells of the terminal, not in characters.
Rule 2: nothing here cuts text off; what does not fit goes on in the next line.
"""

import io
from collections.abc import Collection, Iterator, Sequence

from rich.console import Console
from rich.text import Text

MIN_WIDTH = 40
MAX_WIDTH = 120  # longer lines are hard to read
GAP = 2  # between columns
_NARROWEST = 4  # no column is made narrower than this


def clamp(width: int) -> int:
    """Give the width to lay out for on a terminal of `width` columns."""
    return min(max(width, MIN_WIDTH), MAX_WIDTH)


def wrap(text: Text, width: int, *, hang: int = 0) -> list[Text]:
    """Fold `text` into lines of `width` cells; those after the first are indented by `hang`."""
    lines = _fold(text, width)
    if len(lines) > 1 and hang:
        rest = text[len(lines[0].plain) :]
        rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
        lines = [lines[0], *(indent(line, hang) for line in _fold(rest, width - hang))]
    return lines


def indent(line: Text, by: int) -> Text:
    """Put spaces before a line."""
    return Text(" " * by).append_text(line)


def columns(
    rows: Sequence[Sequence[Text]], width: int, *, right: Collection[int] = ()
) -> Iterator[Text]:
    """Line up cells in columns; where they are wider than `width`, the widest are folded.

    The columns in `right` are aligned at their right edge.  Rows have equally many cells.
    """
    for lines in grid(rows, width, right=right):
        yield from lines


def grid(
    rows: Sequence[Sequence[Text]], width: int, *, right: Collection[int] = ()
) -> Iterator[list[Text]]:
    """Line up cells as `columns` does, and give the lines of each row by themselves."""
    if not rows:
        return
    widths = _widths(rows, width)
    for row in rows:
        cells = [_fold(cell, widths[k]) for k, cell in enumerate(row)]
        found = []
        for k in range(max(map(len, cells))):
            line = Text()
            for column, lines in enumerate(cells):
                cell = lines[k] if k < len(lines) else Text()
                space = " " * (widths[column] - cell.cell_len)
                line.append(" " * GAP if column else "")
                line.append(space if column in right else "")
                line.append_text(cell)
                line.append("" if column in right else space)
            line.rstrip()
            found.append(line)
        yield found


def _widths(rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    widths = [min(max(row[k].cell_len for row in rows), width) for k in range(len(rows[0]))]
    spare = width - GAP * (len(widths) - 1)
    while sum(widths) > spare and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _fold(text: Text, width: int) -> list[Text]:
    # The console is asked for nothing here, but rich wants one.
    console = Console(file=io.StringIO(), width=max(width, 2))
    lines = list(text.wrap(console, max(width, 2), overflow="fold")) or [Text()]
    for line in lines:
        line.rstrip()
    return lines
