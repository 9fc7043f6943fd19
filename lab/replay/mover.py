"""A timeline as the trace view moves in it: every answer is a value, every error one kind.

Rule: the timeline is made at the first question, in the thread that asks.
"""

from collections.abc import Callable, Sequence

from guest.errors import GuestError
from kernel.errors import UsageError
from kernel.objects import Gate, Irq, Semaphore, Task, Thread
from kernel.utcb import WORDS, name_of
from lab.moment import (
    At,
    CancelledError,
    CapRow,
    Direction,
    Moment,
    ObjectRow,
    Objects,
    ThreadMoment,
    UnavailableError,
    WhyLine,
    WordTouch,
)
from lab.replay.halting import Instant
from lab.replay.recorded import recorded_run
from lab.replay.search import Break, Stop
from lab.replay.stored import timeline_of
from lab.replay.timeline import Timeline
from lab.replay.touches import Place, Touch
from lab.replay.why import Origin, explain
from lab.trace.reader import Trace

MOST_TOUCHES = 512
FARTHEST = 1 << 16  # positions that touches are looked for back
MOST_CAPS = 512

_RIGHTS = ((1, "w"), (2, "s"), (4, "r"), (8, "d"))


class Mover:
    """Implements `lab.moment.Replayer`."""

    def __init__(self, make: Callable[[], Timeline]) -> None:
        self._make = make
        self._made: Timeline | None = None
        self._cancelled = False
        self._read: Instant | None = None  # the read that was gone to last

    def seek(self, at: At) -> Moment:
        """Go to an instant."""
        return self._move(lambda line: self._go(line, Instant(*at)))

    def seek_event(self, number: int) -> Moment:
        """Go to the first instant that shows an event."""
        return self._move(lambda line: _done(line.seek_event(number)))

    def seek_cycle(self, cycle: int) -> Moment:
        """Go to the first instant at or after a cycle."""
        return self._move(lambda line: _done(line.seek_cycle(cycle)))

    def seek_end(self) -> Moment:
        """Go to the end."""
        return self._move(lambda line: _done(line.seek_end()))

    def step(self, count: int) -> Moment:
        """Go `count` instants on, or back."""
        return self._move(lambda line: _done(line.step(count)))

    def step_thread(self, thread: int, direction: Direction) -> Moment:
        """Go to where a thread runs next, or ran last."""

        def go(line: Timeline) -> str:
            forward = direction is Direction.FORWARD
            line.seek(line.next_of(thread) if forward else line.previous_of(thread))
            return ""

        return self._move(go)

    def access(self, thread: int, direction: Direction) -> Moment | None:
        """Go to the next access to a UTCB; None, and stay: there is none."""
        return self._move_to(
            lambda line: (
                line.next_access(thread, 0, WORDS)
                if direction is Direction.FORWARD
                else line.previous_access(thread, 0, WORDS)
            )
        )

    def run(
        self,
        direction: Direction,
        breaks: Sequence[tuple[int, int]],
        watches: Sequence[tuple[int, int]],
    ) -> Moment:
        """Go to the next break (thread, address) or touch (thread, word), or to the end."""

        def go(line: Timeline) -> str:
            wanted = tuple(Break(line.task_of(thread), at) for thread, at in breaks)
            places = tuple(_place(line, thread, word) for thread, word in watches)
            if direction is Direction.FORWARD:
                stop = line.run_forward(wanted, places)
                return "the run has ended" if stop is None else _say(line, stop)
            stop = line.run_back(wanted, places)
            return "the run begins here" if stop is None else _say(line, stop)

        return self._move(go)

    def last_writer(self, thread: int, word: int) -> Moment | None:
        """Go before the last write of a word of a UTCB; None, and stay: there was none."""

        def find(line: Timeline) -> Touch | None:
            place = _place(line, thread, word)
            return line.last_writer(place.task, place.address, place.size)

        return self._to_touch(find)

    def next_reader(self, thread: int, word: int) -> Moment | None:
        """Go before the next read of a word of a UTCB; None, and stay: there is none."""

        def find(line: Timeline) -> Touch | None:
            place = _place(line, thread, word)
            found = line.next_reader(place.task, place.address, place.size)
            if found is not None and found.before == line.at == self._read:
                # This one was shown: the one behind it is meant.
                found = line.next_reader(place.task, place.address, place.size, found.after)
            return found

        went = self._to_touch(find)
        self._read = None if went is None else Instant(*went.at)
        return went

    def touches(self, thread: int, since: At) -> tuple[WordTouch, ...]:
        """List the touches of a thread's UTCB from an instant to the cursor, the last first."""
        line = self._line()
        with _Errors():
            base = line.utcb_address(thread)
            place = Place(line.task_of(thread), base, WORDS * line.log.word, True, True)
            lowest = max(Instant(*since), Instant(line.position - FARTHEST))
            found = line.touches_back(place, until=lowest, most=MOST_TOUCHES)
            return tuple(_word_touch(line, thread, touch) for touch in found)

    def why(self, thread: int, what: str) -> tuple[WhyLine, ...]:
        """Say where a value comes from; the cursor stays."""
        line = self._line()
        with _Errors():
            answer = explain(line, thread, what)
        lines = [
            WhyLine(0, "value", f"{what} of {answer.thread}", "", At(*answer.at), answer.value)
        ]
        stack = [(origin, 1) for origin in reversed(answer.origins)]
        while stack:
            origin, depth = stack.pop()
            lines.append(_why_line(origin, depth))
            stack += [(each, depth + 1) for each in reversed(origin.behind)]
        return tuple(lines)

    def objects(self) -> Objects:
        """Say which objects there are at the cursor."""
        line = self._line()
        with _Errors():
            return _objects(line)

    def cancel(self) -> None:
        """Call off the movement under way, from another thread."""
        self._cancelled = True

    def close(self) -> None:
        """Give the machine back."""
        if self._made is not None:
            self._made.close()

    def _line(self) -> Timeline:
        self._cancelled = False
        if self._made is None:
            with _Errors():
                self._made = self._make()
            self._made.poll = self._poll
        return self._made

    def _poll(self) -> None:
        if self._cancelled:
            raise CancelledError

    def _go(self, line: Timeline, at: Instant) -> str:
        line.seek(at)
        return ""

    def _move(self, go: Callable[[Timeline], str]) -> Moment:
        line = self._line()
        with _Errors():
            return moment(line, go(line))

    def _move_to(self, find: Callable[[Timeline], Stop | None]) -> Moment | None:
        line = self._line()
        with _Errors():
            stop = find(line)
            return None if stop is None else moment(line, _say(line, stop))

    def _to_touch(self, find: Callable[[Timeline], Touch | None]) -> Moment | None:
        line = self._line()
        with _Errors():
            touch = find(line)
            if touch is None:
                return None
            line.seek(touch.before)
            return moment(line, _describe(line, touch))


def mover_of(trace: Trace) -> Mover:
    """Make one that runs a trace's run again, from the trace alone."""

    def make() -> Timeline:
        if recorded_run(trace).identity() != trace.head.identity():
            raise UnavailableError(f"it was recorded on the model {trace.head.model}")
        return timeline_of(trace)

    return Mover(make)


def moment(line: Timeline, why_here: str = "") -> Moment:
    """Make a value of what a timeline shows at its cursor."""
    events = line.log.count(line.at)
    return Moment(
        at=At(*line.at),
        cycle=line.cycle,
        running=line.running,
        events=events,
        last=line.log.event(events - 1) if events else None,
        threads={number: _thread(line, number) for number in line.threads()},
        why_here=why_here,
    )


def _thread(line: Timeline, number: int) -> ThreadMoment:
    state = line.thread(number)
    return ThreadMoment(
        number=number,
        name=state.name,
        task=state.task,
        waits_for=state.waits_for,
        ip=state.registers.get("rip", state.registers.get("eip", state.ip)),
        registers=state.registers,
        utcb=state.utcb,
        calls=tuple(frame.call for frame in reversed(state.stack) if not frame.is_mark),
    )


def _place(line: Timeline, thread: int, word: int) -> Place:
    size = line.log.word
    address = line.utcb_address(thread) + word * size
    return Place(line.task_of(thread), address, size, True, True)


def _done(_: object) -> str:
    return ""


def _say(line: Timeline, stop: Stop) -> str:
    if stop.touch is None:
        return f"a breakpoint, in {line.names.of(stop.thread)}"
    return _describe(line, stop.touch)


def _describe(line: Timeline, touch: Touch) -> str:
    what = "writes" if touch.is_write else "reads"
    name = line.names.of(touch.thread)
    word = _word_of(line, touch)
    if touch.by_kernel:
        return f"the kernel {what} {word} (event {touch.event})"
    place = line.names.place(touch.thread, touch.ip)
    return f"{name} {what} {word} = {touch.value:#x} in {place}"


def _word_of(line: Timeline, touch: Touch) -> str:
    # A UTCB's frame is the start of as many bytes as a UTCB has.
    size = line.log.word
    first = (touch.address // size) % WORDS
    last = ((touch.address + touch.size - 1) // size) % WORDS
    name = name_of(first)
    return name if last == first else f"{name} to {name_of(last)}"


def _word_touch(line: Timeline, thread: int, touch: Touch) -> WordTouch:
    size = line.log.word
    first = (touch.address // size) % WORDS
    last = ((touch.address + touch.size - 1) // size) % WORDS
    return WordTouch(
        at=At(*touch.before),
        first=first,
        count=last - first + 1,
        is_write=touch.is_write,
        thread=touch.thread,
        ip=touch.ip,
        event=touch.event if touch.by_kernel else None,
        value=touch.value,
    )


def _why_line(origin: Origin, depth: int) -> WhyLine:
    by = "" if origin.kind == "copied" else f"  by {origin.thread}"
    moves = f", through {origin.moves} moves" if origin.moves > 1 else ""
    return WhyLine(
        depth,
        origin.kind,
        f"{origin.what}{moves}{by}",
        origin.place,
        At(*origin.at),
        origin.value,
    )


def _objects(line: Timeline) -> Objects:
    rows: list[ObjectRow] = []
    caps: list[CapRow] = []
    left_out = 0
    names = line.names
    found = line.objects()
    for number, each in sorted(found.items()):
        rows.append(ObjectRow(number, _kind(each), names.of(number), _text_of(line, each)))
        if not isinstance(each, Task):
            continue
        for index, cap in sorted(each.caps.items()):
            if len(caps) >= MOST_CAPS:
                left_out += 1
                continue
            target = cap.object
            kind = _kind(target)
            rights = "".join(letter for bit, letter in _RIGHTS if cap.rights & bit)
            name = names.of(target.number)
            caps.append(CapRow(names.of(number), index, kind, name, rights))
    return Objects(tuple(rows), tuple(caps), left_out)


def _kind(each: object) -> str:
    return type(each).__name__.lower().removesuffix("object")


def _text_of(line: Timeline, each: object) -> str:
    names = line.names
    match each:
        case Thread():
            if not each.is_bound():
                return "not bound to a task"
            waits = line.waits_for(each.number)
            return f"waits for {waits}" if waits else "can run"
        case Gate():
            to = "no thread" if each.thread is None else names.of(each.thread.number)
            waiting = f", {len(each.senders)} waiting" if each.senders else ""
            return f"to {to}, label {each.label:#x}{waiting}"
        case Irq():
            to = "no thread" if each.thread is None else names.of(each.thread.number)
            state = ", pending" if each.pending or each.queued else ""
            return f"to {to}, label {each.label:#x}{state}"
        case Semaphore():
            waiting = ", ".join(names.of(thread.number) for thread in each.waiters)
            return f"counter {each.counter}" + (f"; {waiting} wait" if waiting else "")
        case Task():
            return f"{len(each.caps)} capabilities, {len(each.pages)} pages"
        case _:
            return ""


class _Errors:
    """Makes one kind of error of those that a movement can end with."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UsageError | GuestError):
            raise UnavailableError(str(error)) from error
