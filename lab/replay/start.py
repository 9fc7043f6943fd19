"""How programs of L4Re find what they were started with (ABI 8): their first stack.

Rule 1: everything here is bytes at addresses; what is mapped where is the boot's business.
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple

from guest.image import Image
from kernel import abi
from kernel.abi import Arch, Page
from kernel.flexpage import Flexpage, Kind, encode

# Capability indices of a new task (ABI 8.3); 2, 3, 5 and 7 are the kernel's initial ones.
RM = 0x10
MEM_ALLOC = 0x11
PARENT = 0x13
KIP_DATASPACE = 0x14
DEBUG_EVENTS = 0x15
FIRST_NAMED = 0x16

# Types of the auxiliary vector, in the order of the loader (ABI 8.3).
_AT_PHENT, _AT_PHNUM, _AT_PHDR = 4, 5, 3
_AT_EGID, _AT_GID, _AT_EUID, _AT_UID, _AT_PAGESZ = 14, 13, 12, 11, 6
_AT_L4_AUX, _AT_L4_ENV, _AT_L4_KIP = 0xF0, 0xF1, 0xF2

_NAME_SIZE = 16
_LAST = -1  # flags of the entry that ends the table of capabilities
_ALIGNMENT = 16


class Grants(NamedTuple):
    """What a program is given."""

    caps: frozenset[int]  # the capability indices that are in use
    names: Mapping[str, int]  # the named ones
    utcb_area: int  # address
    utcb_order: int
    first_free_utcb: int


class _Headers(NamedTuple):
    address: int
    entry_size: int
    entries: int


def build_stack(
    image: Image, *, top: int, arguments: tuple[str, ...], grants: Grants
) -> tuple[int, bytes]:
    """Build the first stack of a statically linked L4Re program; its pointer and content.

    From the pointer up: the number of arguments, their pointers, the environment's, the
    auxiliary vector, and what these point at, up to `top`.
    """
    arch = image.arch
    blocks = _Blocks(arch, top)
    strings = [blocks.text(each) for each in (image.name, *arguments)]
    table = blocks.caps(grants.names)
    aux = blocks.words(strings[0], _selector(KIP_DATASPACE, grants), 0, 0, 0)
    env = blocks.words(*_environment(arch, grants, table))
    vector = [*_auxiliary(image), (_AT_L4_AUX, aux), (_AT_L4_KIP, arch.kip), (_AT_L4_ENV, env)]
    head = [len(strings), *strings, 0, 0]
    for pair in (*vector, (0, 0)):
        head += pair
    sp = blocks.words(*head, aligned=True)
    return sp, blocks.content()


def _first_free_cap(arch: Arch, grants: Grants) -> int:
    # Pagers and handlers are at the end of the table, out of the program's way.
    below = [index for index in grants.caps if index < arch.cap_limit // 2]
    return max(FIRST_NAMED, *(index + 1 for index in below))


def _environment(arch: Arch, grants: Grants, table: int) -> tuple[int, ...]:
    first = grants.utcb_area >> abi.PAGE_SHIFT
    area = Flexpage(Kind.MEMORY, first, grants.utcb_order, int(Page.R | Page.W))
    return (
        _selector(PARENT, grants),
        _selector(RM, grants),
        _selector(MEM_ALLOC, grants),
        _selector(abi.CAP_LOG, grants),
        _selector(abi.CAP_THREAD, grants),
        _selector(abi.CAP_FACTORY, grants),
        _selector(abi.CAP_SCHEDULER, grants),
        _INVALID,  # no in-task service: nothing is loaded at run time
        _selector(DEBUG_EVENTS, grants),
        _first_free_cap(arch, grants),
        0,
        encode(area),
        grants.first_free_utcb,
        table,
    )


_INVALID = -1 << 11  # L4_INVALID_CAP


def _selector(index: int, grants: Grants) -> int:
    return index << abi.CAP_SHIFT if index in grants.caps else _INVALID


def _auxiliary(image: Image) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    headers = _headers(image)
    if headers is not None:
        pairs.append((_AT_PHENT, headers.entry_size))
        pairs.append((_AT_PHNUM, headers.entries))
        pairs.append((_AT_PHDR, headers.address))
    pairs += ((kind, 0) for kind in (_AT_EGID, _AT_GID, _AT_EUID, _AT_UID))
    pairs.append((_AT_PAGESZ, abi.PAGE_SIZE))
    return pairs


def _headers(image: Image) -> _Headers | None:
    # Linkers put the ELF header at the beginning of the first segment.
    wide = image.arch.word == 8
    for segment in image.segments:
        data = segment.data
        if data[:4] != b"\x7fELF" or len(data) < 64:
            continue
        (offset,) = struct.unpack_from("<Q" if wide else "<I", data, 32 if wide else 28)
        size, count = struct.unpack_from("<HH", data, 54 if wide else 42)
        if offset + size * count <= len(data):
            return _Headers(segment.address + offset, size, count)
    return None


class _Blocks:
    """Grows downwards from the top of a stack."""

    def __init__(self, arch: Arch, top: int) -> None:
        self._arch = arch
        self._at = top
        self._parts: list[bytes] = []

    def text(self, value: str) -> int:
        return self._push(value.encode() + b"\0", 1)

    def words(self, *values: int, aligned: bool = False) -> int:
        arch = self._arch
        data = b"".join((value & arch.mask).to_bytes(arch.word, "little") for value in values)
        return self._push(data, _ALIGNMENT if aligned else arch.word)

    def caps(self, names: Mapping[str, int]) -> int:
        """Put the table of named capabilities: selector, flags, name."""
        arch = self._arch
        data = b""
        for name, index in names.items():
            data += (index << abi.CAP_SHIFT).to_bytes(arch.word, "little")
            data += bytes(arch.word)
            data += name.encode()[:_NAME_SIZE].ljust(_NAME_SIZE, b"\0")
        end = (_INVALID & arch.mask).to_bytes(arch.word, "little")
        end += (_LAST & arch.mask).to_bytes(arch.word, "little")
        return self._push(data + end + bytes(_NAME_SIZE), arch.word)

    def content(self) -> bytes:
        return b"".join(reversed(self._parts))

    def _push(self, data: bytes, alignment: int) -> int:
        start = (self._at - len(data)) & -alignment
        self._parts.append(data.ljust(self._at - start, b"\0"))
        self._at = start
        return start
