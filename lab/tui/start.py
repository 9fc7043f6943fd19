"""Beginning to look at a run: what the trace view needs besides it, and where notes go."""

import hashlib
import os
from pathlib import Path

from guest.errors import GuestError
from lab.moment import Replayer
from lab.trace.reader import Trace
from lab.trace.schema import MAGIC
from lab.tui.app import DebugApp
from lab.tui.notes import SUFFIX, Notes, load_notes
from lab.tui.session import open_session


def is_trace(text: str) -> bool:
    """Tell a recorded trace from a scenario, by how its file begins."""
    path = Path(text)
    try:
        if not path.is_file():
            return path.suffix == ".l4trace"
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC or path.suffix == ".l4trace"
    except (OSError, ValueError):
        return False


def notes_of_trace(path: Path) -> Path:
    """Give the file of the notes on a recorded trace: it lies beside it."""
    return path.with_name(path.name + SUFFIX)


def notes_of_scenario(path: Path, arch: str) -> Path:
    """Give the file of the notes on a scenario that is not recorded: among the user's state.

    It lies in XDG_STATE_HOME (freedesktop.org, XDG Base Directory Specification).
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    where = hashlib.sha256(str(path.resolve()).encode(errors="surrogateescape"))
    return folder / "l4lab" / f"{path.stem}-{arch}-{where.hexdigest()[:8]}{SUFFIX}"


def make_app(
    trace: Trace,
    replayer: Replayer | None,
    *,
    missing: str = "",
    notes: Path | None = None,
    mark: str | None = None,
    is_dark: bool = True,
) -> DebugApp:
    """Make the application that shows a trace; GuestError if notes or findings are wrong."""
    trace_hash = "" if trace.ending is None else trace.ending.trace_hash
    kept = Notes(trace_hash) if notes is None else load_notes(notes, trace_hash)
    try:
        session = open_session(trace, kept, trace_hash=trace_hash)
    except GuestError as error:
        raise GuestError(error.message, file=str(trace.path)) from None
    return DebugApp(session, replayer, missing=missing, notes=notes, mark=mark, is_dark=is_dark)
