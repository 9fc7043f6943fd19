"""Assembly sources to images, by Keystone in a process of its own.

Keystone knows neither sections nor symbols nor lines.  The statements of a source are
sorted by section, each section begins a page, and a table of all labels and of the start
of every instruction is appended, whose values are then read out of the assembled bytes.
Results are kept in the user's cache, by the sha256 of all that decides them.
"""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from guest.cache import cached, store
from guest.errors import GuestError
from guest.expand import RESERVED, Form, Section, fail
from guest.image import Image, Line, Segment, Symbol, check_segments, digest_of
from guest.keystone_process import assemble_jobs
from guest.layout import BASE, Job, prepare
from kernel.abi import Arch, Page

_RIGHTS = {
    Section.TEXT: Page.R | Page.X,
    Section.RODATA: Page.R,
    Section.DATA: Page.R | Page.W,
    Section.BSS: Page.R | Page.W,
}


def assemble(path: Path, arch: Arch, *, folders: Sequence[Path] = ()) -> Image:
    """Assemble `path` for `arch`; `folders` are further places for its includes."""
    return assemble_all([(path, arch)], folders=folders)[0]


def assemble_all(
    programs: Iterable[tuple[Path, Arch]], *, folders: Sequence[Path] = ()
) -> list[Image]:
    """Assemble several sources at once, each that is not in the cache in its own process."""
    jobs = [prepare(path, arch, folders) for path, arch in programs]
    results: dict[str, bytes] = {}
    missing: dict[str, Job] = {}
    for job in jobs:
        data = cached(job.key)
        if data is None:
            missing[job.key] = job
        else:
            results[job.key] = data
    waiting = list(missing.values())
    for job, data in zip(waiting, assemble_jobs(waiting), strict=True):
        results[job.key] = data
        store(job.key, data)
    return [_image(job, results[job.key]) for job in jobs]


def _image(job: Job, data: bytes) -> Image:
    """Take the assembled bytes apart."""
    count = 2 * len(job.sections) + len(job.points)
    file = str(job.path)
    if len(data) < 8 * count:
        raise GuestError("the assembler lost a part of this source", file=file)
    table = struct.unpack(f"<{count}Q", data[len(data) - 8 * count :])
    bounds = dict(zip(job.sections, zip(table[0::2], table[1::2], strict=False), strict=False))
    addresses = table[2 * len(job.sections) :]
    segments = []
    for section, (begin, end) in bounds.items():
        content = data[begin - BASE : end - BASE]
        if end - begin != len(content):
            raise GuestError("the assembler lost a part of this source", file=file)
        if content:
            trimmed = content.rstrip(b"\0") if section is Section.BSS else content
            segments.append(Segment(begin, trimmed, len(content), _RIGHTS[section]))
    symbols, lines = [], []
    for index, (statement, address) in enumerate(zip(job.points, addresses, strict=True)):
        end = bounds[statement.section][1]
        if statement.form is Form.LABEL:
            if not statement.name.startswith((".L", RESERVED)):
                symbols.append((address, statement.name, end))
            continue
        if statement.form is Form.INSTRUCTION:
            following = end
            if (
                index + 1 < len(addresses)
                and job.points[index + 1].section is statement.section
            ):
                following = addresses[index + 1]
            if following <= address:
                raise fail(f"{statement.name!r} was assembled to nothing", statement.place)
        if statement.section is Section.TEXT:
            lines.append(Line(address, statement.place.file, statement.place.line))
    entry = next(address for address, name, _ in symbols if name == "_start")
    if not any(s.address <= entry < s.end and s.rights & Page.X for s in segments):
        raise GuestError("_start has no code: expected instructions in .text", file=file)
    lines.sort(key=lambda line: line.address)
    check_segments(segments, job.arch, file=file)
    return Image(
        arch=job.arch,
        name=job.path.stem,
        entry=entry,
        segments=tuple(segments),
        symbols=_sized(symbols),
        lines=_merged(lines),
        digest=digest_of(job.arch, entry, segments),
        source=job.source.files,
    )


def _sized(symbols: list[tuple[int, str, int]]) -> tuple[Symbol, ...]:
    """Let every symbol reach to the next one of its section."""
    ordered = sorted(symbols, key=lambda symbol: symbol[0])
    found: list[Symbol] = []
    following: dict[int, int] = {}  # by the end of the section
    for address, name, end in reversed(ordered):
        # Labels at one address are names of the same thing.
        if found and found[-1].address == address:
            found.append(Symbol(name, address, found[-1].size))
        else:
            found.append(Symbol(name, address, following.get(end, end) - address))
        following[end] = address
    return tuple(reversed(found))


def _merged(lines: list[Line]) -> tuple[Line, ...]:
    """Keep the first of successive instructions of one line."""
    found: list[Line] = []
    for line in lines:
        if not found or (found[-1].file, found[-1].line) != (line.file, line.line):
            found.append(line)
    return tuple(found)
