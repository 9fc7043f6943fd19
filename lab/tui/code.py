"""The code around an instruction: assembly, with the source lines that it comes from.

It is the program as it was loaded; code that a guest makes at run time is not there.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import capstone

from guest.demangle import demangle
from guest.image import Image

_AROUND = 512  # bytes before an address to begin at where no symbol is near
_MOST = 16384  # bytes of a function that are disassembled
_LONGEST = 15
_ASSEMBLY = (".s", ".S", ".inc")
_HEADERS = (".h", ".hpp", ".inc")


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line of a listing: an instruction, or a line of source above its instructions."""

    address: int | None  # None: source
    offset: int  # in the function
    text: str
    line: int = 0
    source: str = ""  # beside an instruction, of assembly


@dataclass(frozen=True, slots=True)
class Listing:
    """A function."""

    function: str
    file: str
    lines: tuple[CodeLine, ...]

    def index(self, address: int) -> int:
        """Give the line of an instruction, or of the last one before it."""
        found = 0
        for k, line in enumerate(self.lines):
            if line.address is None:
                continue
            if line.address > address:
                break
            found = k
        return found


def listing_at(image: Image, address: int) -> Listing | None:
    """List the function that an address is in; None if it is not in the program."""
    segment = image.segment_at(address)
    if segment is None or address - segment.address >= len(segment.data):
        return None
    symbol = image.symbol_at(address)
    start, name = max(segment.address, address - _AROUND), f"{address:#x}"
    end = address + _AROUND
    if symbol is not None:
        start, name = symbol[0].address, demangle(symbol[0].name)
        end = start + symbol[0].size
        if not symbol[0].size:
            later = (each.address for each in image.symbols if each.address > address)
            end = next(later, segment.address + len(segment.data))
    if address - start > _MOST:
        start = _line_before(image, address - _MOST, address)
    return _list(image, start, min(end, start + 2 * _MOST), name)


def _line_before(image: Image, low: int, address: int) -> int:
    starts = [line.address for line in image.lines if low <= line.address <= address]
    return starts[0] if starts else address


@lru_cache(maxsize=32)
def _cached(
    key: tuple[str, int, int], name: str, code: bytes, is_amd64: bool
) -> tuple[Any, ...]:
    mode = capstone.CS_MODE_64 if is_amd64 else capstone.CS_MODE_32
    engine = capstone.Cs(capstone.CS_ARCH_X86, mode)
    engine.skipdata = True  # what is no instruction is shown as bytes
    return tuple(engine.disasm_lite(code, key[1]))


def _list(image: Image, start: int, end: int, name: str) -> Listing:
    segment = image.segment_at(start)
    assert segment is not None
    code = segment.data[start - segment.address : max(end, start + 1) - segment.address]
    found = _cached((image.digest, start, end), name, code, image.arch.word == 8)
    lines: list[CodeLine] = []
    previous = ("", 0)
    file = _own_file(image, start, end)
    texts: dict[str, list[str]] = {}
    for address, _, mnemonic, operands in found:
        line = image.line_at(address)
        here = ("", 0) if line is None else (line.file, line.line)
        source = ""
        if here != previous and here[0]:
            if here[0] not in texts:
                texts[here[0]] = image.source.get(here[0], "").splitlines()
            text = texts[here[0]]
            source = text[here[1] - 1].strip() if 0 < here[1] <= len(text) else ""
            short = here[0].rsplit("/", 1)[-1]
            if not here[0].endswith(_ASSEMBLY):
                shown = source if short == file else f"{source}  ({short})"
                lines.append(CodeLine(None, 0, _clean(shown), here[1]))
                source = ""
        previous = here
        instruction = f"{mnemonic} {operands}".strip()
        lines.append(CodeLine(address, address - start, instruction, here[1], _clean(source)))
    return Listing(name, file, tuple(lines))


def _own_file(image: Image, start: int, end: int) -> str:
    # What was inlined into a function comes from headers.
    files = [x.file for x in image.lines if start <= x.address < end and x.file]
    own = [file for file in files if not file.endswith(_HEADERS)]
    return (own or files or [""])[0].rsplit("/", 1)[-1]


def _clean(text: str) -> str:
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
