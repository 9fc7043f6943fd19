"""A moment: what re-execution shows at an instant of a run, as values; and who can show it.

Rule: nothing here knows a machine.  Whoever has one implements `Replayer`; whoever shows a
run asks it, and goes without it where there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from kernel.events import Event


class At(NamedTuple):
    """A place in a run: instructions completed, and which of the instants there it is."""

    position: int
    turn: int = 0

    def __str__(self) -> str:
        return f"{self.position}+{self.turn}" if self.turn else str(self.position)


class Direction(Enum):
    """Which way to move."""

    FORWARD = 1
    BACK = -1


class UnavailableError(Exception):
    """A run cannot be executed again, or not this far; the text says why."""


class CancelledError(Exception):
    """A movement was called off; nothing has moved."""


@dataclass(frozen=True, slots=True)
class ThreadMoment:
    """One thread: what it does, and what its next instruction will see."""

    number: int
    name: str
    task: int
    waits_for: str  # empty: it can run
    ip: int
    registers: dict[str, int]
    utcb: tuple[int, ...]
    calls: tuple[int, ...]  # addresses of the call instructions, the innermost first


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that is shown of an instant."""

    at: At
    cycle: int
    running: int | None  # the thread that runs next; None: the run has ended
    events: int  # that have happened
    last: Event | None  # of them
    threads: dict[int, ThreadMoment]
    why_here: str = ""  # what ended the movement, if there is something to say


@dataclass(frozen=True, slots=True)
class WordTouch:
    """A read or write of words of a UTCB."""

    at: At  # the last instant before it
    first: int  # word
    count: int
    is_write: bool
    thread: int  # that did it; of the kernel: whose call or fault it was
    ip: int
    event: int | None  # the kernel did it, as this event tells
    value: int  # of programs


@dataclass(frozen=True, slots=True)
class WhyLine:
    """A line of the answer to why a value is what it is."""

    depth: int
    kind: str
    text: str
    place: str
    at: At
    value: int | None


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A kernel object: what it is, and what there is to say about it."""

    number: int
    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class CapRow:
    """A capability of a task."""

    task: str
    index: int
    kind: str
    name: str
    rights: str


@dataclass(frozen=True, slots=True)
class Objects:
    """The kernel's objects and who has capabilities to them."""

    objects: tuple[ObjectRow, ...]
    caps: tuple[CapRow, ...]
    left_out: int = 0  # capabilities for which there was no room


class Replayer(Protocol):
    """A run that can be moved in, with a cursor.

    Every movement raises UnavailableError if the run has no such place and CancelledError if
    `cancel` was called meanwhile; the cursor stays then.  All calls but `cancel` come
    from one thread.
    """

    def seek(self, at: At) -> Moment:
        """Go to an instant."""

    def seek_event(self, number: int) -> Moment:
        """Go to the first instant that shows an event."""

    def seek_cycle(self, cycle: int) -> Moment:
        """Go to the first instant at or after a cycle."""

    def seek_end(self) -> Moment:
        """Go to the end."""

    def step(self, count: int) -> Moment:
        """Go `count` instants on, or back."""

    def step_thread(self, thread: int, direction: Direction) -> Moment:
        """Go to where a thread runs next, or ran last."""

    def access(self, thread: int, direction: Direction) -> Moment | None:
        """Go to the next access to a UTCB; None, and stay: there is none."""

    def run(
        self,
        direction: Direction,
        breaks: Sequence[tuple[int, int]],
        watches: Sequence[tuple[int, int]],
    ) -> Moment:
        """Go to the next break (thread, address) or touch (thread, word), or to the end."""

    def last_writer(self, thread: int, word: int) -> Moment | None:
        """Go before the last write of a word of a UTCB; None, and stay: there was none."""

    def next_reader(self, thread: int, word: int) -> Moment | None:
        """Go before the next read of a word of a UTCB; None, and stay: there is none."""

    def touches(self, thread: int, since: At) -> tuple[WordTouch, ...]:
        """List the touches of a thread's UTCB from an instant to the cursor, the last first."""

    def why(self, thread: int, what: str) -> tuple[WhyLine, ...]:
        """Say where a value comes from; the cursor stays."""

    def objects(self) -> Objects:
        """Say which objects there are at the cursor."""

    def cancel(self) -> None:
        """Call off the movement under way, from another thread."""

    def close(self) -> None:
        """Give the machine back."""
