"""Reading a user's TOML: whatever is in it, a table or one error with its line."""

import re
import tomllib
from pathlib import Path

from guest.errors import GuestError
from guest.files import read_file

# tomllib needs time quadratic in the parts of a dotted key.
_LONG_KEY = re.compile(r"^[ \t]*\[{0,2}(?:[^\s.=#]*[ \t]*\.[ \t]*){100}", re.MULTILINE)
_LINE = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)$")


def read_toml(path: Path, *, limit: int, what: str) -> tuple[str, dict[str, object]]:
    """Read a file of at most `limit` bytes; give its text and what it says."""
    file = str(path)
    try:
        text = read_file(path, limit=limit, what=what).decode()
    except UnicodeDecodeError:
        raise GuestError(f"this {what} is not UTF-8", file=file) from None
    return text, parse_toml(text, file=file)


def parse_toml(text: str, *, file: str) -> dict[str, object]:
    """Give what a text says; `file` is its name, for errors."""
    try:
        if match := _LONG_KEY.search(text):
            line = text.count("\n", 0, match.start()) + 1
            raise GuestError("not TOML: a key of too many parts", file=file, line=line)
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = _LINE.search(message)
        line = int(match[1]) if match and match[1] else text.count("\n") + 1
        message = _LINE.sub("", message)
        raise GuestError(
            f"not TOML: {message[:1].lower()}{message[1:]}", file=file, line=line
        ) from None
    except RecursionError:
        raise GuestError("not TOML: nested too deeply", file=file) from None
    except ValueError as error:  # an integer of too many digits, an impossible date
        raise GuestError(f"not TOML: {str(error)[:100].lower()}", file=file) from None
