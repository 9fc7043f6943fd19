"""Assembly of the corpus for ia32, made from its amd64 form.

Rule 1: a source of the corpus uses only registers that both architectures have, keeps
words in machine words, and takes offsets from abi.inc; so the two forms differ in names.
Rule 2: across a system call only rbx, rbp and rsp survive, which is what ia32 leaves.

``python -m guest.corpus.narrow FILE...`` writes ``ia32/`` beside each ``amd64/``; a test
holds what is stored against this.
"""

import re
import sys
from pathlib import Path

_NEW = re.compile(r"\br(?:8|9|1[0-5])[dwb]?\b")
_RULES = (
    (re.compile(r"\br([a-d]x|[sd]i|[sb]p)\b"), r"e\1"),
    (re.compile(r"\bqword ptr\b"), "dword ptr"),
    (re.compile(r"\[rip \+ "), "["),
    (re.compile(r"\.quad\b"), ".long"),
    (re.compile(r"\bmovsq\b"), "movs dword ptr [edi], dword ptr [esi]"),
    (re.compile(r"\*8\b"), "*4"),
    (re.compile(r"(\.space +)8\b"), r"\g<1>4"),
)


def narrow(source: str) -> str:
    """Give the ia32 form of an amd64 source; ValueError if it uses a register of amd64 only."""
    for number, line in enumerate(source.splitlines(), 1):
        found = _NEW.search(line.partition("#")[0])
        if found:
            raise ValueError(f"line {number}: {found[0]} is no register of ia32")
    for pattern, replacement in _RULES:
        source = pattern.sub(replacement, source)
    return source


def write(path: Path) -> None:
    """Write the ia32 form of the file at `path`, which lies in a folder ``amd64``."""
    folder = path.parent.parent / "ia32"
    folder.mkdir(exist_ok=True)
    (folder / path.name).write_text(narrow(path.read_text()))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(Path(name))
