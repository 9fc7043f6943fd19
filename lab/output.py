"""Writing a file piece by piece, which is there as a whole or not at all."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from guest.errors import GuestError


@contextmanager
def open_output(name: str) -> Iterator[BinaryIO]:
    """Open a file to be written, under its name when that is done; ``-`` is standard output.

    A device or a pipe is written to as it is.  Raises GuestError if it cannot be written.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with open(path, "wb") as file:
                yield file
            return
        target = path.resolve()  # a link stays a link
        spare = target.with_name(f".{target.name[:200]}.{os.getpid()}")
        try:
            with open(spare, "xb") as file:
                yield file
            os.replace(spare, target)
        finally:
            spare.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise GuestError(f"cannot write this file: {reason.lower()}", file=name) from None
