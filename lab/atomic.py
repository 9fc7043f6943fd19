"""Writing a file whole or not at all."""

import os
import stat
from pathlib import Path

from guest.errors import GuestError


def write_text(path: Path, text: str) -> None:
    """Write a file; who reads it at the same time finds the old or the new one.

    A device or a pipe is written to as it is.  Raises GuestError if it cannot be written.
    """
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            path.write_text(text, encoding="utf-8")
            return
        target = path.resolve()  # a link stays a link
        spare = target.with_name(f".{target.name[:200]}.{os.getpid()}")
        try:
            with open(spare, "x", encoding="utf-8") as file:
                file.write(text)
            os.replace(spare, target)
        finally:
            spare.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise GuestError(f"cannot write this file: {reason.lower()}", file=str(path)) from None
