"""The runs that commands are about: loaded, run, judged, recorded, or opened as a trace."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from lab.cli.options import How
from lab.cli.output import DIFFERS, GUEST_FAILED, HOLDS, width, with_progress


def load(scenario: Any, how: How) -> Any:
    """Load a scenario, if it is not one already, with the calls of a host."""
    from dataclasses import replace
    from pathlib import Path

    from guest.host import load_calls
    from guest.scenario import Scenario, load_scenario

    is_loaded = isinstance(scenario, Scenario)
    loaded = scenario if is_loaded else load_scenario(scenario, arch=how.arch)
    return loaded if how.calls is None else replace(loaded, host=load_calls(Path(how.calls)))


def run(scenario: Any, how: How, *, confirm: str = "some", **options: Any) -> Any:
    """Run a scenario; options are those of `lab.run.run_scenario`."""
    from lab.replay.examine import Confirm
    from lab.run import run_scenario

    return run_scenario(
        load(scenario, how),
        cycles=how.cycles,
        timing=how.timing,
        confirm=Confirm(confirm),
        **options,
    )


def judged(
    scenario: Any,
    how: How,
    *,
    progress: bool,
    suppressions: str | None,
    today: Any,
    strict: bool,
    no_expect: bool,
    sarif: str | None,
    **options: Any,
) -> Any:
    """Run a scenario and judge what was found, as `options.judging` lets the user say.

    What the user gave is read before the run, and what was asked for written before anything
    is printed: wrong input is one message and nothing else.
    """
    from dataclasses import replace
    from datetime import date
    from pathlib import Path

    from guest.scenario import Expect
    from lab.result import judge
    from lab.suppress import find_suppressions, load_suppressions

    loaded = load(scenario, how)
    if no_expect:
        loaded = replace(loaded, expect=Expect())
    file = find_suppressions(loaded.path) if suppressions is None else Path(suppressions)
    known = () if file is None else load_suppressions(file)
    done = with_progress(
        lambda report: run(loaded, how, progress=report, **options), show=progress
    )
    day = date.today() if today is None else today.date()
    done = judge(done, suppressions=known, today=day, strict=strict)
    if sarif is not None:
        _write_sarif(done, Path(sarif))
    return done


def exit_code(done: Any) -> int:
    """Give the code with which a command exits that has judged a run."""
    if done.failed:
        return GUEST_FAILED
    return HOLDS if done.holds else DIFFERS


def context(done: Any, scenario: str, how: How) -> Any:
    """Give what a finding is rendered with: the command that repeats it, sources, a width."""
    from lab.views.finding import Context

    words = click.get_current_context().meta.get("l4lab.words", [scenario])
    return Context((*words, *how.words()), done.names.source_line, width())


@contextmanager
def recording(file: str | None, limit: int) -> Iterator[Any]:
    """Give what a run is recorded to, if it is."""
    if file is None:
        yield None
        return
    from pathlib import Path

    from lab.trace.writer import TraceWriter

    with TraceWriter(Path(file), limit=limit) as writer:
        try:
            yield writer
        except BaseException:
            if writer.events:
                kept = f"{writer.events:,} events are in {writer.partial}"
                click.echo(f"l4lab: recording was cut off: {kept}", err=True)
            raise


def open_trace(trace: str) -> Any:
    """Open a recorded trace."""
    from pathlib import Path

    from lab.trace import reader

    return reader.open_trace(Path(trace))


def range_of(opened: Any, first: Any, last: Any) -> tuple[int, int]:
    """Give the numbers of the first event and of the one behind the last, for two marks."""
    from lab.trace.mark import Mark

    begin = 0 if first is None else opened.find(first)
    end = len(opened) if last is None else opened.find(Mark(last.clock, last.value + 1))
    return begin, end


def is_trace(what: Any) -> bool:
    """Tell a recorded trace from a scenario."""
    from pathlib import Path

    from lab.trace import opening

    return isinstance(what, str) and opening.is_trace(Path(what))


@contextmanager
def opened_run(
    what: Any,
    how: How,
    *,
    is_second: bool = False,
    file: str | None = None,
    **options: Any,
) -> Iterator[Any]:
    """Open a trace, or what comes of running a scenario: recorded for now, or to `file`.

    What says how a scenario is run is refused for a trace, unless that stands beside a
    scenario as the second of two.
    """
    from pathlib import Path
    from tempfile import TemporaryDirectory

    if is_trace(what):
        if not is_second:
            _refuse_for_trace(what, how)
        with open_trace(what) as opened:
            yield opened
        return
    with TemporaryDirectory(prefix="l4lab-") as folder:
        path = str(Path(folder) / "run.l4trace") if file is None else file
        record(what, how, path, **options)
        with open_trace(path) as opened:
            yield opened


def record(
    scenario: Any, how: How, file: str, *, limit: int | None = None, **options: Any
) -> None:
    """Run a scenario and record it to a file."""
    from pathlib import Path

    from lab.trace.writer import DEFAULT_LIMIT, TraceWriter

    with TraceWriter(Path(file), limit=limit or DEFAULT_LIMIT) as writer:
        with_progress(
            lambda report: run(scenario, how, trace=writer, progress=report, **options),
            show=True,
        )


@contextmanager
def timeline_of(what: Any, how: How) -> Iterator[Any]:
    """Give a run to move in, and how to read a mark of it, which may be a finding's id."""
    from guest.errors import GuestError
    from lab.replay.stored import find_mismatch
    from lab.replay.stored import timeline_of as timeline_of_trace
    from lab.replay.timeline import Timeline

    if not is_trace(what):
        loaded = load(what, how)
        timeline = Timeline(loaded, cycles=how.cycles, timing=how.timing)

        def run_for(mark: str) -> str:
            if not is_finding(mark):
                return mark
            with opened_run(loaded, how) as opened:
                try:
                    return _position_of(opened, mark)
                except GuestError as error:  # whose file is one of ours, and gone
                    raise click.UsageError(error.message) from error

        try:
            yield timeline, run_for
        finally:
            timeline.close()
        return
    _refuse_for_trace(what, how)
    with open_trace(what) as opened:
        timeline = timeline_of_trace(opened)
        try:
            yield timeline, lambda mark: _position_of(opened, mark)
            wrong = find_mismatch(timeline, opened)
        finally:
            timeline.close()
    if wrong is not None:
        told = f"the run does not go as recorded, from event {wrong:,} on"
        click.echo(f"l4lab: {told}: this is what it does now", err=True)


def is_finding(mark: str) -> bool:
    """Tell the id of a finding, such as F1, from other marks."""
    return re.fullmatch("[Ff][0-9]{1,9}", mark.strip()) is not None


def _position_of(opened: Any, mark: str) -> str:
    # The mark of a finding is where its access comes next.
    from lab.trace.found import find_finding

    if not is_finding(mark):
        return mark
    position = find_finding(opened, mark.strip()).get("position")
    if type(position) is not int or position < 0:
        raise click.UsageError(f"{mark} has no position in this trace")
    return str(position)


def _refuse_for_trace(what: str, how: How) -> None:
    given = (("--arch", how.arch), ("--cycles", how.cycles), ("--calls", how.calls))
    for option, value in given:
        if value is not None:
            raise click.UsageError(f"{option} is for a scenario: {what} is a trace")


def _write_sarif(done: Any, path: Any) -> None:
    from importlib.metadata import version
    from pathlib import Path

    from lab.atomic import write_text
    from lab.views.sarif import sarif_log

    log = sarif_log(done, root=Path.cwd(), version=version("l4lab"), exit_code=exit_code(done))
    write_text(path, json.dumps(log, indent=2) + "\n")
