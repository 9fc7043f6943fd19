"""A stored trace: which run it is of and how much of it there is; its events, line by line."""

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from lab.names import Names
from lab.trace.reader import Stamped, Trace
from lab.trace.repetition import Repetition
from lab.views.result import SCHEMA, event_as_json
from lab.views.text import printable, render_event, summarize_event


def rows_head() -> Text:
    """Give the line above the rows of events."""
    return Text(f"{'event':>9}  {'cycle':>12}  {'position':>9}  what", style="bold")


def render_row(stamped: Stamped, names: Names) -> Text:
    """Render an event in one line."""
    event = stamped.event
    stamp = f"{stamped.sequence:>9,}  {event.cycle:>12,}  {event.position:>9,}  "
    return Text(stamp, style="dim").append_text(summarize_event(event, names))


def render_state(trace: Trace) -> Iterator[Text]:
    """Say what a reader must know of a trace that is not whole; nothing of one that is."""
    stored = f"{len(trace):,} events"
    if trace.truncated is not None:
        yield Text(
            f"truncated: from event {trace.truncated:,} on there was no room; "
            f"{stored} are stored",
            style="yellow",
        )
    if trace.ending is None:
        yield Text(f"incomplete: recording was cut off, {stored} are stored", style="yellow")


def render_summary(trace: Trace) -> Iterator[Text]:
    """Say which run a trace is of, and what came of it."""
    head = trace.head
    yield Text(f"{head.scenario_name} on {head.arch.name}", style="bold").append(
        f", {head.model}", style="not bold"
    )
    if trace.ending is not None:
        end = trace.ending
        yield Text(
            f"{end.outcome}; {end.cycles:,} cycles, {end.instructions:,} instructions, "
            f"{end.messages:,} messages, {end.events:,} events; trace {end.trace_hash}"
        )
    for body in trace.findings:
        yield Text(f"  {_line_of(json.loads(body))}")
    yield from render_state(trace)


def _line_of(finding: dict[str, Any]) -> str:
    parts = (finding.get(key) for key in ("id", "verdict", "rule", "thread", "register"))
    return "  ".join(printable(part[:80]) for part in parts if isinstance(part, str))


def as_json(trace: Trace) -> dict[str, Any]:
    """Give what a trace is of as plain data."""
    head, end = trace.head, trace.ending
    return {
        "scenario": head.scenario_name,
        "arch": head.arch.name,
        "model": head.model,
        "cpu_khz": head.cpu_khz,
        "budget": head.budget,
        "images": {name: image.digest for name, image in head.images.items()},
        "variation": list(head.variation),
        "versions": dict(head.versions),
        "stored": len(trace),
        "complete": end is not None and trace.truncated is None,
        "truncated": trace.truncated,
        "outcome": None if end is None else end.outcome,
        "events": None if end is None else end.events,
        "cycles": None if end is None else end.cycles,
        "instructions": None if end is None else end.instructions,
        "messages": None if end is None else end.messages,
        "invocations": None if end is None else end.invocations,
        "trace_hash": None if end is None else end.trace_hash,
        "findings": [json.loads(body) for body in trace.findings],
    }


def stamped_as_json(stamped: Stamped, names: Names) -> dict[str, Any]:
    """Give an event as plain data, with its number in the trace."""
    return {"sequence": stamped.sequence, **event_as_json(stamped.event, names)}


def render_repetition(trace: Trace, done: Repetition) -> Iterator[Text]:
    """Say whether a run went again as it is recorded, and if not where it first did not."""
    if done.model is not None:
        yield Text(
            f"recorded with the model {trace.head.model}, run with {done.model}: "
            "other costs give other cycles",
            style="yellow",
        )
    yield from render_state(trace)
    if done.difference is None:
        yield Text("ok", style="bold green").append(
            f"  {done.events:,} events are as recorded, in {done.chunks:,} "
            f"{'chunk' if done.chunks == 1 else 'chunks'}; trace {done.trace_hash}",
            style="not bold default",
        )
        return
    found = done.difference
    names = trace.names(before=found.sequence)
    yield Text("DIFFERS", style="bold red").append(
        f"  at event {found.sequence:,}; those before are as recorded",
        style="not bold default",
    )
    for what, event in (("recorded", found.recorded), ("repeated", found.repeated)):
        yield Text(f"{what}:", style="bold")
        if event is None:
            yield Text("  nothing more")
        else:
            names.note(event)
            yield from render_event(event, names)


def repetition_as_json(trace: Trace, done: Repetition) -> dict[str, Any]:
    """Give how a run went again as plain data."""
    found = done.difference
    difference = None
    if found is not None:
        names = trace.names(before=found.sequence)
        difference = {
            "sequence": found.sequence,
            **{
                what: None if event is None else event_as_json(event, names)
                for what, event in (("recorded", found.recorded), ("repeated", found.repeated))
            },
        }
    return {
        "schema": SCHEMA,
        "trace": as_json(trace),
        "same": found is None,
        "events": done.events,
        "chunks": done.chunks,
        "difference": difference,
        "model": done.model,
        "trace_hash": done.trace_hash,
    }
