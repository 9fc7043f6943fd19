"""Searching a run for breaks and touches, in both directions.

Backwards means: stretch by stretch from checkpoint to checkpoint, each executed forwards,
and of what it had the last comes first.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from emu.memory import SHARED_BASE
from kernel.errors import UsageError
from kernel.objects import Task
from lab.replay.halting import NEVER, Instant
from lab.replay.rerun import Rerun
from lab.replay.touches import Looker, Place, Touch, runs_of

_CHUNK = 2048  # instructions of the first stretch that is searched forwards
_LONGEST_CHUNK = 1 << 18
_KEPT = 4096  # stops that a stretch keeps


@dataclass(frozen=True, slots=True)
class Break:
    """An instruction of a task at which to stop."""

    task: int
    address: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a search ended at the cursor."""

    at: Instant
    thread: int  # that is about to run, or whose touch it was
    touch: Touch | None = None  # None: a break


@dataclass(slots=True)
class _Found:
    """What a stretch of a run had of what was looked for: the last stops."""

    stops: deque[Stop] = field(default_factory=lambda: deque(maxlen=_KEPT))
    dropped: bool = False

    def add(self, stop: Stop) -> None:
        self.dropped |= len(self.stops) == _KEPT
        self.stops.append(stop)


def search_on(
    rerun: Rerun, breaks: tuple[Break, ...], places: tuple[Place, ...], until: Instant = NEVER
) -> Stop | None:
    """Go on from the live instant to the first stop after it; None: to `until` or the end."""
    size = _CHUNK
    while True:
        start = rerun.now().at
        goal = min(until, Instant(start.position + size) if places else NEVER)
        found = _scan(rerun, start, goal, breaks, places, first=True)
        stops = [stop for kept in found for stop in kept.stops if stop.at > start]
        if stops:
            stop = min(stops, key=lambda each: each.at)
            rerun.go(stop.at)
            return stop
        live = rerun.now()
        if live.outcome is not None or live.at >= until:
            return None
        size = min(2 * size, _LONGEST_CHUNK)


def search_back(
    rerun: Rerun, breaks: tuple[Break, ...], places: tuple[Place, ...], upper: Instant
) -> Iterator[Stop]:
    """Find the stops before an instant, the last one first; the live run goes anywhere."""
    while upper > (0, 0):
        start = rerun.checkpoints.before(upper).at
        found = _scan(rerun, start, upper, breaks, places, first=False)
        # Where not all were kept, the rest is looked for again.
        bound = max((kept.stops[0].at for kept in found if kept.dropped), default=start)
        stops = [stop for kept in found for stop in kept.stops]
        stops.sort(key=lambda stop: stop.at)
        yield from (stop for stop in reversed(stops) if bound <= stop.at < upper)
        upper = bound


def _scan(
    rerun: Rerun,
    start: Instant,
    goal: Instant,
    breaks: tuple[Break, ...],
    places: tuple[Place, ...],
    *,
    first: bool,
) -> list[_Found]:
    """Go from `start` to `goal` and take note of stops, or to the first one behind.

    A touch stops behind it if it is the first that is looked for, else before it.
    """
    rerun.go(start)
    windows = _windows(rerun, places)
    if windows:
        rerun.save()
    found: list[_Found] = []
    if breaks or not windows:
        found.append(_scan_breaks(rerun, start, goal, breaks, first=first))
        if first and found[0].stops:
            goal = min(goal, found[0].stops[0].at)
    for shared in windows:
        rerun.go(start)
        found.append(_scan_touches(rerun, start, goal, places, shared=shared, first=first))
    return found


def _scan_breaks(
    rerun: Rerun, start: Instant, goal: Instant, breaks: tuple[Break, ...], *, first: bool
) -> _Found:
    found = _Found()
    machine = rerun.now().machine
    by_task: dict[int, set[int]] = {}
    for each in breaks:
        by_task.setdefault(each.task, set()).add(each.address)
    spaces = _spaces(rerun)
    machine.breaks = {task: frozenset(them) for task, them in by_task.items()}
    for task, addresses in machine.breaks.items():
        if task in spaces:
            machine.set_breaks(task, addresses)
    machine.passed = start if first else NEVER
    try:
        while True:
            rerun.advance(goal)
            live = rerun.now()
            if not live.is_at_break or live.at >= goal:
                break
            found.add(Stop(live.at, machine.last))
            if first:
                break
            machine.passed = live.at
    finally:
        if rerun.live is not None:
            for task in set(machine.breaks).intersection(_spaces(rerun)):
                machine.set_breaks(task, frozenset())
            machine.breaks = {}
            machine.passed = NEVER
    return found


def _scan_touches(
    rerun: Rerun,
    start: Instant,
    goal: Instant,
    places: tuple[Place, ...],
    *,
    shared: bool,
    first: bool,
) -> _Found:
    found = _Found()
    live = rerun.now()

    def see(touch: Touch) -> None:
        if not first:
            found.add(Stop(touch.before, touch.thread, touch))
        elif touch.after > start and (not found.stops or touch.after < found.stops[0].at):
            found.stops.clear()
            found.add(Stop(touch.after, touch.thread, touch))

    live.looker = Looker(live.machine, places, see, rerun.rewatch, shared=shared)
    live.machine.entered = live.looker.entered
    live.machine.left = live.looker.left
    try:
        rerun.advance(goal, (lambda: bool(found.stops)) if first else None)
    finally:
        if rerun.live is not None:
            live.machine.entered = live.machine.left = live.looker = None
            rerun.rewatch()
    return found


def _windows(rerun: Rerun, places: tuple[Place, ...]) -> tuple[bool, ...]:
    """Tell in which windows of memory places are: RAM, or what the kernel shares."""
    machine = rerun.now().machine
    windows: set[bool] = set()
    for place in places:
        runs = list(runs_of(machine, place))
        windows.update(address >= SHARED_BASE for address, _ in runs)
        if sum(size for _, size in runs) < place.size:
            windows.add(False)  # it may be mapped later
    return tuple(sorted(windows))


def check_mapped(rerun: Rerun, place: Place) -> None:
    """Raise UsageError if some of a place is not mapped where the live run is."""
    live = rerun.now()
    if place.size <= 0 or sum(size for _, size in runs_of(live.machine, place)) < place.size:
        raise UsageError(
            f"{place.size} bytes at {place.address:#x} of task {place.task}: "
            f"not all are mapped at {live.at}"
        )


def _spaces(rerun: Rerun) -> set[int]:
    objects = rerun.now().kernel.objects
    return {number for number, each in objects.items() if isinstance(each, Task)}
