"""What is measured, each as a function that gives a number."""

import subprocess
import sys
import time
from statistics import median

from bench.bare import time_bare
from guest.image import Image
from guest.scenario import Scenario, load_scenario
from kernel.kernel import run
from kernel.objects import Thread
from lab.recorder import RunRecorder
from lab.replay.system import System, boot, identify, load_programs
from lab.run import run_scenario

# Loops that bring most of the difference between machines to light.  The rounds take
# bare Unicorn a few hundredths of a second.
LOOPS = {
    "alu": 3_000_000,
    "mem": 1_000_000,
    "call": 500_000,
    "rep_movsb": 3_000,
    "byte_copy": 10_000,
}
_BUDGET = 1 << 40


def guest_ratio(loop: str, arch: str, *, share: float) -> float:
    """Give the speed of guest code with the clock on, as a share of bare Unicorn's.

    `share` shortens the loop for the engine, whose speed does not depend on the length.
    """
    scenario = load_scenario(f"bench_{loop}", arch=arch)
    images = load_programs(scenario)
    bare_rounds = LOOPS[loop]
    rounds = max(int(bare_rounds * share), 1)
    bare = _bare_seconds(scenario, images, bare_rounds) / bare_rounds
    system = _boot_loop(scenario, images, rounds)
    begin = time.perf_counter()
    run(system.kernel, _BUDGET)
    ours = (time.perf_counter() - begin) / rounds
    system.close()
    return bare / ours


def round_trips(scenario_name: str, arch: str, *, cycles: int, traced: bool) -> float:
    """Give the round trips per second of a call loop that runs for `cycles`."""
    scenario = load_scenario(scenario_name, arch=arch)
    images = load_programs(scenario)
    count = run_scenario(scenario, cycles=cycles, check=False).messages / 2
    recorder = RunRecorder(identify(scenario, images)) if traced else None
    system = boot(scenario, images, recorder=recorder)
    begin = time.perf_counter()
    run(system.kernel, cycles)
    seconds = time.perf_counter() - begin
    system.close()
    return count / seconds


def boot_ms(name: str) -> float:
    """Give the milliseconds from loaded images to a system that is ready to run."""
    scenario = load_scenario(name)
    images = load_programs(scenario)
    boot(scenario, images).close()
    return median(_timed_boot(scenario, images) for _ in range(5)) * 1000


def process_ms(*arguments: str) -> float:
    """Give the milliseconds of a command of this interpreter, from start to exit."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return median(times) * 1000


def _bare_seconds(scenario: Scenario, images: dict[str, Image], rounds: int) -> float:
    system = _boot_loop(scenario, images, rounds)
    context = system.machine.context(_first_thread(system).number)
    stop = images["bench"].symbol("done")
    assert stop is not None, "every benchmark loop ends at `done`"
    seconds = time_bare(system.machine, context, stop=stop.address)
    system.close()
    return seconds


def _boot_loop(scenario: Scenario, images: dict[str, Image], rounds: int) -> System:
    system = boot(scenario, images)
    symbol = images["bench"].symbol("rounds")
    assert symbol is not None, "every benchmark loop has its number of rounds"
    word = system.kernel.arch.word
    space = system.tasks["bench"].number
    system.machine.write(space, symbol.address, rounds.to_bytes(word, "little"))
    return system


def _first_thread(system: System) -> Thread:
    return next(o for o in system.kernel.objects.values() if isinstance(o, Thread))


def _timed_boot(scenario: Scenario, images: dict[str, Image]) -> float:
    begin = time.perf_counter()
    system = boot(scenario, images)
    seconds = time.perf_counter() - begin
    system.close()
    return seconds
