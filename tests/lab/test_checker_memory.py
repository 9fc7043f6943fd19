"""What the checker keeps is bounded by threads and live messages, not by the run."""

import gc

import pytest

from guest.scenario import load_scenario
from kernel.kernel import run
from lab.checker.lives import Store, Turn
from lab.recorder import RunRecorder
from lab.replay.attribute import Watch
from lab.replay.system import boot, identify, load_programs


def kept(name: str, arch: str, cycles: int) -> int:
    scenario = load_scenario(name, arch=arch)
    images = load_programs(scenario)
    watch = Watch(scenario)
    recorder = RunRecorder(identify(scenario, images))
    system = boot(scenario, images, recorder=recorder, machine=watch.machine)
    watch.begin(system, recorder)
    run(system.kernel, cycles)
    gc.collect()
    count = sum(isinstance(each, Turn | Store) for each in gc.get_objects())
    system.close()
    return count


@pytest.mark.parametrize("name", ["pingpong_forever_4", "pingpong_forever_intra_4"])
@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_a_longer_run_keeps_no_more_messages(name: str, arch: str) -> None:
    short, long = kept(name, arch, 400_000), kept(name, arch, 2_000_000)

    assert long <= short + 8
