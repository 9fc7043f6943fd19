"""The store of an exploration: an SQLite file with the record of every run that was done.

Rule 1: a record is committed as soon as it is there; whatever is killed, what reached the
store is not run again.
Rule 2: a file belongs to one job; another one is refused.
"""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from guest.errors import GuestError
from kernel.variation import Choose
from lab.explore.job import Choices, Failure, Record

VERSION = 1
_SCHEMA = """
CREATE TABLE job (version INTEGER NOT NULL, digest TEXT NOT NULL);
CREATE TABLE run (key TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
"""


class Store:
    """Records by key: a text that says which run it was.

    With `resumes` a file that is there is gone on with; without it must not exist.
    """

    def __init__(self, path: Path, digest: str, *, resumes: bool) -> None:
        self.path = path
        exists = path.exists()
        if exists and not resumes:
            raise GuestError("there already: go on with --resume", file=str(path))
        try:
            self._connection = sqlite3.connect(path)
            self._connection.execute("PRAGMA trusted_schema = OFF")
            if exists:
                self._check(digest)
            else:
                self._connection.executescript(_SCHEMA)
                self._connection.execute("INSERT INTO job VALUES (?, ?)", (VERSION, digest))
                self._connection.commit()
        except sqlite3.Error as error:
            raise GuestError(f"no store of an exploration: {error}", file=str(path)) from error

    def load(self) -> dict[str, Record]:
        """Give all records; GuestError if one is damaged."""
        found: dict[str, Record] = {}
        try:
            for key, text in self._connection.execute("SELECT key, record FROM run"):
                found[key] = _decode(json.loads(text))
        except (sqlite3.Error, ValueError, TypeError, KeyError, IndexError) as error:
            raise GuestError(f"damaged: {error}", file=str(self.path)) from error
        return found

    def add(self, records: Iterable[tuple[str, Record]]) -> None:
        """Keep records."""
        rows = [(key, json.dumps(_encode(record))) for key, record in records]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise GuestError(f"cannot be written: {error}", file=str(self.path)) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _check(self, digest: str) -> None:
        rows = self._connection.execute("SELECT version, digest FROM job").fetchall()
        if len(rows) != 1 or rows[0][0] != VERSION:
            raise GuestError("a store of another version", file=str(self.path))
        if rows[0][1] != digest:
            raise GuestError(
                "of another exploration: scenario, programs or settings differ",
                file=str(self.path),
            )


def encode_choices(choices: Choices) -> list[list[int | str]]:
    """Make choices of plain values."""
    return [[each.subject, each.point, each.ordinal, each.option] for each in choices]


def decode_choices(value: list[list[int | str]]) -> Choices:
    """Make choices of what `encode_choices` gave."""
    return tuple(
        Choose(int(subject), str(point), int(ordinal), int(option))
        for subject, point, ordinal, option in value
    )


def _encode(record: Record) -> list[object]:
    return [
        encode_choices(record.choices),
        [[failure.kind, failure.text] for failure in record.failures],
        [encode_choices(choices) for choices in record.following],
        record.asked,
        record.behaviour,
        [list(place) for place in record.places],
    ]


def _decode(value: list[list[list[int | str]]]) -> Record:
    choices, failures, following, asked, behaviour, places = value
    return Record(
        choices=decode_choices(choices),
        failures=tuple(Failure(str(kind), str(text)) for kind, text in failures),
        following=tuple(decode_choices(each) for each in following),  # type: ignore[arg-type]
        asked=int(asked),  # type: ignore[call-overload]
        behaviour=str(behaviour),
        places=tuple((int(task), int(address)) for task, address in places),
    )
