"""A session: an exploration from its start to the schedules that it leaves behind."""

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from guest.image import Image
from guest.scenario import Scenario
from kernel.variation import Choose, Variation
from lab.explore.explore import Exploration, Found, Progress, Report, pct_bound
from lab.explore.job import Choices, Failure, Job, Settings
from lab.explore.minimise import minimise
from lab.explore.pool import Pool
from lab.explore.schedule import make_schedule, save_schedule
from lab.explore.store import Store
from lab.explore.worker import Worker
from lab.replay.system import load_programs

SAVED = 20  # failures whose schedules are saved, the first ones


@dataclass(frozen=True, slots=True)
class Saved:
    """A schedule that shows failures which were first seen in one run."""

    path: Path | None
    found: tuple[Found, ...]
    choices: Choices  # after minimising
    told: tuple[str, ...]  # the same, for people


@dataclass(frozen=True, slots=True)
class Explored:
    """What came of a session."""

    scenario: Scenario
    report: Report
    saved: tuple[Saved, ...]
    threads: int
    prunes: bool
    images: dict[str, Image]

    @property
    def bound(self) -> int:
        """Give PCT's bound: runs in which it finds a bug of the depth once, on average."""
        settings = self.report.settings
        return pct_bound(self.threads, self.report.steps, settings.depth)


def explore(
    scenario: Scenario,
    settings: Settings,
    pool: Pool,
    *,
    cycles: int | None = None,
    runs: int | None = None,
    store: Path | None = None,
    resumes: bool = False,
    folder: Path | None = None,
    stops: bool = False,
    progress: Progress | None = None,
) -> Explored:
    """Explore a scenario; the schedules of what fails are minimised and saved in `folder`.

    Without `runs` there are three times as many as PCT's bound, or 10,000 otherwise.
    """
    images = load_programs(scenario)
    job = Job(scenario, images, scenario.cycles if cycles is None else cycles, settings)
    # It boots the scenario here first: what is wrong with it is one error, and not a worker's.
    with closing(Worker(job)) as worker:
        held = None if store is None else Store(store, job.digest, resumes=resumes)
        try:
            report = Exploration(
                job, pool, store=held, progress=progress, stops=stops, runs=runs
            ).run()
        finally:
            if held is not None:
                held.close()
        saved = _save(worker, report, folder)
        threads = len(scenario.threads)
        return Explored(scenario, report, saved, threads, worker.prunes, images)


def _save(worker: Worker, report: Report, folder: Path | None) -> tuple[Saved, ...]:
    by_run: dict[int, list[Found]] = {}
    for each in report.failures[:SAVED]:
        by_run.setdefault(each.run, []).append(each)
    saved: list[Saved] = []
    worker.use_places(report.places)
    for number, found in enumerate(by_run.values(), 1):
        wanted = {each.failure for each in found}

        choices = minimise(found[0].choices, partial(_fails, worker, wanted))
        ran, _ = worker.try_choices(choices)
        schedule = make_schedule(
            worker.job.scenario,
            worker.job.images,
            _variation(ran.variation),
            worker.stage.names,
            tuple(f"{each.failure.kind}: {each.failure.text}" for each in found),
        )
        path = None
        if folder is not None:
            path = folder / f"{worker.job.scenario.name}-{number}.schedule.json"
            save_schedule(schedule, path)
        told = tuple(map(str, schedule.choices))
        saved.append(Saved(path, tuple(found), choices, told))
    return tuple(saved)


def _fails(worker: Worker, wanted: set[Failure], choices: Choices) -> bool:
    return wanted.issubset(worker.try_choices(choices)[1].failures)


def _variation(variation: Variation) -> Variation:
    # Without any choice the points do not matter.
    return variation if any(isinstance(each, Choose) for each in variation) else ()
