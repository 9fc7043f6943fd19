"""The events of a run so far, in little memory, and the instants that first show them."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence

from kernel.events import Event
from lab.replay.halting import Instant
from lab.trace.format import KIND_BITS, KINDS, decode, encode

_KIND = (1 << KIND_BITS) - 1


class EventLog:
    """Events by number, from 0."""

    def __init__(self, word: int) -> None:
        self.word = word  # bytes of a machine word
        self._records = array("Q")
        self._starts = array("Q", (0,))
        # Of each event the first instant that shows it, and the last one before.
        self._positions = array("Q")
        self._turns = array("Q")
        self._befores = array("Q")
        self._before_turns = array("Q")

    def __len__(self) -> int:
        return len(self._positions)

    def append(self, event: Event, *, shown: Instant, before: Instant) -> None:
        """Take note of an event; `shown` never goes back."""
        self._records.extend(encode(event, self.word))
        self._starts.append(len(self._records))
        self._positions.append(shown.position)
        self._turns.append(shown.turn)
        self._befores.append(before.position)
        self._before_turns.append(before.turn)

    def event(self, number: int) -> Event:
        """Give an event."""
        first, end = self._starts[number], self._starts[number + 1]
        return decode(self._records[first:end].tolist(), self.word)

    def records(self, first: int, end: int) -> bytes:
        """Give the records of the events from `first` to before `end`, as traces have them."""
        return self._records[self._starts[first] : self._starts[end]].tobytes()

    def kind(self, number: int) -> int:
        """Give the kind of an event, as `lab.trace.format` numbers them."""
        return self._records[self._starts[number]] & _KIND

    def shown(self, number: int) -> Instant:
        """Give the first instant that shows an event."""
        return Instant(self._positions[number], self._turns[number])

    def before(self, number: int) -> Instant:
        """Give the last instant before what led to an event."""
        return Instant(self._befores[number], self._before_turns[number])

    def count(self, at: Instant) -> int:
        """Count the events that an instant shows."""
        return bisect_right(range(len(self)), at, key=self.shown)

    def at_position(self, position: int) -> range:
        """Give the numbers of the events that are first shown at a position."""
        first = bisect_right(self._positions, position - 1)
        return range(first, bisect_right(self._positions, position))


def kinds_of(types: Sequence[type[Event]]) -> frozenset[int]:
    """Give the numbers of some types of events."""
    return frozenset(KINDS[each] for each in types)
