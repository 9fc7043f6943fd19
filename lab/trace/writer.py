"""Writing a trace while a run goes on, chunk by chunk.

Rule 1: FILE is a whole trace or is not there.  What is being written is FILE.partial, which
whoever kills the writer can read up to the last transaction.
Rule 2: nothing here looks into a record.
"""

import json
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from guest.errors import GuestError
from lab.trace.format import TRACE_VERSION
from lab.trace.head import Ending, Head, seal
from lab.trace.journal import is_unfinished, journal_of
from lab.trace.lives import LIVES, Life, pack
from lab.trace.program import Row, check_size, encode_program
from lab.trace.schema import (
    APPLICATION_ID,
    FILE_VERSION,
    LARGEST_CHUNK,
    PAGE_SIZE,
    TABLES,
    to_signed,
)

DEFAULT_LIMIT = 2 << 30  # bytes
SMALLEST_LIMIT = 1 << 20
_LEVEL = 1  # of compression: the speed of recording is made of it
_ROOM = 16 * PAGE_SIZE  # for what follows the chunks, and what the database adds to them
_STAMP = struct.Struct("<QQ")  # cycle and position, behind a record's first word


class TraceWriter:
    """Writes the trace of one run to a file of at most `limit` bytes.

    It is a `Sink`: the recorder of the run fills it, between `begin` and `finish`.  Leaving
    it without `finish` leaves `partial` behind, if there is anything in it.  Everything
    raises GuestError if the file cannot be written.
    """

    def __init__(self, path: Path, *, limit: int = DEFAULT_LIMIT) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self.events = 0
        self.truncated: int | None = None  # the first event that there was no room for
        self.has_begun = False
        self._limit = limit
        self._chunks = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._lives: list[Life] = []
        self._life_chunks = 0
        self._owners: dict[str, int] = {}
        self._database: sqlite3.Connection | None = None
        try:
            self._database = _create(path, self.partial)
        except (OSError, ValueError, sqlite3.Error) as error:
            self._fail(error)

    def __enter__(self) -> "TraceWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
            if not self.has_begun:
                _remove(self.partial)

    def begin(self, head: Head) -> None:
        """Write down which run it is; comes once, before any record.

        A run with programs larger than can be stored is refused.
        """
        numbers: dict[int, int] = {}  # of programs, by the identity of their images
        packed: list[Row] = []
        for image in (*head.images.values(), *head.threads.values()):
            if id(image) not in numbers:
                numbers[id(image)] = len(packed)
                packed.append(encode_program(image))
        try:
            check_size(packed)
        except ValueError as error:
            self._fail(error)
        programs = [(k, *row) for k, row in enumerate(packed)]
        values = (
            TRACE_VERSION,
            json.dumps(head.versions),
            head.scenario_name,
            head.scenario,
            head.arch.name,
            head.budget,
            head.model,
            head.cpu_khz,
            json.dumps([[change] for change in head.variation]),
        )
        tasks = [(k, name, numbers[id(i)]) for k, (name, i) in enumerate(head.images.items())]
        objects = [
            (
                number,
                name,
                numbers[id(head.threads[number])] if number in head.threads else None,
            )
            for number, name in sorted(head.objects.items())
        ]
        sealed = seal((values, *programs, *tasks, *objects))
        self._insert(
            ("head", [(*values, sealed)]),
            ("program", programs),
            ("task", tasks),
            ("object", objects),
        )
        self.has_begun = True

    def take(self, data: bytes) -> None:
        """Take whole records, which follow those before."""
        if self.truncated is None:
            self._pieces.append(data)
            self._size += len(data)

    def close(
        self, records: int, kinds: int, objects: int, cycle: int, position: int, digest: str
    ) -> None:
        """Store a chunk; see `Sink.close`."""
        first = self.events
        self.events += records
        if self.truncated is not None:
            return
        data = b"".join(self._pieces)
        assert self._size <= LARGEST_CHUNK, "no event is that long"
        packed = zlib.compress(data, _LEVEL)
        if self._file_size() + len(packed) + _ROOM > self._limit:
            self._truncate(first)
        else:
            first_cycle, first_position = _STAMP.unpack_from(data, 8)
            row = (
                self._chunks,
                first,
                records,
                first_cycle,
                cycle,
                first_position,
                position,
                to_signed(kinds),
                to_signed(objects),
                digest,
                self._size,
                packed,
            )
            self._insert(("chunk", [row]))
            self._chunks += 1
        self._pieces.clear()
        self._size = 0

    def live(self, life: Life) -> None:
        """Take note of a message that has lived; those that end later come later."""
        if self.truncated is None:
            self._lives.append(life)
            if len(self._lives) == LIVES:
                self._store_lives()

    def _store_lives(self) -> None:
        known = len(self._owners)
        packed = pack(self._lives, self._owners)
        row = (
            self._life_chunks,
            packed.records,
            packed.born,
            packed.died,
            to_signed(packed.threads),
            packed.size,
            zlib.compress(packed.data, _LEVEL),
        )
        owners = [(k, name) for name, k in self._owners.items() if k >= known]
        self._lives.clear()
        self._life_chunks += 1
        if self._file_size() + len(row[-1]) + _ROOM > self._limit:
            self._truncate(self.events)
        else:
            self._insert(("owner", owners), ("life", [row]))

    def _truncate(self, sequence: int) -> None:
        self.truncated = sequence
        self._pieces.clear()
        self._insert(("truncated", [(sequence, self._limit)]))

    def finish(self, ending: Ending, findings: Iterable[Mapping[str, object]] = ()) -> None:
        """Complete the trace: from now on the file has its name."""
        values = (
            ending.outcome,
            ending.engine,
            ending.events,
            ending.cycles,
            ending.instructions,
            ending.messages,
            ending.invocations,
            ending.trace_hash,
            int(ending.checked),
        )
        if self._lives:
            self._store_lives()
        found = [(k, json.dumps(body)) for k, body in enumerate(findings)]
        self._insert(("ending", [values]), ("finding", found))
        assert self._database is not None
        self._database.close()
        self._database = None
        try:
            with open(self.partial, "rb") as file:
                os.fsync(file.fileno())
            # The journal of an older file of this name would be taken for ours.
            _remove(journal_of(self.path))
            os.replace(self.partial, self.path)
        except OSError as error:
            self._fail(error)

    def _insert(self, *tables: tuple[str, Sequence[Sequence[object]]]) -> None:
        # All or nothing.
        assert self._database is not None, "the trace is finished"
        try:
            self._database.execute("BEGIN")
            for table, rows in tables:
                for row in rows:
                    marks = ",".join("?" * len(row))
                    self._database.execute(f"INSERT INTO {table} VALUES ({marks})", row)
            self._database.execute("COMMIT")
        except (sqlite3.Error, OverflowError) as error:
            self._fail(error)

    def _file_size(self) -> int:
        assert self._database is not None
        (pages,) = self._database.execute("PRAGMA page_count").fetchone()
        return int(pages) * PAGE_SIZE

    def _fail(self, error: Exception) -> NoReturn:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise GuestError(f"cannot write this trace: {reason.lower()}", file=str(self.path))


def _create(path: Path, partial: Path) -> sqlite3.Connection:
    if path.exists() and not path.is_file():
        raise ValueError("expected a regular file")
    if partial.exists():
        _check_abandoned(partial)
        _remove(partial)
        _remove(journal_of(partial))
    # Not through SQLite: this fails with the system's reason.
    with open(partial, "xb"):
        pass
    database = sqlite3.connect(partial, isolation_level=None)
    for pragma in (
        f"page_size = {PAGE_SIZE}",
        f"application_id = {APPLICATION_ID}",
        f"user_version = {FILE_VERSION}",
        "locking_mode = EXCLUSIVE",
        # A killed process loses nothing by this; a machine without power may.
        "synchronous = OFF",
    ):
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN EXCLUSIVE")
    for table in TABLES.values():
        database.execute(table)
    database.execute("COMMIT")
    return database


def _check_abandoned(partial: Path) -> None:
    # Whoever still writes it holds a lock.
    is_unfinished(partial)
    database = sqlite3.connect(f"{partial.absolute().as_uri()}?mode=rw", timeout=0, uri=True)
    try:
        database.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ValueError(f"{partial.name} is being written by another process") from None
    except sqlite3.Error:
        pass  # it is none of ours
    finally:
        database.close()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
