"""foreign-utcb: a thread accesses the UTCB of another one that has already run.

Before that somebody has to prepare it; the marker and the words for the user are what
libraries link and find UTCBs by.
"""

from kernel.utcb import FREE_MARKER, SELF
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.shadow import Shadow
from lab.checker.stream import Access


def check(candidates: Candidates, owner: Shadow, access: Access) -> None:
    """Look at an access to the UTCB of `owner` by another thread."""
    word = access.offset // owner.word
    if not owner.has_run or word >= FREE_MARKER or (word == SELF and not access.is_write):
        return
    candidates.add(
        Candidate(
            Rule.FOREIGN_UTCB,
            access.thread,
            access.position,
            access.where,
            access.offset,
            access.size,
            is_write=access.is_write,
            actual=access.value.to_bytes(access.size, "little"),
            owner=access.owner,
        )
    )
