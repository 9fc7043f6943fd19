"""A program in a trace: all of it, so that nothing is looked for on the disk.

Rule 1: a program is what its digest says, or it is refused.
Rule 2: what only explains addresses is checked for its shape; no text in it can steer a
terminal.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from guest.elf import parse_segments
from guest.image import Image, Line, Scope, Segment, Symbol, check_segments, digest_of
from kernel.abi import Arch, Page
from lab.trace.schema import LARGEST_DEBUG, LARGEST_IMAGE, LARGEST_PROGRAMS

_ELF, _SEGMENTS = "elf", "segments"
_SEGMENT = struct.Struct("<QQQQ")  # address, bytes of data, size, rights
_RIGHTS = int(Page.R | Page.W | Page.X)
_LEVEL = 6  # it is done once
_WORD = (1 << 64) - 1
_PIECE = 1 << 20

_Json: TypeAlias = "dict[str, _Json] | list[_Json] | str | int | float | bool | None"


class Row(NamedTuple):
    """A row of the table of programs, but for its number."""

    name: str
    form: str
    digest: str
    entry: int
    data: bytes
    debug: bytes


def encode_program(image: Image) -> Row:
    """Make a row of an image."""
    if image.file:
        form, data = _ELF, image.file
    else:
        form = _SEGMENTS
        data = b"".join(
            _SEGMENT.pack(s.address, len(s.data), s.size, int(s.rights)) + s.data
            for s in image.segments
        )
    return Row(
        image.name,
        form,
        image.digest,
        image.entry,
        zlib.compress(data, _LEVEL),
        zlib.compress(_encode_debug(image), _LEVEL),
    )


def decode_program(row: Row, arch: Arch) -> Image:
    """Make the image of a row; ValueError or GuestError if it is not what it should be."""
    data = inflate(row.data, LARGEST_IMAGE)
    if row.form == _ELF:
        entry, segments = parse_segments(data, arch, file=row.name)
        digest = hashlib.sha256(data).hexdigest()
    elif row.form == _SEGMENTS:
        entry, segments = row.entry, _decode_segments(data)
        check_segments(segments, arch, file=row.name)
        digest = digest_of(arch, entry, segments)
    else:
        raise ValueError(f"a program of the form {row.form[:20]!r}")
    if (entry, digest) != (row.entry, row.digest):
        raise ValueError("a program is not what its digest says")
    bare = Image(
        arch=arch,
        name=printable(row.name),
        entry=entry,
        segments=segments,
        symbols=(),
        lines=(),
        digest=digest,
        source={},
        file=data if row.form == _ELF else b"",
    )
    return _with_debug(bare, inflate(row.debug, LARGEST_DEBUG))


def inflate(data: bytes, limit: int) -> bytes:
    """Undo zlib's compression; ValueError if that is damaged, or gives over `limit` bytes."""
    machine = zlib.decompressobj()
    try:
        found = machine.decompress(data, limit + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(found) > limit:
        raise ValueError(f"over {limit} bytes when inflated")
    if not machine.eof or machine.unused_data:
        raise ValueError("compressed data that does not end where it should")
    return found


def check_size(rows: Iterable[Row]) -> None:
    """Refuse programs that are too large when they are inflated, each or together.

    Needs no memory for it.
    """
    room = LARGEST_PROGRAMS
    for row in rows:
        for data, limit in ((row.data, LARGEST_IMAGE), (row.debug, LARGEST_DEBUG)):
            limit = min(limit, room)
            size = _measure(data, limit)
            if size > limit:
                raise ValueError(f"a program is too large for a trace: over {limit} bytes")
            room -= size


def printable(text: str) -> str:
    """Escape what could steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _measure(data: bytes, limit: int) -> int:
    machine = zlib.decompressobj()
    size = 0
    try:
        while size <= limit and not machine.eof:
            found = machine.decompress(data, _PIECE)
            if not found and not machine.unconsumed_tail:
                break
            size += len(found)
            data = machine.unconsumed_tail
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return size


def _decode_segments(data: bytes) -> tuple[Segment, ...]:
    found = []
    at = 0
    while at < len(data):
        if at + _SEGMENT.size > len(data):
            raise ValueError("a segment ends within its head")
        address, length, size, rights = _SEGMENT.unpack_from(data, at)
        at += _SEGMENT.size
        if not length <= size <= LARGEST_IMAGE or at + length > len(data):
            raise ValueError("a segment is larger than its data")
        if rights & ~_RIGHTS or not rights & Page.R:
            raise ValueError(f"a segment of rights {rights:#x}")
        found.append(Segment(address, data[at : at + length], size, Page(rights)))
        at += length
    _check_sorted([segment.address for segment in found])
    return tuple(found)


def _encode_debug(image: Image) -> bytes:
    named = [x.file for x in (*image.lines, *image.begins)] + [s.file for s in image.scopes]
    files = {name: k for k, name in enumerate(dict.fromkeys(named))}
    tables: dict[str, object] = {
        "symbols": [(s.name, s.address, s.size) for s in image.symbols],
        "files": list(files),
        "lines": [(x.address, files[x.file], x.line) for x in image.lines],
        "begins": [(x.address, files[x.file], x.line) for x in image.begins],
        "scopes": [
            (s.around, s.function, files[s.file], s.line, s.lends) for s in image.scopes
        ],
        "map": image.scope_map,
        "source": image.source,
    }
    return json.dumps(tables, separators=(",", ":")).encode()


def _with_debug(image: Image, data: bytes) -> Image:
    try:
        tables: _Json = json.loads(data)
    except RecursionError:
        raise ValueError("debug information nested too deeply") from None
    if not isinstance(tables, dict):
        raise ValueError("debug information that is no object")
    files = [_text(name) for name in _list(tables, "files")]
    symbols = tuple(
        Symbol(_text(name), _number(address), _number(size))
        for name, address, size in _rows(tables, "symbols", 3)
    )
    scopes = tuple(
        # Those around a scope come before it, so that none lies in itself.
        Scope(
            _number(around, index, low=-1),
            _text(function),
            files[_number(file, len(files))],
            _number(line),
            lends is True,
        )
        for index, (around, function, file, line, lends) in enumerate(
            _rows(tables, "scopes", 5)
        )
    )
    scope_map = tuple(
        (_number(address), _number(scope, len(scopes), low=-1))
        for address, scope in _rows(tables, "map", 2)
    )
    _check_sorted([symbol.address for symbol in symbols])
    _check_sorted([address for address, _ in scope_map])
    source = tables.get("source")
    if not isinstance(source, dict):
        raise ValueError("sources that are no object")
    return replace(
        image,
        symbols=symbols,
        lines=_lines(tables, "lines", files),
        begins=_lines(tables, "begins", files),
        scopes=scopes,
        scope_map=scope_map,
        source={_text(name): _source(text) for name, text in source.items()},
    )


def _lines(tables: dict[str, _Json], name: str, files: list[str]) -> tuple[Line, ...]:
    lines = tuple(
        Line(_number(address), files[_number(file, len(files))], _number(line))
        for address, file, line in _rows(tables, name, 3)
    )
    _check_sorted([line.address for line in lines])
    return lines


def _check_sorted(addresses: list[int]) -> None:
    if addresses != sorted(addresses):
        raise ValueError("a table that is not sorted by address")


def _list(tables: dict[str, _Json], name: str) -> Sequence[_Json]:
    found = tables.get(name)
    if not isinstance(found, list):
        raise ValueError(f"no list of {name}")
    return found


def _rows(tables: dict[str, _Json], name: str, width: int) -> list[list[_Json]]:
    found: list[list[_Json]] = []
    for row in _list(tables, name):
        if not isinstance(row, list) or len(row) != width:
            raise ValueError(f"a row of {name} that has not {width} parts")
        found.append(row)
    return found


def _text(value: _Json) -> str:
    if not isinstance(value, str):
        raise ValueError("debug information with a name that is no text")
    return printable(value)


def _source(value: _Json) -> str:
    if not isinstance(value, str):
        raise ValueError("a source that is no text")
    value.encode()  # half a character is an error
    return value


def _number(value: _Json, limit: int = _WORD + 1, *, low: int = 0) -> int:
    if type(value) is not int or not low <= value < limit:
        raise ValueError("debug information with a number that is none")
    return value
