"""The parent's side of Keystone: starting its process, and reading what came of it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from guest.errors import GuestError
from guest.expand import fail
from guest.layout import BASE, Job

_CHILD = Path(__file__).parent / "keystone_child.py"
_WALL_SECONDS = 120  # a last resort; the child has its own limit of CPU time


class Child:
    """A running Keystone."""

    def __init__(self, job: Job, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self.job = job
        self.process = process
        self.output = output

    @classmethod
    def start(cls, job: Job, *, locate: bool = False) -> "Child":
        """Start Keystone on `job`, or to find the line that it does not survive."""
        request = {
            "bits": job.arch.bits,
            "base": BASE,
            "lines": job.lines,
            "keep": job.keep,
            "users": job.users,
            "locate": locate,
        }
        # Files in place of pipes: nobody has to feed or drain several children at once.
        try:
            output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
            with tempfile.TemporaryFile() as source:
                source.write(json.dumps(request).encode())
                source.seek(0)
                process = subprocess.Popen(
                    [sys.executable, "-I", str(_CHILD)],
                    stdin=source,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                )
        except OSError as error:
            message = f"cannot start the assembler: {(error.strerror or '').lower()}"
            raise GuestError(message, file=str(job.path)) from None
        return cls(job, process, output)

    def finish(self) -> bytes:
        """Wait for the result; raise the error of the source that it may be."""
        file = str(self.job.path)
        try:
            status = self.process.wait(_WALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise GuestError("the assembler did not finish", file=file) from None
        self.output.seek(0)
        header, _, data = self.output.read().partition(b"\n")
        if status != 0 or not header:
            raise self._crash(status)
        answer = json.loads(header)
        if "size" in answer and answer["size"] == len(data):
            return data
        raise self._error(str(answer.get("error")), answer.get("line"))

    def close(self) -> None:
        """End the process if it still runs, and let its output go."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()

    def _crash(self, status: int) -> GuestError:
        if status in (-24, -9):  # SIGXCPU, SIGKILL
            return GuestError(
                "the assembler ran out of time on this source", file=str(self.job.path)
            )
        other = Child.start(self.job, locate=True)
        try:
            if other.process.wait(_WALL_SECONDS) == 0:
                other.output.seek(0)
                answer = json.loads(other.output.readline())
                return self._error(str(answer.get("error")), answer.get("line"))
        except (subprocess.TimeoutExpired, ValueError):
            pass
        finally:
            other.close()
        return GuestError(
            f"the assembler crashed on this source (status {status})", file=str(self.job.path)
        )

    def _error(self, text: str, line: int | None) -> GuestError:
        text = text.partition(" (KS_ERR")[0]
        text = text[:1].lower() + text[1:]
        if line is None:
            return GuestError(text, file=str(self.job.path))
        place = self.job.places[line]
        return fail(f"{text}: {self.job.lines[line]!r}", place)
