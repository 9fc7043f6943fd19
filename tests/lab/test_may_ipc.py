"""Functions that may do IPC, as the scenario says, are noted where a word is still unread."""

from dataclasses import replace

import pytest

from guest.scenario import load_scenario
from lab.checker.finding import Finding, Rule
from lab.result import Run
from lab.run import run_scenario


def run_with(name: str, arch: str, *may_ipc: str) -> Run:
    scenario = load_scenario(name, arch=arch)
    functions = replace(scenario.functions, may_ipc=may_ipc)
    return run_scenario(replace(scenario, functions=functions))


def notes(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [
        (each.register, each.function, dict(each.checks).get("may do IPC", ""))
        for each in findings
        if each.rule is Rule.HIDDEN_IPC
    ]


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_a_call_between_delivery_and_read_is_a_note(arch: str) -> None:
    run = run_with("04_malloc/fixed", arch, "mal*")

    assert notes(run.findings) == [("mr[1]", "dispatch", "malloc")]


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_who_reads_first_may_call_it(arch: str) -> None:
    run = run_with("01_nested_call/fixed", arch, "notify")

    assert notes(run.findings) == []


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_to_look_at_calls_changes_nothing_in_the_run(arch: str) -> None:
    plain = run_with("04_malloc/buggy", arch)
    looked = run_with("04_malloc/buggy", arch, "malloc", "dispatch", "mmap")

    assert (looked.trace_hash, looked.cycles, looked.instructions) == (
        plain.trace_hash,
        plain.cycles,
        plain.instructions,
    )
    assert [each for each in looked.findings if each.rule is Rule.STALE_READ] == [
        each for each in plain.findings if each.rule is Rule.STALE_READ
    ]
