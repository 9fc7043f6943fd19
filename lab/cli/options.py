"""Options that several commands have, and what they say together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class How:
    """How a scenario is run, as far as the command line says it."""

    arch: str | None
    cycles: int | None
    timing: Any
    calls: str | None = None

    def words(self) -> list[str]:
        """Give the options of the command line that say so."""
        from lab.timing import timing_options

        words = []
        if self.arch is not None:
            words += ["--arch", self.arch]
        if self.cycles is not None:
            words += ["--cycles", str(self.cycles)]
        words += timing_options(self.timing)
        if self.calls is not None:
            words += ["--calls", self.calls]
        return words


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


arch = click.option("--arch", help="Run on this architecture: amd64 or ia32.")
cycles = click.option(
    "--cycles", type=click.IntRange(1), help="Budget of cycles instead of the scenario's."
)
_calls = click.option(
    "--calls",
    type=click.Path(),
    metavar="FILE",
    help="Let a thread of the host's make these calls, too, as a test did that failed.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
confirm = click.option(
    "--confirm",
    type=click.Choice(["some", "all", "none"]),
    default="some",
    show_default=True,
    help="Which findings to confirm by running again; some are the first ten.",
)
no_check = click.option(
    "--no-check", is_flag=True, help="Do not look at how UTCBs are used: faster."
)
quiet = click.option("--quiet", "-q", is_flag=True, help="Print only what went wrong.")


trace_file = click.option(
    "--trace", type=click.Path(), metavar="FILE", help="Record the run to this file."
)
trace_limit = click.option(
    "--trace-limit",
    callback=_read_size,
    default="2GiB",
    show_default=True,
    metavar="SIZE",
    help="Stop recording, and say so, when the file would be larger.",
)


first = click.option(
    "--from",
    "first",
    callback=_read_mark,
    metavar="MARK",
    help="Begin at a position as 1154, cycle:N or event:N.",
)
last = click.option(
    "--to", "last", callback=_read_mark, metavar="MARK", help="End behind this mark."
)
thread = click.option("--thread", metavar="NAME", help="Only what concerns this thread.")
limit = click.option("--limit", type=click.IntRange(1), help="At most so many events.")
jobs = click.option(
    "--jobs", "-j", type=click.IntRange(1, 1024), default=1, help="Processes that run."
)
dask = click.option(
    "--dask", metavar="ADDRESS", help="Run on the Dask cluster at this address."
)
resume = click.option("--resume", is_flag=True, help="Go on with a store that is there.")

_ways = (
    arch,
    cycles,
    click.option(
        "--cpu", help="Count cycles of this CPU instead of skylake; flat is 1 an instruction."
    ),
    click.option(
        "--model",
        help="Predict branches as simple cores do (fast, the default), with TAGE (full), or "
        "take all for predicted (blocks).",
    ),
    click.option(
        "--front-end", is_flag=True, help="Code that runs for the first time is decoded."
    ),
)


def how(command: Any) -> Any:
    """Let a command say how a scenario is run: its `how` is a How."""
    return _take_how(command, _ways)


def how_with_calls(command: Any) -> Any:
    """Do the same for a command whose run a test may have made calls in."""
    return _take_how(command, (*_ways, _calls))


def judging(command: Any) -> Any:
    """Let a command say how findings are judged, for `lab.cli.runs.judged`."""
    return _add(command, (confirm, _suppressions, _today, _strict, _no_expect, _sarif))


def programs(command: Any) -> Any:
    """Let a command take programs in place of a SCENARIO."""

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


def _take_how(command: Any, options: tuple[Callable[[Any], Any], ...]) -> Any:
    @wraps(command)
    def run(
        *,
        arch: str | None,
        cycles: int | None,
        cpu: str | None,
        model: str | None,
        front_end: bool,
        calls: str | None = None,
        **others: Any,
    ) -> Any:
        timing = _read_timing(cpu, model, front_end=front_end)
        return command(how=How(arch, cycles, timing, calls), **others)

    return _add(run, options)


def _add(command: Any, options: tuple[Callable[[Any], Any], ...]) -> Any:
    for option in reversed(options):
        command = option(command)
    return command


def _read_timing(cpu: str | None, model: str | None, *, front_end: bool) -> Any:
    from emu.timing import CPU_NAMES, MODELS, Timing
    from lab.timing import DEFAULT_TIMING

    cpu = DEFAULT_TIMING.cpu if cpu is None else cpu
    model = DEFAULT_TIMING.model if model is None else model
    for option, value, known in (("--cpu", cpu, CPU_NAMES), ("--model", model, MODELS)):
        if value not in known:
            raise click.UsageError(f"{option}: {value!r} is none of {', '.join(known)}")
    return Timing(cpu, model, front_end=front_end)
