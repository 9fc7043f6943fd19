"""An image: what a program puts into its task's address space, and what its addresses mean."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter

from guest.errors import GuestError
from kernel.abi import PAGE_SHIFT, PAGE_SIZE, Arch, Page

MAX_IMAGE = 256 << 20  # bytes of all segments
_DEEPEST = 64  # inlined calls in each other
UTCB_AREA = 1 << 20  # kept free from `Arch.user_utcb` on


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of memory: `data`, then zeros up to `size`."""

    address: int
    data: bytes = field(repr=False)
    size: int
    rights: Page

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for an address; `size` is 0 if it is unknown."""

    name: str
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Line:
    """From `address` on the code comes from this line; an empty `file` ends a run of lines."""

    address: int
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Scope:
    """An inlined call."""

    around: int  # the index of the scope that it lies in; -1: in the function itself
    function: str  # as a symbol would be
    file: str  # of the call
    line: int
    lends: bool = False  # it can give who calls it a pointer


@dataclass(frozen=True, slots=True)
class Image:
    """A program, ready to be mapped.

    Segments, symbols and lines are sorted by address.  `digest` is the sha256 of what
    the program is: the bytes of an ELF file, or the segments and entry of an assembled
    one.  `source` maps the files that lines name to their text, as far as it was found.
    `file` is the ELF file, empty for an assembled one.
    """

    arch: Arch
    name: str
    entry: int
    segments: tuple[Segment, ...]
    symbols: tuple[Symbol, ...] = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)
    digest: str
    source: dict[str, str] = field(repr=False)
    scopes: tuple[Scope, ...] = field(default=(), repr=False)
    # From which address on which scope is the innermost; -1 is none.
    scope_map: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    # Lines that begin or end where the code of another line begins.
    begins: tuple[Line, ...] = field(default=(), repr=False)
    file: bytes = field(default=b"", repr=False)

    def symbol(self, name: str) -> Symbol | None:
        """Find a symbol by its name; the one at the lowest address if there are several."""
        return next((symbol for symbol in self.symbols if symbol.name == name), None)

    def symbol_at(self, address: int) -> tuple[Symbol, int] | None:
        """Find the symbol that `address` lies in, and how far in.

        A symbol of unknown size reaches to the end of its segment.
        """
        position = bisect_right(self.symbols, address, key=attrgetter("address"))
        for symbol in reversed(self.symbols[max(0, position - 64) : position]):
            offset = address - symbol.address
            if offset < symbol.size or (symbol.size == 0 and self._together(symbol, address)):
                return symbol, offset
        return None

    def line_at(self, address: int) -> Line | None:
        """Find the source line of the code at `address`."""
        position = bisect_right(self.lines, address, key=attrgetter("address"))
        if position == 0 or not self.lines[position - 1].file:
            return None
        line = self.lines[position - 1]
        segment = self.segment_at(address)
        return (
            line if segment is not None and segment is self.segment_at(line.address) else None
        )

    def statement_at(self, address: int) -> tuple[Line | None, int]:
        """Find the first line that has a part in the code at `address`, and where it is.

        That is the line of the code there, unless the compiler has made one instruction of
        two lines.  If the other is of an inlined function that ends there, its scopes are
        those of the address before, which is given then.
        """
        line = self.line_at(address)
        position = bisect_right(self.begins, address, key=attrgetter("address"))
        if line is None or position == 0 or self.begins[position - 1].address != address:
            return line, address
        found = self.begins[position - 1]
        if found.file == line.file:
            return found, address
        before = self.line_at(address - 1)
        is_end = before is not None and before.file == found.file
        return (found, address - 1) if is_end else (line, address)

    def scopes_at(self, address: int) -> tuple[int, ...]:
        """Give the inlined calls that the code at `address` belongs to, the outermost first.

        They are numbers, indices of `scopes`.
        """
        position = bisect_right(self.scope_map, address, key=itemgetter(0))
        number = self.scope_map[position - 1][1] if position else -1
        found: list[int] = []
        while 0 <= number < len(self.scopes) and len(found) < _DEEPEST:
            found.append(number)
            number = self.scopes[number].around
        found.reverse()
        return tuple(found)

    def segment_at(self, address: int) -> Segment | None:
        """Find the segment that `address` lies in."""
        position = bisect_right(self.segments, address, key=attrgetter("address"))
        if position == 0 or address >= self.segments[position - 1].end:
            return None
        return self.segments[position - 1]

    def _together(self, symbol: Symbol, address: int) -> bool:
        segment = self.segment_at(address)
        return segment is not None and segment.address <= symbol.address


def resolve(image: Image, where: str, *, file: str, key: str | None = None) -> int:
    """Give the address that a symbol of `image` or a number names.

    `file` and `key` say where `where` was written, for the error.
    """
    symbol = image.symbol(where)
    if symbol is not None:
        return symbol.address
    try:
        address = int(where, 0)
    except ValueError:
        address = -1
    if image.segment_at(address) is None:
        raise GuestError(
            f"{where!r} is neither a symbol of {image.name} nor an address inside it",
            file=file,
            key=key,
        )
    return address


def digest_of(arch: Arch, entry: int, segments: Sequence[Segment]) -> str:
    """Give the sha256 of a program that has no file: all that is mapped, and its entry."""
    digest = hashlib.sha256(f"l4lab image\n{arch.name} {entry:#x}\n".encode())
    for segment in segments:
        numbers = (segment.address, segment.size, int(segment.rights), len(segment.data))
        digest.update(f"{numbers}\n".encode() + segment.data)
    return digest.hexdigest()


def check_segments(segments: Sequence[Segment], arch: Arch, *, file: str) -> None:
    """Refuse segments, sorted by address, that cannot be mapped together into a task."""
    total = 0
    previous: Segment | None = None
    for segment in segments:
        shown = f"segment {segment.address:#x}-{segment.end:#x}"
        total += segment.size
        if segment.address < PAGE_SIZE or segment.end > arch.user_end:
            raise GuestError(
                f"{shown} is outside of user memory {PAGE_SIZE:#x}-{arch.user_end:#x}",
                file=file,
            )
        low, high = arch.user_utcb, arch.user_utcb + UTCB_AREA
        if segment.address < high and segment.end > low:
            raise GuestError(f"{shown} overlaps the UTCB area {low:#x}-{high:#x}", file=file)
        if previous is not None:
            if segment.address < previous.end:
                raise GuestError(
                    f"{shown} overlaps segment {previous.address:#x}-{previous.end:#x}",
                    file=file,
                )
            shared = segment.address >> PAGE_SHIFT == (previous.end - 1) >> PAGE_SHIFT
            if shared and segment.rights != previous.rights:
                raise GuestError(
                    f"{shown} shares a page with segment {previous.address:#x}-"
                    f"{previous.end:#x} of other rights",
                    file=file,
                )
        previous = segment
    if total > MAX_IMAGE:
        raise GuestError(f"the segments have {total} bytes, at most {MAX_IMAGE}", file=file)
