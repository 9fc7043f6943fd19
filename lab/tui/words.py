"""The words of a UTCB, each with what is known of it: message, last writer, state."""

from dataclasses import dataclass

from kernel.utcb import MR_COUNT, SELF, WORDS, name_of
from lab.checker.finding import Finding
from lab.moment import WordTouch
from lab.tui.drawing import readable
from lab.tui.lives import Life
from lab.tui.session import Session


@dataclass(frozen=True, slots=True)
class WordRow:
    """A word."""

    index: int
    name: str
    value: int | None  # None: not available without re-execution
    is_exact: bool
    message: Life | None  # that delivered what is there, or what should be
    delivered: int | None  # by the message that the thread still works on
    writer: str
    is_read: bool  # since it was delivered
    state: str  # "", STALE, overwritten, own, old, undefined
    finding: Finding | None = None


def word_rows(session: Session) -> list[WordRow]:
    """Describe all words of the thread's UTCB."""
    values = session.values()
    alive = session.alive()
    latest = session.latest()
    writes, reads = _touched(session)
    return [
        _row(session, k, values[k], alive, latest, writes.get(k), reads.get(k, ()))
        for k in range(WORDS)
    ]


def _touched(
    session: Session,
) -> tuple[dict[int, WordTouch], dict[int, tuple[WordTouch, ...]]]:
    writes: dict[int, WordTouch] = {}
    reads: dict[int, tuple[WordTouch, ...]] = {}
    for touch in session.touches or ():
        for k in range(touch.first, touch.first + touch.count):
            if touch.is_write:
                writes.setdefault(k, touch)
            elif touch.event is None:
                reads[k] = (*reads.get(k, ()), touch)
    return writes, reads


def _row(
    session: Session,
    k: int,
    value: tuple[int | None, bool],
    alive: list[Life],
    latest: list[Life],
    write: WordTouch | None,
    reads: tuple[WordTouch, ...],
) -> WordRow:
    now, is_exact = value
    covering = [life for life in alive if k < len(life.words)]
    wanted = covering[0] if covering else None
    delivered = None if wanted is None else wanted.words[k]
    last = next((life for life in latest if k < len(life.words)), None)
    finding = session.is_stale(k)
    state = ""
    writer = ""
    message = last
    if write is not None and write.event is None:
        message = wanted if wanted is not None and delivered != now else None
        writer = _place(session, write)
        state = "own"
    elif write is not None:
        message = next((life for life in latest if life.event == write.event), last)
        writer = f"kernel, {message.label}" if message is not None else "the kernel"
    elif now is None:
        message = last
        state = "unknown"
    elif last is not None and (now == last.words[k] or not is_exact):
        writer = f"kernel, {last.label}"
    elif last is not None or now:
        message = None
        state = "own" if k != SELF else ""
        writer = "the thread" if k != SELF else "kernel"
    else:
        state = "undefined" if k < MR_COUNT else ""
    if wanted is not None and now is not None and message is not wanted:
        state = "overwritten" if delivered != now else "equal"
    elif wanted is not None and state == "own":
        state = "overwritten"
    elif state == "" and message is not None and message not in alive:
        state = "old"
    if finding is not None:
        state = "STALE"
        message = message or wanted
    since = wanted.born if wanted is not None else 0
    is_read = wanted is not None and any(
        read.at.position >= since and read.thread == session.thread for read in reads
    )
    return WordRow(
        k, name_of(k), now, is_exact, message, delivered, writer, is_read, state, finding
    )


def _place(session: Session, touch: WordTouch) -> str:
    return readable(session.names.place(touch.thread, touch.ip).symbol) or f"{touch.ip:#x}"
