"""Drawing on a line of terminal cells: lanes, bars and arrows; and cutting text to a width."""

import re

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from guest.demangle import demangle
from lab.tui.lives import Life
from lab.tui.palette import Palette

DEEPEST = 3  # bars beside each other in a lane
_MANGLED = re.compile(r"\b_Z\w{1,1000}")


class Canvas:
    """A line of cells."""

    def __init__(self, width: int) -> None:
        self._cells: list[tuple[str, str]] = [(" ", "")] * width

    def put(self, at: int, text: str, style: str) -> None:
        """Write characters of one cell each; what does not fit is left out."""
        for k, c in enumerate(text):
            if 0 <= at + k < len(self._cells):
                self._cells[at + k] = (c, style)

    def text(self) -> Text:
        """Give the line."""
        line = Text()
        for c, style in self._cells:
            line.append(c, style)
        return line


def fit(line: Text, width: int) -> Text:
    """Make a line exactly as wide as it should be."""
    if width <= 0:
        return Text()
    done = line.copy()
    done.truncate(width, overflow="ellipsis", pad=True)
    return done


def fit_text(text: str, width: int) -> str:
    """Make a text exactly as wide as it should be."""
    if width <= 0:
        return ""
    if cell_len(text) > width:
        text = set_cell_size(text, max(width - 1, 0)) + "…"
    return set_cell_size(text, width)


def readable(text: str) -> str:
    """Name functions in a text as their sources do."""
    return _MANGLED.sub(lambda match: demangle(match[0]), text)


class Lanes:
    """Where the lanes of some threads are."""

    def __init__(self, threads: list[int], width: int) -> None:
        self.threads = threads
        self.lane = width // max(len(threads), 1)
        self.width = self.lane * len(threads)

    def at(self, thread: int) -> int | None:
        """Give the cell of a thread's line; None if it has no lane."""
        if thread not in self.threads:
            return None
        return self.threads.index(thread) * self.lane + 1

    def head(self, names: dict[int, str], chosen: int, palette: Palette) -> Text:
        """Name the lanes."""
        line = Text()
        for thread in self.threads:
            style = palette.title_focused if thread == chosen else palette.title
            name = fit_text(names[thread], max(self.lane - 1, 1)).rstrip()
            line.append(name, style).append(" " * (self.lane - cell_len(name)))
        return line

    def draw(
        self, lives: list[Life], event: int, position: int, palette: Palette
    ) -> tuple[Canvas, dict[int, int]]:
        """Draw lines and bars; give how many cells of each lane the bars take."""
        canvas = Canvas(self.width)
        taken: dict[int, int] = {}
        for thread in self.threads:
            at = self.at(thread)
            assert at is not None
            canvas.put(at, "│", palette.faint)
            taken[thread] = 1
        for life in lives:
            at = self.at(life.thread)
            if at is None or not life.is_alive(event, position):
                continue
            depth = min(life.depth, DEEPEST - 1)
            is_lost = life.lost is not None and life.lost[0] <= position <= life.lost[1]
            style = palette.wrong if is_lost else palette.message(life.depth)
            canvas.put(at + depth, "█" if is_lost else "┃", style)
            taken[life.thread] = max(taken[life.thread], depth + 1)
        return canvas, taken

    def arrow(
        self,
        canvas: Canvas,
        taken: dict[int, int],
        sender: int,
        receiver: int,
        label: str,
        style: str,
    ) -> bool:
        """Draw an arrow; give whether the label fits on it."""
        start, end = self.at(sender), self.at(receiver)
        if end is None:
            return False
        if start is None:
            # From a thread that has no lane, or from no thread.
            canvas.put(end - 1, "▶", style)
            return False
        if sender == receiver:
            canvas.put(end + taken[receiver], "◀┘", style)
            return False
        if start < end:
            low, high = start + taken[sender], end - 1
            canvas.put(low, "─" * (high - low) + "▶", style)
            room = high - low - 2
        else:
            low, high = end + taken[receiver], start - 1
            canvas.put(low, "◀" + "─" * (high - low), style)
            room = high - low - 2
            low += 1
        if label and cell_len(label) + 2 <= room:
            canvas.put(low + 1, f" {label} ", style)
            return True
        return False
