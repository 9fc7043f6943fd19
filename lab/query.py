"""What can be asked about a run, whoever knows it: a stored trace, or one that is re-executed.

A trace that is stored answers what it cannot know with NOT_STORED, which a view renders
greyed.
"""

from collections.abc import Iterator
from typing import Protocol

from guest.errors import GuestError
from guest.table import did_you_mean
from kernel.events import Event, Transfer
from lab.names import Names
from lab.trace.format import TRANSFER
from lab.trace.head import Head
from lab.trace.lives import Life
from lab.trace.mark import Mark
from lab.trace.reader import NAMING, Stamped
from lab.trace.words import Word

NOT_STORED = "not available without re-execution"


class History(Protocol):
    """A run that is over, event by event; events are numbered from 0."""

    @property
    def head(self) -> Head:
        """Which run it is."""

    @property
    def findings(self) -> tuple[str, ...]:
        """What the checker found: JSON objects, whose fields docs/json.md explains."""

    @property
    def is_checked(self) -> bool:
        """Whether the checker watched the run: findings and lives are all there were."""

    def lives(
        self, first: int = 0, last: int | None = None, *, thread: int | None = None
    ) -> Iterator[Life]:
        """Give the messages that were alive at any position from `first` to `last`.

        They come about in the order of their deaths.
        """

    def __len__(self) -> int:
        """Give the number of events that are known."""

    def find(self, mark: Mark) -> int:
        """Give the number of the first event at or after a mark; behind the last if none is."""

    def event(self, sequence: int) -> Event:
        """Give an event by its number."""

    def events(
        self,
        first: int = 0,
        end: int | None = None,
        *,
        concerning: int | None = None,
        kinds: int | None = None,
    ) -> Iterator[Stamped]:
        """Give the events from `first` to before `end` that concern an object, in order.

        `kinds` is a set with a bit for every kind of record.
        """

    def threads(self) -> tuple[int, ...]:
        """Give the numbers of all threads, in the order in which they were made."""

    def names(self, before: int | None = None) -> Names:
        """Give the names that hold before event `before`, by default those of the end."""

    def utcb(self, thread: int, sequence: int, *, back: int | None = None) -> tuple[Word, ...]:
        """Give what is known of a thread's UTCB when event `sequence` has happened.

        With `back` only so many events are looked at.
        """


def messages(
    history: History, first: int = 0, end: int | None = None, *, concerning: int | None = None
) -> Iterator[tuple[int, Transfer]]:
    """Give the messages that reached a thread, in order, with the numbers of their events."""
    for stamped in history.events(first, end, concerning=concerning, kinds=1 << TRANSFER):
        assert isinstance(stamped.event, Transfer)
        yield stamped.sequence, stamped.event


def named(
    history: History,
    first: int = 0,
    end: int | None = None,
    *,
    concerning: int | None = None,
    kinds: int | None = None,
) -> Iterator[tuple[Stamped, Names]]:
    """Give events as `History.events` does, each with the names that hold when it happens.

    The names are one object, which changes.
    """
    names = history.names(before=first)
    namings = history.events(first, end, kinds=NAMING)
    coming = next(namings, None)
    for stamped in history.events(first, end, concerning=concerning, kinds=kinds):
        while coming is not None and coming.sequence <= stamped.sequence:
            names.note(coming.event)
            coming = next(namings, None)
        yield stamped, names


def find_thread(history: History, text: str, *, option: str) -> int:
    """Give the number of the thread that a user named; GuestError if there is none.

    `option` is where the name was given.
    """
    names = history.names()
    called = {names.of(number): number for number in history.threads()}
    if text in called:
        return called[text]
    number = text.removeprefix("#")
    if number in {str(known) for known in called.values()}:
        return int(number)
    hint = did_you_mean(text, list(called))
    known = ", ".join(list(called)[:8]) + (", ..." if len(called) > 8 else "")
    raise GuestError(f"no thread {text[:40]!r}{hint}: there are {known}", file=option)
