"""What the checker is fed: one ordered stream of accesses, system calls and kernel events.

Rule 1: the order is that of the run.  What a thread accessed before a system call comes
before the call, and the call before the events that it caused.
Rule 2: every record of a thread but an event says how far its stack was unwound since the
thread's record before, in `low`: frames with a depth above that are others than before.

A *frame* here is logical: a call that has not returned, or an inlined function in it.  A
thread's first frame has depth 0, a call adds 1, and the chain of inlined functions that an
address lies in is a tuple of scope numbers, the outermost first.
"""

from typing import TypeAlias

Chain: TypeAlias = tuple[int, ...]


class Where:
    """A place in the tree of calls: an address and the calls that led there.

    Equal places may be one object; none is ever changed.
    """

    __slots__ = ("calls", "chains", "depth", "leaf", "pc")

    def __init__(
        self,
        pc: int,
        calls: tuple[int, ...] = (),
        chains: tuple[Chain, ...] = (),
        leaf: Chain = (),
    ) -> None:
        self.pc = pc
        self.calls = calls  # addresses of the call instructions, the outermost first
        self.chains = chains or ((),) * len(calls)  # inlined functions that these lie in
        self.leaf = leaf
        self.depth = len(calls)

    def chain(self, depth: int) -> Chain:
        """Give the inlined functions that are entered in the frame of this depth."""
        return self.leaf if depth == self.depth else self.chains[depth]


class Access:
    """An instruction read or wrote bytes of a UTCB.

    Whoever is fed one copies what has to last: the next one may be the same object.
    """

    __slots__ = (
        "is_write",
        "low",
        "offset",
        "owner",
        "position",
        "size",
        "thread",
        "value",
        "where",
    )

    def __init__(
        self,
        position: int,
        thread: int,
        owner: int,
        offset: int,
        size: int,
        value: int,
        is_write: bool,
        where: Where,
        low: int,
    ) -> None:
        self.position = position
        self.thread = thread
        self.owner = owner  # the thread whose UTCB it is
        self.offset = offset
        self.size = size
        self.value = value
        self.is_write = is_write
        self.where = where
        self.low = low


class Call:
    """A system call was entered."""

    __slots__ = ("cycle", "low", "position", "selector", "tag", "thread", "where")

    def __init__(
        self,
        position: int,
        cycle: int,
        thread: int,
        selector: int,
        tag: int,
        where: Where,
        low: int,
    ) -> None:
        self.position = position
        self.cycle = cycle
        self.thread = thread
        self.selector = selector
        self.tag = tag
        self.where = where  # its `pc` is the address behind the call
        self.low = low


class Arrival:
    """A message has reached a thread: what a `Transfer` says, as it is fed by the million.

    As with an `Access`, the next one may be the same object.
    """

    __slots__ = (
        "cycle",
        "error",
        "label",
        "operation",
        "overwritten",
        "payload",
        "position",
        "receiver",
        "receiver_ip",
        "sender",
        "tag",
        "via",
    )

    def __init__(self) -> None:
        self.cycle = 0
        self.position = 0
        self.sender = 0
        self.receiver = 0
        self.operation = 0
        self.via = 0
        self.tag = 0
        self.label = 0
        self.error = 0
        self.receiver_ip = 0
        self.payload = b""
        self.overwritten = b""


def common(a: Chain, b: Chain) -> Chain:
    """Give the inlined functions that two chains begin with."""
    if a == b:
        return a
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return a[:count]
