"""Opening the file of a trace: from bytes that anyone may have made to a head that holds.

The order matters: nothing of the schema is used before it is known to be ours, and nothing
of the content before SQLite has checked the file's structure.
"""

import json
import re
import sqlite3
import stat
from pathlib import Path
from typing import Any

from guest.errors import GuestError
from kernel.abi import ARCHES
from lab.trace.format import TRACE_VERSION
from lab.trace.head import Head, seal
from lab.trace.journal import is_unfinished
from lab.trace.lives import LIVES, LifeChunk
from lab.trace.program import Row, check_size, decode_program, printable
from lab.trace.schema import (
    APPLICATION_ID,
    FILE_VERSION,
    LARGEST_BLOB,
    LARGEST_CHUNK,
    MAGIC,
    TABLES,
    from_signed,
)

_MAX_PROGRAMS = 1024
_MAX_OBJECTS = 1 << 16
_MAX_FINDINGS = 1 << 16
_MAX_LIFE_CHUNKS = 1 << 20
# Of SQLite's virtual machine: what opening takes, many times over.  A schema that is a
# maze of pages would be walked for ever.
_MOST_STEPS = 50_000_000
_STEPS_BETWEEN = 100_000
_NAME = re.compile(r"[^/]{1,255}")


def damaged(path: Path, what: object) -> GuestError:
    """Make the error of a trace that is not as it should be: one line, whatever is in it."""
    text = printable(" ".join(str(what).split())[:200])
    return GuestError(f"this trace is damaged: {text}", file=str(path))


def is_trace(path: Path) -> bool:
    """Answer whether there is a file that may be a trace: a database, by its beginning."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def check_file(path: Path) -> None:
    """Refuse what is no SQLite database, before SQLite sees it."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise GuestError("expected a regular file for this trace", file=str(path))
        with open(path, "rb") as file:
            head = file.read(len(MAGIC))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = ""
        if path.with_name(f"{path.name}.partial").exists():
            hint = f"; {path.name}.partial has what was recorded until it was stopped"
        message = f"cannot read this trace: {reason.lower()}{hint}"
        raise GuestError(message, file=str(path)) from None
    if head != MAGIC:
        raise GuestError("this is not a trace", file=str(path))


def open_database(path: Path) -> sqlite3.Connection:
    """Open a file and check that its structure is a trace's."""
    database: sqlite3.Connection | None = None
    try:
        if is_unfinished(path):
            _undo_half(path)
        database = _connect(path, "ro")
        left = _MOST_STEPS // _STEPS_BETWEEN

        def is_too_long() -> bool:
            nonlocal left
            left -= 1
            return left < 0

        database.set_progress_handler(is_too_long, _STEPS_BETWEEN)
        _check_version(database, path)
        found = database.execute(
            "SELECT type, name, sql FROM sqlite_schema LIMIT 100"
        ).fetchall()
        if sorted(found) != sorted(("table", name, sql) for name, sql in TABLES.items()):
            raise ValueError("its tables are not those of a trace")
        (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise ValueError(answer)
        _check_trace_version(database, path)
        database.set_progress_handler(None, 0)
    except (ValueError, TypeError, OSError, sqlite3.Error) as error:
        if database is not None:
            database.close()
        if "locked" in str(error):
            raise GuestError("this trace is still being written", file=str(path)) from None
        raise damaged(path, error) from None
    except GuestError:
        if database is not None:
            database.close()
        raise
    return database


def read_head(database: sqlite3.Connection) -> Head:
    """Read which run it is; ValueError or GuestError if that makes no sense."""
    rows = database.execute("SELECT * FROM head").fetchmany(2)
    if len(rows) != 1:
        raise ValueError("nothing was recorded" if not rows else "it has two heads")
    (*values, sealed) = rows[0]
    programs = _rows(database, "program", _MAX_PROGRAMS)
    tasks = _rows(database, "task", _MAX_PROGRAMS)
    objects = _rows(database, "object", _MAX_OBJECTS)
    if seal((tuple(values), *programs, *tasks, *objects)) != sealed:
        raise ValueError("its head is not what was written")
    _, versions, name, text, arch_name, budget, model, cpu_khz, variation = values
    arch = ARCHES.get(arch_name)
    if arch is None or not _NAME.fullmatch(name) or not (name + model).isprintable():
        raise ValueError("its head makes no sense")
    if budget <= 0 or cpu_khz <= 0:
        raise ValueError("a run without time")
    if [row[0] for row in programs] != list(range(len(programs))):
        raise ValueError("its programs are not numbered")
    packed = [Row(*row[1:]) for row in programs]
    check_size(packed)
    images = [decode_program(row, arch) for row in packed]
    return Head(
        scenario_name=name,
        scenario=text,
        arch=arch,
        budget=budget,
        model=model,
        cpu_khz=cpu_khz,
        images={printable(task): images[_index(k, len(images))] for _, task, k in tasks},
        objects={number: printable(called) for number, called, _ in objects},
        threads={
            number: images[_index(k, len(images))] for number, _, k in objects if k is not None
        },
        versions=tuple((name, version) for name, version in _texts(versions, 2)),
        variation=tuple(change for (change,) in _texts(variation, 1)),
    )


def read_findings(database: sqlite3.Connection) -> tuple[str, ...]:
    """Read what the checker found."""
    rows = _rows(database, "finding", _MAX_FINDINGS)
    for _, body in rows:
        try:
            if not isinstance(json.loads(body), dict):
                raise ValueError("a finding that is no object")
        except RecursionError:
            raise ValueError("a finding nested too deeply") from None
    return tuple(body for _, body in rows)


def read_owners(database: sqlite3.Connection) -> tuple[str, ...]:
    """Read the names of the functions that messages belong to."""
    rows = _rows(database, "owner", _MAX_OBJECTS)
    if [number for number, _ in rows] != list(range(len(rows))):
        raise ValueError("its owners are not numbered")
    return tuple(printable(name) for _, name in rows)


def read_life_chunks(database: sqlite3.Connection) -> tuple[LifeChunk, ...]:
    """Read the index of the lives."""
    columns = "number, records, born, died, threads, size"
    rows = _rows(database, "life", _MAX_LIFE_CHUNKS, columns)
    chunks: list[LifeChunk] = []
    for row in rows:
        chunk = LifeChunk(*row)
        if (
            chunk.number != len(chunks)
            or not 0 < chunk.records <= LIVES
            or not 0 <= chunk.born <= chunk.died
            or not 0 < chunk.size <= LARGEST_CHUNK
        ):
            raise ValueError(f"lives {len(chunks)}: their row in the index makes no sense")
        chunks.append(chunk._replace(threads=from_signed(chunk.threads)))
    return tuple(chunks)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_BLOB)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    return database


def _undo_half(path: Path) -> None:
    # SQLite does it when it first reads a file that it may write.
    database = _connect(path, "rw")
    try:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    finally:
        database.close()


def _check_version(database: sqlite3.Connection, path: Path) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise GuestError("this is not a trace, but another database", file=str(path))
    (version,) = database.execute("PRAGMA user_version").fetchone()
    _compare("file", version, FILE_VERSION, path)


def _check_trace_version(database: sqlite3.Connection, path: Path) -> None:
    for (version,) in database.execute("SELECT trace_version FROM head LIMIT 1"):
        _compare("events", version, TRACE_VERSION, path)


def _compare(what: str, found: object, ours: int, path: Path) -> None:
    if type(found) is not int:
        raise ValueError("a version that is no number")
    if found == ours:
        return
    age, cure = "an older", "record it again"
    if found > ours:
        age, cure = "a newer", "use a newer l4lab"
    raise GuestError(
        f"this trace is of {age} version ({what} {found}, this l4lab reads {ours}): {cure}",
        file=str(path),
    )


def _rows(
    database: sqlite3.Connection, table: str, limit: int, columns: str = "*"
) -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM {table} ORDER BY number"
    rows = database.execute(query).fetchmany(limit + 1)
    if len(rows) > limit:
        raise ValueError(f"over {limit} rows of {table}")
    return rows


def _index(number: int, count: int) -> int:
    if not 0 <= number < count:
        raise ValueError(f"program {number} of {count}")
    return number


def _texts(text: str, width: int) -> list[list[str]]:
    """Take a JSON list of lists of so many strings apart."""
    try:
        rows = json.loads(text)
    except RecursionError:
        raise ValueError("a list nested too deeply") from None
    if not isinstance(rows, list):
        raise ValueError("expected a list")
    for row in rows:
        if not isinstance(row, list) or len(row) != width:
            raise ValueError(f"expected {width} texts")
        if not all(isinstance(part, str) and part.isprintable() for part in row):
            raise ValueError("expected texts")
    return rows
