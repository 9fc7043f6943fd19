"""A stage: one system that runs a scenario again and again, each time with other choices.

Rule 1: a run on a stage is the run that its variation names, byte for byte, whatever ran on
the stage before.
Rule 2: going back to the start costs what has changed; where that cannot be undone (a task
or a thread that the scenario made is gone) the stage boots anew.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Protocol

from emu.context import Context
from emu.machine import MachineConfig
from emu.moment import Moment as MachineMoment
from emu.traps import DEADLINE, SYSTEM_CALL
from guest.image import Image
from guest.scenario import Scenario
from kernel import moment
from kernel.abi import CAP_OPERATION, CAP_REPLY_BIT, CAP_SHIFT, CAP_SPECIAL, OP_REPLY
from kernel.events import Exception_, Fault, Outcome
from kernel.kernel import SLICE, end, run
from kernel.objects import Gate, Irq, Log, Object, Semaphore, Thread
from kernel.port import SELECTOR
from kernel.state import Kernel
from kernel.variation import Choose, Points, Variation
from lab.checker.candidate import Candidate
from lab.names import Names
from lab.recorder import RunRecorder
from lab.replay.attribute import Watch, WatchedMachine
from lab.replay.choices import Key, steer
from lab.replay.observe import Observer
from lab.replay.shared import Memory, Touched
from lab.replay.system import System, boot, configure, expected_words, identify

EVERYTHING = -1  # among the objects of a step: it depends on all others
_NOTHING: frozenset[int] = frozenset()
_HASH_SIZE = 12  # bytes


class Asked(NamedTuple):
    """A choice that a run has made."""

    point: str
    subject: int
    ordinal: int
    options: int
    option: int
    ready: tuple[int, ...]  # the threads that could have run instead
    step: int  # steps before it


class Step(NamedTuple):
    """What a thread did between two choices: the kernel objects that it used, and memory.

    `choice` is the index of the choice whether it runs; -1: there was none.
    """

    thread: int
    objects: frozenset[int]
    choice: int
    touched: Touched | None


class Policy(Protocol):
    """Makes the choices of one run."""

    def decide(self, asked: Asked, kernel: Kernel) -> int:
        """Pick an option; `asked` has 0 for it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did."""

    outcome: Outcome
    cycles: int
    behaviour: str  # a hash of what others can see: equal in runs that differ in time only
    console: str
    memory: tuple[int | None, ...]  # the words that the scenario expects
    faults: tuple[Fault | Exception_, ...]
    candidates: tuple[Candidate, ...]  # that are no notes
    asked: tuple[Asked, ...]
    steps: tuple[Step, ...]
    variation: Variation

    @property
    def choices(self) -> tuple[Choose, ...]:
        """Give the choices that were not the usual ones, in their order."""
        return tuple(each for each in self.variation if isinstance(each, Choose))


class StageMachine(WatchedMachine):
    """Tells what every stretch of a thread used."""

    __slots__ = ("kernel", "logs", "memory", "probe")

    def __init__(self, config: MachineConfig) -> None:
        super().__init__(config)
        self.kernel: Kernel | None = None
        self.probe: _Probe | None = None
        self.memory: Memory | None = None
        self.logs = False  # the log counts as an object

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which."""
        ip = context.ip
        trap = super().run(context, deadline)
        probe, kernel = self.probe, self.kernel
        if probe is not None and kernel is not None:
            thread = kernel.threads[context.number]
            objects = _NOTHING if trap == DEADLINE else _used(thread, trap, self.logs)
            touched = None if self.memory is None else self.memory.take(thread, ip)
            probe.stepped(context.number, objects, touched)
        return trap


@dataclass(frozen=True, slots=True)
class _Given:
    """Takes choices that are known."""

    options: dict[Key, int]

    def decide(self, asked: Asked, kernel: Kernel) -> int:
        return self.options.get((asked.subject, asked.point, asked.ordinal), 0)


class _Probe:
    """Asks a policy, and takes note of everything."""

    __slots__ = ("_asked", "_count", "_kernel", "_policy", "_since", "asked", "places", "steps")

    def __init__(
        self, kernel: Kernel, policy: Policy, places: frozenset[tuple[int, int]] | None
    ) -> None:
        self._kernel = kernel
        self._policy = policy
        self._count: dict[tuple[int, str], int] = {}
        self._since = -1  # the choice since the last step
        self.asked: list[Asked] = []
        self.steps: list[Step] = []
        self.places = places  # where slices may end in code, as task and address; None: all

    def choose(self, point: str, options: int, subject: int) -> int:
        """Pick a way to go on."""
        who = subject, point
        ordinal = self._count.get(who, 0)
        self._count[who] = ordinal + 1
        kernel = self._kernel
        if point == SLICE and self.places is not None:
            thread = kernel.threads[subject]
            if (thread.task.number, thread.context.ip) not in self.places:
                return 0
        ready = tuple(thread.number for thread in kernel.scheduler.ready())
        asked = Asked(point, subject, ordinal, options, 0, ready, len(self.steps))
        option = self._policy.decide(asked, kernel)
        assert 0 <= option < options, "a policy picks one of the options"
        self._since = len(self.asked)
        self.asked.append(asked._replace(option=option))
        return option

    def undefined_words(self, thread: int, words: memoryview) -> None:
        """Leave them as they are."""

    def stepped(self, thread: int, objects: frozenset[int], touched: Touched | None) -> None:
        """Take note of what a thread did."""
        choice, self._since = self._since, -1
        if choice >= 0 and self.asked[choice].subject != thread:
            choice = -1
        if choice < 0 and self.steps:
            last = self.steps[-1]
            if last.thread == thread and not last.objects and last.touched is touched is None:
                # A look at a place where the slice could not end is not worth a step.
                self.steps[-1] = last._replace(objects=objects)
                return
        self.steps.append(Step(thread, objects, choice, touched))


class Stage:
    """Runs one scenario under any choices.

    `places` limits where time slices may end in programs' code.  With `tracks` memory that
    threads share is watched, and UTCBs are not.
    """

    def __init__(
        self,
        scenario: Scenario,
        images: dict[str, Image],
        points: Points,
        *,
        budget: int,
        check: bool = True,
        logs: bool = False,
        tracks: bool = False,
    ) -> None:
        self.scenario = scenario
        self.images = images
        self.points = points
        self.budget = budget
        self.places: frozenset[tuple[int, int]] | None = None
        self.runs = 0
        self.identity = identify(scenario, images)
        self._check = check and not tracks
        self._is_fresh = True  # booted, and nothing has run
        self._logs = logs
        self._tracks = tracks
        self._words = tuple(expected_words(scenario, images).values())
        self._boot()

    @property
    def names(self) -> Names:
        """Give the names of the run that was last."""
        return self._system.names

    @property
    def kernel(self) -> Kernel:
        """Give the kernel, as the last run left it."""
        return self._system.kernel

    @property
    def engine(self) -> str:
        """Give the name of the engine in use."""
        return self._machine.engine

    def expectations(self) -> tuple[tuple[str, str], ...]:
        """Name the words of `Ran.memory`, as task and symbol."""
        return tuple(sorted(self.scenario.expect.memory or {}))

    def close(self) -> None:
        """Give the machine back."""
        self._system.close()

    def hash_of(self, variation: Variation) -> str:
        """Run a variation, and give its trace hash."""
        options = {
            (each.subject, each.point, each.ordinal): each.option
            for each in variation
            if isinstance(each, Choose)
        }
        recorder = RunRecorder(identify(self.scenario, self.images, variation))
        self._run(_Given(options), recorder)
        return recorder.trace_hash()

    def run(self, policy: Policy) -> Ran:
        """Run from the start to the end."""
        return self._run(policy, RunRecorder(self.identity))

    def _run(self, policy: Policy, recorder: RunRecorder) -> Ran:
        if self.runs:
            self._begin_again()
        self.runs += 1
        system, machine = self._system, self._machine
        kernel = system.kernel
        recorder.names = system.names
        if self._watch is not None:
            if self._is_fresh:
                self._watch.begin(system, recorder)
                self._take_moment()
            else:
                self._watch.begin_again(system, recorder)
        elif self._is_fresh:
            self._take_moment()
        self._is_fresh = False
        observer = Observer(kernel.arch.word)
        observer.log = kernel.log.number
        recorder.listeners.append(observer.record)
        kernel.recorder = recorder
        steer(kernel, (self.points,))
        probe = _Probe(kernel, policy, self.places)
        kernel.probe = machine.probe = probe
        outcome = run(kernel, self.budget)
        end(kernel, outcome)
        candidates: tuple[Candidate, ...] = ()
        if self._watch is not None:
            found = self._watch.candidates()
            candidates = tuple(each for each in found if not each.is_note)
        memory = tuple(system.load_word(*place) for place in self._words)
        return Ran(
            outcome=outcome,
            cycles=machine.now,
            behaviour=_behaviour(outcome, observer, memory),
            console=recorder.console(),
            memory=memory,
            faults=tuple(recorder.faults),
            candidates=candidates,
            asked=tuple(probe.asked),
            steps=tuple(probe.steps),
            variation=self._variation(probe),
        )

    def places_of_words(self) -> tuple[tuple[str, int], ...]:
        """Give task and address of the words of `Ran.memory`."""
        return self._words

    def covered(self) -> dict[str, frozenset[int]]:
        """Give the addresses of instructions in blocks that ran, by task."""
        return {
            name: frozenset(self._machine.known_code(task.number))
            for name, task in self._system.tasks.items()
            if task.number in self._system.kernel.objects
        }

    def _variation(self, probe: _Probe) -> Variation:
        chosen = tuple(
            Choose(each.subject, each.point, each.ordinal, each.option)
            for each in probe.asked
            if each.option
        )
        if self.points == Points() and not chosen:
            return ()
        return (self.points, *chosen)

    def _boot(self) -> None:
        machine = StageMachine(configure(self.scenario))
        self._machine = machine
        self._watch = Watch(self.scenario, machine) if self._check else None
        self._system: System = boot(self.scenario, self.images, machine=machine)
        machine.kernel = self._system.kernel
        machine.logs = self._logs
        if self._tracks:
            machine.memory = Memory(machine, self._system.kernel)
        self._is_fresh = True

    def _take_moment(self) -> None:
        names = self._system.names
        self._moment: MachineMoment = self._machine.save()
        self._kernel_moment = moment.save(self._system.kernel)
        self._names = dict(names.given), dict(names.tasks), dict(names.images)

    def _begin_again(self) -> None:
        if not self._machine.rewind(self._moment):
            self._system.close()
            self._boot()
            return
        moment.rewind(self._kernel_moment)
        names = self._system.names
        given, tasks, images = self._names
        for made in (names.given, names.tasks, names.images):
            made.clear()
        names.given.update(given)
        names.tasks.update(tasks)
        names.images.update(images)
        if self._machine.memory is not None:
            self._machine.memory.begin()


def _behaviour(outcome: Outcome, observer: Observer, memory: tuple[int | None, ...]) -> str:
    items = sorted(observer.observed.items.items())
    told = [(thread, [item for _, item in its]) for thread, its in items]
    text = repr((outcome.name, told, memory))
    return blake2b(text.encode(), digest_size=_HASH_SIZE).hexdigest()


def _used(thread: Thread, trap: int, logs: bool) -> frozenset[int]:
    """Give the numbers of the objects that a trap of a thread is about."""
    own = thread.number
    if trap != SYSTEM_CALL:
        # A fault goes to the pager, or to the handler: both are few.
        found = {own}
        for index in (thread.pager, thread.handler):
            cap = thread.task.caps.get(index)
            if cap is not None:
                found |= _numbers(cap.object, logs)
        return frozenset(found)
    selector = int(thread.context.registers[SELECTOR])
    operation = selector & CAP_OPERATION
    if operation & OP_REPLY:
        if selector & CAP_SPECIAL == CAP_REPLY_BIT:
            caller = thread.task.reply_slots.get(selector >> CAP_SHIFT)
        else:
            caller = thread.reply
        return frozenset((own,) if caller is None else (own, caller.number))
    if selector & CAP_SPECIAL:
        return frozenset((own,))
    cap = thread.task.caps.get(selector >> CAP_SHIFT)
    if cap is None:
        return frozenset((own,))
    return frozenset((own, *_numbers(cap.object, logs)))


def _numbers(target: Object, logs: bool) -> set[int]:
    match target:
        case Gate():
            bound = target.thread
            return {target.number} if bound is None else {target.number, bound.number}
        case Thread() | Semaphore():
            return {target.number}
        case Irq():
            bound = target.thread
            return {target.number} if bound is None else {target.number, bound.number}
        case Log():
            # What different threads print may come in any order, unless that is judged.
            return {target.number} if logs else set()
        case _:
            return {target.number, EVERYTHING}
