"""The rules in words: what each one means to somebody who meets it for the first time.

The full definitions, with a guest that breaks each rule and its innocent twin, are in
docs/rules.md, under a heading of the rule's name.
"""

from typing import NamedTuple

from lab.checker.finding import Rule

PAGE = "docs/rules.md"


class RuleText(NamedTuple):
    """A rule for people."""

    title: str  # one sentence
    help: str  # what it means, and why it is wrong
    access: str  # what the access at fault does to the UTCB, as the label of a report


RULES = {
    Rule.STALE_READ: RuleText(
        "A message word is read after another message overwrote it.",
        "A thread has one set of message registers.  Between the arrival of a message and "
        "this read, a system call of the same thread used them for a message of its own, so "
        "what is read is not what the sender sent.",
        "READ",
    ),
    Rule.BEYOND_COUNT: RuleText(
        "A message word is used that the sender did not send.",
        "The message has fewer words and items than the receiver reads.  The kernel leaves "
        "the others as they were, so an old value takes part in a decision, an address or an "
        "outgoing message.",
        "READ",
    ),
    Rule.SETUP_CLOBBERED: RuleText(
        "A message under construction is overwritten before it is sent.",
        "The words of a request or a reply were stored, then another system call of the same "
        "thread used the message registers, and then the message was sent.",
        "SEND",
    ),
    Rule.LEAKED_WORD: RuleText(
        "A message carries a word that was never meant for its receiver.",
        "The last writer of a word that is sent is the delivery of a message from somebody "
        "else, or nobody.  The receiver learns something that it should not, or gets what "
        "it takes for an answer.",
        "SEND",
    ),
    Rule.DANGLING_POINTER: RuleText(
        "A pointer into the UTCB is used after its message is gone.",
        "A function handed out the address of data that lies in the message registers.  A "
        "later message reused them while somebody still held the address.",
        "READ",
    ),
    Rule.BUFFER_REGISTERS_CLOBBERED: RuleText(
        "The buffers prepared for a receive are changed before it.",
        "Buffer registers say where typed items may arrive.  They were set up, then another "
        "system call of the same thread used them, and the receive went on with its buffers.",
        "CALL",
    ),
    Rule.STALE_ERROR_WORD: RuleText(
        "The error word is read after a later system call.",
        "The kernel stores the error of a system call in the UTCB, and the next system call "
        "stores its own there.  This read gets the error of the wrong one.",
        "READ",
    ),
    Rule.UNBALANCED_RESTORE: RuleText(
        "Message registers were saved around a call but not all of them restored.",
        "A function saved the message registers, did a system call, and returned without "
        "putting back what it had saved, on this path at least.",
        "RETURN",
    ),
    Rule.OUTSIDE_MESSAGE_REGISTERS: RuleText(
        "A store runs past the last message register.",
        "There are 63 message registers.  The word behind them is the address of the UTCB "
        "itself, by which every later access finds it, and then the buffer registers begin.",
        "STORE",
    ),
    Rule.COUNT_MISMATCH: RuleText(
        "The count in the tag does not fit the words that were stored or are used.",
        "The sender stored more words than its tag counts, or counted bytes as words; the "
        "kernel transfers what the tag says, and the rest never arrives.",
        "SEND",
    ),
    Rule.FOREIGN_UTCB: RuleText(
        "A thread uses the UTCB of another thread.",
        "A UTCB belongs to one thread, and the kernel changes it whenever that thread's "
        "messages arrive.  Nothing orders an access from outside with that.",
        "ACCESS",
    ),
    Rule.REPLY_CAPABILITY_LOST: RuleText(
        "A reply goes astray, for its capability was replaced by a nested wait.",
        "The implicit reply capability belongs to the latest message that was received.  A "
        "wait between request and reply replaced it, and the reply went to another thread "
        "or to nobody.",
        "SEND",
    ),
    Rule.HIDDEN_IPC: RuleText(
        "A function that does not look like it does IPC while a message is unread.",
        "An early warning, no error: delivered words were still unread when a function with "
        "an innocent name did a system call.",
        "CALL",
    ),
    Rule.WORD_LOST_UNREAD: RuleText(
        "A delivered word was overwritten and nobody had read it.",
        "An early warning, no error: it may not have been needed.  If the code below reads "
        "this word, it reads another message's.",
        "LOST",
    ),
}


def anchor(rule: Rule) -> str:
    """Give the place in the documentation where a rule is explained."""
    return f"{PAGE}#{rule.value}"
