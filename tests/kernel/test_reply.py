"""Reply capabilities: one shot, one per caller, gone when the caller stops waiting."""

import pytest

from kernel import abi
from kernel.abi import IA32, IpcError
from kernel.objects import REPLY_PAGES, Thread
from tests.kernel.desk import SELF, SEND_ZERO, Desk, Result, SysCall, Work, tag

WAIT = SysCall(SELF | abi.WAIT)
SLOT = abi.CAP_REPLY_BIT


@pytest.fixture
def desk() -> Desk:
    return Desk()


def caller_of(desk: Desk, server: Thread, *, timeout: int = 0, priority: int = 2) -> Thread:
    client = desk.idle_thread(priority=priority)
    cap = desk.cap(client, 0x20, server)
    desk.program(client, SysCall(cap | abi.CALL, tag(1), timeout=timeout))
    return client


def test_a_reply_capability_is_used_up_by_its_reply(desk: Desk) -> None:
    """ABI 4.6: cleared by being used."""
    reply = SysCall(SELF | abi.REPLY, tag(7))
    server = desk.thread(WAIT, reply, reply)
    client = caller_of(desk, server)

    desk.run()

    assert desk.result(client) == [Result(tag(7), 0)]
    assert desk.error(server) == IpcError.NOT_EXISTENT


def test_a_plain_send_gives_no_reply_capability(desk: Desk) -> None:
    """ABI 4.6: plain sends create none."""
    server = desk.thread(WAIT, SysCall(SELF | abi.REPLY))
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, server)
    desk.program(sender, SysCall(cap | abi.SEND))

    desk.run()

    assert desk.result(server)[1] == Result(abi.TAG_ERROR, 0)


def test_a_nested_open_wait_that_receives_a_call_loses_the_first_caller(desk: Desk) -> None:
    """ABI 4.6: a slot that is still full is overwritten, its caller keeps waiting."""
    server = desk.thread(WAIT, WAIT, SysCall(SELF | abi.REPLY_AND_WAIT, tag(7)), WAIT)
    first = caller_of(desk, server)
    second = caller_of(desk, server)

    desk.run()

    assert desk.result(first) == []
    assert desk.result(second) == [Result(tag(7), 0)]


def test_a_timed_out_caller_cannot_be_answered_any_more(desk: Desk) -> None:
    """ABI 4.6: cleared by the caller's timeout."""
    server = desk.thread(WAIT, Work(10_000), SysCall(SELF | abi.REPLY, tag(7)))
    client = caller_of(desk, server, timeout=0x0001, priority=3)

    desk.run()

    assert desk.error(client) == IpcError.RECEIVE_TIMEOUT
    assert desk.error(server) == IpcError.NOT_EXISTENT


def test_a_direct_send_to_the_caller_uses_its_reply_capability_up(desk: Desk) -> None:
    """ABI 4.6: cleared by the callee sending directly to the caller."""
    server = desk.idle_thread()
    client = caller_of(desk, server)
    back = desk.cap(server, 0x20, client)
    desk.program(
        server, WAIT, SysCall(back | abi.SEND, tag(7), label=5), SysCall(SELF | abi.REPLY)
    )

    desk.run()

    assert desk.result(client) == [Result(tag(7), 5)]
    assert desk.error(server) == IpcError.NOT_EXISTENT


def test_explicit_slots_keep_several_callers_apart(desk: Desk) -> None:
    """ABI 4.6: explicit slots, one per index."""
    server = desk.thread(
        SysCall(4 << 12 | SLOT | abi.WAIT),
        SysCall(5 << 12 | SLOT | abi.WAIT),
        SysCall(4 << 12 | SLOT | abi.REPLY, tag(44)),
        SysCall(5 << 12 | SLOT | abi.REPLY, tag(55)),
    )
    first, second = caller_of(desk, server), caller_of(desk, server)

    desk.run()

    assert desk.result(first) == [Result(tag(44), 0)]
    assert desk.result(second) == [Result(tag(55), 0)]
    assert server.task.reply_slots == {}


def test_another_thread_of_the_task_may_answer_through_an_explicit_slot(desk: Desk) -> None:
    """ABI 4.6: explicit slots belong to the task."""
    server = desk.thread(SysCall(4 << 12 | SLOT | abi.WAIT))
    client = caller_of(desk, server)
    desk.thread(SysCall(4 << 12 | SLOT | abi.REPLY, tag(44)), task=server.task, priority=1)

    desk.run()

    assert desk.result(client) == [Result(tag(44), 0)]


def test_an_explicit_slot_out_of_range_is_error_19_and_nothing_is_sent(desk: Desk) -> None:
    """ABI 4.2: explicit index that cannot exist: error 0x13, before the send phase."""
    server = desk.thread(WAIT)
    client = desk.idle_thread()
    desk.cap(client, 0x20, server)
    slot = abi.AMD64.reply_limit << 12 | SLOT
    desk.program(client, SysCall(slot | abi.WAIT, tag(3)))

    desk.run()

    assert desk.result(client) == [Result(abi.TAG_ERROR, 0)]
    assert desk.error(client) == IpcError.NO_REPLY_CAP
    assert desk.recording.transfers() == []


def test_slots_that_take_too_much_kernel_memory_are_error_19() -> None:
    """ABI 3: no reply cap: no memory for the slot."""
    # On ia32 every index that a selector can hold is a slot.
    desk = Desk(IA32)
    last = REPLY_PAGES * IA32.reply_page
    waits = [
        SysCall(slot << 12 | SLOT | abi.WAIT, timeout=abi.TIMEOUT_ZERO)
        for slot in range(0, last + 1, IA32.reply_page)
    ]
    thread = desk.thread(*waits)

    desk.run()

    errors = [failure.error for failure in desk.recording.failures()]
    assert errors == [IpcError.RECEIVE_TIMEOUT] * REPLY_PAGES + [IpcError.NO_REPLY_CAP]
    assert len(thread.task.reply_pages) == REPLY_PAGES


def test_a_reply_carries_the_label_register_to_the_caller(desk: Desk) -> None:
    """ABI 4.3 and 13: a reply delivers the sender's label register."""
    server = desk.thread(WAIT, SysCall(SELF | abi.REPLY_AND_WAIT, tag(0), label=0x77))
    client = caller_of(desk, server)

    desk.run()

    assert desk.result(client) == [Result(tag(0), 0x77)]


def test_reply_and_call_waits_for_the_one_it_answered(desk: Desk) -> None:
    """ABI 1.3: reply and call: closed receive from the thread that was replied to."""
    server = desk.thread(WAIT, SysCall(SELF | abi.REPLY_AND_CALL, tag(1)))
    client = desk.idle_thread()
    cap = desk.cap(client, 0x20, server)
    desk.program(
        client,
        SysCall(cap | abi.CALL, tag(0)),
        SysCall(cap | abi.SEND, tag(9), label=6, timeout=SEND_ZERO),
    )

    desk.run()

    assert desk.result(server)[1] == Result(tag(9), 6)
