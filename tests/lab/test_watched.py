"""Scenarios that are watched, or stopped on their way: the run stays what it is."""

from random import Random

import pytest

from emu.calls import Frame
from emu.context import Context
from emu.machine import Machine
from emu.memory import SHARED_BASE
from emu.recorder import Access
from emu.screen import REPORT, Report, Screen
from emu.traps import STEPPED
from emu.watch import Watch
from guest.scenario import Scenario, load_scenario, shipped_scenarios
from kernel.kernel import end, run
from lab.recorder import RunRecorder
from lab.replay.system import boot, configure, identify, load_programs
from lab.run import run_scenario

UTCBS = range(SHARED_BASE, SHARED_BASE + (1 << 20))
SCENARIOS = [
    (name, arch.name)
    for name in shipped_scenarios()
    if not name.startswith(("bench_", "kernel_paths")) and "forever" not in name
    for arch in load_scenario(name).arches
]
Facts = tuple[str, int, int]


class WatchedMachine(Machine):
    """Checks the records of every run against memory."""

    __slots__ = ("image", "records", "stacks", "watched", "window")

    def begin(self, window: range) -> None:
        self.window = window
        self.image = bytearray()
        self.records = 0
        self.stacks: set[tuple[Frame, ...]] = set()
        self.watched: Watch = self.watch(window, self.replay)

    def run(self, context: Context, deadline: int) -> int:
        # What the kernel wrote since.
        size = len(self.window)
        self.image = bytearray(self.read_physical(self.window.start, size))
        trap = super().run(context, deadline)
        self.replay(self.watched.drain())
        assert self.image == self.read_physical(self.window.start, size)
        self.stacks.add(self.stack(context))
        return trap

    def replay(self, accesses: list[Access]) -> None:
        for each in accesses:
            at = each.address - self.window.start
            value = each.value.to_bytes(each.size, "little")
            if each.is_write:
                self.image[at : at + each.size] = value
            else:
                assert self.image[at : at + each.size] == value
        self.records += len(accesses)


def facts(scenario: Scenario, machine: Machine) -> Facts:
    """Run a scenario on a machine."""
    images = load_programs(scenario)
    recorder = RunRecorder(identify(scenario, images))
    system = boot(scenario, images, recorder=recorder, machine=machine)
    if isinstance(machine, (WatchedMachine, ScreenedMachine)):
        machine.begin(UTCBS)
    end(system.kernel, run(system.kernel, scenario.cycles))
    result = recorder.trace_hash(), machine.now, machine.instructions
    system.close()
    return result


def plain(name: str, arch: str) -> Facts:
    whole = run_scenario(name, arch=arch)
    return whole.trace_hash, whole.cycles, whole.instructions


@pytest.mark.parametrize(("name", "arch"), SCENARIOS)
def test_a_watched_scenario_is_the_same_run_and_its_records_are_exact(
    name: str, arch: str
) -> None:
    scenario = load_scenario(name, arch=arch)
    machine = WatchedMachine(configure(scenario))

    assert facts(scenario, machine) == plain(name, arch)
    assert machine.records
    assert machine.stacks


class ScreenedMachine(Machine):
    """Asks for a report of every access."""

    __slots__ = ("reports", "screened")

    def begin(self, window: range) -> None:
        self.reports = 0
        self.screened: Screen = self.screen(window, [REPORT] * 512, self.count)

    def run(self, context: Context, deadline: int) -> int:
        trap = super().run(context, deadline)
        self.count(self.screened.drain())
        return trap

    def count(self, reports: list[Report]) -> None:
        self.reports += len(reports)


@pytest.mark.parametrize(("name", "arch"), SCENARIOS)
def test_a_screened_scenario_is_the_same_run(name: str, arch: str) -> None:
    scenario = load_scenario(name, arch=arch)
    machine = ScreenedMachine(configure(scenario))

    assert facts(scenario, machine) == plain(name, arch)
    assert machine.reports


class StoppedMachine(Machine):
    """Stops at random positions on the way to every trap."""

    __slots__ = ("farthest", "random", "stops")

    def begin(self, farthest: int) -> None:
        self.random = Random(farthest)
        self.farthest = farthest
        self.stops = 0

    def run(self, context: Context, deadline: int) -> int:
        while True:
            position = self.instructions + self.random.randrange(self.farthest)
            trap = self.run_until_position(context, deadline, position)
            if trap != STEPPED:
                return trap
            assert self.instructions == position
            self.stops += 1


@pytest.mark.parametrize(("name", "arch"), SCENARIOS)
def test_a_scenario_stopped_at_any_positions_is_the_same_run(name: str, arch: str) -> None:
    scenario = load_scenario(name, arch=arch)
    machine = StoppedMachine(configure(scenario))
    whole = plain(name, arch)
    machine.begin(farthest=max(20, whole[2] // 100))

    assert facts(scenario, machine) == whole
    assert machine.stops > 3


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_a_stop_of_a_watched_run_leaves_its_records_as_they_are(arch: str) -> None:
    scenario = load_scenario("faq_nested_call-c-O2", arch=arch)
    records = [_records(Machine(configure(scenario)), scenario)]
    machine = StoppedMachine(configure(scenario))
    machine.begin(farthest=20)
    records.append(_records(machine, scenario))

    assert machine.stops
    assert records[0]
    assert records[0] == records[1]


def _records(machine: Machine, scenario: Scenario) -> list[Access]:
    system = boot(scenario, load_programs(scenario), machine=machine)
    records: list[Access] = []
    watched = machine.watch(UTCBS, records.extend)
    run(system.kernel, scenario.cycles)
    records += watched.drain()
    system.close()
    return records
