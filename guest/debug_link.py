"""Separate debug files: what a stripped program says of its own, and where that lies.

A program names it in the section ``.gnu_debuglink`` (a file name and the CRC-32 of the file's
content), or has a build id, the same as in its debug file (gdb manual, "Separate Debug Files").

Rule 1: only files in the program's folder, or in ``.debug``, ``debug`` or ``.build-id`` below
it, are ever looked at: a hostile program cannot point anywhere else.
Rule 2: a file that is not the one meant is none; and so is what is damaged.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guest.errors import GuestError
from guest.files import read_file

_MOST_SECTIONS = 4096
_LONGEST_NAME = 255  # bytes
_LONGEST_ID = 64
_GNU_BUILD_ID = 3  # type of the note
_FOLDERS = (".", ".debug", "debug")


@dataclass(frozen=True, slots=True)
class Link:
    """What a program says of its debug file; empty if it does not."""

    name: str = ""
    crc: int = 0
    build_id: bytes = b""


def find_debug_file(data: bytes, path: Path, *, limit: int) -> bytes | None:
    """Read the debug file of the program at `path`, whose content is `data`, if it is there.

    At most `limit` bytes are read of any file.
    """
    link = read_link(data)
    for place in _places(link, path.parent):
        try:
            if place.samefile(path):
                continue
            found = read_file(place, limit=limit, what="debug file")
        except (GuestError, OSError, ValueError):
            continue
        if _is_meant(link, found):
            return found
    return None


def read_link(data: bytes) -> Link:
    """Read what the sections of an ELF file say of its debug file."""
    name, crc, build_id = "", 0, b""
    try:
        for section, content in _sections(data):
            if section == b".gnu_debuglink":
                name, crc = _parse_link(content)
            elif section == b".note.gnu.build-id":
                build_id = _parse_note(content)
    except (struct.error, ValueError):
        return Link()
    return Link(name, crc, build_id)


def _is_meant(link: Link, found: bytes) -> bool:
    if link.build_id and read_link(found).build_id == link.build_id:
        return True
    return bool(link.name) and zlib.crc32(found) == link.crc


def _places(link: Link, folder: Path) -> Iterator[Path]:
    if link.build_id:
        text = link.build_id.hex()
        for below in _FOLDERS:
            yield folder / below / ".build-id" / text[:2] / f"{text[2:]}.debug"
    if link.name:
        for below in _FOLDERS:
            yield folder / below / link.name


def _parse_link(content: bytes) -> tuple[str, int]:
    # The name, zeros up to a multiple of four, the checksum.
    raw, zero, _ = content.partition(b"\0")
    name = raw.decode()
    if not zero or not 0 < len(raw) <= _LONGEST_NAME or "/" in name or name in (".", ".."):
        raise ValueError("not the name of a file")
    (crc,) = struct.unpack_from("<I", content, (len(raw) + 4) & -4)
    return name, crc


def _parse_note(content: bytes) -> bytes:
    owner, size, kind = struct.unpack_from("<III", content)
    if owner != 4 or kind != _GNU_BUILD_ID or not 2 <= size <= _LONGEST_ID:
        return b""
    found = content[16 : 16 + size]
    return found if len(found) == size and content[12:16] == b"GNU\0" else b""


def _sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the sections that have content, with their names; struct.error if damaged."""
    if data[:4] != b"\x7fELF" or len(data) < 52:
        return
    wide = data[4] == 2
    (offset,) = struct.unpack_from("<Q" if wide else "<I", data, 40 if wide else 32)
    size, count, names = struct.unpack_from("<HHH", data, 58 if wide else 46)
    form = "<IIQQQQ" if wide else "<IIIIII"
    if size < struct.calcsize(form) or not names < count <= _MOST_SECTIONS:
        return
    rows = [struct.unpack_from(form, data, offset + k * size) for k in range(count)]
    _, _, _, _, table, length = rows[names]
    text = data[table : table + length]
    for name, kind, _, _, start, length in rows:
        no_bits = 8
        if kind != no_bits and length <= 4096 and name < len(text):
            yield text[name : text.find(b"\0", name)], data[start : start + length]
