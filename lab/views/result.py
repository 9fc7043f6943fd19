"""The result of a run: for people on a terminal, and as JSON for programs."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from rich.text import Text

from kernel.events import Event, words_of
from lab.expect import Expectation
from lab.names import Names
from lab.result import Run
from lab.trace.console import decode_console
from lab.views.finding_json import finding_as_json, suppression_as_json
from lab.views.findings import (
    count_findings,
    render_comparison,
    render_suppressions,
    render_table,
)
from lab.views.text import printable, render_event, render_refusals, render_remarks

SCHEMA = 1  # docs/json.md says what may change without a new number
WIDTH = 80  # of tables, where there is no terminal to ask


def as_json(run: Run) -> dict[str, Any]:
    """Give a run as plain data; words and addresses are hex strings, counts numbers."""
    return {
        "schema": SCHEMA,
        "scenario": run.scenario.name,
        "arch": run.scenario.arch.name,
        "cpu": run.cpu,
        "model": run.model,
        "engine": run.engine,
        "outcome": run.outcome,
        "console": run.console,
        "cycles": run.cycles,
        "instructions": run.instructions,
        "messages": run.messages,
        "invocations": run.invocations,
        "expectations": [
            {"what": e.what, "expected": e.expected, "actual": e.actual, "holds": e.holds}
            for e in _expectations(run)
        ],
        "unchecked": list(run.unchecked),
        "checked": run.checked,
        "findings": [finding_as_json(finding) for finding in run.findings],
        "dropped": run.dropped,
        "comparison": None
        if run.comparison is None
        else {
            "missing": [dict(item) for item in run.comparison.missing],
            "unexpected": [finding.id for finding in run.comparison.unexpected],
        },
        "suppressions": {
            "unused": [suppression_as_json(s) for s in run.unused],
            "expired": [suppression_as_json(s) for s in run.expired],
        },
        "refused": [
            {
                "cycle": event.cycle,
                "thread": run.names.of(event.thread),
                "object": run.names.of(event.target) if event.target else None,
                "protocol": event.protocol,
                "opcode": event.opcode,
                "words": [hex(word) for word in event.words],
                "reason": event.reason,
            }
            for event in run.refused
        ],
        "remarks": [event_as_json(event, run.names) for event in run.remarks],
        "trace_hash": run.trace_hash,
    }


def error_as_json(
    message: str, *, file: str | None = None, line: int | None = None, key: str | None = None
) -> dict[str, Any]:
    """Give an error of the user's input as plain data."""
    return {
        "schema": SCHEMA,
        "error": {"file": file, "line": line, "key": key, "message": message},
    }


def render_result(run: Run, *, quiet: bool, width: int = WIDTH) -> Iterator[Text]:
    """Render a run; `quiet` leaves the console and what holds away."""
    if not quiet:
        yield from render_title(run)
        for line in run.console.splitlines():
            yield Text("  │ ", style="dim").append(printable(line), style="not dim")
        yield Text()
    if run.findings and not (quiet and run.holds):
        yield from render_table(run.findings, width)
        yield Text()
    yield from render_outcome(run, quiet=quiet, width=width)


def render_title(run: Run) -> Iterator[Text]:
    """Render what was run."""
    yield Text(run.scenario.title, style="bold")
    yield Text(f"{run.scenario.name} on {run.scenario.arch.name}", style="dim")
    yield Text()


def render_outcome(run: Run, *, quiet: bool, width: int) -> Iterator[Text]:
    """Render how a run ended: faults, what was expected, and the last line; no findings."""
    for fault in run.faults:
        yield from render_event(fault, run.names)
    if not quiet:
        yield from render_remarks(run.remarks, run.remarked, run.names)
    yield from render_refusals(run.refused, run.refusals, run.names)
    for expectation in run.expectations:
        if not (quiet and expectation.holds):
            yield from _expectation(expectation)
    if run.comparison is not None and not (quiet and run.comparison.holds):
        yield from render_comparison(run.comparison, width)
    yield from render_suppressions(run, width)
    for what in run.unchecked:
        if not quiet:
            yield Text(f"  ?  {what}: not checked", style="dim")
    if run.findings:
        yield Text(count_findings(run.findings))
    if run.dropped:
        yield Text.assemble(
            ("  !  ", "yellow"), f"{run.dropped:,} more were noticed and not looked at"
        )
    yield _summary(run)


def _expectations(run: Run) -> tuple[Expectation, ...]:
    if run.comparison is None:
        return run.expectations
    return (*run.expectations, run.comparison.as_expectation())


def _expectation(expectation: Expectation) -> Iterator[Text]:
    if expectation.holds:
        shown = "" if expectation.what == "console" else f" {expectation.actual}"
        yield Text("  ✓  ", style="green").append(
            f"{expectation.what}{shown}", style="not green"
        )
        return
    yield Text("  ✗  ", style="bold red").append(expectation.what, style="not bold red")
    if expectation.what == "console":
        yield from _console_difference(expectation)
    else:
        yield Text("     expected  ").append(expectation.expected, style="green")
        yield Text("     actual    ").append(expectation.actual, style="red")


def _console_difference(expectation: Expectation) -> Iterator[Text]:
    # Line beside line, from the first difference on.
    expected = expectation.expected.splitlines()
    actual = expectation.actual.splitlines()
    length = max(len(expected), len(actual))
    for k in range(length):
        want = expected[k] if k < len(expected) else None
        got = actual[k] if k < len(actual) else None
        if want == got:
            yield Text(f"     line {k + 1:>3}  {want}", style="dim")
            continue
        yield Text(f"     line {k + 1:>3}  expected  ").append(
            "(nothing)" if want is None else printable(want), style="green"
        )
        yield Text("               actual    ").append(
            "(nothing)" if got is None else printable(got), style="red"
        )
    if expected == actual:
        yield Text("     the last line differs in its end", style="dim")


def _summary(run: Run) -> Text:
    good = run.holds and not run.failed
    text = Text("ok" if good else "FAILED", style="bold green" if good else "bold red")
    text.append(
        f"  {run.outcome}; {run.cycles:,} cycles, {run.instructions:,} instructions, "
        f"{run.messages:,} messages; trace {run.trace_hash}",
        style="not bold default",
    )
    return text


_HEX = ("tag", "label", "result", "address", "ip", "sender_ip", "receiver_ip")
_PAYLOADS = ("payload", "overwritten")
_WORDS = ("words", "old", "answer", "items", "results", "values")
_OBJECTS = ("sender", "receiver", "thread", "target", "via", "previous", "next")


def event_as_json(event: Event, names: Names) -> dict[str, Any]:
    """Give an event as plain data: words and addresses as hex, objects by name."""
    value: dict[str, Any] = {"event": type(event).__name__.strip("_").lower()}
    for name, field in event._asdict().items():
        if name in _PAYLOADS:
            value[name] = [hex(word) for word in words_of(field, names.arch.word)]
        elif name in _WORDS:
            value[name] = [hex(word) for word in field]
        elif name in _HEX:
            value[name] = hex(field)
        elif name in _OBJECTS:
            value[name] = names.of(field) if field else None
        elif isinstance(field, bytes):
            value[name] = decode_console(field)
        elif isinstance(field, Enum):
            value[name] = field.name.lower()
        else:
            value[name] = field
    return value
