"""A stage runs a scenario again and again, and each run is the one that its choices name."""

import pytest

from guest.scenario import load_scenario
from kernel.kernel import end, run
from kernel.variation import Points, Variation
from lab.explore.policies import Fixed, Random
from lab.recorder import RunRecorder
from lab.replay.stage import Stage
from lab.replay.system import boot, identify, load_programs
from lab.run import run_scenario

# With mappings, tasks and threads that come and go, timeouts and interrupts.
SCENARIOS = [
    "overtaken",
    "faq_nested_call",
    "pager_on_demand",
    "cap_transfer",
    "destroyed_server",
    "semaphore_lock",
    "irq_server",
    "thread_local",
    "fpu_transfer",
]


def stage(name: str, arch: str | None = None, points: Points | None = None) -> Stage:
    scenario = load_scenario(name, arch=arch)
    images = load_programs(scenario)
    return Stage(scenario, images, points or Points(), budget=scenario.cycles)


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_usual_choices_give_the_usual_run_however_often(name: str, arch: str) -> None:
    it = stage(name, arch)
    usual = run_scenario(name, arch=arch, check=False)

    hashes = []
    for number in range(3):
        it.run(Random(1, number))
        hashes.append(it.hash_of(it.run(Fixed(())).variation))

    assert hashes == [usual.trace_hash] * 3
    it.close()


@pytest.mark.parametrize("points", [Points(), Points(1, 0), Points(40, 1_000_000)])
@pytest.mark.parametrize("name", ["overtaken", "semaphore_lock", "irq_server"])
def test_a_run_on_a_stage_is_the_run_of_its_variation(name: str, points: Points) -> None:
    it = stage(name, points=points)

    for number in range(4):
        ran = it.run(Random(7, number))
        assert it.hash_of(ran.variation) == _hash(name, ran.variation)
        again = it.run(Fixed(ran.choices))
        assert (again.variation, again.behaviour) == (ran.variation, ran.behaviour)
        assert it.hash_of(again.variation) == it.hash_of(ran.variation)
    it.close()


def _hash(name: str, variation: Variation) -> str:
    scenario = load_scenario(name)
    images = load_programs(scenario)
    recorder = RunRecorder(identify(scenario, images, variation))
    system = boot(scenario, images, recorder=recorder, variation=variation)
    # Cut at any places: the run is the same.
    for until in (*range(1000, 30_000, 777), scenario.cycles):
        outcome = run(system.kernel, until)
    end(system.kernel, outcome)
    system.close()
    return recorder.trace_hash()
