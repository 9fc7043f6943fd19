"""A run as timelines show it: a track for each thread, spans where it runs, messages between.

Time is in nanoseconds: cycles at the CPU's nominal frequency, rounded down.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from kernel import abi
from kernel.events import (
    Event,
    Exception_,
    Failure,
    Fault,
    Interrupt,
    Invocation,
    Log,
    Refused,
    Remark,
    Switch,
    Transfer,
    words_of,
)
from lab.names import Names
from lab.query import History, named
from lab.views.text import describe_tag, printable, summarize_event

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Track:
    """A thread, or another object that takes part; comes before what is on it."""

    number: int
    name: str
    group: str  # its task
    group_number: int


@dataclass(frozen=True, slots=True)
class Span:
    """A thread ran."""

    track: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Point:
    """Something happened; an arrow goes from the point that leaves to the one that arrives."""

    track: int
    at: int
    name: str
    category: str
    leaves: int | None = None  # the number of an arrow
    arrives: int | None = None
    details: tuple[tuple[str, str], ...] = ()


Item: TypeAlias = Track | Span | Point


def items_of(history: History, first: int = 0, end: int | None = None) -> Iterator[Item]:
    """Give what happened in a part of a run, in the order of its beginnings but for spans.

    A span comes when it ends, and findings come last.
    """
    khz = history.head.cpu_khz
    known: dict[int, str] = {}
    begin = at = 0
    groups: dict[str, int] = {}
    running: tuple[int, int] | None = None  # who, since when
    for stamped, names in named(history, first, end):
        event = stamped.event
        at = event.cycle * _NS_PER_MS // khz
        begin = begin or at
        for number in _tracks(event):
            if number not in known:
                track = _track(number, names, groups)
                known[number] = track.name
                yield track
        if isinstance(event, Switch):
            if running is None and event.previous:
                # It ran since before the part began.
                running = event.previous, at
            if running is not None:
                yield Span(running[0], running[1], at)
            running = (event.next, at) if event.next else None
        else:
            yield from _points(stamped.sequence, event, names, at)
    if running is not None:
        yield Span(running[0], running[1], at)
    numbers = {name: number for number, name in known.items()}
    for body in history.findings:
        point = _finding(json.loads(body), numbers, khz)
        if point is not None and begin <= point.at <= at:
            yield point


def _finding(found: dict[str, Any], numbers: dict[str, int], khz: int) -> Point | None:
    # It comes out of a file: nothing is sure of it.
    cycle, thread = found.get("cycle"), found.get("thread")
    if type(cycle) is not int or not isinstance(thread, str) or thread not in numbers:
        return None
    parts = ("id", "verdict", "rule", "register", "function", "summary")
    details = tuple((part, printable(str(found.get(part)))) for part in parts)
    name = " ".join(value for _, value in details[:4])
    at = cycle * _NS_PER_MS // khz
    return Point(numbers[thread], max(at, 0), name, "finding", details=details)


def _tracks(event: Event) -> tuple[int, ...]:
    match event:
        case Transfer():
            return event.sender, event.receiver
        case Switch():
            return tuple(number for number in (event.previous, event.next) if number)
        case Interrupt():
            return (event.irq,)
        case Failure() | Invocation() | Fault() | Exception_() | Log() | Refused() | Remark():
            return (event.thread,)
        case _:
            return ()


def _track(number: int, names: Names, groups: dict[str, int]) -> Track:
    name = names.of(number)
    is_thread = number in names.images or number in names.tasks
    group = name.partition(".")[0] if is_thread else "kernel"
    return Track(number, name, group, groups.setdefault(group, len(groups) + 1))


def _points(sequence: int, event: Event, names: Names, at: int) -> Iterator[Point]:
    if isinstance(event, Transfer):
        operation = abi.OPERATIONS.get(event.operation, hex(event.operation))
        details = _details(sequence, event, names)
        sender, receiver = names.of(event.sender), names.of(event.receiver)
        to, come = f"{operation} → {receiver}", f"from {sender}"
        yield Point(event.sender, at, to, "ipc", leaves=sequence, details=details)
        yield Point(event.receiver, at, come, "ipc", arrives=sequence, details=details)
        return
    for track in _tracks(event):
        category = type(event).__name__.strip("_").lower()
        what = summarize_event(event, names).plain
        # The track says who.
        name = what.removeprefix(f"{names.of(track)}  ")
        details = (("event", str(sequence)), ("position", str(event.position)))
        yield Point(track, at, name, category, details=details)


def _details(sequence: int, event: Transfer, names: Names) -> tuple[tuple[str, str], ...]:
    sent = words_of(event.payload, names.arch.word)
    held = words_of(event.overwritten, names.arch.word)
    return (
        ("event", str(sequence)),
        ("position", str(event.position)),
        ("tag", f"{event.tag:#x}: {describe_tag(event.tag, names.arch)}"),
        ("label", hex(event.label)),
        *((f"mr[{k}]", hex(word)) for k, word in enumerate(sent)),
        *(
            (f"mr[{k}] before", hex(old))
            for k, (old, new) in enumerate(zip(held, sent, strict=True))
            if old != new
        ),
    )
