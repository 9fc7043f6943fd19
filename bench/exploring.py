"""`python -m bench.exploring`: complete runs of a three-thread scenario in a minute.

With and without the checker in this process, and with the checker in one, two and four
processes; time is by the wall clock, since that is what people wait for, and start-up of
the processes is not in it.
"""

import time
from contextlib import closing

from rich.console import Console

from emu.machine import Machine, MachineConfig
from guest.scenario import load_scenario
from lab.explore.explore import Exploration
from lab.explore.job import Job, Mode, Settings
from lab.explore.pool import Alone, Pool, Processes
from lab.replay.system import load_programs
from lab.views.text import render_table

SCENARIO = "overtaken_read_first"
RUNS = {"python": 600, "compiled": 3000}
GOALS = {"python": 2_000, "compiled": 12_000}
WORKERS = (1, 2, 4)


def main() -> None:
    probe = Machine(MachineConfig(ram=1 << 20))
    engine = probe.engine
    probe.close()
    runs = RUNS[engine]
    goal = f">= {GOALS[engine]:,}"
    rows = [
        ("checked, this process", f"{_rate(Alone(), runs):,.0f}", "", goal),
        ("not checked, this process", f"{_rate(Alone(), runs, check=False):,.0f}", "", ""),
    ]
    first = 0.0
    for workers in WORKERS:
        with closing(Processes(workers)) as pool:
            rate = _rate(pool, runs * workers)
        first = first or rate
        share = f"{rate / first / workers:.0%}"
        rows.append((f"checked, {workers} processes", f"{rate:,.0f}", share, ""))
    head = (f"{engine}, runs a minute", "rate", "efficiency", "goal")
    Console(highlight=False).print(render_table(head, rows))


def _rate(pool: Pool, runs: int, *, check: bool = True) -> float:
    scenario = load_scenario(SCENARIO)
    settings = Settings(mode=Mode.RANDOM, seed=1, check=check)
    job = Job(scenario, load_programs(scenario), scenario.cycles, settings)
    # The first runs boot the scenario in every process and translate its code.
    Exploration(job, pool, runs=8 * pool.workers).run()
    begin = time.perf_counter()
    report = Exploration(job, pool, runs=runs).run()
    assert not report.failing, "the cure fails in no order"
    return report.runs / (time.perf_counter() - begin) * 60


if __name__ == "__main__":
    main()
