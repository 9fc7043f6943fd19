"""The runs of one test: what it booted, and what is shown, recorded and judged of it."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from emu.timing import Timing
from guest.errors import GuestError
from guest.host import dump_calls
from guest.scenario import Scenario
from kernel.events import Transfer
from lab.atomic import write_text
from lab.messages import Message
from lab.replay.system import DEFAULT_TIMING
from lab.result import Run
from lab.run import run_scenario
from lab.session import Session
from lab.trace.writer import TraceWriter
from lab.views.finding import Context, is_reported, render_finding
from lab.views.findings import render_table
from lab.views.result import WIDTH
from lab.views.text import printable, render_event

LAST_MESSAGES = 5
LAST_LINES = 20  # of the console
REPORTED = 3  # findings that are reported in full
TRACE_LIMIT = 256 << 20  # bytes of a trace that a failing test leaves behind


@dataclass(eq=False, slots=True)
class Ran:
    """A run that a test asked for; a session becomes one when it is finished."""

    scenario: Scenario
    cycles: int | None
    run: Run | None = None
    messages: Sequence[Message] = ()
    session: Session | None = None
    timing: Timing = DEFAULT_TIMING

    def finish(self) -> Run:
        """Give the run, finished if the test has left that to us."""
        if self.run is None:
            assert self.session is not None, "a run or a session"
            self.run = self.session.finish()
            self.messages = self.session.messages
            self.scenario = self.session.repeatable()
        return self.run

    @property
    def was_judged(self) -> bool:
        """Whether the test itself has seen the result."""
        return self.session is None or self.session.is_finished


@dataclass(eq=False, slots=True)
class Runs:
    """All runs of one test."""

    ran: list[Ran] = field(default_factory=list)

    def of(self, run: Run) -> Ran | None:
        """Give what was noted of a run."""
        return next((each for each in self.ran if each.run is run), None)


def repeat_command(ran: Ran, calls: Path | None = None) -> str:
    """Give the command that repeats a run."""
    parts = ["l4lab", "check", str(ran.scenario.path), "--arch", ran.scenario.arch.name]
    if ran.cycles is not None:
        parts += ["--cycles", str(ran.cycles)]
    if ran.timing != DEFAULT_TIMING:
        parts += ["--cpu", ran.timing.cpu, "--model", ran.timing.terms]
    if calls is not None:
        parts += ["--calls", str(calls)]
    return shlex.join(parts)


def describe(ran: Ran, command: str) -> str:
    """Say what a person needs to know of a run whose test failed; `command` repeats it."""
    run = ran.finish()
    console = run.console.splitlines()
    lines: list[str | Text] = ["console:"]
    if len(console) > LAST_LINES:
        lines.append(f"  ({len(console) - LAST_LINES} lines before)")
    lines += [f"  {printable(line)}" for line in console[-LAST_LINES:]]
    lines.append("last messages:")
    for event in [event for event in run.last if isinstance(event, Transfer)][-LAST_MESSAGES:]:
        lines += render_event(event, run.names)
    for fault in run.faults:
        lines += render_event(fault, run.names)
    lines += _report(run, shlex.split(command)[2:])
    lines.append(f"outcome {run.outcome} at cycle {run.cycles:,}, trace {run.trace_hash}")
    return "\n".join(str(line) for line in lines)


def _report(run: Run, command: Sequence[str]) -> Iterator[Text | str]:
    context = Context(tuple(command), run.names.source_line, WIDTH)
    reported = [found for found in run.findings if is_reported(found)]
    for found in reported[:REPORTED]:
        yield "finding:"
        yield from render_finding(found, context)
    if len(run.findings) > len(reported[:REPORTED]):
        yield "findings:"
        yield from render_table(run.findings, WIDTH)


def record(ran: Ran, folder: Path, name: str) -> tuple[Path, Path | None]:
    """Run it once more and record that; give the trace and the file of the host's calls.

    Raises GuestError if the files cannot be written.
    """
    ran.finish()
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[-100:] or "test"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GuestError(
            f"cannot make this folder: {error.strerror}", file=str(folder)
        ) from None
    calls: Path | None = None
    if ran.scenario.host is not None:
        calls = folder / f"{stem}.calls"
        write_text(calls, dump_calls(ran.scenario.host))
    path = folder / f"{stem}.trace"
    with TraceWriter(path, limit=TRACE_LIMIT) as writer:
        run_scenario(ran.scenario, cycles=ran.cycles, timing=ran.timing, trace=writer)
    return path, calls
