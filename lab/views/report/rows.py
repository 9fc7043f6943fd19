"""The rows of a report: an event each, and what findings tell of between events.

A row is a plain value for JSON.  Times in it are texts, since a browser's numbers end at
2**53; message words are texts in hex.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel import abi
from kernel.events import (
    Deleted,
    End,
    Event,
    Exception_,
    Failure,
    Fault,
    Interrupt,
    Invocation,
    Items,
    Log,
    Refused,
    Resumption,
    Switch,
    Transfer,
    Waiting,
    words_of,
)
from lab.names import Names
from lab.query import History, named
from lab.trace.console import decode_console
from lab.trace.reader import Stamped
from lab.views.report.part import Window
from lab.views.text import describe_tag, printable, render_event

_LONGEST = 400  # characters of a text of a guest's in a row
_FAULTS = (Fault, Exception_, Failure, Resumption)


@dataclass(slots=True)
class Rows:
    """Rows in their order, with the columns that they use."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)  # of the rows
    columns: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # columns by object
    arrivals: dict[tuple[int, int], int] = field(default_factory=dict)  # rows, by who and when
    console: dict[int, str] = field(default_factory=dict)  # lines that are not complete yet

    def column(self, number: int, names: Names) -> int:
        """Give the column of a thread, or of another object that sends; -1: the kernel."""
        if not number:
            return -1
        found = self.numbers.get(number)
        if found is None:
            found = self.numbers[number] = len(self.columns)
            self.columns.append({"name": printable(names.of(number))})
        return found

    def add(self, position: int, row: dict[str, Any]) -> None:
        """Append a row."""
        self.rows.append(row)
        self.positions.append(position)


def collect_rows(history: History, windows: Sequence[Window]) -> Rows:
    """Make the rows of the events in some windows, and one for each gap between them."""
    rows = Rows()
    behind = None
    for first, end in windows:
        if behind is not None:
            _add_gap(rows, behind, first)
        running = -1
        for stamped, names in named(history, first, end):
            running = _add_event(rows, stamped, names, running)
        behind = end
    _order_columns(rows)
    return rows


def _order_columns(rows: Rows) -> None:
    # Whoever begins to talk stands on the left, whom it talks to beside it.
    talking = [row[end] for row in rows.rows if "to" in row for end in ("from", "to")]
    order = list(dict.fromkeys((*(k for k in talking if k >= 0), *range(len(rows.columns)))))
    moved = {old: new for new, old in enumerate(order)} | {-1: -1}
    rows.columns = [rows.columns[old] for old in order]
    rows.numbers = {number: moved[old] for number, old in rows.numbers.items()}
    for row in rows.rows:
        for end in ("from", "to", "runs"):
            if end in row:
                row[end] = moved[row[end]]


def _add_gap(rows: Rows, first: int, end: int) -> None:
    title = f"{end - first:,} events are left out, from event {first:,} on"
    rows.add(rows.positions[-1] if rows.positions else 0, {"kind": "gap", "title": title})


def _add_event(rows: Rows, stamped: Stamped, names: Names, running: int) -> int:
    event = stamped.event
    row: dict[str, Any] = {
        "kind": _kind_of(event),
        "event": stamped.sequence,
        "cycle": f"{event.cycle:,}",
        "position": f"{event.position:,}",
        "runs": running,
    }
    match event:
        case Transfer():
            _fill_message(rows, row, event, names)
            rows.arrivals[event.receiver, event.position] = len(rows.rows)
        case Log():
            row["from"] = rows.column(event.thread, names)
            row["title"] = decode_console(event.data)[:_LONGEST].replace("\n", "↵")
            row["lines"] = _lines(event, names)
            rows.arrivals[event.thread, event.position] = len(rows.rows)
        case Items() if rows.rows and rows.rows[-1].get("event") == stamped.sequence - 1:
            # They are a part of the message before.
            rows.rows[-1]["items"] = _lines(event, names, first=False)
            return running
        case Invocation() if _was_log(rows, event):
            rows.rows[-1]["words"] = [hex(word) for word in event.words]
            return running
        case Switch():
            running = rows.column(event.next, names) if event.next else -1
            row["from"] = running
            row["runs"] = running
            row["title"] = f"{names.of(event.next)} runs" if event.next else "nobody runs"
        case _:
            row["from"] = next(
                (rows.column(number, names) for number in _parties(event)),
                -1,
            )
            row |= _described(event, names)
            if isinstance(event, Invocation):
                rows.arrivals[event.thread, event.position] = len(rows.rows)
    row["title"] = printable(row["title"])
    rows.add(event.position, row)
    return running


def _was_log(rows: Rows, event: Invocation) -> bool:
    # What is written to the log is an event of its own, before the call's.
    if not rows.rows or event.position != rows.positions[-1]:
        return False
    row = rows.rows[-1]
    return bool(row["kind"] == "console" and rows.numbers.get(event.thread) == row["from"])


def _fill_message(rows: Rows, row: dict[str, Any], event: Transfer, names: Names) -> None:
    operation = abi.OPERATIONS.get(event.operation, hex(event.operation))
    via = f" {names.of(event.via)}" if event.via else ""
    sent = words_of(event.payload, names.arch.word)
    held = words_of(event.overwritten, names.arch.word)
    row["from"] = rows.column(event.sender, names)
    row["to"] = rows.column(event.receiver, names)
    row["title"] = f"{operation}{via}"
    row["words"] = [hex(word) for word in sent]
    row["had"] = [hex(word) for word in held]
    facts = [
        ("tag", f"{event.tag:#x}: {describe_tag(event.tag, names.arch)}"),
        ("label", hex(event.label)),
    ]
    if event.via:
        facts.append(("through gate", names.of(event.via)))
    if event.error:
        facts.append(("error", f"{event.error}"))
    if event.sender_ip:
        facts.append(("sent at", str(names.place(event.sender, event.sender_ip))))
    facts.append(("received at", str(names.place(event.receiver, event.receiver_ip))))
    row["facts"] = [[what, printable(text)] for what, text in facts]


def _described(event: Event, names: Names) -> dict[str, Any]:
    first, *more = (line.plain for line in render_event(event, names))
    # It begins with cycle and position, which have their own place.
    title = first.split(None, 2)[-1] if first.split() else ""
    found: dict[str, Any] = {"title": title[:_LONGEST], "lines": _clean(more)}
    if isinstance(event, Invocation | Waiting | Refused):
        found["words"] = [hex(word) for word in event.words]
    return found


def _lines(event: Event, names: Names, *, first: bool = False) -> list[str]:
    lines = [line.plain for line in render_event(event, names)]
    return _clean(lines if first else lines[1:])


def _clean(lines: Sequence[str]) -> list[str]:
    kept = [printable(line.rstrip()) for line in lines]
    margin = min((len(line) - len(line.lstrip()) for line in kept if line.strip()), default=0)
    return [line[margin:] for line in kept]


def _parties(event: Event) -> Iterator[int]:
    match event:
        case Interrupt():
            yield event.irq
        case Items():
            yield event.receiver
        case Deleted() | End() | Switch() | Transfer():
            return
        case _:
            yield event.thread


def _kind_of(event: Event) -> str:
    if isinstance(event, _FAULTS):
        return "fault"
    match event:
        case Transfer() | Items():
            return "message"
        case Log():
            return "console"
        case Switch():
            return "switch"
        case End():
            return "end"
        case _:
            return "kernel"
