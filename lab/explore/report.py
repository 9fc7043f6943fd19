"""The report of an exploration: for people, and as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from guest.image import Image
from lab.explore.job import Mode, Preempt
from lab.explore.schedule import INFEASIBLE
from lab.explore.session import Explored
from lab.views.text import describe_count, printable

SCHEMA = 1
_RUNNING = {
    Mode.SYSTEMATIC: "systematic, at most {bound} choices that are not the usual ones",
    Mode.RANDOM: "random, seed {seed}",
    Mode.PCT: "PCT of depth {depth}, seed {seed}",
}


def as_json(done: Explored) -> dict[str, Any]:
    """Give what came of an exploration as plain data."""
    report, settings = done.report, done.report.settings
    return {
        "schema": SCHEMA,
        "scenario": done.scenario.name,
        "arch": done.scenario.arch.name,
        "mode": settings.mode.value,
        "preempt": settings.preempt.value,
        "seed": settings.seed,
        "bound": settings.bound,
        "pruning": done.prunes and settings.mode is Mode.SYSTEMATIC,
        "feasible": not settings.points.overrules,
        "runs": report.runs,
        "reused": report.reused,
        "pending": report.pending,
        "complete": report.is_complete,
        "interrupted": report.interrupted,
        "choices": report.asked,
        "behaviours": len(report.behaviours),
        "failing": report.failing,
        "pct": {
            "threads": done.threads,
            "places": report.steps,
            "depth": settings.depth,
            "bound": done.bound,
        }
        if settings.mode is Mode.PCT
        else None,
        "failures": [
            {
                "kind": found.failure.kind,
                "text": found.failure.text,
                "run": found.run,
                "count": found.count,
                "schedule": None if saved.path is None else str(saved.path),
                "choices": list(saved.told),
            }
            for saved in done.saved
            for found in saved.found
        ],
        "coverage": {
            name: {"lines": covered, "of": total} for name, covered, total in coverage(done)
        },
    }


def coverage(done: Explored) -> Iterator[tuple[str, int, int]]:
    """Give for each task how many lines of its program ran, and how many there are."""
    for name, image in done.images.items():
        lines = _lines(image)
        if lines:
            addresses = done.report.covered.get(name, set())
            seen = {
                (line.file, line.line)
                for address in addresses
                if (line := image.line_at(address)) is not None
            }
            yield name, len(seen), len(lines)


def render(done: Explored) -> Iterator[Text]:
    """Render what came of an exploration."""
    report, settings = done.report, done.report.settings
    yield Text(done.scenario.title, style="bold")
    how = _RUNNING[settings.mode].format(
        bound=settings.bound, seed=settings.seed, depth=settings.depth
    )
    yield Text(f"{done.scenario.name} on {done.scenario.arch.name}: {how}", style="dim")
    if settings.points.overrules:
        yield Text(f"priorities are overruled: all this is {INFEASIBLE}", style="yellow")
    yield Text()
    yield from _runs(done)
    if settings.mode is Mode.PCT:
        yield Text(
            f"  n = {done.threads} threads, k = {report.steps} choices, d = {settings.depth}: "
            f"a bug of this depth is found once in {done.bound:,} runs or fewer"
        )
    parts = [f"{name} {covered} of {total}" for name, covered, total in coverage(done)]
    if parts:
        yield Text(f"  lines of code that ran: {', '.join(parts)}")
    yield Text()
    yield from _failures(done)


def _runs(done: Explored) -> Iterator[Text]:
    report, settings = done.report, done.report.settings
    runs = describe_count(report.runs, "run")
    if report.interrupted:
        runs += ", interrupted"
    elif report.is_complete:
        runs += ", all within the bound"
        runs += ", up to order that does not matter" if done.prunes else "; pruning off"
    elif settings.mode is Mode.SYSTEMATIC:
        runs += f", {report.pending:,} more are known"
    if report.reused:
        runs += f" ({report.reused:,} of them from the store)"
    yield Text(f"  {runs}")
    behaviours = describe_count(len(report.behaviours), "behaviour")
    yield Text(f"  {behaviours}; at most {describe_count(report.asked, 'choice')} in a run")
    if settings.preempt is Preempt.SHARED:
        places = describe_count(len(report.places), "block")
        yield Text(f"  {places} touch memory that another thread touches, too")


def _failures(done: Explored) -> Iterator[Text]:
    report = done.report
    if not report.failing:
        yield Text.assemble(("ok", "bold green"), "  no run fails")
        return
    for saved in done.saved:
        for found in saved.found:
            yield Text.assemble(
                ("  ✗  ", "bold red"), f"{found.failure.kind}: {printable(found.failure.text)}"
            )
            times = describe_count(found.count, "run")
            yield Text(f"     first in run {found.run:,}, in {times}", style="dim")
        for told in saved.told:
            yield Text(f"     {printable(told)}")
        if not saved.told:
            yield Text("     in the usual order")
        if saved.path is not None:
            again = f"l4lab run {done.scenario.name} --schedule {saved.path}"
            yield Text(f"     {printable(again)}", style="cyan")
    more = len(report.found) - sum(len(saved.found) for saved in done.saved)
    if more:
        yield Text(f"  and {more:,} more")
    yield Text.assemble(("FAILED", "bold red"), f"  {report.failing:,} of {report.runs:,} runs")


def _lines(image: Image) -> set[tuple[str, int]]:
    return {(line.file, line.line) for line in image.lines if line.file}
