"""A Dask cluster finds what this process finds, even if a worker is killed in the middle."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import distributed as distributed_
import pytest

from guest.errors import GuestError
from lab.explore import cluster as clusters
from lab.explore.explore import Exploration
from lab.explore.job import Settings
from lab.explore.pool import Alone
from lab.explore.store import Store
from tests.lab.cli import CommandLine
from tests.lab.explore.test_explore import job
from tests.lab.explore.test_pool import facts, kill_always

distributed: Any = distributed_


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=None
    ) as made:
        yield made


def test_a_killed_worker_changes_nothing(cluster: Any, tmp_path: Path) -> None:
    it = job("overtaken", Settings(bound=3))
    alone = Exploration(it, Alone()).run()
    victims = [worker.pid for worker in cluster.workers.values()]

    def kill(done: int, known: int) -> None:
        if done == 25:
            os.kill(victims.pop(), signal.SIGKILL)

    file = tmp_path / "store.sqlite"
    with (
        closing(clusters.connect(cluster.scheduler_address)) as pool,
        closing(Store(file, it.digest, resumes=False)) as store,
    ):
        together = Exploration(it, pool, store=store, progress=kill).run()

    assert len(victims) == 1
    assert facts(together) == facts(alone)
    with closing(Store(file, it.digest, resumes=True)) as store:
        assert len(store.load()) == alone.runs


def test_a_unit_that_kills_its_workers_is_named(cluster: Any) -> None:
    with (
        closing(clusters.connect(cluster.scheduler_address)) as pool,
        pytest.raises(GuestError, match="too many workers have died running this unit: 1"),
    ):
        list(pool.map(kill_always, [1], lambda number, result: None))


def test_the_command_runs_on_a_cluster(
    cluster: Any, l4lab: CommandLine, tmp_path: Path
) -> None:
    address = cluster.scheduler_address

    done = l4lab("explore", "overtaken", "--dask", address, "--save", str(tmp_path))

    assert done.code == 1
    assert "FAILED  1 of 39 runs" in done.out


def test_where_no_cluster_is_there_is_one_error(
    l4lab: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.explore.cluster._TIMEOUT", 0.5)

    done = l4lab("explore", "overtaken", "--dask", "tcp://127.0.0.1:9", "--save", str(tmp_path))

    assert (done.code, done.out) == (3, "")
    assert "no Dask cluster answers" in done.err
