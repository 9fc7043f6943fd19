"""Commands about time: stat and profile of a run, cost of code, bench of this installation."""

import sys
from typing import Any

import click

from lab.cli import options
from lab.cli.options import How
from lab.cli.output import HOLDS, WRONG_INPUT, print_json, print_lines, with_progress
from lab.cli.runs import load


@click.command()
@click.argument("scenario")
@click.option(
    "--compare",
    "others",
    multiple=True,
    metavar="OTHER",
    help="Show the figures of this one beside them; may be repeated.",
)
@options.how
@options.as_json
def stat(
    scenario: str,
    others: tuple[str, ...],
    how: How,
    as_json: bool,
) -> None:
    """Run SCENARIO and say where its cycles went: threads, functions, the kernel."""
    from lab.views import stat as views

    found = [_measured(name, how, progress=not as_json) for name in (scenario, *others)]
    if not as_json:
        print_lines(views.render_comparison(found) if others else views.render(found[0]))
    elif others:
        print_json({"schema": views.SCHEMA, "runs": [views.as_json(each) for each in found]})
    else:
        print_json(views.as_json(found[0]))


@click.command()
@click.argument("scenario")
@click.option(
    "-o", "--output", type=click.Path(), required=True, metavar="FILE", help="The SVG file."
)
@options.how
def profile(scenario: str, output: str, how: How) -> None:
    """Run SCENARIO and draw a flame graph of its cycles, by exact call paths."""
    from pathlib import Path

    from lab.atomic import write_text
    from lab.views.flame import render_flame

    found = _measured(scenario, how, progress=True)
    write_text(Path(output), render_flame(found))


@click.command()
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


@click.command("bench")
@options.as_json
def measure_speed(as_json: bool) -> None:
    """Measure the speed of this installation; takes about ten seconds.

    Only ratios within one run mean anything: machines differ, and are shared.
    """
    from bench import figures, suite

    found = with_progress(
        lambda progress: suite.measure(suite.SHORT, progress=progress),
        show=not as_json,
        label="measuring",
    )
    if as_json:
        print_json(figures.as_json(found))
    else:
        print_lines(figures.render(found))


def _measured(scenario: str, how: How, *, progress: bool) -> Any:
    from lab.replay.measure import measure

    loaded = load(scenario, how)
    return with_progress(
        lambda report: measure(loaded, cycles=how.cycles, timing=how.timing, progress=report),
        show=progress,
    )
