"""Reading a trace: nothing is believed that was not checked, and nothing else is read.

Rule 1: a file that is not as it should be is one GuestError, when it is opened or when the
damaged part is come to.  Memory is bounded by the limits of lab/trace/schema.py.
Rule 2: reading needs no machine, changes nothing, and opens no other file; only what a
killed writer left half done is undone.
"""

import re
import sqlite3
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, NoReturn

from guest.errors import GuestError
from guest.host import decode, is_host_call
from guest.scenario import Scenario, restore_scenario
from kernel.events import Created, Event, Items, Named, Outcome, Transfer
from lab.names import Names
from lab.trace.format import CHUNK, KINDS
from lab.trace.head import Ending, Head
from lab.trace.lives import Life, LifeChunk, unpack
from lab.trace.mark import Clock, Mark
from lab.trace.opening import (
    check_file,
    damaged,
    open_database,
    read_findings,
    read_head,
    read_life_chunks,
    read_owners,
)
from lab.trace.program import inflate
from lab.trace.records import concerns, event_at, kind_at, sets_of, starts_of
from lab.trace.schema import DIGEST_LENGTH, LARGEST_CHUNK, from_signed
from lab.trace.words import KINDS_TO_READ, Raw, Word, words_at

NAMING = 1 << KINDS[Named] | 1 << KINDS[Created]  # kinds of events that tell names

_CACHED = 4  # chunks
_DIGEST = re.compile(f"[0-9a-f]{{{DIGEST_LENGTH}}}")
_OUTCOMES = frozenset(outcome.name.lower() for outcome in Outcome)
_CHUNK_COLUMNS = (
    "number, first, records, first_cycle, last_cycle, first_position, last_position, kinds, "
    "objects, digest, size"
)


class Stamped(NamedTuple):
    """An event, and its number in the trace."""

    sequence: int
    event: Event


@dataclass(frozen=True, slots=True)
class Chunk:
    """What the index says of a chunk; see `Sink.close`."""

    number: int
    first: int  # sequence
    records: int
    first_cycle: int
    last_cycle: int
    first_position: int
    last_position: int
    kinds: int
    objects: int
    digest: str
    size: int  # bytes of its records

    @property
    def end(self) -> int:
        """The sequence of the first event behind it."""
        return self.first + self.records


@dataclass(frozen=True, slots=True)
class _Records:
    words: list[int]
    starts: list[int]


@dataclass(eq=False, slots=True)
class Trace:
    """An open trace.

    `ending` is None if the run was not recorded to its end; `truncated` is the number of
    the first event that there was no room for.
    """

    path: Path
    head: Head
    chunks: tuple[Chunk, ...]
    ending: Ending | None
    truncated: int | None
    findings: tuple[str, ...]  # JSON objects
    _life_chunks: tuple[LifeChunk, ...]
    _owners: tuple[str, ...]
    _database: sqlite3.Connection
    _cache: "OrderedDict[int, _Records]" = field(default_factory=OrderedDict)

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __len__(self) -> int:
        """Give the number of events that are stored."""
        return self.chunks[-1].end if self.chunks else 0

    def scenario(self) -> Scenario:
        """Give the scenario; its images are `head.images`."""
        name = Path(f"{self.head.scenario_name}.toml")
        found = restore_scenario(self.head.scenario, path=name, arch=self.head.arch.name)
        lines = [line for line in self.head.variation if is_host_call(line)]
        if not lines:
            return found
        try:
            return replace(found, host=tuple(decode(line) for line in lines))
        except ValueError as error:
            raise damaged(self.path, str(error)) from None

    def names(self, before: int | None = None) -> Names:
        """Give the names that hold before event `before`, by default those of the end."""
        names = self.head.names()
        for stamped in self.events(0, before, kinds=NAMING):
            names.note(stamped.event)
        return names

    def threads(self) -> tuple[int, ...]:
        """Give the numbers of all threads, in the order in which they were made."""
        made = (s.event for s in self.events(kinds=1 << KINDS[Created]))
        later = (e.target for e in made if isinstance(e, Created) and e.kind == "thread")
        return tuple(dict.fromkeys((*self.head.threads, *later)))

    def find(self, mark: Mark) -> int:
        """Give the number of the first event at or after a mark; behind the last if none is."""
        if mark.clock is Clock.EVENT:
            return min(mark.value, len(self))
        last = f"last_{mark.clock.value}"
        at = bisect_left(self.chunks, mark.value, key=attrgetter(last))
        if at == len(self.chunks):
            return len(self)
        word = 1 if mark.clock is Clock.CYCLE else 2
        records = self._records(self.chunks[at])
        inside = bisect_left(
            records.starts, mark.value, key=lambda start: records.words[start + word]
        )
        return self.chunks[at].first + inside

    def event(self, sequence: int) -> Event:
        """Give an event by its number."""
        chunk = self.chunks[self._chunk_of(sequence)]
        return self._decode(chunk, self._records(chunk), sequence - chunk.first)

    def events(
        self,
        first: int = 0,
        end: int | None = None,
        *,
        concerning: int | None = None,
        kinds: int | None = None,
    ) -> Iterator[Stamped]:
        """Give the events from `first` to before `end`, in order.

        `concerning` is the number of an object, `kinds` a set of kinds: chunks without any
        such event are not even read.
        """
        end = len(self) if end is None else min(end, len(self))
        if first >= end:
            return
        wanted = None if concerning is None else 1 << (concerning & 63)
        for chunk in self.chunks[self._chunk_of(first) :]:
            if chunk.first >= end:
                return
            if (kinds is not None and not chunk.kinds & kinds) or (
                wanted is not None and not chunk.objects & wanted
            ):
                continue
            records = self._records(chunk)
            words, starts = records.words, records.starts
            for at in range(max(first - chunk.first, 0), min(end - chunk.first, len(starts))):
                start = starts[at]
                if kinds is not None and not kinds >> kind_at(words, start) & 1:
                    continue
                if concerning is not None and not concerns(words, start, concerning):
                    continue
                yield Stamped(chunk.first + at, self._decode(chunk, records, at))

    def utcb(self, thread: int, sequence: int, *, back: int | None = None) -> tuple[Word, ...]:
        """Give what is known of a thread's UTCB when event `sequence` has happened.

        With `back` only so many events are looked at: the time is bounded then.
        """
        event = self.event(sequence)
        if isinstance(event, Transfer) and sequence + 1 < len(self):
            # Its items are an event of their own, but there already.
            sequence += isinstance(self.event(sequence + 1), Items)
        first = 0 if back is None else max(0, sequence + 1 - back)
        return words_at(
            self._backwards(first, sequence + 1, concerning=thread, kinds=KINDS_TO_READ),
            self.event,
            thread=thread,
            position=event.position,
            is_first=thread in self.head.threads,
            word=self.head.arch.word,
            is_whole=first == 0,
        )

    def lives(
        self, first: int = 0, last: int | None = None, *, thread: int | None = None
    ) -> Iterator[Life]:
        """Give the messages that were alive at any position from `first` to `last`.

        They come about in the order of their deaths.  There are none if the run was not
        checked: see `is_checked`.
        """
        for chunk in self._life_chunks:
            if (last is not None and chunk.born > last) or chunk.died < first:
                continue
            if thread is not None and not chunk.threads >> (thread & 63) & 1:
                continue
            for life in self._load_lives(chunk):
                if thread is not None and life.thread != thread:
                    continue
                if (last is None or life.born <= last) and (
                    life.died is None or life.died >= first
                ):
                    yield life

    @property
    def is_checked(self) -> bool:
        """Whether the checker watched the run: findings and lives are all there were."""
        return self.ending is not None and self.ending.checked

    def _load_lives(self, chunk: LifeChunk) -> list[Life]:
        try:
            row = self._database.execute(
                "SELECT data FROM life WHERE number = ?", (chunk.number,)
            ).fetchone()
            if row is None or not isinstance(row[0], bytes):
                raise ValueError("no data")
            return unpack(inflate(row[0], chunk.size), chunk.records, self._owners)
        except (ValueError, sqlite3.Error) as error:
            self._fail(f"lives {chunk.number}: {error}")

    def records(self, chunk: Chunk) -> bytes:
        """Give all records of a chunk, as they were recorded."""
        return self._load(chunk)

    def _backwards(self, first: int, end: int, *, concerning: int, kinds: int) -> Iterator[Raw]:
        # The records from event `first` to before `end`, the last first.
        for chunk in reversed(self.chunks[: self._chunk_of(end - 1) + 1]):
            if chunk.end <= first:
                return
            if not (chunk.kinds & kinds and chunk.objects >> (concerning & 63) & 1):
                continue
            found = self._records(chunk)
            lowest = max(first - chunk.first, 0)
            for at in range(min(end - chunk.first, len(found.starts)) - 1, lowest - 1, -1):
                start = found.starts[at]
                if kinds >> kind_at(found.words, start) & 1 and concerns(
                    found.words, start, concerning
                ):
                    yield Raw(chunk.first + at, found.words, start)

    def _chunk_of(self, sequence: int) -> int:
        return bisect_right(self.chunks, sequence, key=attrgetter("first")) - 1

    def _decode(self, chunk: Chunk, records: _Records, at: int) -> Event:
        try:
            return event_at(records.words, records.starts[at], self.head.arch.word)
        except ValueError as error:
            self._fail(f"event {chunk.first + at}: {error}")

    def _records(self, chunk: Chunk) -> _Records:
        found = self._cache.get(chunk.number)
        if found is None:
            found = self._cache[chunk.number] = self._check(chunk, self._load(chunk))
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(chunk.number)
        return found

    def _load(self, chunk: Chunk) -> bytes:
        try:
            row = self._database.execute(
                "SELECT data FROM chunk WHERE number = ?", (chunk.number,)
            ).fetchone()
            if row is None or not isinstance(row[0], bytes):
                raise ValueError("no data")
            data = inflate(row[0], chunk.size)
            if len(data) != chunk.size:
                raise ValueError(f"{len(data)} bytes of {chunk.size}")
        except (ValueError, sqlite3.Error) as error:
            self._fail(f"chunk {chunk.number}: {error}")
        return data

    def _check(self, chunk: Chunk, data: bytes) -> _Records:
        # The index must say what is there: searches believe it.
        try:
            words = memoryview(data).cast("Q").tolist()
            starts = starts_of(words)
            last = starts[-1]
            found = (len(starts), *words[1:3], *words[last + 1 : last + 3])
            for at in (1, 2):
                stamps = [words[start + at] for start in starts]
                if stamps != sorted(stamps):
                    raise ValueError("events that are not in order")
            if (*found, *sets_of(words, starts)) != (
                chunk.records,
                chunk.first_cycle,
                chunk.first_position,
                chunk.last_cycle,
                chunk.last_position,
                chunk.kinds,
                chunk.objects,
            ):
                raise ValueError("the index says otherwise")
        except ValueError as error:
            self._fail(f"chunk {chunk.number}: {error}")
        return _Records(words, starts)

    def _fail(self, what: str) -> NoReturn:
        raise damaged(self.path, what)


def open_trace(path: Path) -> Trace:
    """Open the trace at `path`; GuestError says what is wrong with it."""
    check_file(path)
    database = open_database(path)
    try:
        head = read_head(database)
        chunks = _read_chunks(database)
        truncated = _read_truncated(database, chunks)
        ending = _read_ending(database, chunks, truncated)
        findings = read_findings(database)
        owners = read_owners(database)
        lives = read_life_chunks(database)
    except (GuestError, ValueError, sqlite3.Error) as error:
        database.close()
        raise damaged(path, error) from None
    return Trace(path, head, chunks, ending, truncated, findings, lives, owners, database)


def _read_chunks(database: sqlite3.Connection) -> tuple[Chunk, ...]:
    chunks: list[Chunk] = []
    end = cycle = position = 0
    rows = database.execute(f"SELECT {_CHUNK_COLUMNS} FROM chunk ORDER BY number")
    for row in rows:
        chunk = Chunk(*row)
        chunk = replace(
            chunk, kinds=from_signed(chunk.kinds), objects=from_signed(chunk.objects)
        )
        if (
            (chunk.number, chunk.first) != (len(chunks), end)
            or not 0 < chunk.records <= CHUNK
            or (chunks and chunks[-1].records != CHUNK)
            or not cycle <= chunk.first_cycle <= chunk.last_cycle
            or not position <= chunk.first_position <= chunk.last_position
            or not 0 < chunk.size <= LARGEST_CHUNK
            or chunk.size % 8
            or not _DIGEST.fullmatch(chunk.digest)
        ):
            raise ValueError(f"chunk {len(chunks)}: its row in the index makes no sense")
        chunks.append(chunk)
        end, cycle, position = chunk.end, chunk.last_cycle, chunk.last_position
    return tuple(chunks)


def _read_truncated(database: sqlite3.Connection, chunks: Sequence[Chunk]) -> int | None:
    rows = database.execute("SELECT sequence FROM truncated").fetchmany(2)
    if not rows:
        return None
    (sequence,) = rows[0]
    if len(rows) > 1 or sequence != (chunks[-1].end if chunks else 0):
        raise ValueError("where it is truncated makes no sense")
    return int(sequence)


def _read_ending(
    database: sqlite3.Connection, chunks: Sequence[Chunk], truncated: int | None
) -> Ending | None:
    rows = database.execute("SELECT * FROM ending").fetchmany(2)
    if not rows:
        return None
    ending = Ending(*rows[0])
    stored = chunks[-1].end if chunks else 0
    known = truncated is not None or (chunks and chunks[-1].digest == ending.trace_hash)
    if (
        len(rows) > 1
        or ending.outcome not in _OUTCOMES
        or not ending.engine.isalnum()
        or (ending.events != stored if truncated is None else ending.events < stored)
        or min(ending.cycles, ending.instructions, ending.messages, ending.invocations) < 0
        or not known
        or ending.checked not in (0, 1)
        or not _DIGEST.fullmatch(ending.trace_hash)
    ):
        raise ValueError("what it says of the run's end makes no sense")
    return replace(ending, checked=bool(ending.checked))
