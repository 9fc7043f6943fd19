"""C++ names for people: what a symbol names, without parameters and template arguments.

The grammar is that of the Itanium C++ ABI, 5.1; what is not a name there, or is more than
this reads, stays as it is.
"""

import re

_SUFFIX = re.compile(r"\.(isra|part|constprop|cold|lto_priv|llvm)(\.\d+)*")
_NUMBER = re.compile(r"\d+")
_DEEPEST = 64  # nested template arguments, or names in one
_OPERATORS = {
    "nw": "new",
    "dl": "delete",
    "ls": "<<",
    "rs": ">>",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "gt": ">",
    "aS": "=",
    "pl": "+",
    "mi": "-",
    "ml": "*",
    "pp": "++",
    "mm": "--",
    "cl": "()",
    "ix": "[]",
    "pt": "->",
    "nt": "!",
    "pL": "+=",
    "mI": "-=",
}
_STANDARD = {"St": "std", "Sa": "std::allocator", "Ss": "std::string"}


def demangle(symbol: str) -> str:
    """Give the name that a symbol stands for."""
    plain = _SUFFIX.sub("", symbol)
    if not plain.startswith("_Z"):
        return plain
    try:
        return _Reader(plain[2:]).read_name()
    except ValueError:
        return plain


class _Reader:
    """Reads an encoding from its start; ValueError if it is not understood."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._names = 0  # that were begun

    def read_name(self) -> str:
        """Read a nested or plain name."""
        self._names += 1
        if self._names > _DEEPEST:
            raise ValueError("too many names in one")
        if self._take("N"):
            while self._take_any("rVKRO"):  # qualifiers of a member function
                pass
            parts: list[str] = []
            while not self._take("E"):
                self._read_part(parts)
            return "::".join(parts)
        if self._take("Z"):
            # A name that is local to a function: the function's, then its own.
            outer = self.read_name()
            while not self._take("E"):
                self._skip_type(0)
            self._take("s")
            return f"{outer}::{self.read_name()}"
        parts = []
        self._read_part(parts)
        if parts == ["std"]:
            self._read_part(parts)
        return "::".join(parts)

    def _read_part(self, parts: list[str]) -> None:
        text = self.text
        self._take("L")  # of internal linkage
        head = text[self.at : self.at + 2]
        if head[:1].isdigit():
            parts.append(self._read_source_name())
        elif head[:1] == "I":
            self._skip_arguments(0)
        elif head in _STANDARD:
            self.at += 2
            parts.append(_STANDARD[head])
        elif head[:1] == "S":
            self._skip_substitution()
        elif head[:1] in ("C", "D") and head[1:].isdigit():
            self.at += 2
            name = parts[-1] if parts else ""
            parts.append(f"~{name}" if head[0] == "D" else name)
        elif head in _OPERATORS:
            self.at += 2
            parts.append(f"operator{_OPERATORS[head]}")
        else:
            raise ValueError(f"{text!r} at {self.at}")
        if self._peek() == "B":  # an ABI tag
            self.at += 1
            self._read_source_name()

    def _read_source_name(self) -> str:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise ValueError(f"no length at {self.at}")
        length = int(match.group()[:9])
        name = self.text[match.end() : match.end() + length]
        if len(name) != length or not name:
            raise ValueError(f"a name of {length} characters at {self.at}")
        self.at = match.end() + length
        return "(anonymous namespace)" if name.startswith("_GLOBAL__N") else name

    def _skip_arguments(self, depth: int) -> None:
        self.at += 1
        while not self._take("E"):
            self._skip_type(depth + 1)

    def _skip_type(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        head = self._peek()
        if head == "I" or head == "J":
            self._skip_arguments(depth)
        elif head == "L":  # a literal
            end = self.text.find("E", self.at)
            if end < 0:
                raise ValueError("a literal without end")
            self.at = end + 1
        elif head == "S":
            if self.text[self.at : self.at + 2] in _STANDARD:
                self.at += 2
            else:
                self._skip_substitution()
        elif head == "T":
            self._skip_substitution()
        elif head == "N":
            self.read_name()
        elif head.isdigit():
            self._read_source_name()
        elif head == "F":
            self.at += 1
            while not self._take("E"):
                self._skip_type(depth + 1)
        elif not self._take_any("PROKVabcdefghijlmnostvwxyz"):
            raise ValueError(f"{self.text!r} at {self.at}")

    def _skip_substitution(self) -> None:
        end = self.text.find("_", self.at)
        if not 0 <= end - self.at < 16:
            raise ValueError(f"a substitution at {self.at}")
        self.at = end + 1

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take_any(self, letters: str) -> bool:
        head = self._peek()
        if not head or head not in letters:
            return False
        self.at += 1
        return True

    def _take(self, letter: str) -> bool:
        if self._peek() != letter:
            if self.at >= len(self.text):
                raise ValueError("the name ends too early")
            return False
        self.at += 1
        return True
