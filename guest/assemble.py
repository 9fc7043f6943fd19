"""Assembly sources to images, by Keystone in a process of its own.

Keystone knows neither sections nor symbols nor lines.  The statements of a source are
sorted by section, each section begins a page, and a table of all labels and of the start
of every instruction is appended, whose values are then read out of the assembled bytes.
Results are kept in the user's cache, by the sha256 of all that decides them.
"""

import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from guest.errors import GuestError
from guest.expand import (
    RESERVED,
    Form,
    Place,
    Section,
    Source,
    Statement,
    expand,
    fail,
)
from guest.expression import ExpressionError, Kind, Token, decode_string
from guest.image import Image, Line, Segment, Symbol, check_segments
from guest.intel import Names, is_register, render_instruction, render_value, split_operands
from kernel.abi import PAGE_SHIFT, PAGE_SIZE, Arch, Page

BASE = 0x40_0000
MAX_FILL = 1 << 20  # bytes of one directive
MAX_OUTPUT = 16 << 20
FORMAT = 1  # of cache entries and of the text given to Keystone

_CHILD = Path(__file__).parent / "keystone_child.py"
_WALL_SECONDS = 120  # a last resort; the child has its own limit of CPU time
_RIGHTS = {
    Section.TEXT: Page.R | Page.X,
    Section.RODATA: Page.R,
    Section.DATA: Page.R | Page.W,
    Section.BSS: Page.R | Page.W,
}
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


def assemble(path: Path, arch: Arch, *, folders: Sequence[Path] = ()) -> Image:
    """Assemble `path` for `arch`; `folders` are further places for its includes."""
    return assemble_all([(path, arch)], folders=folders)[0]


def assemble_all(
    programs: Iterable[tuple[Path, Arch]], *, folders: Sequence[Path] = ()
) -> list[Image]:
    """Assemble several sources at once, each that is not in the cache in its own process."""
    jobs = [_prepare(path, arch, folders) for path, arch in programs]
    results: dict[str, bytes] = {}
    missing: dict[str, _Job] = {}
    for job in jobs:
        data = _cached(job.key)
        if data is None:
            missing[job.key] = job
        else:
            results[job.key] = data
    width = max(2, os.cpu_count() or 1)
    waiting = list(missing.values())
    for start in range(0, len(waiting), width):
        running = [_Child.start(job) for job in waiting[start : start + width]]
        try:
            for child in running:
                results[child.job.key] = child.finish()
                _store(child.job.key, results[child.job.key])
        finally:
            for child in running:
                child.close()
    return [_image(job, results[job.key]) for job in jobs]


@dataclass(frozen=True, slots=True)
class _Job:
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


def _prepare(path: Path, arch: Arch, folders: Sequence[Path]) -> _Job:
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
    text = json.dumps([FORMAT, _keystone_version(), arch.name, BASE, layout.lines])
    key = hashlib.sha256(text.encode()).hexdigest()
    return _Job(
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


class _Child:
    """A running Keystone."""

    def __init__(self, job: _Job, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self.job = job
        self.process = process
        self.output = output

    @classmethod
    def start(cls, job: _Job, *, locate: bool = False) -> "_Child":
        request = {
            "bits": job.arch.bits,
            "base": BASE,
            "lines": job.lines,
            "keep": job.keep,
            "users": job.users,
            "locate": locate,
        }
        # Files in place of pipes: nobody has to feed or drain several children at once.
        with tempfile.TemporaryFile() as source:
            source.write(json.dumps(request).encode())
            source.seek(0)
            output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
            try:
                process = subprocess.Popen(
                    [sys.executable, "-I", str(_CHILD)],
                    stdin=source,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                )
            except OSError:
                output.close()
                raise
        return cls(job, process, output)

    def finish(self) -> bytes:
        """Wait for the result; raise the error of the source that it may be."""
        file = str(self.job.path)
        try:
            status = self.process.wait(_WALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise GuestError("the assembler did not finish", file=file) from None
        self.output.seek(0)
        header, _, data = self.output.read().partition(b"\n")
        if status != 0 or not header:
            raise self._crash(status)
        answer = json.loads(header)
        if "size" in answer and answer["size"] == len(data):
            return data
        raise self._error(str(answer.get("error")), answer.get("line"))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()

    def _crash(self, status: int) -> GuestError:
        if status in (-24, -9):  # SIGXCPU, SIGKILL
            return GuestError(
                "the assembler ran out of time on this source", file=str(self.job.path)
            )
        other = _Child.start(self.job, locate=True)
        try:
            if other.process.wait(_WALL_SECONDS) == 0:
                other.output.seek(0)
                answer = json.loads(other.output.readline())
                return self._error(str(answer.get("error")), answer.get("line"))
        except (subprocess.TimeoutExpired, ValueError):
            pass
        finally:
            other.close()
        return GuestError(
            f"the assembler crashed on this source (status {status})", file=str(self.job.path)
        )

    def _error(self, text: str, line: int | None) -> GuestError:
        text = text.partition(" (KS_ERR")[0]
        text = text[:1].lower() + text[1:]
        if line is None:
            return GuestError(text, file=str(self.job.path))
        place = self.job.places[line]
        return fail(f"{text}: {self.job.lines[line]!r}", place)


def _image(job: _Job, data: bytes) -> Image:
    """Take the assembled bytes apart."""
    count = 2 * len(job.sections) + len(job.points)
    file = str(job.path)
    if len(data) < 8 * count:
        raise GuestError("the assembler lost a part of this source", file=file)
    table = struct.unpack(f"<{count}Q", data[len(data) - 8 * count :])
    bounds = dict(zip(job.sections, zip(table[0::2], table[1::2], strict=False), strict=False))
    addresses = table[2 * len(job.sections) :]
    segments = []
    for section, (begin, end) in bounds.items():
        content = data[begin - BASE : end - BASE]
        if end - begin != len(content):
            raise GuestError("the assembler lost a part of this source", file=file)
        if content:
            trimmed = content.rstrip(b"\0") if section is Section.BSS else content
            segments.append(Segment(begin, trimmed, len(content), _RIGHTS[section]))
    symbols, lines = [], []
    for index, (statement, address) in enumerate(zip(job.points, addresses, strict=True)):
        end = bounds[statement.section][1]
        if statement.form is Form.LABEL:
            if not statement.name.startswith((".L", RESERVED)):
                symbols.append((address, statement.name, end))
            continue
        if statement.form is Form.INSTRUCTION:
            following = end
            if (
                index + 1 < len(addresses)
                and job.points[index + 1].section is statement.section
            ):
                following = addresses[index + 1]
            if following <= address:
                raise fail(f"{statement.name!r} was assembled to nothing", statement.place)
        if statement.section is Section.TEXT:
            lines.append(Line(address, statement.place.file, statement.place.line))
    entry = next(address for address, name, _ in symbols if name == "_start")
    if not any(s.address <= entry < s.end and s.rights & Page.X for s in segments):
        raise GuestError("_start has no code: expected instructions in .text", file=file)
    lines.sort(key=lambda line: line.address)
    check_segments(segments, job.arch, file=file)
    digest = hashlib.sha256()
    digest.update(f"l4lab image\n{job.arch.name} {entry:#x}\n".encode())
    for segment in segments:
        numbers = (segment.address, segment.size, int(segment.rights), len(segment.data))
        digest.update(f"{numbers}\n".encode() + segment.data)
    return Image(
        arch=job.arch,
        name=job.path.stem,
        entry=entry,
        segments=tuple(segments),
        symbols=_sized(symbols),
        lines=_merged(lines),
        digest=digest.hexdigest(),
        source=job.source.files,
    )


def _sized(symbols: list[tuple[int, str, int]]) -> tuple[Symbol, ...]:
    """Let every symbol reach to the next one of its section."""
    ordered = sorted(symbols, key=lambda symbol: symbol[0])
    found: list[Symbol] = []
    following: dict[int, int] = {}  # by the end of the section
    for address, name, end in reversed(ordered):
        # Labels at one address are names of the same thing.
        if found and found[-1].address == address:
            found.append(Symbol(name, address, found[-1].size))
        else:
            found.append(Symbol(name, address, following.get(end, end) - address))
        following[end] = address
    return tuple(reversed(found))


def _merged(lines: list[Line]) -> tuple[Line, ...]:
    """Keep the first of successive instructions of one line."""
    found: list[Line] = []
    for line in lines:
        if not found or (found[-1].file, found[-1].line) != (line.file, line.line):
            found.append(line)
    return tuple(found)


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(root) if root.startswith("/") else Path.home() / ".cache"
    return folder / "l4lab"


def _cached(key: str) -> bytes | None:
    """Give a result of earlier; an entry that is damaged counts as none."""
    try:
        content = (_cache() / key).read_bytes()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    data = content[32:]
    return data if hashlib.sha256(data).digest() == content[:32] else None


def _store(key: str, data: bytes) -> None:
    """Keep a result; where that is not possible, do without."""
    try:
        folder = _cache()
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(hashlib.sha256(data).digest() + data)
            os.replace(name, folder / key)
        except OSError:
            os.unlink(name)
    except (OSError, RuntimeError):
        return


def _keystone_version() -> str:
    """Tell which Keystone is installed without loading it, from its metadata's folder name."""
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")
        except OSError:
            continue
        for name in sorted(names):
            if name.startswith("keystone_engine-"):
                return name
    return "unknown"
