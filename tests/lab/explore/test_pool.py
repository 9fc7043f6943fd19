"""Wherever units run, the report is the same; workers that die take only their unit along."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guest.errors import GuestError
from lab.explore.explore import Exploration, Report
from lab.explore.job import Mode, Settings
from lab.explore.pool import RETRIES, Alone, Processes
from lab.explore.store import Store
from tests.lab.explore.test_explore import job


@pytest.fixture
def two() -> Iterator[Processes]:
    with closing(Processes(2)) as pool:
        yield pool


def facts(report: Report) -> tuple[object, ...]:
    return report.runs, report.failures, report.failing, report.behaviours, report.covered


@pytest.mark.parametrize(
    ("settings", "runs"),
    [(Settings(bound=3), None), (Settings(mode=Mode.RANDOM, seed=2), 60)],
)
def test_two_workers_find_what_one_finds(
    two: Processes, settings: Settings, runs: int | None
) -> None:
    it = job("overtaken", settings)

    alone = Exploration(it, Alone(), runs=runs).run()
    together = Exploration(it, two, runs=runs).run()

    assert facts(together) == facts(alone)
    assert alone.failing


def kill_once(unit: tuple[str, int]) -> int:
    marker, number = unit
    if number == 3:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return number
        os._exit(9)
    return number


def kill_always(number: int) -> int:
    if number == 1:
        os._exit(9)
    return number


def test_the_unit_of_a_worker_that_died_is_given_to_another(
    two: Processes, tmp_path: Path
) -> None:
    units = [(str(tmp_path / "killed"), number) for number in range(8)]
    arrived: list[int] = []

    results = list(two.map(kill_once, units, lambda number, result: arrived.append(number)))

    assert results == list(range(8))
    assert sorted(arrived) == list(range(8))


def test_a_unit_that_kills_every_worker_is_named(two: Processes) -> None:
    with pytest.raises(GuestError, match=f"{RETRIES + 1} workers have died .* this unit: 1"):
        list(two.map(kill_always, [1], lambda number, result: None))


def test_what_the_store_has_is_not_run_again(tmp_path: Path) -> None:
    it = job("overtaken", Settings())
    file = tmp_path / "store.sqlite"
    with closing(Store(file, it.digest, resumes=False)) as store:
        part = Exploration(it, Alone(), store=store, runs=20).run()
    whole = Exploration(it, Alone()).run()

    with closing(Store(file, it.digest, resumes=True)) as store:
        resumed = Exploration(it, Alone(), store=store).run()

    assert (part.reused, resumed.reused) == (0, 20)
    assert facts(resumed)[:4] == facts(whole)[:4]


def test_an_interrupted_exploration_keeps_what_it_has(tmp_path: Path) -> None:
    it = job("overtaken", Settings(mode=Mode.RANDOM))
    file = tmp_path / "store.sqlite"

    def interrupt(done: int, known: int) -> None:
        if done == 70:
            raise KeyboardInterrupt

    with closing(Store(file, it.digest, resumes=False)) as store:
        report = Exploration(it, Alone(), store=store, runs=200, progress=interrupt).run()

    assert (report.runs, report.interrupted) == (70, True)
    assert report.failing
    with closing(Store(file, it.digest, resumes=True)) as store:
        assert len(store.load()) >= 70


def test_a_store_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    Store(file, "one", resumes=False).close()

    with pytest.raises(GuestError, match="there already: go on with --resume"):
        Store(file, "one", resumes=False)
    with pytest.raises(GuestError, match="of another exploration"):
        Store(file, "two", resumes=True)
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(GuestError, match="no store of an exploration"):
        Store(file, "one", resumes=True)
