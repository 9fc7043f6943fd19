"""Commands that run a scenario and say what came of it: run, check, explain, trace."""

import json
import sys
from typing import Any, NoReturn

import click

from lab.cli import options, runs
from lab.cli.options import How
from lab.cli.output import line_printer, print_json, print_lines, width, with_progress
from lab.cli.runs import context, exit_code, judged, load, recording


@click.command()
@options.programs
@options.how_with_calls
@options.as_json
@options.quiet
@options.trace_file
@options.trace_limit
@options.no_check
@click.option(
    "--schedule",
    type=click.Path(),
    metavar="FILE",
    help="Take the choices that this file says, of `l4lab explore`.",
)
@click.option(
    "--loose", is_flag=True, help="Take of the schedule what fits, and go on as usual."
)
@options.judging
def run(
    scenario: str,
    how: How,
    as_json: bool,
    quiet: bool,
    trace: str | None,
    trace_limit: int,
    no_check: bool,
    schedule: str | None,
    loose: bool,
    **judging: Any,
) -> None:
    """Run SCENARIO, a path or the name of one that ships, and check what it expects."""
    from lab.views import result

    steering: dict[str, Any] = {}
    if schedule is not None:
        from pathlib import Path

        from lab.explore.schedule import load_schedule

        steering = {"schedule": load_schedule(Path(schedule)), "loose": loose}
    elif loose:
        raise click.UsageError("--loose: there is no --schedule")
    with recording(trace, trace_limit) as writer:
        done = judged(
            scenario,
            how,
            progress=not (as_json or quiet),
            check=not no_check,
            trace=writer,
            **steering,
            **judging,
        )
    if as_json:
        print_json({**result.as_json(done), **_recorded_as_json(writer)})
    else:
        print_lines(result.render_result(done, quiet=quiet, width=width()))
        _print_recorded(writer, quiet=quiet)
    sys.exit(exit_code(done))


@click.command()
@options.programs
@options.how_with_calls
@options.as_json
@options.quiet
@options.judging
def check(
    scenario: str,
    how: How,
    as_json: bool,
    quiet: bool,
    **judging: Any,
) -> None:
    """Run SCENARIO and report every finding in full: what, where, why, and what helps.

    Notes and suppressed findings get a line in the table; `l4lab explain` tells of them.
    """
    from lab.views import finding, findings, result

    done = judged(
        scenario,
        how,
        progress=not (as_json or quiet),
        **judging,
    )
    if as_json:
        print_json(result.as_json(done))
        sys.exit(exit_code(done))
    shown = context(done, scenario, how)
    if not quiet:
        print_lines(result.render_title(done))
    if not (quiet and done.holds):
        reported = [found for found in done.findings if finding.is_reported(found)]
        for found in reported:
            print_lines(finding.render_finding(found, shown))
            click.echo()
        if len(done.findings) > 1 or len(reported) < len(done.findings):
            print_lines(findings.render_table(done.findings, shown.width))
            click.echo()
    if not done.checked:
        click.echo("nobody looked for findings: the checker did not watch this run")
    print_lines(result.render_outcome(done, quiet=quiet, width=shown.width))
    sys.exit(exit_code(done))


@click.command()
@options.programs
@click.argument("finding", required=False)
@options.how_with_calls
@options.as_json
def explain(
    scenario: Any,
    finding: str | None,
    how: How,
    as_json: bool,
) -> None:
    """Tell the story of a FINDING of SCENARIO, such as F1, from the beginning."""
    if finding is None:
        raise click.UsageError("expected a FINDING, such as F1")
    from lab.views import finding_json, result, story
    from lab.views.text import printable

    done = with_progress(
        lambda progress: runs.run(scenario, how, progress=progress),
        show=not as_json,
    )
    ids = [found.id for found in done.findings]
    if finding.upper() not in ids:
        there = f"this run has {', '.join(ids[:20])}" if ids else "this run has none"
        raise click.UsageError(f"no finding {printable(finding[:40])}: {there}")
    found = done.findings[ids.index(finding.upper())]
    if as_json:
        print_json(
            {
                "schema": result.SCHEMA,
                "scenario": done.scenario.name,
                "arch": done.scenario.arch.name,
                "finding": finding_json.finding_as_json(found),
                "story": story.story_as_json(found),
            }
        )
        return
    print_lines(story.render_story(found, context(done, scenario, how)))


@click.command()
@options.programs
@options.how_with_calls
@options.as_json
@options.quiet
def trace(
    scenario: str,
    how: How,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO and print every message with all its words, faults, switches and log.

    With --quiet the thread switches are left out.
    """
    from kernel.events import Switch
    from lab.views import result, text

    loaded = load(scenario, how)
    if as_json:
        _trace_as_json(loaded, how)
    print_line = line_printer()
    print_line(text.trace_head())

    def show(names: Any, event: Any) -> None:
        if not (quiet and isinstance(event, Switch)):
            for line in text.render_event(event, names):
                print_line(line)

    done = runs.run(loaded, how, listener=show)
    for line in result.render_result(done, quiet=True):
        print_line(line)
    sys.exit(exit_code(done))


def _trace_as_json(scenario: Any, how: How) -> NoReturn:
    # One object, but written as the run goes: a trace may be longer than memory.
    from lab.views import result

    written = 0

    def write(names: Any, event: Any) -> None:
        nonlocal written
        click.echo("," if written else '{"events": [', nl=False)
        click.echo(json.dumps(result.event_as_json(event, names)), nl=False)
        written += 1

    done = runs.run(scenario, how, listener=write)
    click.echo("], " + json.dumps(result.as_json(done))[1:])
    sys.exit(exit_code(done))


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
