"""The line table of an ELF file's DWARF sections, versions 2 to 5 (DWARF 5, 6.2 and 7).

Rule 1: every read is checked against its section, every count has a limit; what is damaged
raises `Damaged`, and nothing else does.
Rule 2: the line section is read once from end to end, so work is linear in its size.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from guest.image import Line

MAX_SECTION = 4 << 20
MAX_LINES = 1_000_000
MAX_NAMES = 50_000
MAX_NAME = 1024
MAX_UNITS = 10_000
MAX_ABBREVIATIONS = 64 << 10  # bytes searched for the first entry of a unit

_COMP_DIR, _STMT_LIST = 0x1B, 0x10  # DW_AT_
_PATH, _DIRECTORY_INDEX = 1, 2  # DW_LNCT_
# DW_FORM_ to its size; the others are in `_Reader.form`.
_FIXED = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16, 0x0C: 1, 0x11: 1, 0x12: 2, 0x13: 4}
_FIXED |= {0x14: 8, 0x20: 8, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3}
_FIXED |= {0x2C: 4, 0x19: 0}
_ULEB = (0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23)
_IMPLICIT_CONST = 0x21


class Damaged(Exception):
    """The debug sections make no sense."""


def read_lines(sections: Mapping[str, bytes]) -> list[Line]:
    """Read the lines of all units, unsorted; `sections` is by name, without the dot."""
    table = sections.get("debug_line", b"")
    if any(len(section) > MAX_SECTION for section in sections.values()):
        raise Damaged("a debug section is too large")
    folders = dict(_folders(sections))
    reader = _Reader(table, sections)
    lines: list[Line] = []
    while reader.position < len(table):
        offset = reader.position
        unit, wide = reader.unit()
        lines.extend(_unit(unit, wide, folders.get(offset, "")))
        if len(lines) > MAX_LINES:
            raise Damaged("too many lines")
    return lines


class _Reader:
    """A cursor over one section."""

    __slots__ = ("data", "names", "position", "sections")

    def __init__(self, data: bytes, sections: Mapping[str, bytes]) -> None:
        self.data = data
        self.position = 0
        self.sections = sections
        self.names = 0

    def unit(self) -> tuple["_Reader", bool]:
        """Cut out the unit at the cursor; the bool tells 64-bit DWARF."""
        length, wide = self.unsigned(4), False
        if length == 0xFFFF_FFFF:
            length, wide = self.unsigned(8), True
        inner = _Reader(self.bytes(length), self.sections)
        return inner, wide

    def bytes(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self.data):
            raise Damaged("a read past the end")
        found = self.data[self.position : end]
        self.position = end
        return found

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.bytes(size), "little")

    def byte(self) -> int:
        if self.position >= len(self.data):
            raise Damaged("a read past the end")
        self.position += 1
        return self.data[self.position - 1]

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise Damaged("a number of more than 64 bits")

    def sleb(self) -> int:
        start = self.position
        value = self.uleb()
        bits = 7 * (self.position - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def string(self) -> str:
        found = _string(self.data, self.position)
        self.position += len(found) + 1
        return found.decode(errors="replace")

    def form(self, form: int, wide: bool, address_size: int = 8) -> str | int:
        """Read, or skip, a value of `form`; anything but a string or number reads as 0."""
        match form:
            case 0x08:
                return self.string()
            case 0x1F | 0x0E:
                name = "debug_line_str" if form == 0x1F else "debug_str"
                offset = self.unsigned(8 if wide else 4)
                return _string(self.sections.get(name, b""), offset).decode(errors="replace")
            case 0x17:
                return self.unsigned(8 if wide else 4)
            case 0x10 | 0x1D | 0x1C:  # references
                return self.unsigned(8 if wide else 4)
            case 0x01:
                return self.unsigned(address_size)
            case 0x0D:
                return self.sleb()
            case 0x09 | 0x18:
                self.bytes(self.uleb())
                return 0
            case 0x0A | 0x03 | 0x04:
                self.bytes(self.unsigned({0x0A: 1, 0x03: 2, 0x04: 4}[form]))
                return 0
        if form in _ULEB:
            return self.uleb()
        if form in _FIXED:
            return self.unsigned(_FIXED[form])
        raise Damaged("an unknown form")


def _string(data: bytes, offset: int) -> bytes:
    end = data.find(b"\0", offset, offset + MAX_NAME)
    if end < 0:
        raise Damaged("a string without an end")
    return data[offset:end]


def _folders(sections: Mapping[str, bytes]) -> Iterator[tuple[int, str]]:
    """Give, per line program, the folder that its compiler ran in (DW_AT_comp_dir)."""
    reader = _Reader(sections.get("debug_info", b""), sections)
    for _ in range(MAX_UNITS):
        if reader.position >= len(reader.data):
            return
        unit, wide = reader.unit()
        version = unit.unsigned(2)
        if not 2 <= version <= 4:
            continue  # DWARF 5 has the folder in the line program
        abbreviation = unit.unsigned(8 if wide else 4)
        address_size = unit.byte()
        found: dict[int, str | int] = {}
        for name, form, _ in _attributes(sections, abbreviation, unit.uleb()):
            found[name] = unit.form(form, wide, address_size)
        program, folder = found.get(_STMT_LIST), found.get(_COMP_DIR)
        if isinstance(program, int) and isinstance(folder, str):
            yield program, folder


def _attributes(
    sections: Mapping[str, bytes], offset: int, wanted: int
) -> list[tuple[int, int, int]]:
    table = sections.get("debug_abbrev", b"")[offset : offset + MAX_ABBREVIATIONS]
    reader = _Reader(table, sections)
    while (code := reader.uleb()) != 0:
        reader.uleb()
        reader.byte()
        found = []
        while True:
            name, form = reader.uleb(), reader.uleb()
            constant = reader.sleb() if form == _IMPLICIT_CONST else 0
            if name == form == 0:
                break
            found.append((name, form, constant))
        if code == wanted:
            return found
    return []


def _unit(reader: _Reader, wide: bool, folder: str) -> list[Line]:
    version = reader.unsigned(2)
    if not 2 <= version <= 5:
        return []
    if version == 5:
        reader.bytes(2)  # address and segment selector size
    header = reader.unsigned(8 if wide else 4)
    program = reader.position + header
    step = reader.byte()  # minimum_instruction_length
    if version >= 4:
        reader.byte()  # maximum_operations_per_instruction: x86 has no bundles
    reader.byte()  # default_is_stmt
    base = int.from_bytes(reader.bytes(1), "little", signed=True)
    spread = reader.byte()
    opcodes = reader.byte()
    lengths = [0, *(reader.byte() for _ in range(opcodes - 1))]
    if spread == 0 or opcodes == 0:
        raise Damaged("a line program without opcodes")
    names = _names_5(reader, wide) if version == 5 else _names(reader, folder)
    if program < reader.position or program > len(reader.data):
        raise Damaged("a line program outside of its unit")
    reader.position = program
    return list(_rows(reader, names, 0 if version == 5 else 1, (step, base, spread, lengths)))


def _names(reader: _Reader, folder: str) -> list[str]:
    folders = [folder]
    while text := reader.string():
        folders.append(text)
    names = []
    while text := reader.string():
        index = reader.uleb()
        reader.uleb()
        reader.uleb()
        names.append(_joined(folders, index, text))
        if len(names) + len(folders) > MAX_NAMES:
            raise Damaged("too many files")
    return names


def _names_5(reader: _Reader, wide: bool) -> list[str]:
    folders: list[str] = []
    names: list[str] = []
    for which in (folders, names):
        formats = [(reader.uleb(), reader.uleb()) for _ in range(reader.byte())]
        count = reader.uleb()
        if count > MAX_NAMES or (count and not formats):
            raise Damaged("too many files")
        for _ in range(count):
            entry = {kind: reader.form(form, wide) for kind, form in formats}
            index = entry.get(_DIRECTORY_INDEX, 0)
            text = str(entry.get(_PATH, ""))
            which.append(
                _joined(folders, index if isinstance(index, int) else 0, text)
                if which is names or folders
                else text
            )
    return names


def _joined(folders: list[str], index: int, text: str) -> str:
    where = folders[index] if index < len(folders) else ""
    return str(PurePosixPath(folders[0] if folders else "", where, text))


def _rows(
    reader: _Reader, names: list[str], first: int, rules: tuple[int, int, int, list[int]]
) -> Iterator[Line]:
    """Run a line program; a row that another at the same address follows is dropped."""
    step, base, spread, lengths = rules
    special = len(lengths)
    address, file, line = 0, 1, 1
    pending: Line | None = None

    def row() -> Line:
        index = file - first
        return Line(address, names[index] if 0 <= index < len(names) else "", line)

    while reader.position < len(reader.data):
        opcode = reader.byte()
        emit = False
        if opcode >= special:
            address += (opcode - special) // spread * step
            line += base + (opcode - special) % spread
            emit = True
        elif opcode == 0:
            size = reader.uleb()
            end = reader.position + size
            extended = reader.byte() if size else 0
            if extended == 1:
                if pending is not None and pending.address != address:
                    yield pending
                yield Line(address, "", 0)
                address, file, line, pending = 0, 1, 1, None
            elif extended == 2:
                address = reader.unsigned(min(max(size - 1, 0), 8))
            if end > len(reader.data) or end < reader.position:
                raise Damaged("an opcode longer than its unit")
            reader.position = end
        elif opcode == 1:
            emit = True
        elif opcode == 2:
            address += reader.uleb() * step
        elif opcode == 3:
            line += reader.sleb()
        elif opcode == 4:
            file = reader.uleb()
        elif opcode == 8:
            address += (255 - special) // spread * step
        elif opcode == 9:
            address += reader.unsigned(2)
        else:
            for _ in range(lengths[opcode]):
                reader.uleb()
        address &= (1 << 64) - 1
        if emit:
            if not 0 <= line < 1 << 32:
                raise Damaged("a line outside of 32 bits")
            found = row()
            if pending is not None and pending.address != found.address:
                yield pending
            pending = found
    if pending is not None:
        yield pending
