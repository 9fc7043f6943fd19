"""What is looked at in a run: the place, the thread, the word; and the places nearby.

Everything here comes from the recorded run, a page at a time, and costs the same however
long it is.  What only re-execution knows is put into `moment` by who has it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from guest.errors import GuestError
from kernel.events import (
    Event,
    Failure,
    Invocation,
    Log,
    Switch,
    Transfer,
    Waiting,
    words_of,
)
from lab.checker.finding import Finding
from lab.checker.stored import finding_from_json
from lab.moment import At, Moment, ThreadMoment, WordTouch
from lab.names import Names
from lab.query import History
from lab.trace.format import KINDS
from lab.trace.mark import Clock, Mark
from lab.trace.reader import Stamped
from lab.tui.lives import TELLING, Life, lives_of, lost_between
from lab.tui.notes import Note, Notes

EVERY = sum(1 << kind for kind in KINDS.values())
QUIET = EVERY & ~(1 << KINDS[Switch])
MESSAGES = 1 << KINDS[Transfer]
CALLS = sum(1 << KINDS[kind] for kind in (Transfer, Invocation, Waiting, Failure))
LOGS = 1 << KINDS[Log]
SWITCHES = 1 << KINDS[Switch]
LOOKBACK = 1024  # events before a page that are followed, for messages that live in it
START = At(0)
_BLOCK = 256
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the lanes: an event, a mark of a finding, a note, or just the cursor."""

    position: int
    order: int  # among those of one position
    event: int | None = None
    what: Event | None = None
    finding: Finding | None = None
    kind: str = ""  # of a finding's mark: "store" or "access"
    place: str = ""
    note: Note | None = None
    is_here: bool = False


@dataclass(eq=False, slots=True)
class Session:
    """The run, and what is looked at."""

    history: History
    findings: tuple[Finding, ...]
    notes: Notes
    names: Names
    threads: dict[str, int]  # by name
    end: At  # of what is recorded
    trace_hash: str = ""
    at: At = START
    count: int = 0  # events that have happened
    moment: Moment | None = None  # exact; None: as recorded
    touches: tuple[WordTouch, ...] | None = None
    copied: int | None = None  # words of the message at the cursor that are copied so far
    thread: int = 0
    word: int = 0
    frame: int = 0  # of the thread's stack; 0 is the innermost
    finding: Finding | None = None  # that is told about
    kinds: int = QUIET
    breaks: list[tuple[int, int]] = field(default_factory=list)  # thread, address
    watches: list[tuple[int, int]] = field(default_factory=list)  # thread, word
    visited: list[At] = field(default_factory=list)
    _lives: tuple[tuple[int, int], list[Life]] | None = None

    @property
    def here(self) -> Event | None:
        """The last event that has happened."""
        return self.history.event(self.count - 1) if self.count else None

    @property
    def running(self) -> int | None:
        """The thread that runs next, as far as it is known."""
        if self.moment is not None:
            return self.moment.running
        for stamped in self.backwards(self.count, SWITCHES, 1):
            assert isinstance(stamped.event, Switch)
            return stamped.event.next or None
        return None

    @property
    def state(self) -> ThreadMoment | None:
        """What re-execution says of the thread that is looked at."""
        return None if self.moment is None else self.moment.threads.get(self.thread)

    @property
    def cycle(self) -> int | None:
        """The cycle, if an event or re-execution tells it."""
        if self.moment is not None:
            return self.moment.cycle
        event = self.here
        return event.cycle if event is not None and event.position == self.at.position else None

    # -- going ------------------------------------------------------------------

    def go(self, at: At, *, remember: bool = True) -> None:
        """Look at a place, as recorded."""
        if remember and at != self.at:
            self._remember()
        self.at = at
        self.count = self.history.find(Mark(Clock.POSITION, at.position + 1))
        self.moment = None
        self.touches = None
        self.copied = None
        self.frame = 0

    def show(self, moment: Moment) -> None:
        """Look at what re-execution shows."""
        if moment.at != self.at:
            self._remember()
            self.copied = None
        self.at = moment.at
        self.count = min(moment.events, len(self.history))
        self.moment = moment
        self.touches = None
        self.frame = 0

    def back(self) -> At | None:
        """Give the place that was looked at before, and forget it."""
        return self.visited.pop() if self.visited else None

    def _remember(self) -> None:
        self.visited.append(self.at)
        del self.visited[:-100]

    def choose(self, thread: int) -> None:
        """Look at a thread."""
        if thread != self.thread:
            self.thread = thread
            self.touches = None
            self.frame = 0

    def choose_finding(self, finding: Finding) -> None:
        """Look at a finding, its thread and its word."""
        self.finding = finding
        self.choose(self.threads.get(finding.thread, self.thread))
        self.word = min(finding.offset // self.history.head.arch.word, 127)

    def next_finding(self, step: int) -> Finding | None:
        """Give the next finding by position, or the previous one."""
        ordered = sorted(self.findings, key=lambda each: each.access.position)
        if step > 0:
            return next((f for f in ordered if f.access.position > self.at.position), None)
        before = [f for f in ordered if f.access.position < self.at.position]
        return before[-1] if before else None

    # -- events -----------------------------------------------------------------

    def next_event(
        self, kinds: int, accepts: Callable[[Stamped], bool] | None = None
    ) -> Stamped | None:
        """Give the first event that has not happened yet."""
        for stamped in self.history.events(self.count, kinds=kinds):
            if accepts is None or accepts(stamped):
                return stamped
        return None

    def previous_event(
        self, kinds: int, accepts: Callable[[Stamped], bool] | None = None
    ) -> Stamped | None:
        """Give the last event at a position before this one."""
        end = self.history.find(Mark(Clock.POSITION, self.at.position))
        for stamped in self.backwards(end, kinds, None):
            if accepts is None or accepts(stamped):
                return stamped
        return None

    def backwards(self, end: int, kinds: int, most: int | None) -> Iterator[Stamped]:
        """Give the events before `end`, the last first."""
        size = _BLOCK
        given = 0
        while end > 0:
            first = max(0, end - size)
            for stamped in reversed(list(self.history.events(first, end, kinds=kinds))):
                yield stamped
                given += 1
                if most is not None and given >= most:
                    return
            end = first
            size = min(2 * size, _CHUNK)

    def console(self, most: int) -> list[Stamped]:
        """Give the last log events that have happened, in order."""
        return list(reversed(list(self.backwards(self.count, LOGS, most))))

    def message_at(self) -> Stamped | None:
        """Give the message that is delivered at the cursor's position."""
        first = self.history.find(Mark(Clock.POSITION, self.at.position))
        for stamped in self.history.events(first, self.count, kinds=MESSAGES):
            return stamped
        return None

    # -- a page -----------------------------------------------------------------

    def page(self, above: int, below: int) -> tuple[list[Row], int]:
        """Give the rows around the cursor, and which of them is the cursor's."""
        before = list(self.backwards(self.count, self.kinds, above + 8))
        before.reverse()
        after = []
        for stamped in self.history.events(self.count, kinds=self.kinds):
            after.append(stamped)
            if len(after) > below + 8:
                break
        rows = [
            Row(s.event.position, 0, event=s.sequence, what=s.event)
            for s in (*before, *after)
            if not self._is_echo(s)
        ]
        low = rows[0].position if before and len(before) > above else 0
        high = rows[-1].position if len(after) > below else 1 << 63
        rows += [row for row in self._marks() if low <= row.position <= high]
        if not any(row.position == self.at.position for row in rows):
            rows.append(Row(self.at.position, 3, is_here=True))
        rows.sort(key=lambda row: (row.position, row.order, row.event or 0))
        here = max(k for k, row in enumerate(rows) if row.position == self.at.position)
        start = max(0, here - above)
        end = here + 1 + below + max(0, above - here)
        if end > len(rows):
            start = max(0, start - (end - len(rows)))
        return rows[start:end], here - start

    def _is_echo(self, stamped: Stamped) -> bool:
        # A line of the log is an event already, just before the call that wrote it.
        event = stamped.event
        if not isinstance(event, Invocation) or not stamped.sequence:
            return False
        previous = self.history.event(stamped.sequence - 1)
        return isinstance(previous, Log) and (previous.thread, previous.ip) == (
            event.thread,
            event.ip,
        )

    def _marks(self) -> Iterator[Row]:
        for finding in self.findings:
            stores = finding.clobber.stores if finding.clobber is not None else ()
            for store in stores[:4]:
                place = store.stack[0].function if store.stack else f"{store.pc:#x}"
                yield Row(store.position, 1, finding=finding, kind="store", place=place)
            yield Row(finding.access.position, 2, finding=finding, kind="access")
        for note in self.notes.notes:
            yield Row(note.at.position, 2, note=note)

    def lives(self, first: int, end: int) -> list[Life]:
        """Give the messages that live between two events."""
        start = max(0, first - LOOKBACK)
        key = (start // 128, end // 128)
        if self._lives is None or self._lives[0] != key:
            low, high = key[0] * 128, (key[1] + 1) * 128
            events = self.history.events(low, high, kinds=TELLING)
            word = self.history.head.arch.word
            self._lives = key, lives_of(events, word, self.findings, self.threads)
        return self._lives[1]

    def alive(self) -> list[Life]:
        """Give the messages of the thread that live at the cursor, the outermost first."""
        event, position = self.count - 1, self.at.position
        return [
            life
            for life in self.lives(self.count, self.count)
            if life.thread == self.thread and life.is_alive(event, position)
        ]

    def latest(self) -> list[Life]:
        """Give the messages that reached the thread lately, the last first."""
        return [
            life
            for life in reversed(self.lives(self.count, self.count))
            if life.thread == self.thread and life.event < self.count
        ]

    # -- the thread -------------------------------------------------------------

    def ip(self) -> tuple[int | None, bool]:
        """Give the address that is shown of the thread, and whether it is exact."""
        state = self.state
        if state is not None:
            calls = (state.ip, *state.calls)
            return calls[min(self.frame, len(calls) - 1)], True
        finding = self.finding
        if (
            finding is not None
            and self.at.position == finding.access.position
            and self.threads.get(finding.thread) == self.thread
        ):
            return finding.access.pc, True
        for k, stamped in enumerate(self.backwards(self.count, CALLS, 4096)):
            event = stamped.event
            if isinstance(event, Transfer):
                if event.receiver == self.thread:
                    return event.receiver_ip, False
                if event.sender == self.thread and event.sender_ip:
                    return event.sender_ip, False
            elif getattr(event, "thread", 0) == self.thread:
                return int(getattr(event, "ip", 0)), False
            if k > 2048:
                break
        image = self.names.images.get(self.thread)
        return (None if image is None else image.entry), False

    def values(self) -> tuple[tuple[int | None, bool], ...]:
        """Give the words of the thread's UTCB, None where unknown, and whether exact."""
        if self.copied is not None:
            shown = self.copying()
            if shown is not None:
                return shown
        state = self.state
        if state is not None:
            return tuple((value, True) for value in state.utcb)
        if not self.count:
            return ((None, False),) * 128
        words = self.history.utcb(self.thread, self.count - 1, back=LOOKBACK)
        return tuple((word.value, word.is_exact) for word in words)

    def copying(self) -> tuple[tuple[int | None, bool], ...] | None:
        """Give the receiver's words in the middle of the message at the cursor."""
        stamped = self.message_at()
        if stamped is None or self.copied is None:
            return None
        event = stamped.event
        assert isinstance(event, Transfer)
        if event.receiver != self.thread:
            return None
        word = self.history.head.arch.word
        new, old = words_of(event.payload, word), words_of(event.overwritten, word)
        words: list[tuple[int | None, bool]] = [
            (new[k] if k < self.copied else old[k], True) for k in range(len(new))
        ]
        rest = self.history.utcb(self.thread, stamped.sequence, back=LOOKBACK)
        words += [(each.value, each.is_exact) for each in rest[len(words) :]]
        return tuple(words)

    def is_stale(self, word: int) -> Finding | None:
        """Tell whether a word of the thread is one that a finding is about, and lost now."""
        size = self.history.head.arch.word
        for finding in self.findings:
            lost = lost_between(finding)
            if lost is None or self.threads.get(finding.thread) != self.thread:
                continue
            first, end = finding.offset // size, (finding.offset + finding.size - 1) // size
            if first <= word <= end and lost[0] < self.at.position <= lost[1]:
                return finding
        return None


def open_session(history: History, notes: Notes, *, trace_hash: str = "") -> Session:
    """Begin to look at a run: at its start; GuestError if what is stored makes no sense."""
    try:
        findings = tuple(finding_from_json(body) for body in history.findings)
    except (ValueError, KeyError) as error:
        raise GuestError(
            f"a damaged trace: a finding that makes no sense: {error}", file="trace"
        ) from None
    names = history.names()
    numbers = history.threads()
    last = len(history)
    end = At(history.event(last - 1).position) if last else At(0)
    session = Session(
        history,
        findings,
        notes,
        names,
        {names.of(number): number for number in numbers},
        end,
        trace_hash,
    )
    session.go(At(0))
    session.visited.clear()
    session.thread = numbers[0] if numbers else 0
    return session


def first_finding(findings: Sequence[Finding]) -> Finding | None:
    """Give the finding to open on: the first of the worst verdict."""
    order = ("confirmed", "probable", "latent", "note")
    wanted = [each for each in findings if not each.suppressed]
    return min(wanted, key=lambda each: order.index(each.verdict.value), default=None)
