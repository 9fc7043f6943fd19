"""The application: keys move the session, and re-execution follows in a thread of its own.

Rule 1: what is recorded is shown at once; what is re-executed comes when it is there, and is
thrown away if one has gone on meanwhile.
Rule 2: the replayer is used in one thread only, the trace in the other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Static

from guest.errors import GuestError
from kernel.events import Transfer
from kernel.utcb import WORDS, name_of
from lab.checker.finding import Finding
from lab.filter import Filter, parse_query
from lab.moment import (
    At,
    CancelledError,
    Direction,
    Moment,
    Objects,
    Replayer,
    UnavailableError,
    WordTouch,
)
from lab.query import NOT_STORED
from lab.trace.mark import Clock, parse_mark
from lab.tui.dialogs import AskScreen, HelpScreen
from lab.tui.drawing import fit, readable
from lab.tui.keys import KEYS, bindings
from lab.tui.layout import SLOT, arrange
from lab.tui.notes import Note, clean, note_at, save_notes
from lab.tui.palette import DARK, LIGHT, Palette
from lab.tui.panes import (
    CodePane,
    ConsolePane,
    FindingPane,
    LanesPane,
    Pane,
    RegistersPane,
    UtcbPane,
    banner,
)
from lab.tui.session import CALLS, EVERY, MESSAGES, QUIET, Session, first_finding

_Value = TypeVar("_Value")
_DARK, _LIGHT = "textual-dark", "textual-light"
_PATIENCE = 0.15  # seconds after which a movement says that it lasts


class DebugApp(App[None]):
    """The trace view of one run."""

    TITLE = "l4lab debug"
    CSS = """
    Screen { layers: base; overflow: hidden; }
    #top, #banner, #status, #keys { width: 100%; position: absolute; }
    #top { height: 1; }
    #banner { height: 2; offset: 0 1; }
    #status { height: 1; }
    #keys { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(
        self,
        session: Session,
        replayer: Replayer | None,
        *,
        missing: str = "",
        notes: Path | None = None,
        mark: str | None = None,
        is_dark: bool = True,
    ) -> None:
        """Show a session; `missing` says why there is no replayer, `notes` where notes go."""
        super().__init__()
        self.session = session
        self.palette: Palette = DARK if is_dark else LIGHT
        self.theme = _DARK if is_dark else _LIGHT
        self._replayer = replayer
        self._missing = missing
        self._notes_file = notes
        self._mark = mark
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replay")
        self._lock = asyncio.Lock()
        self._serial = 0  # of the last movement
        self._status = ""
        self._status_style = ""
        self._busy = ""
        self._slot = SLOT[0]
        self._zoomed: str | None = None
        self._query: Filter | None = None
        self._query_text = ""

    # -- what is on the screen --------------------------------------------------

    def compose(self) -> ComposeResult:
        """Make the panes."""
        session, palette = self.session, self.palette
        yield Static(id="top")
        yield Static(id="banner")
        yield LanesPane(session, palette)
        yield CodePane(session, palette)
        yield UtcbPane(session, palette)
        yield RegistersPane(session, palette)
        yield ConsolePane(session, palette)
        yield FindingPane(session, palette)
        yield Static(id="status")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Open on the mark that was asked for, or on the first finding."""
        self.query_one(LanesPane).focus()
        self._arrange()
        if self._mark is not None:
            self._go_to_mark(self._mark)
            return
        finding = first_finding(self.session.findings)
        if finding is not None:
            self._show_finding(finding)
        else:
            self._go(At(0), remember=False)
        self.session.visited.clear()

    def on_unmount(self) -> None:
        """Give the machine back."""
        if self._replayer is not None:
            self._replayer.cancel()
            self._pool.submit(self._replayer.close)
        self._pool.shutdown(wait=True)

    def on_resize(self, event: events.Resize) -> None:
        """Place the panes anew."""
        self._arrange()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every key in the command palette."""
        for key in KEYS:
            yield SystemCommand(
                f"{key.about} ({key.shown})",
                "needs re-execution" if key.replays else "",
                self._commanded(key.action),
            )

    def _commanded(self, action: str) -> Callable[[], Awaitable[object]]:
        return lambda: self.run_action(action)

    def _arrange(self) -> None:
        size = self.size
        boxes = arrange(size.width, size.height, slot=self._slot, zoomed=self._zoomed)
        for pane in self.query(Pane):
            box = boxes.get(pane.id or "")
            pane.display = box is not None
            if box is not None:
                pane.styles.offset = (box.x, box.y)
                pane.styles.width, pane.styles.height = box.width, box.height
                pane.edge = box.x > 0
        self.query_one("#status").styles.offset = (0, size.height - 2)
        self.query_one("#keys").styles.offset = (0, size.height - 1)
        focused = self.focused
        if focused is None or not focused.display:
            shown = [pane for pane in self.query(Pane) if pane.display]
            if shown:
                shown[0].focus()
        self.draw()

    def draw(self) -> None:
        """Draw everything anew."""
        width = self.size.width
        if not width:
            return
        palette = self.palette
        for pane in self.query(Pane):
            pane.palette = palette
            pane.refresh()
        self.query_one("#top", Static).update(self._top(width))
        self.query_one("#banner", Static).update(banner(self.session, palette, width))
        self._draw_status()
        self.query_one("#keys", Static).update(self._keys(width))

    def _draw_status(self) -> None:
        palette = self.palette
        text = Text(" ")
        if self._busy:
            text.append(self._busy, palette.key)
        else:
            text.append(self._status or self._hint(), self._status_style or palette.dim)
        self.query_one("#status", Static).update(fit(text, self.size.width))

    def _top(self, width: int) -> Text:
        session, palette = self.session, self.palette
        head = session.history.head
        cycle = "" if session.cycle is None else f"  cycle {session.cycle:,}"
        copied = "" if session.copied is None else f"/{session.copied}"
        left = Text.assemble(
            (f" {head.scenario_name}", f"bold {palette.bar}"),
            (f" on {head.arch.name}", palette.bar),
        )
        right = Text(f"position {session.at}{copied}{cycle} ", f"bold {palette.bar}")
        middle = f"  trace {session.trace_hash[:8]}" if session.trace_hash else ""
        if left.cell_len + right.cell_len + len(middle) < width:
            left.append(middle, palette.bar)
        left.append(" " * max(1, width - left.cell_len - right.cell_len), palette.bar)
        return fit(left.append_text(right), width)

    def _keys(self, width: int) -> Text:
        palette = self.palette
        line = Text(" ", palette.bar)
        last = [key for key in KEYS if key.short][-2:]
        tail = sum(len(key.short) + 2 for key in last)
        for key in KEYS:
            if not key.short:
                continue
            if key not in last and line.cell_len + len(key.short) + 2 + tail > width:
                continue
            name, _, about = key.short.partition(" ")
            gone = key.replays and self._replayer is None
            background = palette.bar.partition(" on ")[2]
            line.append(name, f"{palette.faint if gone else palette.key} on {background}")
            colour = palette.faint if gone else palette.bar.partition(" on ")[0]
            line.append(f" {about}  ", f"{colour} on {background}")
        line.append(" " * max(0, width - line.cell_len), palette.bar)
        return fit(line, width)

    def _hint(self) -> str:
        session = self.session
        if self._replayer is None:
            return f"{NOT_STORED}: {self._missing}" if self._missing else NOT_STORED
        note = note_at(session.notes.notes, session.at)
        if note is not None:
            return f"✎ {note.text or 'bookmark'}"
        finding = session.finding
        if finding is not None and session.at.position == finding.access.position:
            return f"{finding.summary}"
        running = session.running
        if running:
            return f"{session.names.of(running)} runs next"
        return "the run has ended" if session.at >= session.end else ""

    def say(self, text: str, *, is_wrong: bool = False) -> None:
        """Put a line at the bottom, until something moves."""
        self._status = text
        self._status_style = self.palette.lost if is_wrong else ""
        self._draw_status()

    # -- moving in what is recorded ---------------------------------------------

    def _go(
        self,
        at: At,
        *,
        event: int | None = None,
        thread: int | None = None,
        remember: bool = True,
        text: str = "",
    ) -> None:
        """Show a place at once, and have it re-executed; an event says it more exactly."""
        session = self.session
        session.go(at, remember=remember)
        if thread is not None:
            session.choose(thread)
        self._serial += 1
        self._status, self._status_style = text, ""
        if self._replayer is not None:
            self._replayer.cancel()
        self.draw()
        self._refine(self._serial, event)

    def _refine(self, serial: int, event: int | None) -> None:
        if self._replayer is None:
            return
        at = self.session.at

        def seek(replayer: Replayer) -> Moment:
            return replayer.seek(at) if event is None else replayer.seek_event(event)

        async def work() -> None:
            async with self._lock:
                if serial != self._serial:
                    return
                moment = await self._ask(seek)
                if moment is not None and serial == self._serial:
                    await self._show(moment, serial)

        self.run_worker(work())

    async def _show(self, moment: Moment, serial: int) -> None:
        session = self.session
        if not self._is_as_recorded(moment):
            return
        copied = session.copied if moment.at == session.at else None
        session.show(moment)
        session.copied = copied
        if moment.why_here:
            self._status, self._status_style = readable(moment.why_here), ""
        self.draw()
        await self._look_at_utcb(serial)

    async def _look_at_utcb(self, serial: int) -> None:
        """Find who touched the words; and the objects, if they are looked at."""
        session, thread = self.session, self.session.thread
        alive = session.alive()
        since = At(
            min((life.born for life in alive), default=max(session.at.position - 4096, 0))
        )
        details = self.query_one(FindingPane)

        def look(replayer: Replayer) -> tuple[tuple[WordTouch, ...], Objects | None]:
            wanted = details.view == "objects"
            return (
                replayer.touches(thread, At(max(since.position - 1, 0))),
                replayer.objects() if wanted else None,
            )

        if session.state is None:
            return
        found = await self._ask(look, is_quiet=True)
        if found is not None and serial == self._serial and thread == session.thread:
            session.touches = found[0]
            details.objects = NOT_STORED if found[1] is None else found[1]
            self.draw()

    def _is_as_recorded(self, moment: Moment) -> bool:
        """Compare what was re-executed; if it is something else, do without from now on."""
        history = self.session.history
        number = moment.events - 1
        if moment.last is None or number >= len(history):
            return True
        if history.event(number) == moment.last:
            return True
        self._give_up(f"the run does not go as recorded: event {number} is another one")
        return False

    def _give_up(self, why: str) -> None:
        replayer, self._replayer = self._replayer, None
        self._missing = why
        if replayer is not None:
            self._pool.submit(replayer.close)
        self.session.go(self.session.at, remember=False)
        self.say(why, is_wrong=True)
        self.draw()

    async def _ask(
        self, work: Callable[[Replayer], _Value], *, is_quiet: bool = False
    ) -> _Value | None:
        """Ask the replayer, in its thread; None if it cannot tell."""
        replayer = self._replayer
        if replayer is None:
            return None
        timer = None if is_quiet else self.set_timer(_PATIENCE, self._say_busy)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, work, replayer)
        except CancelledError:
            if not is_quiet:
                self.say("stopped")
        except UnavailableError as error:
            if not is_quiet:
                self.say(str(error), is_wrong=True)
        finally:
            if timer is not None:
                timer.stop()
            if self._busy:
                self._busy = ""
                self._draw_status()
        return None

    def _say_busy(self) -> None:
        self._busy = "running again … (Esc stops it)"
        self._draw_status()

    # -- moving by re-execution -------------------------------------------------

    def _replay(
        self,
        work: Callable[[Replayer, Session], Moment | None],
        *,
        nothing: str = "",
        follow: bool = True,
    ) -> None:
        """Move from where the session is; one movement after the other."""
        if self._replayer is None:
            self.say(self._hint(), is_wrong=True)
            return

        async def move() -> None:
            async with self._lock:
                session = self.session
                at, exact = session.at, session.moment
                self._serial += 1
                serial = self._serial
                self._status = ""

                def go(replayer: Replayer) -> Moment | None:
                    if exact is None or exact.at != at:
                        replayer.seek(at)
                    else:
                        replayer.seek(exact.at)
                    return work(replayer, session)

                moment = await self._ask(go)
                if serial != self._serial:
                    return
                if moment is None:
                    if nothing and not self._status:
                        self.say(nothing)
                    return
                session.copied = None
                if follow and moment.running is not None:
                    session.choose(moment.running)
                await self._show(moment, serial)

        self.run_worker(move())

    def action_step(self, count: int) -> None:
        """Go by instants."""
        self._replay(lambda replayer, _: replayer.step(count))

    def action_step_thread(self, way: int) -> None:
        """Go to where the thread runs."""
        thread = self.session.thread
        self._replay(
            lambda replayer, _: replayer.step_thread(thread, Direction(way)), follow=False
        )

    def action_access(self, way: int) -> None:
        """Go by accesses to the UTCB."""
        thread = self.session.thread
        self._replay(
            lambda replayer, _: replayer.access(thread, Direction(way)),
            nothing="no further access to this UTCB",
            follow=False,
        )

    def action_run(self, way: int) -> None:
        """Run to a breakpoint or a watched word."""
        breaks, watches = tuple(self.session.breaks), tuple(self.session.watches)
        if not breaks and not watches:
            self.say("nothing to run to: b sets a breakpoint, w watches a word", is_wrong=True)
            return
        self._replay(lambda replayer, _: replayer.run(Direction(way), breaks, watches))

    def action_writer(self) -> None:
        """Go to who wrote the word last."""
        thread, word = self.session.thread, self.session.word
        self._replay(
            lambda replayer, _: replayer.last_writer(thread, word),
            nothing=f"nobody wrote {name_of(word)} since boot",
            follow=False,
        )

    def action_reader(self) -> None:
        """Go to who reads the word next."""
        thread, word = self.session.thread, self.session.word
        self._replay(
            lambda replayer, _: replayer.next_reader(thread, word),
            nothing=f"nobody reads {name_of(word)} after this",
            follow=False,
        )

    def action_why(self) -> None:
        """Ask where the word's value comes from."""
        if self._replayer is None:
            self.say(self._hint(), is_wrong=True)
            return
        details = self.query_one(FindingPane)
        thread, what = self.session.thread, name_of(self.session.word)
        at = self.session.at

        async def ask() -> None:
            async with self._lock:
                found = await self._ask(lambda r: (r.seek(at), r.why(thread, what))[1])
                if found is not None:
                    details.why = found
                    self._open_view("why")

        self.run_worker(ask())

    # -- keys of what is recorded -----------------------------------------------

    def _step_events(self, way: int, kinds: int, what: str, *, own: bool = False) -> None:
        session = self.session
        thread = session.thread

        def accepts(stamped: object) -> bool:
            event = getattr(stamped, "event", None)
            if isinstance(event, Transfer):
                return event.sender == thread
            return bool(getattr(event, "thread", 0) == thread)

        find = session.next_event if way > 0 else session.previous_event
        found = find(kinds, accepts if own else None)
        if found is None:
            self.say(f"no {what} {'after' if way > 0 else 'before'} this")
            return
        event = found.event
        follow = None
        if isinstance(event, Transfer) and not own:
            follow = event.receiver
        self._go(At(event.position), event=found.sequence, thread=follow)

    def action_call(self, way: int) -> None:
        """Go by system calls of the thread."""
        self._step_events(way, CALLS, "system call of this thread", own=True)

    def action_message(self, way: int) -> None:
        """Go by messages."""
        self._step_events(way, MESSAGES, "message")

    def action_event(self, way: int) -> None:
        """Go by events, or move in the pane that has the focus."""
        focused = self.focused
        if isinstance(focused, CodePane):
            focused.move(way)
            focused.refresh()
        elif isinstance(focused, UtcbPane):
            self.action_word(way)
        elif isinstance(focused, FindingPane):
            focused.turn(way)
            focused.refresh()
        else:
            self._step_events(way, self.session.kinds, "event")

    def action_copied(self, way: int) -> None:
        """Go by copied words inside the message that is delivered here."""
        session = self.session
        stamped = session.message_at()
        if stamped is None:
            self.say("no message is delivered here: m goes to the next one", is_wrong=True)
            return
        event = stamped.event
        assert isinstance(event, Transfer)
        words = len(event.payload) // session.history.head.arch.word
        session.choose(event.receiver)
        done = session.copied
        # Whole is what is shown before one looks inside.
        at = words if done is None else done
        at = min(max(at + way, 0), words) if done is not None or way < 0 else 0
        session.copied = at
        session.word = max(at - 1, 0)
        self.say(f"inside the message: {at} of {words} words are copied")
        self.draw()

    def action_finding(self, way: int) -> None:
        """Go by findings."""
        finding = self.session.next_finding(way)
        if finding is None:
            self.say(f"no finding {'after' if way > 0 else 'before'} this")
            return
        self._show_finding(finding)

    def _show_finding(self, finding: Finding) -> None:
        self.session.choose_finding(finding)
        self.query_one(FindingPane).first = 0
        self._go(At(finding.access.position))

    def action_start(self) -> None:
        """Go to the start."""
        self._go(At(0))

    def action_finish(self) -> None:
        """Go to the end of what is recorded."""
        self._go(self.session.end)

    def action_return(self) -> None:
        """Go to where one was."""
        at = self.session.back()
        if at is None:
            self.say("there is nowhere to go back to")
        else:
            self._go(at, remember=False)

    def action_goto(self) -> None:
        """Ask for a mark."""
        self._question("go to", "830, cycle:5000, event:17, F1, start, end", self._go_to_mark)

    def _go_to_mark(self, text: str) -> None:
        text = text.strip()
        by_id = {finding.id.lower(): finding for finding in self.session.findings}
        if text.lower() in by_id:
            self._show_finding(by_id[text.lower()])
            return
        if text in ("start", "end"):
            self._go(At(0) if text == "start" else self.session.end)
            return
        base, _, done = text.partition("/")
        base, _, turn = base.partition("+")
        history = self.session.history
        try:
            mark = parse_mark(base)
            extra = [
                int(part) if part.isascii() and part.isdigit() else -1
                for part in (done or "0", turn or "0")
            ]
            if min(extra) < 0 or max(extra) > 1 << 32:
                raise ValueError
        except ValueError:
            self._settle_at_start()
            self.say(
                f"{text[:30]!a} is no mark: a position, cycle:N, event:N, F1, start or end",
                is_wrong=True,
            )
            return
        number = history.find(mark)
        if mark.clock is Clock.POSITION:
            if mark.value > self.session.end.position:
                self._settle_at_start()
                self.say(
                    f"no position {mark}: what is recorded ends at {self.session.end}",
                    is_wrong=True,
                )
                return
            self._go(At(mark.value, extra[1]))
            if done:
                self.action_copied(-1)
                self._copied_to(extra[0])
            return
        if number >= len(history):
            self._settle_at_start()
            self.say(f"no {mark}: what is recorded ends before", is_wrong=True)
            return
        event = history.event(number)
        self._go(At(event.position), event=number)

    def _copied_to(self, done: int) -> None:
        session = self.session
        stamped = session.message_at()
        if stamped is not None and isinstance(stamped.event, Transfer):
            words = len(stamped.event.payload) // session.history.head.arch.word
            session.copied = min(done, words)
            session.word = max(session.copied - 1, 0)
            self.draw()

    def _settle_at_start(self) -> None:
        # A mark from the command line that is none leaves nothing shown yet.
        if self.session.moment is None and self.session.at == At(0):
            self._go(At(0), remember=False)

    def action_query(self) -> None:
        """Ask for a query."""
        self._question(
            "find events",
            "transfers where receiver = 'server' and mr[0] > 2",
            self._ask_query,
            self._query_text,
        )

    def _ask_query(self, text: str) -> None:
        if not text.strip():
            return
        try:
            self._query = parse_query(text, self.session.names)
        except GuestError as error:
            self.say(str(error).splitlines()[0], is_wrong=True)
            return
        self._query_text = text
        self.action_found(1)

    def action_found(self, way: int) -> None:
        """Go by events that the query asks for."""
        query = self._query
        if query is None:
            self.say("no query yet: / asks for one", is_wrong=True)
            return
        find = self.session.next_event if way > 0 else self.session.previous_event
        found = find(query.kinds, query.accepts)
        if found is None:
            self.say(f"no such event {'after' if way > 0 else 'before'} this")
            return
        event = found.event
        thread = (
            event.receiver if isinstance(event, Transfer) else getattr(event, "thread", None)
        )
        self._go(At(event.position), event=found.sequence, thread=thread)

    def action_word(self, step: int) -> None:
        """Select another word."""
        self.session.word = min(max(self.session.word + step, 0), WORDS - 1)
        self.draw()

    def action_thread(self, step: int) -> None:
        """Look at another thread."""
        numbers = sorted(self.session.threads.values())
        if not numbers:
            return
        at = numbers.index(self.session.thread) if self.session.thread in numbers else 0
        self.session.choose(numbers[(at + step) % len(numbers)])
        self.draw()
        serial = self._serial

        async def look() -> None:
            async with self._lock:
                if serial == self._serial:
                    await self._look_at_utcb(serial)

        if self._replayer is not None:
            self.run_worker(look())

    def action_frame(self, step: int) -> None:
        """Look at a function that called."""
        state = self.session.state
        if state is None:
            self.say(self._hint(), is_wrong=True)
            return
        self.session.frame = min(max(self.session.frame + step, 0), len(state.calls))
        self.draw()

    # -- breakpoints, notes, panes ----------------------------------------------

    def action_toggle_break(self) -> None:
        """Set or clear a breakpoint."""
        address = self.query_one(CodePane).address()
        if address is not None:
            self._toggle_break(address)

    def _toggle_break(self, address: int) -> None:
        session = self.session
        key = session.thread, address
        place = session.names.place(*key)
        if key in session.breaks:
            session.breaks.remove(key)
            text = f"no breakpoint any more at {place}"
        else:
            session.breaks.append(key)
            text = f"breakpoint at {place}: r runs to it, R back to it"
        self.draw()
        self.say(text)

    def action_break_at(self) -> None:
        """Ask for a place to break at."""
        self._question(
            "breakpoint at", "a function of this thread's program, or 0x400059", self._break_at
        )

    def _break_at(self, text: str) -> None:
        image = self.session.names.images.get(self.session.thread)
        text = text.strip()
        symbol = None if image is None else image.symbol(text)
        if symbol is not None:
            self._toggle_break(symbol.address)
            return
        try:
            address = int(text, 16)
        except ValueError:
            address = -1
        if image is None or not 0 <= address < 1 << 64 or image.segment_at(address) is None:
            self.say(f"{text[:40]!a} is neither a function nor an address here", is_wrong=True)
            return
        self._toggle_break(address)

    def action_toggle_watch(self) -> None:
        """Watch the word, or no more."""
        session = self.session
        key = session.thread, session.word
        what = f"{name_of(session.word)} of {session.names.of(session.thread)}"
        if key in session.watches:
            session.watches.remove(key)
            text = f"{what} is not watched any more"
        else:
            session.watches.append(key)
            text = f"{what} is watched: r runs to the next access, R back to the last one"
        self.draw()
        self.say(text)

    def action_note(self) -> None:
        """Ask for a note."""
        known = note_at(self.session.notes.notes, self.session.at)
        self._question(
            f"note at {self.session.at}",
            "Enter alone makes a bookmark; - drops the note",
            self._write_note,
            "" if known is None else known.text,
        )

    def _write_note(self, text: str) -> None:
        session = self.session
        text = clean(text)
        if text == "-" or (not text and note_at(session.notes.notes, session.at) is not None):
            notes = session.notes.drop(session.at)
        else:
            notes = session.notes.put(Note(session.at, text))
        if self._notes_file is None:
            session.notes = notes
            self.draw()
            self.say("noted, but not kept: there is no place for notes", is_wrong=True)
            return
        try:
            save_notes(self._notes_file, notes)
        except GuestError as error:
            self.say(str(error), is_wrong=True)
            return
        session.notes = notes
        self.draw()
        self.say(f"kept in {self._notes_file}")

    def action_pane(self, name: str) -> None:
        """Show a pane."""
        self._slot = name
        if self._zoomed is not None:
            self._zoomed = name
        self._arrange()
        self.query_one(f"#{name}").focus()

    def action_view(self, name: str) -> None:
        """Show a view of the details."""
        self._open_view(name)
        if name == "objects" and self._replayer is not None:
            serial = self._serial

            async def look() -> None:
                async with self._lock:
                    if serial == self._serial:
                        await self._look_at_utcb(serial)

            self.run_worker(look())

    def _open_view(self, name: str) -> None:
        details = self.query_one(FindingPane)
        details.view, details.first = name, 0
        self.action_pane("details")

    def action_switches(self) -> None:
        """Show thread switches, or not."""
        self.session.kinds = EVERY if self.session.kinds == QUIET else QUIET
        self.draw()

    def action_zoom(self) -> None:
        """Give all the room to the pane with the focus."""
        focused = self.focused
        if self._zoomed is not None:
            self._zoomed = None
        elif isinstance(focused, Pane):
            self._zoomed = focused.id
        self._arrange()

    def action_theme(self) -> None:
        """Go from dark to light and back."""
        is_dark = self.palette is DARK
        self.palette = LIGHT if is_dark else DARK
        self.theme = _LIGHT if is_dark else _DARK
        self.draw()

    def action_cancel(self) -> None:
        """Stop a movement."""
        if self._busy and self._replayer is not None:
            self._replayer.cancel()

    def action_help(self) -> None:
        """Show the help."""
        self.push_screen(HelpScreen(self.palette, self._missing))

    def _question(
        self, question: str, hint: str, answer: Callable[[str], None], value: str = ""
    ) -> None:
        def done(text: str | None) -> None:
            if text is not None:
                answer(text)

        self.push_screen(AskScreen(question, hint, value), done)

    # -- the mouse --------------------------------------------------------------

    def on_pane_turned(self, message: Pane.Turned) -> None:
        """Scroll a pane."""
        pane, step = message.pane, message.step
        if isinstance(pane, UtcbPane):
            self.action_word(step)
        elif isinstance(pane, CodePane):
            pane.move(step)
            pane.refresh()
        elif isinstance(pane, FindingPane):
            pane.turn(step)
            pane.refresh()
        elif isinstance(pane, LanesPane):
            self._step_events(step, self.session.kinds, "event")

    def on_pane_picked(self, message: Pane.Picked) -> None:
        """Go to what was clicked."""
        pane, line = message.pane, message.line
        if line < 0:
            return
        if isinstance(pane, LanesPane) and line < len(pane.rows):
            row = pane.rows[line]
            if row.finding is not None and row.kind == "access":
                self._show_finding(row.finding)
            else:
                self._go(At(row.position), event=row.event)
        elif isinstance(pane, UtcbPane) and 0 < line <= len(pane.shown):
            self.session.word = pane.shown[line - 1]
            self.draw()
        elif isinstance(pane, CodePane) and line < len(pane.shown):
            pane.chosen = pane.shown[line].address or pane.chosen
            pane.refresh()
        elif isinstance(pane, ConsolePane) and line < len(pane.positions):
            self._go(At(pane.positions[line]))
        elif isinstance(pane, FindingPane) and line < len(pane.places):
            place = pane.places[line]
            if place is not None:
                self._go(At(place))
