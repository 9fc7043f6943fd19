"""Mutants: servers without fault, made guilty by one small change of their assembly.

Three changes are known: a read of the message moves below the next call, a save is left
out, a restore is left out.  Whether a mutant is guilty is not for its source to say: a
call may leave the word alone.  It is found out by execution, against partners that answer
with more or fewer words and other values: see `partner`.

Sources are those of the corpus, for amd64: rbx holds the UTCB.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

REPLY_WORDS = (1, 3, 8)  # that partners answer with


class Change(Enum):
    """What was done to a server."""

    READ_MOVED = "a read moved below a call"
    SAVE_REMOVED = "a save removed"
    RESTORE_REMOVED = "a restore removed"


class Content(Enum):
    """What partners answer."""

    OTHER = "values of their own"
    SAME = "the words of the client's request"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed server: `line` is the line of the original that was changed.

    `register` is the message register whose read moved, None if it is about several.
    """

    source: str
    change: Change
    line: int
    register: int | None


_LABEL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):")
_READ = re.compile(r"\s+mov (r[a-ds][xip]|rbp), qword ptr \[rbx \+ UTCB_MR([0-9]+)\]")
_CALL = re.compile(r"\s+(?:call ([A-Za-z_]\w*)|(log|log_number) )")
# Behind a request that the server itself puts together or sends, a read would be of the
# answer to that, and no mistake.
_OWN_REQUEST = re.compile(r"\s+(?:l4_invoke|mov qword ptr \[rbx \+ UTCB_MR[0-9]+\],)")
_END = re.compile(r"[A-Za-z_]\w*:|[0-9]+:|\s+(?:ret|j[a-z]{1,3})\b")
_COPY_FROM = re.compile(r"\s+mov rsi, rbx\b")
_COPY_TO = re.compile(r"\s+mov rdi, rbx\b")
_COPY = re.compile(r"\s+rep movsq\b")
_PUSH = re.compile(r"\s+push qword ptr \[rbx \+ UTCB_MR[0-9]+\]")
_POP = re.compile(r"\s+pop qword ptr \[rbx \+ UTCB_MR[0-9]+\]")
_WIDE_SAVE = re.compile(r"\s+movups xmmword ptr \[rsp \+ rcx\], xmm0")
_WIDE_RESTORE = re.compile(r"\s+movups xmmword ptr \[rbx \+ rcx\], xmm0")


def mutants(source: str) -> Iterator[Mutant]:
    """Make every mutant of a server, in the order of its lines."""
    lines = source.splitlines()
    for at, line in enumerate(lines):
        if match := _READ.match(line):
            below = _call_below(lines, at, match[1])
            if below is not None:
                moved = [*lines[:at], *lines[at + 1 : below + 1], line, *lines[below + 1 :]]
                yield _mutant(moved, Change.READ_MOVED, at, int(match[2]))
        elif _COPY.match(line):
            group = lines[max(at - 3, 0) : at]
            without = [*lines[:at], *lines[at + 1 :]]
            if any(_COPY_FROM.match(before) for before in group):
                if not any(_COPY_TO.match(below) for below in lines[at:]):
                    continue  # nothing is put back: what is used is the copy, not a register
                yield _mutant(without, Change.SAVE_REMOVED, at)
            elif any(_COPY_TO.match(before) for before in group):
                yield _mutant(without, Change.RESTORE_REMOVED, at)
        elif _PUSH.match(line):
            # The stack must still fit.
            kept = [*lines[:at], "    sub rsp, UTCB_WORD", *lines[at + 1 :]]
            yield _mutant(kept, Change.SAVE_REMOVED, at)
        elif _POP.match(line):
            kept = [*lines[:at], "    add rsp, UTCB_WORD", *lines[at + 1 :]]
            yield _mutant(kept, Change.RESTORE_REMOVED, at)
        elif _WIDE_SAVE.match(line):
            yield _mutant([*lines[:at], *lines[at + 1 :]], Change.SAVE_REMOVED, at)
        elif _WIDE_RESTORE.match(line):
            yield _mutant([*lines[:at], *lines[at + 1 :]], Change.RESTORE_REMOVED, at)


def partner(words: int, content: Content, request: tuple[int, ...]) -> str:
    """Write a server that answers whatever it is asked with `words` words.

    `request` is what the client sends to the server under test.
    """
    values = [101 + k for k in range(words)]
    if content is Content.SAME:
        values[: len(request)] = request[:words]
    return "\n".join(
        [
            f"# A partner that answers with {words} words: {content.value}.",
            "",
            '.include "corpus.inc"',
            "",
            ".text",
            "_start:",
            "    server_loop dispatch",
            "",
            "dispatch:",
            *(
                f"    mov qword ptr [rbx + UTCB_MR{k}], {value}"
                for k, value in enumerate(values)
            ),
            f"    mov eax, {words}",
            "    ret",
            "",
        ]
    )


def _mutant(lines: list[str], change: Change, at: int, register: int | None = None) -> Mutant:
    return Mutant("\n".join(lines) + "\n", change, at + 1, register)


def _call_below(lines: list[str], at: int, register: str) -> int | None:
    """Find the next call in straight line that neither needs nor ends the register."""
    name = register[1:]
    for below in range(at + 1, len(lines)):
        line = lines[below].partition("#")[0]
        if _END.match(line) or _OWN_REQUEST.match(line):
            return None
        if match := _CALL.match(line):
            called = match[1]
            taken = called is not None and _mentions(_function(lines, called), name)
            return None if taken or _mentions([line], name) else below
        if _mentions([line], name):
            return None
    return None


def _function(lines: list[str], name: str) -> list[str]:
    """Give the lines of a function, to the next label that is not a number."""
    found: list[str] = []
    inside = False
    for line in lines:
        if match := _LABEL.match(line):
            inside = match[1] == name
        elif inside:
            found.append(line.partition("#")[0])
    return found


def _mentions(lines: list[str], register: str) -> bool:
    return any(re.search(rf"\b[re]{register}\b", line) for line in lines)
