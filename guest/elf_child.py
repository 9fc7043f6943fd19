"""The process in which pyelftools reads a file: limited in time and memory, and free to fail.

Its request is ``{"mapped": [[begin, end], ...], "user_end": n}`` and the bytes of the file.
It answers one frame for each table that it can read, the most useful first, and ends at the
first that it cannot: ``{"symbols": [[name, address, size], ...]}``, then ``{"files": [name,
...], "lines": [[address, index of the file, line], ...]}``, both sorted by address.  An empty
name ends a run of lines.  The last is ``{"scopes": [[around, function, index of the file,
line, lends], ...], "map": [[address, scope], ...], "files": [...], "begins": [...]}``: inlined
calls, and from where on the innermost is which; -1 is none.  A begin is ``[address, index of
the file, line]``: a line that begins, or ends, at an address where the code of a later line
does, since the compiler has made one of both.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import TypedDict

from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.dwarf.lineprogram import LineProgram
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from guest.elf_scopes import read_scopes
from guest.worker import answer, begin

MAX_NAME = 4096

_SYMBOL_KINDS = ("STT_NOTYPE", "STT_OBJECT", "STT_FUNC")


class Job(TypedDict):
    """A request."""

    mapped: list[tuple[int, int]]
    user_end: int


def main() -> None:
    """Do the one job that standard input describes."""
    text, data = begin()
    job: Job = json.loads(text)
    elf = ELFFile(BytesIO(data))
    answer({"symbols": read_symbols(elf, job["mapped"], job["user_end"])})
    # No links: they name other files of the host.
    debug = elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
    files, lines = read_lines(debug, job["mapped"])
    answer({"files": files, "lines": lines})
    numbers = {name: number for number, name in enumerate(files)}
    names_of = {}
    for unit in debug.iter_CUs():
        program = debug.line_program_for_CU(unit)
        if program is not None:
            names_of[unit.cu_offset] = file_names(program, compiled_in(unit))
    scopes, places = read_scopes(debug, numbers, names_of)
    places = [each for each in places if inside(each[0], job["mapped"])]
    begins = [
        (at, numbers[name], line)
        for at, name, line in read_begins(debug, job["mapped"])
        if name in numbers
    ]
    answer({"scopes": scopes, "map": places, "files": list(numbers), "begins": begins})


def read_symbols(
    elf: ELFFile, mapped: list[tuple[int, int]], user_end: int
) -> list[tuple[str, int, int]]:
    """Read functions, objects and labels; of those with one name and address the largest."""
    found: dict[tuple[int, str], int] = {}
    for table in elf.iter_sections("SHT_SYMTAB"):
        assert isinstance(table, SymbolTableSection)
        for symbol in table.iter_symbols():
            name, address = symbol.name[:MAX_NAME], symbol["st_value"]
            if (
                name
                and symbol["st_info"]["type"] in _SYMBOL_KINDS
                and symbol["st_shndx"] != "SHN_UNDEF"
                and inside(address, mapped)
            ):
                size = min(symbol["st_size"], user_end - address)
                found[address, name] = max(size, found.get((address, name), 0))
    return [(name, address, size) for (address, name), size in sorted(found.items())]


def read_lines(
    debug: DWARFInfo, mapped: list[tuple[int, int]]
) -> tuple[list[str], list[tuple[int, int, int]]]:
    """Read the lines of all units: the names of files, and the lines with indices of these."""
    files = {"": 0}
    found: dict[int, tuple[int, int]] = {}
    for program, folder in programs(debug):
        names = file_names(program, folder)
        for address, file, line in rows(program):
            name = names[file] if 0 <= file < len(names) else ""
            if not 0 <= line < 1 << 32:
                raise ValueError("a line outside of 32 bits")
            # The end of a run gives way to the beginning of another.
            if inside(address, mapped) and (name or address not in found):
                found[address] = files.setdefault(name, len(files)), line
    merged: list[tuple[int, int, int]] = []
    for address, (index, line) in sorted(found.items()):
        if not merged or merged[-1][1:] != (index, line):
            merged.append((address, index, line))
    return list(files), merged


def read_begins(debug: DWARFInfo, mapped: list[tuple[int, int]]) -> list[tuple[int, str, int]]:
    """Read the lines that begin where the code of another line of their file does."""
    found: dict[int, tuple[str, int]] = {}
    for program, folder in programs(debug):
        names = file_names(program, folder)
        same: list[tuple[int, int, bool]] = []
        address = -1
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if state.address != address or state.end_sequence:
                _note_begin(found, address, same, names)
                same = []
                address = state.address
            if not state.end_sequence:
                same.append((state.file, state.line, bool(state.is_stmt)))
        _note_begin(found, address, same, names)
    return [(at, *found[at]) for at in sorted(found) if inside(at, mapped)]


def _note_begin(
    found: dict[int, tuple[str, int]],
    address: int,
    same: list[tuple[int, int, bool]],
    names: list[str],
) -> None:
    if len(same) < 2:
        return
    file, last, _ = same[-1]
    first = next((line for f, line, is_start in same if f == file and is_start), last)
    if first == last and same[0][0] != file:
        # The code of an inlined function may be one with that behind it.  In one file that
        # looks like the end of a line which has no code there.
        file, first, _ = same[0]
    if (file, first) != same[-1][:2] and 0 <= file < len(names) and 0 <= first < 1 << 32:
        found[address] = names[file], first


def inside(address: int, mapped: list[tuple[int, int]]) -> bool:
    """Answer whether `address` means something in the program."""
    # "At the end" is for symbols such as _end, and for the ends of runs of lines.
    return any(begin <= address <= end for begin, end in mapped)


def programs(debug: DWARFInfo) -> Iterator[tuple[LineProgram, str]]:
    """Give each line program once, and the folder that its compiler ran in."""
    seen: set[int] = set()
    for unit in debug.iter_CUs():
        program = debug.line_program_for_CU(unit)
        if program is not None and program.program_start_offset not in seen:
            seen.add(program.program_start_offset)
            yield program, compiled_in(unit)


def compiled_in(unit: CompileUnit) -> str:
    """Give the folder that the compiler of a unit ran in."""
    attribute = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    return text_of(attribute.value) if attribute is not None else ""


def file_names(program: LineProgram, folder: str) -> list[str]:
    """Give a program's files by the numbers that its rows have for them."""
    folders = [text_of(name) for name in program["include_directory"]]
    names = []
    if program["version"] < 5:
        # There the first folder is left out, and files count from 1.
        folders.insert(0, folder)
        names.append("")
    for entry in program["file_entry"]:
        index = entry.dir_index or 0
        where = folders[index] if index < len(folders) else ""
        names.append(
            str(PurePosixPath(folders[0] if folders else "", where, text_of(entry.name)))
        )
    return names


def rows(program: LineProgram) -> Iterator[tuple[int, int, int]]:
    """Give address, file and line; of the rows of a run at one address only the last.

    The end of a run has a file that no program has, -1.
    """
    pending: tuple[int, int, int] | None = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if pending is not None and pending[0] != state.address:
            yield pending
        pending = state.address, state.file, state.line
        if state.end_sequence:
            yield state.address, -1, 0
            pending = None
    if pending is not None:
        yield pending


def text_of(name: object) -> str:
    """Decode a name; pyelftools gives bytes, or other things for damaged ones."""
    return name.decode(errors="replace")[:MAX_NAME] if isinstance(name, bytes) else ""
