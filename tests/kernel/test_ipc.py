"""Messages cross between threads as ABI 4.2 and 4.3 say."""

import pytest

from kernel import abi
from kernel.abi import IpcError
from tests.kernel.desk import (
    SELF,
    SEND_ZERO,
    ZERO,
    Desk,
    PageFault,
    Result,
    SysCall,
    Work,
    tag,
)

WAIT = SysCall(SELF | abi.WAIT)
ERROR = abi.TAG_ERROR


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_call_through_a_gate_reaches_the_waiting_server_and_its_reply_the_client(
    desk: Desk,
) -> None:
    """ABI 1.3, 4.5: call and reply_and_wait; the label has the rights in its low bits."""
    server = desk.thread(
        WAIT, SysCall(SELF | abi.REPLY_AND_WAIT, tag(7, 2), words=(84, 85), timeout=SEND_ZERO)
    )
    client = desk.idle_thread()
    gate = desk.cap(client, 0x20, desk.gate(server, 0xC0DE_0010))
    desk.program(client, SysCall(gate | abi.CALL, tag(0x1001, 2), words=(1, 42)))

    assert desk.run() == "idle"

    assert desk.result(server) == [Result(tag(0x1001, 2), 0xC0DE_0010 | 3)]
    assert desk.result(client) == [Result(tag(7, 2), 0)]
    assert client.utcb.load_words(2) == (84, 85)


def test_words_beyond_the_count_keep_what_they_held(desk: Desk) -> None:
    """ABI 4.3: words from the count on, BDR, BRs and TCRs keep their old content."""
    server = desk.thread(WAIT)
    server.utcb.words[:4] = memoryview(bytes(range(32))).cast("Q")
    before = server.utcb.load_words(128)
    client = desk.idle_thread()
    gate = desk.cap(client, 0x20, desk.gate(server, 0))
    desk.program(client, SysCall(gate | abi.SEND, tag(words=2), words=(11, 12, 13, 14)))

    desk.run()

    assert server.utcb.load_words(128) == (11, 12, *before[2:])


def test_an_early_sender_waits_until_it_is_received(desk: Desk) -> None:
    """ABI 4.2: not ready: the sender enters the queue and blocks."""
    sender = desk.idle_thread(priority=5)
    receiver = desk.thread(Work(1000), WAIT, priority=4)
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND, tag(words=1), label=77, words=(5,)))

    desk.run()

    assert desk.result(sender) == [Result(tag(words=1), 77)]
    assert desk.result(receiver) == [Result(tag(words=1), 77)]
    assert receiver.utcb.load(0) == 5


def test_the_receiver_pulls_the_words_that_the_sender_holds_at_that_time(desk: Desk) -> None:
    """ABI 4.2: the copy runs with the sender's UTCB at that time."""
    sender = desk.idle_thread(priority=5)
    receiver = desk.thread(Work(1000), WAIT, priority=4)
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND, tag(words=1), words=(5,)))
    desk.run(until=1000)

    sender.utcb.store(0, 6)
    desk.run()

    assert receiver.utcb.load(0) == 6


def test_an_open_wait_takes_the_highest_priority_first_and_equals_in_order(
    desk: Desk,
) -> None:
    """ABI 4.7: sorted by priority, first come first among equals; open waits take the head."""
    receiver = desk.thread(Work(10_000), WAIT, WAIT, WAIT, priority=1)
    for priority, label in ((5, 10), (7, 20), (5, 30)):
        sender = desk.idle_thread(priority=priority)
        cap = desk.cap(sender, 0x20, receiver)
        desk.program(sender, SysCall(cap | abi.SEND, label=label))

    desk.run()

    assert [result.label for result in desk.result(receiver)] == [20, 10, 30]


def test_a_closed_receive_takes_its_partner_only(desk: Desk) -> None:
    """ABI 4.2: closed: only that partner."""
    wanted, other = desk.idle_thread(priority=3), desk.idle_thread(priority=9)
    receiver = desk.idle_thread(priority=1)
    for sender, label in ((wanted, 1), (other, 2)):
        cap = desk.cap(sender, 0x20, receiver)
        desk.program(sender, SysCall(cap | abi.SEND, label=label))
    partner = desk.cap(receiver, 0x30, wanted)
    desk.program(receiver, SysCall(partner | abi.RECEIVE), WAIT)

    desk.run()

    assert [result.label for result in desk.result(receiver)] == [1, 2]


def test_an_empty_capability_fails_at_once_without_a_receive_phase(desk: Desk) -> None:
    """ABI 1.3: empty capability: 0x8000, error 4, no receive phase."""
    client = desk.thread(SysCall(0x99 << 12 | abi.CALL, tag(5, 3), label=9))

    desk.run()

    assert desk.result(client) == [Result(ERROR, 9)]
    assert desk.error(client) == IpcError.NOT_EXISTENT


def test_an_empty_reply_slot_fails_at_once_without_a_wait(desk: Desk) -> None:
    """ABI 1.3 and 13: empty reply slot: 0x8000, error 4, no wait."""
    server = desk.thread(SysCall(SELF | abi.REPLY_AND_WAIT, tag(words=1)))

    desk.run()

    assert desk.result(server) == [Result(ERROR, 0)]
    assert desk.error(server) == IpcError.NOT_EXISTENT


def test_sending_to_a_thread_that_does_not_receive_times_out_at_once_with_zero(
    desk: Desk,
) -> None:
    """ABI 4.2: send timeout zero: error 2, nothing queued; the receive phase is skipped."""
    busy = desk.thread(Work(10**9), priority=1)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, busy)
    desk.program(sender, SysCall(cap | abi.CALL, tag(3, 1), timeout=SEND_ZERO))

    desk.run(until=100_000)

    assert desk.result(sender) == [Result(ERROR, 0)]
    assert desk.error(sender) == IpcError.SEND_TIMEOUT
    assert busy.senders == []


def test_a_receive_timeout_gives_the_input_tag_with_the_error_flag(desk: Desk) -> None:
    """ABI 3: receive timeout: the input tag with 0x8000, the label register is left alone."""
    thread = desk.thread(SysCall(SELF | abi.RECEIVE, tag(5, 3), label=9, timeout=ZERO))

    desk.run()

    assert desk.result(thread) == [Result(tag(5, 3) | ERROR, 9)]
    assert desk.error(thread) == IpcError.RECEIVE_TIMEOUT


def test_success_leaves_the_error_word_alone(desk: Desk) -> None:
    """ABI 3: the error word is not cleared on success."""
    receiver = desk.thread(WAIT)
    receiver.utcb.store(123, 99)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND, tag(words=1)))

    desk.run()

    assert desk.error(receiver) == 99


def test_a_typed_item_without_a_buffer_cuts_the_message_for_both(desk: Desk) -> None:
    """ABI 3: message cut: 8 and 9; label and words are delivered."""
    receiver = desk.thread(WAIT)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    item = (8, 0x2_1000 | 0x37)
    desk.program(sender, SysCall(cap | abi.SEND, tag(4, 1, items=1), label=7, words=(5, *item)))

    desk.run()

    assert desk.result(sender) == [Result(ERROR, 7)]
    assert desk.error(sender) == IpcError.SEND_CUT
    # Label and words are delivered, the item's registers are left alone (ABI 13, 7).
    assert desk.result(receiver) == [Result(tag(4, 1, items=1, flags=ERROR), 7)]
    assert desk.error(receiver) == IpcError.RECEIVE_CUT
    assert receiver.utcb.load_words(3) == (5, 0, 0)


def test_items_beyond_the_utcb_cut_the_message(desk: Desk) -> None:
    """ABI 4.3: words + 2*items > 63: both sides get 8 / 9."""
    receiver = desk.thread(WAIT)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND, tag(4, 63, items=63)))

    desk.run()

    assert (desk.error(sender), desk.error(receiver)) == (8, 9)


def test_an_unbound_gate_holds_its_senders_until_a_thread_is_bound(desk: Desk) -> None:
    """ABI 4.5: without a thread the sender blocks in the gate; woken on bind."""
    server = desk.thread(WAIT)
    gate = desk.gate(None, 0)
    client = desk.idle_thread()
    through = desk.cap(client, 0x20, gate)
    desk.program(client, SysCall(through | abi.SEND, tag(1, 1), words=(5,)))
    binder = desk.thread(Work(1000), priority=1)
    control = desk.cap(binder, 0x20, gate)
    desk.cap(binder, 0x21, server)
    desk.program(
        binder,
        Work(1000),
        SysCall(
            control | abi.CALL,
            tag(abi.Protocol.KOBJECT, 2, items=1),
            words=(abi.GATE_BIND, 0x40, 8, 0x21 << 12 | 0x37),
        ),
    )

    desk.run()

    assert desk.result(binder) == [Result(tag(0), 0)]
    assert desk.result(server) == [Result(tag(1, 1), 0x43)]


def test_an_unbound_gate_with_a_zero_timeout_is_a_send_timeout(desk: Desk) -> None:
    """ABI 4.5: gate without a thread, timeout 0: error 2."""
    client = desk.idle_thread()
    through = desk.cap(client, 0x20, desk.gate(None, 0))
    desk.program(client, SysCall(through | abi.SEND, timeout=SEND_ZERO))

    desk.run()

    assert desk.error(client) == IpcError.SEND_TIMEOUT


def test_a_gate_without_the_server_right_forwards_control_messages(desk: Desk) -> None:
    """ABI 4.5: without the server right even KOBJECT messages are IPC."""
    server = desk.thread(WAIT)
    client = desk.idle_thread()
    through = desk.cap(client, 0x20, desk.gate(server, 0x40), rights=int(abi.Rights.W))
    kobject = tag(abi.Protocol.KOBJECT, 1)
    desk.program(client, SysCall(through | abi.SEND, kobject, words=(abi.GATE_GET_INFO,)))

    desk.run()

    assert desk.result(server) == [Result(kobject, 0x40 | abi.Rights.W)]


def test_a_chain_of_a_thousand_queued_callers_unwinds(desk: Desk) -> None:
    """ABI 4.2, 4: an already queued sender is taken at once, as often as there is one."""
    # Each calls the next; the last one waits late, and every pull finds a queued sender.
    task = desk.task()
    threads = [desk.idle_thread(task=task, priority=9) for _ in range(1000)]
    for k, thread in enumerate(threads[:-1]):
        cap = desk.cap(thread, 0x100 + k, threads[k + 1])
        desk.program(thread, SysCall(cap | abi.SEND_AND_WAIT))
    desk.program(threads[-1], Work(10), SysCall(SELF | abi.WAIT))

    assert desk.run() == "idle"

    assert len(desk.recording.transfers()) == 999


def test_a_dead_receiver_cancels_its_queued_senders(desk: Desk) -> None:
    """ABI 4.10: the queued sender gets 6, the next send 4."""
    receiver = desk.thread(Work(1000), PageFault(0), priority=1)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND), SysCall(cap | abi.SEND))

    assert desk.run() == "fault"

    # The second one finds it dead.
    assert [failure.error for failure in desk.recording.failures()] == [
        IpcError.SEND_CANCELLED,
        IpcError.NOT_EXISTENT,
    ]


def test_a_closed_receive_from_a_dead_thread_does_not_wait(desk: Desk) -> None:
    """ABI 3: not existent, 5 with the receive bit."""
    dead = desk.thread(PageFault(0), priority=9)
    receiver = desk.idle_thread()
    cap = desk.cap(receiver, 0x20, dead)
    desk.program(receiver, SysCall(cap | abi.RECEIVE, tag(1)))

    desk.run()

    assert desk.result(receiver) == [Result(tag(1) | ERROR, 0)]
    assert desk.error(receiver) == IpcError.RECEIVE_NOT_EXISTENT


def test_the_error_flag_of_a_request_means_nothing(desk: Desk) -> None:
    """ABI 3: ERROR is output only."""
    receiver = desk.thread(WAIT)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND, tag(3) | ERROR))

    desk.run()

    assert desk.result(sender) == [Result(tag(3), 0)]
    assert desk.result(receiver) == [Result(tag(3), 0)]


def test_sending_to_oneself_blocks_until_the_timeout(desk: Desk) -> None:
    """ABI 4.3: a send to self blocks until its timeout."""
    thread = desk.thread(SysCall(SELF | abi.SEND, timeout=0x0001_0000))

    assert desk.run() == "idle"

    assert desk.error(thread) == IpcError.SEND_TIMEOUT
    assert thread.senders == []


@pytest.mark.parametrize("operation", [0, 4, 5, 8, 10, 12, 13, 14])
def test_operation_bits_that_mean_nothing_are_refused_and_reported(
    desk: Desk, operation: int
) -> None:
    """ABI 1.3: other combinations are undefined: ours give -22."""
    thread = desk.thread(SysCall(SELF | operation, tag(3, 1), words=(0x12345,)))

    assert desk.run() == "idle"

    assert desk.result(thread) == [Result(tag(-22), 0)]
    refused = [e for e in desk.recording.events if type(e).__name__ == "Refused"]
    assert [(e.protocol, e.opcode, e.words, e.reason) for e in refused] == [  # type: ignore[union-attr]
        (3, 0x2345, (0x12345,), f"operation bits {operation:#x}")
    ]
