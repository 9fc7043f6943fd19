"""Semaphores: who waits, who goes on, and what of the UTCB changes."""

import pytest

from kernel import abi, semaphore
from kernel.abi import AMD64, IA32, Arch, Errno, IpcError, Protocol, Rights
from kernel.events import Awoken, Failure, Waiting
from kernel.freeze import freeze, thaw
from kernel.objects import Semaphore, Thread
from tests.kernel.desk import (
    ALL_RIGHTS,
    SELF,
    ZERO,
    Desk,
    PageFault,
    Result,
    Step,
    SysCall,
    Work,
    tag,
)

SEMAPHORE = 0x30 << abi.CAP_SHIFT
DOWN_TAG = tag(Protocol.SEMAPHORE, 1)
DOWN = SysCall(SEMAPHORE | abi.CALL, DOWN_TAG, words=(abi.SEMAPHORE_DOWN,))
UP = SysCall(SEMAPHORE | abi.SEND, tag(Protocol.IRQ))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def user(desk: Desk, made: Semaphore, *steps: Step, priority: int = 2) -> Thread:
    """Make a thread that has the semaphore as capability 0x30."""
    thread = desk.idle_thread(priority=priority)
    desk.cap(thread, 0x30, made)
    desk.program(thread, *steps)
    return thread


def down(timeout: int) -> SysCall:
    return SysCall(SEMAPHORE | abi.CALL, DOWN_TAG, timeout=timeout, words=(0,))


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_a_down_of_a_counter_takes_one_and_touches_the_error_word_only(arch: Arch) -> None:
    """ABI 6.7 and 13, 2: a successful down has tag 0 and writes 0 into the error word."""
    desk = Desk(arch)
    made = desk.kernel.create_semaphore()
    made.counter = 2
    thread = user(desk, made, DOWN)
    for k in range(1, 128):
        if k != 63:
            thread.utcb.store(k, 0x1000 + k)
    before = thread.utcb.load_words(128)

    desk.run()

    assert desk.result(thread) == [Result(0, 0)]
    after = list(before)
    after[0] = abi.SEMAPHORE_DOWN
    after[123] = 0
    assert list(thread.utcb.load_words(128)) == after
    assert made.counter == 1


def test_a_down_of_zero_waits_until_somebody_comes_up(desk: Desk) -> None:
    """ABI 6.7: up is a trigger; it lets a waiter go on and leaves the counter 0."""
    made = desk.kernel.create_semaphore()
    waiter = user(desk, made, DOWN, priority=5)
    other = user(desk, made, Work(5000), UP)
    waiter.utcb.store(1, 0x1234)
    waiter.utcb.store(123, 7)

    desk.run()

    assert desk.result(waiter) == [Result(0, 0)]
    assert desk.result(other) == [Result(tag(Protocol.IRQ), 0)]
    assert (made.counter, made.waiters) == (0, [])
    assert (waiter.utcb.load(1), desk.error(waiter)) == (0x1234, 0)
    waiting, awoken = (e for e in desk.recording.events if isinstance(e, (Waiting, Awoken)))
    assert waiting[2:] == (
        waiter.number,
        abi.CALL,
        made.number,
        DOWN_TAG,
        (0,),
        waiter.context.ip,
    )
    assert awoken[2:] == (waiter.number, made.number, 0, waiter.context.ip)


def test_an_up_that_nobody_waits_for_is_counted(desk: Desk) -> None:
    """ABI 6.7: the counter starts at 0 and counts."""
    made = desk.kernel.create_semaphore()
    thread = user(desk, made, UP, UP, UP, DOWN)

    desk.run()

    assert made.counter == 2
    assert desk.result(thread)[3] == Result(0, 0)


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_the_counter_stays_at_its_largest_value(arch: Arch) -> None:
    """ABI 6.7: up to 2^63 on amd64, the same of a word on ia32."""
    desk = Desk(arch)
    made = desk.kernel.create_semaphore()
    made.counter = arch.mask >> 1
    user(desk, made, UP)

    desk.run()

    assert made.counter == arch.mask >> 1


def test_waiters_go_on_by_priority_and_in_order_among_equals(desk: Desk) -> None:
    """ABI 6.7: waiters by priority."""
    made = desk.kernel.create_semaphore()
    order = [
        user(desk, made, Work(k + 1), DOWN, priority=p) for k, p in enumerate((5, 7, 5, 6))
    ]
    user(desk, made, *[UP] * 4, priority=1)

    desk.run()

    woken = [e.thread for e in desk.recording.events if isinstance(e, Awoken)]
    assert woken == [order[k].number for k in (1, 3, 0, 2)]


@pytest.mark.parametrize("timeout", [ZERO, 20])
def test_a_down_that_times_out_returns_the_bare_error_flag(desk: Desk, timeout: int) -> None:
    """ABI 13, 3: a timed-out down returns exactly 0x8000, error 3."""
    made = desk.kernel.create_semaphore()
    thread = user(desk, made, down(timeout))

    assert desk.run() == "idle"

    assert desk.result(thread) == [Result(abi.TAG_ERROR, 0)]
    assert desk.error(thread) == IpcError.RECEIVE_TIMEOUT
    assert made.waiters == []
    (failure,) = desk.recording.failures()
    assert (failure.target, failure.error) == (made.number, IpcError.RECEIVE_TIMEOUT)


def test_an_up_after_the_timeout_is_counted(desk: Desk) -> None:
    """ABI 6.7: who gave up waiting does not take an up."""
    made = desk.kernel.create_semaphore()
    user(desk, made, down(20), priority=5)
    user(desk, made, Work(100_000), UP)

    desk.run()

    assert made.counter == 1


def test_a_cancelled_down_is_error_7(desk: Desk) -> None:
    """ABI 6.7: errors 3, 7 and 4."""
    made = desk.kernel.create_semaphore()
    waiter = user(desk, made, DOWN, priority=5)
    canceller = desk.idle_thread()
    cap = desk.cap(canceller, 0x20, waiter)
    keep = (1 << 64) - 1
    words = (abi.THREAD_EX_REGS | abi.EX_REGS_CANCEL, keep, keep)
    desk.program(canceller, SysCall(cap | abi.CALL, tag(Protocol.THREAD, 3), words=words))

    desk.run()

    assert desk.result(waiter) == [Result(abi.TAG_ERROR, 0)]
    assert desk.error(waiter) == IpcError.RECEIVE_CANCELLED
    assert made.waiters == []


def test_deleting_a_semaphore_ends_the_waits_with_error_4(desk: Desk) -> None:
    """ABI 3: semaphore destroyed."""
    made = desk.kernel.create_semaphore()
    waiters = [user(desk, made, down(timeout), priority=5) for timeout in (0, 1000)]
    desk.run(until=50_000)

    semaphore.delete(desk.kernel, made)
    desk.run()

    for waiter in waiters:
        assert desk.result(waiter) == [Result(abi.TAG_ERROR, 0)]
        assert desk.error(waiter) == IpcError.NOT_EXISTENT
    assert desk.kernel.timeouts == []


def test_a_waiter_that_dies_takes_no_up(desk: Desk) -> None:
    """ABI 4.10: a dead thread waits for nothing."""
    made = desk.kernel.create_semaphore()
    waiter = user(desk, made, DOWN, PageFault(0), priority=5)
    thread = user(desk, made, Work(100), UP, UP)

    desk.run()

    assert desk.result(waiter) == [Result(0, 0)]
    assert (made.waiters, made.counter) == ([], 1)
    assert len(desk.result(thread)) == 2


def test_a_message_does_not_reach_a_thread_that_waits_at_a_semaphore(desk: Desk) -> None:
    """ABI 6.7: a down receives no message."""
    made = desk.kernel.create_semaphore()
    waiter = user(desk, made, DOWN, priority=5)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, waiter)
    desk.program(sender, SysCall(cap | abi.SEND, timeout=ZERO << 16))

    desk.run()

    assert desk.error(sender) == IpcError.SEND_TIMEOUT
    assert desk.result(waiter) == []


def test_the_woken_waiter_runs_at_once_if_its_priority_is_equal_or_higher(desk: Desk) -> None:
    """ABI 4.4: equal or higher runs at once."""
    made = desk.kernel.create_semaphore()
    waiter = user(desk, made, DOWN, UP, priority=2)
    user(desk, made, SysCall(SELF | abi.RECEIVE, timeout=20), UP, DOWN, priority=2)

    desk.run()

    # Had the second thread gone on first, its own down would have waited for ever.
    assert made.counter == 0
    assert len(desk.result(waiter)) == 2


def test_a_down_without_a_receive_phase_returns_its_own_tag(desk: Desk) -> None:
    """ABI 13, 5: a send-only invocation returns the input tag."""
    made = desk.kernel.create_semaphore()
    call = SysCall(SEMAPHORE | abi.SEND, DOWN_TAG, words=(0,))
    waiter = user(desk, made, call, priority=5)
    user(desk, made, UP)

    desk.run()

    assert desk.result(waiter) == [Result(DOWN_TAG, 0)]


def test_down_needs_the_special_right_and_leaves_the_error_word_without_it(desk: Desk) -> None:
    """ABI 6.7: down needs S."""
    made = desk.kernel.create_semaphore()
    made.counter = 1
    thread = user(desk, made, DOWN)
    desk.cap(thread, 0x30, made, ALL_RIGHTS & ~int(Rights.S))
    thread.utcb.store(123, 5)

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EPERM), 0)]
    assert (made.counter, desk.error(thread)) == (1, 5)


@pytest.mark.parametrize(
    ("protocol", "words", "expected"),
    [
        (Protocol.SEMAPHORE, (), -Errno.EINVAL),
        (Protocol.SEMAPHORE, (1,), -Errno.ENOSYS),
        (Protocol.IRQ, (3,), -Errno.ENOSYS),
        (Protocol.IRQ_SENDER, (1,), -Errno.EBADPROTO),
        (Protocol.KOBJECT, (0x10, 0), -Errno.EBADPROTO),
    ],
)
def test_what_a_semaphore_does_not_understand_is_an_error(
    desk: Desk, protocol: Protocol, words: tuple[int, ...], expected: int
) -> None:
    """ABI 6: wrong protocol -39, unknown opcode -38, no word -22."""
    made = desk.kernel.create_semaphore()
    call = SysCall(SEMAPHORE | abi.CALL, tag(protocol, len(words)), words=words)
    thread = user(desk, made, call)

    desk.run()

    assert desk.result(thread) == [Result(tag(expected), 0)]
    assert made.counter == 0


def test_waiters_are_frozen(desk: Desk) -> None:
    """ABI 6.7: a thawed kernel has the same waiters and counters."""
    made = desk.kernel.create_semaphore()
    waiters = [user(desk, made, down(t), priority=p) for t, p in ((0, 5), (1000, 6), (5, 7))]
    user(desk, made, Work(100_000), UP, UP, UP)
    desk.run(until=50_000)

    frozen = freeze(desk.kernel)
    desk.kernel = thaw(frozen, desk.machine, recorder=desk.recording)
    assert freeze(desk.kernel) == frozen
    desk.run()

    assert [desk.result(w) for w in waiters] == [
        [Result(0, 0)],
        [Result(0, 0)],
        [Result(abi.TAG_ERROR, 0)],
    ]
    assert len([e for e in desk.recording.events if isinstance(e, Failure)]) == 1
