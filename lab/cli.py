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
_cpu = click.option(
    "--cpu", help="Count cycles of this CPU instead of skylake; flat is 1 an instruction."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_suppressions = click.option(
    "--suppressions",
    type=click.Path(),
    help="File of suppressions instead of l4lab-suppressions.toml beside the scenario.",
)
_today = click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Judge the expiry of suppressions as of this day.",
)
_strict = click.option("--strict", is_flag=True, help="Latent findings fail the run, too.")
_no_expect = click.option(
    "--no-expect", is_flag=True, help="Ignore what the scenario expects: no finding is right."
)
_sarif = click.option(
    "--sarif", type=click.Path(), metavar="FILE", help="Write the findings as SARIF 2.1.0."
)
_quiet = click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="l4lab")
def commands() -> None:
    """Find out why an L4 message did not arrive as it was sent."""


def _judging(command: Any) -> Any:
    for option in reversed((_suppressions, _today, _strict, _no_expect, _sarif)):
        command = option(command)
    return command


@commands.command()
@click.argument("scenario")
@_arch
@_cycles
@_cpu
@_json
@_quiet
@_judging
def run(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    cpu: str | None,
    as_json: bool,
    quiet: bool,
    **judging: Any,
) -> None:
    """Run SCENARIO, a path or the name of one that ships, and check what it expects."""
    from lab.views import result

    done = _judged(
        scenario, arch=arch, cycles=cycles, cpu=cpu, progress=not (as_json or quiet), **judging
    )
    if as_json:
        _print_json(result.as_json(done))
    else:
        _print_lines(result.render_result(done, quiet=quiet, width=_width()))
    sys.exit(_exit_code(done))


@commands.command()
@click.argument("scenario")
@_arch
@_cycles
@_cpu
@_json
@_quiet
@_judging
def check(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    cpu: str | None,
    as_json: bool,
    quiet: bool,
    **judging: Any,
) -> None:
    """Run SCENARIO and report every finding in full: what, where, why, and what helps.

    Notes and suppressed findings get a line in the table; `l4lab explain` tells of them.
    """
    from lab.views import finding, findings, result

    done = _judged(
        scenario, arch=arch, cycles=cycles, cpu=cpu, progress=not (as_json or quiet), **judging
    )
    if as_json:
        _print_json(result.as_json(done))
        sys.exit(_exit_code(done))
    context = _context(done, scenario, arch=arch, cycles=cycles, cpu=cpu)
    if not quiet:
        _print_lines(result.render_title(done))
    if not (quiet and done.holds):
        reported = [found for found in done.findings if finding.is_reported(found)]
        for found in reported:
            _print_lines(finding.render_finding(found, context))
            click.echo()
        if len(done.findings) > 1 or len(reported) < len(done.findings):
            _print_lines(findings.render_table(done.findings, context.width))
            click.echo()
    if not done.checked:
        click.echo("nobody looked for findings: the checker did not watch this run")
    _print_lines(result.render_outcome(done, quiet=quiet, width=context.width))
    sys.exit(_exit_code(done))


@commands.command()
@click.argument("scenario")
@click.argument("finding")
@_arch
@_cycles
@_cpu
@_json
def explain(
    scenario: str,
    finding: str,
    arch: str | None,
    cycles: int | None,
    cpu: str | None,
    as_json: bool,
) -> None:
    """Tell the story of a FINDING of SCENARIO, such as F1, from the beginning."""
    from lab.views import finding_json, result, story
    from lab.views.text import printable

    done = _with_progress(
        lambda progress: _run(scenario, arch=arch, cycles=cycles, cpu=cpu, progress=progress),
        show=not as_json,
    )
    ids = [found.id for found in done.findings]
    if finding.upper() not in ids:
        there = f"this run has {', '.join(ids[:20])}" if ids else "this run has none"
        raise click.UsageError(f"no finding {printable(finding[:40])}: {there}")
    found = done.findings[ids.index(finding.upper())]
    if as_json:
        _print_json(
            {
                "schema": result.SCHEMA,
                "scenario": done.scenario.name,
                "arch": done.scenario.arch.name,
                "finding": finding_json.finding_as_json(found),
                "story": story.story_as_json(found),
            }
        )
        return
    context = _context(done, scenario, arch=arch, cycles=cycles, cpu=cpu)
    _print_lines(story.render_story(found, context))


@commands.command()
@click.argument("scenario")
@_arch
@_cycles
@_cpu
@_json
@_quiet
def trace(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    cpu: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO and print every message with all its words, faults, switches and log.

    With --quiet the thread switches are left out.
    """
    from kernel.events import Switch
    from lab.views import result, text

    if as_json:
        _trace_as_json(scenario, arch=arch, cycles=cycles, cpu=cpu)
    print_line = _line_printer()
    print_line(text.trace_head())

    def show(names: Any, event: Any) -> None:
        if not (quiet and isinstance(event, Switch)):
            for line in text.render_event(event, names):
                print_line(line)

    done = _run(scenario, arch=arch, cycles=cycles, cpu=cpu, listener=show)
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


@commands.command()
@click.argument("scenario")
@click.option(
    "--compare",
    "others",
    multiple=True,
    metavar="OTHER",
    help="Show the figures of this one beside them; may be repeated.",
)
@_arch
@_cycles
@_cpu
@_json
def stat(
    scenario: str,
    others: tuple[str, ...],
    arch: str | None,
    cycles: int | None,
    cpu: str | None,
    as_json: bool,
) -> None:
    """Run SCENARIO and say where its cycles went: threads, functions, the kernel."""
    from lab.views import stat as views

    found = [
        _measured(name, arch=arch, cycles=cycles, cpu=cpu, progress=not as_json)
        for name in (scenario, *others)
    ]
    if not as_json:
        _print_lines(views.render_comparison(found) if others else views.render(found[0]))
    elif others:
        _print_json({"schema": views.SCHEMA, "runs": [views.as_json(each) for each in found]})
    else:
        _print_json(views.as_json(found[0]))


@commands.command()
@click.argument("scenario")
@click.option(
    "-o", "--output", type=click.Path(), required=True, metavar="FILE", help="The SVG file."
)
@_arch
@_cycles
@_cpu
def profile(
    scenario: str, output: str, arch: str | None, cycles: int | None, cpu: str | None
) -> None:
    """Run SCENARIO and draw a flame graph of its cycles, by exact call paths."""
    from pathlib import Path

    from lab.atomic import write_text
    from lab.views.flame import render_flame

    found = _measured(scenario, arch=arch, cycles=cycles, cpu=cpu, progress=True)
    write_text(Path(output), render_flame(found))


@commands.command("list")
@click.option("--corpus", is_flag=True, help="List the corpus of known misuse instead.")
@_json
def list_scenarios(corpus: bool, as_json: bool) -> None:
    """List the scenarios that ship."""
    from guest.scenario import load_scenario, shipped_scenarios
    from lab.views.text import render_table

    if corpus:
        _list_corpus(as_json)
        return
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


def _list_corpus(as_json: bool) -> None:
    from guest.corpus.cases import load_corpus
    from lab.views import corpus

    found = load_corpus()
    if as_json:
        _print_json(corpus.as_json(found))
    else:
        _print_lines(corpus.render(found))


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


@commands.command("bench")
@_json
def measure_speed(as_json: bool) -> None:
    """Measure the speed of this installation; takes about ten seconds.

    Only ratios within one run mean anything: machines differ, and are shared.
    """
    from bench import figures, suite

    found = _with_progress(
        lambda progress: suite.measure(suite.SHORT, progress=progress),
        show=not as_json,
        label="measuring",
    )
    if as_json:
        _print_json(figures.as_json(found))
    else:
        _print_lines(figures.render(found))


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


def _run(scenario: Any, *, cpu: str | None, **options: Any) -> Any:
    from lab.run import run_scenario

    if cpu is not None:
        options["cpu"] = _check_cpu(cpu)
    return run_scenario(scenario, **options)


def _check_cpu(cpu: str) -> str:
    from lab.replay.system import CPUS

    if cpu not in CPUS:
        raise click.UsageError(f"--cpu: {cpu!r} is none of {', '.join(CPUS)}")
    return cpu


def _measured(
    scenario: str, *, arch: str | None, cpu: str | None, progress: bool, **options: Any
) -> Any:
    from guest.scenario import load_scenario
    from lab.replay.measure import measure

    if cpu is not None:
        options["cpu"] = _check_cpu(cpu)
    loaded = load_scenario(scenario, arch=arch)
    return _with_progress(
        lambda report: measure(loaded, progress=report, **options), show=progress
    )


def _judged(
    scenario: str,
    *,
    progress: bool,
    suppressions: str | None,
    today: Any,
    strict: bool,
    no_expect: bool,
    sarif: str | None,
    **options: Any,
) -> Any:
    # What the user gave is read before the run, and what was asked for written before
    # anything is printed: wrong input is one message and nothing else.
    from dataclasses import replace
    from datetime import date
    from pathlib import Path

    from guest.scenario import Expect, load_scenario
    from lab.result import judge
    from lab.suppress import find_suppressions, load_suppressions

    loaded = load_scenario(scenario, arch=options.pop("arch"))
    if no_expect:
        loaded = replace(loaded, expect=Expect())
    file = find_suppressions(loaded.path) if suppressions is None else Path(suppressions)
    known = () if file is None else load_suppressions(file)
    done = _with_progress(
        lambda report: _run(loaded, progress=report, **options), show=progress
    )
    day = date.today() if today is None else today.date()
    done = judge(done, suppressions=known, today=day, strict=strict)
    if sarif is not None:
        _write_sarif(done, Path(sarif))
    return done


def _write_sarif(done: Any, path: Any) -> None:
    from importlib.metadata import version
    from pathlib import Path

    from lab.atomic import write_text
    from lab.views.sarif import sarif_log

    log = sarif_log(done, root=Path.cwd(), version=version("l4lab"), exit_code=_exit_code(done))
    write_text(path, json.dumps(log, indent=2) + "\n")


def _context(
    done: Any, scenario: str, *, arch: str | None, cycles: int | None, cpu: str | None
) -> Any:
    from lab.views.finding import Context

    command = [scenario]
    if arch is not None:
        command += ["--arch", arch]
    if cycles is not None:
        command += ["--cycles", str(cycles)]
    if cpu is not None:
        command += ["--cpu", cpu]
    return Context(tuple(command), done.names.source_line, _width())


def _width() -> int:
    from rich.console import Console

    from lab.views.result import WIDTH

    return Console().width if sys.stdout.isatty() else WIDTH


def _exit_code(done: Any) -> int:
    if done.failed:
        return GUEST_FAILED
    return HOLDS if done.holds else DIFFERS


def _with_progress(work: Callable[[Any], Any], *, show: bool, label: str = "running") -> Any:
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
                task = bar.add_task(label, total=budget)
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
