"""A new project: guests of one's own, a scenario and tests, ready to be built and changed."""

from collections.abc import Iterator
from pathlib import Path

from guest.abi_include import c_header
from guest.errors import GuestError
from guest.scenario import PROGRAMS

TEMPLATE = Path(__file__).parent / "template"
_INCLUDE = Path(__file__).parent / "include"
_DOTTED = ("github", "gitignore")  # packages do not keep hidden files


def create_project(folder: Path) -> list[Path]:
    """Make a project in a folder that is new or empty; the files come back, sorted.

    Raises GuestError, and nothing is written, if there is something in it.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise GuestError("expected a new or an empty folder", file=str(folder))
    except OSError as error:
        raise _refused(folder, error) from None
    return _write(folder, [*_template(), *_include()])


def refresh_include(folder: Path) -> list[Path]:
    """Bring what guests include up to date in a project that is there."""
    if not (folder / "include").is_dir():
        raise GuestError("expected a project: it has no folder include", file=str(folder))
    return _write(folder, _include())


def _template() -> Iterator[tuple[str, str]]:
    for path in sorted(TEMPLATE.rglob("*")):
        place = path.relative_to(TEMPLATE).as_posix()
        if path.is_file() and "__pycache__" not in place:
            hidden = place.split("/")[0] in _DOTTED
            yield f".{place}" if hidden else place, path.read_text(encoding="utf-8")


def _include() -> list[tuple[str, str]]:
    return [
        ("include/abi.h", c_header()),
        ("include/crt0.c", (PROGRAMS / "crt0.c").read_text(encoding="utf-8")),
        ("include/l4lab.h", (_INCLUDE / "l4lab.h").read_text(encoding="utf-8")),
        (
            "include/l4lab_stream.hpp",
            (_INCLUDE / "l4lab_stream.hpp").read_text(encoding="utf-8"),
        ),
    ]


def _write(folder: Path, files: list[tuple[str, str]]) -> list[Path]:
    written = []
    try:
        for place, text in files:
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _refused(folder, error) from None
    return sorted(written)


def _refused(folder: Path, error: OSError | ValueError) -> GuestError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return GuestError(f"cannot make a project here: {reason.lower()}", file=str(folder))
