"""The command line.  Imports stand inside the commands, so that each pays only for its own.

Exit codes of `run`: 0 expectations hold; 1 an expectation fails; 2 the guest failed
without being expected to; 3 wrong use or wrong input.
"""

import json
import sys
from collections.abc import Callable
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
def run(
    scenario: str, arch: str | None, cycles: int | None, as_json: bool, quiet: bool
) -> None:
    """Run SCENARIO, a path or the name of one that ships, and check what it expects."""
    from lab.views import result

    done = _with_progress(
        lambda progress: _run(scenario, arch=arch, cycles=cycles, progress=progress),
        show=not (as_json or quiet),
    )
    if as_json:
        _print_json(result.as_json(done))
    else:
        _print_lines(result.render_result(done, quiet=quiet))
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

    # In a pipe nothing should be folded to a terminal's width.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, soft_wrap=True, width=width).print


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
