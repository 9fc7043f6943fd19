"""Static ELF executables to images.

Rule 1: every read is checked against the file.  Damage to what is mapped is an error; damage
to section headers, symbols and lines means that there are none.
"""

import hashlib
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from guest.dwarf import Damaged, read_lines
from guest.errors import GuestError
from guest.files import read_file
from guest.image import Image, Line, Segment, Symbol, check_segments
from kernel.abi import AMD64, Arch, Page

MAX_FILE = 64 << 20
MAX_HEADERS = 256  # program headers, and sections
MAX_SYMBOLS = 200_000
MAX_NAME = 4096
MAX_SOURCES = 64
MAX_SOURCE = 1 << 20

_MACHINES = {3: "ia32", 62: "amd64"}
_EXECUTABLE, _SHARED = 2, 3
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3

_SYMBOL_TABLE, _NO_BITS = 2, 8
_COMPRESSED = 0x800
_SYMBOL_KINDS = (0, 1, 2)  # no type, object, function
_DEBUG = frozenset(
    (".debug_line", ".debug_line_str", ".debug_str", ".debug_info", ".debug_abbrev")
)
_SOURCES = frozenset(
    (".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".s", ".S", ".inc", ".rs")
)


@dataclass(frozen=True, slots=True)
class _Header:
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    size: int


@dataclass(frozen=True, slots=True)
class _Section:
    """A section header; `name` is a number until the names are known."""

    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    entry: int


def load_elf(path: Path, arch: Arch) -> Image:
    """Read the static executable at `path` for `arch`."""
    data = read_file(path, limit=MAX_FILE, what="image")
    return parse_elf(data, arch, path=path)


def parse_elf(data: bytes, arch: Arch, *, path: Path) -> Image:
    """Make an image of the bytes of an ELF file; `path` is for names and errors."""
    file = str(path)
    entry, headers = _headers(data, arch, file)
    segments = tuple(_segments(data, headers, file))
    if not segments:
        raise GuestError("no segment to load: expected a linked executable", file=file)
    check_segments(segments, arch, file=file)
    executable = [segment for segment in segments if segment.rights & Page.X]
    if not any(segment.address <= entry < segment.end for segment in executable):
        raise GuestError(f"the entry {entry:#x} is outside of executable segments", file=file)
    sections = _sections(data, arch)
    lines = _lines(data, sections, segments)
    return Image(
        arch=arch,
        name=path.name,
        entry=entry,
        segments=segments,
        symbols=_symbols(data, arch, sections, segments),
        lines=lines,
        digest=hashlib.sha256(data).hexdigest(),
        source=_sources(lines, path.parent),
    )


def _headers(data: bytes, arch: Arch, file: str) -> tuple[int, list[_Header]]:
    if data[:4] != b"\x7fELF":
        raise GuestError(
            "not an ELF file: expected an executable, or a source in .s", file=file
        )
    wide = arch is AMD64
    if len(data) < (64 if wide else 52):
        raise GuestError(f"truncated: an ELF header in {len(data)} bytes", file=file)
    kind, machine = struct.unpack_from("<HH", data, 16)
    if data[5] != 1 or machine not in _MACHINES:
        raise GuestError(
            f"built for another machine ({machine}), expected {arch.name}", file=file
        )
    found = _MACHINES[machine]
    if found != arch.name or data[4] != (2 if wide else 1):
        bits = {1: 32, 2: 64}.get(data[4], 0)
        raise GuestError(
            f"built for {found} ({bits}-bit), expected {arch.name} ({arch.bits}-bit)", file=file
        )
    if kind == _SHARED:
        raise GuestError(
            "position-independent or shared: expected a static executable "
            "(link with -static -no-pie)",
            file=file,
        )
    if kind != _EXECUTABLE:
        raise GuestError(
            f"ELF type {kind}: expected an executable, linked with -static", file=file
        )
    if wide:
        entry, offset = struct.unpack_from("<QQ", data, 24)
        size, count = struct.unpack_from("<HH", data, 54)
    else:
        entry, offset = struct.unpack_from("<II", data, 24)
        size, count = struct.unpack_from("<HH", data, 42)
    form = "<IIQQQQQQ" if wide else "<IIIIIIII"
    if size != struct.calcsize(form) or count > MAX_HEADERS:
        raise GuestError(
            f"{count} program headers of {size} bytes, expected at most {MAX_HEADERS} "
            f"of {struct.calcsize(form)}",
            file=file,
        )
    if offset + size * count > len(data):
        raise GuestError(
            f"truncated: program headers at {offset:#x}-{offset + size * count:#x} "
            f"of {len(data):#x} bytes",
            file=file,
        )
    headers = []
    for index in range(count):
        fields = struct.unpack_from(form, data, offset + index * size)
        if wide:
            number, flags, start, address, _, file_size, memory, _ = fields
        else:
            number, start, address, _, file_size, memory, flags, _ = fields
        headers.append(_Header(number, flags, start, address, file_size, memory))
    if any(header.kind in (_DYNAMIC, _INTERPRETER) for header in headers):
        raise GuestError("dynamically linked: expected a static executable", file=file)
    return entry, headers


def _segments(data: bytes, headers: list[_Header], file: str) -> list[Segment]:
    found = []
    for header in headers:
        if header.kind != _LOAD or header.size == 0:
            continue
        shown = f"segment {header.address:#x}"
        if header.file_size > header.size:
            raise GuestError(
                f"{shown} has {header.file_size:#x} bytes in the file and {header.size:#x} "
                "in memory",
                file=file,
            )
        end = header.offset + header.file_size
        if end > len(data):
            raise GuestError(
                f"truncated: {shown} at {header.offset:#x}-{end:#x} of {len(data):#x} bytes",
                file=file,
            )
        # The flags of a segment happen to have the values of our rights.
        rights = Page(header.flags & 7)
        if not rights & Page.R:
            raise GuestError(f"{shown} is not readable, which x86 cannot do", file=file)
        found.append(Segment(header.address, data[header.offset : end], header.size, rights))
    return sorted(found, key=lambda segment: segment.address)


def _sections(data: bytes, arch: Arch) -> list[_Section]:
    """Read the section headers, without names; none if they make no sense."""
    wide = arch is AMD64
    form = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    (offset,) = struct.unpack_from("<Q" if wide else "<I", data, 40 if wide else 32)
    size, count, strings = struct.unpack_from("<HHH", data, 58 if wide else 46)
    if (
        size != struct.calcsize(form)
        or count > MAX_HEADERS
        or offset + size * count > len(data)
    ):
        return []
    found = []
    for index in range(count):
        name, kind, flags, _, start, length, link, _, _, entry = struct.unpack_from(
            form, data, offset + index * size
        )
        if kind == _NO_BITS or start + length > len(data):
            start = length = 0
        found.append(_Section(str(name), kind, flags, start, length, link, entry))
    if strings >= count:
        return []
    names = found[strings]
    return [replace(section, name=_string(data, names, int(section.name))) for section in found]


def _string(data: bytes, strings: _Section, offset: int) -> str:
    start = strings.offset + offset
    limit = min(strings.offset + strings.size, start + MAX_NAME)
    end = data.find(b"\0", start, limit)
    return data[start:end].decode(errors="replace") if end >= 0 else ""


def _symbols(
    data: bytes, arch: Arch, sections: list[_Section], segments: tuple[Segment, ...]
) -> tuple[Symbol, ...]:
    found: dict[tuple[int, str], int] = {}
    form = "<IBBHQQ" if arch is AMD64 else "<IIIBBH"
    width = struct.calcsize(form)
    for table in sections:
        if table.kind != _SYMBOL_TABLE or table.entry != width or table.link >= len(sections):
            continue
        strings = sections[table.link]
        for index in range(min(table.size // width, MAX_SYMBOLS)):
            fields = struct.unpack_from(form, data, table.offset + index * width)
            if arch is AMD64:
                name, info, _, where, address, size = fields
            else:
                name, address, size, info, _, where = fields
            if info & 15 not in _SYMBOL_KINDS or where == 0 or not _inside(address, segments):
                continue
            text = _string(data, strings, name)
            if text:
                size = min(size, arch.user_end - address)
                found[address, text] = max(size, found.get((address, text), 0))
    return tuple(Symbol(name, address, size) for (address, name), size in sorted(found.items()))


def _inside(address: int, segments: tuple[Segment, ...]) -> bool:
    # "At the end" is for symbols such as _end, and for the ends of runs of lines.
    return any(segment.address <= address <= segment.end for segment in segments)


def _lines(
    data: bytes, sections: list[_Section], segments: tuple[Segment, ...]
) -> tuple[Line, ...]:
    """Read the line table; none if it is damaged or compressed."""
    debug = {
        section.name[1:]: data[section.offset : section.offset + section.size]
        for section in sections
        if section.name in _DEBUG and not section.flags & _COMPRESSED
    }
    try:
        rows = read_lines(debug)
    except Damaged:
        return ()
    found: dict[int, Line] = {}
    for line in rows:
        # The end of a run gives way to the beginning of another.
        if _inside(line.address, segments) and (line.file or line.address not in found):
            found[line.address] = line
    merged: list[Line] = []
    for line in sorted(found.values(), key=lambda line: line.address):
        if not merged or (merged[-1].file, merged[-1].line) != (line.file, line.line):
            merged.append(line)
    return tuple(merged)


def _sources(lines: tuple[Line, ...], folder: Path) -> dict[str, str]:
    """Read the files that lines name, as far as they are there and are sources."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(line.file for line in lines if line.file):
        path = Path(folder, name)
        # A hostile image must not get other files of the host into a report.
        if path.suffix not in _SOURCES or len(found) >= MAX_SOURCES:
            continue
        try:
            found[name] = read_file(path, limit=MAX_SOURCE, what="source").decode()
        except (GuestError, UnicodeDecodeError):
            continue
    return found
