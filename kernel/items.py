"""Typed items of a message: capabilities and memory that a sender hands over (ABI 4.9).

Rule 1: items are looked at after the words have been copied, one after the other; what an
item did stays done if a later one fails.
Rule 2: nothing is read or written outside of the message and buffer registers, whatever
the counts in tag, descriptor and flexpages say.

A sent item is two message registers; what became of it stands in the receiver's registers
of the same place.  A receive buffer is one to three buffer registers.
"""

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
from kernel.flexpage import (
    FULL,
    IO,
    MEMORY,
    NOTHING,
    OBJECT,
    SPECIAL,
    Flexpage,
    decode,
    encode,
    place,
)
from kernel.mapping import map_pages
from kernel.message import Utcb
from kernel.objects import Gate, Task, Thread
from kernel.state import Kernel
from kernel.utcb import BDR, BR, BR_COUNT, MR_COUNT

# Rights of an object that any sender may hand on; S it must have itself.
_ALWAYS = int(Rights.R | Rights.W | Rights.D)
_FPAGE_BITS = FPAGE_ORDER << FPAGE_ORDER_SHIFT | FPAGE_KIND << FPAGE_KIND_SHIFT
_CUT = int(IpcError.SEND_CUT)
_FAILED = int(IpcError.SEND_MAP_FAILED)
_WRITE = int(Rights.W)
# What a result keeps of the item: the hot spot, that it is an item, and compound.
_KEPT = ~0xFFF | ITEM_MAP | ITEM_COMPOUND


class Buffer:
    """A receive buffer, and the buffer register behind it; a value, as in `flexpage`."""

    __slots__ = ("forward", "forwards", "head", "next", "window")

    def __init__(
        self, head: int, window: Flexpage, forwards: bool, forward: int, following: int
    ) -> None:
        self.head = head
        self.window = window
        self.forwards = forwards  # the mappings are not for the receiver's own task
        self.forward = forward  # but for the one that this selector names
        self.next = following


def copy_items(kernel: Kernel, sender: Thread, receiver: Thread) -> int:
    """Transfer the items of a message; 0, or the error that the sender gets.

    The receiver's error is the same with bit 0 set.
    """
    descriptor = receiver.utcb.load(BDR)
    cursors = [  # by the kind of flexpage; SPECIAL has none
        0,
        descriptor >> BDR_MEMORY_SHIFT & BDR_CURSOR,
        descriptor >> BDR_IO_SHIFT & BDR_CURSOR,
        descriptor >> BDR_OBJECT_SHIFT & BDR_CURSOR,
    ]
    at = sender.tag & TAG_WORDS
    for _ in range(sender.tag >> TAG_ITEMS_SHIFT & TAG_ITEMS):
        if at >= MR_COUNT:
            return _CUT
        head = sender.utcb.load(at)
        if head:
            if at + 1 >= MR_COUNT or not head & ITEM_MAP:
                return _CUT
            error = _copy_item(kernel, sender, receiver, at, head, cursors)
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
    words = min(first + 2 * count, MR_COUNT) - first
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
    if index >= BR_COUNT:
        return None
    head = message.load(BR + index)
    if not head & ITEM_MAP:
        return None
    index += 1
    if head & ITEM_SMALL:
        window = Flexpage(OBJECT, head >> ITEM_HOT_SPOT_SHIFT, 0, 0)
    else:
        if index >= BR_COUNT:
            return None
        window = decode(message.load(BR + index))
        index += 1
    if not head & ITEM_FORWARD:
        return Buffer(head, window, False, 0, index)
    if index >= BR_COUNT:
        return None
    return Buffer(head, window, True, message.load(BR + index), index + 1)


def object_buffer(message: Utcb) -> Buffer | None:
    """Give the first receive buffer for objects."""
    return buffer_at(message, message.load(BDR) >> BDR_OBJECT_SHIFT & BDR_CURSOR)


def map_flexpage(
    kernel: Kernel,
    source: Task,
    sent: Flexpage,
    target: Task,
    window: Flexpage,
    head: int,
) -> int:
    """Map a flexpage into a window as `head`, the first word of an item, asks for.

    An `Outcome` comes back.  The window takes what is sent: it is of the same kind, or all
    spaces.
    """
    area, room = sent.area(), window.area()
    if area is None or room is None or sent.kind in (SPECIAL, IO):
        return NOTHING  # there are no I/O ports to map
    where = place(area, room, head >> ITEM_HOT_SPOT_SHIFT)
    grant = head & ITEM_GRANT != 0
    if sent.kind == MEMORY:
        return map_pages(kernel, source, target, where, rights=sent.rights, grant=grant)
    return map_caps(
        kernel, source, target, where, rights=sent.rights, attributes=head, grant=grant
    )


def mask_rights(sent: Flexpage, rights: int) -> Flexpage:
    """Diminish an object flexpage that is sent by way of a capability with `rights`."""
    if sent.kind != OBJECT:
        return sent
    return sent.with_rights(sent.rights & (rights | _ALWAYS))


def _copy_item(
    kernel: Kernel, sender: Thread, receiver: Thread, at: int, head: int, cursors: list[int]
) -> int:
    word = sender.utcb.load(at + 1)
    sent = decode(word)
    if sent.kind == SPECIAL:
        return _CUT
    buffer = buffer_at(receiver.utcb, cursors[sent.kind])
    if buffer is None or not _accepts(buffer.window, sent):
        return _CUT
    target = receiver.task
    if buffer.forwards:
        cap = find(receiver.task, buffer.forward)
        if cap is None or not isinstance(cap.object, Task) or not cap.rights & _WRITE:
            return _CUT
        target = cap.object
    result = head & _KEPT & kernel.mask | word & _FPAGE_BITS
    sent = mask_rights(sent, sender.rights)
    receiver.utcb.store(at, result)
    if not _give_id(sender, receiver, at, result, buffer, sent):
        outcome = map_flexpage(kernel, sender.task, sent, target, buffer.window, head)
        if outcome == FULL:
            return _FAILED
        if outcome == NOTHING:
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
