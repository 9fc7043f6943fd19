"""Lives of messages: whose they are, and when they are dead.

Rule 1: a system call and what it sends and receives belong to one frame, the *owner*: the
innermost that has in it the call and all stores of words that it sends, or of buffer
registers that it prepares.
Rule 2: a message is dead when its owner has returned, or when the next system call begins
whose owner is the same frame or one that called it.
Rule 3: a call without any such store could belong to any frame that called it.  Its owner is
*open*: it sinks with every return, until somebody uses the message.
"""

from kernel.abi import (
    CAP_OPERATION,
    OP_OPEN_WAIT,
    OP_RECV,
    OP_SEND,
    TAG_ITEMS,
    TAG_ITEMS_SHIFT,
    TAG_WORDS,
)
from lab.checker.stream import Call, Chain, Where, common


class Turn:
    """A system call, with the message that it sends and the one that it receives."""

    __slots__ = (
        "call",
        "chain",
        "cycle",
        "delivered",
        "depth",
        "died",
        "error",
        "incoming",
        "is_alive",
        "is_kernel",
        "is_open",
        "items",
        "label",
        "left_out",
        "may_call",
        "nested",
        "number",
        "old",
        "operation",
        "outgoing",
        "payload",
        "position",
        "put_back",
        "put_back_by",
        "read",
        "readers",
        "received",
        "receiver",
        "saved",
        "sender",
        "sent",
        "stores",
        "suspects",
        "tag",
        "thread",
        "uncounted",
        "via",
        "was_open",
    )

    def __init__(self, number: int, call: Call, depth: int, chain: Chain) -> None:
        self.number = number  # turns of all threads in their order
        self.call = call
        self.thread = call.thread
        self.operation = call.selector & CAP_OPERATION
        self.depth = depth  # of the owner
        self.chain = chain
        self.is_open = False
        self.was_open = False  # until somebody read it
        self.is_alive = True
        self.died: int | None = None  # position
        # What it sends
        self.outgoing = 0  # number of the message; 0: none
        self.stores: list[Store] = []
        self.receiver = 0
        self.sent: tuple[int, ...] = ()
        self.uncounted: dict[int, Store] = {}  # stored for it, but not counted in the tag
        self.suspects: list[tuple[int, Turn]] = []  # bytes it sends that may be a leak
        # What it receives
        self.received = False
        self.incoming = 0  # number of the message
        self.sender = 0
        self.is_kernel = False  # a kernel object answered: it decides the count
        self.via = 0
        self.tag = 0
        self.label = 0
        self.position = 0
        self.cycle = 0
        self.payload = b""
        self.old = b""
        self.delivered = 0  # bytes, those of items included
        self.items = 0
        self.read = bytearray()  # of each delivered byte, whether it was read
        self.readers = 0  # depth of the innermost frame that has read it
        # What its sender has stored for it and not counted, and the call that sent it.
        self.left_out: tuple[Call, dict[int, Store]] | None = None
        self.error = 0
        # A function that may do IPC, and the call of it while words were unread.
        self.may_call: tuple[str, int, Where] | None = None
        self.nested: Turn | None = None  # a dead turn that came after it, in a callee
        self.saved: Where | None = None  # where many words of it were copied elsewhere
        self.put_back = 0  # bytes that were put back after they had been overwritten
        self.put_back_by: tuple[int, ...] = ()  # the calls that led to who did

    @property
    def sends(self) -> bool:
        """Whether it has a send phase."""
        return bool(self.operation & OP_SEND)

    @property
    def receives(self) -> bool:
        """Whether it has a receive phase."""
        return bool(self.operation & OP_RECV)

    @property
    def waits(self) -> bool:
        """Whether it waits for anybody."""
        return bool(self.operation & OP_OPEN_WAIT)

    @property
    def words(self) -> int:
        """Words that it sends, those of items included."""
        tag = self.call.tag
        return (tag & TAG_WORDS) + 2 * (tag >> TAG_ITEMS_SHIFT & TAG_ITEMS)

    def is_alive_at(self, position: int) -> bool:
        """Whether it was alive at a position, after its birth."""
        return self.died is None or self.died > position

    def includes(self, where: Where) -> bool:
        """Whether the owner is at work at `where`: it is alive and has that place in it."""
        if not self.is_alive or self.depth > where.depth:
            return False
        chain = self.chain
        return not chain or where.chain(self.depth)[: len(chain)] == chain

    def is_within(self, depth: int, chain: Chain) -> bool:
        """Whether the owner is the frame given, or one called by it."""
        if self.depth != depth:
            return self.depth > depth
        return self.chain[: len(chain)] == chain

    def is_below(self, depth: int, chain: Chain) -> bool:
        """Whether the owner was called by the frame given."""
        return self.is_within(depth, chain) and (self.depth, self.chain) != (depth, chain)

    def close(self, where: Where) -> None:
        """Let an open owner be the innermost frame that it has in common with `where`."""
        if self.is_open:
            self.sink(where)
            self.is_open = False
            self.was_open = True

    def reopen(self) -> None:
        """Take back that somebody used the message: he had only saved it."""
        if self.was_open and not any(self.read):
            self.is_open = True
            self.was_open = False

    def sink(self, where: Where) -> None:
        """Let the owner be the innermost frame that it has in common with `where`.

        Frames above `where` must have been unwound before.
        """
        if self.depth > where.depth:
            self.depth = where.depth
            self.chain = where.leaf
        elif self.chain:
            self.chain = common(self.chain, where.chain(self.depth))

    def die(self, position: int) -> None:
        """End its life."""
        if self.is_alive:
            self.is_alive = False
            self.died = position


class Store:
    """An instruction's store to UTCB bytes, as their writer."""

    __slots__ = (
        "chain",
        "depth",
        "epoch",
        "frame",
        "number",
        "offset",
        "position",
        "returns",
        "size",
        "turn",
        "value",
        "where",
    )

    def __init__(
        self,
        number: int,
        position: int,
        where: Where,
        offset: int,
        value: bytes,
        epoch: int,
    ) -> None:
        self.number = number  # comparable with those of turns
        self.position = position
        self.where = where
        self.offset = offset
        self.size = len(value)
        self.value = value
        self.epoch = epoch  # system calls of the thread before it
        self.depth = where.depth  # of the innermost frame that has not returned since
        self.chain = where.leaf
        self.frame = where.depth, where.leaf
        self.turn: Turn | None = None  # the system call that it was for, once that came
        # Whose value it puts back, if it does: a turn's message or another store.
        self.returns: Turn | Store | None = None

    def unwind(self, low: int) -> None:
        """Take note that the stack was unwound to a depth."""
        if self.depth > low:
            self.depth = low
            self.chain = self.where.chain(low)
