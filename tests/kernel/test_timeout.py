"""Timeouts: their encoding, and what ends when (ABI 4.8)."""

from hypothesis import given
from hypothesis import strategies as st

from kernel import abi, timeout, utcb
from kernel.abi import IpcError
from kernel.message import Utcb
from tests.kernel.desk import SELF, Desk, SysCall, Work, tag

WAIT = SysCall(SELF | abi.WAIT)


def blank(word: int = 8) -> Utcb:
    return Utcb(memoryview(bytearray(128 * word)).cast("Q" if word == 8 else "I"))


def deadline(code: int, message: Utcb | None = None, *, now: int = 0, word: int = 8) -> int:
    where = message if message is not None else blank(word)
    return timeout.deadline_of(code, where, now=now, cpu_khz=1_000_000, word=word)


def test_never_and_zero() -> None:
    """ABI 4.8: 0 is never, 0x400 is zero."""
    assert deadline(abi.TIMEOUT_NEVER) == timeout.NEVER
    assert deadline(abi.TIMEOUT_ZERO, now=500) == 500


def test_relative_timeouts_are_mantissa_shifted_by_exponent_microseconds() -> None:
    """ABI 4.8: mantissa << exponent microseconds."""
    assert deadline(5, now=7) == 7 + 5_000
    assert deadline(3 << 10 | 5) == 40_000
    assert deadline(0x7FFF) == (0x3FF << 31) * 1000


def test_a_fraction_of_a_cycle_rounds_up() -> None:
    assert timeout.cycles_of(1, cpu_khz=1_500) == 2
    assert timeout.microseconds_of(2, cpu_khz=1_500) == 1


def test_an_absolute_timeout_reads_a_buffer_register() -> None:
    """ABI 4.8: bit 15: a buffer register has the 64-bit time."""
    message = blank()
    message.store(utcb.BR + 3, 25)
    assert deadline(abi.TIMEOUT_ABSOLUTE | 3, message) == 25_000


def test_an_absolute_timeout_takes_two_buffer_registers_on_ia32() -> None:
    """ABI 4.8: absolute: two buffer registers on ia32."""
    message = blank(4)
    message.store(utcb.BR + 56, 1)
    message.store(utcb.BR + 57, 2)
    # Index 63 is clamped to the last pair.
    assert deadline(abi.TIMEOUT_ABSOLUTE | 63, message, word=4) == (2 << 32 | 1) * 1000


@given(st.integers(0, 0xFFFF), st.integers(0, 1 << 60))
def test_a_relative_timeout_never_ends_before_now(code: int, now: int) -> None:
    """ABI 4.8: taken against the kernel clock at that moment."""
    assert deadline(code & 0x7FFF, now=now) in (timeout.NEVER, *range(now, now + 1)) or (
        deadline(code & 0x7FFF, now=now) > now
    )


def test_a_receive_timeout_ends_at_its_cycle() -> None:
    """ABI 4.8: the receive timeout is armed after the send phase."""
    desk = Desk()
    thread = desk.thread(SysCall(SELF | abi.RECEIVE, timeout=10))

    assert desk.run() == "idle"

    (failure,) = desk.recording.failures()
    # Armed in the call, after a switch and a cycle for the trap; 10 us later it ends.
    assert failure.cycle == desk.kernel.costs.space_switch + 1 + 10_000
    assert desk.error(thread) == IpcError.RECEIVE_TIMEOUT


def test_a_send_timeout_runs_while_the_sender_is_queued() -> None:
    """ABI 4.8: the send timeout runs for the queueing time only."""
    desk = Desk()
    busy = desk.thread(Work(100_000), WAIT, priority=1)
    sender = desk.idle_thread()
    cap = desk.cap(sender, 0x20, busy)
    desk.program(sender, SysCall(cap | abi.CALL, tag(1), timeout=10 << 16))

    desk.run()

    assert desk.error(sender) == IpcError.SEND_TIMEOUT
    assert (busy.senders, desk.kernel.timeouts) == ([], [])


def test_timeouts_of_one_cycle_end_in_the_order_of_thread_numbers() -> None:
    desk = Desk()
    # The later one has the higher priority, so it runs first and arms first.
    first = desk.thread(SysCall(SELF | abi.RECEIVE, timeout=0x8000), priority=2)
    second = desk.thread(SysCall(SELF | abi.RECEIVE, timeout=0x8000), priority=3)
    for thread in (first, second):
        thread.utcb.store(utcb.BR, 50)

    desk.run()

    assert [failure.thread for failure in desk.recording.failures()] == [
        first.number,
        second.number,
    ]


def test_an_expired_timeout_is_ignored_if_an_answer_comes_first() -> None:
    """ABI 4.2, 4: an expired timeout is ignored if a sender turned up meanwhile."""
    # ABI 4.2, 4: the server runs before the caller looks at its timeout.
    desk = Desk()
    server = desk.thread(WAIT, SysCall(SELF | abi.REPLY_AND_WAIT, tag(7)), priority=3)
    client = desk.idle_thread()
    cap = desk.cap(client, 0x20, server)
    desk.program(client, SysCall(cap | abi.CALL, timeout=abi.TIMEOUT_ZERO))

    desk.run()

    assert [result.tag for result in desk.result(client)] == [tag(7)]


def test_an_expired_timeout_counts_if_nobody_answers_before_the_caller_runs() -> None:
    """ABI 4.2, 5: otherwise error 3."""
    desk = Desk()
    server = desk.thread(WAIT, Work(10), WAIT, priority=3)
    client = desk.idle_thread()
    cap = desk.cap(client, 0x20, server)
    desk.program(client, SysCall(cap | abi.CALL, tag(2), timeout=abi.TIMEOUT_ZERO))

    desk.run()

    assert [result.tag for result in desk.result(client)] == [tag(2) | abi.TAG_ERROR]
    assert server.reply is None


def test_idle_time_counts_against_the_budget() -> None:
    desk = Desk()
    desk.thread(SysCall(SELF | abi.RECEIVE, timeout=0x1400 | 1000))

    assert desk.run(until=20_000) == "budget"
    assert desk.machine.now == 20_000
