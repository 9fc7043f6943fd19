"""What a finding says in a sentence, and what helps against it."""

from lab.checker.finding import Finding, Rule, Verdict

_SAVE = "save the message registers before the call and put all of them back after it"
_CURES = {
    Rule.STALE_READ: f"read all parameters before the first call that may do IPC, or {_SAVE}",
    Rule.BEYOND_COUNT: "look at the number of words in the tag before using any",
    Rule.SETUP_CLOBBERED: "build the message last, with no call that may do IPC in between",
    Rule.LEAKED_WORD: "store every word that the tag counts, or count fewer",
    Rule.DANGLING_POINTER: "copy what the pointer points at before the next system call",
    Rule.BUFFER_REGISTERS_CLOBBERED: "set up the buffer registers right before the receive",
    Rule.STALE_ERROR_WORD: "read the error word before the next system call",
    Rule.UNBALANCED_RESTORE: "put back every word that was saved, on every path",
    Rule.OUTSIDE_MESSAGE_REGISTERS: "stop at mr[62]: word 63 is the UTCB's own address",
    Rule.COUNT_MISMATCH: "count in the tag what was stored: 63 words at most",
    Rule.FOREIGN_UTCB: "take the UTCB's address from the running thread, never from another",
    Rule.REPLY_CAPABILITY_LOST: "name an explicit reply capability in the nested wait",
    Rule.HIDDEN_IPC: "read the message first if this call may do IPC",
    Rule.WORD_LOST_UNREAD: "read the message first if this call may do IPC",
}


def cure(rule: Rule) -> str:
    """Say what helps."""
    return _CURES[rule]


def summary(finding: Finding, receiver: str) -> str:
    """Say what has happened, in a sentence."""
    it, who = finding.register, finding.function
    sender = finding.message.sender if finding.message is not None else "nobody"
    other = finding.clobber.message if finding.clobber is not None else None
    via = _caller(finding)
    expected, actual = _hex(finding.expected), _hex(finding.actual)
    match finding.rule:
        case Rule.STALE_READ | Rule.UNBALANCED_RESTORE if finding.verdict is Verdict.LATENT:
            return (
                f"{who} reads {it} of the message from {sender} after a system call{via}; "
                f"it still is {expected}, by luck"
            )
        case Rule.STALE_READ:
            return (
                f"{who} reads {actual} in {it}, but {sender} sent {expected}: "
                f"a system call{via} has overwritten it"
            )
        case Rule.UNBALANCED_RESTORE:
            return (
                f"{who} reads {actual} in {it}, but {sender} sent {expected}: "
                f"the words saved around a system call{via} were not all put back"
            )
        case Rule.BEYOND_COUNT:
            return f"{who} uses {it}, which the message from {sender} does not have"
        case Rule.SETUP_CLOBBERED:
            return (
                f"{it} is sent as {actual}, but {expected} was stored: "
                f"a system call{via} came in between"
            )
        case Rule.LEAKED_WORD:
            source = other.sender if other is not None else "nobody"
            return f"{it} goes to {receiver} as it came from {source}: nobody stored it"
        case Rule.DANGLING_POINTER:
            return (
                f"{who} reads {actual} in {it} through a pointer into an older message, "
                f"where {expected} was"
            )
        case Rule.BUFFER_REGISTERS_CLOBBERED:
            return (
                f"{who} receives with {actual} in {it}, but {expected} was set up: "
                f"a call{via} has set up buffers of its own"
            )
        case Rule.STALE_ERROR_WORD:
            return (
                f"{who} reads error {actual}, but its own system call failed with {expected}: "
                f"another one{via} has failed since"
            )
        case Rule.OUTSIDE_MESSAGE_REGISTERS:
            return f"{who} stores {actual} behind mr[62], over the UTCB's own address"
        case Rule.COUNT_MISMATCH if finding.clobber is None and finding.actual is not None:
            return f"{who} reads on in {it}, behind the last word that {sender} can send"
        case Rule.COUNT_MISMATCH:
            return f"{who} stored {it} for a message whose tag does not count it"
        case Rule.FOREIGN_UTCB:
            return f"{who} accesses {it} of another thread's UTCB"
        case Rule.REPLY_CAPABILITY_LOST:
            where = f"goes to {receiver}" if receiver != "kernel" else "goes nowhere"
            return (
                f"the reply to {sender} {where}: "
                f"a nested wait{via} has replaced the reply capability"
            )
        case Rule.HIDDEN_IPC if (called := dict(finding.checks).get("may do IPC")) is not None:
            return (
                f"{who} calls {called}, which may do IPC, while {it} from {sender} is unread: "
                "it may be lost then"
            )
        case Rule.HIDDEN_IPC:
            return f"{who} does a system call while {it} from {sender} is still unread"
        case Rule.WORD_LOST_UNREAD if finding.message is None:
            return (
                f"{who} stores {actual} to {it}, but had set that register to {expected} "
                "before a call, which may use it"
            )
        case Rule.WORD_LOST_UNREAD:
            return (
                f"{it} was {expected} in the message from {sender} and never read; "
                f"{who} now reads {actual} from a later one"
            )


def _caller(finding: Finding) -> str:
    clobber = finding.clobber
    if clobber is None or clobber.call is None or not clobber.call.stack:
        return ""
    stack = clobber.call.stack
    names = [frame.function for frame in stack]
    # The function that the frame at fault called, which may be far above the system call.
    if finding.function in names:
        at = names.index(finding.function)
        if at > 0:
            return f" in {names[at - 1]}"
    return f" in {names[0]}"


def _hex(value: int | None) -> str:
    return "?" if value is None else f"{value:#x}"
