"""What a run does that others can see: by thread, in order, and without any time.

What a thread sends, asks of kernel objects, prints and fails with is observable; when it
does so, and in which order with other threads, is not.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from kernel.abi import TAG_WORDS
from kernel.events import (
    Event,
    Exception_,
    Failure,
    Fault,
    Invocation,
    Log,
    Transfer,
    words_of,
)
from kernel.recorder import Recorder

MOST = 1 << 17  # observables that are kept

Item: TypeAlias = tuple[str, int, int, tuple[int, ...] | bytes]  # kind, object, tag, content


@dataclass(eq=False, slots=True)
class Observed:
    """What was seen from a position on, with the position of each, by thread."""

    items: dict[int, list[tuple[int, Item]]] = field(default_factory=dict)
    count: int = 0

    def since(self, position: int) -> dict[int, list[tuple[int, Item]]]:
        """Give what was seen from a later position on."""
        return {
            thread: [each for each in items if each[0] >= position]
            for thread, items in self.items.items()
        }


class Observer(Recorder):
    """Collects what is observable."""

    __slots__ = ("_from", "_word", "log", "observed")

    def __init__(self, word: int, start: int = 0) -> None:
        super().__init__()
        self.observed = Observed()
        self.log = 0  # what is written to it comes as `Log`
        self._word = word
        self._from = start

    def record(self, event: Event) -> None:
        """Take note of `event`."""
        if event.position < self._from or self.observed.count >= MOST:
            return
        match event:
            case Transfer():
                # Whoever has the message is the one it went to; the way there is the sender's.
                content = words_of(
                    event.payload[: (event.tag & TAG_WORDS) * self._word], self._word
                )
                self._add(
                    event.sender, event.position, ("send", event.receiver, event.tag, content)
                )
            case Invocation() if event.target != self.log:
                self._add(
                    event.thread,
                    event.position,
                    ("invoke", event.target, event.tag, event.words),
                )
            case Log():
                self._add(event.thread, event.position, ("print", 0, 0, event.data))
            case Failure():
                self._add(event.thread, event.position, ("fail", event.target, event.error, ()))
            case Fault():
                self._add(
                    event.thread, event.position, ("fault", event.address, event.error, ())
                )
            case Exception_():
                self._add(
                    event.thread, event.position, ("fault", event.vector, event.error, ())
                )
            case _:
                pass

    def switch(self, cycle: int, position: int, previous: int, following: int) -> None:
        """A switch is not observable."""

    def _add(self, thread: int, position: int, item: Item) -> None:
        self.observed.items.setdefault(thread, []).append((position, item))
        self.observed.count += 1


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that a thread did otherwise in another run; None: nothing any more."""

    thread: int
    position: int
    item: Item | None
    other: Item | None


def differences(
    baseline: dict[int, list[tuple[int, Item]]],
    twin: dict[int, list[tuple[int, Item]]],
    *,
    is_complete: bool,
) -> list[Difference]:
    """Compare two runs; unless both are complete only as far as both go."""
    found: list[Difference] = []
    for thread in sorted(baseline.keys() | twin.keys()):
        ours, theirs = baseline.get(thread, []), twin.get(thread, [])
        for (position, item), (_, other) in zip(ours, theirs, strict=False):
            if item != other:
                found.append(Difference(thread, position, item, other))
                break
        else:
            if is_complete and len(ours) != len(theirs):
                at = min(len(ours), len(theirs))
                if len(ours) > at:
                    found.append(Difference(thread, ours[at][0], ours[at][1], None))
                else:
                    found.append(Difference(thread, theirs[at][0], None, theirs[at][1]))
    found.sort(key=lambda each: each.position)
    return found
