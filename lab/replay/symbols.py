"""What the numbers of a run mean: logical stacks, names, instructions."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import capstone

from guest import files
from guest.demangle import demangle
from guest.image import Image
from lab.checker.finding import Frame
from lab.checker.stream import Where
from lab.names import Names

_LONGEST = 15  # bytes of an instruction
INCLUDE = Path(files.__file__).parent / "include"


class RunSymbols:
    """Looks things up in the names and programs of one run."""

    __slots__ = ("_engine", "_library", "_names", "cycles")

    def __init__(self, names: Names, library: tuple[str, ...] = ()) -> None:
        self._names = names
        self.cycles: dict[int, int] = {}  # by position
        self._library = library
        is_amd64 = names.arch.word == 8
        mode = capstone.CS_MODE_64 if is_amd64 else capstone.CS_MODE_32
        self._engine: Any = capstone.Cs(capstone.CS_ARCH_X86, mode)

    def stack(self, thread: int, where: Where, *, behind: bool) -> tuple[Frame, ...]:
        """Give the frames at a place, the innermost first; `behind`: it is behind a call."""
        image = self._names.images.get(thread)
        frames = _frames(image, where.pc, where.pc - behind, is_access=not behind)
        for call in reversed(where.calls):
            frames += _frames(image, call, call, is_access=False)
        return tuple(frames)

    def name(self, number: int) -> str:
        """Name an object."""
        return self._names.of(number)

    def task(self, thread: int) -> str:
        """Name the task of a thread."""
        made = self._names.tasks.get(thread)
        return made if made is not None else self._names.of(thread).partition(".")[0]

    def cycle(self, position: int) -> int:
        """Give the cycle at a position; 0 if it is not known."""
        return self.cycles.get(position, 0)

    def instruction(self, thread: int, pc: int) -> str:
        """Disassemble an instruction; empty if there is none."""
        image = self._names.images.get(thread)
        segment = image.segment_at(pc) if image is not None else None
        if segment is None:
            return ""
        start = pc - segment.address
        code = segment.data[start : start + _LONGEST]
        for _, _, name, operands in self._engine.disasm_lite(code, pc, 1):
            return f"{name} {operands}".strip()
        return ""

    def is_library(self, file: str) -> bool:
        """Whether a file is not the program's own."""
        if Path(file).parent == INCLUDE or "/guest/include/" in file:
            return True
        return any(
            fnmatchcase(file, glob) or fnmatchcase(file, f"*/{glob}") or f"/{glob}/" in file
            for glob in self._library
        )


def _frames(image: Image | None, pc: int, inside: int, *, is_access: bool) -> list[Frame]:
    """Give a frame and the inlined ones in it, the innermost first."""
    if image is None:
        return [Frame(f"{pc:#x}", "", pc)]
    found = image.symbol_at(inside)
    symbol = found[0].name if found is not None else ""
    line = image.line_at(inside)
    if is_access:
        line, inside = image.statement_at(inside)
    file, number = (line.file, line.line) if line is not None else ("", 0)
    frames: list[Frame] = []
    for index in reversed(image.scopes_at(inside)):
        scope = image.scopes[index]
        name = demangle(scope.function)
        frames.append(Frame(name, scope.function, pc, file, number, inlined=True))
        file, number = scope.file, scope.line
    function = demangle(symbol) if symbol else f"{pc:#x}"
    frames.append(Frame(function, symbol, pc, file, number))
    return frames
