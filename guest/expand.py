"""Expansion of an assembly source into a flat list of statements.

Includes, macros, repetitions, conditions and constants are all dealt with here, so that
the assembler proper sees labels, instructions and data only, each with the line that it
comes from.  A statement inside a macro belongs to the line of the macro's use.

Rule 1: every loop over input counts against `MAX_LINES`, every nesting against `MAX_DEPTH`.
Rule 2: no file is read but from the source's own folder, folders given by the caller, and
guest/include.

Comments are ``#``, ``//`` and ``/* */``; ``;`` separates statements.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from guest import abi_include
from guest.errors import GuestError
from guest.expression import ExpressionError, Kind, Token, evaluate, number, tokenize
from guest.files import read_file
from kernel.abi import Arch

INCLUDE = Path(__file__).parent / "include"
MAX_LINES = 100_000
MAX_DEPTH = 32
MAX_SOURCE = 1 << 20
MAX_TEXT = 4 << 20  # characters of expanded source
MAX_REPEAT = 1 << 20
MAX_MESSAGE = 400
RESERVED = "l4lab_"  # the start of our own labels

# Possessive, and with an end that always matches: hostile sources must not make a search
# quadratic.  What is not closed is found out when a statement is cut into tokens.
_QUOTED = r""""(?:\\[^\n]|[^"\\\n])*+\\?(?:"|(?=\n)|\Z)|'(?:\\.|[^'\\\n])'"""
_COMMENT = re.compile(_QUOTED + r"|//[^\n]*|\#[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_SEPARATOR = re.compile(_QUOTED + "|;")
_LABEL = re.compile(r"\s*([A-Za-z_.$][A-Za-z0-9_.$]*|[0-9]+)\s*:(?!:)")
_ASSIGN = re.compile(r"\s*([A-Za-z_.$][A-Za-z0-9_.$]*)\s*=(?!=)(.*)", re.DOTALL)
_WORD = re.compile(r"\s*([A-Za-z_.$][A-Za-z0-9_.$]*)\s*(.*)", re.DOTALL)
_ARGUMENT = re.compile(r"\\(?:([A-Za-z_][A-Za-z0-9_]*)|@|\(\))")
_PIECE = re.compile(_QUOTED + "|.", re.DOTALL)
_PARAMETER = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)(?::(req|vararg))?(?:\s*=\s*(.*))?", re.DOTALL
)
_NAME = re.compile(r"[A-Za-z_.$][A-Za-z0-9_.$]*")


class Section(Enum):
    """The sections that exist, in the order of their addresses."""

    TEXT = ".text"
    RODATA = ".rodata"
    DATA = ".data"
    BSS = ".bss"


class Form(Enum):
    """What a statement is."""

    LABEL = "label"
    INSTRUCTION = "instruction"
    DIRECTIVE = "directive"
    ASSIGNMENT = "assignment"  # of a value that only the assembler can know


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line comes from; `within` names the macros it was expanded from."""

    file: str
    line: int
    within: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the expanded source; `name` is a label, mnemonic or directive."""

    form: Form
    section: Section
    name: str
    tokens: tuple[Token, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Source:
    """An expanded source.

    `constants` holds the value of names that were defined once, None for the others.
    """

    statements: list[Statement]
    constants: dict[str, int | None]
    labels: dict[str, Place]
    files: dict[str, str]


def fail(message: str, place: Place) -> GuestError:
    """Make the error of a source line."""
    if len(message) > MAX_MESSAGE:
        message = message[:MAX_MESSAGE] + "..."
    return GuestError(message + place.within, file=place.file, line=place.line)


def expand(path: Path, arch: Arch, *, folders: Sequence[Path] = ()) -> Source:
    """Read `path` and expand it; `folders` are further places for its includes."""
    expander = _Expander(arch, (path.parent, *folders, INCLUDE))
    text = _decode(read_file(path, limit=MAX_SOURCE, what="source"), str(path))
    expander.files[str(path)] = text
    expander.run(_split(text, str(path)), depth=0)
    expander.finish()
    return Source(
        expander.statements, expander.final_constants(), expander.labels, expander.files
    )


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    kind: str  # "", "req" or "vararg"
    default: str


@dataclass(frozen=True, slots=True)
class _Macro:
    name: str
    parameters: tuple[_Parameter, ...]
    body: list[_Line]
    place: Place


@dataclass(slots=True)
class _Condition:
    """An open `.if`: are its lines live now, and was a branch taken already?"""

    live: bool
    taken: bool
    outer: bool
    place: Place
    otherwise: bool = False


@dataclass(slots=True, eq=False)
class _Expander:
    arch: Arch
    folders: tuple[Path, ...]
    files: dict[str, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    constants: dict[str, int] = field(default_factory=dict)
    redefined: set[str] = field(default_factory=set)
    assigned: dict[str, Place] = field(default_factory=dict)
    labels: dict[str, Place] = field(default_factory=dict)
    numeric: dict[str, int] = field(default_factory=dict)
    macros: dict[str, _Macro] = field(default_factory=dict)
    conditions: list[_Condition] = field(default_factory=list)
    section: Section = Section.TEXT
    lines: int = 0
    characters: int = 0
    uses: int = 0  # of macros, the value of \@

    def final_constants(self) -> dict[str, int | None]:
        return {
            name: None if name in self.redefined else value
            for name, value in self.constants.items()
        }

    def finish(self) -> None:
        if self.conditions:
            raise fail("expected .endif for this condition", self.conditions[-1].place)
        for statement in self.statements:
            if statement.form is Form.INSTRUCTION and statement.name in self.macros:
                raise fail(
                    f"macro {statement.name!r} is used before its definition", statement.place
                )

    def run(self, lines: list[_Line], *, depth: int) -> None:
        """Process `lines`; blocks of macros and repetitions are cut out of them."""
        index = 0
        opened = len(self.conditions)
        while index < len(lines):
            line = lines[index]
            index += 1
            self.lines += 1
            self.characters += len(line.text)
            if self.lines > MAX_LINES:
                raise fail(f"the source expands to more than {MAX_LINES} lines", line.place)
            if self.characters > MAX_TEXT:
                raise fail(f"the source expands to more than {MAX_TEXT} bytes", line.place)
            text = line.text
            word = _directive(text)
            if self._condition(word, text, line.place):
                continue
            if self.conditions and not self.conditions[-1].live:
                continue
            while word is None and (match := _LABEL.match(text)):
                self._label(match[1], line.place)
                text = text[match.end() :]
                word = _directive(text)
            if not text.strip():
                continue
            if word in (".macro", ".rept", ".irp"):
                end = ".endm" if word == ".macro" else ".endr"
                body, index = _block(lines, index, word, end, line.place)
                self._open(word, text, body, line.place, depth)
            else:
                self._statement(word, text, line.place, depth)
        if len(self.conditions) > opened:
            raise fail("expected .endif for this condition", self.conditions[-1].place)

    def _condition(self, word: str | None, text: str, place: Place) -> bool:
        """Handle the directives of conditions; say whether `word` was one."""
        if word in (".if", ".ifdef", ".ifndef", ".ifb", ".ifnb"):
            outer = not self.conditions or self.conditions[-1].live
            if len(self.conditions) >= MAX_DEPTH:
                raise fail(f"conditions are nested deeper than {MAX_DEPTH}", place)
            live = outer and self._test(word, _rest(text), place)
            self.conditions.append(_Condition(live, live, outer, place))
            return True
        if word not in (".elseif", ".else", ".endif"):
            return False
        if not self.conditions:
            raise fail(f"{word} without .if", place)
        condition = self.conditions[-1]
        if word == ".endif":
            self.conditions.pop()
        elif condition.otherwise:
            raise fail(f"{word} after .else", place)
        else:
            condition.otherwise = word == ".else"
            condition.live = condition.outer and not condition.taken
            if condition.live and word == ".elseif":
                condition.live = self._test(".if", _rest(text), place)
            condition.taken = condition.taken or condition.live
        return True

    def _test(self, word: str, text: str, place: Place) -> bool:
        match word:
            case ".ifb":
                return not text
            case ".ifnb":
                return bool(text)
            case ".ifdef" | ".ifndef":
                defined = text in self.constants or text in self.labels or text in self.assigned
                return defined == (word == ".ifdef")
        return self.constant(self._tokens(text, place), place) != 0

    def _open(self, word: str, text: str, body: list[_Line], place: Place, depth: int) -> None:
        rest = _rest(text)
        if depth >= MAX_DEPTH:
            raise fail(f"{word} is nested deeper than {MAX_DEPTH}", place)
        if word == ".macro":
            macro = _macro(rest, body, place)
            if macro.name in self.macros:
                raise fail(f"macro {macro.name!r} is defined twice", place)
            self.macros[macro.name] = macro
            return
        if word == ".rept":
            count = self.constant(self._tokens(rest, place), place)
            if not 0 <= count <= MAX_REPEAT:
                raise fail(f".rept {count}: expected 0 to {MAX_REPEAT}", place)
            for _ in range(count):
                self.lines += 1  # an empty body counts as well
                if self.lines > MAX_LINES:
                    raise fail(f"the source expands to more than {MAX_LINES} lines", place)
                self.run(body, depth=depth + 1)
            return
        name, *values = _arguments(rest)
        if not _NAME.fullmatch(name):
            raise fail(".irp: expected a name and values", place)
        for value in values:
            self.lines += 1
            self.run(_substitute(body, {name: value}, self.uses), depth=depth + 1)

    def _statement(self, word: str | None, text: str, place: Place, depth: int) -> None:
        match = _ASSIGN.fullmatch(text)
        if match:
            self._assign(match[1], match[2], place)
            return
        match = _WORD.fullmatch(text)
        if not match:
            raise fail(
                f"expected a label, an instruction or a directive: {_shown(text)}", place
            )
        name, rest = match[1], match[2].strip()
        if name in self.macros:
            self._use(self.macros[name], rest, place, depth)
        elif word is None:
            tokens = self._tokens(rest, place)
            self._emit(Form.INSTRUCTION, name.lower(), tokens, place)
        else:
            self._direct(word, rest, place, depth)

    def _direct(self, word: str, rest: str, place: Place, depth: int) -> None:
        match word:
            case ".text" | ".rodata" | ".data" | ".bss":
                self._select(word, place)
            case ".section":
                self._select(rest.partition(",")[0].strip(), place)
            case ".include":
                self._include(rest, place, depth)
            case ".equ" | ".set":
                name, comma, value = rest.partition(",")
                if not comma or not _NAME.fullmatch(name.strip()):
                    raise fail(f"{word}: expected NAME, VALUE", place)
                self._assign(name.strip(), value, place)
            case ".globl" | ".global" | ".type" | ".size" | ".file" | ".ident":
                pass
            case ".intel_syntax":
                if rest not in ("", "noprefix"):
                    raise fail(".intel_syntax: expected noprefix", place)
            case ".incbin":
                raise fail(".incbin is refused: a source cannot read other files", place)
            case ".error":
                raise fail(f".error: {_shown(rest)}", place)
            case ".endm" | ".endr":
                raise fail(f"{word} without {'.macro' if word == '.endm' else '.rept'}", place)
            case _:
                self._emit(Form.DIRECTIVE, word, self._tokens(rest, place), place)

    def _select(self, name: str, place: Place) -> None:
        try:
            self.section = Section(name)
        except ValueError:
            known = ", ".join(section.value for section in Section)
            raise fail(
                f"unknown section {_shown(name)}, expected one of {known}", place
            ) from None

    def _label(self, name: str, place: Place) -> None:
        if name.isdigit():
            count = self.numeric.get(name, 0) + 1
            self.numeric[name] = count
            name = f"{RESERVED}{name}_{count}"
        else:
            self._check_new(name, place)
        if name in self.labels:
            raise fail(
                f"label {name!r} is defined twice, first at line {self.labels[name].line}",
                place,
            )
        self.labels[name] = place
        self._emit(Form.LABEL, name, [], place)

    def _check_new(self, name: str, place: Place) -> None:
        if name.startswith(RESERVED):
            raise fail(f"names that start with {RESERVED!r} are reserved: {name!r}", place)
        if name in self.constants or name in self.assigned:
            raise fail(f"{name!r} is a constant already", place)

    def _assign(self, name: str, text: str, place: Place) -> None:
        tokens = self._tokens(text, place)
        if name.startswith(RESERVED) or name == ".":
            raise fail(f"{name!r} cannot be assigned", place)
        if name in self.labels:
            raise fail(f"{name!r} is a label already", place)
        value = self._evaluate(tokens, place)
        if value is None:
            if name in self.assigned or name in self.constants:
                raise fail(f"{name!r} is defined twice, and not as a constant", place)
            self.assigned[name] = place
            self._emit(Form.ASSIGNMENT, name, tokens, place)
            return
        if name in self.assigned:
            raise fail(f"{name!r} is defined twice, and not as a constant", place)
        if name in self.constants and self.constants[name] != value:
            self.redefined.add(name)
        self.constants[name] = value

    def _include(self, rest: str, place: Place, depth: int) -> None:
        if len(rest) < 3 or rest[0] != '"' or rest[-1] != '"' or "\0" in rest:
            raise fail('.include: expected "NAME"', place)
        name = rest[1:-1]
        if name == "abi.inc":
            for constant, value in abi_include.constants(self.arch).items():
                if self.constants.get(constant, value) != value or constant in self.labels:
                    raise fail(f"{constant!r} is defined differently by abi.inc", place)
                self.constants[constant] = value
            return
        if depth >= MAX_DEPTH:
            raise fail(f".include is nested deeper than {MAX_DEPTH}", place)
        path = self._find(name, place)
        shown = str(path)
        data = read_file(
            path, limit=MAX_SOURCE, what="include", named_at=(place.file, place.line, None)
        )
        text = _decode(data, shown)
        self.files[shown] = text
        self.run(_split(text, shown), depth=depth + 1)

    def _find(self, name: str, place: Place) -> Path:
        for folder in self.folders:
            candidate = folder / name
            try:
                inside = candidate.resolve().is_relative_to(folder.resolve())
                exists = candidate.exists()
            except (OSError, RuntimeError):  # a name too long, a loop of links
                continue
            if exists and inside:
                return candidate
        looked = ", ".join(str(folder) for folder in dict.fromkeys(self.folders))
        raise fail(f".include {_shown(name)}: no such file inside {looked}", place)

    def _use(self, macro: _Macro, rest: str, place: Place, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise fail(f"macro {macro.name!r} is nested deeper than {MAX_DEPTH}", place)
        values = _bind(macro, _arguments(rest) if rest else [], place)
        self.uses += 1
        body = _substitute(macro.body, values, self.uses)
        trail = place.within or f" (in macro {macro.name!r} of line {macro.place.line} in {{}})"
        within = trail.replace("{}", macro.place.file)
        self.run(
            [_Line(line.text, Place(place.file, place.line, within)) for line in body],
            depth=depth + 1,
        )

    def _tokens(self, text: str, place: Place) -> list[Token]:
        """Cut `text` into tokens, with local references and known constants resolved."""
        try:
            found = tokenize(text)
        except ExpressionError as error:
            raise fail(str(error), place) from None
        for index, token in enumerate(found):
            if token.kind is Kind.LOCAL:
                digits = token.text[:-1]
                count = self.numeric.get(digits, 0) + (token.text[-1] == "f")
                if count == 0:
                    raise fail(f"no label {digits}: before this line", place)
                found[index] = Token(Kind.NAME, f"{RESERVED}{digits}_{count}")
            elif token.kind is Kind.NAME and token.text in self.constants:
                found[index] = number(self.constants[token.text])
        return found

    def _evaluate(self, tokens: list[Token], place: Place) -> int | None:
        lookup: Callable[[str], int | None] = self.constants.get
        try:
            return evaluate(tokens, lookup)
        except ExpressionError as error:
            raise fail(str(error), place) from None

    def constant(self, tokens: list[Token], place: Place) -> int:
        """Compute what must be known at this point of the source."""
        value = self._evaluate(tokens, place)
        if value is None:
            names = [
                token.text
                for token in tokens
                if token.kind is Kind.NAME and token.text not in self.constants
            ]
            raise fail(f"expected a constant, {names[0]!r} is not known here", place)
        return value

    def _emit(self, form: Form, name: str, tokens: list[Token], place: Place) -> None:
        self.statements.append(Statement(form, self.section, name, tuple(tokens), place))


def _decode(data: bytes, file: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise GuestError("this source is not UTF-8", file=file, line=line) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise GuestError("a NUL character in this source", file=file, line=line)
    return text


def _split(text: str, file: str) -> list[_Line]:
    """Take comments away and cut `text` at line ends and semicolons."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        if found.startswith("/*") and (len(found) < 4 or not found.endswith("*/")):
            raise fail(
                "expected */ for this comment",
                Place(file, text.count("\n", 0, match.start()) + 1),
            )
        return found if found[0] in "\"'" else " " + "\n" * found.count("\n")

    lines = []
    for index, line in enumerate(_COMMENT.sub(blank, text).split("\n")):
        place = Place(file, index + 1)
        start = 0
        for match in _SEPARATOR.finditer(line):
            if match.group() == ";":
                lines.append(_Line(line[start : match.start()], place))
                start = match.end()
        lines.append(_Line(line[start:], place))
    return lines


def _directive(text: str) -> str | None:
    """Give the directive that `text` starts with, in lower case."""
    match = _WORD.match(text)
    if match and match[1].startswith(".") and not match[2].startswith((":", "=")):
        return match[1].lower()
    return None


def _rest(text: str) -> str:
    match = _WORD.match(text)
    return match[2].strip() if match else ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _block(
    lines: list[_Line], index: int, start: str, end: str, place: Place
) -> tuple[list[_Line], int]:
    """Cut the lines up to the matching `end` out of `lines`."""
    openers = (".macro",) if start == ".macro" else (".rept", ".irp")
    depth, first = 1, index
    while index < len(lines):
        word = _directive(lines[index].text)
        depth += (word in openers) - (word == end)
        index += 1
        if depth == 0:
            return lines[first : index - 1], index
    raise fail(f"expected {end} for this {start}", place)


def _macro(rest: str, body: list[_Line], place: Place) -> _Macro:
    match = _WORD.fullmatch(rest)
    if not match:
        raise fail(".macro: expected a name", place)
    name, texts = match[1], _arguments(match[2].removeprefix(",")) if match[2] else []
    parameters: list[_Parameter] = []
    for text in texts:
        found = _PARAMETER.fullmatch(text)
        if not found:
            raise fail(f"macro {name!r}: expected a parameter, found {_shown(text)}", place)
        parameters.append(_Parameter(found[1], found[2] or "", found[3] or ""))
    names = [parameter.name for parameter in parameters]
    if len(set(names)) < len(names):
        raise fail(f"macro {name!r} has two parameters of one name", place)
    if any(parameter.kind == "vararg" for parameter in parameters[:-1]):
        raise fail(f"macro {name!r}: only the last parameter can be vararg", place)
    return _Macro(name, tuple(parameters), body, place)


def _arguments(text: str) -> list[str]:
    """Cut macro arguments at commas outside brackets and quotes."""
    found: list[str] = []
    current: list[str] = []
    depth = 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece == "," and depth == 0:
            found.append("".join(current).strip())
            current = []
            continue
        depth += (piece in "([") - (piece in ")]")
        current.append(piece)
    return [*found, "".join(current).strip()]


def _bind(macro: _Macro, arguments: list[str], place: Place) -> dict[str, str]:
    names = [parameter.name for parameter in macro.parameters]
    values: dict[str, str] = {}
    position = 0
    for index, argument in enumerate(arguments):
        key, equals, value = argument.partition("=")
        if equals and key.strip() in names and not value.startswith("="):
            values[key.strip()] = value.strip()
            continue
        if position == len(names):
            raise fail(
                f"macro {macro.name!r} takes {len(names)} arguments, not {len(arguments)}",
                place,
            )
        parameter = macro.parameters[position]
        position += 1
        if parameter.kind == "vararg":
            values[parameter.name] = ", ".join(arguments[index:])
            break
        values[parameter.name] = argument
    for parameter in macro.parameters:
        if not values.get(parameter.name):
            if parameter.kind == "req":
                raise fail(f"macro {macro.name!r} needs {parameter.name!r}", place)
            values[parameter.name] = parameter.default
    return values


def _substitute(body: list[_Line], values: dict[str, str], use: int) -> list[_Line]:
    def replace(match: re.Match[str]) -> str:
        if match[1] is not None:
            return values.get(match[1], match.group())
        return str(use) if match.group() == r"\@" else ""

    longest = max(map(len, values.values()), default=0)
    found = []
    for line in body:
        size = len(line.text) + line.text.count("\\") * longest
        if size > MAX_TEXT:
            raise fail(f"the source expands to more than {MAX_TEXT} bytes", line.place)
        found.append(_Line(_ARGUMENT.sub(replace, line.text), line.place))
    return found
