"""A run: a scenario booted, run to its end, and what came of it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from emu.timing import Timing
from guest.errors import GuestError
from guest.image import Image
from guest.scenario import Scenario, load_scenario
from kernel.events import Event, Outcome
from kernel.kernel import end, run
from kernel.variation import Variation
from lab.checker.life_log import LifeLog
from lab.expect import check as check_expectations
from lab.expect import check_items
from lab.explore.schedule import Schedule
from lab.names import Names
from lab.recorder import RunRecorder
from lab.replay.attribute import Watch
from lab.replay.choices import Chosen
from lab.replay.examine import Confirm, examine
from lab.replay.symbols import RunSymbols
from lab.replay.system import (
    CPU_KHZ,
    Subjects,
    System,
    boot,
    expected_words,
    identify,
    load_programs,
)
from lab.result import Run, judge
from lab.timing import DEFAULT_TIMING
from lab.trace.head import Ending, describe_run
from lab.trace.writer import TraceWriter
from lab.views.finding_json import finding_as_json

STEPS = 100  # times that progress is reported in a run that uses its whole budget


Progress = Callable[[int, int], None]  # cycles so far, budget
Listener = Callable[[Names, Event], None]


def run_scenario(
    scenario: Scenario | str | Path,
    *,
    arch: str | None = None,
    cycles: int | None = None,
    timing: Timing = DEFAULT_TIMING,
    listener: Listener | None = None,
    progress: Progress | None = None,
    check: bool = True,
    confirm: Confirm = Confirm.SOME,
    trace: TraceWriter | None = None,
    schedule: Schedule | None = None,
    loose: bool = False,
) -> Run:
    """Run a scenario, given as itself, a path or the name of one that ships, to its end.

    `cycles` replaces its budget; `timing` says what cycles are made of; `listener` is shown
    every event as it happens.  With `check` the use of UTCBs is checked, which changes
    nothing in the run.  The run is recorded to `trace`, which is complete then.  Choices are
    those of `schedule`, which must be of this scenario and these programs and fit to the end
    unless `loose` is true.
    Raises GuestError if scenario, programs or schedule are not right, BadConfigError without
    such a timing.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, arch=arch)
    check_items(scenario.expect, file=str(scenario.path))
    images = load_programs(scenario)
    places = expected_words(scenario, images)
    variation: Variation = ()
    if schedule is not None:
        if not loose:
            schedule.check(scenario, images)
        variation = schedule.variation(_subjects(scenario, images), loose=loose)
    recorder = RunRecorder(identify(scenario, images, variation, timing=timing))
    watch = Watch(scenario, timing=timing) if check else None
    budget = scenario.cycles if cycles is None else cycles
    machine = None if watch is None else watch.machine
    system = boot(
        scenario,
        images,
        recorder=recorder,
        machine=machine,
        timing=timing,
        variation=variation,
    )
    if watch is not None:
        watch.begin(system, recorder)
    recorder.names = system.names
    lives: LifeLog | None = None
    if listener is not None:
        recorder.listeners.append(partial(listener, system.names))
    try:
        if trace is not None:
            _begin_trace(trace, system, recorder, budget)
            if watch is not None:
                stacks = RunSymbols(system.names, scenario.library)
                lives = LifeLog(stacks, trace.live)
                watch.follow_lives(lives)
        outcome = _run(system, budget, progress)
        recorder.flush()
        if lives is not None:
            lives.close()
        if schedule is not None and not loose:
            _check_taken(system, schedule)
        done = _report(system, recorder, outcome, places)
    finally:
        system.close()
    if watch is not None:
        findings = examine(
            watch.candidates(),
            scenario,
            images,
            system.names,
            budget=budget,
            places=tuple(places.values()),
            confirm=confirm,
            timing=timing,
            variation=variation,
        )
        done = judge(replace(done, findings=findings, checked=True, dropped=watch.dropped()))
    if trace is not None:
        _finish_trace(trace, done)
    return done


def _subjects(scenario: Scenario, images: dict[str, Image]) -> Subjects:
    # What the objects of a run are called is known once it is booted.
    system = boot(scenario, images)
    try:
        return system.subjects()
    finally:
        system.close()


def _check_taken(system: System, schedule: Schedule) -> None:
    probe = system.kernel.probe
    if not isinstance(probe, Chosen):
        return
    missed = sorted({*probe.left, *probe.invalid})
    if missed:
        number, point, ordinal = missed[0]
        what = f"{system.names.of(number)} was not asked for {point} number {ordinal}"
        raise GuestError(
            f"does not fit this run: {what}; --loose goes on all the same", file=schedule.file
        )


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


def _finish_trace(trace: TraceWriter, done: Run) -> None:
    ending = Ending(
        outcome=done.outcome,
        engine=done.engine,
        events=trace.events,
        cycles=done.cycles,
        instructions=done.instructions,
        messages=done.messages,
        invocations=done.invocations,
        trace_hash=done.trace_hash,
        checked=done.checked,
    )
    trace.finish(ending, [finding_as_json(finding) for finding in done.findings])


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
        cpu=system.machine.config.timing.cpu,
        model=system.machine.config.timing.terms,
        outcome=name,
        console=console,
        cycles=system.machine.now,
        instructions=system.machine.instructions,
        messages=recorder.messages,
        invocations=recorder.invocations,
        expectations=check_expectations(
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
        remarks=tuple(recorder.remarks),
        remarked=recorder.remarked,
    )
    return judge(done)
