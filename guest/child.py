"""Child processes for libraries that may hang, crash or exhaust: the parent's side.

Rule 1: a child that dies, answers nothing or never ends is a `Reply` like any other.
Rule 2: only frames that are complete count.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from guest.worker import frame

OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGKILL)

_ROOT = str(Path(__file__).parent.parent)
_WALL_SECONDS = 120  # a last resort; a child has its own limit of CPU time


@dataclass(frozen=True, slots=True)
class Request:
    """A job: `code` is the Python statement that does it."""

    code: str
    head: Mapping[str, object]
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a child answered, and how it ended; `trouble` says why there is no status."""

    frames: tuple[tuple[dict[str, object], bytes], ...]
    status: int | None
    trouble: str = ""


def run_all(requests: Iterable[Request]) -> list[Reply]:
    """Do all jobs, each in its own process and as many at once as there are processors."""
    width = max(2, os.cpu_count() or 1)
    running: deque[_Child | Reply] = deque()
    replies: list[Reply] = []
    try:
        for request in requests:
            if len(running) >= width:
                replies.append(_finish(running.popleft()))
            running.append(_start(request))
        while running:
            replies.append(_finish(running.popleft()))
    finally:
        for child in running:
            if isinstance(child, _Child):
                _close(child)
    return replies


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    output: IO[bytes]


def _start(request: Request) -> _Child | Reply:
    # Files in place of pipes: nobody has to feed or drain several children at once.
    try:
        output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `_close`)
        with tempfile.TemporaryFile() as source:
            source.write(frame(request.head, request.data))
            source.seek(0)
            # Isolated, but for our own package, which is found last.
            code = f"import sys; sys.path.append({_ROOT!r}); {request.code}"
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", code],
                stdin=source,
                stdout=output,
                stderr=subprocess.DEVNULL,
            )
    except OSError as error:
        return Reply((), None, f"cannot be started: {(error.strerror or '').lower()}")
    return _Child(process, output)


def _finish(child: _Child | Reply) -> Reply:
    """Wait for the end of a child, and read what it answered."""
    if isinstance(child, Reply):
        return child
    try:
        status = child.process.wait(_WALL_SECONDS)
        child.output.seek(0)
        return Reply(tuple(_frames(child.output)), status)
    except subprocess.TimeoutExpired:
        return Reply((), None, "did not finish")
    finally:
        _close(child)


def _frames(output: IO[bytes]) -> Iterable[tuple[dict[str, object], bytes]]:
    while line := output.readline():
        if not line.endswith(b"\n"):
            return
        head = json.loads(line)
        data = output.read(head["size"])
        if len(data) != head["size"]:
            return
        yield head, data


def _close(child: _Child) -> None:
    """End the process if it still runs, and let its output go."""
    if child.process.poll() is None:
        child.process.kill()
        child.process.wait()
    child.output.close()
