"""buffer-registers-clobbered: a callee set up buffers of its own where others were set up."""

from kernel.utcb import BDR, ERROR
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Store, Turn
from lab.checker.shadow import Shadow


def check(candidates: Candidates, shadow: Shadow, turn: Turn) -> None:
    """Look at a receive that is about to use the buffer registers."""
    lost = shadow.buffers_lost
    if not lost:
        return
    word = shadow.word
    where = turn.call.where
    for at in sorted(lost):
        if at % word or not BDR * word <= at < ERROR * word:
            continue
        (store, depth, chain), writer = lost[at], shadow.writers[at]
        if not isinstance(writer, Store) or writer.turn is None:
            continue
        clobber = writer.turn
        if clobber.includes(where) or not clobber.is_below(depth, chain):
            continue
        if store.depth < turn.depth and not (turn.is_open and turn.waits):
            continue  # the call has set up buffers of its own
        offset = at - store.offset
        expected = store.value[offset : offset + word]
        actual = bytes(shadow.memory[at : at + len(expected)])
        if expected == actual:
            continue
        del lost[at]
        candidates.add(
            Candidate(
                Rule.BUFFER_REGISTERS_CLOBBERED,
                turn.thread,
                turn.call.position,
                where,
                at,
                len(expected),
                is_call=True,
                cycle=turn.call.cycle,
                expected=expected,
                actual=actual,
                clobber=clobber,
                stores=(writer,),
            )
        )
