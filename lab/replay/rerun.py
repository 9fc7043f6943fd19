"""A rerun: one run of a scenario, executed as often as it takes, from checkpoint to instant.

There is one *live* run at a time.  The *frontier* is the last instant that was ever
reached; up to there events and turns are known, and what is executed again adds nothing.

Rule 1: an instant's state does not depend on the checkpoint that it was reached from.
Rule 2: a live run that an exception ends is thrown away; checkpoints are never wrong.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from emu.calls import Frame
from emu.recorder import Access
from emu.timing import Timing
from emu.watch import Watch
from guest.image import Image
from guest.scenario import Scenario
from kernel.abi import ARCHES
from kernel.events import Event, Outcome
from kernel.freeze import freeze, thaw
from kernel.kernel import end, run
from kernel.state import Kernel
from lab.names import Names
from lab.recorder import RunRecorder
from lab.replay.checkpoints import Checkpoint, Checkpoints
from lab.replay.event_log import EventLog
from lab.replay.halting import Halted, HaltingMachine, Instant
from lab.replay.host import let_call, repeat_calls
from lab.replay.system import DEFAULT_TIMING, boot, configure, identify
from lab.replay.touches import Looker

_APART = 4096  # instructions between the first checkpoints
_GROWTH = 32  # further on: a part of the way so far
_BEFORE = (64, 1024, 16384, 262144)  # checkpoints so far before a target
_PATIENCE = 1 << 18  # instructions between two polls
_ENTRIES = 1024  # kernel entries between two polls


@dataclass(slots=True, eq=False)
class Live:
    """The run that exists at the moment."""

    machine: HaltingMachine
    kernel: Kernel
    at: Instant
    events: int  # that have happened
    outcome: Outcome | None = None  # once it has ended
    is_at_break: bool = False
    looker: Looker | None = None


class Rerun:
    """Executes a scenario again.

    `poll` is called now and then; what it raises ends the live run.
    """

    def __init__(
        self,
        scenario: Scenario,
        images: dict[str, Image],
        *,
        budget: int,
        memory: int,
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        self.scenario = scenario
        self.budget = budget  # cycles
        self.poll: Callable[[], None] | None = None
        self.polled = Instant(0)  # where that was called last
        identity = identify(scenario, images, timing=timing)
        self.log = EventLog(ARCHES[identity.arch].word)
        self.checkpoints = Checkpoints(memory)
        self.turns: dict[int, int] = {}  # by position: its last instant, where it has several
        self.frontier = Instant(0)
        self.end: Instant | None = None  # once it was reached
        self.cursor = Instant(0)  # checkpoints are dense around it
        self.live: Live | None = None
        self._recorder = RunRecorder(identity, listener=self._take)
        self._config = configure(scenario, timing=timing)
        machine = HaltingMachine(self._config)
        system = boot(scenario, images, recorder=self._recorder, machine=machine)
        self.names: Names = system.names
        self._recorder.names = system.names
        self._host = system.host
        self.host = 0 if system.host is None else system.host.number
        self.tasks = {name: task.number for name, task in system.tasks.items()}
        self._start(Live(machine, system.kernel, Instant(0), len(self.log)))
        self._run(Instant(0), None)
        self.save()

    def now(self) -> Live:
        """Give the live run, wherever it is."""
        if self.live is None:
            self._thaw(self.checkpoints.latest(Instant(0)))
        assert self.live is not None
        return self.live

    def close(self) -> None:
        """Give the machine back."""
        if self.live is not None:
            self.live.machine.close()
            self.live = None

    def go(self, target: Instant, wanted: Callable[[], bool] | None = None) -> None:
        """Bring the live run to the first instant that is not before `target`."""
        base = self.checkpoints.latest(target)
        live = self.live
        if live is None or live.at > target or live.at < base.at:
            self._thaw(base)
        self.advance(target, wanted)

    def advance(self, target: Instant, wanted: Callable[[], bool] | None = None) -> None:
        """Let the live run go on, and save it on the way; not beyond where it halts.

        That is where `wanted` answers true, which is asked at every instant that follows a
        trap, or at a break of the machine.
        """
        live = self.now()
        while live.at < target and live.outcome is None:
            goal, is_to_save = self._next_stop(target)
            self._run(goal, wanted)
            if live.at < goal or live.is_at_break:
                return
            if is_to_save and live.outcome is None:
                self.save()
            if self.poll is not None:
                self.polled = live.at
                self.poll()

    def save(self) -> None:
        """Make a checkpoint of where the live run is."""
        live = self.now()
        if live.outcome is not None:
            return
        machine = live.machine
        self.checkpoints.add(
            Checkpoint(
                at=live.at,
                before=machine.before,
                cycle=machine.now,
                machine=zlib.compress(machine.freeze(), 1),
                kernel=zlib.compress(freeze(live.kernel), 1),
                stacks=self._stacks(live),
                events=live.events,
            ),
            cursor=self.cursor,
        )

    def rewatch(
        self,
        addresses: range = range(0),
        full: Callable[[list[Access]], None] | None = None,
    ) -> Watch:
        """Watch other memory from now on; the stacks of calls stay.  By default none."""
        live = self.now()
        stacks = self._stacks(live)
        watch = live.machine.watch(addresses, full or _ignore)
        self._store_stacks(live, stacks)
        return watch

    def _take(self, event: Event) -> None:
        """Take note of an event of the live run."""
        live = self.live
        if live is None:
            self.log.append(event, shown=Instant(0), before=Instant(0))
            return
        machine = live.machine
        if live.events == len(self.log):
            self.log.append(event, shown=machine.shown, before=machine.before)
        if live.looker is not None:
            live.looker.happened(event, live.events, live.kernel)
        live.events += 1

    def _start(self, live: Live) -> None:
        if self.live is not None:
            self.live.machine.close()
        self.live = live
        live.machine.turns = self.turns
        live.machine.watch(range(0), _ignore)

    def _thaw(self, checkpoint: Checkpoint) -> None:
        data = zlib.decompress(checkpoint.machine)
        machine = HaltingMachine.thaw(self._config, data)
        if self._host is not None:
            let_call(machine, self._host, repeat_calls(self.scenario.host or ()))
        kernel = thaw(zlib.decompress(checkpoint.kernel), machine, recorder=self._recorder)
        machine.at = checkpoint.at
        machine.before = checkpoint.before
        machine.last = kernel.running
        machine.resuming = True
        self._start(Live(machine, kernel, checkpoint.at, checkpoint.events))
        live = self.now()
        self._store_stacks(live, checkpoint.stacks)

    def _stacks(self, live: Live) -> tuple[tuple[int, tuple[Frame, ...]], ...]:
        threads = sorted(live.kernel.threads.items())
        machine = live.machine
        bound = [number for number, thread in threads if thread.is_bound()]
        return tuple((number, machine.stack(machine.context(number))) for number in bound)

    def _store_stacks(
        self, live: Live, stacks: tuple[tuple[int, tuple[Frame, ...]], ...]
    ) -> None:
        for number, frames in stacks:
            live.machine.store_stack(live.machine.context(number), frames)

    def _next_stop(self, target: Instant) -> tuple[Instant, bool]:
        """Give where to stop next on the way to a target, and whether to save there."""
        at = self.now().at
        goal, is_to_save = target, False
        last = self.checkpoints.latest(at).at.position
        due = max(last + max(_APART, last // _GROWTH), at.position + 1)
        if due < goal.position:
            goal, is_to_save = Instant(due), True
        if at < self.frontier:
            known = min(target, self.frontier).position
            for distance in _BEFORE:
                place = known - distance
                if at.position + distance // 4 < place < goal.position:
                    goal, is_to_save = Instant(place), True
        if at.position + _PATIENCE < goal.position:
            goal, is_to_save = Instant(at.position + _PATIENCE), False
        return goal, is_to_save

    def _run(self, goal: Instant, wanted: Callable[[], bool] | None) -> None:
        """Run on to the first instant that is not before `goal`, or where it halts."""
        live = self.now()
        machine = live.machine
        machine.goal = goal
        machine.wanted = self._asking(wanted)
        live.is_at_break = False
        try:
            outcome = run(live.kernel, self.budget)
            live.at = machine.shown
            live.outcome = outcome
            end(live.kernel, outcome)
            self.end = live.at
            if live.looker is not None:
                live.looker.entered(live.at)
        except Halted as halted:
            live.at = halted.at
            live.is_at_break = halted.is_break
        except BaseException:
            # What it stands at is not known: another one goes on from a checkpoint.
            self.live = None
            machine.close()
            raise
        self.frontier = max(self.frontier, live.at)

    def _asking(self, wanted: Callable[[], bool] | None) -> Callable[[], bool] | None:
        # A run may go on for long without completing anything: it is asked now and then.
        poll = self.poll
        if poll is None:
            return wanted
        entries = 0

        def ask() -> bool:
            nonlocal entries
            entries += 1
            if not entries % _ENTRIES:
                self.polled = self.now().machine.at
                poll()
            return wanted is not None and wanted()

        return ask


def _ignore(accesses: list[Access]) -> None:
    """Take no note of accesses: only calls are watched."""
