"""Commands that run a scenario many times: explore its schedules, sweep through a matrix."""

import sys
from collections.abc import Callable
from typing import Any

import click

from lab.cli import options
from lab.cli.output import (
    DIFFERS,
    HOLDS,
    WRONG_INPUT,
    print_json,
    print_lines,
    with_progress,
    with_rate,
)


@click.command()
@click.argument("scenario")
@options.arch
@options.cycles
@options.as_json
@options.quiet
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
@options.no_check
@click.option("--stop", is_flag=True, help="Stop at the first run that fails.")
@options.jobs
@options.dask
@click.option("--store", type=click.Path(), metavar="FILE", help="Keep what every run gave.")
@options.resume
@click.option(
    "--save",
    type=click.Path(file_okay=False),
    default=".",
    metavar="DIR",
    help="Where schedules of failing runs go; the current folder if not given.",
)
def explore(scenario: str, **given: Any) -> None:
    """Run SCENARIO in all orders that one CPU could have, and find those in which it fails.

    Every failing order is minimised and saved; `l4lab run --schedule` takes it again.
    Exit code 1: some run fails.
    """
    from lab.explore import report

    as_json, quiet = given["as_json"], given["quiet"]
    done = _explore(scenario, given)
    if as_json:
        print_json(report.as_json(done))
    elif not (quiet and not done.report.failing):
        print_lines(report.render(done))
    if done.report.interrupted and not done.report.failing:
        sys.exit(WRONG_INPUT)
    sys.exit(DIFFERS if done.report.failing else HOLDS)


@click.command()
@click.argument("matrix", type=click.Path())
@options.jobs
@options.dask
@click.option("--store", type=click.Path(), metavar="FILE", help="Keep rows as they come.")
@options.resume
@click.option(
    "--out", type=click.Path(dir_okay=False), metavar="FILE", help="A .parquet or .sqlite file."
)
@options.as_json
@options.quiet
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
    from lab.explore.sweep import flat
    from lab.explore.sweep import sweep as run_sweep

    write = None if out is None else _row_writer(out)
    if resume and store is None:
        raise click.UsageError("--resume: there is no --store")
    loaded = load_matrix(Path(matrix))
    with closing(_pool(jobs, dask)) as pool:
        rows = with_progress(
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
        print_json({"schema": 1, "rows": flat(rows)})
    else:
        _print_sweep(rows, quiet=quiet)
    holds = all(row.verdict == "ok" and row.memory and row.outcome == "idle" for row in rows)
    sys.exit(HOLDS if holds else DIFFERS)


def _explore(scenario: str, given: dict[str, Any]) -> Any:
    from contextlib import closing
    from pathlib import Path

    from guest.scenario import load_scenario
    from lab.explore.session import explore

    settings = _settings(given)
    loaded = load_scenario(scenario, arch=given["arch"])
    store = given["store"]
    if given["resume"] and store is None:
        raise click.UsageError("--resume: there is no --store")
    folder = Path(given["save"])
    if not folder.is_dir():
        raise click.BadParameter(f"no folder {given['save']!r}", param_hint="--save")
    with closing(_pool(given["jobs"], given["dask"])) as pool:
        return with_rate(
            lambda progress: explore(
                loaded,
                settings,
                pool,
                cycles=given["cycles"],
                runs=given["runs"],
                store=None if store is None else Path(store),
                resumes=given["resume"],
                folder=folder,
                stops=given["stop"],
                progress=progress,
            ),
            show=not (given["as_json"] or given["quiet"]),
            label="exploring",
        )


def _settings(given: dict[str, Any]) -> Any:
    from lab.explore.job import Mode, Preempt, Settings, default_points

    mode = Mode.SYSTEMATIC
    if given["random"] is not None and given["pct"] is not None:
        raise click.UsageError("--random and --pct: one of them")
    if given["random"] is not None:
        mode = Mode.RANDOM
        if given["runs"] is not None:
            raise click.UsageError("--runs: --random says how many")
        given["runs"] = given["random"]
    elif given["pct"] is not None:
        mode = Mode.PCT
    wanted = given["preempt"]
    cycles = 0
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted[:16]) < 1 << 40:
        preempt, cycles = Preempt.CYCLES, int(wanted)
    elif wanted in (Preempt.SYSCALLS.value, Preempt.SHARED.value):
        preempt = Preempt(wanted)
    else:
        raise click.BadParameter(
            f"expected syscalls, shared or a number of cycles, found {wanted[:40]!r}",
            param_hint="--preempt",
        )
    return Settings(
        mode=mode,
        preempt=preempt,
        points=default_points(preempt, cycles, given["window"], overrules=given["smp_like"]),
        bound=given["bound"],
        seed=given["seed"],
        depth=given["pct"] or 1,
        prunes=not given["no_prune"],
        check=not given["no_check"],
        console=given["console"],
    )


def _pool(jobs: int, dask: str | None) -> Any:
    from lab.explore.pool import make_pool

    if dask is None:
        return make_pool(jobs)
    try:
        from lab.explore.cluster import connect
    except ImportError:
        raise click.UsageError("--dask: this needs the extra l4lab[dask]") from None
    return connect(dask)


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
        print_lines([render_table(head, lines)])
    click.echo(f"{len(rows):,} runs, {sum(row.verdict != 'ok' for row in rows):,} not ok")
