"""A run: a scenario booted, run to its end, and what came of it."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

from guest.image import Image, resolve
from guest.scenario import Scenario, load_scenario
from kernel.events import Event, Outcome
from kernel.kernel import end, run
from lab.expect import check
from lab.names import Names
from lab.recorder import RunRecorder
from lab.replay.system import CPU_KHZ, System, boot, identify, load_programs
from lab.result import Run
from lab.trace.head import Ending, describe_run
from lab.trace.writer import TraceWriter

STEPS = 100  # times that progress is reported in a run that uses its whole budget


Progress = Callable[[int, int], None]  # cycles so far, budget
Listener = Callable[[Names, Event], None]


def run_scenario(
    scenario: Scenario | str | Path,
    *,
    arch: str | None = None,
    cycles: int | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
    trace: TraceWriter | None = None,
) -> Run:
    """Run a scenario, given as itself, a path or the name of one that ships, to its end.

    `cycles` replaces its budget; `listener` is shown every event as it happens; the run is
    recorded to `trace`, which is complete then.
    Raises GuestError if scenario or programs are not right.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, arch=arch)
    images = load_programs(scenario)
    places = _places(scenario, images)
    recorder = RunRecorder(identify(scenario, images))
    system = boot(scenario, images, recorder=recorder)
    recorder.names = system.names
    if listener is not None:
        recorder.listener = partial(listener, system.names)
    budget = scenario.cycles if cycles is None else cycles
    try:
        if trace is not None:
            _begin_trace(trace, system, recorder, budget)
        outcome = _run(system, budget, progress)
        done = _report(system, recorder, outcome, places)
    finally:
        system.close()
    if trace is not None:
        _finish_trace(trace, recorder, done)
    return done


def _begin_trace(
    trace: TraceWriter, system: System, recorder: RunRecorder, budget: int
) -> None:
    head = describe_run(
        system.scenario,
        system.images,
        system.names,
        recorder.identity,
        budget=budget,
        cpu_khz=CPU_KHZ,
        versions=tuple((name, version(name)) for name in ("l4lab", "unicorn")),
    )
    trace.begin(head)
    recorder.sink = trace


def _finish_trace(trace: TraceWriter, recorder: RunRecorder, done: Run) -> None:
    recorder.flush()
    ending = Ending(
        outcome=done.outcome,
        engine=done.engine,
        events=trace.events,
        cycles=done.cycles,
        instructions=done.instructions,
        messages=done.messages,
        invocations=done.invocations,
        trace_hash=done.trace_hash,
    )
    # A run has findings if a checker watched it.
    findings = [asdict(finding) for finding in getattr(done, "findings", ())]
    trace.finish(ending, findings)


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

    return Run(
        scenario=scenario,
        engine=system.machine.engine,
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
