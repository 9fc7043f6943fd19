"""A run: a scenario booted, run to its end, and what came of it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from guest.image import Image, resolve
from guest.scenario import Scenario, load_scenario
from kernel.events import Event, Outcome
from kernel.kernel import end, run
from lab.expect import check, check_items
from lab.names import Names
from lab.recorder import RunRecorder
from lab.replay.system import (
    DEFAULT_CPU,
    System,
    boot,
    identify,
    load_programs,
)
from lab.result import Run, judge

STEPS = 100  # times that progress is reported in a run that uses its whole budget


Progress = Callable[[int, int], None]  # cycles so far, budget
Listener = Callable[[Names, Event], None]


def run_scenario(
    scenario: Scenario | str | Path,
    *,
    arch: str | None = None,
    cycles: int | None = None,
    cpu: str = DEFAULT_CPU,
    listener: Listener | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a scenario, given as itself, a path or the name of one that ships, to its end.

    `cycles` replaces its budget; `cpu` is what code costs cycles on; `listener` is shown
    every event as it happens.
    Raises GuestError if scenario or programs are not right, BadConfigError without such a CPU.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, arch=arch)
    check_items(scenario.expect, file=str(scenario.path))
    images = load_programs(scenario)
    places = _places(scenario, images)
    recorder = RunRecorder(identify(scenario, images, cpu=cpu))
    system = boot(scenario, images, recorder=recorder, cpu=cpu)
    recorder.names = system.names
    if listener is not None:
        recorder.listener = partial(listener, system.names)
    try:
        outcome = _run(system, scenario.cycles if cycles is None else cycles, progress)
        return _report(system, recorder, outcome, places)
    finally:
        system.close()


def _run(system: System, budget: int, progress: Progress | None) -> Outcome:
    # In slices, so that progress can be shown: the run is the same.
    kernel = system.kernel
    step = max(budget // STEPS, 1)
    until = 0
    while until < budget:
        until = min(until + step, budget)
        outcome = run(kernel, until)
        if kernel.machine.now < until:
            break
        if progress is not None:
            progress(until, budget)
    end(kernel, outcome)
    return outcome


def _places(
    scenario: Scenario, images: dict[str, Image]
) -> dict[tuple[str, str], tuple[str, int]]:
    # Where the words are that the scenario expects; before the run, to fail early.
    return {
        (task, symbol): (
            task,
            resolve(
                images[task],
                symbol,
                file=str(scenario.path),
                key=f"expect.memory.{task}.{symbol}",
            ),
        )
        for task, symbol in scenario.expect.memory or {}
    }


def _report(
    system: System,
    recorder: RunRecorder,
    outcome: Outcome,
    places: dict[tuple[str, str], tuple[str, int]],
) -> Run:
    scenario = system.scenario
    expect = scenario.expect
    name = outcome.name.lower()
    console = recorder.console()

    done = Run(
        scenario=scenario,
        engine=system.machine.engine,
        cpu=system.machine.config.cpu,
        outcome=name,
        console=console,
        cycles=system.machine.now,
        instructions=system.machine.instructions,
        messages=recorder.messages,
        invocations=recorder.invocations,
        expectations=check(
            expect,
            outcome=name,
            console=console,
            load_word=lambda *where: system.load_word(*places[where]),
        ),
        unchecked=("findings",) if expect.findings is not None else (),
        faults=tuple(recorder.faults),
        refused=tuple(recorder.refused),
        refusals=recorder.refusals,
        trace_hash=recorder.trace_hash(),
        last=recorder.last(),
        names=system.names,
    )
    return judge(done)
