"""Messages as tests see them: who sent what to whom, by names, without any address or time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernel.abi import OPERATIONS, Protocol, decode_tag
from kernel.events import Event, Transfer, words_of
from lab.names import Names

_OF_ADDRESSES = (Protocol.PAGE_FAULT, Protocol.EXCEPTION)  # what their words are
MOST = 1 << 17  # messages that are kept of a run


@dataclass(frozen=True, slots=True)
class Message:
    """A message that reached a thread.

    `label` is the tag's, signed: the protocol of a request, the result of a reply.  `words`
    are those that the tag counts.  `via` is the gate it came through, or empty; `error`
    what the receiver was told, 0 if the message is whole.  Messages compare by all this;
    when one arrived, in `position` and `cycle`, is not compared.
    """

    sender: str
    receiver: str
    operation: str  # call, send, reply_and_wait and the like
    via: str = ""
    label: int = 0
    words: tuple[int, ...] = ()
    items: int = 0
    error: int = 0
    position: int = field(default=0, compare=False)
    cycle: int = field(default=0, compare=False)

    def __str__(self) -> str:
        """Render it in one line, as golden files have it."""
        parts = [f"{self.sender} -> {self.receiver}: {self.operation}"]
        if self.via:
            parts.append(f"via {self.via}")
        if self.label:
            parts.append(f"label {hex(self.label) if self.label > 0 else self.label}")
        if self.label in _OF_ADDRESSES and self.operation == "call":
            parts.append(f"{len(self.words)} words")
        else:
            parts += [hex(word) for word in self.words]
        if self.items:
            parts.append(f"items {self.items}")
        if self.error:
            parts.append(f"error {self.error:#x}")
        return " ".join(parts)


class Messages:
    """Collects the messages of a run, the first `MOST` of them."""

    __slots__ = ("dropped", "found")

    def __init__(self) -> None:
        self.found: list[Message] = []
        self.dropped = 0

    def listen(self, names: Names, event: Event) -> None:
        """Take note of an event if it is a message."""
        if not isinstance(event, Transfer):
            return
        if len(self.found) >= MOST:
            self.dropped += 1
            return
        self.found.append(message_of(event, names))


def message_of(event: Transfer, names: Names) -> Message:
    """Give a transfer as a message."""
    tag = decode_tag(event.tag, bits=names.arch.bits)
    return Message(
        sender=names.of(event.sender),
        receiver=names.of(event.receiver),
        operation=OPERATIONS.get(event.operation, hex(event.operation)),
        via=names.of(event.via) if event.via else "",
        label=tag.label,
        words=words_of(event.payload, names.arch.word),
        items=tag.items,
        error=event.error,
        position=event.position,
        cycle=event.cycle,
    )


def render_messages(messages: Sequence[Message]) -> str:
    """Give messages as the text of a golden file, a line each."""
    return "".join(f"{message}\n" for message in messages)
