"""What a report shows, as one plain value: rows, columns, bars and findings."""

import json
from bisect import bisect_left, bisect_right
from typing import Any

from lab.trace.reader import Trace
from lab.views.report.bars import collect_bars
from lab.views.report.findings import overwritten_at, points_of, read_findings
from lab.views.report.part import MOST, choose_windows
from lab.views.report.rows import Rows, collect_rows
from lab.views.stored import render_state
from lab.views.text import printable

_BARS = 4  # for each event, at most


def report_of(
    trace: Trace, first: int = 0, end: int | None = None, *, most: int = MOST
) -> dict[str, Any]:
    """Collect what a report of the events from `first` to before `end` shows.

    If there are more than `most`, it has those around findings, and says so.
    """
    end = len(trace) if end is None else end
    names = trace.names()
    findings = read_findings(trace.findings, names.source_line)
    windows = choose_windows(trace, first, end, most=most, points=points_of(findings))
    rows = collect_rows(trace, windows)
    # Findings first: their rows move those of the events below.
    marks = _insert_marks(rows, findings)
    for finding in findings:
        finding["row"] = marks.get(finding["id"])
        lost = overwritten_at(finding)
        finding["lost"] = None if lost is None else _row_at(rows, lost)
    shown = sum(last - start for start, last in windows)
    tables: dict[str, int] = {}
    for row in rows.rows:
        if "facts" in row:
            # Most messages are alike: what is told of them is stored once.
            row["facts"] = tables.setdefault(json.dumps(row["facts"]), len(tables))
    return {
        "title": f"{printable(trace.head.scenario_name)} on {trace.head.arch.name}",
        "facts": _facts(trace),
        "notes": _notes(trace, shown, end - first),
        "columns": rows.columns,
        "rows": rows.rows,
        "tables": [json.loads(text) for text in tables],
        "bars": collect_bars(trace, rows, names, most=_BARS * most),
        "findings": findings,
    }


def _facts(trace: Trace) -> list[list[str]]:
    head, end = trace.head, trace.ending
    facts = [["model", head.model], ["clock", f"{head.cpu_khz:,} kHz"]]
    if end is not None:
        facts = [
            ["outcome", end.outcome],
            ["messages", f"{end.messages:,}"],
            ["events", f"{end.events:,}"],
            ["instructions", f"{end.instructions:,}"],
            ["cycles", f"{end.cycles:,}"],
            *facts,
            ["trace", end.trace_hash],
        ]
    if head.variation:
        facts.append(["variation", ", ".join(head.variation)])
    return [[what, printable(text)] for what, text in facts]


def _notes(trace: Trace, shown: int, total: int) -> list[str]:
    notes = [line.plain for line in render_state(trace)]
    if shown < total:
        kept = "around the findings" if trace.findings else "at the beginning and the end"
        notes.append(f"{shown:,} of {total:,} events are in this report: those {kept}")
    if not trace.is_checked:
        notes.append("nobody looked for findings: the checker did not watch this run")
    return notes


def _insert_marks(rows: Rows, findings: list[dict[str, Any]]) -> dict[str, int]:
    """Insert a row for each access at fault, and for each store that overwrote a word."""
    columns = {column["name"]: k for k, column in enumerate(rows.columns)}
    marks: list[tuple[int, int, dict[str, Any]]] = []
    for finding in findings:
        column = columns.get(finding["thread"])
        if column is None or finding["position"] is None:
            continue
        clobber = finding["clobber"]
        for store in clobber["stores"] if clobber is not None else ():
            if store["position"] is not None:
                title = f"overwrites {finding['register']}: {store['instruction']}"
                row = _mark("lost", store, column, title, finding["id"])
                marks.append((store["position"], len(marks), row))
        marks.append((finding["position"], len(marks), _access(finding, column)))
    places: dict[str, int] = {}
    if not rows.positions:
        return places
    low, high = rows.positions[0], rows.positions[-1]
    new: list[tuple[int, dict[str, Any]]] = []
    old = list(zip(rows.positions, rows.rows, strict=True))
    done = 0
    moved: list[int] = []  # where the rows of the events are now
    for position, _, row in sorted(marks, key=lambda mark: mark[:2]):
        if not low <= position <= high:
            continue
        until = bisect_right(rows.positions, position)
        for entry in old[done:until]:
            moved.append(len(new))
            new.append(entry)
        done = max(done, until)
        if row["kind"] == "bad":
            places[row["finding"]] = len(new)
        row["runs"] = row["from"]
        new.append((position, row))
    for entry in old[done:]:
        moved.append(len(new))
        new.append(entry)
    rows.positions = [position for position, _ in new]
    rows.rows = [row for _, row in new]
    rows.arrivals = {key: moved[at] for key, at in rows.arrivals.items()}
    return places


def _access(finding: dict[str, Any], column: int) -> dict[str, Any]:
    access = finding["access"] or {"position": finding["position"], "cycle": None}
    values = ""
    if finding["actual"]:
        values = f": {finding['actual']}"
        if finding["expected"]:
            values += f", not {finding['expected']}"
    title = f"{finding['rule']} of {finding['register']}{values}"
    return _mark("bad", access, column, title, finding["id"])


def _mark(
    kind: str, access: dict[str, Any], column: int, title: str, finding: str
) -> dict[str, Any]:
    cycle = access["cycle"]
    return {
        "kind": kind,
        "cycle": "" if cycle is None else f"{cycle:,}",
        "position": f"{access['position'] or 0:,}",
        "from": column,
        "title": title,
        "finding": finding,
    }


def _row_at(rows: Rows, position: int) -> int:
    return min(bisect_left(rows.positions, position), max(len(rows.positions) - 1, 0))
