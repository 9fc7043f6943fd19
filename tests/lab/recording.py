"""Recording a run, for tests that read its trace."""

from collections.abc import Callable
from pathlib import Path

from guest.scenario import Scenario, load_scenario
from kernel.events import Event
from lab.names import Names
from lab.result import Run
from lab.run import run_scenario
from lab.trace.writer import DEFAULT_LIMIT, TraceWriter


def record(
    path: Path,
    scenario: Scenario | str | Path,
    *,
    arch: str | None = None,
    cycles: int | None = None,
    limit: int = DEFAULT_LIMIT,
    listener: Callable[[Names, Event], None] | None = None,
) -> Run:
    """Run a scenario, unchecked, and write its trace to `path`."""
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, arch=arch)
    with TraceWriter(path, limit=limit) as writer:
        return run_scenario(
            scenario, cycles=cycles, listener=listener, check=False, trace=writer
        )
