"""The user's cache of what children gave: an accelerator that may be damaged or missing."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path


def _folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(root) if root.startswith("/") else Path.home() / ".cache"
    return folder / "l4lab"


def cached(key: str) -> bytes | None:
    """Give a result of earlier; an entry that is damaged counts as none."""
    try:
        content = (_folder() / key).read_bytes()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    data = content[32:]
    return data if hashlib.sha256(data).digest() == content[:32] else None


def store(key: str, data: bytes) -> None:
    """Keep a result; where that is not possible, do without."""
    try:
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(hashlib.sha256(data).digest() + data)
            os.replace(name, folder / key)
        except OSError:
            os.unlink(name)
    except (OSError, RuntimeError):
        return


def installed(package: str) -> str:
    """Tell which version of a package is installed, without loading it.

    `package` begins the name of its metadata's folder, which is the answer.
    """
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")
        except OSError:
            continue
        for name in sorted(names):
            if name.startswith(f"{package}-"):
                return name
    return "unknown"
