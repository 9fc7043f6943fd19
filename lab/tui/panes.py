"""The panes: each shows a part of the session, on as many lines as it has.

A pane asks for what it shows when it is drawn, and for no more than fits: how long a run is
does not matter.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from kernel import abi
from kernel.events import (
    Exception_,
    Failure,
    Fault,
    Items,
    Log,
    Refused,
    Transfer,
    words_of,
)
from kernel.utcb import WORDS
from lab.checker.finding import Finding
from lab.moment import Objects, WhyLine
from lab.query import NOT_STORED
from lab.trace.console import decode_console
from lab.tui.code import CodeLine, Listing, listing_at
from lab.tui.drawing import Canvas, Lanes, fit, fit_text, readable
from lab.tui.layout import WIDE
from lab.tui.lives import Life
from lab.tui.notes import note_at
from lab.tui.palette import Palette
from lab.tui.session import Row, Session
from lab.tui.words import WordRow, word_rows
from lab.views.finding import VERDICTS, Context, render_finding
from lab.views.layout import indent, wrap
from lab.views.text import printable, summarize_event

_STAMP = 9  # cells of a position
_STATE = 16  # cells of a word's state
_WRITER = 12  # cells that the last writer needs at least


class Pane(Widget, can_focus=True):
    """A part of the screen with a title line."""

    DEFAULT_CSS = """
    Pane { position: absolute; width: 10; height: 3; }
    """
    name_: ClassVar[str] = ""

    class Picked(Message):
        """A line was clicked."""

        def __init__(self, pane: "Pane", line: int) -> None:
            super().__init__()
            self.pane = pane
            self.line = line

    class Turned(Message):
        """The wheel was turned."""

        def __init__(self, pane: "Pane", step: int) -> None:
            super().__init__()
            self.pane = pane
            self.step = step

    def __init__(self, session: Session, palette: Palette) -> None:
        super().__init__(id=self.name_)
        self.session = session
        self.palette = palette
        self.edge = False  # a line at the left

    def lines(self, width: int, height: int) -> list[Text]:
        """Give what is shown below the title."""
        raise NotImplementedError

    def subtitle(self) -> str:
        """Say what it is that is shown."""
        return ""

    def title(self) -> str:
        """Name the pane."""
        return self.name_

    def head(self, width: int) -> Text:
        """Give the line above."""
        style = self.palette.title_focused if self.has_focus else self.palette.title
        line = Text.assemble((f" {self.title()} ", style), " ")
        line.append(self.subtitle(), self.palette.dim)
        if line.cell_len < width - 1:
            line.append(" " + "─" * (width - line.cell_len - 1), self.palette.faint)
        return line

    def render(self) -> Text:
        """Draw the pane."""
        width, height = self.size.width, self.size.height
        inside = width - 2 if self.edge else width
        if inside < 1 or height < 1:
            return Text()
        lines = [self.head(inside), *self.lines(inside, height - 1)[: height - 1]]
        edge = Text("│ ", self.palette.faint) if self.edge else Text()
        done = Text(no_wrap=True, end="")
        for k in range(height):
            line = fit(lines[k] if k < len(lines) else Text(), inside)
            done.append_text(edge).append_text(line).append("\n" if k < height - 1 else "")
        return done

    def on_click(self, event: events.Click) -> None:
        """Tell of a click on a line."""
        self.post_message(self.Picked(self, event.y - 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Tell of the wheel."""
        event.stop()
        self.post_message(self.Turned(self, 1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Tell of the wheel."""
        event.stop()
        self.post_message(self.Turned(self, -1))


class LanesPane(Pane):
    """Threads as lanes, messages as arrows and bars."""

    name_ = "lanes"

    def __init__(self, session: Session, palette: Palette) -> None:
        super().__init__(session, palette)
        self.rows: list[Row] = []

    def title(self) -> str:
        """Say what the lanes are."""
        return "messages"

    def head(self, width: int) -> Text:
        """Name the lanes in the title line."""
        self._page(width)
        style = self.palette.title_focused if self.has_focus else self.palette.title
        line = Text.assemble((fit_text("     pos", _STAMP - 1), style), " ")
        names = {thread: self.session.names.of(thread) for thread in self._lanes.threads}
        line.append_text(self._lanes.head(names, self.session.thread, self.palette))
        if self._hidden:
            line.append(f" +{self._hidden} more", self.palette.dim)
        if line.cell_len < width - 1:
            line.append(" " + "─" * (width - line.cell_len - 1), self.palette.faint)
        return line

    def lines(self, width: int, height: int) -> list[Text]:
        """Draw the rows around the cursor."""
        numbers = [row.event for row in self.rows if row.event is not None]
        low, high = (min(numbers), max(numbers)) if numbers else (0, 0)
        lives = self.session.lives(low, high)
        labels = {life.event: life for life in lives}
        drawn = []
        event = low - 1 if numbers else self.session.count - 1
        for row in self.rows:
            event = row.event if row.event is not None else event
            drawn.append(self._draw(row, event, lives, labels, width))
        return drawn

    def _page(self, width: int) -> None:
        height = max(self.size.height - 1, 1)
        above = height * 2 // 3
        self.rows, self._here = self.session.page(above, height - above - 1)
        self._lanes, self._hidden = self._choose_lanes(width)

    def _choose_lanes(self, width: int) -> tuple[Lanes, int]:
        session = self.session
        room = max(width - _STAMP, 8)
        least = 0 if width < 50 else 18  # cells of the text beside the lanes
        most = max((room - least) // 8, 1)
        shown: dict[int, None] = {session.thread: None}
        for row in sorted(self.rows, key=lambda row: abs(row.position - session.at.position)):
            for number in _threads_of(row, session):
                shown[number] = None
        for number in session.threads.values():
            shown[number] = None
        chosen = list(shown)[:most]
        chosen.sort()
        label = max(least, min(width * 9 // 20, room - 8 * len(chosen)))
        lane = min(max((room - label) // len(chosen), 1), 22)
        return Lanes(chosen, lane * len(chosen)), len(session.threads) - len(chosen)

    def _draw(
        self,
        row: Row,
        event: int,
        lives: list[Life],
        labels: dict[int, Life],
        width: int,
    ) -> Text:
        palette, session = self.palette, self.session
        lanes = self._lanes
        is_here = row.position == session.at.position
        canvas, taken = lanes.draw(lives, event, row.position, palette)
        label = Text()
        if row.finding is not None:
            label = self._draw_finding(row, row.finding, canvas, taken)
        elif row.note is not None:
            label = Text(f"✎ {row.note.text or 'bookmark'}", palette.right)
        elif row.what is not None and row.event is not None:
            label = self._draw_event(row, canvas, taken, labels)
        elif row.is_here:
            at = lanes.at(session.running or session.thread)
            if at is not None:
                canvas.put(at - 1, "▸", palette.key)
            label = Text("here", palette.dim)
        stamp = f"{row.position:>{_STAMP - 2},}"
        if len(stamp) > _STAMP - 2:
            stamp = f"{row.position:>{_STAMP - 2}}"
        mark = "▶" if is_here else " "
        style = palette.here if is_here else palette.dim
        line = Text.assemble((fit_text(mark + stamp, _STAMP - 1), style), " ")
        line.append_text(canvas.text())
        line.append(" ").append_text(label)
        return line

    def _draw_finding(
        self, row: Row, finding: Finding, canvas: Canvas, taken: dict[int, int]
    ) -> Text:
        palette = self.palette
        at = self._lanes.at(self.session.threads.get(finding.thread, -1))
        if row.kind == "store":
            if at is not None:
                thread = self.session.threads[finding.thread]
                canvas.put(at + taken[thread], "◂✎", palette.lost)
            what = f"{row.place} overwrites {finding.register}"
            return Text(what, palette.lost)
        if at is not None:
            thread = self.session.threads[finding.thread]
            canvas.put(at + taken[thread], "◂✗", palette.wrong)
        actual = "" if finding.actual is None else f" = {finding.actual:#x}"
        wanted = "" if finding.expected is None else f", not {finding.expected:#x}"
        return Text(
            f"{finding.id} {finding.function} gets {finding.register}{actual}{wanted}",
            palette.wrong,
        )

    def _draw_event(
        self, row: Row, canvas: Canvas, taken: dict[int, int], labels: dict[int, Life]
    ) -> Text:
        palette, session, lanes = self.palette, self.session, self._lanes
        event = row.what
        assert event is not None
        assert row.event is not None
        if isinstance(event, Transfer):
            life = labels.get(row.event)
            style = palette.text if life is None else palette.message(life.depth)
            words = words_of(event.payload, session.history.head.arch.word)
            shown = " ".join(f"{word:#x}" for word in words[:4])
            shown += " …" if len(words) > 4 else ""
            name = "" if life is None else life.label
            text = f"{name} {shown}".strip()
            fits = lanes.arrow(canvas, taken, event.sender, event.receiver, text, style)
            operation = abi.OPERATIONS.get(event.operation, "sends")
            via = f" {session.names.of(event.via)}" if event.via else ""
            error = f" error {event.error}" if event.error else ""
            label = Text.assemble((f"{operation}{via}", palette.dim), (error, palette.wrong))
            if not fits:
                label.append(f" {text}", style)
            return label
        thread = getattr(event, "thread", 0)
        at = lanes.at(thread)
        is_wrong = isinstance(event, Fault | Exception_ | Failure | Refused)
        style = palette.wrong if is_wrong else palette.dim
        if isinstance(event, Items):
            return Text(f"  with {len(event.items) // 2} items", palette.dim)
        if at is not None:
            canvas.put(at + taken[thread], "•", style)
        if isinstance(event, Log):
            shown = repr(decode_console(event.data).rstrip("\n"))
            return Text(f"log {shown}", palette.right)
        return Text(summarize_event(event, session.names).plain, style)


class CodePane(Pane):
    """The code of the thread, with its source."""

    name_ = "code"

    def __init__(self, session: Session, palette: Palette) -> None:
        super().__init__(session, palette)
        self.chosen: int | None = None  # an address, where the user went
        self.shown: list[CodeLine] = []
        self.listing: Listing | None = None
        self._for: tuple[int, int | None] = (0, None)

    def address(self) -> int | None:
        """Give the address that is selected."""
        return self.chosen if self.chosen is not None else self.session.ip()[0]

    def subtitle(self) -> str:
        """Say whose code it is, and in which function."""
        self.load()
        name = self.session.names.of(self.session.thread)
        if self.listing is None:
            return name
        frame = f", frame {self.session.frame}" if self.session.frame else ""
        exact = "" if self.session.ip()[1] else ", as last seen"
        return f"{name}: {printable(self.listing.function)} {self.listing.file}{frame}{exact}"

    def load(self) -> None:
        """Find the function."""
        ip, _ = self.session.ip()
        key = self.session.thread, ip
        if key != self._for:
            self._for, self.chosen = key, None
        image = self.session.names.images.get(self.session.thread)
        address = self.address()
        self.listing = None
        if image is not None and address is not None:
            self.listing = listing_at(image, address)

    def move(self, step: int) -> None:
        """Select another instruction."""
        self.load()
        address = self.address()
        if self.listing is None or address is None:
            return
        lines = [line for line in self.listing.lines if line.address is not None]
        near = [k for k, line in enumerate(lines) if (line.address or 0) <= address]
        at = min(max((near[-1] if near else 0) + step, 0), len(lines) - 1)
        self.chosen = lines[at].address

    def lines(self, width: int, height: int) -> list[Text]:
        """List the code around the instruction."""
        self.load()
        address = self.address()
        if self.listing is None or address is None:
            return [Text("no code is known here", self.palette.dim)]
        here = self.listing.index(address)
        first = max(0, min(here - height * 2 // 5, len(self.listing.lines) - height))
        self.shown = list(self.listing.lines[first : first + height])
        ip, is_exact = self.session.ip()
        accused = _accused(self.session)
        for behind in _calls_before(self.session):
            before = [x.address for x in self.listing.lines if (x.address or behind) < behind]
            if before and before[-1] is not None:
                accused[before[-1]] = "lost"
        breaks = {at for thread, at in self.session.breaks if thread == self.session.thread}
        number = max((len(str(line.line)) for line in self.shown if line.line), default=1)
        return [
            self._draw(line, ip, is_exact, accused, breaks, width, number)
            for line in self.shown
        ]

    def _draw(
        self,
        line: CodeLine,
        ip: int | None,
        is_exact: bool,
        accused: dict[int, str],
        breaks: set[int],
        width: int,
        number: int,
    ) -> Text:
        palette = self.palette
        shown = f"{line.line:>{number}}" if line.line else " " * number
        if line.address is None:
            return Text.assemble((f"{shown} ", palette.dim), (line.text, palette.text))
        is_here = line.address == ip
        kind = accused.get(line.address, "")
        style = {"wrong": palette.wrong, "lost": palette.lost}.get(kind, palette.text)
        mark = {"wrong": "✗", "lost": "✎"}.get(kind, " ")
        stop = "●" if line.address in breaks else " "
        arrow = ("▶" if is_exact else "▷") if is_here else " "
        text = Text.assemble(
            (f"{shown} " if line.source else " " * (number + 1), palette.dim),
            (stop, palette.wrong),
            (arrow, palette.key),
            (mark, style),
            (f"+{line.offset:<4x} ", palette.faint),
            (line.text, style),
        )
        room = width - text.cell_len - 2
        if line.source and (room >= 12 or kind):
            pad = max(2, 42 + number - text.cell_len) if width >= 80 else 2
            text.append(" " * pad).append(line.source, palette.dim)
        if is_here:
            text = fit(text, width)
            text.stylize(palette.here if is_exact else palette.chosen, number + 1)
            text.stylize(style, number + 4)
        elif line.address == self.chosen:
            text = fit(text, width)
            text.stylize(palette.chosen)
        return text


class UtcbPane(Pane):
    """The words of the thread's UTCB."""

    name_ = "utcb"

    def __init__(self, session: Session, palette: Palette) -> None:
        super().__init__(session, palette)
        self.first = 0
        self.shown: list[int] = []

    def subtitle(self) -> str:
        """Say whose UTCB it is, and which messages are in it."""
        name = self.session.names.of(self.session.thread)
        if self.session.copied is not None:
            return f"{name}, while {self.session.copied} words are copied"
        alive = self.session.alive()
        inside = ", ".join(
            f"{life.label} of {self.session.names.of(life.sender)}" for life in alive
        )
        exact = "" if self.session.moment is not None else " (as recorded)"
        return f"{name}{': ' + inside if inside else ''}{exact}"

    def lines(self, width: int, height: int) -> list[Text]:
        """Draw the table around the selected word."""
        rows = word_rows(self.session)
        room = height - 2 if height > 4 else height
        chosen = self.session.word
        if not self.first <= chosen < self.first + room:
            self.first = max(0, min(chosen - room // 2, WORDS - room))
        shown = rows[self.first : self.first + room]
        self.shown = [row.index for row in shown]
        values = [_hex(row) for row in shown]
        span = min(max(map(len, values), default=4), 18 if width >= 44 else 11)
        wanted = ["" if r.delivered is None else f"{r.delivered:#x}" for r in shown]
        sent = min(max(map(len, [*wanted, "sent"])), 18 if width >= 62 else 10)
        head = f"  {'word':<6} {'now':>{span}} {'sent':>{sent}} {'from':<5} "
        room = width - len(head) - _STATE  # for the last writer
        head += f"{'last writer':<{room}}state" if room >= _WRITER else "state"
        lines = [Text(head, self.palette.faint)] if height > 4 else []
        lines += [
            self._draw(row, value, span, sent, width)
            for row, value in zip(shown, values, strict=True)
        ]
        if height > 4:
            lines.append(self._about(rows[chosen]))
        return lines

    def _draw(self, row: WordRow, value: str, span: int, sent: int, width: int) -> Text:
        palette = self.palette
        style = palette.text if row.value is not None else palette.faint
        if row.state == "STALE":
            style = palette.wrong
        elif row.value is not None and not row.is_exact:
            style = palette.dim
        owner = palette.dim if row.message is None else palette.message(row.message.depth)
        label = "" if row.message is None else row.message.label
        is_chosen = row.index == self.session.word
        watched = (self.session.thread, row.index) in self.session.watches
        wanted = "" if row.delivered is None else f"{row.delivered:#x}"
        differs = row.delivered is not None and row.delivered != row.value
        text = Text.assemble(
            ("▸" if is_chosen else " ", palette.key),
            ("◉" if watched else " ", palette.wrong),
            (f"{row.name:<6}", palette.text if is_chosen else palette.dim),
            " ",
            (f"{fit_text(value, span) if len(value) > span else value:>{span}}", style),
            " ",
            (
                fit_text(wanted, sent) if len(wanted) > sent else f"{wanted:>{sent}}",
                palette.right if differs else palette.dim,
            ),
            " ",
            (f"{label:<5} ", owner),
        )
        room = width - text.cell_len - _STATE
        if room >= _WRITER:
            text.append(fit_text(row.writer, room - 1) + " ", owner)
        read = " read" if row.is_read and row.state != "STALE" else ""
        colours = {"STALE": palette.wrong, "overwritten": palette.lost}
        text.append(f"{row.state}{read}", colours.get(row.state, palette.dim))
        if is_chosen:
            text = fit(text, width)
            text.stylize(palette.chosen)
        return text

    def _about(self, row: WordRow) -> Text:
        palette = self.palette
        if row.value is None:
            return Text(f"{row.name}: {NOT_STORED}", palette.dim)
        text = Text(f"{row.name}: ", palette.title)
        text.append(
            f"written by {row.writer}" if row.writer else "nobody wrote it", palette.dim
        )
        if row.finding is not None:
            text = Text(f"{row.name}: ", palette.title)
            text.append(f"{row.finding.id}: overwritten by ", palette.wrong)
            text.append(culprit(row.finding), palette.lost)
        return text


class RegistersPane(Pane):
    """The registers of the thread, and where it was called from."""

    name_ = "registers"

    def subtitle(self) -> str:
        """Say whose."""
        state = self.session.state
        name = self.session.names.of(self.session.thread)
        if state is None:
            return name
        return f"{name}, {'waits for ' + state.waits_for if state.waits_for else 'can run'}"

    def lines(self, width: int, height: int) -> list[Text]:
        """Line up the registers, those with something in them first by their order."""
        palette, state = self.palette, self.session.state
        if state is None:
            return [Text(NOT_STORED, palette.faint)]
        digits = self.session.history.head.arch.word * 2
        cell = 8 + 2 + digits + 1
        across = max(1, width // cell)
        names = list(state.registers)
        lines = []
        for k in range(0, len(names), across):
            line = Text()
            for name in names[k : k + across]:
                value = state.registers[name]
                shown = f"{value:0{digits}x}"
                zeros = len(shown) - len(shown.lstrip("0"))
                line.append(f"{name:<8}", palette.dim)
                line.append(shown[:zeros], palette.faint)
                line.append(shown[zeros:], palette.text).append(" " * (cell - 8 - digits))
            lines.append(line)
        place = self.session.names.place
        stack = [place(state.number, ip) for ip in (state.ip, *state.calls)]
        frames = [
            Text.assemble(
                (f"#{k} ", palette.dim),
                (readable(f"{each}"), palette.key if k == self.session.frame else palette.text),
            )
            for k, each in enumerate(stack)
        ]
        if len(lines) + len(frames) > height and len(frames) > 1:
            one = Text()
            for k, frame in enumerate(frames):
                one.append("  " if k else "").append_text(frame)
            frames = [one]
        return [*frames, *lines]


class ConsolePane(Pane):
    """What guests wrote to the log, and where in the run."""

    name_ = "console"

    def __init__(self, session: Session, palette: Palette) -> None:
        super().__init__(session, palette)
        self.positions: list[int] = []

    def lines(self, width: int, height: int) -> list[Text]:
        """Give the last lines that have been written."""
        palette = self.palette
        rows: list[tuple[int, str, int]] = []
        is_open = False
        for stamped in self.session.console(4 * height + 8):
            event = stamped.event
            assert isinstance(event, Log)
            for piece in decode_console(event.data).splitlines(keepends=True):
                if is_open and rows and rows[-1][2] == event.thread:
                    rows[-1] = (rows[-1][0], rows[-1][1] + piece, event.thread)
                else:
                    rows.append((event.position, piece, event.thread))
                is_open = not piece.endswith("\n")
        rows = rows[-height:]
        self.positions = [position for position, _, _ in rows]
        return [
            Text.assemble(
                (f"{position:>9,} ", palette.dim), (printable(text.rstrip("\n")), palette.right)
            )
            for position, text, _ in rows
        ] or [Text("nothing was written so far", palette.dim)]


class FindingPane(Pane):
    """The report of the finding, its words, and why they are what they are."""

    name_ = "details"

    def __init__(self, session: Session, palette: Palette) -> None:
        super().__init__(session, palette)
        self.view = "finding"
        self.first = 0
        self.why: Sequence[WhyLine] | str = "press y for where the selected word comes from"
        self.objects: Objects | str = NOT_STORED
        self.places: list[int | None] = []
        self._length = 0

    def title(self) -> str:
        """Name what is shown."""
        return self.view

    def subtitle(self) -> str:
        """Say what there is besides."""
        others = {"finding": "F report", "why": "y", "objects": "o", "notes": "N"}
        shown = "  ".join(f"{k}:{name}" for k, name in enumerate(others, 4))
        return f"{shown}"

    def turn(self, step: int) -> None:
        """Scroll."""
        height = max(self.size.height - 1, 1)
        self.first = max(0, min(self.first + step, self._length - height))

    def lines(self, width: int, height: int) -> list[Text]:
        """Draw the view that is chosen."""
        self.places = []
        lines = {
            "finding": self._finding,
            "why": self._why,
            "objects": self._objects,
            "notes": self._notes,
        }[self.view](width)
        self._length = len(lines)
        self.first = max(0, min(self.first, len(lines) - height))
        self.places = self.places[self.first :]
        return lines[self.first : self.first + height]

    def _finding(self, width: int) -> list[Text]:
        palette, session = self.palette, self.session
        if session.finding is None:
            if not session.findings:
                return [Text("no findings in this run", palette.right)]
            return [Text("press f for the next finding", palette.dim)]
        command = (session.history.head.scenario_name,)
        context = Context(command, session.names.source_line, max(width, 20))
        return list(render_finding(session.finding, context))

    def _why(self, width: int) -> list[Text]:
        palette = self.palette
        if isinstance(self.why, str):
            return [Text(self.why, palette.dim)]
        lines = []
        for line in self.why:
            value = "" if line.value is None else f" = {line.value:#x}"
            self.places.append(line.at.position)
            text = Text()
            if line.depth:
                text.append(f"{line.kind:<9}", palette.key)
            text.append(printable(line.text), palette.text).append(value, palette.lost)
            text.append(f"  at {line.at}", palette.dim)
            text.append(
                f"  {readable(printable(line.place))}" if line.place else "", palette.dim
            )
            by = min(2 * line.depth, max(width - 24, 0))
            folded = wrap(text, max(width - by, 10), hang=9 if line.depth else 0)
            self.places += [line.at.position] * (len(folded) - 1)
            lines += [indent(each, by) for each in folded]
        return lines

    def _objects(self, width: int) -> list[Text]:
        palette = self.palette
        if isinstance(self.objects, str):
            return [Text(self.objects, palette.faint)]
        lines = []
        span = max((len(each.name) for each in self.objects.objects), default=4)
        for each in self.objects.objects:
            if each.kind in ("task", "log", "factory", "scheduler", "debugger", "icu"):
                continue
            waits = each.text.startswith("waits for")
            lines.append(
                Text.assemble(
                    (f"{each.kind:<9} ", palette.dim),
                    (f"{each.name:<{span}} ", palette.text),
                    (each.text, palette.lost if waits else palette.dim),
                )
            )
        lines.append(Text())
        for cap in self.objects.caps:
            lines.append(
                Text.assemble(
                    (f"{cap.task:<{span}} ", palette.dim),
                    (f"{cap.index:#6x} ", palette.key),
                    (f"{cap.name} ", palette.text),
                    (f"{cap.kind} {cap.rights}", palette.dim),
                )
            )
        if self.objects.left_out:
            lines.append(Text(f"and {self.objects.left_out} more", palette.dim))
        return lines

    def _notes(self, width: int) -> list[Text]:
        palette, session = self.palette, self.session
        lines = []
        about = session.notes.trace
        if about and session.trace_hash and about != session.trace_hash:
            lines.append(Text("these notes are about another run", palette.lost))
            self.places.append(None)
        for note in session.notes.notes:
            self.places.append(note.at.position)
            is_here = note_at(session.notes.notes, session.at) is note
            lines.append(
                Text.assemble(
                    (f"{note.at!s:>9} ", palette.here if is_here else palette.dim),
                    (note.text or "bookmark", palette.right),
                )
            )
        return lines or [Text("no notes yet: a adds one here", palette.dim)]


def banner(session: Session, palette: Palette, width: int) -> Text:
    """Say what is wrong, who did it and who suffers, in two lines."""
    finding = session.finding
    if finding is None:
        if session.findings:
            text = f"{len(session.findings)} findings; f goes to the next one"
            return Text(f" {text}", palette.dim)
        return Text(" no findings in this run", palette.right)
    number = session.findings.index(finding) + 1
    line = Text.assemble(
        (f" {finding.id} ", f"{palette.wrong} reverse"),
        " ",
        (finding.verdict.value, VERDICTS[finding.verdict]),
        (f" {finding.rule} of {printable(finding.register)}", palette.text),
        (f" in {printable(finding.function) or 'unknown code'}", palette.text),
        (
            f" ({finding.file.rsplit('/', 1)[-1]}:{finding.line})" if finding.file else "",
            palette.dim,
        ),
        (
            f"   {number} of {len(session.findings)}" if len(session.findings) > 1 else "",
            palette.dim,
        ),
    )
    second = Text(" ")
    if finding.clobber is not None:
        who = culprit(finding)
        second.append(who, f"{palette.lost} bold")
        second.append(" overwrote it: ", palette.text)
        wanted, actual = finding.expected, finding.actual
        if wanted is None or actual is None or finding.message is None:
            second.append(printable(finding.summary), palette.text)
        elif width < WIDE:
            second.append(f"{wanted:#x}", palette.right).append(" became ", palette.text)
            second.append(f"{actual:#x}", palette.wrong)
        else:
            second.append(f"{printable(finding.message.sender)} sent ", palette.text)
            second.append(f"{wanted:#x}", palette.right)
            second.append(f", {printable(finding.function)} gets ", palette.text)
            second.append(f"{actual:#x}", palette.wrong)
    else:
        second.append(finding.summary, palette.text)
    return fit(line, width).append("\n").append_text(fit(second, width))


def culprit(finding: Finding) -> str:
    """Name the function that has overwritten the word, with its place."""
    clobber = finding.clobber
    if clobber is None:
        return "nobody"
    stack = () if clobber.call is None else clobber.call.stack
    if not stack and clobber.stores:
        stack = clobber.stores[0].stack
    if not stack:
        return "a system call"
    # The innermost function of the program that the reader does not share.
    readers = {frame.symbol or frame.function for frame in finding.access.stack}
    own = [frame for frame in stack if (frame.symbol or frame.function) not in readers]
    frame = own[-1] if own else stack[0]
    where = f" ({frame.file.rsplit('/', 1)[-1]}:{frame.line})" if frame.file else ""
    return f"{printable(frame.function)}{where}"


def _accused(session: Session) -> dict[int, str]:
    found: dict[int, str] = {}
    for finding in session.findings:
        if session.threads.get(finding.thread) != session.thread:
            continue
        if finding.clobber is not None:
            for store in finding.clobber.stores:
                found[store.pc] = "lost"
            call = finding.clobber.call
            if call is not None:
                # Every call on the way to the system call, from the function that reads.
                for frame in call.stack[1:]:
                    found[frame.pc] = "lost"
                    if frame.function == finding.function:
                        break
        found[finding.access.pc] = "wrong"
    return found


def _calls_before(session: Session) -> list[int]:
    """Give the addresses behind the system calls that findings accuse."""
    return [
        finding.clobber.call.pc
        for finding in session.findings
        if finding.clobber is not None and finding.clobber.call is not None
    ]


def _threads_of(row: Row, session: Session) -> tuple[int, ...]:
    event = row.what
    if isinstance(event, Transfer):
        numbers = set(session.threads.values())
        return tuple(n for n in (event.receiver, event.sender) if n in numbers)
    if row.finding is not None and row.finding.thread in session.threads:
        return (session.threads[row.finding.thread],)
    thread = getattr(event, "thread", 0)
    return (thread,) if thread in session.threads.values() else ()


def _hex(row: WordRow) -> str:
    if row.value is None:
        return "·"
    return f"{row.value:#x}" + ("" if row.is_exact else "?")
