"""Running a scenario to see where its time goes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from emu.calls import Frame
from emu.context import Context
from emu.cost import guessed_forms
from emu.errors import NotMappedError
from emu.machine import Machine, MachineConfig
from emu.tally import ELSEWHERE, Place, Tally
from emu.timing import Timing
from emu.watch import Watch
from guest.scenario import Scenario
from kernel.events import Event, Exception_, Fault, Switch, Transfer
from kernel.kernel import end, run
from lab.names import Names
from lab.recorder import RunRecorder
from lab.replay.system import System, boot, configure, identify, load_programs
from lab.stat import PathStat, Stat, ThreadStat, merge
from lab.timing import DEFAULT_TIMING

_STEPS = 100  # times that progress is reported
_DEEPEST = 200  # functions of a stack; the outer ones of a deeper one are left out
_CALL_PAGE = "(call page)"
_UNKNOWN = "(unknown)"
_OLDER = "(older calls)"


class TalliedMachine(Machine):
    """A machine that counts where time goes."""

    __slots__ = ("_tally", "idle_ticks", "watched")

    def __init__(self, config: MachineConfig) -> None:
        super().__init__(config)
        self.watched: Watch = self.watch(range(0), _nothing)
        self._tally: Tally = self.watched.tally()
        self.idle_ticks = 0

    def run(self, context: Context, deadline: int) -> int:
        """Run a context as any machine does, and count."""
        self._tally.resume(context.number, self.ticks, self.instructions)
        trap = super().run(context, deadline)
        self._tally.pause(context.number, self.ticks, self.instructions)
        return trap

    def advance(self, until: int) -> None:
        """Let time pass as any machine does, and count."""
        before = self.ticks
        super().advance(until)
        self.idle_ticks += self.ticks - before

    def counts(self) -> list[tuple[Place, int, int, int]]:
        """List ticks, instructions and executions by place, in order."""
        return self._tally.counts()


@dataclass(slots=True)
class _Counter:
    """Counts events by thread."""

    received: dict[int, int] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    faults: dict[int, int] = field(default_factory=dict)
    switches: dict[int, int] = field(default_factory=dict)

    def count(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, Transfer):
            _add(self.received, event.receiver)
            _add(self.sent, event.sender)
        elif isinstance(event, Switch):
            _add(self.switches, event.next)
        elif isinstance(event, Fault | Exception_):
            _add(self.faults, event.thread)


def measure(
    scenario: Scenario,
    *,
    cycles: int | None = None,
    timing: Timing = DEFAULT_TIMING,
    progress: Callable[[int, int], None] | None = None,
) -> Stat:
    """Run a scenario to its end and say where its time went.

    The run is the one that `run_scenario` does, in several times the time.
    """
    images = load_programs(scenario)
    counter = _Counter()
    recorder = RunRecorder(identify(scenario, images, timing=timing), listener=counter.count)
    machine = TalliedMachine(configure(scenario, timing=timing))
    system = boot(scenario, images, recorder=recorder, machine=machine)
    recorder.names = system.names
    kernel = system.kernel
    budget = scenario.cycles if cycles is None else cycles
    step = max(budget // _STEPS, 1)
    until = min(step, budget)
    outcome = run(kernel, until)
    while machine.now >= until and until < budget:
        if progress is not None:
            progress(until, budget)
        until = min(until + step, budget)
        outcome = run(kernel, until)
    end(kernel, outcome)
    try:
        return Stat(
            scenario=scenario.name,
            arch=scenario.arch.name,
            cpu=timing.cpu,
            model=timing.terms,
            outcome=outcome.name.lower(),
            trace_hash=recorder.trace_hash(),
            ticks=machine.ticks,
            idle_ticks=machine.idle_ticks,
            instructions=machine.instructions,
            messages=recorder.messages,
            invocations=recorder.invocations,
            faults=sum(counter.faults.values()),
            switches=sum(counter.switches.values()),
            threads=_threads(machine, system.names, counter),
            paths=merge(_paths(machine, system.names)),
            guessed=_guessed(system, machine),
        )
    finally:
        system.close()


def _threads(
    machine: TalliedMachine, names: Names, counter: _Counter
) -> tuple[ThreadStat, ...]:
    sums: dict[int, list[int]] = {}
    for place, ticks, instructions, _ in machine.counts():
        row = sums.setdefault(place.context, [0, 0])
        row[0] += ticks
        row[1] += instructions
    return tuple(
        ThreadStat(
            names.of(number),
            row[0],
            row[1],
            counter.received.get(number, 0),
            counter.sent.get(number, 0),
            counter.faults.get(number, 0),
            counter.switches.get(number, 0),
        )
        for number, row in sorted(sums.items())
    )


def _paths(machine: TalliedMachine, names: Names) -> list[PathStat]:
    found = []
    for place, ticks, instructions, executions in machine.counts():
        thread = names.of(place.context)
        task = names.tasks.get(place.context) or thread.partition(".")[0]
        stack, is_entry = _stack(machine.watched.frames(place.path), place, names)
        entries = executions if is_entry else 0
        if ticks or instructions or entries:
            found.append(PathStat(task, thread, stack, ticks, instructions, entries))
    return found


def _stack(
    frames: tuple[Frame, ...], place: Place, names: Names
) -> tuple[tuple[str, ...], bool]:
    # The functions that called, and the one that the block is in; whether it begins there.
    # By the calls and not by where they went: code that is reached by a jump counts as its
    # own function, too.
    stack = [
        _OLDER if frame.is_mark else _function(names, place.context, frame.call)[0]
        for frame in frames[-_DEEPEST:]
    ]
    name, offset = _function(names, place.context, place.start)
    return (*stack, name), offset == 0


def _function(names: Names, thread: int, address: int) -> tuple[str, int]:
    if address == ELSEWHERE:
        return _UNKNOWN, -1
    page = names.arch.call_page
    if page and address & -4096 == page:
        return _CALL_PAGE, address - page
    image = names.images.get(thread)
    symbol = None if image is None else image.symbol_at(address)
    return (_UNKNOWN, -1) if symbol is None else (symbol[0].name, symbol[1])


def _guessed(system: System, machine: TalliedMachine) -> tuple[tuple[str, int], ...]:
    """Count executions of the instruction forms that no cost table has."""
    config = machine.config
    sums: dict[str, int] = {}
    for place, _, _, executions in machine.counts():
        if place.start == ELSEWHERE or place.context not in system.kernel.objects:
            continue
        context = machine.context(place.context)
        block = context.blocks.block(place.start)
        if block is None:
            continue
        try:
            code = machine.read(context.space.number, block.start, block.stop - block.start)
        except NotMappedError:
            continue  # it was unmapped since, or is the call page
        for form in guessed_forms(code, config.arch, config.timing):
            sums[form] = sums.get(form, 0) + executions
    return tuple(sorted(sums.items()))


def _add(counts: dict[int, int], number: int) -> None:
    counts[number] = counts.get(number, 0) + 1


def _nothing(records: object) -> None:
    """Take no records: nothing but calls is watched."""
