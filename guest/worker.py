"""The inside of a child process: its limits, its request and its answers.

Rule 1: nothing that the parent already has is imported here, so that a child starts soon.
Rule 2: request and answers are frames: a line of JSON, whose ``size`` is the number of bytes
that follow it.
"""

import json
import resource
import sys
from collections.abc import Mapping

CPU_SECONDS = 5
ADDRESS_SPACE = 1 << 30
OUTPUT = 64 << 20


def begin() -> tuple[str, bytes]:
    """Limit this process for good, then read its request: the line and the bytes."""
    for kind, soft, hard in (
        # With both equal it would be SIGKILL that ends us, which can have other reasons.
        (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (resource.RLIMIT_AS, ADDRESS_SPACE, ADDRESS_SPACE),
        (resource.RLIMIT_FSIZE, OUTPUT, OUTPUT),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))
    return sys.stdin.buffer.readline().decode(), sys.stdin.buffer.read()


def answer(head: Mapping[str, object], data: bytes = b"") -> None:
    """Write one frame; what was written stands even if the process dies of what follows."""
    sys.stdout.buffer.write(frame(head, data))
    sys.stdout.buffer.flush()


def frame(head: Mapping[str, object], data: bytes = b"") -> bytes:
    """Encode a frame."""
    return json.dumps({**head, "size": len(data)}).encode() + b"\n" + data
