"""What happened: events as frozen values, each stamped with a cycle and a position.

A *position* is the number of instructions that the run had completed.  Threads and other
kernel objects appear as their object numbers; names belong to whoever renders.
"""

from enum import IntEnum
from typing import NamedTuple, TypeAlias


class Outcome(IntEnum):
    """How a run ended; a larger one takes precedence."""

    IDLE = 0  # nothing can run and no timeout is pending
    BUDGET = 1  # the cycle budget is used up
    FAULT = 2  # a thread was stopped by a fault that nobody handled


class Fate(IntEnum):
    """What became of the thread that raised a fault or an exception."""

    HANDLED = 0  # its pager or handler was asked
    KILLED = 1  # no pager: the thread is gone (ABI 5.1)
    TRAMPOLINE = 3  # it goes on in a handler of its own (ABI 5.5)
    STUCK = 2  # no exception handler: it blocks for ever (ABI 5.2)


class Firing(IntEnum):
    """What became of an interrupt."""

    DELIVERED = 0  # a thread waited for it
    QUEUED = 1  # until its thread receives
    COALESCED = 2  # one is queued already
    PENDING = 3  # until a thread is bound


class Purpose(IntEnum):
    """What a guest told the kernel's debugger."""

    ENTER = 0  # that it wants to be looked at; it goes on at once, there is nobody
    COMMAND = 1  # to do something by itself
    TEXT = 2  # an entry of the trace buffer: text,
    VALUES = 3  # text with three values,
    BINARY = 4  # or bytes
    IMAGE = 5  # which program lies where in a task


class Transfer(NamedTuple):
    """A message reached a thread; `error` is what the receiver was told, 0 if it is whole."""

    cycle: int
    position: int
    sender: int  # a thread or an IRQ; 0: the kernel itself
    receiver: int
    operation: int  # operation bits of the sender's call (ABI 1.3)
    via: int  # the gate that it came through; 0: a thread or reply capability
    tag: int  # as the receiver sees it
    label: int
    error: int
    sender_ip: int  # of the instruction after the sender's system call; 0 of an IRQ
    receiver_ip: int
    payload: bytes  # the counted words, as sent and as delivered
    overwritten: bytes  # what the receiver held in exactly those words


class Items(NamedTuple):
    """The typed items of the message that the Transfer just before tells of."""

    cycle: int
    position: int
    sender: int
    receiver: int
    first: int  # the message register of the first item
    items: tuple[int, ...]  # as sent, two words each
    results: tuple[int, ...]  # what the receiver then has in the same registers


class Failure(NamedTuple):
    """A thread's IPC ended with an error and nothing was delivered to it."""

    cycle: int
    position: int
    thread: int
    operation: int
    target: int  # the object it named; 0: none
    error: int
    ip: int


class Invocation(NamedTuple):
    """A kernel object was invoked and answered."""

    cycle: int
    position: int
    thread: int
    operation: int
    target: int
    tag: int  # as sent
    words: tuple[int, ...]  # as sent, with the items behind the counted ones
    result: int  # the tag that came back
    answer: tuple[int, ...]  # the words that came back, counted in the tag or not
    old: tuple[int, ...]  # what those words held before
    ip: int


class Waiting(NamedTuple):
    """A thread invoked a kernel object and waits for it to answer.

    What ends it is an `Awoken`, or a `Failure` that names the object.
    """

    cycle: int
    position: int
    thread: int
    operation: int
    target: int
    tag: int  # as sent
    words: tuple[int, ...]  # as sent
    ip: int


class Awoken(NamedTuple):
    """What a thread waited for at a kernel object has come; no word of its UTCB changed."""

    cycle: int
    position: int
    thread: int
    target: int
    result: int  # the tag that came back
    ip: int


class Interrupt(NamedTuple):
    """An IRQ object was triggered, by a guest, another object or from outside."""

    cycle: int
    position: int
    irq: int
    firing: Firing


class Named(NamedTuple):
    """A guest gave an object a name; `name` is bytes of the guest's."""

    cycle: int
    position: int
    thread: int
    target: int
    name: bytes
    ip: int


class Remark(NamedTuple):
    """A guest told the kernel's debugger something; `text` is bytes of the guest's."""

    cycle: int
    position: int
    thread: int
    target: int  # the task that an IMAGE is about; 0: none
    purpose: Purpose
    text: bytes
    values: tuple[int, ...]  # three VALUES, or the address of an IMAGE
    ip: int


class Created(NamedTuple):
    """A factory made an object."""

    cycle: int
    position: int
    thread: int
    target: int  # the new object
    kind: str


class Deleted(NamedTuple):
    """An object came to its end; its number is never used again."""

    cycle: int
    position: int
    target: int


class Refused(NamedTuple):
    """A thread asked for something that this kernel does not give; it got the ABI's error."""

    cycle: int
    position: int
    thread: int
    target: int
    protocol: int
    opcode: int
    words: tuple[int, ...]
    reason: str
    ip: int


class Fault(NamedTuple):
    """A page fault of a thread; `error` has the bits of Intel SDM vol. 3, 4.7."""

    cycle: int
    position: int
    thread: int
    address: int
    error: int
    ip: int
    fate: Fate


class Exception_(NamedTuple):
    """Any other exception of a thread."""

    cycle: int
    position: int
    thread: int
    vector: int
    error: int
    ip: int
    fate: Fate


class Resumption(NamedTuple):
    """A thread's pager or handler has answered, or cannot; words of its UTCB came back."""

    cycle: int
    position: int
    thread: int
    tag: int  # of the answer
    error: int  # of the kernel's call, 0 if there was an answer
    words: tuple[int, ...]  # BDR, BR0, BR1 and after a page fault MR0, MR1
    old: tuple[int, ...]  # what those words held before they came back


class Switch(NamedTuple):
    """Another thread runs than before; 0 is nobody."""

    cycle: int
    position: int
    previous: int
    next: int


class Log(NamedTuple):
    """A thread wrote to the kernel's log."""

    cycle: int
    position: int
    thread: int
    data: bytes
    ip: int


class End(NamedTuple):
    """The run ended."""

    cycle: int
    position: int
    outcome: Outcome


Event: TypeAlias = (
    Transfer
    | Items
    | Failure
    | Invocation
    | Waiting
    | Awoken
    | Interrupt
    | Named
    | Remark
    | Created
    | Deleted
    | Refused
    | Fault
    | Exception_
    | Resumption
    | Switch
    | Log
    | End
)


def words_of(payload: bytes, word: int) -> tuple[int, ...]:
    """Take a payload apart into machine words of `word` bytes."""
    return tuple(
        int.from_bytes(payload[k : k + word], "little") for k in range(0, len(payload), word)
    )
