"""reply-capability-lost: a nested open wait replaced whom the reply would have gone to.

A thread has one implicit reply capability.  Whoever waits for anybody while a caller is
unanswered gives it away, and the reply to that caller goes astray or nowhere.
"""

from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Turn
from lab.checker.shadow import Shadow


def note_caller(shadow: Shadow, turn: Turn) -> None:
    """Take note that an open wait has brought a caller who waits for a reply."""
    known = shadow.reply
    if known is not None and known[1].is_alive and known[1] is not turn:
        shadow.reply_lost = known[0], known[1], turn
    shadow.reply = turn.sender, turn


def check(candidates: Candidates, shadow: Shadow, turn: Turn) -> None:
    """Look at a reply through the implicit capability that is about to be sent."""
    lost = shadow.reply_lost
    if lost is None:
        return
    caller, message, nested = lost
    where = turn.call.where
    if not message.is_alive:
        shadow.reply_lost = None
        return
    if shadow.reply is not None and (nested.is_open or nested.includes(where)):
        return  # it is the nested caller's reply
    shadow.reply_lost = None
    word = shadow.word
    candidates.add(
        Candidate(
            Rule.REPLY_CAPABILITY_LOST,
            turn.thread,
            turn.call.position,
            where,
            0,
            min(turn.words * word, shadow.limit),
            is_call=True,
            cycle=turn.call.cycle,
            message=message,
            clobber=nested,
            is_delivery=True,
            owner=caller,
            receiver=shadow.reply[0] if shadow.reply is not None else 0,
        )
    )
