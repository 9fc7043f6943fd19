"""stale-error-word: the error word is read after another system call has failed as well."""

from kernel.utcb import ERROR
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Turn
from lab.checker.shadow import Shadow
from lab.checker.stream import Access


def note_error(shadow: Shadow, turn: Turn) -> None:
    """Look at an error that is about to be written."""
    at = ERROR * shadow.word
    before = shadow.writers[at]
    if isinstance(before, Turn) and before is not turn and before.is_alive:
        value = bytes(shadow.memory[at : at + shadow.word])
        shadow.error_lost = before, value


def check(candidates: Candidates, shadow: Shadow, access: Access) -> None:
    """Look at a read of the error word."""
    where = access.where
    writer = shadow.writers[access.offset]
    if not isinstance(writer, Turn):
        return
    lost = shadow.error_lost
    if writer.is_alive and (writer.is_open or writer.includes(where)):
        if not (writer.is_open and lost is not None and lost[0].is_alive):
            shadow.use(writer, where, access.position)
        return
    if lost is None:
        return
    meant, value = lost
    if not meant.is_alive or not (meant.is_open or meant.includes(where)):
        return
    shadow.use(meant, where, access.position)
    expected = value[: access.size]
    actual = bytes(shadow.memory[access.offset : access.offset + access.size])
    candidates.add(
        Candidate(
            Rule.STALE_ERROR_WORD,
            access.thread,
            access.position,
            where,
            access.offset,
            access.size,
            expected=expected,
            actual=actual,
            clobber=writer,
            is_delivery=True,
        )
    )
