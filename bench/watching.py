"""`python -m bench.watching`: what it costs to screen or watch the shared memory.

Guest loops that leave it alone, as multiples of a run without either; and a program that
does nothing but access it, in nanoseconds for each access.
"""

import time
from collections.abc import Callable

from rich.console import Console

from emu.machine import Machine, MachineConfig
from emu.memory import PAGE, SHARED_BASE
from guest.scenario import load_scenario
from kernel.kernel import run
from lab.replay.system import boot, load_programs
from lab.views.text import render_table

REPEATS = 5  # the best of which counts
# Rounds of the loops, a few hundredths of a second each.
LOOPS = {
    "alu": 3_000_000,
    "mem": 1_000_000,
    "call": 500_000,
    "rep_movsb": 3_000,
    "byte_copy": 10_000,
}
WINDOW = range(SHARED_BASE, SHARED_BASE + (1 << 20))
SHARE = {"python": 0.01, "compiled": 1.0}
ACCESSES = {"python": 20_000, "compiled": 400_000}
_BUDGET = 1 << 40
# l: mov [rdi], eax; mov ebx, [rdi + 8]; dec ecx; jnz l; syscall
_LOOP = b"\x89\x07\x8b\x5f\x08\xff\xc9\x75\xf7\x0f\x05"


def _forget(batch: object) -> None:
    pass


def _watch(machine: Machine) -> None:
    machine.watch(WINDOW, _forget)


def _calls(machine: Machine) -> None:
    machine.watch(range(0), _forget)


def _screen(machine: Machine) -> None:
    machine.screen(WINDOW, [0] * 512, _forget)


def _plain(machine: Machine) -> None:
    pass


WAYS: dict[str, Callable[[Machine], None]] = {
    "neither": _plain,
    "screened": _screen,
    "calls only": _calls,
    "watched": _watch,
}


def main() -> None:
    probe = Machine(MachineConfig(ram=1 << 20))
    engine = probe.engine
    probe.close()
    rows = []
    for loop in LOOPS:
        times = [_loop_seconds(loop, way, SHARE[engine]) for way in WAYS.values()]
        rows.append((loop, *(f"{each / times[0]:.2f}" for each in times)))
    count = ACCESSES[engine]
    times = [_access_seconds(way, count) for way in WAYS.values()]
    rows.append(("ns an access", *(f"{each / count * 1e9:.0f}" for each in times)))
    Console(highlight=False).print(render_table((engine, *WAYS), rows))


def _loop_seconds(loop: str, way: Callable[[Machine], None], share: float) -> float:
    scenario = load_scenario(f"bench_{loop}", arch="amd64")
    images = load_programs(scenario)
    symbol = images["bench"].symbol("rounds")
    assert symbol is not None, "every benchmark loop has its number of rounds"
    times = []
    for _ in range(REPEATS):
        system = boot(scenario, images)
        rounds = int(LOOPS[loop] * share).to_bytes(8, "little")
        system.machine.write(system.tasks["bench"].number, symbol.address, rounds)
        way(system.machine)
        begin = time.perf_counter()
        run(system.kernel, _BUDGET)
        times.append(time.perf_counter() - begin)
        system.close()
    return min(times)


def _access_seconds(way: Callable[[Machine], None], count: int) -> float:
    times = []
    for _ in range(REPEATS):
        machine = Machine(MachineConfig(ram=1 << 20))
        machine.create_space(1)
        machine.map(1, PAGE, 0, 5)
        machine.map(1, 2 * PAGE, SHARED_BASE, 6)
        machine.write(1, PAGE, _LOOP)
        context = machine.create_context(1, space=1, ip=PAGE, sp=0, thread_base=0)
        context.store_register("rdi", 2 * PAGE)
        context.store_register("rcx", count // 2)
        way(machine)
        begin = time.perf_counter()
        machine.run(context, _BUDGET)
        times.append(time.perf_counter() - begin)
        machine.close()
    return min(times)


if __name__ == "__main__":
    main()
