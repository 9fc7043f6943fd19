"""What the events of a trace tell of the words of a UTCB.

A thread writes its UTCB itself, which is no event.  What an event tells of a word is what
the word holds only until the thread executes its next instruction; after that it is what
was last seen there.  The rest is not available without re-execution.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kernel.events import (
    Event,
    Invocation,
    Items,
    Resumption,
    Switch,
    Transfer,
    Waiting,
    words_of,
)
from kernel.utcb import BDR, MR, MR_COUNT, SELF, WORDS
from lab.trace.format import KINDS, TRANSFER, TRANSFER_HEAD
from lab.trace.records import kind_at, size_at

_TELLING = (Transfer, Items, Invocation, Waiting, Resumption)
KINDS_TO_READ = sum(1 << KINDS[kind] for kind in (*_TELLING, Switch))
_SWITCH = KINDS[Switch]
_RESTORED = (BDR, BDR + 1, BDR + 2, MR, MR + 1)  # as in a Resumption


class Raw(NamedTuple):
    """A record that is not decoded yet: `words` from `start` on."""

    sequence: int
    words: Sequence[int]
    start: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a UTCB: `value` is None if it is not available without re-execution.

    `seen` is the event that tells it, None if it is what the thread began with.  If it is
    not `is_exact` the thread has executed something since.
    """

    value: int | None = None
    seen: int | None = None
    is_exact: bool = False


UNKNOWN = Word()


def words_at(
    records: Iterable[Raw],
    event_of: Callable[[int], Event],
    *,
    thread: int,
    position: int,
    is_first: bool,
    word: int,
    is_whole: bool = True,
) -> tuple[Word, ...]:
    """Collect what is known of the UTCB of a thread when the last of `records` has happened.

    They come backwards, and are those that concern the thread, of KINDS_TO_READ; `position`
    is that of the mark.  A thread that `is_first` is there from the start, with nothing but
    zeros in its UTCB.  If the records are not the whole past, what is older is unknown.
    """
    found: list[Word] = [UNKNOWN] * WORDS
    known = 0  # message registers from the first on
    has_run = False
    current: bool | None = None  # whether the thread runs just before what comes now
    waiting: list[Raw] = []  # for that to be known
    upper = position
    for raw in records:
        at = raw.words[raw.start + 2]
        if kind_at(raw.words, raw.start) != _SWITCH:
            if current is None:
                waiting.append(raw)
                continue
            has_run = has_run or (current and at < upper)
            known = _learn(found, known, raw, event_of, thread, word, not has_run)
            if known == MR_COUNT:
                break
            continue
        previous, following = raw.words[raw.start + 3], raw.words[raw.start + 4]
        if current is None:
            current = following == thread
            for early in waiting:
                has_run = has_run or (current and early.words[early.start + 2] < upper)
                known = _learn(found, known, early, event_of, thread, word, not has_run)
            waiting = []
        has_run = has_run or (following == thread and at < upper)
        current = previous == thread
        upper = at
    else:
        # A thread that never ran.
        for early in waiting:
            known = _learn(found, known, early, event_of, thread, word, is_whole)
        if is_first and is_whole:
            for index, what in enumerate(found):
                if what.value is None and index != SELF:
                    found[index] = Word(0, None, not has_run and not current)
    return tuple(found)


def _learn(
    found: list[Word],
    known: int,
    raw: Raw,
    event_of: Callable[[int], Event],
    thread: int,
    word: int,
    is_exact: bool,
) -> int:
    # Decoding is what takes time: not if nothing new can be in it.
    if kind_at(raw.words, raw.start) == TRANSFER:
        count = (size_at(raw.words, raw.start) - TRANSFER_HEAD) // 2
        if count <= known:
            return known
    for index, value in _facts(event_of(raw.sequence), thread, word):
        if index < WORDS and found[index].value is None:
            found[index] = Word(value, raw.sequence, is_exact)
    while known < MR_COUNT and found[MR + known].value is not None:
        known += 1
    return known


def _facts(event: Event, thread: int, word: int) -> Iterable[tuple[int, int]]:
    # What holds when the event has happened, the newest first.
    match event:
        case Transfer():
            return enumerate(words_of(event.payload, word), MR)
        case Items():
            values = event.results if event.receiver == thread else event.items
            return enumerate(values, MR + event.first)
        case Invocation() if event.thread == thread:
            return (*enumerate(event.answer, MR), *enumerate(event.words, MR))
        case Waiting() if event.thread == thread:
            return enumerate(event.words, MR)
        case Resumption():
            return zip(_RESTORED, event.words, strict=False)
        case _:
            return ()
