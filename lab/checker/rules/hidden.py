"""hidden-ipc: a system call deep in a function while words of a message are still unread.

It is a note: nothing has happened yet.
"""

from kernel.abi import OP_REPLY
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Turn
from lab.checker.shadow import Shadow

_HIDDEN = 2  # so many calls below who reads the message nobody sees it any more


def check(candidates: Candidates, shadow: Shadow, turn: Turn) -> None:
    """Look at a system call that is about to be done."""
    if turn.waits or turn.operation & OP_REPLY:
        return  # whoever answers is through with the message
    where = turn.call.where
    message = shadow.innermost(where)
    if message is None or message.is_open or not turn.is_below(message.depth, message.chain):
        return
    if where.depth < message.readers + _HIDDEN:
        return  # in plain sight of who reads the message
    unread = message.read.find(0)
    if unread < 0 or not any(message.read):
        return
    word = shadow.word
    first = unread // word * word
    candidates.add(
        Candidate(
            Rule.HIDDEN_IPC,
            turn.thread,
            turn.call.position,
            where,
            first,
            message.delivered - first,
            is_call=True,
            cycle=turn.call.cycle,
            is_note=True,
            message=message,
        )
    )
