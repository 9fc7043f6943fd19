"""The command line.  Imports stand inside the commands, so that each pays only for its own.

Exit codes of `run`: 0 expectations hold; 1 an expectation fails; 2 the guest failed
without being expected to; 3 wrong use or wrong input.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

HOLDS, DIFFERS, GUEST_FAILED, WRONG_INPUT = range(4)

_PIPE_WIDTH = 200  # columns

_arch = click.option("--arch", help="Run on this architecture: amd64 or ia32.")
_cycles = click.option(
    "--cycles", type=click.IntRange(1), help="Budget of cycles instead of the scenario's."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_quiet = click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")


def _read_size(context: click.Context, parameter: click.Parameter, value: str) -> int:
    from guest.table import parse_size
    from lab.trace.writer import SMALLEST_LIMIT

    size = parse_size(value)
    if size < SMALLEST_LIMIT:
        raise click.BadParameter(f"expected a size from 1MiB on, found {value[:40]!r}")
    return size


def _read_mark(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    from lab.trace.mark import parse_mark

    try:
        return None if value is None else parse_mark(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_trace_file = click.option(
    "--trace", type=click.Path(), metavar="FILE", help="Record the run to this file."
)
_trace_limit = click.option(
    "--trace-limit",
    callback=_read_size,
    default="2GiB",
    show_default=True,
    metavar="SIZE",
    help="Stop recording, and say so, when the file would be larger.",
)
_from = click.option(
    "--from",
    "first",
    callback=_read_mark,
    metavar="MARK",
    help="Begin at a position as 1154, cycle:N or event:N.",
)
_to = click.option(
    "--to", "last", callback=_read_mark, metavar="MARK", help="End behind this mark."
)
_thread = click.option("--thread", metavar="NAME", help="Only what concerns this thread.")
_limit = click.option("--limit", type=click.IntRange(1), help="At most so many events.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="l4lab")
def commands() -> None:
    """Find out why an L4 message did not arrive as it was sent."""


@commands.command()
@click.argument("scenario")
@_arch
@_cycles
@_json
@_quiet
@_trace_file
@_trace_limit
def run(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    as_json: bool,
    quiet: bool,
    trace: str | None,
    trace_limit: int,
) -> None:
    """Run SCENARIO, a path or the name of one that ships, and check what it expects."""
    from lab.views import result

    with _recording(trace, trace_limit) as writer:
        done = _with_progress(
            lambda progress: _run(
                scenario, arch=arch, cycles=cycles, progress=progress, trace=writer
            ),
            show=not (as_json or quiet),
        )
    if as_json:
        _print_json({**result.as_json(done), **_recorded_as_json(writer)})
    else:
        _print_lines(result.render_result(done, quiet=quiet))
        _print_recorded(writer, quiet=quiet)
    sys.exit(_exit_code(done))


@commands.command()
@click.argument("scenario")
@_arch
@_cycles
@_json
@_quiet
def trace(
    scenario: str, arch: str | None, cycles: int | None, as_json: bool, quiet: bool
) -> None:
    """Run SCENARIO and print every message with all its words, faults, switches and log.

    With --quiet the thread switches are left out.
    """
    from kernel.events import Switch
    from lab.views import result, text

    if as_json:
        _trace_as_json(scenario, arch=arch, cycles=cycles)
    print_line = _line_printer()
    print_line(text.trace_head())

    def show(names: Any, event: Any) -> None:
        if not (quiet and isinstance(event, Switch)):
            for line in text.render_event(event, names):
                print_line(line)

    done = _run(scenario, arch=arch, cycles=cycles, listener=show)
    for line in result.render_result(done, quiet=True):
        print_line(line)
    sys.exit(_exit_code(done))


def _trace_as_json(scenario: str, **options: Any) -> NoReturn:
    # One object, but written as the run goes: a trace may be longer than memory.
    from lab.views import result

    written = 0

    def write(names: Any, event: Any) -> None:
        nonlocal written
        click.echo("," if written else '{"events": [', nl=False)
        click.echo(json.dumps(result.event_as_json(event, names)), nl=False)
        written += 1

    done = _run(scenario, listener=write, **options)
    click.echo("], " + json.dumps(result.as_json(done))[1:])
    sys.exit(_exit_code(done))


@commands.command("list")
@_json
def list_scenarios(as_json: bool) -> None:
    """List the scenarios that ship."""
    from guest.scenario import load_scenario, shipped_scenarios
    from lab.views.text import render_table

    loaded = [load_scenario(name, arch=None) for name in shipped_scenarios()]
    if as_json:
        _print_json(
            {
                "schema": 1,
                "scenarios": [
                    {"name": s.name, "title": s.title, "arches": [a.name for a in s.arches]}
                    for s in loaded
                ],
            }
        )
        return
    rows = [(s.name, " ".join(a.name for a in s.arches), s.title) for s in loaded]
    _print_lines([render_table(("scenario", "on", "what it shows"), rows)])


@commands.command()
@click.argument("file", type=click.File("rb"))
@click.option("--cpu", default="skylake", show_default=True, help="On this CPU's model.")
@click.option("--arch", default="amd64", show_default=True, help="amd64 or ia32.")
@click.option("--loop", "is_loop", is_flag=True, help="Blocks that jump to themselves.")
@click.option("--explain", is_flag=True, help="Show below each line what limits the block.")
def cost(file: Any, cpu: str, arch: str, is_loop: bool, explain: bool) -> None:
    """Print what blocks of machine code cost: FILE has one in hex a line, - is standard input.

    Each line is answered by one: cycles,bound.  What follows a comma is ignored.  The cycles
    are per copy of a block that is unrolled many times, or with --loop per round.
    """
    from lab.cost import ARCHES, CPU_NAMES, answer_lines, read_lines

    for name, given, known in (("--cpu", cpu, CPU_NAMES), ("--arch", arch, ARCHES)):
        if given not in known:
            raise click.UsageError(f"{name}: {given!r} is none of {', '.join(known)}")
    all_decodable = True
    lines = read_lines(file)
    for answer in answer_lines(lines, cpu, arch, is_loop=is_loop, explains=explain):
        all_decodable = all_decodable and answer.is_decodable
        click.echo("\n".join((answer.text, *answer.details)))
    sys.exit(HOLDS if all_decodable else WRONG_INPUT)


@commands.command()
@_json
def doctor(as_json: bool) -> None:
    """Show versions and the engine in use, and test what the lab relies on."""
    from rich.text import Text

    from lab.doctor import examine
    from lab.views.text import render_table

    checks = examine()
    if as_json:
        _print_json(
            {
                "schema": 1,
                "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks],
            }
        )
    else:
        marks = {True: Text("ok", style="green"), False: Text("FAILED", style="bold red")}
        rows = [(marks[c.ok], c.name, c.detail) for c in checks]
        _print_lines([render_table(("", "check", "detail"), rows)])
    sys.exit(HOLDS if all(check.ok for check in checks) else DIFFERS)


@commands.command()
@click.argument("trace", type=click.Path())
@_from
@_to
@_thread
@_limit
@_json
@_quiet
def show(
    trace: str,
    first: Any,
    last: Any,
    thread: str | None,
    limit: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the events of a recorded TRACE, as `l4lab trace` does while a scenario runs.

    With --quiet the thread switches are left out.
    """
    from kernel.events import Switch
    from lab.query import find_thread, named
    from lab.trace.format import KINDS
    from lab.views import stored, text

    with _open_trace(trace) as opened:
        begin, end = _range(opened, first, last)
        every = sum(1 << kind for kind in KINDS.values())
        events = named(
            opened,
            begin,
            end,
            concerning=None
            if thread is None
            else find_thread(opened, thread, option="--thread"),
            kinds=every & ~(1 << KINDS[Switch]) if quiet else None,
        )
        if as_json:
            _print_events_as_json(opened, events, limit)
        print_line = _line_printer()
        for line in stored.render_summary(opened):
            print_line(line)
        print_line(text.trace_head())
        for shown, (stamped, names) in enumerate(events):
            if shown == limit:
                print_line(f"and more: --from event:{stamped.sequence}")
                break
            for line in text.render_event(stamped.event, names):
                print_line(line)


@commands.command()
@click.argument("trace", type=click.Path())
@click.argument("query")
@_from
@_to
@_thread
@_limit
@_json
def query(
    trace: str,
    query: str,
    first: Any,
    last: Any,
    thread: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Print the events of a recorded TRACE that a QUERY asks for, a line each.

    Such as: "transfers where receiver='server' and words>2".  See docs/trace.md.
    """
    from lab.filter import parse_query
    from lab.query import find_thread, named
    from lab.views import stored

    with _open_trace(trace) as opened:
        wanted = parse_query(query, opened.names())
        begin, end = _range(opened, first, last)
        concerning = None if thread is None else find_thread(opened, thread, option="--thread")
        events = (
            pair
            for pair in named(opened, begin, end, concerning=concerning, kinds=wanted.kinds)
            if wanted.accepts(pair[0])
        )
        if as_json:
            _print_events_as_json(opened, events, limit)
        print_line = _line_printer()
        for line in stored.render_state(opened):
            print_line(line)
        shown = 0
        for stamped, names in events:
            if shown == limit:
                print_line(f"and more: --from event:{stamped.sequence}")
                break
            if not shown:
                print_line(stored.rows_head())
            shown += 1
            print_line(stored.render_row(stamped, names))
        if not shown:
            print_line("no such event")


@commands.command()
@click.argument("trace", type=click.Path())
@_json
def replay(trace: str, as_json: bool) -> None:
    """Run again what a recorded TRACE is of, from the trace alone, and compare every event."""
    from lab.replay.again import repeat
    from lab.views import stored

    with _open_trace(trace) as opened:
        done = _with_progress(
            lambda progress: repeat(opened, progress=progress), show=not as_json
        )
        if as_json:
            _print_json(stored.repetition_as_json(opened, done))
        else:
            _print_lines(stored.render_repetition(opened, done))
    sys.exit(HOLDS if done.difference is None else DIFFERS)


@commands.command()
@click.argument("trace", type=click.Path())
@click.option(
    "--perfetto",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="For Perfetto; for Chrome if it ends in .json.",
)
@click.option(
    "--mermaid", type=click.Path(allow_dash=True), metavar="FILE", help="A sequence diagram."
)
@click.option(
    "--jsonl",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="A JSON object in a line for each event.",
)
@_from
@_to
@_limit
def export(
    trace: str,
    perfetto: str | None,
    mermaid: str | None,
    jsonl: str | None,
    first: Any,
    last: Any,
    limit: int | None,
) -> None:
    """Write a recorded TRACE, or a part of it, in other formats; - is standard output."""
    from lab.views import export as exporting

    if not (perfetto or mermaid or jsonl):
        raise click.UsageError("nothing to write: give --perfetto, --mermaid or --jsonl")
    if [perfetto, mermaid, jsonl].count("-") > 1:
        raise click.UsageError("standard output can be given once")
    with _open_trace(trace) as opened:
        begin, end = _range(opened, first, last)
        if limit is not None:
            end = min(end, begin + limit)
        if perfetto:
            exporting.write_timeline(opened, perfetto, begin, end)
        if mermaid:
            exporting.write_diagram(opened, mermaid, begin, end)
        if jsonl:
            exporting.write_lines(opened, jsonl, begin, end)


def main() -> None:
    """Run the command line; every error of the user's is one message and exit code 3."""
    from guest.errors import GuestError

    json_wanted = "--json" in sys.argv
    try:
        commands.main(standalone_mode=False)
    except GuestError as error:
        _fail(
            json_wanted,
            str(error),
            error.message,
            file=error.file,
            line=error.line,
            key=error.key,
        )
    except click.ClickException as error:
        _fail(json_wanted, error.format_message(), error.format_message())
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail(json_wanted, "interrupted", "interrupted")
    except BrokenPipeError:
        # Whoever read our output has left; there is nobody to tell.
        sys.stderr.close()
        sys.exit(WRONG_INPUT)


def _run(scenario: str, **options: Any) -> Any:
    from lab.run import run_scenario

    return run_scenario(scenario, **options)


@contextmanager
def _recording(file: str | None, limit: int) -> Iterator[Any]:
    # What a run is recorded to, if it is.
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


def _recorded_as_json(writer: Any) -> dict[str, Any]:
    if writer is None:
        return {}
    return {
        "trace": {
            "file": str(writer.path),
            "events": writer.events,
            "truncated": writer.truncated,
            "bytes": writer.path.stat().st_size,
        }
    }


def _print_recorded(writer: Any, *, quiet: bool) -> None:
    if writer is None:
        return
    if writer.truncated is not None:
        click.echo(
            f"recorded only the first {writer.truncated:,} of {writer.events:,} events in "
            f"{writer.path}: --trace-limit"
        )
    elif not quiet:
        size = writer.path.stat().st_size
        click.echo(f"recorded {writer.events:,} events in {writer.path}, {size:,} bytes")


def _open_trace(trace: str) -> Any:
    from pathlib import Path

    from lab.trace.reader import open_trace

    return open_trace(Path(trace))


def _range(opened: Any, first: Any, last: Any) -> tuple[int, int]:
    # The numbers of the first event and of the one behind the last.
    from lab.trace.mark import Mark

    begin = 0 if first is None else opened.find(first)
    end = len(opened) if last is None else opened.find(Mark(last.clock, last.value + 1))
    return begin, end


def _print_events_as_json(opened: Any, events: Any, limit: int | None) -> NoReturn:
    # One object, but written as the events come; also where the trace turns out damaged.
    from guest.errors import GuestError
    from lab.views import result, stored

    head = {"schema": result.SCHEMA, "trace": stored.as_json(opened)}
    click.echo(json.dumps(head)[:-1] + ', "events": [', nl=False)
    tail: dict[str, Any] = {"next": None}
    code = HOLDS
    try:
        for shown, (stamped, names) in enumerate(events):
            if shown == limit:
                tail["next"] = stamped.sequence
                break
            value = json.dumps(stored.stamped_as_json(stamped, names))
            click.echo((", " if shown else "") + value, nl=False)
    except GuestError as error:
        tail["error"] = result.error_as_json(error.message, file=error.file)["error"]
        code = WRONG_INPUT
    click.echo("], " + json.dumps(tail)[1:])
    sys.exit(code)


def _exit_code(done: Any) -> int:
    if done.failed:
        return GUEST_FAILED
    return HOLDS if done.holds else DIFFERS


def _with_progress(work: Callable[[Any], Any], *, show: bool) -> Any:
    # A bar appears on a terminal when a run is long enough to wonder.
    if not (show and sys.stderr.isatty()):
        return work(None)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = None

        def report(now: int, budget: int) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task("running", total=budget)
            bar.update(task, completed=now)

        return work(report)


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value))


def _line_printer() -> Callable[[Any], None]:
    from rich.console import Console
    from rich.text import Text

    # In a pipe nothing should be folded to a terminal's width.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(highlight=False, soft_wrap=True, width=width)
    if console.is_terminal:
        return console.print
    # Nor coloured: a text goes as it is, which takes a fortieth of the time.
    return lambda line: (
        click.echo(line.plain) if isinstance(line, Text) else console.print(line)
    )


def _print_lines(lines: Any) -> None:
    print_line = _line_printer()
    for line in lines:
        print_line(line)


def _fail(as_json: bool, text: str, message: str, **where: Any) -> NoReturn:
    if as_json:
        from lab.views.result import error_as_json

        _print_json(error_as_json(message, **where))
    else:
        click.echo(f"l4lab: {text}", err=True)
    sys.exit(WRONG_INPUT)


if __name__ == "__main__":
    main()
