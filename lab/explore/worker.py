"""A worker: runs units of a job; what comes of a unit depends on job and unit alone."""

from functools import lru_cache

from lab.explore.job import Choices, Job, Mode, Preempt, Record, Unit, UnitResult
from lab.explore.judge import Judge
from lab.explore.policies import Fixed, Pct, Random
from lab.explore.races import requests, shared_places
from lab.replay.shared import has_shared_memory
from lab.replay.stage import Policy, Ran, Stage


class Worker:
    """The stages of one job in one process."""

    def __init__(self, job: Job) -> None:
        settings = job.settings
        self.job = job
        self.stage = Stage(
            job.scenario,
            job.images,
            settings.points,
            budget=job.budget,
            check=settings.check,
            logs=settings.console,
        )
        self.judge = Judge(self.stage, job.scenario, job.images, console=settings.console)
        shares = has_shared_memory(self.stage.kernel)
        # Where memory is shared and not tracked, nobody knows which steps are independent.
        self.prunes = settings.prunes and (not shares or settings.preempt is Preempt.SHARED)
        self._tracker: Stage | None = None
        if settings.preempt is Preempt.SHARED:
            self._tracker = Stage(
                job.scenario,
                job.images,
                settings.points,
                budget=job.budget,
                logs=settings.console,
                tracks=True,
            )

    def close(self) -> None:
        """Give the machines back."""
        self.stage.close()
        if self._tracker is not None:
            self._tracker.close()

    def use_places(self, places: frozenset[tuple[int, int]]) -> None:
        """Let slices end in code before these blocks only, if that is how they end."""
        if self._tracker is not None:
            self.stage.places = self._tracker.places = places

    def run(self, unit: Unit) -> UnitResult:
        """Run a unit."""
        self.use_places(unit.places)
        records = [self._run(Fixed(choices)) for choices in unit.choices]
        records += [self._run(self._draw(number, unit.steps)) for number in unit.numbers]
        return UnitResult(tuple(records), self.stage.covered())

    def try_choices(self, choices: Choices) -> tuple[Ran, Record]:
        """Run with these choices."""
        return self._try(Fixed(choices))

    def _draw(self, number: int, steps: int) -> Policy:
        settings = self.job.settings
        if settings.mode is Mode.PCT and steps:
            return Pct(settings.seed, number, depth=settings.depth, places=steps)
        return Random(settings.seed, number)

    def _run(self, policy: Policy) -> Record:
        return self._try(policy)[1]

    def _try(self, policy: Policy) -> tuple[Ran, Record]:
        ran = self.stage.run(policy)
        failures = self.judge.failures(ran)
        steps = ran.steps
        places: frozenset[tuple[int, int]] = frozenset()
        if self._tracker is not None:
            steps = self._tracker.run(Fixed(ran.choices)).steps
            places = shared_places(steps)
        following: tuple[Choices, ...] = ()
        if self.job.settings.mode is Mode.SYSTEMATIC:
            bound = self.job.settings.bound
            wanted = requests(ran, prunes=self.prunes, steps=steps)
            following = tuple(each for each in wanted if len(each) <= bound)
        record = Record(
            choices=ran.choices,
            failures=failures,
            following=following,
            asked=len(ran.asked),
            behaviour=ran.behaviour,
            places=tuple(sorted(places)),
        )
        return ran, record


@lru_cache(maxsize=1)
def _worker(digest: str) -> "list[Worker]":
    # One for each process: a stage is worth many runs.
    return []


def run_unit(job: Job, unit: Unit) -> UnitResult:
    """Run a unit with the worker of this process, making it if it is there for another job."""
    held = _worker(job.digest)
    if not held:
        held.append(Worker(job))
    return held[0].run(unit)
