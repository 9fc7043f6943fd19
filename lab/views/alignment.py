"""Two runs side by side, as text and as JSON."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from rich.text import Text

from lab.alignment import Alignment, Difference, Step
from lab.trace.reader import Trace
from lab.views.result import SCHEMA
from lab.views.text import describe_count, printable

_LONGEST = 60  # characters of a value
_FEW = 8  # threads that are told of


def render_alignment(done: Alignment, a: str, b: str) -> Iterator[Text]:
    """Say what two runs have in common, and show the first word that differs."""
    if done.is_partial:
        yield Text("compared as far as both runs go: one was cut off", style="yellow")
    equal = f"{describe_count(done.steps, 'step')} of {describe_count(done.threads, 'thread')}"
    if not done.differences:
        yield Text("same", style="bold green").append(
            f"  {equal} are alike", style="not bold default"
        )
        return
    first, *others = done.differences
    yield Text("DIFFERS", style="bold red").append(
        f"  {equal} are alike", style="not bold default"
    )
    yield Text(f"A  {a}")
    yield Text(f"B  {b}")
    yield from _render(first)
    for other in others[: _FEW - 1]:
        yield Text(f"then {_headline(other)}{_values(other)}", style="dim")
    if len(others) >= _FEW:
        yield Text(f"and {describe_count(len(others) - _FEW + 1, 'thread')} more", style="dim")


def alignment_as_json(done: Alignment, a: Trace, b: Trace) -> dict[str, Any]:
    """Give a comparison as plain data."""
    return {
        "schema": SCHEMA,
        "same": not done.differences,
        "steps": done.steps,
        "threads": done.threads,
        "partial": done.is_partial,
        "a": _run(a),
        "b": _run(b),
        "differences": [
            {
                "thread": each.thread,
                "field": each.field,
                "a": _step(each.a),
                "b": _step(each.b),
            }
            for each in done.differences
        ],
    }


def _run(trace: Trace) -> dict[str, Any]:
    end = trace.ending
    return {
        "scenario": trace.head.scenario_name,
        "arch": trace.head.arch.name,
        "variation": list(trace.head.variation),
        "trace_hash": None if end is None else end.trace_hash,
    }


def _step(step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {
        "call": step.call,
        "what": step.what,
        "words": {name: hex(word) for name, word in step.words},
        "facts": dict(step.facts),
        "event": step.sequence,
        "position": step.position,
        "cycle": step.cycle,
    }


def _headline(each: Difference) -> str:
    if each.a is None or each.b is None:
        step = each.a or each.b
        assert step is not None, "one of two is there"
        run = "A" if each.a is not None else "B"
        return f"{printable(each.thread)}, call {step.call}, in {run} only: {_what(step)}"
    head = f"{printable(each.thread)}, call {each.a.call}"
    if each.field == "what":
        return f"{head}: {_what(each.a)}, but in B {_what(each.b)}"
    return f"{head}: {_what(each.a)}: {each.field}"


def _what(step: Step) -> str:
    return printable(step.what)


def _value(step: Step | None, field: str) -> str:
    if step is None:
        return "-"
    words = {name: hex(word) for name, word in step.words}
    return _short(words.get(field, dict(step.facts).get(field, "-")))


def _values(each: Difference) -> str:
    if each.field == "what":
        return ""
    return f" {_value(each.a, each.field)}, in B {_value(each.b, each.field)}"


def _render(each: Difference) -> Iterator[Text]:
    yield Text(_headline(each), style="bold")
    rows = [("", "A", "B")]
    differing: list[int] = []
    for field in _fields(each):
        ours, theirs = _value(each.a, field), _value(each.b, field)
        rows.append((field, ours, theirs))
        differing += [len(rows) - 1] * (ours != theirs)
    for name, what in (("event", "sequence"), ("position", "position"), ("cycle", "cycle")):
        rows.append((name, _stamp(each.a, what), _stamp(each.b, what)))
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    for at, (name, ours, theirs) in enumerate(rows):
        differs = at in differing
        line = f"  {name:<{widths[0]}}  {ours:>{widths[1]}}  {theirs:>{widths[2]}}"
        yield Text(f"{line}  differs" if differs else line, style="red" if differs else "")


def _fields(each: Difference) -> Iterator[str]:
    sides = (each.a, each.b)
    words = [[] if step is None else [name for name, _ in step.words] for step in sides]
    facts = [[] if step is None else [name for name, _ in step.facts] for step in sides]
    seen: set[str] = set()
    for pair in (*zip_longest(*words), *zip_longest(*facts)):
        for name in pair:
            if name is not None and name not in seen:
                seen.add(name)
                yield name


def _stamp(step: Step | None, what: str) -> str:
    return "-" if step is None else f"{getattr(step, what):,}"


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
