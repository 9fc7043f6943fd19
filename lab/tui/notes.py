"""Notes and bookmarks: what somebody wrote down about places in a run, in a file beside it.

The file is TOML, to be read and shared; it says which run it is about.  It is written whole
or not at all, and what somebody else wrote into it is one GuestError, never believed.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guest.errors import GuestError
from guest.table import Table, expected
from guest.toml import read_toml
from lab.atomic import write_text
from lab.moment import At

SUFFIX = ".notes.toml"
SCHEMA = 1
MAX_FILE = 1 << 20
MAX_NOTES = 1000
MAX_TEXT = 500
_AT = re.compile(r"(\d{1,18})(?:\+(\d{1,9}))?")


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A place, and what there is to say about it; nothing makes it a bookmark."""

    at: At
    text: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """All notes on a run, by place; `trace` is the hash of the run that they are about."""

    trace: str
    notes: tuple[Note, ...] = ()

    def put(self, note: Note) -> "Notes":
        """Add a note, or replace the one at the same place."""
        kept = [each for each in self.notes if each.at != note.at]
        return Notes(self.trace, tuple(sorted([*kept, note])))

    def drop(self, at: At) -> "Notes":
        """Take the note at a place away."""
        return Notes(self.trace, tuple(each for each in self.notes if each.at != at))


def load_notes(path: Path, trace: str) -> Notes:
    """Read the notes on a run; none if there is no file."""
    if not os.path.lexists(path):
        return Notes(trace)
    _, content = read_toml(path, limit=MAX_FILE, what="file of notes")
    top = Table(str(path), "", content)
    schema = top.integer("schema", None, low=0, high=1 << 30)
    if schema != SCHEMA:
        raise top.error("schema", f"notes of the schema {schema}: this l4lab knows {SCHEMA}")
    about = top.string("trace", "")
    if len(about) > 64 or not about.isprintable():
        raise top.error("trace", expected("a trace hash", about))
    tables = top.tables("note")
    top.finish()
    if len(tables) > MAX_NOTES:
        raise top.error("note", f"{len(tables)} notes, at most {MAX_NOTES}")
    notes = Notes(about)
    for table in tables:
        notes = notes.put(_note(table))
    return notes


def save_notes(path: Path, notes: Notes) -> None:
    """Write the notes; GuestError if that is not possible."""
    lines = [f"schema = {SCHEMA}", f"trace = {_string(notes.trace)}"]
    for note in notes.notes:
        lines += ["", "[[note]]", f'at = "{note.at}"', f"text = {_string(note.text)}"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise GuestError(f"cannot write here: {reason}", file=str(path.parent)) from None
    write_text(path, "\n".join(lines) + "\n")


def clean(text: str) -> str:
    """Make of what was typed what a note can hold."""
    return "".join(c for c in text if c.isprintable()).strip()[:MAX_TEXT]


def note_at(notes: Sequence[Note], at: At) -> Note | None:
    """Give the note at a place, if there is one."""
    return next((note for note in notes if note.at == at), None)


def _note(table: Table) -> Note:
    place = table.string("at")
    text = table.string("text", "")
    match = _AT.fullmatch(place)
    if match is None or not place.isascii():
        raise table.error("at", expected('a position such as "830" or "830+1"', place))
    if len(text) > MAX_TEXT or not text.isprintable():
        raise table.error("text", expected(f"up to {MAX_TEXT} printable characters", text))
    table.finish()
    return Note(At(int(match[1]), int(match[2] or 0)), text)


def _string(text: str) -> str:
    # JSON's strings of printable characters are TOML's basic strings.
    return json.dumps(text, ensure_ascii=False)
