"""leaked-word: a message carries a word that came from somebody else, or from nobody."""

from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Store, Turn
from lab.checker.shadow import Shadow


def collect(shadow: Shadow, turn: Turn) -> None:
    """Look at a message that is about to be sent; to whom is not known yet."""
    where = turn.call.where
    answered = shadow.innermost(where)
    if answered is None or (turn.is_open and not turn.words):
        return
    end = min(turn.words * shadow.word, shadow.limit)
    for at in range(0, end, shadow.word):
        writer = shadow.writers[at]
        if at in shadow.lost:
            continue  # `setup` tells of it
        if not isinstance(writer, Turn) or writer.includes(where) or writer.is_kernel:
            continue
        is_older = writer.number < answered.number
        if is_older or (not writer.is_open and _is_deeper(shadow, end, writer)):
            turn.suspects.append((at, writer))


def check(candidates: Candidates, shadow: Shadow, turn: Turn) -> None:
    """Look at a message that has reached its receiver."""
    for at, source in turn.suspects:
        if source.sender == turn.receiver:
            continue
        candidates.add(
            Candidate(
                Rule.LEAKED_WORD,
                turn.thread,
                turn.call.position,
                turn.call.where,
                at,
                shadow.word,
                is_call=True,
                cycle=turn.call.cycle,
                actual=bytes(shadow.memory[at : at + shadow.word]),
                clobber=source,
                is_delivery=True,
                receiver=turn.receiver,
            )
        )
    turn.suspects = []


def _is_deeper(shadow: Shadow, end: int, writer: Turn) -> bool:
    """Whether it was called by who has stored some of the message for its sender."""
    sources = set(shadow.writers[:end])
    own = [w for w in sources if isinstance(w, Store) and w.turn is None and w.returns is None]
    builder = min((store.frame[0] for store in own), default=None)
    return builder is not None and writer.depth > builder
