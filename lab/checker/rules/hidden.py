"""hidden-ipc: a system call deep in a function while words of a message are still unread.

It is a note: nothing has happened yet.  So is the call of a function that may do IPC, as the
scenario says, between the delivery of a word and the read of it.
"""

from kernel.abi import OP_REPLY
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Turn
from lab.checker.shadow import Shadow
from lab.checker.stream import Access, Where

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


def note_call(shadow: Shadow, position: int, name: str, where: Where) -> None:
    """Take note of a call of a function that may do IPC."""
    message = shadow.innermost(where)
    if message is not None and message.read.find(0) >= 0:
        message.may_call = name, position, where


def check_read(
    candidates: Candidates, access: Access, first: int, last: int, message: Turn
) -> None:
    """Look at the first read of a word, after such a call."""
    if message.may_call is None or not message.is_alive or any(message.read[first:last]):
        return
    if last <= first:
        return
    name, position, where = message.may_call
    candidates.add(
        Candidate(
            Rule.HIDDEN_IPC,
            access.thread,
            position,
            where,
            first,
            last - first,
            is_note=True,
            message=message,
            checks={"may do IPC": name},
        )
    )
