"""The figures of one run, as JSON and as tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from rich.table import Table
from rich.text import Text

from bench.process import ThreadMemory
from lab.views.text import render_table

ARCHES = ("amd64", "ia32")
LOOPS = ("alu", "mem", "call", "rep_movsb", "byte_copy")
WORDS = ("0", "4", "63")
NOT_MEASURED = "not measured"
# What the compiled engine is to reach; the other one is what is left without a compiler.
GOALS = {
    "loop": ">= 0.50",
    "mean": ">= 0.70",
    "inter 4": ">= 1,000,000",
    "inter 63": ">= 500,000",
    "inter_traced 4": ">= 200,000",
    "boot": "< 25 ms",
    "import": "< 120 ms",
    "resident": "< 400 MB",
}
_KINDS = {"intra": "one task", "inter": "two tasks", "inter_traced": "two tasks, recorded"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; None where that was not possible."""

    engine: str
    samples: int  # behind each figure
    spread: float  # of the middle half of them, relative, for the median figure
    guest: dict[str, dict[str, float]]  # by architecture and loop
    round_trips: dict[str, dict[str, dict[str, float]]]  # by architecture, kind, words
    page_faults: float | None  # per second
    boot_ms: float
    first_boot_ms: float  # in a fresh process
    import_ms: float
    memory: ThreadMemory | None


def as_json(figures: Figures) -> dict[str, object]:
    """Make the object that `l4lab bench --json` prints; no other keys, in this order."""
    faults, memory = figures.page_faults, figures.memory
    return {
        "engine": figures.engine,
        "guest": {
            arch: {loop: round(ratio, 4) for loop, ratio in loops.items()}
            for arch, loops in figures.guest.items()
        },
        "round_trips": {
            arch: {
                kind: {words: round(rate) for words, rate in rates.items()}
                for kind, rates in kinds.items()
            }
            for arch, kinds in figures.round_trips.items()
        },
        "page_faults": None if faults is None else round(faults),
        "boot_ms": round(figures.boot_ms, 2),
        "import_ms": round(figures.import_ms, 2),
        "thread_mb": None if memory is None else round(memory.thread_mb, 3),
    }


def render(figures: Figures) -> Iterator[Text | Table]:
    """Render all figures, and on the compiled engine what they should be."""
    goals = GOALS if figures.engine == "compiled" else {}
    yield Text(
        f"{figures.engine} engine; medians of {figures.samples}, "
        f"the middle half of them within {figures.spread:.1%}"
    )
    yield Text()
    yield _table(
        "guest code, share of bare Unicorn",
        ARCHES,
        [
            (loop, [f"{figures.guest[arch][loop]:.3f}" for arch in ARCHES], "loop")
            for loop in LOOPS
        ]
        + [
            ("geometric mean", [f"{_mean(figures.guest[arch]):.3f}" for arch in ARCHES], "mean")
        ],
        goals,
    )
    yield Text()
    yield _table(
        "round trips per second",
        ARCHES,
        [
            (
                f"{_KINDS[kind]}, {words} words",
                [f"{figures.round_trips[arch][kind][words]:,.0f}" for arch in ARCHES],
                f"{kind} {words}",
            )
            for kind in _KINDS
            for words in WORDS
        ],
        goals,
    )
    yield Text()
    memory = figures.memory
    thread, resident = (memory.thread_mb, memory.resident_mb) if memory else (None, None)
    rows = [
        ("page faults per second", _or_not(figures.page_faults, ",.0f"), ""),
        ("boot of two tasks", f"{figures.boot_ms:.1f} ms", "boot"),
        ("the first in a process", f"{figures.first_boot_ms:.1f} ms", ""),
        ("import of lab.cli", f"{figures.import_ms:.1f} ms", "import"),
        ("memory of a thread", _or_not(thread, ".2f", " MB"), ""),
        ("100 threads in 50 tasks", _or_not(resident, ".0f", " MB"), "resident"),
    ]
    yield _table(
        "and further", ("",), [(name, [figure], goal) for name, figure, goal in rows], goals
    )


def _table(
    what: str,
    columns: tuple[str, ...],
    rows: list[tuple[str, list[str], str]],
    goals: dict[str, str],
) -> Table:
    # Columns of the same width in all tables, figures to the right.
    head = (f"{what:<34}", *(f"{column:>12}" for column in columns))
    lines = [
        (name, *(f"{cell:>12}" for cell in cells), goals.get(goal, ""))
        for name, cells, goal in rows
    ]
    if goals:
        return render_table((*head, "goal"), lines)
    return render_table(head, [line[:-1] for line in lines])


def _mean(ratios: dict[str, float]) -> float:
    return float(prod(ratios.values()) ** (1 / len(ratios)))


def _or_not(figure: float | None, form: str, unit: str = "") -> str:
    return NOT_MEASURED if figure is None else f"{figure:{form}}{unit}"
