"""count-mismatch: words were stored for a message, but its tag does not count them.

Alone that is a note: whoever puts all registers back and then replies with one word does so.
It counts once the partner uses such a word, which `reads` sees.  The other way round, a
receiver may read on behind the last message register, since a message says it is longer.
"""

from kernel.utcb import ERROR
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Turn
from lab.checker.shadow import Shadow
from lab.checker.stream import Access


def check(candidates: Candidates, shadow: Shadow, turn: Turn) -> None:
    """Look at a message that is about to be sent."""
    if not shadow.pending:
        return
    end = turn.words * shadow.word
    writers = shadow.writers
    for store in shadow.pending:
        if store.epoch != shadow.epoch or not end <= store.offset < shadow.limit:
            continue
        for at in range(store.offset, min(store.offset + store.size, shadow.limit)):
            if writers[at] is store:
                turn.uncounted[at] = store
    if not turn.uncounted:
        return
    first = min(turn.uncounted)
    candidates.add(
        Candidate(
            Rule.COUNT_MISMATCH,
            turn.thread,
            turn.call.position,
            turn.call.where,
            first,
            max(turn.uncounted) + 1 - first,
            is_call=True,
            cycle=turn.call.cycle,
            is_note=True,
            stores=(turn.uncounted[first],),
        )
    )


def check_overrun(candidates: Candidates, shadow: Shadow, access: Access) -> None:
    """Look at a read that goes on where one of message registers ended.

    Who copies all of a UTCB does that, too, but does not stop in the buffer registers.
    """
    shadow.note_run(access)
    end = access.offset + access.size
    if end > ERROR * shadow.word:
        if shadow.overrun is not None:
            candidates.drop(shadow.overrun)
            shadow.overrun = None
        return
    if access.offset == shadow.limit and access.size == shadow.word:
        return  # that is how everybody learns the UTCB's address
    message = shadow.innermost(access.where)
    if shadow.overrun is not None or message is None or message.delivered < shadow.limit:
        return
    shadow.overrun = candidates.add(
        Candidate(
            Rule.COUNT_MISMATCH,
            access.thread,
            access.position,
            access.where,
            access.offset,
            access.size,
            actual=bytes(shadow.memory[access.offset : end]),
            message=message,
        )
    )
