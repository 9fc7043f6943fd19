"""Golden messages: what was sent between whom, kept in a file beside the test.

Names instead of numbers, and neither addresses nor times, so that a change of the file is
one that a person can judge.
"""

import re
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path

from guest.files import read_file
from lab.atomic import write_text
from lab.messages import Message, render_messages

MOST = 2000  # messages in a golden file: nobody reads more
_LARGEST = 4 << 20


class GoldenDiffers(AssertionError):
    """The messages are not those of the golden file."""


def golden_path(test: Path, name: str) -> Path:
    """Give the file of a test's messages; `name` is that of the test, or one it chose."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:100] or "messages"
    return test.parent / "golden" / f"{test.stem}.{stem}.txt"


def compare(messages: Sequence[Message], path: Path) -> None:
    """Raise GoldenDiffers, with a diff of lines, unless a file has these messages."""
    if len(messages) > MOST:
        raise GoldenDiffers(f"{len(messages):,} messages, a golden file has at most {MOST:,}")
    if not path.exists():
        lines = render_messages(messages)
        raise GoldenDiffers(f"there is no {path}: --update-golden writes it with\n{lines}")
    wanted = read_file(path, limit=_LARGEST, what="golden file").decode(errors="replace")
    actual = render_messages(messages)
    if wanted == actual:
        return
    diff = unified_diff(
        wanted.splitlines(),
        actual.splitlines(),
        fromfile=str(path),
        tofile="this run",
        lineterm="",
        n=2,
    )
    text = "\n".join(diff)
    raise GoldenDiffers(f"other messages than in the golden file (--update-golden)\n{text}")


def update(messages: Sequence[Message], path: Path) -> bool:
    """Write the messages of this run into the file; answer whether that changed it."""
    if len(messages) > MOST:
        raise GoldenDiffers(f"{len(messages):,} messages, a golden file has at most {MOST:,}")
    text = render_messages(messages)
    if path.exists() and path.read_bytes() == text.encode():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return True
