"""Typed items: what a message can hand over, and what the receiver learns of it."""

import pytest

from kernel import abi, quota, utcb
from kernel.events import Items
from kernel.flexpage import Flexpage, Kind, encode
from kernel.items import buffer_at
from kernel.objects import Gate
from tests.kernel.desk import SELF, Desk, Result, SysCall, tag
from tests.kernel.invariants import check_invariants
from tests.kernel.scene import (
    ALL,
    EVERYWHERE,
    ITEM,
    PAGE,
    RWX,
    R,
    W,
    accept,
    caps,
    give,
    held,
    memory,
    put_page,
    shown,
    small,
)

GATE = 0x20  # the capability to send through
SENT = 0x30  # the capability to hand over
FULL = int(abi.Rights.R | abi.Rights.W | abi.Rights.S | abi.Rights.D)


class Pair:
    """A sender and a receiver in two tasks, or in one."""

    def __init__(self, *, rights: int = ALL, together: bool = False) -> None:
        self.desk = Desk()
        self.receiver = self.desk.thread(SysCall(SELF | abi.WAIT))
        task = self.receiver.task if together else None
        self.sender = self.desk.idle_thread(task=task)
        # Through a gate without the server right, so that KOBJECT is no matter.
        self.gate = self.desk.gate(self.receiver, 0x40)
        give(self.desk, self.sender.task, GATE, self.gate, rights)

    def send(self, *words: int, count: int = 0, items: int | None = None) -> tuple[int, int]:
        """Send `words`, of which `count` are untyped; give both error words, 0 if none."""
        number = (len(words) - count) // 2 if items is None else items
        self.sender.utcb.store(utcb.ERROR, 0)
        self.receiver.utcb.store(utcb.ERROR, 0)
        call = SysCall(
            GATE << 12 | abi.SEND, tag(1, count, items=number), timeout=0x0400_0000, words=words
        )
        self.desk.program(self.sender, call)
        self.desk.run(self.desk.machine.now + 10_000_000)
        check_invariants(self.desk)
        return self.desk.error(self.sender), self.desk.error(self.receiver)

    def got(self, count: int, first: int = 0) -> tuple[int, ...]:
        return self.receiver.utcb.load_words(count, first)

    def object(self, rights: int = ALL) -> Gate:
        gate = self.desk.gate(self.receiver, 0x80)
        give(self.desk, self.sender.task, SENT, gate, rights)
        return gate


def test_a_capability_arrives_and_word_1_keeps_its_old_content() -> None:
    """ABI 13, 7: when a capability arrives, word 0 is 0x38 and word 1 is left alone."""
    pair = Pair()
    gate = pair.object()
    accept(pair.receiver, small(0x50))
    pair.receiver.utcb.store(1, 0xAAAA)

    assert pair.send(ITEM | 0x20, caps(SENT)) == (0, 0)

    assert pair.got(2) == (0x38, 0xAAAA)
    assert held(pair.receiver.task, 0x50) == (gate, FULL | 0x20, True)
    (result,) = pair.desk.result(pair.receiver)
    assert result == Result(tag(1, 0, items=1), 0x43)


@pytest.mark.parametrize(
    ("rights", "item", "expected"),
    [
        (0xF, 0xF, 0xF),
        (0xF, 0x5, 0x5),
        (0x5, 0xF, 0x5),
        (0xEF, 0xF, 0xF),
        (0xEF, 0x7 | 0xE0, 0xE7),
        (0xEF, 0xF | 0x40, 0x4F),
        (0xF, 0xF | 0x20, 0xF),
    ],
)
def test_rights_are_what_the_sender_has_and_gives(
    rights: int, item: int, expected: int
) -> None:
    """ABI 4.9: flexpage rights, and object-specific rights by the item's attributes."""
    pair = Pair()
    gate = pair.object(rights)
    accept(pair.receiver, small(0x50))

    pair.send(ITEM | item & 0xE0, caps(SENT, rights=item & 0xF))

    assert held(pair.receiver.task, 0x50) == (gate, expected, True)


@pytest.mark.parametrize("missing", ["sender", "flexpage"])
def test_a_capability_without_r_is_not_mapped(missing: str) -> None:
    """ABI 4.9: R must be present."""
    pair = Pair()
    pair.object(0xB if missing == "sender" else 0xF)
    accept(pair.receiver, small(0x50))

    errors = pair.send(ITEM, caps(SENT, rights=0xF if missing == "sender" else 0xB))

    assert (errors, pair.got(1)) == ((0, 0), (0x3A,))
    assert held(pair.receiver.task, 0x50) is None


@pytest.mark.parametrize(("through", "expected"), [(0x5, 0xD), (0x7, 0xF)])
def test_s_is_lost_on_the_way_through_a_capability_without_s(
    through: int, expected: int
) -> None:
    """ABI 4.9: S is dropped if the invoking capability lacks S."""
    pair = Pair(rights=through)
    gate = pair.object()
    accept(pair.receiver, small(0x50))

    pair.send(ITEM, caps(SENT))

    assert held(pair.receiver.task, 0x50) == (gate, expected, True)


def test_an_uncounted_capability_is_marked_and_begets_uncounted_ones() -> None:
    """ABI 4.9: attribute 0x10: not reference-counted."""
    pair = Pair()
    gate = pair.object()
    accept(pair.receiver, small(0x50))
    before = pair.desk.kernel.references[gate.number]

    pair.send(ITEM | abi.ITEM_UNCOUNTED, caps(SENT))

    assert held(pair.receiver.task, 0x50) == (gate, FULL, False)
    assert pair.desk.kernel.references[gate.number] == before


def test_an_empty_slot_is_no_error_but_nothing_mapped() -> None:
    """ABI 4.9: result type 2: nothing mapped."""
    pair = Pair()
    accept(pair.receiver, small(0x50))

    assert pair.send(ITEM, caps(SENT)) == (0, 0)
    assert pair.got(1) == (0x3A,)


def test_a_void_item_is_zero_and_takes_no_buffer() -> None:
    """ABI 4.9: void item: result word 0, consumes no buffer."""
    pair = Pair()
    gate = pair.object()
    accept(pair.receiver, small(0x50))
    pair.receiver.utcb.store(0, 7)
    pair.receiver.utcb.store(1, 8)

    assert pair.send(0, 0x1234, ITEM, caps(SENT)) == (0, 0)

    assert pair.got(3) == (0, 8, 0x38)
    assert held(pair.receiver.task, 0x50) == (gate, FULL, True)


def test_items_come_behind_the_words() -> None:
    """ABI 4.3: the result of item k overwrites MR(words + 2k)."""
    pair = Pair()
    pair.object()
    accept(pair.receiver, small(0x50), small(0x51))

    pair.send(1, 2, 3, ITEM, caps(SENT), ITEM, caps(SENT), count=3)

    assert pair.got(4) == (1, 2, 3, 0x38)
    assert pair.got(1, 5) == (0x38,)
    assert held(pair.receiver.task, 0x51) is not None


def test_a_compound_item_shares_its_buffer_with_the_next() -> None:
    """ABI 4.9: compound: next item uses the same receive buffer."""
    pair = Pair()
    task = pair.sender.task
    frames = [put_page(pair.desk, task, k * PAGE) for k in range(2)]
    accept(pair.receiver, ITEM, memory(0x40000, 14))

    errors = pair.send(0x1000 | ITEM | 1, memory(0), 0x3000 | ITEM, memory(PAGE))

    assert errors == (0, 0)
    assert pair.got(1) == (0x1000 | ITEM | 1 | memory(0) & 0xFF0,)
    pages = pair.desk.machine.spaces[pair.receiver.task.number]
    assert pages[0x41000] == (frames[0], RWX)
    assert pages[0x43000] == (frames[1], RWX)


def test_without_compound_the_second_item_needs_a_second_buffer() -> None:
    """ABI 4.9: buffer advances unless compound set; void buffer: cut, 8 and 9."""
    pair = Pair()
    for k in range(2):
        put_page(pair.desk, pair.sender.task, k * PAGE)
    accept(pair.receiver, ITEM, memory(0x40000, 14))
    pair.receiver.utcb.store(2, 0xAAAA)
    pair.receiver.utcb.store(3, 0xBBBB)

    assert pair.send(0x1000 | ITEM, memory(0), ITEM, memory(PAGE)) == (8, 9)

    # ABI 13, 7: the item's two registers are untouched; label and words were delivered.
    assert pair.got(2, 2) == (0xAAAA, 0xBBBB)
    assert shown(pair.desk, pair.receiver.task) == {0x41000: RWX}
    (result,) = pair.desk.result(pair.receiver)
    assert result == Result(tag(1, 0, items=2) | abi.TAG_ERROR, 0x43)
    assert pair.desk.result(pair.sender) == [Result(abi.TAG_ERROR, 0)]


def test_the_three_cursors_start_where_the_descriptor_says() -> None:
    """ABI 2: BDR: first memory, I/O-port and object buffer."""
    pair = Pair()
    gate = pair.object()
    put_page(pair.desk, pair.sender.task, 0)
    accept(
        pair.receiver,
        small(0x50),
        0,
        ITEM,
        memory(0x40000),
        0,
        cursors=2 | 4 << 5 | 0 << 10,
    )

    assert pair.send(ITEM, memory(0), ITEM, caps(SENT)) == (0, 0)

    assert held(pair.receiver.task, 0x50) == (gate, FULL, True)
    assert shown(pair.desk, pair.receiver.task) == {0x40000: RWX}


def test_a_receive_window_takes_the_part_at_the_hot_spot() -> None:
    """ABI 4.9: r < s: the source is cut to the window."""
    pair = Pair()
    frames = [put_page(pair.desk, pair.sender.task, k * PAGE) for k in range(4)]
    accept(pair.receiver, ITEM, memory(0x40000, 12))

    pair.send(0x2000 | ITEM, memory(0, 14, R | W))

    pages = pair.desk.machine.spaces[pair.receiver.task.number]
    assert pages[0x40000] == (frames[2], R | W)
    assert pair.got(1) == (0x2000 | ITEM | 14 << 6 | 1 << 4,)


def test_in_all_spaces_the_hot_spot_is_the_address() -> None:
    """ABI 4.9: all-spaces receive window: target address = hot spot."""
    pair = Pair()
    put_page(pair.desk, pair.sender.task, 0)
    gate = pair.object()
    accept(pair.receiver, *EVERYWHERE, *EVERYWHERE)

    assert pair.send(0x7000 | ITEM, memory(0), 0x66000 | ITEM, caps(SENT)) == (0, 0)

    assert shown(pair.desk, pair.receiver.task) == {0x7000: RWX}
    assert held(pair.receiver.task, 0x66) == (gate, FULL, True)


def test_a_window_of_many_slots_takes_many_capabilities() -> None:
    """ABI 4.9: object flexpages map as memory does."""
    pair = Pair()
    gates = [pair.desk.gate(None, k << 4) for k in range(3)]
    for k, gate in zip((0, 1, 3), gates, strict=True):
        give(pair.desk, pair.sender.task, 0x40 + k, gate)
    accept(pair.receiver, ITEM, caps(0x100, 3))

    pair.send(0x4000 | ITEM, caps(0x40, 2))

    got = {k: held(pair.receiver.task, 0x100 + k) for k in range(8)}
    assert [k for k, cap in got.items() if cap] == [4, 5, 7]
    assert got[7] == (gates[2], FULL, True)


def test_a_grant_takes_the_capability_from_the_sender() -> None:
    """ABI 4.9: grant removes the sender's mapping."""
    pair = Pair()
    gate = pair.object()
    accept(pair.receiver, small(0x50))

    pair.send(ITEM | abi.ITEM_GRANT, caps(SENT))

    assert pair.got(1) == (0x38,)
    assert held(pair.receiver.task, 0x50) == (gate, FULL, True)
    assert held(pair.sender.task, SENT) is None


def test_a_slot_that_is_taken_is_unmapped_first() -> None:
    """ABI 4.9: existing mapping at target: object slot is first unmapped."""
    pair = Pair()
    gate = pair.object()
    other = pair.desk.gate(None, 0)
    give(pair.desk, pair.receiver.task, 0x50, other)
    accept(pair.receiver, small(0x50))

    pair.send(ITEM, caps(SENT))

    assert held(pair.receiver.task, 0x50) == (gate, FULL, True)
    # With right D, and unmapped with the full mask, it is the end of the object.
    assert other.number not in pair.desk.kernel.objects


def test_a_local_id_within_one_task_is_the_flexpage() -> None:
    """ABI 4.9: same task on both sides: second word = sender's flexpage, type 6."""
    pair = Pair(together=True)
    pair.object()
    accept(pair.receiver, small(0x50, abi.ITEM_LOCAL_ID))

    pair.send(ITEM, caps(SENT))

    assert pair.got(2) == (0x3E, caps(SENT))
    assert held(pair.receiver.task, 0x50) is None


def test_a_local_id_of_an_own_gate_is_its_label() -> None:
    """ABI 4.9: a gate of the receiver's task: second word = label | rights & 3, type 4."""
    pair = Pair()
    pair.object()
    accept(pair.receiver, small(0x50, abi.ITEM_LOCAL_ID))

    pair.send(ITEM, caps(SENT, rights=0xD))

    assert pair.got(2) == (0x3C, 0x81)
    assert held(pair.receiver.task, 0x50) is None


def test_a_local_id_of_anything_else_is_a_mapping() -> None:
    """ABI 4.9: else normal mapping."""
    pair = Pair()
    gate = pair.desk.gate(pair.sender, 0x80)
    give(pair.desk, pair.sender.task, SENT, gate)
    accept(pair.receiver, small(0x50, abi.ITEM_LOCAL_ID))

    pair.send(ITEM, caps(SENT))

    assert pair.got(1) == (0x38,)
    assert held(pair.receiver.task, 0x50) == (gate, FULL, True)


def test_a_forwarded_item_goes_to_the_task_that_the_buffer_names() -> None:
    """ABI 4.9: forward: an extra word: selector of the task that receives the mapping."""
    pair = Pair()
    gate = pair.object()
    other = pair.desk.task()
    give(pair.desk, pair.receiver.task, 0x60, other)
    accept(pair.receiver, small(0x50, abi.ITEM_FORWARD), 0x60 << 12)

    assert pair.send(ITEM, caps(SENT)) == (0, 0)

    assert held(other, 0x50) == (gate, FULL, True)
    assert held(pair.receiver.task, 0x50) is None


@pytest.mark.parametrize("kind", ["empty", "no task", "no w", "special"])
def test_a_bad_forward_task_cuts_the_message(kind: str) -> None:
    """ABI 3: message cut: bad forward task; it needs W right on it."""
    pair = Pair()
    pair.object()
    selector = 0x60 << 12
    if kind == "no task":
        give(pair.desk, pair.receiver.task, 0x60, pair.gate)
    elif kind == "no w":
        give(pair.desk, pair.receiver.task, 0x60, pair.desk.task(), ALL & ~1)
    elif kind == "special":
        selector = abi.CAP_INVALID_BIT
    accept(pair.receiver, small(0x50, abi.ITEM_FORWARD), selector)
    pair.receiver.utcb.store(0, 0xAAAA)

    assert pair.send(ITEM, caps(SENT)) == (8, 9)
    assert pair.got(1) == (0xAAAA,)


@pytest.mark.parametrize(
    "words",
    [
        (ITEM, encode(Flexpage(Kind.SPECIAL, 0, 63, 0xF))),
        (ITEM, 0),
        (4, caps(SENT)),
        (0xFFFF_FFFF_FFFF_FFF7, caps(SENT)),
        (ITEM, memory(0)),
    ],
    ids=["all spaces", "invalid", "no item", "no item with all else", "wrong buffer"],
)
def test_items_that_fit_no_buffer_cut_the_message(words: tuple[int, int]) -> None:
    """ABI 3: message cut: no buffer, wrong type."""
    pair = Pair()
    pair.object()
    put_page(pair.desk, pair.sender.task, 0)
    accept(pair.receiver, small(0x50))

    assert pair.send(*words) == (8, 9)
    assert held(pair.receiver.task, 0x50) is None


def test_memory_of_less_than_a_page_is_nothing() -> None:
    """ABI 4.9: memory comes in pages, on either side."""
    pair = Pair()
    put_page(pair.desk, pair.sender.task, 0)
    accept(pair.receiver, ITEM, memory(0x40000), ITEM, memory(0x40000, 11))

    assert pair.send(ITEM, memory(0, 11), ITEM, memory(0, 12)) == (0, 0)

    assert [pair.got(1, k)[0] & 6 for k in (0, 2)] == [2, 2]
    assert shown(pair.desk, pair.receiver.task) == {}


def test_io_ports_are_accepted_and_nothing() -> None:
    """ABI 4.9: I/O flexpages have a cursor; this machine has no ports to map."""
    pair = Pair()
    ports = encode(Flexpage(Kind.IO, 0x3F8, 3, 0))
    accept(pair.receiver, ITEM, encode(Flexpage(Kind.IO, 0, 16, 0)))

    assert pair.send(ITEM, ports) == (0, 0)
    assert pair.got(1)[0] & 6 == abi.ITEM_NOTHING


@pytest.mark.parametrize(("items", "errors"), [(31, (0, 0)), (32, (8, 9)), (63, (8, 9))])
def test_items_beyond_the_message_registers_cut_the_message(
    items: int, errors: tuple[int, int]
) -> None:
    """ABI 4.3: words + 2*items > 63: the item iterator stops at MR62; cut."""
    pair = Pair()

    assert pair.send(7, count=1, items=items) == errors
    assert pair.receiver.utcb.load(63) == pair.receiver.utcb_address


def test_an_item_that_only_begins_in_the_registers_cuts_the_message() -> None:
    """ABI 4.3: an item is two registers."""
    pair = Pair()
    accept(pair.receiver, *EVERYWHERE)

    assert pair.send(*([1] * 62), ITEM, count=62, items=1) == (8, 9)
    assert pair.receiver.utcb.load(63) == pair.receiver.utcb_address


@pytest.mark.parametrize(
    ("at", "head", "fits"),
    [
        (57, small(0x50), True),
        (57, small(0x50, abi.ITEM_FORWARD), False),
        (56, small(0x50, abi.ITEM_FORWARD), True),
        (57, ITEM, False),
        (56, ITEM, True),
        (56, ITEM | abi.ITEM_FORWARD, False),
        (58, small(0x50), False),
    ],
)
def test_a_buffer_that_goes_on_behind_the_last_register_is_none(
    at: int, head: int, fits: bool
) -> None:
    """ABI 2: there are 58 buffer registers."""
    thread = Desk().idle_thread()
    thread.utcb.store(utcb.BR + at, head)

    assert (buffer_at(thread.utcb, at) is not None) == fits


def test_a_full_quota_is_map_failed_on_both_sides() -> None:
    """ABI 3: 16 / 17: memory or quota failure while mapping."""
    pair = Pair()
    pair.object()
    accept(pair.receiver, small(0x50))
    limit = pair.desk.kernel.factory.quota
    limit.limit = limit.used + quota.CAP_BYTES - 1

    assert pair.send(ITEM, caps(SENT)) == (16, 17)
    assert held(pair.receiver.task, 0x50) is None
    (result,) = pair.desk.result(pair.receiver)
    assert result.tag == tag(1, 0, items=1) | abi.TAG_ERROR


def test_a_capability_beyond_the_table_is_nothing() -> None:
    """ABI 1.3: capability indices have a limit."""
    pair = Pair()
    pair.object()
    limit = abi.AMD64.cap_limit
    accept(pair.receiver, small(limit), *EVERYWHERE)

    assert pair.send(ITEM, caps(SENT), limit << 12 | ITEM, caps(SENT)) == (0, 0)
    assert [pair.got(1, k)[0] & 6 for k in (0, 2)] == [2, 2]


def test_a_table_can_be_filled_to_its_end() -> None:
    """ABI 1.3: 65536 capabilities on amd64, as many as the quota pays for."""
    pair = Pair()
    gate = pair.object()
    limit = abi.AMD64.cap_limit
    for index in range(0x100, limit):
        give(pair.desk, pair.sender.task, index, gate)
    accept(pair.receiver, *EVERYWHERE)

    # Once more from 0x100 on: the highest ones lie beyond the table.
    assert pair.send(ITEM, caps(0, 16)) == (0, 0)
    assert len(pair.receiver.task.caps) == len(pair.sender.task.caps)
    assert held(pair.receiver.task, limit - 1) == (gate, FULL, True)


def test_a_queued_message_hands_over_what_is_there_when_it_is_taken() -> None:
    """ABI 4.2: the copy runs with the sender's UTCB at that time."""
    desk = Desk()
    receiver = desk.idle_thread(priority=1)
    sender = desk.idle_thread()
    give(desk, sender.task, GATE, desk.gate(receiver, 0x40))
    gate = desk.gate(None, 0x80)
    give(desk, sender.task, SENT, gate)
    call = SysCall(GATE << 12 | abi.SEND, tag(1, 0, items=1), words=(ITEM, caps(SENT)))
    desk.program(sender, call)
    accept(receiver, small(0x50))
    desk.program(receiver, SysCall(SELF | abi.WAIT))

    desk.run()

    assert held(receiver.task, 0x50) == (gate, FULL, True)


def test_a_reader_of_the_trace_sees_items_and_results() -> None:
    """ABI 4.9: the items as sent, and what stands in their place."""
    pair = Pair()
    pair.object()
    accept(pair.receiver, small(0x50))
    pair.receiver.utcb.store(2, 0xAAAA)

    pair.send(5, ITEM, caps(SENT), count=1)

    events = pair.desk.recording.events
    (k,) = [k for k, event in enumerate(events) if isinstance(event, Items)]
    assert events[k - 1] is pair.desk.recording.transfers()[0]
    assert events[k][2:] == (
        pair.sender.number,
        pair.receiver.number,
        1,
        (ITEM, caps(SENT)),
        (0x38, 0xAAAA),
    )


def test_messages_without_items_have_no_such_event() -> None:
    """ABI 4.3: words alone are a transfer and nothing else."""
    pair = Pair()

    pair.send(1, 2, 3, count=3)

    assert not [event for event in pair.desk.recording.events if isinstance(event, Items)]


def test_a_reply_can_carry_items_as_the_call_had_rights() -> None:
    """ABI 4.6: content of the reply capability = caller thread + rights (W, S) of the cap."""
    desk = Desk()
    server, client = desk.idle_thread(), desk.idle_thread()
    give(desk, client.task, GATE, desk.gate(server, 0x40), 0x5)
    gate = desk.gate(None, 0x80)
    give(desk, server.task, SENT, gate)
    accept(client, small(0x50))
    desk.program(client, SysCall(GATE << 12 | abi.CALL, tag(1)))
    reply = SysCall(SELF | abi.REPLY, tag(0, 0, items=1), words=(ITEM, caps(SENT)))
    desk.program(server, SysCall(SELF | abi.WAIT), reply)

    desk.run()

    # The capability that was called lacks S, and so does what comes back.
    assert held(client.task, 0x50) == (gate, 0xD, True)


def test_memory_attributes_are_taken_and_ignored() -> None:
    """ABI 4.9: memory attributes (caching) in bits 7..4 are no matter here."""
    pair = Pair()
    put_page(pair.desk, pair.sender.task, 0)
    accept(pair.receiver, ITEM, memory(0x40000))

    assert pair.send(ITEM | 0x30, memory(0, rights=W | R)) == (0, 0)
    assert shown(pair.desk, pair.receiver.task) == {0x40000: R | W}
