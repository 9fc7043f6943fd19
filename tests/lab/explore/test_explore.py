"""An exploration finds the order in which a scenario fails, and says so when there is none."""

from dataclasses import replace

import pytest

from guest.scenario import Scenario, load_scenario
from lab.explore.explore import Exploration, Report
from lab.explore.job import Job, Mode, Preempt, Settings, default_points
from lab.explore.pool import Alone, Pool
from lab.explore.session import explore
from lab.replay.system import load_programs

BUG = "stale-read of mr[1] by server in dispatch overtaken.s:40"


def job(name: str | Scenario, settings: Settings, *, arch: str | None = None) -> Job:
    scenario = name if isinstance(name, Scenario) else load_scenario(name, arch=arch)
    return Job(scenario, load_programs(scenario), scenario.cycles, settings)


def report(
    name: str | Scenario,
    *,
    pool: Pool | None = None,
    arch: str | None = None,
    runs: int | None = None,
    **settings: object,
) -> Report:
    made = replace(Settings(), **settings)  # type: ignore[arg-type]
    return Exploration(job(name, made, arch=arch), pool or Alone(), runs=runs).run()


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_the_seeded_bug_is_found_within_200_systematic_runs(arch: str) -> None:
    done = report("overtaken", arch=arch)

    found = [each for each in done.failures if each.failure.text == BUG]
    assert [each.run <= 200 for each in found] == [True]
    assert len(found[0].choices) == 2
    assert done.is_complete


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
@pytest.mark.parametrize("bound", [2, 3])
def test_the_cure_is_free_of_it_within_the_bound(arch: str, bound: int) -> None:
    done = report("overtaken_read_first", arch=arch, bound=bound)

    assert (done.failing, done.is_complete, done.pending) == (0, True, 0)
    assert done.runs > 30


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pct_finds_the_seeded_bug_within_three_times_its_bound(seed: int) -> None:
    scenario = load_scenario("overtaken")
    settings = Settings(mode=Mode.PCT, depth=3, seed=seed)

    done = explore(scenario, settings, Alone(), stops=True)

    assert done.bound == 3 * done.report.steps**2
    assert [
        each.failure.text for each in done.report.failures if each.failure.kind == "finding"
    ]
    assert done.report.runs <= 3 * done.bound


@pytest.mark.parametrize("bound", [1, 2, 3])
@pytest.mark.parametrize("name", ["overtaken", "overtaken_read_first", "semaphore_lock"])
def test_pruning_leaves_out_nothing_that_is_different(name: str, bound: int) -> None:
    every = report(name, bound=bound, prunes=False)
    pruned = report(name, bound=bound)

    assert pruned.behaviours == every.behaviours
    assert set(pruned.found) == set(every.found)
    assert pruned.runs <= every.runs


def test_without_a_choice_that_is_unusual_there_is_one_run() -> None:
    done = report("overtaken", bound=0)

    assert (done.runs, done.failing, done.is_complete) == (1, 0, True)


def test_a_limit_of_runs_is_kept_and_what_is_left_is_told() -> None:
    done = report("overtaken", runs=10)

    assert (done.runs, done.is_complete) == (10, False)
    assert done.pending > 0


def test_runs_at_random_follow_from_the_seed() -> None:
    one, same = (report("overtaken", mode=Mode.RANDOM, seed=5, runs=40) for _ in range(2))
    other = report("overtaken", mode=Mode.RANDOM, seed=6, runs=40)

    assert one.behaviours == same.behaviours
    assert one.failures == same.failures
    assert other.behaviours != one.behaviours


def test_a_slice_may_end_every_so_many_cycles_too() -> None:
    points = default_points(Preempt.CYCLES, 1, 0, overrules=False)

    done = report("overtaken", preempt=Preempt.CYCLES, points=points, bound=1)

    assert done.asked > report("overtaken", bound=1).asked
    assert done.is_complete


def test_priorities_are_overruled_if_that_is_asked_for() -> None:
    points = default_points(Preempt.SYSCALLS, 0, 0, overrules=True)

    done = report("overtaken", points=points, bound=1)

    assert done.asked > report("overtaken", bound=1).asked
    assert done.is_complete


def test_late_interrupts_are_choices_within_their_window() -> None:
    points = default_points(Preempt.SYSCALLS, 0, 1_000_000, overrules=False)

    without = report("irq_server", bound=1)
    done = report("irq_server", points=points, bound=1)

    assert done.runs > without.runs
    assert done.is_complete
