"""Who runs next: priorities, donation, time slices (ABI 4.4)."""

import pytest

from kernel import abi
from kernel.events import Switch
from kernel.objects import Thread
from tests.kernel.desk import SELF, SEND_ZERO, ZERO, Desk, SysCall, Work, tag

WAIT = SysCall(SELF | abi.WAIT)
REPLY = SysCall(SELF | abi.REPLY_AND_WAIT, timeout=SEND_ZERO)
SLICE = 10_000_000


@pytest.fixture
def desk() -> Desk:
    return Desk()


def ran(desk: Desk) -> list[int]:
    return [event.next for event in desk.recording.events if isinstance(event, Switch)]


def call(desk: Desk, server: Thread, *, priority: int = 2, flags: int = 0) -> Thread:
    client = desk.idle_thread(priority=priority)
    cap = desk.cap(client, 0x20, server)
    desk.program(client, SysCall(cap | abi.CALL, tag(flags=flags)), Work(10))
    return client


def test_equals_start_in_the_order_they_were_started(desk: Desk) -> None:
    """ABI 4.4: ready threads of one level run in order."""
    threads = [desk.thread(Work(10)) for _ in range(3)]

    desk.run()

    assert ran(desk) == [thread.number for thread in threads]


def test_the_highest_priority_runs_first(desk: Desk) -> None:
    """ABI 4.4: fixed priorities, 255 highest."""
    low, high = desk.thread(priority=3), desk.thread(priority=200)

    desk.run()

    assert ran(desk) == [high.number, low.number]


def test_a_call_donates_to_a_server_of_lower_priority(desk: Desk) -> None:
    """ABI 4.4: client call: the server runs at once whatever its priority."""
    server = desk.thread(WAIT, Work(100), REPLY, priority=1)
    client = desk.idle_thread(priority=9)
    middle = desk.idle_thread(priority=5)
    gate = desk.cap(client, 0x20, server)
    desk.program(
        client,
        SysCall(SELF | abi.RECEIVE, timeout=20),  # until the server waits
        SysCall(gate | abi.CALL),
        Work(10),
    )
    desk.program(middle, SysCall(SELF | abi.RECEIVE, timeout=20), Work(10))

    desk.run()

    # The server runs on its client's time before the middle one does.
    tail = ran(desk)[-4:]
    assert tail == [client.number, server.number, client.number, middle.number]


def test_the_schedule_flag_suppresses_donation(desk: Desk) -> None:
    """ABI 4.4: SCHEDULE: no donation."""
    server = desk.thread(WAIT, REPLY, priority=1)
    client = desk.idle_thread(priority=9)
    middle = desk.idle_thread(priority=5)
    gate = desk.cap(client, 0x20, server)
    desk.program(
        client,
        SysCall(SELF | abi.RECEIVE, timeout=25),
        SysCall(gate | abi.CALL, tag(flags=abi.TAG_SCHEDULE)),
    )
    desk.program(middle, SysCall(SELF | abi.RECEIVE, timeout=20), Work(10_000))

    desk.run()

    assert ran(desk)[-4:] == [client.number, middle.number, server.number, client.number]


def test_a_plain_send_switches_to_a_receiver_of_equal_priority_at_once(desk: Desk) -> None:
    """ABI 4.4: equal or higher: switch to the receiver at once."""
    receiver = desk.thread(WAIT, Work(10))
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND), Work(10))

    desk.run()

    assert ran(desk) == [receiver.number, sender.number, receiver.number, sender.number]


def test_a_plain_send_does_not_switch_to_a_receiver_of_lower_priority(desk: Desk) -> None:
    """ABI 4.4: strictly lower: put on the ready list."""
    receiver = desk.thread(WAIT, Work(10), priority=1)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(
        sender, SysCall(SELF | abi.RECEIVE, timeout=1), SysCall(cap | abi.SEND), Work(10)
    )

    desk.run()

    assert ran(desk) == [sender.number, receiver.number, sender.number, receiver.number]


def test_a_time_slice_ends_and_the_next_equal_runs(desk: Desk) -> None:
    """ABI 4.4: a thread whose time slice ended goes to the back."""
    first, second = desk.thread(Work(2 * SLICE)), desk.thread(Work(SLICE // 2))

    desk.run(until=10 * SLICE)

    assert ran(desk) == [first.number, second.number, first.number]
    switches = [e.cycle for e in desk.recording.events if isinstance(e, Switch)]
    assert switches[1] - switches[0] == SLICE


def test_a_preempted_thread_goes_on_before_its_equals(desk: Desk) -> None:
    """ABI 4.4: a thread that becomes ready is put at the front of its level."""
    first, second = desk.thread(Work(10_000)), desk.thread(Work(10))
    high = desk.thread(SysCall(SELF | abi.RECEIVE, timeout=2), Work(10), priority=9)

    desk.run()

    assert ran(desk) == [
        high.number,
        first.number,
        high.number,
        first.number,
        second.number,
    ]


def test_yield_requeues_at_the_back(desk: Desk) -> None:
    """ABI 4.4: yield: receive from self with both timeouts zero: error 3."""
    yields = SysCall(SELF | abi.RECEIVE, timeout=ZERO << 16 | ZERO)
    first, second = desk.thread(yields, Work(10)), desk.thread(Work(10))

    desk.run()

    assert ran(desk) == [first.number, second.number, first.number]
    assert [result.tag for result in desk.result(first)] == [abi.TAG_ERROR]


def test_a_server_on_its_own_time_does_not_donate_with_its_reply(desk: Desk) -> None:
    """ABI 4.4: a reply donates only if the server runs on somebody else's time."""
    server = desk.thread(Work(1000), WAIT, REPLY, priority=9)
    client = call(desk, server, priority=2)

    desk.run()

    assert ran(desk) == [server.number, client.number, server.number, client.number]


def test_a_probe_may_end_a_time_slice_at_any_kernel_exit() -> None:
    class Always:
        def choose(self, point: str, options: int, subject: int) -> int:
            assert (point, options) in (("preempt", 2), ("start", 2))
            return int(point == "preempt")

        def undefined_words(self, thread: int, words: memoryview) -> None:
            raise AssertionError("nothing is delivered here")

    desk = Desk()
    calls_nobody = SysCall(0x99 << 12 | abi.SEND)
    first = desk.thread(calls_nobody, calls_nobody)
    second = desk.thread(Work(10))
    desk.kernel.probe = Always()

    desk.run()

    # Without it the first one would make both calls in a row.
    assert ran(desk) == [first.number, second.number, first.number]


def test_a_probe_is_shown_the_words_that_a_delivery_left_undefined(desk: Desk) -> None:
    class Poison:
        def choose(self, point: str, options: int, subject: int) -> int:
            return 0

        def undefined_words(self, thread: int, words: memoryview) -> None:
            for k in range(len(words)):
                words[k] = 0xDEAD

    desk.kernel.probe = Poison()
    receiver = desk.thread(WAIT)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, receiver)
    desk.program(sender, SysCall(cap | abi.SEND, tag(words=2), words=(1, 2)))

    desk.run()

    assert receiver.utcb.load_words(63) == (1, 2, *[0xDEAD] * 61)
    assert receiver.utcb.load(63) == receiver.utcb_address
