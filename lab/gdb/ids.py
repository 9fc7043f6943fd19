"""Thread ids as gdb writes them: ``p<process>.<thread>``, in hex, -1 for all, 0 for any.

A process is a task and a thread a thread, by their object numbers.
"""

import re
from typing import NamedTuple

ANY, ALL = 0, -1

_ID = re.compile(rb"(?:p(?P<process>-1|[0-9a-f]{1,8})(?:\.(?P<one>-1|[0-9a-f]{1,8}))?)")
_PLAIN = re.compile(rb"-1|[0-9a-f]{1,8}")


class ThreadId(NamedTuple):
    """What an id names."""

    process: int
    thread: int


def parse_id(text: bytes) -> ThreadId | None:
    """Read an id; None if it is none.  Without a process, it is any."""
    if _PLAIN.fullmatch(text):
        return ThreadId(ANY, int(text, 16))
    match = _ID.fullmatch(text)
    if match is None:
        return None
    thread = match["one"]
    return ThreadId(int(match["process"], 16), ALL if thread is None else int(thread, 16))
