"""`python -m tests.traces`: the engine, then each scenario's trace and what a watch records."""

import hashlib

from emu.machine import Machine
from emu.memory import SHARED_BASE
from emu.recorder import Access
from guest.scenario import Scenario, load_scenario, shipped_scenarios
from kernel.kernel import run
from lab.replay.system import boot, configure, load_programs
from lab.run import run_scenario


def main() -> None:
    print(run_scenario("latent").engine)
    for name in shipped_scenarios():
        for arch in load_scenario(name).arches:
            whole = run_scenario(name, arch=arch.name)
            records = _records(load_scenario(name, arch=arch.name), whole.cycles)
            print(
                *(name, arch.name, whole.trace_hash, whole.cycles, whole.instructions, records)
            )


def _records(scenario: Scenario, cycles: int) -> str:
    digest = hashlib.blake2b(digest_size=8)

    def add(accesses: list[Access]) -> None:
        for each in accesses:
            digest.update(repr((*each, watch.frames(each.path))).encode())

    machine = Machine(configure(scenario))
    system = boot(scenario, load_programs(scenario), machine=machine)
    watch = machine.watch(range(SHARED_BASE, SHARED_BASE + (1 << 20)), add)
    run(system.kernel, min(cycles, 1_000_000))
    add(watch.drain())
    system.close()
    return digest.hexdigest()


if __name__ == "__main__":
    main()
