"""Commands that look into a run: debug, why, gdb, report, diff."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from lab.cli import options
from lab.cli.options import How
from lab.cli.output import DIFFERS, HOLDS, print_json, print_lines
from lab.cli.runs import is_finding, load, open_trace, opened_run, range_of, timeline_of


@click.command()
@options.programs
@click.option("--at", "mark", help="Open here: a position, cycle:N, event:N, F1, start or end.")
@options.how_with_calls
@options.trace_file
@options.trace_limit
@options.confirm
@click.option("--light", is_flag=True, help="For a terminal with a light background.")
def debug(
    scenario: Any,
    mark: str | None,
    how: How,
    trace: str | None,
    trace_limit: int,
    confirm: str,
    light: bool,
) -> None:
    """Step through a run, forwards and backwards: messages, code, UTCBs, and why.

    SCENARIO may be a recorded trace.  It opens on the first finding.  A scenario is run and
    recorded first, to the file of --trace if it is given; press ? for all keys.
    """
    from pathlib import Path

    from lab.tui.start import is_trace, notes_of_scenario, notes_of_trace

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("debug needs a terminal: `l4lab check` prints the findings")
    if isinstance(scenario, str) and is_trace(scenario):
        if how.words() or trace is not None:
            raise click.UsageError(
                "a recorded trace has its --arch, --cycles, --cpu, --model, --calls and --trace"
            )
        notes = notes_of_trace(Path(scenario))
        recorded = open_trace(scenario)
    else:
        loaded = load(scenario, how)
        notes = (
            notes_of_scenario(loaded.path, loaded.arch.name)
            if trace is None
            else notes_of_trace(Path(trace))
        )
        recorded = opened_run(loaded, how, file=trace, limit=trace_limit, confirm=confirm)
    with recorded as opened:
        _show(opened, notes=notes, mark=mark, is_dark=not light)


@click.command()
@click.argument("scenario", metavar="TRACE|SCENARIO")
@click.argument("thread")
@click.argument("what")
@click.option("--at", "mark", default="end", show_default=True, help="A mark in the run.")
@options.how_with_calls
@options.as_json
def why(
    scenario: str,
    thread: str,
    what: str,
    mark: str,
    how: How,
    as_json: bool,
) -> None:
    """Tell where a value in a run comes from: WHAT a THREAD has, back to its origins.

    WHAT is a message register such as mr[1], br[0], a CPU register, or *ADDRESS:SIZE.  A mark
    is a POSITION, cycle:N, event:N, end, or the id of a finding such as F1: the access at
    fault comes next there.  A recorded TRACE is run again, from the trace alone.
    """
    from kernel.errors import UsageError
    from lab.replay.marks import seek_mark
    from lab.replay.why import explain, render_why, why_as_json

    with timeline_of(scenario, how) as (timeline, found):
        try:
            seek_mark(timeline, found(mark))
            answer = explain(timeline, timeline.find_thread(thread), what)
        except UsageError as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        print_json(why_as_json(answer))
    else:
        click.echo("\n".join(render_why(answer)))


@click.command()
@options.programs
@options.how_with_calls
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: any that is free.")
@click.option("--listen", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--task", help="Show only this task, to a gdb without multiprocess.")
@click.option("--once", is_flag=True, help="End when the first client leaves.")
def gdb(
    scenario: str,
    how: How,
    port: int,
    listen: str,
    task: str | None,
    once: bool,
) -> None:
    """Let gdb look at SCENARIO, forwards and backwards; it stops before the first instruction.

    Anybody who can reach the port can look at the run: it is open to this machine only,
    unless --listen says otherwise.
    """
    from kernel.errors import UsageError
    from lab.gdb.server import serve_scenario

    def tell(host: str, port: int) -> None:
        click.echo(f"gdb -ex 'target remote {host}:{port}'")

    try:
        serve_scenario(
            load(scenario, how),
            host=listen,
            port=port,
            cycles=how.cycles,
            timing=how.timing,
            task=task,
            once=once,
            tell=tell,
        )
    except UsageError as error:
        raise click.UsageError(str(error)) from error


@click.command()
@click.argument("what", metavar="TRACE|SCENARIO")
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    required=True,
    metavar="FILE",
    help="The page to write; - is standard output.",
)
@options.how
@options.first
@options.last
@click.option(
    "--limit",
    type=click.IntRange(16),
    help="Show at most about so many events, those around findings: 10000 by default.",
)
def report(
    what: str,
    output: str,
    how: How,
    first: Any,
    last: Any,
    limit: int | None,
) -> None:
    """Write one HTML page of a recorded TRACE, or of a SCENARIO that is run for it.

    It has the messages with their words, their lives, and the findings.  It loads nothing.
    """
    from lab.output import open_output
    from lab.views.report.model import report_of
    from lab.views.report.page import render_page
    from lab.views.report.part import MOST

    with opened_run(what, how) as opened:
        begin, end = range_of(opened, first, last)
        page = render_page(report_of(opened, begin, end, most=limit or MOST))
        with open_output(output) as file:
            file.write(page.encode())
        if output != "-":
            click.echo(f"wrote {output}, {len(page.encode()):,} bytes")


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B|FINDING]", required=False)
@click.option(
    "--counterfactual",
    "finding",
    metavar="FINDING",
    help="Compare A with itself, but for a finding such as F1 that is undone.",
)
@options.how
@options.as_json
def diff(
    a: str,
    b: str | None,
    finding: str | None,
    how: How,
    as_json: bool,
) -> None:
    """Compare two runs, traces or scenarios, and show the first message word that differs.

    Threads are compared by name, call by call; times are not.  With a finding, such as F1,
    A is compared with what it would have been without it.  The exit code is 0 if they are
    the same, 1 if they differ.
    """
    from pathlib import Path

    from lab.alignment import align
    from lab.views import alignment

    if b is not None and is_finding(b) and not Path(b).exists():
        if finding is not None:
            raise click.UsageError("one finding is enough")
        b, finding = None, b
    if (b is None) == (finding is None):
        raise click.UsageError("give a second run, or a finding of the first such as F1")
    with opened_run(a, how) as first:
        if b is not None:
            # What --arch says is for a scenario; a trace beside it has its own.
            with opened_run(b, how, is_second=True) as second:
                done = align(first, second)
                names = _run_name(first), _run_name(second)
                value = alignment.alignment_as_json(done, first, second)
        else:
            with _counterfactual(first, finding) as second:
                done = align(first, second)
                name = _run_name(first)
                names = name, f"{name}, without {str(finding).upper()}"
                value = alignment.alignment_as_json(done, first, second)
    if as_json:
        print_json(value)
    else:
        print_lines(alignment.render_alignment(done, *names))
    sys.exit(DIFFERS if done.differences else HOLDS)


def _show(opened: Any, **options: Any) -> None:
    from lab.tui.start import make_app

    replayer, missing = _replayer_of(opened)
    make_app(opened, replayer, missing=missing, **options).run()


def _replayer_of(opened: Any) -> tuple[Any, str]:
    # Without a machine a trace can be looked at all the same.
    try:
        from lab.replay.mover import mover_of
    except ImportError as error:
        return None, f"{error.name or 'a package'} is not installed"
    return mover_of(opened), ""


def _run_name(opened: Any) -> str:
    return f"{opened.head.scenario_name} on {opened.head.arch.name}"


@contextmanager
def _counterfactual(opened: Any, finding: str | None) -> Iterator[Any]:
    # The run of a trace without a finding: of several ways the first that changes anything.
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from lab.replay.twin import record_twin, undo
    from lab.trace.writer import TraceWriter

    ways = undo(opened, str(finding))
    with TemporaryDirectory(prefix="l4lab-") as folder:
        for number, variation in enumerate(ways):
            file = Path(folder) / f"{number}.l4trace"
            with TraceWriter(file) as writer:
                record_twin(opened, variation, writer)
            with open_trace(str(file)) as twin:
                if number == len(ways) - 1 or not _is_same_run(opened, twin):
                    yield twin
                    return


def _is_same_run(a: Any, b: Any) -> bool:
    from lab.alignment import align

    return not align(a, b).differences
