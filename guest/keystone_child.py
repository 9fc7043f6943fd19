"""The process in which Keystone runs: limited in time and memory, and free to crash.

Its request is one JSON object: ``bits``, ``base``, ``lines`` (the source), ``keep`` (indices
of lines that are never left out when the offender is sought, labels above all), ``users``
(lines that use labels) and ``locate``.  It answers the assembled bytes, or ``{"error": text,
"line": index or null}``.  ``locate`` makes every attempt in a process of its own, because
Keystone ends the process on some sources.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TypedDict

from guest.worker import answer, begin

try:
    import keystone
except ImportError as missing:  # an answer, not a traceback
    answer({"error": f"cannot load keystone-engine: {missing}", "line": None})
    sys.exit(0)

FIXUP_INVALID = 161


class Job(TypedDict):
    """A request."""

    bits: int
    base: int
    lines: list[str]
    keep: list[int]
    users: list[int]
    locate: bool


def main() -> None:
    """Do the one job that standard input describes."""
    job: Job = json.loads(begin()[0])
    lines = job["lines"]
    assembler = Assembler(job["bits"], job["base"])
    if job["locate"]:
        keep = frozenset(job["keep"])
        line = locate(lines, keep, lambda text: forked(assembler, text))
        answer({"error": "the assembler gives up on this instruction", "line": line})
        return
    result = assembler.run(lines)
    if isinstance(result, bytes):
        answer({}, result)
        return
    text, number = result
    keep = frozenset(job["keep"])
    if number == FIXUP_INVALID:
        # Leaving other lines out would change distances: only users of labels go.
        keep = frozenset(range(len(lines))) - frozenset(job["users"])
    line = locate(lines, keep, lambda source: isinstance(assembler.run(source), bytes))
    answer({"error": text, "line": line})


class Assembler:
    """Keystone for one architecture."""

    def __init__(self, bits: int, base: int) -> None:
        """Keep what every attempt needs."""
        self.mode = keystone.KS_MODE_64 if bits == 64 else keystone.KS_MODE_32
        self.base = base

    def run(self, lines: Sequence[str]) -> bytes | tuple[str, int]:
        """Assemble `lines`; on failure give Keystone's text and number for it."""
        engine = keystone.Ks(keystone.KS_ARCH_X86, self.mode)
        try:
            data, _ = engine.asm("\n".join(lines), self.base, True)
        except keystone.KsError as error:
            return str(error), int(error.errno)
        # Some bad sources give no error, and no bytes either.
        return data if isinstance(data, bytes) else ("nothing was assembled", 0)


def locate(
    lines: list[str], keep: frozenset[int], succeeds: Callable[[list[str]], bool]
) -> int | None:
    """Find the first line without which, and all later ones, the source assembles."""

    def until(count: int) -> list[str]:
        return [
            text if index < count or index in keep else ".space 2"
            for index, text in enumerate(lines)
        ]

    low, high = 0, len(lines)
    if not succeeds(until(0)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if succeeds(until(middle)):
            low = middle
        else:
            high = middle
    return low


def forked(assembler: Assembler, lines: list[str]) -> bool:
    """Answer whether `lines` assemble, in a child process."""
    child = os.fork()
    if child == 0:
        os.close(2)  # the text of the abort is of no use
        os._exit(0 if isinstance(assembler.run(lines), bytes) else 1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0
