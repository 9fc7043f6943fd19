"""What came of running a trace's run again."""

from dataclasses import dataclass

from kernel.events import Event


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event that is another one; None where there is none."""

    sequence: int
    recorded: Event | None
    repeated: Event | None


@dataclass(frozen=True, slots=True)
class Repetition:
    """How a run went again: `events` are equal, up to `difference` if that is not None.

    `model` is ours if the trace was recorded with another one.
    """

    events: int
    chunks: int
    difference: Difference | None
    model: str | None
    trace_hash: str  # at the end of the last chunk that is equal
