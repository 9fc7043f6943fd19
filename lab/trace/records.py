"""Records as they come out of a file, where nothing can be trusted.

Rule: what leaves this file is an event that a view can render whatever it says; everything
else is a ValueError.
"""

from collections.abc import Sequence

from kernel.abi import IpcError
from kernel.events import (
    Created,
    Event,
    Invocation,
    Items,
    Refused,
    Remark,
    Resumption,
    Transfer,
    Waiting,
)
from kernel.utcb import MR_COUNT
from lab.trace.format import KIND_BITS, KINDS, PARTIES, TRANSFER, TRANSFER_HEAD, decode
from lab.trace.schema import LONGEST_RECORD

_KIND = (1 << KIND_BITS) - 1
# The least words of a record: every field takes one, but the payloads of a transfer.
_LEAST = {number: 1 + len(kind.__annotations__) for kind, number in KINDS.items()}
_LEAST[TRANSFER] = TRANSFER_HEAD
_ERRORS = frozenset(IpcError)
_LARGEST_NUMBER = 1 << 31  # of an object


def starts_of(words: Sequence[int]) -> list[int]:
    """Find where the records begin."""
    starts = []
    at = 0
    end = len(words)
    while at < end:
        head = words[at]
        size = head >> KIND_BITS
        least = _LEAST.get(head & _KIND, end)
        if not least <= size <= min(LONGEST_RECORD, end - at):
            raise ValueError(f"no record begins with {head:#x}")
        starts.append(at)
        at += size
    return starts


def kind_at(words: Sequence[int], at: int) -> int:
    """Give the kind of the record that begins at word `at`."""
    return words[at] & _KIND


def size_at(words: Sequence[int], at: int) -> int:
    """Give the words of the record that begins at word `at`."""
    return words[at] >> KIND_BITS


def concerns(words: Sequence[int], at: int, number: int) -> bool:
    """Answer whether the record that begins at word `at` concerns an object."""
    return any(words[at + party] == number for party in PARTIES[words[at] & _KIND])


def sets_of(words: Sequence[int], starts: Sequence[int]) -> tuple[int, int]:
    """Give the sets of kinds and of objects that a chunk's row has; see `Sink.close`."""
    kinds = objects = 0
    for at in starts:
        kind = words[at] & _KIND
        kinds |= 1 << kind
        for party in PARTIES[kind]:
            objects |= 1 << (words[at + party] & 63)
    return kinds, objects


def event_at(words: Sequence[int], at: int, word: int) -> Event:
    """Decode the record that begins at word `at`."""
    event = decode(words[at : at + size_at(words, at)], word)
    for party in PARTIES[words[at] & _KIND]:
        if words[at + party] >= _LARGEST_NUMBER:
            raise ValueError(f"no object has the number {words[at + party]:#x}")
    if isinstance(event, Transfer):
        _check_words(len(event.payload) // word)
        _check_error(event.error)
    elif isinstance(event, Items):
        if len(event.items) != len(event.results):
            raise ValueError("items without a result")
        _check_words(event.first + len(event.items))
    elif isinstance(event, Resumption):
        _check_error(event.error)
    elif isinstance(event, Created):
        _check_text(event.kind)
    elif isinstance(event, Refused):
        _check_text(event.reason)
    elif isinstance(event, Invocation):
        if len(event.answer) != len(event.old):
            raise ValueError("an answer without what it replaced")
        _check_words(len(event.answer))
    if isinstance(event, Invocation | Waiting | Refused | Resumption):
        _check_words(len(event.words))
    if isinstance(event, Remark):
        _check_words(len(event.values))
    return event


def _check_words(count: int) -> None:
    if count > MR_COUNT:
        raise ValueError(f"{count} message words of {MR_COUNT}")


def _check_error(error: int) -> None:
    if error not in _ERRORS:
        raise ValueError(f"no IPC error has the number {error:#x}")


def _check_text(text: str) -> None:
    if not text.isprintable():
        raise ValueError("a text that could steer a terminal")
