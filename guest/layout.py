"""From statements to the one text that Keystone assembles, and to how its bytes are read.

Statements are sorted by section, each section begins a page, and a table is appended: the
bounds of the sections, all labels and the start of every instruction.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guest.cache import installed
from guest.errors import GuestError
from guest.expand import RESERVED, Form, Place, Section, Source, Statement, expand, fail
from guest.expression import ExpressionError, Kind, Token, decode_string
from guest.intel import Names, is_register, render_instruction, render_value, split_operands
from kernel.abi import PAGE_SHIFT, PAGE_SIZE, Arch

BASE = 0x40_0000
MAX_FILL = 1 << 20  # bytes of one directive
MAX_OUTPUT = 16 << 20
FORMAT = 1  # of cache entries and of the text given to Keystone

_DATA = {".byte": 1, ".short": 2, ".word": 2, ".2byte": 2, ".hword": 2, ".long": 4, ".int": 4}
_DATA |= {".4byte": 4, ".quad": 8, ".8byte": 8}
_WIDTHS = {1: ".byte", 2: ".short", 4: ".long", 8: ".quad"}
_STRINGS = {".ascii": b"", ".asciz": b"\0", ".string": b"\0"}
_DIRECTIVES = (
    *_DATA,
    *_STRINGS,
    ".space",
    ".skip",
    ".zero",
    ".fill",
    ".org",
    ".align",
    ".balign",
    ".p2align",
)


@dataclass(frozen=True, slots=True)
class Job:
    """A source ready for Keystone: one line of text per entry of `places`."""

    path: Path
    arch: Arch
    source: Source
    lines: list[str]
    places: list[Place]
    keep: list[int]
    users: list[int]
    points: list[Statement]  # labels and instructions, in the order of the table
    sections: list[Section]
    key: str


def prepare(path: Path, arch: Arch, folders: Sequence[Path]) -> Job:
    """Expand the source at `path` and write the text for Keystone."""
    source = expand(path, arch, folders=folders)
    shown = str(path)
    symbols = set(source.labels) | {
        statement.name for statement in source.statements if statement.form is Form.ASSIGNMENT
    }
    for statement in source.statements:
        if statement.form in (Form.LABEL, Form.ASSIGNMENT) and is_register(statement.name):
            raise fail(
                f"{statement.name!r} cannot be a name: it is a register or a keyword of "
                "the syntax",
                statement.place,
            )
        if statement.form is Form.DIRECTIVE and statement.name not in _DIRECTIVES:
            raise fail(f"unknown directive {statement.name}", statement.place)
    layout = _Layout(path, source, Names(source.constants.get, symbols.__contains__, arch))
    if "_start" not in source.labels:
        raise GuestError("no label _start: expected the entry of the program", file=shown)
    nowhere = Place(shown, 1)
    sections = [
        section
        for section in Section
        if any(statement.section is section for statement in source.statements)
    ]
    for section in sections:
        layout.add(".balign 4096, 0", nowhere, keep=True)
        layout.add(f"{_start(section)}:", nowhere, keep=True)
        for statement in source.statements:
            if statement.section is section:
                layout.statement(statement)
        layout.add(f"{_end(section)}:", nowhere, keep=True)
    # .balign pads code with nops, and the table is cut off: neither is in the image.
    layout.add(".balign 8", nowhere, keep=True)
    marks = [mark for section in sections for mark in (_start(section), _end(section))]
    marks += layout.marks
    for start in range(0, len(marks), 64):
        layout.add(f".quad {', '.join(marks[start : start + 64])}", nowhere, keep=True)
    version = installed("keystone_engine")
    text = json.dumps([FORMAT, version, arch.name, BASE, layout.lines])
    key = hashlib.sha256(text.encode()).hexdigest()
    return Job(
        path,
        arch,
        source,
        layout.lines,
        layout.places,
        layout.keep,
        layout.users,
        layout.points,
        sections,
        key,
    )


def _start(section: Section) -> str:
    return f"{RESERVED}begin_{section.value[1:]}"


def _end(section: Section) -> str:
    return f"{RESERVED}end_{section.value[1:]}"


class _Layout:
    """Collects the text of one source."""

    def __init__(self, path: Path, source: Source, names: Names) -> None:
        self.path = path
        self.source = source
        self.names = names
        self.lines: list[str] = []
        self.places: list[Place] = []
        self.keep: list[int] = []
        self.users: list[int] = []
        self.points: list[Statement] = []
        self.marks: list[str] = []
        self.bytes = 0

    def add(self, text: str, place: Place, *, keep: bool = False) -> None:
        if keep:
            self.keep.append(len(self.lines))
        self.lines.append(text)
        self.places.append(place)

    def statement(self, statement: Statement) -> None:
        """Add one statement, with a mark in front of an instruction."""
        place = statement.place
        match statement.form:
            case Form.LABEL:
                self.points.append(statement)
                self.marks.append(statement.name)
                self.add(f"{statement.name}:", place, keep=True)
            case Form.INSTRUCTION:
                if statement.section is Section.BSS:
                    raise fail(".bss cannot hold instructions", place)
                text = render_instruction(statement, self.names)
                self.mark(statement)
                self.use(statement)
                self.add(text, place)
                self.count(15, place)
            case Form.ASSIGNMENT:
                value = self.value(statement.tokens, place)
                self.add(f"{statement.name} = {value}", place, keep=True)
            case Form.DIRECTIVE:
                self.directive(statement)

    def mark(self, statement: Statement) -> None:
        name = f"{RESERVED}s{len(self.points)}"
        self.points.append(statement)
        self.marks.append(name)
        self.add(f"{name}:", statement.place, keep=True)

    def use(self, statement: Statement) -> None:
        """Note that the next line may refer to labels."""
        if any(token.kind is Kind.NAME for token in statement.tokens):
            self.users.append(len(self.lines))

    def count(self, size: int, place: Place) -> None:
        self.bytes += size
        if self.bytes > MAX_OUTPUT:
            raise fail(f"the program is larger than {MAX_OUTPUT} bytes", place)

    def value(self, tokens: Sequence[Token], place: Place) -> int | str:
        try:
            return render_value(tokens, self.names)
        except ExpressionError as error:
            raise fail(str(error), place) from None

    def directive(self, statement: Statement) -> None:
        name, place = statement.name, statement.place
        try:
            arguments = split_operands(statement.tokens)
        except ExpressionError as error:
            raise fail(f"{name}: {error}", place) from None
        if statement.section is Section.BSS and (name in _DATA or name in _STRINGS):
            raise fail(f".bss holds zeros only, {name} belongs in .data", place)
        if name in _DATA:
            self._data(statement, arguments, _DATA[name])
        elif name in _STRINGS:
            self._strings(statement, arguments)
        elif name in (".space", ".skip", ".zero"):
            size, fill = self._constants(statement, arguments, (None, 0))
            self._fill(statement, size, 1, fill)
        elif name == ".fill":
            count, size, fill = self._constants(statement, arguments, (None, 1, 0))
            if size not in _WIDTHS:
                raise fail(f".fill: expected a size of 1, 2, 4 or 8, not {size}", place)
            self._fill(statement, count, size, fill)
        elif name == ".org":
            (offset,) = self._constants(statement, arguments, (None,))
            if not 0 <= offset <= MAX_FILL:
                raise fail(f".org {offset}: expected 0 to {MAX_FILL}", place)
            self.count(offset, place)
            self.users.append(len(self.lines))
            self.add(f".org {_start(statement.section)}+{offset}", place)
        elif name in (".align", ".balign", ".p2align"):
            self._align(statement, arguments)
        else:
            raise fail(f"unknown directive {name}", place)

    def _data(self, statement: Statement, arguments: list[list[Token]], width: int) -> None:
        place = statement.place
        if not arguments:
            raise fail(f"{statement.name}: expected values", place)
        texts = []
        for argument in arguments:
            value = self.value(argument, place)
            if isinstance(value, int):
                low, high = -(1 << width * 8 - 1), (1 << width * 8) - 1
                if not low <= value <= high:
                    raise fail(
                        f"{statement.name} {value:#x} does not fit: "
                        f"expected {low:#x} to {high:#x}",
                        place,
                    )
                value = hex(value & high)
            texts.append(value)
        self.count(width * len(texts), place)
        self._begin(statement)
        self.use(statement)
        self.add(f"{_WIDTHS[width]} {', '.join(texts)}", place)

    def _strings(self, statement: Statement, arguments: list[list[Token]]) -> None:
        data = b""
        for argument in arguments:
            if len(argument) != 1 or argument[0].kind is not Kind.STRING:
                raise fail(f'{statement.name}: expected "TEXT"', statement.place)
            try:
                data += decode_string(argument[0].text) + _STRINGS[statement.name]
            except ExpressionError as error:
                raise fail(str(error), statement.place) from None
        self.count(len(data), statement.place)
        self._begin(statement)
        if data:
            self.add(".byte " + ",".join(map(str, data)), statement.place)

    def _fill(self, statement: Statement, count: int, width: int, fill: int) -> None:
        name, place = statement.name, statement.place
        if not 0 <= count * width <= MAX_FILL:
            raise fail(f"{name} of {count * width} bytes: expected 0 to {MAX_FILL}", place)
        if not -(1 << width * 8 - 1) <= fill < 1 << width * 8:
            raise fail(f"{name}: {fill:#x} does not fit {width} bytes", place)
        if statement.section is Section.BSS and fill:
            raise fail(".bss holds zeros only", place)
        self.count(count * width, place)
        self._begin(statement)
        if not count:
            return
        if fill and width > 1:  # Keystone's .fill repeats four bytes at most
            text = f"{_WIDTHS[width]} {hex(fill & (1 << width * 8) - 1)}"
            self.add(f".rept {count}; {text}; .endr", place)
        else:
            self.add(f".space {count * width}, {fill & 0xFF}", place)

    def _align(self, statement: Statement, arguments: list[list[Token]]) -> None:
        name, place = statement.name, statement.place
        alignment, fill = self._constants(statement, arguments, (None, -1))
        if name == ".p2align":
            alignment = 1 << alignment if 0 <= alignment <= PAGE_SHIFT else -1
        if alignment not in [1 << order for order in range(PAGE_SHIFT + 1)]:
            raise fail(f"{name}: expected a power of two up to {PAGE_SIZE}", place)
        if not -1 <= fill <= 255:
            raise fail(f"{name}: {fill:#x} does not fit a byte", place)
        if statement.section is Section.BSS and fill > 0:
            raise fail(".bss holds zeros only", place)
        self.count(alignment, place)
        text = f".balign {alignment}"
        self.add(text if fill < 0 else f"{text}, {fill}", place, keep=True)

    def _begin(self, statement: Statement) -> None:
        # Data between instructions has lines too.
        if statement.section is Section.TEXT:
            self.mark(statement)

    def _constants(
        self, statement: Statement, arguments: list[list[Token]], defaults: Sequence[int | None]
    ) -> list[int]:
        """Compute constant arguments; a default of None means that one must be given."""
        name, place = statement.name, statement.place
        needed = sum(default is None for default in defaults)
        if not needed <= len(arguments) <= len(defaults):
            wanted = str(needed) if needed == len(defaults) else f"{needed} to {len(defaults)}"
            raise fail(f"{name}: expected {wanted} arguments, found {len(arguments)}", place)
        found = [default or 0 for default in defaults]
        for index, argument in enumerate(arguments):
            value = self.value(argument, place)
            if not isinstance(value, int):
                raise fail(f"{name}: expected a constant, not {value!r}", place)
            found[index] = value
        return found
