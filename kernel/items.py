"""Typed items of a message: capabilities and memory that a sender hands over (ABI 4.9).

Rule 1: items are looked at after the words have been copied, one after the other; what an
item did stays done if a later one fails.
Rule 2: nothing is read or written outside of the message and buffer registers, whatever
the counts in tag, descriptor and flexpages say.

A sent item is two message registers; what became of it stands in the receiver's registers
of the same place.  A receive buffer is one to three buffer registers.
"""

from typing import NamedTuple

from kernel import utcb
from kernel.abi import (
    BDR_CURSOR,
    BDR_IO_SHIFT,
    BDR_MEMORY_SHIFT,
    BDR_OBJECT_SHIFT,
    FPAGE_KIND,
    FPAGE_KIND_SHIFT,
    FPAGE_ORDER,
    FPAGE_ORDER_SHIFT,
    ITEM_COMPOUND,
    ITEM_FORWARD,
    ITEM_FPAGE,
    ITEM_GRANT,
    ITEM_HOT_SPOT_SHIFT,
    ITEM_LABEL,
    ITEM_LOCAL_ID,
    ITEM_MAP,
    ITEM_NOTHING,
    ITEM_SMALL,
    LABEL_RIGHTS,
    TAG_ITEMS,
    TAG_ITEMS_SHIFT,
    TAG_WORDS,
    IpcError,
    Rights,
)
from kernel.capability import find, map_caps
from kernel.events import Items
from kernel.flexpage import Flexpage, Kind, Outcome, decode, encode, place
from kernel.mapping import map_pages
from kernel.message import Utcb
from kernel.objects import Gate, Task, Thread
from kernel.state import Kernel

# Rights of an object that any sender may hand on; S it must have itself.
_ALWAYS = int(Rights.R | Rights.W | Rights.D)
_FPAGE_BITS = FPAGE_ORDER << FPAGE_ORDER_SHIFT | FPAGE_KIND << FPAGE_KIND_SHIFT
# What a result keeps of the item: the hot spot, that it is an item, and compound.
_KEPT = ~0xFFF | ITEM_MAP | ITEM_COMPOUND

_CURSORS = {
    Kind.MEMORY: BDR_MEMORY_SHIFT,
    Kind.IO: BDR_IO_SHIFT,
    Kind.OBJECT: BDR_OBJECT_SHIFT,
}


class Buffer(NamedTuple):
    """A receive buffer, and the buffer register behind it."""

    head: int
    window: Flexpage
    forward: int | None  # selector of the task that gets the mappings
    next: int


def copy_items(kernel: Kernel, sender: Thread, receiver: Thread) -> int:
    """Transfer the items of a message; 0, or the error that the sender gets.

    The receiver's error is the same with bit 0 set.
    """
    descriptor = receiver.utcb.load(utcb.BDR)
    cursors = {kind: descriptor >> shift & BDR_CURSOR for kind, shift in _CURSORS.items()}
    at = sender.tag & TAG_WORDS
    for _ in range(sender.tag >> TAG_ITEMS_SHIFT & TAG_ITEMS):
        if at >= utcb.MR_COUNT:
            return IpcError.SEND_CUT
        head = sender.utcb.load(at)
        if head:
            if at + 1 >= utcb.MR_COUNT or not head & ITEM_MAP:
                return IpcError.SEND_CUT
            error = _copy_item(kernel, sender, receiver, at, cursors)
            if error:
                return error
        else:
            receiver.utcb.store(at, 0)
        at += 2
    return 0


def record_items(kernel: Kernel, sender: Thread, receiver: Thread) -> None:
    """Tell the recorder about the items of a message that it has just been told of."""
    first = sender.tag & TAG_WORDS
    count = sender.tag >> TAG_ITEMS_SHIFT & TAG_ITEMS
    words = min(first + 2 * count, utcb.MR_COUNT) - first
    machine = kernel.machine
    assert kernel.recorder is not None, "somebody listens"
    kernel.recorder.record(
        Items(
            machine.now,
            machine.instructions,
            sender.number,
            receiver.number,
            first,
            sender.utcb.load_words(words, first),
            receiver.utcb.load_words(words, first),
        )
    )


def buffer_at(message: Utcb, index: int) -> Buffer | None:
    """Read the receive buffer at buffer register `index`; None if none is there.

    One that would go on behind the last buffer register is none.
    """
    if index >= utcb.BR_COUNT:
        return None
    head = message.load(utcb.BR + index)
    if not head & ITEM_MAP:
        return None
    index += 1
    if head & ITEM_SMALL:
        window = Flexpage(Kind.OBJECT, head >> ITEM_HOT_SPOT_SHIFT, 0, 0)
    else:
        if index >= utcb.BR_COUNT:
            return None
        window = decode(message.load(utcb.BR + index))
        index += 1
    forward: int | None = None
    if head & ITEM_FORWARD:
        if index >= utcb.BR_COUNT:
            return None
        forward = message.load(utcb.BR + index)
        index += 1
    return Buffer(head, window, forward, index)


def object_buffer(message: Utcb) -> Buffer | None:
    """Give the first receive buffer for objects."""
    return buffer_at(message, message.load(utcb.BDR) >> BDR_OBJECT_SHIFT & BDR_CURSOR)


def map_flexpage(
    kernel: Kernel,
    source: Task,
    sent: Flexpage,
    target: Task,
    window: Flexpage,
    head: int,
) -> Outcome:
    """Map a flexpage into a window as `head`, the first word of an item, asks for.

    The window takes what is sent: it is of the same kind, or all spaces.
    """
    area, room = sent.area(), window.area()
    if area is None or room is None or sent.kind in (Kind.SPECIAL, Kind.IO):
        return Outcome.NOTHING  # there are no I/O ports to map
    where = place(area, room, head >> ITEM_HOT_SPOT_SHIFT)
    grant = bool(head & ITEM_GRANT)
    if sent.kind == Kind.MEMORY:
        return map_pages(kernel, source, target, where, rights=sent.rights, grant=grant)
    return map_caps(
        kernel, source, target, where, rights=sent.rights, attributes=head, grant=grant
    )


def mask_rights(sent: Flexpage, rights: int) -> Flexpage:
    """Diminish an object flexpage that is sent by way of a capability with `rights`."""
    if sent.kind != Kind.OBJECT:
        return sent
    return sent._replace(rights=sent.rights & (rights | _ALWAYS))


def _copy_item(
    kernel: Kernel, sender: Thread, receiver: Thread, at: int, cursors: dict[Kind, int]
) -> int:
    head, word = sender.utcb.load_words(2, at)
    sent = decode(word)
    if sent.kind not in cursors:
        return IpcError.SEND_CUT
    buffer = buffer_at(receiver.utcb, cursors[sent.kind])
    if buffer is None or not _accepts(buffer.window, sent):
        return IpcError.SEND_CUT
    target = receiver.task
    if buffer.forward is not None:
        cap = find(receiver.task, buffer.forward)
        if cap is None or not isinstance(cap.object, Task) or not cap.rights & Rights.W:
            return IpcError.SEND_CUT
        target = cap.object
    result = head & _KEPT & kernel.arch.mask | word & _FPAGE_BITS
    sent = mask_rights(sent, sender.rights)
    receiver.utcb.store(at, result)
    if not _give_id(sender, receiver, at, result, buffer, sent):
        outcome = map_flexpage(kernel, sender.task, sent, target, buffer.window, head)
        if outcome == Outcome.FULL:
            return IpcError.SEND_MAP_FAILED
        if outcome == Outcome.NOTHING:
            receiver.utcb.store(at, result | ITEM_NOTHING)
    if not head & ITEM_COMPOUND:
        cursors[sent.kind] = buffer.next
    return 0


def _give_id(
    sender: Thread, receiver: Thread, at: int, result: int, buffer: Buffer, sent: Flexpage
) -> bool:
    """Say what a capability means to the receiver, in place of mapping it.

    That is so if the buffer asks for it and the receiver knows the object: as a capability
    of its own task, or as a gate that its task serves.
    """
    if not buffer.head & ITEM_SMALL or not buffer.head & ITEM_LOCAL_ID:
        return False
    if sender.task is receiver.task:
        receiver.utcb.store(at, result | ITEM_FPAGE)
        receiver.utcb.store(at + 1, encode(sent))
        return True
    cap = sender.task.caps.get(sent.base)
    if cap is None or not isinstance(cap.object, Gate):
        return False
    gate = cap.object
    if gate.thread is None or gate.thread.task is not receiver.task:
        return False
    receiver.utcb.store(at, result | ITEM_LABEL)
    receiver.utcb.store(at + 1, gate.label | cap.rights & sent.rights & LABEL_RIGHTS)
    return True


def _accepts(window: Flexpage, sent: Flexpage) -> bool:
    return window.kind == sent.kind or window.is_all_spaces()
