"""A frozen machine: time, contexts and memory as bytes that any process can read.

Page tables are not in it: spaces come back empty, and their owner maps the pages again.
A digest tells damage; the bytes are our own and not a means to attack the reader.
"""

import hashlib
import struct
from dataclasses import dataclass

from emu.context import Held
from emu.errors import BadCheckpointError
from emu.memory import PAGE

_MAGIC = b"l4lab machine 6\n"
_DIGEST = 16
_CONTEXT = struct.Struct("<4Q5QB4Q3QBQQBqQI")


@dataclass(frozen=True, slots=True)
class FrozenContext:
    """One context: numbers, what the last trap said, where it stands, and its CPU state."""

    number: int
    space: int
    slot: int
    thread_base: int
    ticks: int
    descriptors: tuple[int, ...]  # its own segments
    trap: int
    registers: tuple[int, int, int, int]  # tag, selector, label, timeout
    fault: tuple[int, int, int]  # address, error, vector
    held: Held | None
    previous: int  # the start of the block charged last, or -1
    branch: int  # the end of a branch in it that is not judged yet, or 0
    cpu: bytes


@dataclass(frozen=True, slots=True)
class FrozenTable:
    """The local descriptor table of a space."""

    space: int
    slot: int
    size: int  # entries that the CPU sees
    descriptors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All of a machine but its page tables."""

    arch: str
    ram: int
    ticks: int
    instructions: int
    spaces: tuple[int, ...]
    data_frames: tuple[int, ...]
    decoded: tuple[tuple[int, ...], ...]  # of each space, its blocks that were executed
    local_tables: tuple[FrozenTable, ...]
    predictor: bytes
    contexts: tuple[FrozenContext, ...]
    pages: tuple[tuple[int, bytes], ...]


def encode(checkpoint: Checkpoint) -> bytes:
    """Encode a checkpoint; equal ones give equal bytes."""
    parts = [
        struct.pack("<8sQ", checkpoint.arch.encode(), checkpoint.ram),
        _encode_long(checkpoint.ticks),
        _encode_long(checkpoint.instructions),
        _encode_words(checkpoint.spaces),
        _encode_words(checkpoint.data_frames),
        *map(_encode_words, checkpoint.decoded),
        struct.pack("<Q", len(checkpoint.predictor)),
        checkpoint.predictor,
        struct.pack("<Q", len(checkpoint.local_tables)),
    ]
    for table in checkpoint.local_tables:
        parts.append(struct.pack("<3Q", table.space, table.slot, table.size))
        parts.append(_encode_words(table.descriptors))
    parts.append(struct.pack("<Q", len(checkpoint.contexts)))
    for context in checkpoint.contexts:
        held = context.held
        parts.append(
            _CONTEXT.pack(
                context.number,
                context.space,
                context.slot,
                context.thread_base,
                context.ticks,
                *context.descriptors,
                context.trap,
                *context.registers,
                *context.fault,
                held is not None,
                held.start if held else 0,
                held.ip if held else 0,
                held.repeats if held else False,
                context.previous,
                context.branch,
                len(context.cpu),
            )
        )
        parts.append(context.cpu)
    parts.append(struct.pack("<Q", len(checkpoint.pages)))
    for address, content in checkpoint.pages:
        parts.append(struct.pack("<Q", address))
        parts.append(content)
    body = b"".join(parts)
    return _MAGIC + hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def decode(data: bytes) -> Checkpoint:
    """Decode what `encode` gave."""
    start = len(_MAGIC) + _DIGEST
    if data[: len(_MAGIC)] != _MAGIC:
        raise BadCheckpointError("not a frozen machine of this version")
    body = data[start:]
    digest = hashlib.blake2b(body, digest_size=_DIGEST).digest()
    if data[len(_MAGIC) : start] != digest:
        raise BadCheckpointError("damaged: the digest differs")
    try:
        return _decode(_Reader(body))
    except (struct.error, UnicodeDecodeError) as error:
        raise BadCheckpointError(f"malformed: {error}") from error


class _Reader:
    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise BadCheckpointError(f"ends {size - len(part)} bytes short")
        self._at += size
        return part

    def word(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def words(self) -> tuple[int, ...]:
        count = self.word()
        return struct.unpack(f"<{count}Q", self.take(8 * count))

    def long(self) -> int:
        return int.from_bytes(self.take(self.word()), "little")

    def finish(self) -> None:
        if self._at != len(self._data):
            raise BadCheckpointError(f"goes on for {len(self._data) - self._at} bytes")


def _decode(reader: _Reader) -> Checkpoint:
    arch = reader.take(8).rstrip(b"\0").decode()
    ram, ticks, instructions = reader.word(), reader.long(), reader.long()
    spaces, data_frames = reader.words(), reader.words()
    decoded = tuple(reader.words() for _ in spaces)
    predictor = reader.take(reader.word())
    tables = tuple(
        FrozenTable(reader.word(), reader.word(), reader.word(), reader.words())
        for _ in range(reader.word())
    )
    contexts = tuple(_decode_context(reader) for _ in range(reader.word()))
    pages = tuple((reader.word(), reader.take(PAGE)) for _ in range(reader.word()))
    reader.finish()
    return Checkpoint(
        arch,
        ram,
        ticks,
        instructions,
        spaces,
        data_frames,
        decoded,
        tables,
        predictor,
        contexts,
        pages,
    )


def _decode_context(reader: _Reader) -> FrozenContext:
    values = _CONTEXT.unpack(reader.take(_CONTEXT.size))
    number, space, slot, thread_base, ticks = values[:5]
    is_held, start, ip, repeats, previous, branch, size = values[17:]
    return FrozenContext(
        number=number,
        space=space,
        slot=slot,
        thread_base=thread_base,
        ticks=ticks,
        descriptors=values[5:9],
        trap=values[9],
        registers=values[10:14],
        fault=values[14:17],
        held=Held(start, ip, bool(repeats)) if is_held else None,
        previous=previous,
        branch=branch,
        cpu=reader.take(size),
    )


def _encode_words(words: tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(words) + 1}Q", len(words), *words)


def _encode_long(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return struct.pack("<Q", size) + value.to_bytes(size, "little")
