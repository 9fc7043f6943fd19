"""All measurements of one run, interleaved: what disturbs the machine hits them alike."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from math import inf
from statistics import median, quantiles

from bench.figures import ARCHES, LOOPS, WORDS, Figures
from bench.loop import GuestLoop, call_loop, fault_loop
from bench.process import Start, start, thread_memory
from guest.scenario import load_scenario
from lab.replay.system import System, boot, load_programs

TWO_TASKS = "pingpong"
FAULTS = "page_fault_forever"

Progress = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: samples of each figure, and the seconds of one of them.

    After `limit` seconds by the wall clock no further round of samples begins.
    """

    samples: int
    seconds: float
    limit: float = inf


SHORT = Effort(samples=5, seconds=0.015, limit=10)
FULL = Effort(samples=15, seconds=0.05)


@dataclass(eq=False, slots=True)
class _Series:
    """One figure: how a sample is taken, and those taken so far."""

    take: Callable[[], float]
    samples: list[float] = field(default_factory=list)

    @property
    def figure(self) -> float:
        return median(self.samples)

    @property
    def spread(self) -> float:
        """How far apart the middle half of the samples lies, relative to their median."""
        if len(self.samples) < 2:
            return 0.0
        low, _, high = quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / self.figure


def measure(effort: Effort, *, progress: Progress | None = None) -> Figures:
    """Measure everything; each figure is the median of its samples."""
    begin = time.monotonic()
    system = _boot()
    engine = system.machine.engine
    system.close()
    series: dict[tuple[str, ...], _Series] = {}
    names = list(_names())
    total = len(names) * (effort.samples + 1) + effort.samples + 1
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for name in names:
        if (prepared := _prepare(name, effort.seconds)) is not None:
            series[name] = _Series(prepared)
        step()
    starts: list[Start] = []
    while len(starts) < effort.samples:
        if starts and time.monotonic() - begin >= effort.limit:
            break
        for name in names:
            if name in series:
                series[name].samples.append(series[name].take())
            step()
        starts.append(start(TWO_TASKS))
        step()
    memory = thread_memory()
    step()

    found = {name: each.figure for name, each in series.items()}
    return Figures(
        engine=engine,
        samples=len(starts),
        spread=median(each.spread for each in series.values()),
        guest={arch: {loop: found["guest", arch, loop] for loop in LOOPS} for arch in ARCHES},
        round_trips={
            arch: {
                kind: {words: found[kind, arch, words] for words in WORDS} for kind in _CALLS
            }
            for arch in ARCHES
        },
        page_faults=found.get(("page_faults",)),
        boot_ms=found[("boot",)] * 1000,
        first_boot_ms=median(each.boot_ms for each in starts),
        import_ms=median(each.import_ms for each in starts),
        memory=memory,
    )


# Of each kind of call: its scenarios, and whether it is recorded.
_CALLS = {
    "intra": ("pingpong_forever_intra_{}", False),
    "inter": ("pingpong_forever_{}", False),
    "inter_traced": ("pingpong_forever_{}", True),
}


def _names() -> Iterator[tuple[str, ...]]:
    for arch in ARCHES:
        for loop in LOOPS:
            yield "guest", arch, loop
        for words in WORDS:
            for kind in _CALLS:
                yield kind, arch, words
    yield ("page_faults",)
    yield ("boot",)


def _prepare(name: tuple[str, ...], seconds: float) -> Callable[[], float] | None:
    match name:
        case "guest", arch, loop:
            return GuestLoop(f"bench_{loop}", arch, seconds=seconds).ratio
        case kind, arch, words:
            scenario, traced = _CALLS[kind]
            calls = call_loop(scenario.format(words), arch)
            length = calls.length(seconds, traced=traced)
            return partial(calls.turns_per_second, length, traced=traced)
        case ("page_faults",):
            faults = fault_loop(FAULTS)
            if faults is None:
                return None
            return partial(faults.turns_per_second, faults.length(seconds))
    return _boot_seconds


def _boot_seconds() -> float:
    begin = time.thread_time()
    system = _boot()
    seconds = time.thread_time() - begin
    system.close()
    return seconds


def _boot() -> System:
    scenario = load_scenario(TWO_TASKS)
    return boot(scenario, load_programs(scenario))
