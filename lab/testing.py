"""The pytest plugin: run scenarios in tests, and see why a guest test failed.

Opt in with ``pytest_plugins = ["lab.testing"]`` in a conftest.py.  A test that fails shows,
for every scenario it ran, the guests' console, the last messages and the command that
repeats the run.
"""

import shlex
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

import pytest
from rich.text import Text

from emu.timing import Timing, parse_timing
from guest.scenario import Scenario
from kernel.events import Transfer
from lab import run as running
from lab.replay.system import DEFAULT_TIMING, timing_options
from lab.result import Run
from lab.views.findings import render_table
from lab.views.result import WIDTH
from lab.views.text import render_event

_RUNS = pytest.StashKey[list[tuple[str, Run]]]()
_LAST_MESSAGES = 5


class RunScenario(Protocol):
    """What the `run_scenario` fixture is."""

    def __call__(
        self,
        scenario: Scenario | str | Path,
        *,
        arch: str | None = None,
        cycles: int | None = None,
        timing: Timing = DEFAULT_TIMING,
    ) -> Run:
        """Run a scenario to its end; see `lab.run.run_scenario`."""


@pytest.fixture
def run_scenario(request: pytest.FixtureRequest) -> RunScenario:
    """Run scenarios, and remember them for the report of a failing test."""
    runs: list[tuple[str, Run]] = request.node.stash.setdefault(_RUNS, [])

    def run(
        scenario: Scenario | str | Path,
        *,
        arch: str | None = None,
        cycles: int | None = None,
        timing: Timing = DEFAULT_TIMING,
    ) -> Run:
        done = running.run_scenario(scenario, arch=arch, cycles=cycles, timing=timing)
        runs.append((repeat_command(done, cycles), done))
        return done

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what is known of the guests to the report of a failing test."""
    report = yield
    if report.failed:
        for command, run in item.stash.get(_RUNS, []):
            report.sections.append((f"guest: {command}", describe(run)))
    return report


def repeat_command(run: Run, cycles: int | None) -> str:
    """Give the command that repeats a run."""
    further = [] if cycles is None else ["--cycles", str(cycles)]
    timing = parse_timing(f"{run.cpu} {run.model}")
    assert timing is not None, "the run had one"
    further += timing_options(timing)
    arch = run.scenario.arch.name
    return shlex.join(["l4lab", "trace", str(run.scenario.path), "--arch", arch, *further])


def describe(run: Run) -> str:
    """Say what a person needs to know of a run whose test failed."""
    messages = [event for event in run.last if isinstance(event, Transfer)]
    lines: list[str | Text] = ["console:", *(f"  {x}" for x in run.console.splitlines())]
    lines.append("last messages:")
    for event in messages[-_LAST_MESSAGES:]:
        lines += render_event(event, run.names)
    for fault in run.faults:
        lines += render_event(fault, run.names)
    if run.findings:
        lines.append("findings:")
        lines += render_table(run.findings, WIDTH)
    lines.append(f"outcome {run.outcome} at cycle {run.cycles:,}, trace {run.trace_hash}")
    return "\n".join(str(line) for line in lines)
