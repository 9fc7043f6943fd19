"""A candidate: what a rule has seen, in numbers; not yet judged, and without names.

Rule 1: a candidate can be judged from what is in it, a second run, and the programs.
Rule 2: there are as many as there are places in programs that give one, not as many as
there are times that these ran.
"""

from dataclasses import dataclass, field

from lab.checker.finding import Rule
from lab.checker.lives import Store, Turn
from lab.checker.stream import Where

MOST = 512  # kinds of candidates that are kept


@dataclass(frozen=True, slots=True)
class Row:
    """A word of the table: what it holds, who wrote that, and what it was for."""

    index: int
    delivered: int | None
    now: int
    writer: Turn | Store | None
    is_read: bool


@dataclass(eq=False, slots=True)
class Candidate:
    """One kind of misuse at one place, as it was seen first."""

    rule: Rule
    thread: int  # that is at fault
    position: int
    where: Where
    offset: int
    size: int
    is_call: bool = False  # the fault is a system call, not an access
    is_write: bool = False
    expected: bytes | None = None
    actual: bytes | None = None
    message: Turn | None = None  # the one that was meant
    clobber: Turn | None = None  # the one that came in between
    stores: tuple[Store, ...] = ()  # that overwrote it, or that were overwritten
    is_delivery: bool = False  # what came in between was delivered there
    is_note: bool = False
    is_bulk: bool = False  # one of many words that were copied together
    is_open: bool = False  # whose the call in between is has to be found out
    was_read: bool = False  # the message's word had been read before
    # It is one only if this store put back what nobody had saved.
    restore: Store | None = None
    lender: Turn | None = None  # whose message was there before, perhaps pointed at
    reader: tuple[int, int] | None = None  # thread and position of a use by another thread
    owner: int = 0  # whose UTCB it is, if not that of `thread`
    receiver: int = 0
    rows: tuple[Row, ...] = ()
    checks: dict[str, str] = field(default_factory=dict)
    count: int = 1
    cycle: int = 0  # found later

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two candidates of one kind."""
        clobber = self.clobber.call.where.pc if self.clobber is not None else 0
        return self.rule, self.thread, self.where.pc, self.offset, self.size, clobber

    @property
    def is_intact(self) -> bool:
        """Whether the value is the right one all the same."""
        return self.expected is not None and self.expected == self.actual


class Candidates:
    """Those of a run; repeats are counted."""

    __slots__ = ("_found", "dropped")

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Candidate] = {}
        self.dropped = 0  # for which there was no room

    def add(self, candidate: Candidate) -> Candidate:
        """Add one, and give the one of its kind that was there first."""
        key = (*candidate.key, candidate.is_intact, candidate.is_note)
        known = self._found.get(key)
        if known is not None:
            known.count += 1
            return known
        if len(self._found) >= MOST:
            self.dropped += 1
        else:
            self._found[key] = candidate
        return candidate

    def drop(self, candidate: Candidate) -> None:
        """Take one back."""
        key = (*candidate.key, candidate.is_intact, candidate.is_note)
        known = self._found.get(key)
        if known is not None:
            known.count -= 1
            if not known.count:
                del self._found[key]

    def all(self) -> list[Candidate]:
        """Give all, by the position where they were seen first."""
        return sorted(self._found.values(), key=lambda each: (each.position, each.offset))
