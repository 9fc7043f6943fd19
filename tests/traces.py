"""`python -m tests.traces`: the engine, then each scenario's trace and what a watch records."""

import hashlib

from emu.machine import Machine
from emu.memory import SHARED_BASE
from emu.recorder import Access
from emu.timing import FULL, Timing, parse_timing
from guest.scenario import load_scenario, shipped_scenarios
from kernel.kernel import run
from lab.replay.system import boot, configure, load_programs
from lab.result import Run
from lab.run import run_scenario

TIMINGS = (Timing("flat"), Timing("skylake"), Timing("haswell", FULL, front_end=True))


def main() -> None:
    print(run_scenario("latent").engine)
    for name in shipped_scenarios():
        for arch in load_scenario(name).arches:
            # Benchmark loops would take minutes in Python with all that can be modelled.
            is_long = name.startswith(("bench_", "pingpong", "kernel_paths"))
            for timing in TIMINGS[:2] if is_long else TIMINGS:
                whole = run_scenario(name, arch=arch.name, timing=timing)
                facts = (name, arch.name, str(timing), whole.trace_hash, whole.cycles)
                print(*facts, whole.instructions, _records(whole))


def _records(whole: Run) -> str:
    digest = hashlib.blake2b(digest_size=8)

    def add(accesses: list[Access]) -> None:
        for each in accesses:
            digest.update(repr((*each, watch.frames(each.path))).encode())

    scenario = whole.scenario
    machine = Machine(
        configure(scenario, timing=parse_timing(f"{whole.cpu} {whole.model}") or Timing())
    )
    system = boot(scenario, load_programs(scenario), machine=machine)
    watch = machine.watch(range(SHARED_BASE, SHARED_BASE + (1 << 20)), add)
    run(system.kernel, min(whole.cycles, 1_000_000))
    add(watch.drain())
    system.close()
    return digest.hexdigest()


if __name__ == "__main__":
    main()
