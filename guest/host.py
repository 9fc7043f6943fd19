"""Calls of the host: what a thread without a program asks of the kernel, as values and text.

A test in Python acts as a client through such a thread; what it did is a list of these, and
that list is part of the run's identity: with it the run can be repeated without the test.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from guest.errors import GuestError
from guest.files import read_file
from kernel import abi
from kernel.utcb import MR_COUNT

HOST = "python"  # the name of the task and its thread
KINDS = ("gate", "irq", "semaphore")  # what it has capabilities of
FIRST_CAP = 0x20  # index of the first of them

MAX_CALLS = 100_000
MAX_FILE = 64 << 20
_WORD = 1 << 64
_PREFIX = "host-call"
_TARGET = re.compile(r"(?:(?:gate|irq|semaphore):[a-z][a-z0-9_-]{0,127})|self")


@dataclass(frozen=True, slots=True)
class HostCall:
    """One system call; `target` is ``gate:NAME`` and the like, or ``self`` for the thread.

    `operation` has the bits of the selector (ABI 1.3), `timeout` is the pair of timeouts.
    """

    target: str
    operation: int
    tag: int
    timeout: int = abi.TIMEOUT_NEVER
    words: tuple[int, ...] = ()


# Waiting for a message of oneself: only a timeout ends that (L4Re, `l4_ipc_sleep`).
SLEEP_FOREVER = HostCall("self", abi.OP_RECV, 0)


def encode(call: HostCall) -> str:
    """Write a call down, for an identity or a file."""
    numbers = (call.operation, call.tag, call.timeout, *call.words)
    return " ".join((_PREFIX, call.target, *(f"{number:#x}" for number in numbers)))


def decode(text: str) -> HostCall:
    """Read what `encode` has written; ValueError if it did not."""
    parts = text.split(" ")
    if len(parts) < 5 or parts[0] != _PREFIX or _TARGET.fullmatch(parts[1]) is None:
        raise ValueError(f"no call of the host: {text[:80]!r}")
    operation, tag, timeout, *words = (int(part, 16) for part in parts[2:])
    call = HostCall(parts[1], operation, tag, timeout, tuple(words))
    if encode(call) != text or len(words) > MR_COUNT or max(operation, timeout) >= 1 << 32:
        raise ValueError(f"no call of the host: {text[:80]!r}")
    if not all(0 <= number < _WORD for number in (tag, *words)):
        raise ValueError(f"a word of over 64 bits: {text[:80]!r}")
    return call


def is_host_call(text: str) -> bool:
    """Tell whether a line of an identity is meant to be such a call."""
    return text.startswith(f"{_PREFIX} ")


def load_calls(path: Path) -> tuple[HostCall, ...]:
    """Read a file of calls, one a line; GuestError with the line that is none."""
    text = read_file(path, limit=MAX_FILE, what="file of calls").decode(errors="replace")
    lines = text.splitlines()
    if len(lines) > MAX_CALLS:
        raise GuestError(f"{len(lines)} calls, at most {MAX_CALLS}", file=str(path))
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(decode(line))
        except ValueError as error:
            raise GuestError(str(error), file=str(path), line=number) from None
    return tuple(found)


def dump_calls(calls: tuple[HostCall, ...]) -> str:
    """Write calls as `load_calls` reads them."""
    return "".join(f"{encode(call)}\n" for call in calls)


def encode_timeout(microseconds: int | None) -> int:
    """Give one half of a timeout of at least so long; None never ends.

    Raises ValueError if it is negative, or longer than can be said.
    """
    if microseconds is None:
        return abi.TIMEOUT_NEVER
    if microseconds == 0:
        return abi.TIMEOUT_ZERO
    exponent = max(microseconds.bit_length() - 10, 0)
    mantissa = -(-microseconds >> exponent)
    if mantissa > abi.TIMEOUT_MANTISSA:
        exponent, mantissa = exponent + 1, -(-microseconds >> exponent + 1)
    if microseconds < 0 or exponent > abi.TIMEOUT_EXPONENT:
        raise ValueError(f"a timeout of {microseconds} microseconds")
    return exponent << abi.TIMEOUT_EXPONENT_SHIFT | mantissa
