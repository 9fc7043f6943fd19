"""Where the records of a run go, as they come: a file, or whoever compares them."""

from typing import Protocol


class Sink(Protocol):
    """Takes records; it is told after the fact, and nothing that it does reaches back."""

    def take(self, data: bytes) -> None:
        """Take whole records, which follow those before."""

    def close(
        self, records: int, kinds: int, objects: int, cycle: int, position: int, digest: str
    ) -> None:
        """Learn that a chunk of so many records, CHUNK or the run's last, is complete.

        `kinds` has a bit for every kind of record in it, and `objects` one for the number,
        modulo 64, of every object that one concerns.  Cycle and position are those of its
        last record; `digest` is the trace hash so far.
        """
