"""`l4lab bench`: one object with the promised keys, or tables that line up.

Nothing here says how fast anything must be.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from bench import suite
from bench.figures import Figures, as_json, render
from bench.loop import call_loop, fault_loop
from bench.process import ThreadMemory
from kernel.events import Event, Fault
from lab.run import run_scenario
from tests.lab.cli import CommandLine

ARCHES = ["amd64", "ia32"]
LOOPS = ["alu", "mem", "call", "rep_movsb", "byte_copy"]
KINDS = ["intra", "inter", "inter_traced"]
WORDS = ["0", "4", "63"]

FIGURES = Figures(
    engine="compiled",
    samples=3,
    spread=0.0123,
    guest={"amd64": dict.fromkeys(LOOPS, 0.5), "ia32": dict.fromkeys(LOOPS, 1.0)},
    round_trips={
        arch: {kind: dict.fromkeys(WORDS, 1234567.8) for kind in KINDS} for arch in ARCHES
    },
    page_faults=None,
    boot_ms=9.876,
    first_boot_ms=19.0,
    import_ms=23.0,
    memory=ThreadMemory(thread_mb=3.14159, resident_mb=351.2),
)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the short form shorter: the figures are worse, and still figures."""
    monkeypatch.setattr(suite, "SHORT", suite.Effort(samples=1, seconds=0.0005))


def numbers(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    else:
        yield value


def lines_of(figures: Figures) -> list[str]:
    console = Console(file=StringIO(), width=200, highlight=False)
    for line in render(figures):
        console.print(line)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.usefixtures("hasty")
def test_json_is_one_object_with_these_keys(l4lab: CommandLine) -> None:
    called = l4lab("bench", "--json")

    value = json.loads(called.out)
    assert (called.code, called.err) == (0, "")
    keys = ["engine", "guest", "round_trips", "page_faults", "boot_ms", "import_ms"]
    assert list(value) == [*keys, "thread_mb"]
    assert value.pop("engine") == run_scenario("latent").engine
    assert {arch: list(loops) for arch, loops in value["guest"].items()} == dict.fromkeys(
        ARCHES, LOOPS
    )
    assert {
        arch: {kind: list(rates) for kind, rates in kinds.items()}
        for arch, kinds in value["round_trips"].items()
    } == dict.fromkeys(ARCHES, dict.fromkeys(KINDS, WORDS))
    wrong = [
        n
        for n in numbers(value)
        if not (isinstance(n, int | float) and math.isfinite(n) and n > 0)
    ]
    assert wrong == []


@pytest.mark.usefixtures("hasty")
def test_without_json_the_same_is_a_text(l4lab: CommandLine) -> None:
    called = l4lab("bench")

    assert (called.code, called.err) == (0, "")
    titles = [line.split("  ")[0] for line in called.out.splitlines()]
    assert [titles.count(name) for name in (*LOOPS, "geometric mean")] == [1] * 6
    assert titles.count("two tasks, recorded, 63 words") == 1


def test_the_tables_line_up() -> None:
    lines = lines_of(FIGURES)

    assert lines[0] == "compiled engine; medians of 3, the middle half of them within 1.2%"
    assert [line.rstrip() for line in lines if line.startswith(("guest", "alu", "geom"))] == [
        "guest code, share of bare Unicorn          amd64          ia32  goal",
        "alu                                        0.500         1.000  >= 0.50",
        "geometric mean                             0.500         1.000  >= 0.70",
    ]
    tables = [line for line in lines[1:] if line.strip()]
    amd64_ends = {
        len(line[:48].rstrip()) for line in tables if not line.startswith("and further")
    }
    assert amd64_ends == {48}


def test_what_was_not_measured_is_null_and_says_so() -> None:
    value = as_json(FIGURES)

    assert (value["page_faults"], value["thread_mb"]) == (None, 3.142)
    (line,) = [line for line in lines_of(FIGURES) if line.startswith("page faults")]
    assert line.split() == ["page", "faults", "per", "second", "not", "measured"]


def test_only_the_compiled_engine_has_goals() -> None:
    for engine, goals in (("compiled", 3), ("python", 0)):
        lines = lines_of(replace(FIGURES, engine=engine))
        assert sum(line.rstrip().endswith("goal") for line in lines) == goals


def test_a_limit_leaves_one_sample_of_everything() -> None:
    figures = suite.measure(suite.Effort(samples=3, seconds=0.0005, limit=0))

    assert figures.samples == 1


def test_progress_ends_where_it_said() -> None:
    told: list[tuple[int, int]] = []

    suite.measure(
        suite.Effort(samples=1, seconds=0.0005), progress=lambda *now: told.append(now)
    )

    assert [done for done, _ in told] == list(range(1, told[0][1] + 1))
    assert len({total for _, total in told}) == 1


def test_a_scenario_that_does_not_ship_is_not_measured() -> None:
    assert fault_loop("no_such_scenario") is None


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", ["pingpong_forever_4", "pingpong_forever_intra_63"])
def test_a_turn_is_a_round_trip(name: str, arch: str) -> None:
    loop = call_loop(name, arch)
    run = run_scenario(name, arch=arch)

    assert run.cycles / loop.cycles_each == pytest.approx(run.messages / 2, rel=0.01)


def test_a_turn_of_the_page_fault_loop_is_a_fault() -> None:
    loop = fault_loop(suite.FAULTS)
    events: list[Event] = []
    run = run_scenario(suite.FAULTS, listener=lambda _names, event: events.append(event))

    assert loop is not None
    faults = sum(isinstance(event, Fault) for event in events)
    assert run.cycles / loop.cycles_each == pytest.approx(faults, rel=0.02)


@pytest.mark.parametrize(
    "arguments", [("--colour",), ("extra",), ("--arch", "amd64"), ("--json=1",)]
)
def test_wrong_use_is_one_message_and_exit_code_3(
    l4lab: CommandLine, arguments: tuple[str, ...]
) -> None:
    called = l4lab("bench", *arguments)
    as_json = l4lab("bench", *arguments, "--json")

    assert (called.code, called.out, as_json.code) == (3, "", 3)
    assert called.err.startswith("l4lab: ")
    assert called.err.count("\n") == 1
    assert set(json.loads(as_json.out)) == {"schema", "error"}
