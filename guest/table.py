"""A TOML table that is being taken apart, key by key, with one clear error per mistake."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from guest.errors import GuestError
from kernel import abi
from kernel.abi import Arch

MAX_ITEMS = 4096  # entries of one list or table
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_SIZE = re.compile(r"([1-9][0-9]{0,11})(B|KiB|MiB|GiB)?")
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Table:
    """A TOML table that is being taken apart; what is left over at the end is unknown."""

    __slots__ = ("_known", "_values", "file", "key")

    def __init__(self, file: str, key: str, values: Mapping[str, object]) -> None:
        self.file = file
        self.key = key
        self._values = dict(values)
        self._known: list[str] = []

    def error(self, key: str | None, message: str) -> GuestError:
        """Make the error of one of the keys, or of the table itself."""
        return GuestError(message, file=self.file, key=self.path(key) or None)

    def path(self, key: str | None) -> str:
        """Give the full path of a key, as errors print it."""
        if key is None:
            return self.key
        shown = key if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key) else quote(key)
        return f"{self.key}.{shown}" if self.key else shown

    def has(self, key: str) -> bool:
        """Answer whether `key` is there and was not taken yet."""
        return key in self._values

    def take(self, key: str) -> object:
        """Take the value of `key`, None if it is absent."""
        self._known.append(key)
        return self._values.pop(key, None)

    def finish(self) -> None:
        """Refuse the keys that nobody took."""
        for key in self._values:
            known = ", ".join(self._known)
            hint = did_you_mean(key, self._known)
            raise self.error(key, f"unknown key{hint}: expected one of {known}")

    def untaken(self) -> list[str]:
        """List the keys that nobody took."""
        return list(self._values)[: MAX_ITEMS + 1]

    def items(self) -> list[tuple[str, object]]:
        """Take everything, for tables whose keys are free."""
        found = list(self._values.items())
        self._values.clear()
        if len(found) > MAX_ITEMS:
            raise self.error(None, f"{len(found)} entries, at most {MAX_ITEMS}")
        return found

    def string(self, key: str, default: str | None = None) -> str:
        """Take a string."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.error(key, expected("a string", value))
        if "\0" in value:
            raise self.error(key, "a NUL character in a string")
        return value

    def name(self, key: str = "name") -> str:
        """Take the name of an object."""
        value = self.string(key)
        if not _NAME.fullmatch(value) or len(value) > 64:
            raise self.error(
                key,
                f"{quote(value)} is not a name: expected [a-z][a-z0-9_-]*, at most 64 long",
            )
        return value

    def boolean(self, key: str, *, default: bool) -> bool:
        """Take true or false."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, expected("true or false", value))
        return value

    def integer(self, key: str, default: int | None, *, low: int, high: int) -> int:
        """Take a number from `low` to `high`."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if type(value) is not int or not low <= value <= high:
            raise self.error(key, expected(f"a number from {low:,} to {high:,}", value))
        return value

    def word(self, key: str, default: int | None, arch: Arch) -> int:
        """Take a machine word; negative numbers are two's complement."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        return self.as_word(key, value, arch)

    def as_word(self, key: str, value: object, arch: Arch) -> int:
        """Check that `value`, found at `key`, is a machine word."""
        if type(value) is not int or not -(1 << arch.bits - 1) <= value <= arch.mask:
            raise self.error(key, expected(f"a number of {arch.bits} bits", value))
        return value & arch.mask

    def label(self, arch: Arch) -> int:
        """Take a gate label: a word whose low two bits are free for rights."""
        value = self.word("label", 0, arch)
        if value & abi.LABEL_RIGHTS:
            raise self.error(
                "label", f"{value:#x} has its low 2 bits set: they are for rights, expected 0"
            )
        return value

    def size(self, key: str, default: int, *, low: int, high: int) -> int:
        """Take a size such as "16KiB", in whole pages."""
        value = self.take(key)
        if value is None:
            return default
        found = parse_size(value) if isinstance(value, str) else -1
        if not low <= found <= high or found % abi.PAGE_SIZE:
            wanted = f'a size from "{_size(low)}" to "{_size(high)}" in whole pages of 4KiB'
            raise self.error(key, expected(wanted, value))
        return found

    def strings(self, key: str) -> tuple[str, ...]:
        """Take a list of strings."""
        found = []
        for index, value in enumerate(self._list(key)):
            if not isinstance(value, str) or "\0" in value:
                raise self.error(f"{key}", expected("strings", value) + f" at {index}")
            found.append(value)
        return tuple(found)

    def integers(self, key: str, *, low: int, high: int) -> tuple[int, ...]:
        """Take a list of numbers."""
        found = []
        for value in self._list(key):
            if type(value) is not int or not low <= value <= high:
                raise self.error(key, expected(f"numbers from {low:,} to {high:,}", value))
            found.append(value)
        return tuple(found)

    def table(self, key: str) -> "Table":
        """Take a table, empty if it is absent."""
        value = self.take(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self.error(key, expected("a table", value))
        return Table(self.file, self.path(key), value)

    def tables(self, key: str) -> list["Table"]:
        """Take a list of tables."""
        return [
            Table(self.file, f"{self.path(key)}[{index}]", value)
            if isinstance(value, dict)
            else self._refuse(key, value)
            for index, value in enumerate(self._list(key))
        ]

    def _refuse(self, key: str, value: object) -> "Table":
        raise self.error(key, expected(f"tables [[{self.path(key)}]]", value))

    def _list(self, key: str) -> Sequence[object]:
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(key, expected("a list", value))
        if len(value) > MAX_ITEMS:
            raise self.error(key, f"{len(value)} entries, at most {MAX_ITEMS}")
        return value


def check_known(
    value: str, known: frozenset[str], kind: str, error: Callable[[str], GuestError]
) -> str:
    """Give `value` back if it is known; `error` makes the error of its key otherwise."""
    if value not in known:
        if not known:
            raise error(f"no {kind} {quote(value)}: there is none at all")
        shown = ", ".join(sorted(known)[:8]) + (", ..." if len(known) > 8 else "")
        raise error(
            f"no {kind} {quote(value)}{did_you_mean(value, known)}: expected one of {shown}"
        )
    return value


def expected(wanted: str, value: object) -> str:
    """Say what was expected, and what was found."""
    if value is None:
        return f"missing: expected {wanted}"
    if isinstance(value, dict):
        return f"expected {wanted}, found a table"
    if isinstance(value, list):
        return f"expected {wanted}, found a list"
    if isinstance(value, bool):
        return f"expected {wanted}, found {str(value).lower()}"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"expected {wanted}, found a number of {value.bit_length()} bits"
    return f"expected {wanted}, found {quote(value) if isinstance(value, str) else value}"


def quote(text: str) -> str:
    """Quote a text for an error: one line, not too long."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return '"' + shown.encode("unicode_escape").decode().replace('"', '\\"') + '"'


def parse_size(text: str) -> int:
    """Give the bytes of a size such as "16KiB", -1 if it is none."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else -1


def did_you_mean(word: str, known: Sequence[str] | frozenset[str]) -> str:
    """Give a hint at the closest known word, or nothing."""
    close = difflib.get_close_matches(word[:64], sorted(known), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _size(value: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return str(value)
