"""Symbols and lines of ELF files, which pyelftools reads in a process of its own.

Rule 1: pyelftools cannot be bounded on a hostile file.  Whatever a file does to the process
that reads it, the file's symbols, its lines or both are missing then, and that is all.
Rule 2: results are kept in the user's cache, by the sha256 of all that decides them.
"""

import hashlib
import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from guest.cache import cached, installed, store
from guest.child import Request, run_all
from guest.image import Line, Scope, Segment, Symbol
from kernel.abi import Arch

FORMAT = 6  # of cache entries and of what the child answers


@dataclass(frozen=True, slots=True)
class Elf:
    """A file, of which is known what it maps; `digest` is its sha256."""

    data: bytes = field(repr=False)
    digest: str
    arch: Arch
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class DebugInfo:
    """What a file tells of its own addresses, sorted by address."""

    symbols: tuple[Symbol, ...]
    lines: tuple[Line, ...]
    scopes: tuple[Scope, ...] = ()
    scope_map: tuple[tuple[int, int], ...] = ()
    begins: tuple[Line, ...] = ()


class _Tables(TypedDict, total=False):
    """What the child answered; a table that is missing could not be read."""

    symbols: list[tuple[str, int, int]]
    files: list[str]
    lines: list[tuple[int, int, int]]  # address, index of the file, line
    scopes: list[tuple[int, str, int, int, bool]]  # around, function, file, line, lends
    map: list[tuple[int, int]]  # address, scope
    begins: list[tuple[int, int, int]]  # address, index of the file, line


def read_debug_info(elves: Sequence[Elf]) -> list[DebugInfo]:
    """Read what all files tell, each that is not in the cache in its own process."""
    keys = [_key(elf) for elf in elves]
    found = {key: cached(key) for key in keys}
    missing = {key: elf for key, elf in zip(keys, elves, strict=True) if found[key] is None}
    replies = run_all(_request(elf) for elf in missing.values())
    for key, reply in zip(missing, replies, strict=True):
        tables: dict[str, object] = {}
        for head, _ in reply.frames:
            tables |= head
        data = found[key] = json.dumps(tables).encode()
        # A process that was killed, or that failed with nothing read, may not have failed
        # for what is in the file.
        if reply.status in (0, -signal.SIGXCPU) or (reply.status == 1 and reply.frames):
            store(key, data)
    return [_decode(json.loads(found[key] or b"{}")) for key in keys]


def _key(elf: Elf) -> str:
    text = json.dumps(["debug information", FORMAT, installed("pyelftools"), elf.digest])
    return hashlib.sha256(text.encode()).hexdigest()


def _request(elf: Elf) -> Request:
    mapped = [(segment.address, segment.end) for segment in elf.segments]
    head = {"mapped": mapped, "user_end": elf.arch.user_end}
    return Request("from guest.elf_child import main; main()", head, elf.data)


def _decode(tables: _Tables) -> DebugInfo:
    files = tables.get("files", [])
    return DebugInfo(
        tuple(Symbol(*row) for row in tables.get("symbols", ())),
        tuple(Line(at, files[file], line) for at, file, line in tables.get("lines", ())),
        tuple(
            Scope(around, function, files[file], line, lends)
            for around, function, file, line, lends in tables.get("scopes", ())
        ),
        tuple((at, scope) for at, scope in tables.get("map", ())),
        tuple(Line(at, files[file], line) for at, file, line in tables.get("begins", ())),
    )
