"""An ELF file of an image, for gdb to find symbols and code in.

A program that was loaded from an ELF file is that file, debug information and all.  For an
assembled one a file is made of its segments and symbols.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from guest.image import Image
from kernel.abi import Arch, Page

_MACHINES = {8: 62, 4: 3}  # EM_X86_64, EM_386
_ABSOLUTE = 0xFFF1  # SHN_ABS
_ALLOC, _EXECUTE, _WRITE = 2, 4, 1  # flags of sections
_GLOBAL_NOTYPE, _GLOBAL_FUNCTION = 0x10, 0x12


@dataclass(slots=True)
class _Section:
    name: str
    kind: int
    flags: int = 0
    address: int = 0
    data: bytes = b""
    size: int = 0
    link: int = 0
    info: int = 0
    entry: int = 0
    at: int = 0


def elf_file(image: Image, path: Path) -> bytes:
    """Give the file that was loaded, if it still is the same, or make one."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if data[:4] == b"\x7fELF" and sha256(data).hexdigest() == image.digest:
        return data
    return _make(image)


def empty_file(arch: Arch, name: str) -> bytes:
    """Make a file without anything in it, for a task without a program."""
    return _make(Image(arch, name, 0, (), (), (), "", {}))


def _make(image: Image) -> bytes:
    wide = image.arch.word == 8
    sections = [_Section("", 0)]
    for number, segment in enumerate(image.segments):
        flags = _ALLOC | (_EXECUTE if segment.rights & Page.X else 0)
        flags |= _WRITE if segment.rights & Page.W else 0
        name = ".text" if flags & _EXECUTE else ".data"
        kind = 1 if segment.data else 8  # PROGBITS, NOBITS
        data = segment.data.ljust(segment.size, b"\0") if segment.data else b""
        sections.append(
            _Section(f"{name}{number or ''}", kind, flags, segment.address, data, segment.size)
        )
    names = b"\0"
    symbols = [_symbol(wide, 0, 0, 0, 0, 0)]
    for symbol in image.symbols:
        home = image.segment_at(symbol.address)
        place = _ABSOLUTE if home is None else image.segments.index(home) + 1
        is_code = home is not None and bool(home.rights & Page.X)
        info = _GLOBAL_FUNCTION if is_code else _GLOBAL_NOTYPE
        symbols.append(_symbol(wide, len(names), info, place, symbol.address, symbol.size))
        names += symbol.name.encode(errors="replace").replace(b"\0", b"?") + b"\0"
    table = b"".join(symbols)
    strings = len(sections) + 1
    sections.append(
        _Section(
            ".symtab",
            2,
            data=table,
            size=len(table),
            link=strings,
            info=1,
            entry=len(symbols[0]),
        )
    )
    sections.append(_Section(".strtab", 3, data=names, size=len(names)))
    titles = b"\0"
    offsets = []
    sections.append(_Section(".shstrtab", 3))
    for section in sections:
        offsets.append(len(titles))
        titles += section.name.encode() + b"\0"
    sections[-1].data, sections[-1].size = titles, len(titles)
    return _lay_out(image, sections, offsets)


def _lay_out(image: Image, sections: list[_Section], names: list[int]) -> bytes:
    wide = image.arch.word == 8
    header, program, entry = (64, 56, 64) if wide else (52, 32, 40)
    count = len(image.segments)
    at = header + program * count
    body = bytearray()
    for section in sections[1:]:
        padding = -(at + len(body)) % 16
        body += bytes(padding)
        section.at = at + len(body)
        body += section.data
    end = at + len(body)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1, 1)) + bytes(9)
    word = "Q" if wide else "I"
    parts = [
        ident
        + struct.pack(
            f"<HHI3{word}I6H",
            *(2, _MACHINES[image.arch.word], 1, image.entry, header, end, 0),
            *(header, program, count, entry, len(sections), len(sections) - 1),
        )
    ]
    for number, segment in enumerate(image.segments):
        section = sections[number + 1]
        rights = segment.rights
        flags = bool(rights & Page.X) | bool(rights & Page.W) << 1 | bool(rights & Page.R) << 2
        sizes = len(section.data), segment.size
        places = section.at, segment.address, segment.address
        if wide:
            parts.append(struct.pack("<II6Q", 1, flags, *places, *sizes, 1))
        else:
            parts.append(struct.pack("<8I", 1, *places, *sizes, flags, 1))
    parts.append(bytes(body))
    for section, name in zip(sections, names, strict=True):
        parts.append(
            struct.pack(
                f"<II4{word}II2{word}",
                *(name, section.kind, section.flags, section.address, section.at, section.size),
                *(section.link, section.info, 1, section.entry),
            )
        )
    return b"".join(parts)


def _symbol(wide: bool, name: int, info: int, section: int, value: int, size: int) -> bytes:
    if wide:
        return struct.pack("<IBBHQQ", name, info, 0, section, value, size)
    return struct.pack("<IIIBBH", name, value, size, info, 0, section)
