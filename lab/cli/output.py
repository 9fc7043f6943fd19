"""What commands print, and the codes with which they exit."""

import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

# Expectations hold; one fails, or something differs; the guest failed; wrong use or input.
HOLDS, DIFFERS, GUEST_FAILED, WRONG_INPUT = range(4)

_PIPE_WIDTH = 200  # columns


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(value))


def print_lines(lines: Any) -> None:
    """Print lines, coloured on a terminal."""
    print_line = line_printer()
    for line in lines:
        print_line(line)


def line_printer() -> Callable[[Any], None]:
    """Give what prints a line at a time.

    In a pipe nothing is folded to a terminal's width, nor coloured: a text goes as it is, which
    takes a fortieth of the time.
    """
    from rich.console import Console
    from rich.text import Text

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(highlight=False, soft_wrap=True, width=width)
    if console.is_terminal:
        return console.print
    return lambda line: (
        click.echo(line.plain) if isinstance(line, Text) else console.print(line)
    )


def width() -> int:
    """Give the columns that there are."""
    from rich.console import Console

    from lab.views.result import WIDTH

    return Console().width if sys.stdout.isatty() else WIDTH


def with_progress(work: Callable[[Any], Any], *, show: bool, label: str = "running") -> Any:
    """Do some work, with a bar on a terminal when it takes long enough to wonder."""
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


def with_rate(work: Callable[[Any], Any], *, show: bool, label: str) -> Any:
    """Do some work with a bar, whose total is what is known at the moment, and the rate."""
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


def fail(as_json: bool, text: str, message: str, **where: Any) -> NoReturn:
    """Say what was wrong, and exit."""
    if as_json:
        from lab.views.result import error_as_json

        print_json(error_as_json(message, **where))
    else:
        click.echo(f"l4lab: {text}", err=True)
    sys.exit(WRONG_INPUT)
