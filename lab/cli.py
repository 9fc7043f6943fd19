"""The command line.  Imports stand inside the commands, so that each pays only for its own.

Exit codes of `run`: 0 expectations hold; 1 an expectation fails; 2 the guest failed
without being expected to; 3 wrong use or wrong input.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn

import click

HOLDS, DIFFERS, GUEST_FAILED, WRONG_INPUT = range(4)

_PIPE_WIDTH = 200  # columns

_arch = click.option("--arch", help="Run on this architecture: amd64 or ia32.")
_cycles = click.option(
    "--cycles", type=click.IntRange(1), help="Budget of cycles instead of the scenario's."
)
_calls = click.option(
    "--calls",
    type=click.Path(),
    metavar="FILE",
    help="Let a thread of the host's make these calls, too, as a test did that failed.",
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
_confirm = click.option(
    "--confirm",
    type=click.Choice(["some", "all", "none"]),
    default="some",
    show_default=True,
    help="Which findings to confirm by running again; some are the first ten.",
)
_no_check = click.option(
    "--no-check", is_flag=True, help="Do not look at how UTCBs are used: faster."
)
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


def _programs(command: Any) -> Any:
    """Let a command take programs in place of a SCENARIO."""
    from functools import wraps

    @wraps(command)
    def run(
        scenario: str | None,
        image: tuple[str, ...],
        gate: tuple[str, ...],
        entry: tuple[str, ...],
        arch: str | None,
        **options: Any,
    ) -> None:
        if image and "finding" in options and options["finding"] is None:
            scenario, options["finding"] = None, scenario  # the only word there is
        if (scenario is None) == (not image):
            raise click.UsageError("expected a SCENARIO, or programs given by --image")
        if image:
            chosen = _made_of(image, gate, entry, arch)
        elif gate or entry:
            raise click.UsageError("--gate and --entry go with --image")
        else:
            chosen = scenario
        command(scenario=chosen, arch=arch, **options)

    for option in (
        click.option("--entry", multiple=True, metavar="TASK=SYMBOL", help="Or an address."),
        click.option(
            "--gate",
            multiple=True,
            metavar="NAME[=THREAD][,label=N]",
            help="A gate to the thread of that name; all others get a capability of it.",
        ),
        click.option(
            "--image", multiple=True, metavar="TASK=FILE", help="Run this, without a SCENARIO."
        ),
        click.argument("scenario", required=False),
    ):
        run = option(run)
    return run


def _made_of(
    image: tuple[str, ...], gate: tuple[str, ...], entry: tuple[str, ...], arch: str | None
) -> Any:
    from pathlib import Path

    from guest.command import Wanted, make_scenario

    words = [
        f"{option}={value}"
        for option, values in (("--image", image), ("--gate", gate), ("--entry", entry))
        for value in values
    ]
    click.get_current_context().meta["l4lab.words"] = words
    return make_scenario(Wanted(image, gate, entry, arch), folder=Path.cwd())


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


def _timing(command: Any) -> Any:
    # Options that say what cycles are made of, for the command as one value.
    @click.option(
        "--cpu", help="Count cycles of this CPU instead of skylake; flat is 1 an instruction."
    )
    @click.option(
        "--model",
        help="Predict branches as simple cores do (fast, the default), with TAGE (full), or "
        "take all for predicted (blocks).",
    )
    @click.option(
        "--front-end", is_flag=True, help="Code that runs for the first time is decoded."
    )
    @wraps(command)
    def timed(*, cpu: str | None, model: str | None, front_end: bool, **options: Any) -> Any:
        return command(timing=_read_timing(cpu, model, front_end=front_end), **options)

    return timed


def _judging(command: Any) -> Any:
    options = (_confirm, _suppressions, _today, _strict, _no_expect, _sarif)
    for option in reversed(options):
        command = option(command)
    return command


@commands.command()
@_programs
@_arch
@_cycles
@_timing
@_calls
@_json
@_quiet
@_trace_file
@_trace_limit
@_no_check
@click.option(
    "--schedule",
    type=click.Path(),
    metavar="FILE",
    help="Take the choices that this file says, of `l4lab explore`.",
)
@click.option(
    "--loose", is_flag=True, help="Take of the schedule what fits, and go on as usual."
)
@_judging
def run(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
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
    with _recording(trace, trace_limit) as writer:
        done = _judged(
            scenario,
            arch=arch,
            cycles=cycles,
            timing=timing,
            calls=calls,
            progress=not (as_json or quiet),
            check=not no_check,
            trace=writer,
            **steering,
            **judging,
        )
    if as_json:
        _print_json({**result.as_json(done), **_recorded_as_json(writer)})
    else:
        _print_lines(result.render_result(done, quiet=quiet, width=_width()))
        _print_recorded(writer, quiet=quiet)
    sys.exit(_exit_code(done))


@commands.command()
@_programs
@_arch
@_cycles
@_timing
@_calls
@_json
@_quiet
@_judging
def check(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
    as_json: bool,
    quiet: bool,
    **judging: Any,
) -> None:
    """Run SCENARIO and report every finding in full: what, where, why, and what helps.

    Notes and suppressed findings get a line in the table; `l4lab explain` tells of them.
    """
    from lab.views import finding, findings, result

    done = _judged(
        scenario,
        arch=arch,
        cycles=cycles,
        timing=timing,
        calls=calls,
        progress=not (as_json or quiet),
        **judging,
    )
    if as_json:
        _print_json(result.as_json(done))
        sys.exit(_exit_code(done))
    context = _context(done, scenario, arch=arch, cycles=cycles, timing=timing, calls=calls)
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
@_programs
@click.argument("finding", required=False)
@_arch
@_cycles
@_timing
@_calls
@_json
def explain(
    scenario: Any,
    finding: str | None,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
    as_json: bool,
) -> None:
    """Tell the story of a FINDING of SCENARIO, such as F1, from the beginning."""
    if finding is None:
        raise click.UsageError("expected a FINDING, such as F1")
    from lab.views import finding_json, result, story
    from lab.views.text import printable

    loaded = _load(scenario, arch=arch, calls=calls)
    done = _with_progress(
        lambda progress: _run(loaded, cycles=cycles, timing=timing, progress=progress),
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
    context = _context(done, scenario, arch=arch, cycles=cycles, timing=timing, calls=calls)
    _print_lines(story.render_story(found, context))


@commands.command()
@_programs
@_arch
@_cycles
@_timing
@_calls
@_json
@_quiet
def trace(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO and print every message with all its words, faults, switches and log.

    With --quiet the thread switches are left out.
    """
    from kernel.events import Switch
    from lab.views import result, text

    loaded = _load(scenario, arch=arch, calls=calls)
    if as_json:
        _trace_as_json(loaded, cycles=cycles, timing=timing)
    print_line = _line_printer()
    print_line(text.trace_head())

    def show(names: Any, event: Any) -> None:
        if not (quiet and isinstance(event, Switch)):
            for line in text.render_event(event, names):
                print_line(line)

    done = _run(loaded, cycles=cycles, timing=timing, listener=show)
    for line in result.render_result(done, quiet=True):
        print_line(line)
    sys.exit(_exit_code(done))


def _trace_as_json(scenario: Any, **options: Any) -> NoReturn:
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
@_programs
@_arch
@_cycles
@_timing
@_calls
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: any that is free.")
@click.option("--listen", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--task", help="Show only this task, to a gdb without multiprocess.")
@click.option("--once", is_flag=True, help="End when the first client leaves.")
def gdb(
    scenario: str,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
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

    loaded = _load(scenario, arch=arch, calls=calls)
    try:
        serve_scenario(
            loaded,
            host=listen,
            port=port,
            cycles=cycles,
            timing=timing,
            task=task,
            once=once,
            tell=tell,
        )
    except UsageError as error:
        raise click.UsageError(str(error)) from error


@commands.command()
@click.argument("scenario", metavar="TRACE|SCENARIO")
@click.argument("thread")
@click.argument("what")
@click.option("--at", "mark", default="end", show_default=True, help="A mark in the run.")
@_arch
@_cycles
@_timing
@_calls
@_json
def why(
    scenario: str,
    thread: str,
    what: str,
    mark: str,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
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

    with _timeline(scenario, arch=arch, cycles=cycles, timing=timing, calls=calls) as (
        timeline,
        found,
    ):
        try:
            seek_mark(timeline, found(mark))
            answer = explain(timeline, timeline.find_thread(thread), what)
        except UsageError as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        _print_json(why_as_json(answer))
    else:
        click.echo("\n".join(render_why(answer)))


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
@_timing
@_json
def stat(
    scenario: str,
    others: tuple[str, ...],
    arch: str | None,
    cycles: int | None,
    timing: Any,
    as_json: bool,
) -> None:
    """Run SCENARIO and say where its cycles went: threads, functions, the kernel."""
    from lab.views import stat as views

    found = [
        _measured(name, arch=arch, cycles=cycles, timing=timing, progress=not as_json)
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
@_timing
def profile(
    scenario: str, output: str, arch: str | None, cycles: int | None, timing: Any
) -> None:
    """Run SCENARIO and draw a flame graph of its cycles, by exact call paths."""
    from pathlib import Path

    from lab.atomic import write_text
    from lab.views.flame import render_flame

    found = _measured(scenario, arch=arch, cycles=cycles, timing=timing, progress=True)
    write_text(Path(output), render_flame(found))


@commands.command("new")
@click.argument("directory", type=click.Path())
@click.option(
    "--include", "only_include", is_flag=True, help="Only bring its include files up to date."
)
def new_project(directory: str, only_include: bool) -> None:
    """Make an example project in DIRECTORY: a server in C, a client, a scenario and tests."""
    import shlex
    from pathlib import Path

    from guest.project import create_project, refresh_include

    folder = Path(directory)
    written = refresh_include(folder) if only_include else create_project(folder)
    for path in written:
        click.echo(f"  {path}")
    if not only_include:
        click.echo(f"now run: make -C {shlex.quote(directory)} test")


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
@click.argument("scenario")
@_arch
@_cycles
@_json
@_quiet
@click.option("--random", type=click.IntRange(1), metavar="N", help="N runs at random.")
@click.option(
    "--pct", type=click.IntRange(1, 16), metavar="D", help="Random priorities; bugs of depth D."
)
@click.option("--seed", type=click.IntRange(0), default=0, help="For --random and --pct.")
@click.option("--runs", type=click.IntRange(1), help="At most so many runs.")
@click.option(
    "--bound",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Choices in a run that are not the usual ones.",
)
@click.option(
    "--preempt",
    default="syscalls",
    show_default=True,
    metavar="syscalls|shared|N",
    help="Where time slices may end besides: at shared memory, or every N cycles of code.",
)
@click.option(
    "--window",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="CYCLES",
    help="Interrupts and timeouts may come so much later.",
)
@click.option("--smp-like", is_flag=True, help="Any ready thread may run: not on one CPU.")
@click.option("--no-prune", is_flag=True, help="Do not leave out runs that can only repeat.")
@click.option("--console", is_flag=True, help="Hold what is printed against the scenario, too.")
@_no_check
@click.option("--stop", is_flag=True, help="Stop at the first run that fails.")
@click.option(
    "--jobs", "-j", type=click.IntRange(1, 1024), default=1, help="Processes that run."
)
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster at this address.")
@click.option("--store", type=click.Path(), metavar="FILE", help="Keep what every run gave.")
@click.option("--resume", is_flag=True, help="Go on with a store that is there.")
@click.option(
    "--save",
    type=click.Path(file_okay=False),
    default=".",
    metavar="DIR",
    help="Where schedules of failing runs go; the current folder if not given.",
)
def explore(scenario: str, **options: Any) -> None:
    """Run SCENARIO in all orders that one CPU could have, and find those in which it fails.

    Every failing order is minimised and saved; `l4lab run --schedule` takes it again.
    Exit code 1: some run fails.
    """
    from lab.explore import report

    as_json, quiet = options["as_json"], options["quiet"]
    done = _explore(scenario, options)
    if as_json:
        _print_json(report.as_json(done))
    elif not (quiet and not done.report.failing):
        _print_lines(report.render(done))
    if done.report.interrupted and not done.report.failing:
        sys.exit(WRONG_INPUT)
    sys.exit(DIFFERS if done.report.failing else HOLDS)


@commands.command()
@click.argument("matrix", type=click.Path())
@click.option("--jobs", "-j", type=click.IntRange(1, 1024), default=1, help="Processes.")
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster at this address.")
@click.option("--store", type=click.Path(), metavar="FILE", help="Keep rows as they come.")
@click.option("--resume", is_flag=True, help="Go on with a store that is there.")
@click.option(
    "--out", type=click.Path(dir_okay=False), metavar="FILE", help="A .parquet or .sqlite file."
)
@_json
@_quiet
def sweep(
    matrix: str,
    jobs: int,
    dask: str | None,
    store: str | None,
    resume: bool,
    out: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a scenario in all combinations of a MATRIX, with IPC hidden where it could be.

    Exit code 1: in some row something was noticed, or is not as the scenario expects.
    """
    from contextlib import closing
    from pathlib import Path

    from lab.explore.matrix import load_matrix
    from lab.explore.pool import make_pool
    from lab.explore.sweep import flat
    from lab.explore.sweep import sweep as run_sweep

    write = None if out is None else _row_writer(out)
    if resume and store is None:
        raise click.UsageError("--resume: there is no --store")
    loaded = load_matrix(Path(matrix))
    with closing(make_pool(jobs) if dask is None else _connect(dask)) as pool:
        rows = _with_progress(
            lambda progress: run_sweep(
                loaded,
                pool,
                store=None if store is None else Path(store),
                resumes=resume,
                progress=progress,
            ),
            show=not (as_json or quiet),
            label="sweeping",
        )
    if write is not None:
        write(rows)
    if as_json:
        _print_json({"schema": 1, "rows": flat(rows)})
    else:
        _print_sweep(rows, quiet=quiet)
    holds = all(row.verdict == "ok" and row.memory and row.outcome == "idle" for row in rows)
    sys.exit(HOLDS if holds else DIFFERS)


def _row_writer(out: str) -> Callable[[Any], None]:
    from pathlib import Path

    from lab.explore.sweep import flat, write_sqlite

    path = Path(out)
    if path.suffix in (".sqlite", ".db"):
        return lambda rows: write_sqlite(rows, path)
    if path.suffix != ".parquet":
        raise click.BadParameter("expected .parquet or .sqlite", param_hint="--out")
    try:
        from lab.explore.parquet import write_parquet
    except ImportError:
        raise click.UsageError("--out: Parquet needs the extra l4lab[sweep]") from None
    return lambda rows: write_parquet(flat(rows), path)


def _print_sweep(rows: Any, *, quiet: bool) -> None:
    from lab.views.text import printable, render_table

    shown = [row for row in rows if not quiet or row.verdict != "ok" or not row.memory]
    lines = [
        (
            printable(row.case),
            printable(row.injected) or "-",
            row.outcome,
            "ok" if row.memory else "wrong",
            row.verdict,
            printable(row.misuses[0]) if row.misuses else "",
        )
        for row in shown
    ]
    if lines:
        head = ("case", "hidden call", "outcome", "memory", "verdict", "first misuse")
        _print_lines([render_table(head, lines)])
    click.echo(f"{len(rows):,} runs, {sum(row.verdict != 'ok' for row in rows):,} not ok")


def _explore(scenario: str, options: dict[str, Any]) -> Any:
    from contextlib import closing
    from pathlib import Path

    from guest.scenario import load_scenario
    from lab.explore.pool import make_pool
    from lab.explore.session import explore

    settings = _settings(options)
    loaded = load_scenario(scenario, arch=options["arch"])
    store = options["store"]
    if options["resume"] and store is None:
        raise click.UsageError("--resume: there is no --store")
    folder = Path(options["save"])
    if not folder.is_dir():
        raise click.BadParameter(f"no folder {options['save']!r}", param_hint="--save")
    if options["dask"] is None:
        pool = make_pool(options["jobs"])
    else:
        pool = _connect(options["dask"])
    with closing(pool):
        return _with_rate(
            lambda progress: explore(
                loaded,
                settings,
                pool,
                cycles=options["cycles"],
                runs=options["runs"],
                store=None if store is None else Path(store),
                resumes=options["resume"],
                folder=folder,
                stops=options["stop"],
                progress=progress,
            ),
            show=not (options["as_json"] or options["quiet"]),
            label="exploring",
        )


def _connect(address: str) -> Any:
    try:
        from lab.explore.cluster import connect
    except ImportError:
        raise click.UsageError("--dask: this needs the extra l4lab[dask]") from None
    return connect(address)


def _settings(options: dict[str, Any]) -> Any:
    from kernel.variation import Points
    from lab.explore.job import Mode, Preempt, Settings

    mode = Mode.SYSTEMATIC
    if options["random"] is not None and options["pct"] is not None:
        raise click.UsageError("--random and --pct: one of them")
    if options["random"] is not None:
        mode = Mode.RANDOM
        if options["runs"] is not None:
            raise click.UsageError("--runs: --random says how many")
        options["runs"] = options["random"]
    elif options["pct"] is not None:
        mode = Mode.PCT
    given = options["preempt"]
    grains = {"syscalls": (Preempt.SYSCALLS, 0), "shared": (Preempt.SHARED, 1)}
    if given.isascii() and given.isdigit() and 0 < int(given[:16]) < 1 << 40:
        preempt, grain = Preempt.CYCLES, int(given)
    elif given in grains:
        preempt, grain = grains[given]
    else:
        raise click.BadParameter(
            f"expected syscalls, shared or a number of cycles, found {given[:40]!r}",
            param_hint="--preempt",
        )
    return Settings(
        mode=mode,
        preempt=preempt,
        points=Points(grain, options["window"], options["smp_like"]),
        bound=options["bound"],
        seed=options["seed"],
        depth=options["pct"] or 1,
        prunes=not options["no_prune"],
        check=not options["no_check"],
        console=options["console"],
    )


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


@commands.command()
@_programs
@click.option("--at", "mark", help="Open here: a position, cycle:N, event:N, F1, start or end.")
@_arch
@_cycles
@_timing
@_calls
@_trace_file
@_trace_limit
@_confirm
@click.option("--light", is_flag=True, help="For a terminal with a light background.")
def debug(
    scenario: Any,
    mark: str | None,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
    trace: str | None,
    trace_limit: int,
    confirm: str,
    light: bool,
) -> None:
    """Step through a run, forwards and backwards: messages, code, UTCBs, and why.

    SCENARIO may be a recorded trace.  It opens on the first finding.  A scenario is run and
    recorded first, to the file of --trace if it is given; press ? for all keys.
    """
    from lab.timing import timing_options
    from lab.tui.start import is_trace

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("debug needs a terminal: `l4lab check` prints the findings")
    options: dict[str, Any] = {"mark": mark, "is_dark": not light}
    if isinstance(scenario, str) and is_trace(scenario):
        given = (arch, cycles, trace, calls)
        if any(value is not None for value in given) or timing_options(timing):
            raise click.UsageError(
                "a recorded trace has its --arch, --cycles, --cpu, --model, --calls and --trace"
            )
        _debug_trace(scenario, **options)
    else:
        _debug_scenario(
            _load(scenario, arch=arch, calls=calls),
            cycles=cycles,
            timing=timing,
            confirm=confirm,
            trace=trace,
            limit=trace_limit,
            **options,
        )


def _debug_trace(file: str, *, notes: Any = None, **options: Any) -> None:
    from pathlib import Path

    from lab.tui.start import make_app, notes_of_trace

    with _open_trace(file) as opened:
        replayer, missing = _replayer_of(opened)
        kept = notes_of_trace(Path(file)) if notes is None else notes
        make_app(opened, replayer, missing=missing, notes=kept, **options).run()


def _replayer_of(opened: Any) -> tuple[Any, str]:
    # Without a machine a trace can be looked at all the same.
    try:
        from lab.replay.mover import mover_of
    except ImportError as error:
        return None, f"{error.name or 'a package'} is not installed"
    return mover_of(opened), ""


def _debug_scenario(
    loaded: Any,
    *,
    cycles: int | None,
    timing: Any,
    confirm: str,
    trace: str | None,
    limit: int,
    **options: Any,
) -> None:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from lab.trace.writer import TraceWriter
    from lab.tui.start import notes_of_scenario

    with TemporaryDirectory(prefix="l4lab-") as folder:
        file = Path(folder) / f"{loaded.name}.l4trace" if trace is None else Path(trace)
        with TraceWriter(file, limit=limit) as writer:
            _with_progress(
                lambda report: _run(
                    loaded,
                    cycles=cycles,
                    timing=timing,
                    confirm=confirm,
                    trace=writer,
                    progress=report,
                ),
                show=True,
            )
        notes = notes_of_scenario(loaded.path, loaded.arch.name) if trace is None else None
        _debug_trace(str(file), notes=notes, **options)


@commands.command()
@click.argument("what", metavar="TRACE|SCENARIO")
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    required=True,
    metavar="FILE",
    help="The page to write; - is standard output.",
)
@_arch
@_cycles
@_timing
@_from
@_to
@click.option(
    "--limit",
    type=click.IntRange(16),
    help="Show at most about so many events, those around findings: 10000 by default.",
)
def report(
    what: str,
    output: str,
    arch: str | None,
    cycles: int | None,
    timing: Any,
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

    with _opened(what, arch=arch, cycles=cycles, timing=timing) as opened:
        begin, end = _range(opened, first, last)
        page = render_page(report_of(opened, begin, end, most=limit or MOST))
        with open_output(output) as file:
            file.write(page.encode())
        if output != "-":
            click.echo(f"wrote {output}, {len(page.encode()):,} bytes")


@commands.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B|FINDING]", required=False)
@click.option(
    "--counterfactual",
    "finding",
    metavar="FINDING",
    help="Compare A with itself, but for a finding such as F1 that is undone.",
)
@_arch
@_cycles
@_timing
@_json
def diff(
    a: str,
    b: str | None,
    finding: str | None,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    as_json: bool,
) -> None:
    """Compare two runs, traces or scenarios, and show the first message word that differs.

    Threads are compared by name, call by call; times are not.  With a finding, such as F1,
    A is compared with what it would have been without it.  The exit code is 0 if they are
    the same, 1 if they differ.
    """
    import re
    from pathlib import Path

    from lab.alignment import align
    from lab.views import alignment

    if b is not None and re.fullmatch("[Ff][0-9]{1,9}", b) and not Path(b).exists():
        if finding is not None:
            raise click.UsageError("one finding is enough")
        b, finding = None, b
    if (b is None) == (finding is None):
        raise click.UsageError("give a second run, or a finding of the first such as F1")
    options = {"arch": arch, "cycles": cycles, "timing": timing}
    with _opened(a, **options) as first:
        if b is not None:
            # What --arch says is for a scenario; a trace beside it has its own.
            with _opened(b, is_second=True, **options) as second:
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
        _print_json(value)
    else:
        _print_lines(alignment.render_alignment(done, *names))
    sys.exit(DIFFERS if done.differences else HOLDS)


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


def _run(scenario: Any, *, confirm: str = "some", **options: Any) -> Any:
    from lab.replay.examine import Confirm
    from lab.run import run_scenario

    return run_scenario(scenario, confirm=Confirm(confirm), **options)


def _read_timing(cpu: str | None, model: str | None, *, front_end: bool) -> Any:
    from emu.timing import CPU_NAMES, MODELS, Timing
    from lab.timing import DEFAULT_TIMING

    cpu = DEFAULT_TIMING.cpu if cpu is None else cpu
    model = DEFAULT_TIMING.model if model is None else model
    for option, value, known in (("--cpu", cpu, CPU_NAMES), ("--model", model, MODELS)):
        if value not in known:
            raise click.UsageError(f"{option}: {value!r} is none of {', '.join(known)}")
    return Timing(cpu, model, front_end=front_end)


def _measured(
    scenario: str, *, arch: str | None, timing: Any, progress: bool, **options: Any
) -> Any:
    from guest.scenario import load_scenario
    from lab.replay.measure import measure

    loaded = load_scenario(scenario, arch=arch)
    return _with_progress(
        lambda report: measure(loaded, timing=timing, progress=report, **options),
        show=progress,
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

    from guest.scenario import Expect
    from lab.result import judge
    from lab.suppress import find_suppressions, load_suppressions

    loaded = _load(scenario, arch=options.pop("arch"), calls=options.pop("calls", None))
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


def _load(scenario: Any, *, arch: str | None, calls: str | None = None) -> Any:
    from dataclasses import replace
    from pathlib import Path

    from guest.host import load_calls
    from guest.scenario import Scenario, load_scenario

    is_loaded = isinstance(scenario, Scenario)
    loaded = scenario if is_loaded else load_scenario(scenario, arch=arch)
    return loaded if calls is None else replace(loaded, host=load_calls(Path(calls)))


def _context(
    done: Any,
    scenario: str,
    *,
    arch: str | None,
    cycles: int | None,
    timing: Any,
    calls: str | None,
) -> Any:
    from lab.timing import timing_options
    from lab.views.finding import Context

    command = list(click.get_current_context().meta.get("l4lab.words", [scenario]))
    if arch is not None:
        command += ["--arch", arch]
    if cycles is not None:
        command += ["--cycles", str(cycles)]
    command += timing_options(timing)
    if calls is not None:
        command += ["--calls", calls]
    return Context(tuple(command), done.names.source_line, _width())


def _width() -> int:
    from rich.console import Console

    from lab.views.result import WIDTH

    return Console().width if sys.stdout.isatty() else WIDTH


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
            with _open_trace(str(file)) as twin:
                if number == len(ways) - 1 or not _is_same_run(opened, twin):
                    yield twin
                    return


def _is_same_run(a: Any, b: Any) -> bool:
    from lab.alignment import align

    return not align(a, b).differences


@contextmanager
def _timeline(
    what: str, *, arch: str | None, cycles: int | None, timing: Any, calls: str | None = None
) -> Iterator[Any]:
    # A run to move in, and how to read a mark of it, which may be a finding's id.
    from pathlib import Path

    from guest.errors import GuestError
    from lab.replay.stored import find_mismatch, timeline_of
    from lab.replay.timeline import Timeline
    from lab.trace.opening import is_trace

    if not is_trace(Path(what)):
        loaded = _load(what, arch=arch, calls=calls)
        timeline = Timeline(loaded, cycles=cycles, timing=timing)

        def run_for(mark: str) -> str:
            if not _is_finding(mark):
                return mark
            with _opened(loaded, arch=None, cycles=cycles, timing=timing) as opened:
                try:
                    return _position_of(opened, mark)
                except GuestError as error:  # whose file is one of ours, and gone
                    raise click.UsageError(error.message) from error

        try:
            yield timeline, run_for
        finally:
            timeline.close()
        return
    _refuse_for_trace(what, arch, cycles, calls)
    with _open_trace(what) as opened:
        timeline = timeline_of(opened)
        try:
            yield timeline, lambda mark: _position_of(opened, mark)
            wrong = find_mismatch(timeline, opened)
        finally:
            timeline.close()
    if wrong is not None:
        told = f"the run does not go as recorded, from event {wrong:,} on"
        click.echo(f"l4lab: {told}: this is what it does now", err=True)


def _is_finding(mark: str) -> bool:
    import re

    return re.fullmatch("[Ff][0-9]{1,9}", mark.strip()) is not None


def _position_of(opened: Any, mark: str) -> str:
    # The mark of a finding is where its access comes next.
    from lab.trace.found import find_finding

    if not _is_finding(mark):
        return mark
    position = find_finding(opened, mark.strip()).get("position")
    if type(position) is not int or position < 0:
        raise click.UsageError(f"{mark} has no position in this trace")
    return str(position)


@contextmanager
def _opened(
    what: Any, *, arch: str | None, cycles: int | None, timing: Any, is_second: bool = False
) -> Iterator[Any]:
    # A trace, or what comes of running a scenario: recorded for now only.
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from lab.trace.opening import is_trace
    from lab.trace.writer import TraceWriter

    if isinstance(what, str) and is_trace(Path(what)):
        if not is_second:
            _refuse_for_trace(what, arch, cycles)
        with _open_trace(what) as opened:
            yield opened
        return
    with TemporaryDirectory(prefix="l4lab-") as folder:
        file = Path(folder) / "run.l4trace"
        with TraceWriter(file) as writer:
            _with_progress(
                lambda progress: _run(
                    what,
                    arch=arch,
                    cycles=cycles,
                    timing=timing,
                    progress=progress,
                    trace=writer,
                ),
                show=True,
            )
        with _open_trace(str(file)) as opened:
            yield opened


def _refuse_for_trace(
    what: str, arch: str | None, cycles: int | None, calls: str | None = None
) -> None:
    for option, given in (("--arch", arch), ("--cycles", cycles), ("--calls", calls)):
        if given is not None:
            raise click.UsageError(f"{option} is for a scenario: {what} is a trace")


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


def _with_rate(work: Callable[[Any], Any], *, show: bool, label: str) -> Any:
    # The total is what is known at the moment, and so is the estimate.
    if not (show and sys.stderr.isatty()):
        return work(None)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.speed:,.0f} runs/s"),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(now: int, total: int) -> None:
            bar.update(task, completed=now, total=total)

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
