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
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{prefix}cannot read this {what}: {reason.lower()}"
        raise GuestError(message, file=file, line=line, key=key) from None
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise GuestError(
                f"{prefix}expected a regular file for this {what}",
                file=file,
                line=line,
                key=key,
            )
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            message = f"{prefix}cannot read this {what}: {(error.strerror or '').lower()}"
            raise GuestError(message, file=file, line=line, key=key) from None
    if len(data) > limit:
        raise GuestError(
            f"{prefix}this {what} is larger than {limit} bytes", file=file, line=line, key=key
        )
    return data
