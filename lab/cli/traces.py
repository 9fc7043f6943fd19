"""Commands that read a recorded trace: show, query, replay, export."""

import json
import sys
from typing import Any, NoReturn

import click

from lab.cli import options
from lab.cli.output import (
    DIFFERS,
    HOLDS,
    WRONG_INPUT,
    line_printer,
    print_json,
    print_lines,
    with_progress,
)
from lab.cli.runs import open_trace, range_of


@click.command()
@click.argument("trace", type=click.Path())
@options.first
@options.last
@options.thread
@options.limit
@options.as_json
@options.quiet
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

    with open_trace(trace) as opened:
        begin, end = range_of(opened, first, last)
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
        print_line = line_printer()
        for line in stored.render_summary(opened):
            print_line(line)
        print_line(text.trace_head())
        for shown, (stamped, names) in enumerate(events):
            if shown == limit:
                print_line(f"and more: --from event:{stamped.sequence}")
                break
            for line in text.render_event(stamped.event, names):
                print_line(line)


@click.command()
@click.argument("trace", type=click.Path())
@click.argument("query")
@options.first
@options.last
@options.thread
@options.limit
@options.as_json
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

    with open_trace(trace) as opened:
        wanted = parse_query(query, opened.names())
        begin, end = range_of(opened, first, last)
        concerning = None if thread is None else find_thread(opened, thread, option="--thread")
        events = (
            pair
            for pair in named(opened, begin, end, concerning=concerning, kinds=wanted.kinds)
            if wanted.accepts(pair[0])
        )
        if as_json:
            _print_events_as_json(opened, events, limit)
        print_line = line_printer()
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


@click.command()
@click.argument("trace", type=click.Path())
@options.as_json
def replay(trace: str, as_json: bool) -> None:
    """Run again what a recorded TRACE is of, from the trace alone, and compare every event."""
    from lab.replay.again import repeat
    from lab.views import stored

    with open_trace(trace) as opened:
        done = with_progress(
            lambda progress: repeat(opened, progress=progress), show=not as_json
        )
        if as_json:
            print_json(stored.repetition_as_json(opened, done))
        else:
            print_lines(stored.render_repetition(opened, done))
    sys.exit(HOLDS if done.difference is None else DIFFERS)


@click.command()
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
@options.first
@options.last
@options.limit
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
    with open_trace(trace) as opened:
        begin, end = range_of(opened, first, last)
        if limit is not None:
            end = min(end, begin + limit)
        if perfetto:
            exporting.write_timeline(opened, perfetto, begin, end)
        if mermaid:
            exporting.write_diagram(opened, mermaid, begin, end)
        if jsonl:
            exporting.write_lines(opened, jsonl, begin, end)


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
