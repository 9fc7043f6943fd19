"""Static ELF executables to images.

Rule 1: what is mapped is decided here, and every read of it is checked against the file;
damage to it is an error.  Symbols and lines only explain: `guest.debug_info` has them read
elsewhere, and damage to them means that there are none.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from guest.debug_info import DebugInfo, Elf, read_debug_info
from guest.debug_link import find_debug_file
from guest.errors import GuestError
from guest.files import read_file
from guest.image import Image, Line, Segment, check_segments
from kernel.abi import AMD64, Arch, Page

MAX_FILE = 64 << 20
MAX_HEADERS = 256  # program headers
MAX_SOURCES = 64
MAX_SOURCE = 1 << 20

_MACHINES = {3: "ia32", 62: "amd64"}
_EXECUTABLE, _SHARED = 2, 3
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3

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


def load_elf(path: Path, arch: Arch) -> Image:
    """Read the static executable at `path` for `arch`."""
    return load_elfs([path], arch)[0]


def load_elfs(paths: Iterable[Path], arch: Arch) -> list[Image]:
    """Read several executables, the debug information of all at the same time."""
    return _images(
        [(path, read_file(path, limit=MAX_FILE, what="image")) for path in paths], arch
    )


def parse_elf(data: bytes, arch: Arch, *, path: Path) -> Image:
    """Make an image of the bytes of an ELF file; `path` is for names and errors."""
    return _images([(path, data)], arch)[0]


def parse_segments(data: bytes, arch: Arch, *, file: str) -> tuple[int, tuple[Segment, ...]]:
    """Give the entry and the segments of an ELF file, if they can be mapped and started."""
    entry, headers = _headers(data, arch, file)
    segments = tuple(_segments(data, headers, file))
    if not segments:
        raise GuestError("no segment to load: expected a linked executable", file=file)
    check_segments(segments, arch, file=file)
    executable = [segment for segment in segments if segment.rights & Page.X]
    if not any(segment.address <= entry < segment.end for segment in executable):
        raise GuestError(f"the entry {entry:#x} is outside of executable segments", file=file)
    return entry, segments


def _images(files: list[tuple[Path, bytes]], arch: Arch) -> list[Image]:
    parts = [parse_segments(data, arch, file=str(path)) for path, data in files]
    elves = [
        Elf(data, hashlib.sha256(data).hexdigest(), arch, segments)
        for (_, data), (_, segments) in zip(files, parts, strict=True)
    ]
    return [
        Image(
            arch=arch,
            name=path.name,
            entry=entry,
            segments=elf.segments,
            symbols=debug.symbols,
            lines=debug.lines,
            scopes=debug.scopes,
            scope_map=debug.scope_map,
            begins=debug.begins,
            digest=elf.digest,
            source=_sources(debug.lines, path.parent),
            file=elf.data,
        )
        for (path, _), (entry, _), elf, debug in zip(
            files, parts, elves, _debug_info([path for path, _ in files], elves), strict=True
        )
    ]


def _debug_info(paths: list[Path], elves: list[Elf]) -> list[DebugInfo]:
    """Read what the files tell, and for those without lines what their debug files do."""
    found = read_debug_info(elves)
    separate: dict[int, Elf] = {}
    for number, (path, elf) in enumerate(zip(paths, elves, strict=True)):
        data = None
        if not found[number].lines:
            data = find_debug_file(elf.data, path, limit=MAX_FILE)
        if data is not None:
            # What is read of it depends on what the program maps.
            digest = hashlib.sha256(elf.digest.encode() + hashlib.sha256(data).digest())
            separate[number] = Elf(data, digest.hexdigest(), elf.arch, elf.segments)
    read = read_debug_info(list(separate.values()))
    for number, debug in zip(separate, read, strict=True):
        symbols = debug.symbols or found[number].symbols
        found[number] = replace(debug, symbols=symbols)
    return found


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
