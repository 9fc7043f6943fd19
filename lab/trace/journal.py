"""The journal that a killed writer leaves beside its file, by which SQLite mends that.

Rule: a journal may name another journal, which SQLite then deletes.  Ours never do, and
one that does is refused before SQLite sees it (sqlite.org/fileformat2.html, 3).
"""

import stat
from pathlib import Path

_MAGIC = bytes.fromhex("d9d505f920a163d7")


def journal_of(path: Path) -> Path:
    """Give the name that SQLite gives the journal of a file."""
    return path.with_name(f"{path.name}-journal")


def is_unfinished(path: Path) -> bool:
    """Answer whether a transaction of the file was cut off; ValueError for a hostile journal.

    OSError if that cannot be found out.
    """
    journal = journal_of(path)
    try:
        mode = journal.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise ValueError(f"{journal.name} is no regular file")
    with open(journal, "rb") as file:
        head = file.read(len(_MAGIC))
        size = file.seek(0, 2)
        file.seek(max(size - len(_MAGIC), 0))
        tail = file.read()
    if tail == _MAGIC and size > len(_MAGIC):
        raise ValueError(f"{journal.name} names another file")
    return head == _MAGIC
