"""What a guest asks of a kernel object, and what it gets back."""

from typing import NamedTuple

from kernel import abi
from kernel.abi import Errno, Tag
from kernel.errors import GuestFault
from kernel.flexpage import Kind, decode
from kernel.objects import Capability, Irq, Thread


class Request(NamedTuple):
    """An invocation of a kernel object: the caller, the rights it has, its message."""

    caller: Thread
    rights: int
    tag: Tag

    def word(self, index: int) -> int:
        """Read message register `index`, counted or not, as the kernel does."""
        return self.caller.utcb.load(index)

    def opcode(self) -> int:
        """Give the operation code; -1001 if there is no word for it."""
        self.require_words(1, Errno.EMSGTOOSHORT)
        return self.word(0) & abi.OPCODE

    def require_words(self, count: int, error: Errno = Errno.EINVAL) -> None:
        """Refuse a message of fewer than `count` words."""
        if self.tag.words < count:
            raise GuestFault(error)

    def require_rights(self, rights: int) -> None:
        """Refuse a capability that lacks one of `rights`."""
        if self.rights & rights != rights:
            raise GuestFault(Errno.EPERM)

    def item(self, index: int = 0) -> Capability:
        """Look up the capability that item `index` names in the caller's task.

        Nothing is mapped: kernel objects take capabilities by name (ABI 6).
        """
        place = self.tag.words + 2 * index
        if index >= self.tag.items or place + 2 > 63:
            raise GuestFault(Errno.EINVAL)
        fpage = decode(self.word(place + 1))
        if not self.word(place) & abi.ITEM_MAP or fpage.kind != Kind.OBJECT:
            raise GuestFault(Errno.EINVAL)
        cap = self.caller.task.caps.get(fpage.base)
        if cap is None:
            raise GuestFault(Errno.EINVAL)
        return cap


class Answer(NamedTuple):
    """A result label with the words of the reply.

    The tag counts the words unless `counted` is false, as the log's answer to a read (ABI 6.9).
    `item` is the first word of an item behind them; its second one keeps what it held.
    """

    label: int = 0
    words: tuple[int, ...] = ()
    counted: bool = True
    item: int | None = None


class NoReply(NamedTuple):
    """The object does not reply; a receive phase that was asked for begins (ABI 6).

    A closed one is from `source`, or from the caller itself if that is None.  `woken` became
    ready and is to be scheduled when the receive phase is settled.
    """

    source: Irq | None = None
    woken: Thread | None = None


class Waits(NamedTuple):
    """The object answers later; the caller waits at it."""
