"""IRQ objects: from an event to a message."""

import pytest

from kernel import abi, irq
from kernel.abi import Errno, IpcError, Protocol, Rights
from kernel.events import Failure, Firing, Interrupt, Invocation, Transfer
from kernel.freeze import freeze, thaw
from kernel.irq import delete, schedule
from kernel.objects import Irq, Thread
from kernel.utcb import MR_COUNT
from tests.kernel.desk import (
    ALL_RIGHTS,
    NEVER,
    SELF,
    ZERO,
    Desk,
    PageFault,
    Result,
    Step,
    SysCall,
    Work,
    object_item,
    tag,
)

WAIT = SysCall(SELF | abi.WAIT)
IRQ = 0x30 << abi.CAP_SHIFT
THREAD = 0x31
TRIGGER = SysCall(IRQ | abi.SEND, tag(Protocol.IRQ))
RECEIVE = SysCall(IRQ | abi.CALL, tag(Protocol.IRQ, 1), words=(abi.IRQ_EOI,))
LABEL = 0x1357_9BDF  # with its low bits set: nothing is added to it


@pytest.fixture
def desk() -> Desk:
    return Desk()


def make(desk: Desk, thread: Thread | None = None, label: int = LABEL) -> Irq:
    made = desk.kernel.create_irq()
    if thread is not None:
        irq.bind(desk.kernel, made, thread, label)
    return made


def user(desk: Desk, made: Irq, *steps: Step, priority: int = 2) -> Thread:
    """Make a thread that has the IRQ as capability 0x30."""
    thread = desk.idle_thread(priority=priority)
    desk.cap(thread, 0x30, made)
    desk.program(thread, *steps)
    return thread


def firings(desk: Desk) -> list[Firing]:
    return [event.firing for event in desk.recording.events if isinstance(event, Interrupt)]


def log(text: str) -> SysCall:
    words = (abi.VCON_WRITE, len(text), int.from_bytes(text.encode(), "little"))
    return SysCall(abi.CAP_LOG << abi.CAP_SHIFT | abi.SEND, tag(Protocol.LOG, 3), words=words)


def bind(label: int, index: int = THREAD) -> SysCall:
    words = (abi.IRQ_BIND, label, *object_item(index))
    return SysCall(IRQ | abi.CALL, tag(Protocol.KOBJECT, 2, 1), words=words)


def test_an_irq_is_an_empty_message_with_its_label_exactly(desk: Desk) -> None:
    """ABI 5.3: tag 0, the label without rights bits, and no word of the UTCB is written."""
    server = desk.thread(WAIT, priority=3)
    for k in range(128):
        if k != 63:
            server.utcb.store(k, 0x1000 + k)
    before = server.utcb.load_words(128)
    user(desk, make(desk, server), TRIGGER)

    desk.run()

    assert desk.result(server) == [Result(0, LABEL)]
    assert server.utcb.load_words(128) == before
    (message,) = desk.recording.transfers()
    assert (message.payload, message.overwritten, message.sender_ip) == (b"", b"", 0)
    assert firings(desk) == [Firing.DELIVERED]


def test_a_transfer_of_an_irq_names_the_irq_as_its_sender(desk: Desk) -> None:
    """ABI 5.3: the IRQ object is the sender."""
    server = desk.thread(WAIT, priority=3)
    made = make(desk, server)
    user(desk, made, TRIGGER)

    desk.run()

    (message,) = desk.recording.transfers()
    assert (message.sender, message.receiver) == (made.number, server.number)


def test_an_irq_gives_no_reply_capability(desk: Desk) -> None:
    """ABI 5.3: an IRQ message makes no reply capability."""
    server = desk.thread(WAIT, SysCall(SELF | abi.REPLY), priority=3)
    user(desk, make(desk, server), TRIGGER)

    desk.run()

    assert desk.result(server)[1] == Result(abi.TAG_ERROR, 0)
    assert desk.error(server) == IpcError.NOT_EXISTENT


def test_an_irq_leaves_a_reply_capability_that_is_there_alone(desk: Desk) -> None:
    """ABI 5.3: an IRQ message makes no reply capability, and takes none away."""
    server = desk.thread(WAIT, WAIT, SysCall(SELF | abi.REPLY, tag(7)), priority=3)
    client = desk.idle_thread(priority=4)
    cap = desk.cap(client, 0x20, server)
    desk.program(client, Work(10), SysCall(cap | abi.CALL))
    user(desk, make(desk, server), Work(5000), TRIGGER)

    desk.run()

    assert desk.result(client) == [Result(tag(7), 0)]


def test_a_successful_trigger_returns_its_own_tag(desk: Desk) -> None:
    """ABI 13, 5: a send-only invocation returns the input tag, flags included."""
    sent = tag(Protocol.IRQ, 1, flags=abi.TAG_SCHEDULE)
    call = SysCall(IRQ | abi.SEND, sent, words=(abi.IRQ_TRIGGER,))
    thread = user(desk, make(desk), call)

    desk.run()

    assert desk.result(thread) == [Result(sent, 0)]
    assert firings(desk) == [Firing.PENDING]


def test_triggers_while_one_is_queued_are_one_message(desk: Desk) -> None:
    """ABI 6.5: a trigger while one is still queued is coalesced into it."""
    server = desk.thread(Work(2_000_000), WAIT, SysCall(SELF | abi.WAIT, timeout=ZERO))
    user(desk, make(desk, server), *[TRIGGER] * 1000, priority=9)

    desk.run()

    assert desk.result(server) == [Result(0, LABEL), Result(abi.TAG_ERROR, 0)]
    assert firings(desk) == [Firing.QUEUED] + [Firing.COALESCED] * 999


def test_an_event_without_a_thread_is_delivered_at_the_next_bind(desk: Desk) -> None:
    """ABI 6.5: unbound, an event is remembered as pending, once."""
    server = desk.thread(WAIT, SysCall(SELF | abi.WAIT, timeout=ZERO), priority=5)
    thread = user(desk, make(desk), TRIGGER, TRIGGER, bind(5))
    desk.cap(thread, THREAD, server)

    desk.run()

    assert desk.result(server)[0] == Result(0, 5)
    assert len(desk.recording.transfers()) == 1
    assert desk.result(thread)[2] == Result(tag(0), 0)


def test_an_irq_comes_before_threads_of_any_lower_priority(desk: Desk) -> None:
    """ABI 4.7: IRQs are queued with priority 255, first come first among equals."""
    server = desk.thread(Work(100_000), WAIT, WAIT, WAIT, WAIT, priority=1)
    for priority, label in ((254, 1), (255, 2)):
        sender = desk.idle_thread(priority=priority)
        cap = desk.cap(sender, 0x20, server)
        desk.program(sender, Work(10), SysCall(cap | abi.SEND, label=label))
    user(desk, make(desk, server, 3), TRIGGER, priority=253)
    late = desk.idle_thread(priority=255)
    cap = desk.cap(late, 0x20, server)
    desk.program(
        late, SysCall(SELF | abi.RECEIVE, timeout=20), SysCall(cap | abi.SEND, label=4)
    )

    desk.run()

    assert [result.label for result in desk.result(server)] == [2, 3, 4, 1]


def test_a_receive_from_an_irq_takes_its_messages_only(desk: Desk) -> None:
    """ABI 6.5: an end of interrupt by call is followed by a closed receive from the IRQ."""
    server = desk.idle_thread(priority=1)
    made = make(desk, server)
    desk.cap(server, 0x30, made)
    desk.program(server, Work(5000), RECEIVE, WAIT)
    sender = desk.idle_thread(priority=255)
    cap = desk.cap(sender, 0x20, server)
    desk.program(sender, SysCall(cap | abi.SEND, label=9))
    user(desk, made, Work(50), TRIGGER)

    desk.run()

    assert [result.label for result in desk.result(server)] == [LABEL, 9]


@pytest.mark.parametrize("first", [True, False])
def test_a_plain_receive_from_an_irq_is_closed(desk: Desk, first: bool) -> None:
    """ABI 1.3: operation 2 is a closed receive from a thread or an IRQ."""
    server = desk.idle_thread(priority=3)
    made = make(desk, server)
    desk.cap(server, 0x30, made)
    before = Work(1) if first else Work(10_000)
    desk.program(server, before, SysCall(IRQ | abi.RECEIVE))
    user(desk, made, TRIGGER, priority=2 if first else 9)

    desk.run()

    assert desk.result(server) == [Result(0, LABEL)]


def test_a_receive_from_an_irq_ends_with_its_timeout(desk: Desk) -> None:
    """ABI 4.2: a receive timeout returns the input tag with the error flag."""
    thread = user(desk, make(desk), SysCall(IRQ | abi.RECEIVE, timeout=10))

    desk.run()

    assert desk.result(thread) == [Result(abi.TAG_ERROR, 0)]
    assert desk.error(thread) == IpcError.RECEIVE_TIMEOUT


def test_an_end_of_interrupt_and_open_wait_takes_anybody(desk: Desk) -> None:
    """ABI 6.5: l4_irq_wait is a send of operation 4 and an open wait."""
    server = desk.idle_thread(priority=3)
    made = make(desk, server)
    desk.cap(server, 0x30, made)
    wait = SysCall(IRQ | abi.SEND_AND_WAIT, tag(Protocol.IRQ, 1), words=(abi.IRQ_EOI,))
    desk.program(server, wait)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, server)
    desk.program(sender, SysCall(cap | abi.SEND, label=9))

    desk.run()

    assert desk.result(server) == [Result(0, 9)]


def test_a_thread_that_triggers_its_own_irq_by_call_receives_it(desk: Desk) -> None:
    """ABI 6: an object that does not reply is followed by a receive phase."""
    thread = desk.idle_thread()
    made = make(desk, thread)
    desk.cap(thread, 0x30, made)
    desk.program(thread, SysCall(IRQ | abi.CALL, tag(Protocol.IRQ), timeout=ZERO))

    assert desk.run() == "idle"

    assert desk.result(thread) == [Result(0, LABEL)]


def test_a_trigger_by_call_blocks_before_the_thread_it_woke_runs(desk: Desk) -> None:
    """ABI 4.2, 4: the receive phase is settled before whoever was sent to is scheduled."""
    server = desk.idle_thread(priority=9)
    waker = user(
        desk, make(desk, server), SysCall(IRQ | abi.CALL, tag(Protocol.IRQ)), priority=2
    )
    cap = desk.cap(server, 0x20, waker)
    desk.program(server, WAIT, SysCall(cap | abi.SEND, label=6, timeout=ZERO << 16))

    desk.run()

    # The waker is in a closed receive from the IRQ: the server finds it not ready.
    assert desk.error(server) == IpcError.SEND_TIMEOUT
    assert desk.result(waker) == []


@pytest.mark.parametrize(("priority", "first"), [(1, "waker"), (2, "server"), (3, "server")])
def test_the_woken_thread_runs_at_once_if_its_priority_is_equal_or_higher(
    desk: Desk, priority: int, first: str
) -> None:
    """ABI 4.4: delivery of an IRQ to a waiting thread obeys the equal-or-higher rule."""
    server = desk.idle_thread(priority=priority)
    pause = SysCall(SELF | abi.RECEIVE, timeout=20)
    waker = user(desk, make(desk, server), pause, TRIGGER, log("waker"))
    desk.program(server, WAIT, log("server"))
    assert waker.priority == 2

    desk.run()

    assert desk.recording.console().decode().startswith(first)


def test_rebinding_moves_a_queued_message(desk: Desk) -> None:
    """ABI 6.5: bound to another thread, what is queued at the old one goes to the new one."""
    old = desk.thread(Work(100_000), SysCall(SELF | abi.WAIT, timeout=ZERO), priority=1)
    new = desk.thread(Work(100_000), WAIT, priority=1)
    thread = user(desk, make(desk, old), TRIGGER, bind(77), priority=5)
    desk.cap(thread, THREAD, new)

    desk.run()

    assert desk.result(old) == [Result(abi.TAG_ERROR, 0)]
    assert desk.result(new) == [Result(0, 77)]


def test_binding_to_the_same_thread_changes_the_label_only(desk: Desk) -> None:
    """ABI 6.5: bind to the thread that is bound."""
    server = desk.thread(Work(100_000), WAIT, priority=1)
    thread = user(desk, make(desk, server), TRIGGER, bind(3), priority=5)
    desk.cap(thread, THREAD, server)

    desk.run()

    assert desk.result(server) == [Result(0, 3)]
    assert firings(desk) == [Firing.QUEUED]


@pytest.mark.parametrize(
    ("before", "found"), [((), 0), ((TRIGGER,), abi.DETACH_PENDING)], ids=["idle", "pending"]
)
def test_detach_says_whether_something_was_pending(
    desk: Desk, before: tuple[SysCall, ...], found: int
) -> None:
    """ABI 6.5: detach gives 0 for inactive, 1 for pending, and what was pending is lost."""
    server = desk.thread(Work(100_000), SysCall(SELF | abi.WAIT, timeout=ZERO), priority=1)
    detach = SysCall(IRQ | abi.CALL, tag(Protocol.IRQ_SENDER, 1), words=(abi.IRQ_DETACH,))
    thread = user(desk, make(desk, server), *before, detach, detach, priority=5)

    desk.run()

    results = desk.result(thread)[len(before) :]
    assert results == [Result(tag(found), 0), Result(tag(-Errno.ENOENT), 0)]
    assert desk.error(server) == IpcError.RECEIVE_TIMEOUT


def test_a_dead_threads_queued_irq_is_pending_and_unbound(desk: Desk) -> None:
    """ABI 4.7: when a receiver dies, its queued IRQs become pending and unbound."""
    victim = desk.thread(Work(1000), PageFault(0), priority=3)
    made = make(desk, victim)
    heir = desk.thread(WAIT, priority=1)
    thread = user(
        desk, made, TRIGGER, SysCall(SELF | abi.RECEIVE, timeout=20), bind(8), priority=5
    )
    desk.cap(thread, THREAD, heir)

    desk.run()

    assert desk.result(heir) == [Result(0, 8)]


def test_an_irq_of_a_dead_thread_stays_pending(desk: Desk) -> None:
    """ABI 4.7: nothing is sent to a dead thread."""
    victim = desk.thread(PageFault(0), priority=3)
    made = make(desk, victim)
    user(desk, made, TRIGGER, TRIGGER)

    desk.run()

    assert (made.pending, made.thread) == (True, None)
    assert desk.recording.transfers() == []


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (SysCall(IRQ | abi.CALL, tag(Protocol.IRQ, 1), words=(3,)), -Errno.ENOSYS),
        (SysCall(IRQ | abi.CALL, tag(Protocol.IRQ, 1), words=(0,)), -Errno.ENOSYS),
        (SysCall(IRQ | abi.CALL, tag(Protocol.IRQ_SENDER)), -Errno.EINVAL),
        (SysCall(IRQ | abi.CALL, tag(Protocol.IRQ_SENDER, 1), words=(2,)), -Errno.ENOSYS),
        (SysCall(IRQ | abi.CALL, tag(Protocol.IRQ_SENDER, 1), words=(99,)), -Errno.ENOSYS),
        (SysCall(IRQ | abi.CALL, tag(Protocol.KOBJECT)), -Errno.EINVAL),
        (SysCall(IRQ | abi.CALL, tag(Protocol.KOBJECT, 1), words=(0x10,)), -Errno.EINVAL),
        (SysCall(IRQ | abi.CALL, tag(Protocol.KOBJECT, 1), words=(0x11,)), -Errno.ENOSYS),
        (SysCall(IRQ | abi.CALL, tag(Protocol.KOBJECT, 2), words=(0x10, 1)), -Errno.EINVAL),
        (SysCall(IRQ | abi.CALL, tag(Protocol.SEMAPHORE, 1)), -Errno.EBADPROTO),
        (SysCall(IRQ | abi.CALL, tag(Protocol.META, 1)), -Errno.EBADPROTO),
        (bind(1, index=0x99), -Errno.EINVAL),
        (bind(1, index=abi.CAP_LOG), -Errno.EINVAL),
        (bind(1, index=0x30), -Errno.EINVAL),
    ],
)
def test_what_an_irq_does_not_understand_is_an_error(
    desk: Desk, call: SysCall, expected: int
) -> None:
    """ABI 6: wrong protocol -39, unknown opcode -38, too few words or a bad item -22."""
    thread = user(desk, make(desk), call)
    before = freeze(desk.kernel)

    desk.run()

    assert desk.result(thread) == [Result(tag(expected), 0)]
    assert b'"pending":false' in before


@pytest.mark.parametrize("lacking", ["irq", "thread"])
def test_binding_needs_the_special_right_of_both(desk: Desk, lacking: str) -> None:
    """ABI 6.5: bind needs S on the IRQ and on the thread."""
    made = make(desk)
    thread = user(desk, made, bind(1))
    without = ALL_RIGHTS & ~int(Rights.S)
    desk.cap(thread, 0x30, made, without if lacking == "irq" else ALL_RIGHTS)
    desk.cap(thread, THREAD, thread, without if lacking == "thread" else ALL_RIGHTS)

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EPERM), 0)]
    assert made.thread is None


def test_detaching_needs_the_special_right(desk: Desk) -> None:
    """ABI 6.5: detach needs S."""
    server = desk.thread()
    made = make(desk, server)
    detach = SysCall(IRQ | abi.CALL, tag(Protocol.IRQ_SENDER, 1), words=(abi.IRQ_DETACH,))
    thread = user(desk, made, detach)
    desk.cap(thread, 0x30, made, int(Rights.R))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EPERM), 0)]
    assert made.thread is server


def test_an_arrival_wakes_an_idle_machine_at_its_cycle(desk: Desk) -> None:
    """ABI 5.3: an interrupt from outside reaches the thread that waits for it."""
    server = desk.thread(WAIT, WAIT)
    made = make(desk, server)
    for cycle in (70_000, 50_000):
        schedule(desk.kernel, made, cycle)

    assert desk.run() == "idle"

    events = [e for e in desk.recording.events if isinstance(e, Interrupt)]
    assert [(e.cycle, e.firing) for e in events] == [
        (50_000, Firing.DELIVERED),
        (70_000, Firing.DELIVERED),
    ]
    assert len(desk.result(server)) == 2


def test_an_arrival_interrupts_whoever_runs(desk: Desk) -> None:
    """ABI 4.4: a waiting thread of higher priority runs as soon as its IRQ comes."""
    server = desk.thread(WAIT, priority=9)
    desk.thread(Work(1_000_000), priority=2)
    schedule(desk.kernel, make(desk, server), 40_000)

    desk.run()

    (message,) = desk.recording.transfers()
    assert message.cycle == 40_000


def test_at_one_cycle_timeouts_come_before_arrivals(desk: Desk) -> None:
    """ABI 4.8: the order at one cycle is ours: budget, timeouts, interrupts, time slice."""
    sleeper = desk.thread(SysCall(SELF | abi.RECEIVE, timeout=40))
    desk.run(until=2000)
    deadline = desk.kernel.timeouts[0][0]
    made = make(desk, sleeper)
    schedule(desk.kernel, made, deadline)

    desk.run(until=deadline)
    assert not [e for e in desk.recording.events if isinstance(e, (Interrupt, Failure))]
    desk.run()

    kinds = [type(e) for e in desk.recording.events if isinstance(e, (Interrupt, Failure))]
    assert kinds == [Failure, Interrupt]
    assert firings(desk) == [Firing.QUEUED]


def test_a_late_look_handles_timeouts_and_arrivals_by_their_cycles(desk: Desk) -> None:
    """ABI 4.8: an interrupt that came before a timeout ended the wait in time."""
    sleeper = desk.idle_thread(priority=2)
    made = make(desk, sleeper)
    desk.cap(sleeper, 0x30, made)
    desk.program(sleeper, SysCall(IRQ | abi.RECEIVE, timeout=40))
    busy = desk.idle_thread(priority=200)
    # A kernel entry is never cut: the trigger below takes the clock past both deadlines.
    desk.program(busy, SysCall(SELF | abi.RECEIVE, timeout=30), Work(1), WAIT)
    desk.run(until=2000)
    deadline = desk.kernel.timeouts[len(desk.kernel.timeouts) - 1][0]
    schedule(desk.kernel, made, deadline - 5)
    desk.machine.now = deadline + 50

    desk.run()

    assert desk.result(sleeper) == [Result(0, LABEL)]


def test_arrivals_are_frozen(desk: Desk) -> None:
    """ABI 5.3: a thawed kernel has the interrupts that are still to come."""
    server = desk.thread(WAIT, WAIT, WAIT)
    made = make(desk, server)
    for cycle in (30_000, 50_000, 90_000):
        schedule(desk.kernel, made, cycle)
    desk.run(until=60_000)

    frozen = freeze(desk.kernel)
    desk.kernel = thaw(frozen, desk.machine, recorder=desk.recording)
    assert freeze(desk.kernel) == frozen
    desk.run()

    assert [m.cycle for m in desk.recording.transfers()] == [30_000, 50_000, 90_000]


def test_a_deleted_irq_sends_nothing_any_more(desk: Desk) -> None:
    """ABI 4.10: who waits for a sender that is gone waits for the timeout."""
    server = desk.idle_thread(priority=3)
    made = make(desk, server)
    desk.cap(server, 0x30, made)
    desk.program(server, SysCall(IRQ | abi.RECEIVE, timeout=100))
    other = desk.thread(SysCall(SELF | abi.RECEIVE, timeout=100))
    bound = make(desk, other)
    schedule(desk.kernel, made, 50_000)
    schedule(desk.kernel, bound, 60_000)
    desk.run(until=10_000)

    delete(desk.kernel, made)
    del desk.kernel.objects[made.number], server.task.caps[0x30]
    desk.kernel = thaw(freeze(desk.kernel), desk.machine, recorder=desk.recording)
    desk.run()

    assert [e.irq for e in desk.recording.events if isinstance(e, Interrupt)] == [bound.number]
    assert desk.error(server) == IpcError.RECEIVE_TIMEOUT


def test_deleting_an_irq_withdraws_its_message(desk: Desk) -> None:
    """ABI 6.5: a queued message goes with its IRQ."""
    server = desk.thread(Work(100_000), SysCall(SELF | abi.WAIT, timeout=ZERO), priority=1)
    made = make(desk, server)
    user(desk, made, TRIGGER, priority=5)
    desk.run(until=50_000)

    delete(desk.kernel, made)
    desk.run()

    assert server.senders == []
    assert desk.error(server) == IpcError.RECEIVE_TIMEOUT


def test_a_deletion_irq_is_registered_once_and_triggered(desk: Desk) -> None:
    """ABI 5.3: when a gate is deleted, its thread's registered IRQ is triggered."""
    thread = desk.idle_thread(priority=3)
    made = make(desk, thread)
    own = desk.cap(thread, 0x30, made)
    register = SysCall(
        SELF | abi.CALL,
        tag(Protocol.THREAD, 1, 1),
        words=(abi.THREAD_REGISTER_DELETION_IRQ, *object_item(0x30)),
    )
    desk.program(thread, register, register, SysCall(own | abi.RECEIVE))
    desk.run()
    assert desk.result(thread) == [Result(tag(0), 0), Result(tag(-Errno.EBUSY), 0)]

    irq.gate_deleted(desk.kernel, thread)
    desk.run()

    assert desk.result(thread)[2] == Result(0, LABEL)


@pytest.mark.parametrize(
    ("index", "rights", "error"),
    [(0x31, ALL_RIGHTS, Errno.EINVAL), (5, ALL_RIGHTS, Errno.EINVAL), (0x30, 4, Errno.EPERM)],
)
def test_only_an_irq_with_the_write_right_can_be_registered(
    desk: Desk, index: int, rights: int, error: Errno
) -> None:
    """ABI 6.2: register_del_irq takes an IRQ."""
    thread = desk.idle_thread()
    desk.cap(thread, 0x30, make(desk), rights)
    words = (abi.THREAD_REGISTER_DELETION_IRQ, *object_item(index))
    desk.program(thread, SysCall(SELF | abi.CALL, tag(Protocol.THREAD, 1, 1), words=words))

    desk.run()

    assert desk.result(thread) == [Result(tag(-error), 0)]
    assert thread.deletion_irq is None


def test_the_labels_of_queued_senders_can_be_rewritten(desk: Desk) -> None:
    """ABI 6.2: modify_senders applies the first matching group to each queued sender."""
    server = desk.idle_thread(priority=1)
    made = make(desk, server, 0x1200)
    groups = (0xFF00, 0x1200, 0xF, 0x5, 0xF000, 0x1000, 0xFFFF, 0x9999)
    modify = SysCall(
        SELF | abi.CALL,
        tag(Protocol.THREAD, 9),
        words=(abi.THREAD_MODIFY_SENDERS, *groups),
    )
    desk.program(server, Work(100_000), modify, WAIT, WAIT, WAIT)
    for label in (0x1234, 0x1300, 0x5678):
        sender = desk.idle_thread(priority=9)
        cap = desk.cap(sender, 0x20, server)
        desk.program(sender, SysCall(cap | abi.SEND, label=label))
    user(desk, made, TRIGGER, priority=9)
    desk.program(server, Work(100_000), modify, *[WAIT] * 4)

    desk.run()

    labels = [result.label for result in desk.result(server)[1:]]
    assert labels == [0x1205, 0x1235, 0x9999, 0x5678]


def test_senders_of_another_thread_cannot_be_rewritten(desk: Desk) -> None:
    """ABI 6.2: modify_senders works on the calling thread only."""
    other = desk.thread()
    thread = desk.idle_thread()
    cap = desk.cap(thread, 0x20, other)
    words = (abi.THREAD_MODIFY_SENDERS, 0, 0, 0, 1)
    desk.program(thread, SysCall(cap | abi.CALL, tag(Protocol.THREAD, 5), words=words))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EINVAL), 0)]


def test_an_irq_that_turns_up_ends_an_expired_wait(desk: Desk) -> None:
    """ABI 4.2, 4: an expired timeout is ignored if a sender turned up meanwhile."""
    server = desk.idle_thread(priority=1)
    made = make(desk, server)
    cap = desk.cap(server, 0x20, user(desk, made, WAIT, TRIGGER, priority=9))
    desk.program(
        server,
        Work(1000),
        SysCall(cap | abi.SEND_AND_WAIT, timeout=ZERO | NEVER),
    )

    desk.run()

    assert desk.result(server) == [Result(0, LABEL)]


def test_every_invocation_of_an_irq_is_recorded(desk: Desk) -> None:
    """ABI 6.5: a trigger is an invocation; the message it makes is a transfer."""
    server = desk.thread(WAIT, priority=3)
    user(desk, make(desk, server), TRIGGER)

    desk.run()

    kinds = [type(e) for e in desk.recording.events]
    assert kinds.count(Invocation) == kinds.count(Transfer) == kinds.count(Interrupt) == 1
    assert MR_COUNT == 63
