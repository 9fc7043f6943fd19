"""Loops: guests that do the same thing for ever, and how often in a second they do it.

Rule 1: a loop's cycles a turn are counted once, exactly, since runs are deterministic; what
is timed after that is a number of cycles, and nothing counts while it is timed.
Rule 2: time is this thread's CPU time: a share of the CPU that others take does not count.
Rule 3: the start of a run, where code is translated and looked at, is not timed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.bare import Bare
from guest.image import Image
from guest.scenario import Scenario, load_scenario, shipped_scenarios
from kernel.events import Event, Fault
from kernel.kernel import run
from kernel.objects import Thread
from lab.recorder import RunRecorder
from lab.replay.system import System, boot, identify, load_programs

_BUDGET = 1 << 40
_ENDLESS = (1 << 31) - 1  # rounds
_FIRST_CYCLES = 20_000  # when it is not known yet how many take how long
_COUNTED_TURNS = 500
_COUNTED_ROUNDS = 100, 300
_WARM_UP = 10  # this share of what is timed runs before it


@dataclass(frozen=True, slots=True)
class Loop:
    """An endless loop: a scenario whose every turn takes `cycles_each`."""

    scenario: Scenario
    images: dict[str, Image]
    cycles_each: float
    rounds: int | None = None  # for the programs that are told how many

    def boot(self, *, traced: bool = False) -> System:
        """Make a system that is ready to run; `traced` gives it the recorder of a run."""
        recorder = RunRecorder(identify(self.scenario, self.images)) if traced else None
        system = boot(self.scenario, self.images, recorder=recorder)
        if self.rounds is not None:
            _store_rounds(system, self.rounds)
        return system

    def length(self, seconds: float, *, traced: bool = False) -> int:
        """Find the number of cycles that take about `seconds`."""
        system = self.boot(traced=traced)
        cycles = _FIRST_CYCLES
        while (taken := _timed(system, cycles)) < seconds / 4:
            cycles *= 2
        system.close()
        return max(int(cycles * seconds / taken), _FIRST_CYCLES)

    def turns_per_second(self, length: int, *, traced: bool = False) -> float:
        """Time `length` cycles."""
        system = self.boot(traced=traced)
        _timed(system, length // _WARM_UP)
        begin = system.machine.now
        seconds = _timed(system, length)
        turns = (system.machine.now - begin) / self.cycles_each
        system.close()
        return turns / seconds


class GuestLoop:
    """A loop of guest code alone, to be compared with bare Unicorn."""

    def __init__(self, name: str, arch: str, *, seconds: float) -> None:
        """Load it, and find out how much of it takes about `seconds`, on either side."""
        scenario = load_scenario(name, arch=arch)
        images = load_programs(scenario)
        few, more = (_cycles_of(scenario, images, rounds) for rounds in _COUNTED_ROUNDS)
        each = (more - few) / (_COUNTED_ROUNDS[1] - _COUNTED_ROUNDS[0])
        stop = images["bench"].symbol("done")
        assert stop is not None, "every benchmark loop ends at `done`"
        self._stop = stop.address
        self._loop = Loop(scenario, images, each, _ENDLESS)
        self._length = self._loop.length(seconds)
        self._rounds = _COUNTED_ROUNDS[0]
        while (taken := self._bare_seconds()) < seconds / 4:
            self._rounds *= 2
        self._rounds = int(self._rounds * seconds / taken)

    def ratio(self) -> float:
        """Give the speed with the clock on as a share of bare Unicorn's, side by side."""
        bare = self._rounds / self._bare_seconds()
        return self._loop.turns_per_second(self._length) / bare

    def _bare_seconds(self) -> float:
        system = self._loop.boot()
        thread = next(o for o in system.kernel.objects.values() if isinstance(o, Thread))
        bare = Bare(system.machine, system.machine.context(thread.number))
        _store_rounds(system, max(self._rounds // _WARM_UP, 1))
        bare.seconds(self._stop)
        _store_rounds(system, self._rounds)
        seconds = bare.seconds(self._stop)
        system.close()
        return seconds


def call_loop(name: str, arch: str) -> Loop:
    """Load a loop of calls; a turn is one round trip, which is two messages."""
    return _counted(load_scenario(name, arch=arch), lambda recorder: recorder.messages / 2)


def fault_loop(name: str) -> Loop | None:
    """Load a loop of page faults that a pager handles; None if no such scenario ships."""
    if name not in shipped_scenarios():
        return None
    faults = 0

    def count(event: Event) -> None:
        nonlocal faults
        faults += isinstance(event, Fault)

    return _counted(load_scenario(name), lambda recorder: faults, listener=count)


def _counted(
    scenario: Scenario,
    turns: Callable[[RunRecorder], float],
    *,
    listener: Callable[[Event], None] | None = None,
) -> Loop:
    images = load_programs(scenario)
    recorder = RunRecorder(identify(scenario, images), listener=listener)
    system = boot(scenario, images, recorder=recorder)
    kernel, machine = system.kernel, system.machine
    run(kernel, _FIRST_CYCLES)
    begin, before = machine.now, turns(recorder)
    cycles = _FIRST_CYCLES
    while (done := turns(recorder) - before) < _COUNTED_TURNS:
        assert cycles < _BUDGET, f"{scenario.name} does not go on"
        cycles *= 2
        run(kernel, cycles)
    each = (machine.now - begin) / done
    system.close()
    return Loop(scenario, images, each)


def _cycles_of(scenario: Scenario, images: dict[str, Image], rounds: int) -> int:
    system = boot(scenario, images)
    _store_rounds(system, rounds)
    run(system.kernel, _BUDGET)
    cycles = system.machine.now
    system.close()
    return cycles


def _store_rounds(system: System, rounds: int) -> None:
    symbol = system.images["bench"].symbol("rounds")
    assert symbol is not None, "every benchmark loop has its number of rounds"
    space = system.tasks["bench"].number
    word = system.kernel.arch.word
    system.machine.write(space, symbol.address, rounds.to_bytes(word, "little"))


def _timed(system: System, cycles: int) -> float:
    until = system.machine.now + cycles
    begin = time.thread_time()
    run(system.kernel, until)
    return time.thread_time() - begin
