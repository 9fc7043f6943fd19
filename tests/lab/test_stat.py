"""Where the time of a run went: exact, and without changing the run."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from emu.calls import Calls
from emu.machine import Machine
from emu.tally import Tally
from emu.timing import Timing
from guest.scenario import load_scenario
from kernel.kernel import run
from kernel.objects import Thread
from lab.replay.measure import measure
from lab.replay.system import boot, configure, load_programs
from lab.run import run_scenario
from lab.stat import PathStat, Stat, ThreadStat, merge
from lab.views.flame import render_flame
from tests.lab.cli import CommandLine

ARCHES = ["amd64", "ia32"]
NAMES = ["faq_nested_call", "faq_nested_call-cxx-O0", "hidden_ipc", "irq_server", "kip_clock"]


def stat_of(name: str, arch: str = "amd64", cpu: str = "skylake") -> Stat:
    return measure(load_scenario(name, arch=arch), timing=Timing(cpu))


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", NAMES)
def test_counting_changes_nothing_and_adds_up(name: str, arch: str) -> None:
    stat = stat_of(name, arch)
    whole = run_scenario(name, arch=arch, timing=Timing("skylake"))

    assert stat.trace_hash == whole.trace_hash
    assert (stat.ticks >> 6, stat.instructions) == (whole.cycles, whole.instructions)
    assert stat.messages == whole.messages
    assert sum(path.ticks for path in stat.paths) == stat.thread_ticks
    assert sum(path.instructions for path in stat.paths) == stat.instructions
    assert sum(each.received for each in stat.threads) == stat.messages
    assert stat.kernel_ticks % 64 == 0
    assert stat.kernel_ticks > 0


@pytest.mark.parametrize("arch", ARCHES)
def test_a_threads_time_is_what_its_context_ran(arch: str) -> None:
    scenario = load_scenario("faq_nested_call", arch=arch)
    machine = Machine(configure(scenario, timing=Timing("skylake")))
    system = boot(scenario, load_programs(scenario), machine=machine)
    run(system.kernel, scenario.cycles)
    threads = [o.number for o in system.kernel.objects.values() if isinstance(o, Thread)]
    own = {system.names.of(number): machine.context(number).ticks for number in threads}
    system.close()

    found = {each.name: each.ticks for each in stat_of("faq_nested_call", arch).threads}
    assert found == own


def test_functions_are_known_with_their_entries_and_callers() -> None:
    stat = stat_of("faq_nested_call")

    entries = {(each.task, each.name): each.entries for each in stat.functions()}
    assert entries["server", "dispatch"] == 3
    assert entries["server", "notify_my_other_server"] == 1
    stacks = {path.stack for path in stat.paths if path.thread == "server"}
    assert ("_start", "dispatch", "notify_my_other_server") in stacks


def test_time_of_a_thread_that_waits_is_idle() -> None:
    stat = stat_of("irq_server")

    assert stat.idle_ticks > 0
    message = stat.cycles_per_message
    assert message is not None
    assert message * stat.messages == pytest.approx((stat.ticks - stat.idle_ticks) / 64)


def test_places_beyond_the_limit_count_under_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emu.tally.CELLS", 3)
    calls = Calls()
    calls.switch(1)
    tally = Tally(calls)
    tally.resume(1, 0, 0)
    for number in range(1, 6):
        tally.enter(0x1000 * number, 10 * number, number)
    tally.pause(1, 100, 9)

    counts = [
        (place.start, ticks, instructions, executions)
        for place, ticks, instructions, executions in tally.counts()
    ]
    assert counts == [(0, 80, 7, 3), (0x1000, 10, 1, 1), (0x2000, 10, 1, 1)]


def example(paths: tuple[PathStat, ...]) -> Stat:
    ticks = sum(path.ticks for path in paths)
    threads = (ThreadStat("t", ticks, 0, 0, 0, 0, 0),)
    return Stat(
        "s<1>", "amd64", "flat", "fast", "idle", "", ticks, 0, 0, 0, 0, 0, 0, threads, paths, ()
    )


def test_a_flame_graph_is_a_picture_of_the_paths() -> None:
    paths = merge(
        PathStat("t", "t", stack, 320, 0, 0)
        for stack in (("main",), ("main", "f&g"), ("main", "f&g"), ("main", "\x1b[1m"))
    )
    assert [(path.stack, path.ticks) for path in paths] == [
        (("main",), 320),
        (("main", "\x1b[1m"), 320),
        (("main", "f&g"), 640),
    ]
    picture = render_flame(example(paths))

    names = {"s": "{http://www.w3.org/2000/svg}"}
    root = ElementTree.fromstring(picture)
    titles = [title.text for title in root.iter(f"{names['s']}title")]
    assert sorted(map(str, titles)) == [
        "\\x1b[1m: 5.0 cycles, 25.0 %",
        "all: 20.0 cycles, 100.0 %",
        "f&g: 10.0 cycles, 50.0 %",
        "main: 20.0 cycles, 100.0 %",
        "t: 20.0 cycles, 100.0 %",
    ]
    assert "script" not in picture


def test_a_picture_of_a_stack_without_end_has_an_end() -> None:
    deep = (PathStat("t", "t", tuple(f"f{n}" for n in range(5000)), 1000, 0, 0),)
    assert len(render_flame(example(deep))) < 100_000


def test_stat_prints_what_it_counts(l4lab: CommandLine) -> None:
    called = l4lab("stat", "faq_nested_call", "--cpu", "skylake")

    assert (called.code, called.err) == (0, "")
    lines = called.out.splitlines()
    assert lines[0] == "faq_nested_call on amd64, cycles of skylake, fast model: idle"
    assert any(line.split()[:2] == ["8", "messages"] for line in lines)
    assert any(line.split()[:2] == ["dispatch", "server"] for line in lines)


def test_the_cycles_are_those_of_the_cpu_that_was_asked_for(l4lab: CommandLine) -> None:
    called = l4lab("stat", "faq_nested_call", "--cpu", "haswell", "--model", "full", "--json")
    run = l4lab("run", "faq_nested_call", "--cpu", "haswell", "--model", "full", "--json")

    value = json.loads(called.out)
    assert (value["cpu"], value["model"]) == ("haswell", "full")
    assert value["cycles"] == json.loads(run.out)["cycles"] != 13_687


def test_a_comparison_shows_what_a_cure_costs(l4lab: CommandLine) -> None:
    called = l4lab(
        *("stat", "faq_nested_call", "--cpu", "skylake", "--json"),
        *("--compare", "faq_read_first", "--compare", "faq_saved_utcb"),
    )

    bad, first, saved = json.loads(called.out)["runs"]
    assert bad["scenario"] == "faq_nested_call"
    assert abs(first["thread_cycles"] - bad["thread_cycles"]) < 5  # only another order
    assert saved["thread_cycles"] > bad["thread_cycles"] + 50  # words are copied twice
    table = l4lab("stat", "faq_nested_call", "--compare", "faq_saved_utcb").out
    assert table.splitlines()[2].split() == ["faq_nested_call", "faq_saved_utcb"]


def test_a_profile_is_a_file_and_nothing_else(l4lab: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "flame.svg"
    called = l4lab("profile", "faq_nested_call", "-o", str(path))
    assert (called.code, called.out, called.err) == (0, "", "")
    first = path.read_text()
    assert "notify_my_other_server" in first

    l4lab("profile", "faq_nested_call", "-o", str(path))
    assert path.read_text() == first


def test_a_profile_that_cannot_be_written_is_one_message(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    called = l4lab("profile", "faq_nested_call", "-o", str(tmp_path / "no" / "such.svg"))
    assert called.code == 3
    assert called.err.endswith("cannot write this file: no such file or directory\n")
