"""A timeline: a run that can be moved in, forwards and backwards.

A run is deterministic, so going back is going on from a checkpoint before; nothing is ever
undone.  The *cursor* is an instant (see `lab.replay.halting`); the *frontier* is the last
instant that was ever reached, and up to there the events and turns are known.

Rule 1: what a timeline shows at an instant does not depend on how it got there.
Rule 2: a refused movement leaves the cursor where it was.
Rule 3: memory is bounded: checkpoints by `memory` bytes, and of what a search finds only
the last few are kept.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from emu.calls import Frame
from emu.errors import NotMappedError
from emu.timing import Timing
from guest.image import Image
from guest.scenario import Scenario
from kernel.errors import UsageError
from kernel.events import (
    Event,
    Exception_,
    Fault,
    Invocation,
    Log,
    Outcome,
    Switch,
    Transfer,
    Waiting,
    words_of,
)
from kernel.freeze import freeze
from kernel.objects import Object, Task, Thread
from kernel.port import SYSTEM_CALL
from kernel.utcb import WORDS
from lab.names import Names
from lab.replay.event_log import kinds_of
from lab.replay.halting import NEVER, Instant
from lab.replay.rerun import Live, Rerun
from lab.replay.search import Break, Stop, check_mapped, search_back, search_on
from lab.replay.states import State, ThreadState, state_of_thread, waits_for
from lab.replay.system import DEFAULT_TIMING, load_programs
from lab.replay.touches import Place, Touch, runs_of
from lab.trace.console import decode_console

MEMORY = 256 << 20  # bytes of all checkpoints
CALLS: tuple[type[Event], ...] = (Transfer, Invocation, Waiting)
MESSAGES: tuple[type[Event], ...] = (Transfer,)
FAULTS: tuple[type[Event], ...] = (Fault, Exception_)

_MOST_MEMORY = 16 << 20  # bytes that are read at once


class MarkError(UsageError):
    """A place in a run was asked for that does not exist."""


Condition = Callable[[Stop], bool]


@dataclass(frozen=True, slots=True)
class Copying:
    """A transfer seen in the middle: `done` of its words are copied."""

    event: int  # its number
    transfer: Transfer
    done: int
    words: tuple[int, ...]  # what the receiver has in the words that the message counts


class Timeline:
    """A scenario's run, and a cursor in it; before its first instruction at first.

    `poll` is called now and then while a movement lasts; what it raises ends the movement,
    and the cursor stays where it was.
    """

    def __init__(
        self,
        scenario: Scenario,
        images: dict[str, Image] | None = None,
        *,
        cycles: int | None = None,
        memory: int = MEMORY,
        timing: Timing = DEFAULT_TIMING,
        poll: Callable[[], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self.images = load_programs(scenario) if images is None else images
        self.poll = poll
        budget = scenario.cycles if cycles is None else cycles
        self._rerun = Rerun(scenario, self.images, budget=budget, memory=memory, timing=timing)
        self._closed = False
        self._cursor = self._rerun.now().at
        self.names: Names = self._rerun.names
        self.log = self._rerun.log
        self.tasks: dict[str, int] = self._rerun.tasks  # those of the scenario, by name
        self.host = self._rerun.host  # the number of the thread that a test calls from, or 0

    # -- where ------------------------------------------------------------------

    @property
    def at(self) -> Instant:
        """The cursor."""
        return self._cursor

    @property
    def position(self) -> int:
        """Instructions completed at the cursor."""
        return self._cursor.position

    @property
    def end(self) -> Instant | None:
        """The end of the run, once it was reached."""
        return self._rerun.end

    @property
    def frontier(self) -> Instant:
        """The last instant that was ever reached."""
        return self._rerun.frontier

    @property
    def polled(self) -> Instant:
        """Where `poll` was called last."""
        return self._rerun.polled

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; None if the cursor is not at its end."""
        return self._now().outcome

    @property
    def checkpoint_bytes(self) -> int:
        """The memory that checkpoints take."""
        return self._rerun.checkpoints.size

    @property
    def checkpoints(self) -> int:
        """The number of checkpoints."""
        return len(self._rerun.checkpoints)

    def close(self) -> None:
        """Give the machine back; nothing can be asked any more."""
        self._closed = True
        self._rerun.close()

    # -- moving -----------------------------------------------------------------

    def seek(self, to: int | Instant) -> Instant:
        """Go to an instant; MarkError if the run has none there."""
        target = to if isinstance(to, Instant) else Instant(to)
        if target.position < 0 or target.turn < 0:
            raise MarkError(f"no position {target}: they begin at 0")
        with _Returning(self) as returning:
            self._rerun.go(target)
            found = self._rerun.now().at
            if found != target:
                if self._rerun.end is not None and target > self._rerun.end:
                    raise MarkError(f"no position {target}: the run ends at {self._rerun.end}")
                last = Instant(target.position, self._rerun.turns.get(target.position, 0))
                raise MarkError(f"no position {target}: the last one there is {last}")
            returning.stay(target)
        return target

    def seek_end(self) -> Instant:
        """Go to the end of the run, which its budget of cycles makes sure to exist."""
        with _Returning(self) as returning:
            self._rerun.go(NEVER if self._rerun.end is None else self._rerun.end)
            returning.stay(self._rerun.now().at)
        return self._cursor

    def step(self, count: int = 1) -> int:
        """Go `count` instants on, or back if it is negative; give how many there were.

        From one to the next, an instruction is executed or raises a trap.
        """
        with _Returning(self) as returning:
            done = self._step_on(count) if count >= 0 else self._step_back(-count)
            returning.stay(self._rerun.now().at)
        return done

    def _step_on(self, count: int) -> int:
        at = self._cursor
        done = 0
        # Where everything is known, nothing has to be executed on the way.
        while done < count and Instant(at.position + 1) < self._rerun.frontier:
            known = self._rerun.turns.get(at.position, 0) - at.turn
            steps = min(known, count - done)
            at = Instant(at.position, at.turn + steps)
            done += steps
            if done < count:
                at = Instant(at.position + 1)
                done += 1
        self._rerun.go(at)
        while done < count and self._rerun.now().outcome is None:
            at = self._rerun.now().at
            self._rerun.go(Instant(at.position, at.turn + 1))
            done += 1
        return done

    def _step_back(self, count: int) -> int:
        at = self._cursor
        done = 0
        while done < count and at > (0, 0):
            if at.turn:
                steps = min(at.turn, count - done)
                at = Instant(at.position, at.turn - steps)
                done += steps
            else:
                at = Instant(at.position - 1, self._rerun.turns.get(at.position - 1, 0))
                done += 1
        self._rerun.go(at)
        return done

    def next_event(self, *types: type[Event], thread: int | None = None) -> int | None:
        """Go to the first instant after the cursor that shows an event of these types.

        Give the event's number; None, and the cursor stays, if there is none.  With a thread,
        only events that it has a part in.
        """
        kinds = kinds_of(types) if types else None
        number = self.log.count(self._cursor)
        with _Returning(self) as returning:
            while number < len(self.log) or self._reach_event(number):
                if self._is_wanted(number, kinds, thread):
                    self._rerun.go(self.log.shown(number))
                    returning.stay(self._rerun.now().at)
                    return number
                number += 1
        return None

    def previous_event(self, *types: type[Event], thread: int | None = None) -> int | None:
        """Go back to the last instant before the cursor that is the first to show an event.

        Like `next_event` otherwise.
        """
        kinds = kinds_of(types) if types else None
        number = self.log.count(self._cursor) - 1
        while number >= 0:
            if self.log.shown(number) < self._cursor and self._is_wanted(number, kinds, thread):
                self.seek(self.log.shown(number))
                return number
            number -= 1
        return None

    def seek_event(self, number: int) -> Instant:
        """Go to the first instant that shows an event; MarkError if there are fewer."""
        with _Returning(self) as returning:
            if number >= len(self.log) and not self._reach_event(number):
                raise MarkError(f"no event {number}: the run has {len(self.log)}")
            self._rerun.go(self.log.shown(number))
            returning.stay(self._rerun.now().at)
        return self._cursor

    def _reach_event(self, number: int) -> bool:
        """Go on from the frontier until there is an event of this number."""
        rerun = self._rerun
        if rerun.end is None:
            rerun.go(rerun.frontier)
            rerun.go(NEVER, lambda: len(rerun.log) > number)
        return len(rerun.log) > number

    def _is_wanted(self, number: int, kinds: frozenset[int] | None, thread: int | None) -> bool:
        if kinds is not None and self.log.kind(number) not in kinds:
            return False
        if thread is None:
            return True
        event = self.log.event(number)
        names = ("thread", "sender", "receiver")
        return thread in (getattr(event, name, None) for name in names)

    def seek_cycle(self, cycle: int) -> Instant:
        """Go to the first instant at or after a cycle; MarkError if the run ends before."""
        if cycle < 0:
            raise MarkError(f"no cycle {cycle}: they begin at 0")
        with _Returning(self) as returning:
            low, high = self._around_cycle(cycle)

            def is_reached(at: Instant) -> bool:
                self._rerun.go(at)
                return self._rerun.now().machine.now >= cycle

            turns = self._rerun.turns
            positions = range(low.position, high.position)
            place = low.position + bisect_left(
                positions, True, key=lambda at: is_reached(Instant(at, turns.get(at, 0)))
            )
            known = range(turns.get(place, 0) + 1)
            turn = bisect_left(known, True, key=lambda turn: is_reached(Instant(place, turn)))
            self._rerun.go(Instant(place, turn))
            returning.stay(self._rerun.now().at)
        return self._cursor

    def _around_cycle(self, cycle: int) -> tuple[Instant, Instant]:
        """Give an instant before a cycle's, and one at or after it, near to each other."""
        self._rerun.go(self._rerun.checkpoints.before_cycle(cycle).at)
        low = self._rerun.now().at

        def is_past() -> bool:
            nonlocal low
            machine = self._rerun.now().machine
            if machine.now < cycle:
                low = machine.at
            return machine.now >= cycle

        self._rerun.go(NEVER, wanted=is_past)
        live = self._rerun.now()
        if live.machine.now < cycle:
            raise MarkError(f"no cycle {cycle}: the run ends at {live.machine.now}")
        return low, live.at

    def run_forward(
        self,
        breaks: tuple[Break, ...] = (),
        places: tuple[Place, ...] = (),
        *,
        condition: Condition | None = None,
        until: Instant | None = None,
    ) -> Stop | None:
        """Go on to the next break, or behind the next touch of a place.

        None: there was none before `until`, or the end; the cursor is there.  With a condition,
        only a stop counts for which it is true: it is asked with the cursor there, and must
        leave it there.
        """
        goal = NEVER if until is None else until
        with _Returning(self) as returning:
            while True:
                stop = search_on(self._rerun, breaks, places, goal)
                at = self._rerun.now().at
                if stop is None or condition is None or self._asked(condition, stop):
                    returning.stay(at)
                    return stop

    def run_back(
        self,
        breaks: tuple[Break, ...] = (),
        places: tuple[Place, ...] = (),
        *,
        condition: Condition | None = None,
        until: Instant | None = None,
    ) -> Stop | None:
        """Go back to the last break, or before the last touch; like `run_forward` otherwise."""
        goal = Instant(0) if until is None else until
        with _Returning(self) as returning:
            for stop in search_back(self._rerun, breaks, places, self._cursor):
                if stop.at < goal:
                    break
                self._rerun.go(stop.at)
                if condition is None or self._asked(condition, stop):
                    returning.stay(stop.at)
                    return stop
            self._rerun.go(goal)
            returning.stay(goal)
        return None

    def _asked(self, condition: Condition, stop: Stop) -> bool:
        # It looks at the timeline as if the cursor were there.
        cursor, self._cursor = self._cursor, stop.at
        answer = condition(stop)
        self._cursor = cursor
        return answer

    def next_of(self, thread: int) -> Instant:
        """Give the first instant after the cursor at which a thread runs, or the end."""
        rerun = self._rerun
        with _Returning(self):
            self._step_on(1)
            live = rerun.now()
            if live.machine.last == thread or live.outcome is not None:
                return live.at
            number = self.log.count(live.at)
            while number < len(self.log) or self._reach_event(number):
                event = self.log.event(number)
                if isinstance(event, Switch) and event.next == thread:
                    return self.log.shown(number)
                number += 1
            return self.frontier

    def previous_of(self, thread: int) -> Instant:
        """Give the last instant before the cursor at which a thread runs, or the first one."""
        with _Returning(self):
            number = self.log.count(self._cursor) - 1
            self._step_back(1)
            live = self._rerun.now()
            if live.machine.last == thread:
                return live.at
            while number >= 0:
                event = self.log.event(number)
                if isinstance(event, Switch) and event.previous == thread:
                    return self.log.before(number)
                number -= 1
        return Instant(0)

    def last_writer(
        self, task: int, address: int, size: int, at: Instant | None = None
    ) -> Touch | None:
        """Find who wrote any of these bytes last before an instant, by default the cursor.

        None: nobody since boot.  The cursor stays.
        """
        place = Place(task, address, size, reads=False, writes=True)
        upper = self._cursor if at is None else at
        with _Returning(self):
            self._rerun.go(upper)
            check_mapped(self._rerun, place)
            for stop in search_back(self._rerun, (), (place,), upper):
                return stop.touch
        return None

    def touches_back(self, place: Place, *, until: Instant, most: int) -> list[Touch]:
        """List the touches of a place before the cursor, the last first.

        Only those from `until` on, and at most so many.  The cursor stays.
        """
        upper = self._cursor
        found: list[Touch] = []
        with _Returning(self):
            check_mapped(self._rerun, place)
            for stop in search_back(self._rerun, (), (place,), upper):
                if stop.at < until or len(found) >= most:
                    break
                assert stop.touch is not None
                found.append(stop.touch)
        return found

    def next_reader(
        self, task: int, address: int, size: int, at: Instant | None = None
    ) -> Touch | None:
        """Find who reads any of these bytes first after an instant; None: nobody does."""
        place = Place(task, address, size, reads=True, writes=False)
        with _Returning(self):
            self._rerun.go(self._cursor if at is None else at)
            check_mapped(self._rerun, place)
            stop = search_on(self._rerun, (), (place,))
            return None if stop is None else stop.touch

    def next_access(
        self,
        thread: int,
        first: int,
        count: int = 1,
        *,
        reads: bool = True,
        writes: bool = True,
    ) -> Stop | None:
        """Go behind the next access to words of a thread's UTCB; None, and stay, if none."""
        place = self._words(thread, first, count, reads=reads, writes=writes)
        with _Returning(self) as returning:
            stop = search_on(self._rerun, (), (place,))
            if stop is not None:
                returning.stay(self._rerun.now().at)
        return stop

    def previous_access(
        self,
        thread: int,
        first: int,
        count: int = 1,
        *,
        reads: bool = True,
        writes: bool = True,
    ) -> Stop | None:
        """Go before the last access to words of a thread's UTCB; None, and stay, if none."""
        place = self._words(thread, first, count, reads=reads, writes=writes)
        with _Returning(self) as returning:
            for stop in search_back(self._rerun, (), (place,), self._cursor):
                self._rerun.go(stop.at)
                returning.stay(stop.at)
                return stop
        return None

    # -- what is there ----------------------------------------------------------

    @property
    def cycle(self) -> int:
        """The cycle at the cursor."""
        return self._now().machine.now

    @property
    def running(self) -> int | None:
        """The number of the thread that runs next; None if the run has ended."""
        live = self._now()
        return None if live.outcome is not None else live.machine.last

    def state(self) -> State:
        """Give everything there is to see at the cursor, but memory."""
        live = self._now()
        return State(
            at=self._cursor,
            cycle=live.machine.now,
            running=self.running,
            outcome=live.outcome,
            events=live.events,
            console=self.console(),
            threads=tuple(self.thread(number) for number in self.threads()),
        )

    def threads(self) -> tuple[int, ...]:
        """List the numbers of the threads that have a task, in their order."""
        threads = self._now().kernel.threads
        return tuple(sorted(n for n, thread in threads.items() if thread.is_bound()))

    def find_thread(self, name: str) -> int:
        """Give the number of a thread by its name or that number; UsageError if it is none."""
        for number in self.threads():
            if name in (self.names.of(number), str(number)):
                return number
        raise UsageError(f"no thread {name[:40]!a} at {self._cursor}")

    def task_of(self, thread: int) -> int:
        """Give the number of a thread's task."""
        return self._thread(thread).task.number

    def spaces(self) -> tuple[int, ...]:
        """List the numbers of all tasks, in their order."""
        objects = self._now().kernel.objects
        return tuple(sorted(n for n, each in objects.items() if isinstance(each, Task)))

    def objects(self) -> dict[int, Object]:
        """Give the kernel's objects at the cursor by their numbers, to be looked at only."""
        return dict(self._now().kernel.objects)

    def thread(self, number: int) -> ThreadState:
        """Give the state of a thread."""
        thread = self._thread(number)
        return state_of_thread(
            self._now().kernel,
            thread,
            registers=self.registers(number),
            stack=self.stack(number),
            names=self.names,
        )

    def waits_for(self, number: int) -> str:
        """Say what a thread waits for; empty if it does not."""
        return waits_for(self._thread(number), self.names)

    def registers(self, thread: int) -> dict[str, int]:
        """Give a thread's registers by name, as its next instruction will see them."""
        found = self._thread(thread)
        context = self._now().machine.context(thread)
        arch = self._now().kernel.arch
        values = {name: context.load_register(name) for name in register_names(arch.word)}
        if context.trap == SYSTEM_CALL and found.is_runnable():
            # The answer waits in the kernel, until the thread runs.
            tag, label = ("rax", "rsi") if arch.word == 8 else ("eax", "esi")
            values[tag] = context.tag & arch.mask
            values[label] = context.label & arch.mask
        return values

    def ip(self, thread: int) -> int:
        """Give a thread's instruction pointer."""
        return self._thread(thread).context.ip

    def stack(self, thread: int) -> tuple[Frame, ...]:
        """Give the calls that a thread has not returned from, outermost first."""
        return self._now().machine.stack(
            self._now().machine.context(self._thread(thread).number)
        )

    def utcb(self, thread: int) -> tuple[int, ...]:
        """Give all words of a thread's UTCB."""
        utcb = self._thread(thread).utcb
        return tuple(int(utcb.load(k)) for k in range(WORDS))

    def utcb_address(self, thread: int) -> int:
        """Give the address of a thread's UTCB in its task."""
        return self._thread(thread).utcb_address

    def read(self, task: int, address: int, size: int) -> bytes:
        """Read a task's memory whatever its rights; UsageError if some is not mapped."""
        live = self._now()
        if not isinstance(live.kernel.objects.get(task), Task):
            raise UsageError(f"no task {task} at {self._cursor}")
        if size > _MOST_MEMORY:
            raise UsageError(f"{size} bytes, more than {_MOST_MEMORY}")
        try:
            return live.machine.read(task, address, size)
        except NotMappedError as error:
            code = live.machine.fetch(task, address, size)  # the call page is only executed
            if len(code) == size:
                return code
            raise UsageError(str(error)) from error

    def touches(self, place: Place, touch: Touch) -> bool:
        """Tell whether a touch is one of a place, as its pages are mapped at the cursor."""
        end = touch.address + touch.size
        return any(
            at < end and touch.address < at + size
            for at, size in runs_of(self._now().machine, place)
        )

    def code(self, thread: int, address: int, size: int) -> bytes:
        """Read what a thread could execute at an address; shorter where that ends."""
        return self._now().machine.fetch(self.task_of(thread), address, size)

    def console(self) -> str:
        """Give all that guests wrote to the log before the cursor."""
        return "".join(text for _, text in self.console_lines())

    def console_lines(self) -> Iterator[tuple[Instant, str]]:
        """Give each text that was written to the log, and the instant that shows it."""
        log_kind = kinds_of((Log,))
        for number in range(self._now().events):
            if self.log.kind(number) in log_kind:
                event = self.log.event(number)
                assert isinstance(event, Log)
                yield self.log.shown(number), decode_console(event.data)

    def digest(self) -> tuple[bytes, bytes]:
        """Give the whole state at the cursor as the machine's and the kernel's bytes."""
        live = self._now()
        return live.machine.freeze(), freeze(live.kernel)

    def copying(self, position: int, done: int) -> Copying:
        """Look at the transfer at a position when `done` of its words were copied.

        It is made up of the event: nothing moves.  MarkError if there is none.
        """
        if position < 0 or done < 0:
            raise MarkError(f"no place {position}/{done} in a system call")
        at = Instant(position)
        if self._rerun.frontier.position <= position and self._rerun.end is None:
            with _Returning(self):
                self._rerun.go(Instant(position + 1))
        for number in self.log.at_position(position):
            event = self.log.event(number)
            if isinstance(event, Transfer):
                words = words_of(event.payload, self.log.word)
                old = words_of(event.overwritten, self.log.word)
                if done > len(words):
                    raise MarkError(f"no word {done} at {at}: {len(words)} are copied there")
                return Copying(number, event, done, words[:done] + old[done:])
        raise MarkError(f"no message is copied at position {position}")

    def settle(self, at: Instant) -> None:
        """Put the cursor, and the live run, where a movement ended."""
        self._cursor = self._rerun.cursor = at
        self._rerun.poll = None
        if not self._closed:
            self._rerun.go(at)

    def begin(self) -> None:
        """Begin a movement."""
        if self._closed:
            raise UsageError("the timeline is closed")
        self._rerun.poll = self.poll

    def _now(self) -> Live:
        if self._closed:
            raise UsageError("the timeline is closed")
        rerun = self._rerun
        if rerun.live is None or rerun.live.at != self._cursor:
            rerun.go(self._cursor)
        return rerun.now()

    def _thread(self, number: int) -> Thread:
        found = self._now().kernel.threads.get(number)
        if found is None or not found.is_bound():
            raise UsageError(f"no thread {number} at {self._cursor}")
        return found

    def _words(
        self, thread: int, first: int, count: int, *, reads: bool, writes: bool
    ) -> Place:
        if not (first >= 0 and count > 0 and first + count <= WORDS):
            raise UsageError(f"UTCB words {first} to {first + count - 1} of {WORDS}")
        found = self._thread(thread)
        word = self.log.word
        address = found.utcb_address + first * word
        return Place(found.task.number, address, count * word, reads, writes)


class _Returning:
    """Brings a timeline back to its cursor, unless the movement has found a place to stay."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._at = timeline.at

    def stay(self, at: Instant) -> None:
        """Let the cursor be here, where the live run is."""
        self._at = at

    def __enter__(self) -> Self:
        self._timeline.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._timeline.settle(self._at)


def register_names(word: int) -> tuple[str, ...]:
    """Name the registers that are shown, in gdb's order, without those of the FPU."""
    return _AMD64 if word == 8 else _IA32


_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
_AMD64 = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{number}" for number in range(8, 16)),
    *("rip", "flags", *_SEGMENTS, "fs_base", "gs_base"),
)
_IA32 = (
    *("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"),
    *("eip", "flags", *_SEGMENTS),
)
