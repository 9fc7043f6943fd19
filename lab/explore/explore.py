"""An exploration: rounds of units, and what came of all their runs.

Rule 1: which runs there are, and in which order they count, follows from the job alone.  In
systematic mode a round has all runs that are asked for and differ from the usual one in the
fewest choices, in the order of these.
Rule 2: a run that the store has is not run again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from lab.explore.job import (
    Choices,
    Failure,
    Job,
    Mode,
    Preempt,
    Record,
    Settings,
    Unit,
    UnitResult,
)
from lab.explore.pool import Pool
from lab.explore.store import Store
from lab.explore.worker import run_unit

_UNIT = 64  # runs of a unit, if there are enough for all workers
_RUNS = 10_000  # at most, if nobody says otherwise
_PROBES = 8  # runs that tell how many choices there are
_GROWTHS = 50  # times that newly found shared memory makes the exploration begin anew

Progress = Callable[[int, int], None]  # runs done, runs known of


@dataclass(frozen=True, slots=True)
class Found:
    """A failure: in which run it was seen first, with which choices, and how often."""

    failure: Failure
    run: int  # from 1
    choices: Choices
    count: int


@dataclass(slots=True)
class Report:
    """What came of an exploration."""

    settings: Settings
    runs: int = 0
    pending: int = 0  # runs that were asked for and not done
    reused: int = 0  # records that the store had
    asked: int = 0  # the most choices of a run
    steps: int = 0  # what PCT takes for that
    behaviours: set[str] = field(default_factory=set)
    found: dict[Failure, Found] = field(default_factory=dict)
    failing: int = 0  # runs
    covered: dict[str, set[int]] = field(default_factory=dict)
    places: frozenset[tuple[int, int]] = frozenset()
    interrupted: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether there is no run within the bound that was not done."""
        return (
            self.settings.mode is Mode.SYSTEMATIC and not self.pending and not self.interrupted
        )

    @property
    def failures(self) -> list[Found]:
        """Give what was found, in the order of the runs."""
        return sorted(self.found.values(), key=lambda each: (each.run, each.failure.text))


class Exploration:
    """One exploration under way; `report` is right at any time."""

    def __init__(
        self,
        job: Job,
        pool: Pool,
        *,
        store: Store | None = None,
        progress: Progress | None = None,
        stops: bool = False,
        runs: int | None = None,
    ) -> None:
        self.job = job
        self._limit = runs
        self.report = Report(job.settings)
        self._pool = pool
        self._store = store
        self._stored = {} if store is None else store.load()
        self._progress = progress
        self._stops = stops  # at the first failure
        self._run_unit = partial(run_unit, job)

    def run(self) -> Report:
        """Explore to the end; what was found stays in the report if this is interrupted."""
        try:
            if self.job.settings.mode is Mode.SYSTEMATIC:
                self._systematic()
            else:
                self._drawn()
        except KeyboardInterrupt:
            self.report.interrupted = True
        return self.report

    # -- systematic -------------------------------------------------------------

    def _systematic(self) -> None:
        for _ in range(_GROWTHS):
            places = self._explore(self.report.places)
            if places == self.report.places:
                return
            covered = self.report.covered
            self.report = Report(self.job.settings, places=places, covered=covered)

    def _explore(self, places: frozenset[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        """Run everything within the bound; give more places than these if some were found."""
        limit = _RUNS if self._limit is None else self._limit
        known: set[Choices] = {()}
        pending: dict[int, set[Choices]] = {0: {()}}  # by number of choices
        while pending and self.report.runs < limit:
            size = min(pending)
            batch = sorted(pending.pop(size), key=_order)
            rest = batch[limit - self.report.runs :]
            if rest:
                pending[size] = set(rest)
                batch = batch[: limit - self.report.runs]
            found = set(places)
            for choices, record in zip(batch, self._records(batch, places), strict=True):
                self._take(record)
                found.update(record.places)
                for each in record.following:
                    if each not in known:
                        known.add(each)
                        pending.setdefault(len(each), set()).add(each)
                self.report.pending = sum(map(len, pending.values()))
                assert record.choices == choices or self._stored, "a run takes its choices"
                if self._stops and self.report.failing:
                    return places
            self.report.pending = sum(map(len, pending.values()))
            if self.job.settings.preempt is Preempt.SHARED and found != places:
                return frozenset(found)
        return places

    # -- drawn ------------------------------------------------------------------

    def _drawn(self) -> None:
        settings = self.job.settings
        places: frozenset[tuple[int, int]] = frozenset()
        steps = 0
        if settings.mode is Mode.PCT or settings.preempt is Preempt.SHARED:
            # A few runs tell how many places there are, and where memory is shared.
            for _ in range(_GROWTHS):
                found = set(places)
                records = [*self._records([()], places), *self._probes(places)]
                for record in records:
                    steps = max(steps, record.asked)
                    found.update(record.places)
                if found == places:
                    break
                places = frozenset(found)
        self.report.places = places
        self.report.steps = steps
        runs = self._limit
        if runs is None:
            bound = pct_bound(len(self.job.scenario.threads), steps, settings.depth)
            runs = 3 * bound if settings.mode is Mode.PCT else _RUNS
        numbers = range(runs)
        for record in self._records_of(numbers, self.report.places, steps):
            self._take(record)
            self.report.pending = runs - self.report.runs
            if self._stops and self.report.failing:
                return

    def _probes(self, places: frozenset[tuple[int, int]]) -> Iterator[Record]:
        return self._records_of(range(_PROBES), places, 0)

    # -- units ------------------------------------------------------------------

    def _records(
        self, batch: list[Choices], places: frozenset[tuple[int, int]]
    ) -> Iterator[Record]:
        keys = [_key(choices, places) for choices in batch]
        missing = [k for k, key in enumerate(keys) if key not in self._stored]
        units = [
            Unit(choices=tuple(batch[k] for k in part), places=places)
            for part in self._parts(missing)
        ]
        return self._merge(keys, units, [keys[k] for k in missing])

    def _records_of(
        self, numbers: range, places: frozenset[tuple[int, int]], steps: int
    ) -> Iterator[Record]:
        keys = [f"draw {steps} {number} {sorted(places)}" for number in numbers]
        missing = [k for k, key in enumerate(keys) if key not in self._stored]
        units = []
        for part in self._parts(missing):
            # Parts may have gaps: where the store has some.
            for first, last in _stretches(part):
                units.append(Unit(numbers=range(first, last), places=places, steps=steps))
        return self._merge(keys, units, [keys[k] for k in missing])

    def _parts(self, missing: list[int]) -> list[list[int]]:
        size = max(1, min(_UNIT, -(-len(missing) // (4 * self._pool.workers))))
        return [missing[k : k + size] for k in range(0, len(missing), size)]

    def _merge(
        self, keys: list[str], units: list[Unit], missing: list[str]
    ) -> Iterator[Record]:
        starts = [0]
        for unit in units:
            starts.append(starts[-1] + unit.count)

        def arrived(number: int, result: UnitResult) -> None:
            if self._store is not None:
                own = missing[starts[number] : starts[number + 1]]
                self._store.add(zip(own, result.records, strict=True))

        fresh = self._fresh(units, arrived)
        for key in keys:
            record = self._stored.get(key)
            if record is None:
                record = next(fresh)
            else:
                self.report.reused += 1
            yield record

    def _fresh(
        self, units: list[Unit], arrived: Callable[[int, UnitResult], None]
    ) -> Iterator[Record]:
        for result in self._pool.map(self._run_unit, units, arrived):
            for task, addresses in result.covered.items():
                self.report.covered.setdefault(task, set()).update(addresses)
            yield from result.records

    def _take(self, record: Record) -> None:
        report = self.report
        report.runs += 1
        report.asked = max(report.asked, record.asked)
        report.behaviours.add(record.behaviour)
        report.failing += bool(record.failures)
        for failure in record.failures:
            known = report.found.get(failure)
            report.found[failure] = (
                Found(failure, report.runs, record.choices, 1)
                if known is None
                else Found(failure, known.run, known.choices, known.count + 1)
            )
        if self._progress is not None:
            self._progress(report.runs, report.runs + report.pending)


def pct_bound(threads: int, steps: int, depth: int) -> int:
    """Give the inverse of the least chance that PCT has in a run: n * k ** (d - 1)."""
    return int(threads * max(steps, 1) ** (depth - 1))


def _order(choices: Choices) -> tuple[tuple[object, ...], ...]:
    return tuple((each.subject, each.point, each.ordinal, each.option) for each in choices)


def _key(choices: Choices, places: frozenset[tuple[int, int]]) -> str:
    return repr((_order(choices), sorted(places)))


def _stretches(numbers: list[int]) -> Iterator[tuple[int, int]]:
    begin = 0
    for k in range(1, len(numbers) + 1):
        if k == len(numbers) or numbers[k] != numbers[k - 1] + 1:
            yield numbers[begin], numbers[k - 1] + 1
            begin = k
