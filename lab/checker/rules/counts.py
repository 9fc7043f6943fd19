"""count-mismatch: words were stored for a message, but its tag does not count them.

Alone that is a note: whoever puts all registers back and then replies with one word does so.
It counts once the partner uses such a word, which `reads` sees.
"""

from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Turn
from lab.checker.shadow import Shadow


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
