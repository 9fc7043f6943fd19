"""Reading a user's files: bounded, and only regular files."""

import os
import stat
from pathlib import Path

from guest.errors import GuestError


def read_file(
    path: Path,
    *,
    limit: int,
    what: str,
    named_at: tuple[str, int | None, str | None] | None = None,
) -> bytes:
    """Read `path`, which must be a regular file of at most `limit` bytes.

    `named_at` is the file, line and key that named it, which errors then point to.
    """
    file, line, key = named_at or (str(path), None, None)
    prefix = "" if named_at is None else f"{path}: "
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            data = _read(descriptor, limit + 1) if regular else b""
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{prefix}cannot read this {what}: {reason.lower()}"
        raise GuestError(message, file=file, line=line, key=key) from None
    if not regular:
        message = f"{prefix}expected a regular file for this {what}"
        raise GuestError(message, file=file, line=line, key=key)
    if len(data) > limit:
        message = f"{prefix}this {what} is larger than {limit} bytes"
        raise GuestError(message, file=file, line=line, key=key)
    return data


def _read(descriptor: int, limit: int) -> bytes:
    data = bytearray()
    while len(data) < limit:
        piece = os.read(descriptor, min(limit - len(data), 1 << 20))
        if not piece:
            break
        data += piece
    return bytes(data)
