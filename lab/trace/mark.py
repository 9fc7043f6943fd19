"""A mark: a point in the time of a run, as people write it."""

import re
from dataclasses import dataclass
from enum import Enum

_MARK = re.compile(r"(?:(position|cycle|event):)?([0-9][0-9_,]*)")


class Clock(Enum):
    """What a mark counts."""

    POSITION = "position"  # instructions that the run had completed
    CYCLE = "cycle"
    EVENT = "event"  # the number of an event in its trace


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in time."""

    clock: Clock
    value: int

    def __str__(self) -> str:
        if self.clock is Clock.POSITION:
            return str(self.value)
        return f"{self.clock.value}:{self.value}"


def parse_mark(text: str) -> Mark:
    """Read a position as 1154, or ``cycle:N``, or ``event:N``; ValueError if it is none."""
    match = _MARK.fullmatch(text)
    if match is None or len(text) > 40:
        raise ValueError("expected a position such as 1154, or cycle:N, or event:N")
    clock = Clock(match[1]) if match[1] else Clock.POSITION
    return Mark(clock, int(match[2].replace("_", "").replace(",", "")))
