"""Inlined calls of an ELF file, as its DWARF tells them: part of the process that may fail.

A *scope* is one inlined call: the function, where it is called, and the scope around it.
The scopes that an address lies in nest, so one map from addresses to the innermost tells
them all.
"""

from collections.abc import Iterator

from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.dwarf.ranges import BaseAddressEntry, RangeEntry

MAX_SCOPES = 1 << 16
MAX_RANGES = 1 << 17
DEEPEST = 64

# The scope around it or -1, the function, file, line, and whether the function can give a
# pointer to who calls it.
Scope = tuple[int, str, int, int, bool]
_ORIGINS = ("DW_AT_abstract_origin", "DW_AT_specification")
_POINTERS = (
    "DW_TAG_pointer_type",
    "DW_TAG_reference_type",
    "DW_TAG_rvalue_reference_type",
)
_ALIASES = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type")
_TYPES = 16  # types that a type is made of

Range = tuple[int, int, int, int]  # begin, end, depth, scope


class TooManyError(ValueError):
    """There are more scopes or ranges than are read."""


def read_scopes(
    debug: DWARFInfo, files: dict[str, int], names_of: dict[int, list[str]]
) -> tuple[list[Scope], list[tuple[int, int]]]:
    """Read the inlined calls, and from which address on the innermost one is which.

    `files` numbers the names of files; `names_of` has those of a unit by its offset.
    """
    reader = _Reader(debug, files)
    for unit in debug.iter_CUs():
        reader.names = names_of.get(unit.cu_offset, [])
        reader.read_unit(unit)
    return reader.scopes, _flatten(reader.ranges)


class _Reader:
    """Collects the scopes of one file."""

    def __init__(self, debug: DWARFInfo, files: dict[str, int]) -> None:
        self.lists = debug.range_lists()
        self.files = files
        self.names: list[str] = []
        self.scopes: list[Scope] = []
        self.ranges: list[Range] = []

    def read_unit(self, unit: CompileUnit) -> None:
        """Read the functions of one unit."""
        for entry in unit.iter_DIEs():
            if entry.tag == "DW_TAG_subprogram":
                self._read_children(entry, unit, -1, 0)

    def _read_children(self, parent: DIE, unit: CompileUnit, around: int, depth: int) -> None:
        if depth > DEEPEST:
            raise TooManyError(f"scopes nested more than {DEEPEST} deep")
        for entry in parent.iter_children():
            if entry.tag == "DW_TAG_lexical_block":
                self._read_children(entry, unit, around, depth + 1)
            elif entry.tag == "DW_TAG_inlined_subroutine":
                number = self._add(entry, around)
                for begin, end in self._ranges(entry, unit):
                    self._add_range(begin, end, depth, number)
                self._read_children(entry, unit, number, depth + 1)

    def _add(self, entry: DIE, around: int) -> int:
        if len(self.scopes) >= MAX_SCOPES:
            raise TooManyError(f"more than {MAX_SCOPES} inlined calls")
        file, line = _number(entry, "DW_AT_call_file"), _number(entry, "DW_AT_call_line")
        name = self.names[file] if 0 <= file < len(self.names) else ""
        index = self.files.setdefault(name, len(self.files))
        self.scopes.append((around, _function(entry), index, line, _lends(entry)))
        return len(self.scopes) - 1

    def _add_range(self, begin: int, end: int, depth: int, number: int) -> None:
        if begin >= end:
            return
        if len(self.ranges) >= MAX_RANGES:
            raise TooManyError(f"more than {MAX_RANGES} ranges of inlined calls")
        self.ranges.append((begin, end, depth, number))

    def _ranges(self, entry: DIE, unit: CompileUnit) -> Iterator[tuple[int, int]]:
        low = entry.attributes.get("DW_AT_low_pc")
        high = entry.attributes.get("DW_AT_high_pc")
        if low is not None and high is not None:
            # An address, or since DWARF 4 usually the size.
            is_address = high.form == "DW_FORM_addr"
            yield low.value, high.value if is_address else low.value + high.value
            return
        found = entry.attributes.get("DW_AT_ranges")
        if found is None or self.lists is None:
            return
        top = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = top.value if top is not None else 0
        for each in self.lists.get_range_list_at_offset(found.value, unit):
            if isinstance(each, BaseAddressEntry):
                base = each.base_address
            elif isinstance(each, RangeEntry):
                start = 0 if each.is_absolute else base
                yield start + each.begin_offset, start + each.end_offset


def _function(entry: DIE) -> str:
    """Name the function that was inlined: as the linker would, if that is told."""
    for _ in range(4):
        for key in ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name"):
            name = entry.attributes.get(key)
            if name is not None:
                return _text(name.value)
        following = next((key for key in _ORIGINS if key in entry.attributes), None)
        if following is None:
            break
        entry = entry.get_DIE_from_attribute(following)
    name = entry.attributes.get("DW_AT_name")
    return _text(name.value) if name is not None else ""


def _lends(entry: DIE) -> bool:
    """Whether a function returns a pointer, or is told where to put one."""
    for _ in range(4):
        if _is_pointer(entry, 0):
            return True
        parameters = [c for c in entry.iter_children() if c.tag == "DW_TAG_formal_parameter"]
        if any(_is_pointer(each, 1) for each in parameters):
            return True
        following = next((key for key in _ORIGINS if key in entry.attributes), None)
        if following is None:
            return False
        entry = entry.get_DIE_from_attribute(following)
    return False


def _is_pointer(entry: DIE, deep: int) -> bool:
    """Whether the type of an entry is a pointer; `deep` 1: a pointer to a pointer."""
    for _ in range(_TYPES):
        if "DW_AT_type" not in entry.attributes:
            return False
        entry = entry.get_DIE_from_attribute("DW_AT_type")
        if entry.tag in _POINTERS:
            if not deep:
                return True
            deep -= 1
        elif entry.tag not in _ALIASES:
            return False
    return False


def _number(entry: DIE, key: str) -> int:
    attribute = entry.attributes.get(key)
    value = attribute.value if attribute is not None else 0
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ValueError(f"{key} is {value!r}")
    return value


def _text(value: object) -> str:
    return value.decode(errors="replace")[:4096] if isinstance(value, bytes) else ""


def _flatten(ranges: list[Range]) -> list[tuple[int, int]]:
    """Give the addresses where the innermost scope changes, and to which; -1 is none."""
    edges = sorted({edge for begin, end, _, _ in ranges for edge in (begin, end)})
    starts = sorted(ranges)
    ends = sorted(ranges, key=lambda each: each[1])
    active: set[tuple[int, int]] = set()  # depth and scope
    counts: dict[tuple[int, int], int] = {}
    found: list[tuple[int, int]] = []
    first = last = 0
    for edge in edges:
        while last < len(ends) and ends[last][1] <= edge:
            key = ends[last][2:]
            counts[key] = counts.get(key, 0) - 1
            if counts[key] <= 0:
                active.discard(key)
            last += 1
        while first < len(starts) and starts[first][0] <= edge:
            key = starts[first][2:]
            counts[key] = counts.get(key, 0) + 1
            if counts[key] > 0:
                active.add(key)
            first += 1
        scope = max(active)[1] if active else -1
        if not found or found[-1][1] != scope:
            found.append((edge, scope))
    return found
