"""The kernel's own objects: log, threads, scheduler, task, and what is refused."""

import pytest

from kernel import abi
from kernel.abi import IA32, Errno, IpcError
from kernel.events import Exception_, Fate, Fault, Refused
from tests.kernel.desk import (
    SELF,
    Desk,
    PageFault,
    Result,
    SysCall,
    Trap,
    Work,
    tag,
)

LOG = abi.CAP_LOG << 12
SCHEDULER = abi.CAP_SCHEDULER << 12
ALL_ONES = (1 << 64) - 1


@pytest.fixture
def desk() -> Desk:
    return Desk()


def text(data: bytes, word: int = 8) -> tuple[int, ...]:
    padded = data + bytes(-len(data) % word)
    words = (padded[k : k + word] for k in range(0, len(padded), word))
    return tuple(int.from_bytes(part, "little") for part in words)


def test_a_log_write_prints_and_returns_the_input_tag(desk: Desk) -> None:
    """ABI 6.9 and 13, 5: a write is send-only, returns its own tag and restores nothing."""
    words = (abi.VCON_WRITE, 10, *text(b"hello log\n"))
    sent = tag(abi.Protocol.LOG, len(words), flags=abi.TAG_SCHEDULE)
    thread = desk.thread(SysCall(LOG | abi.SEND, sent, words=words))

    desk.run()

    assert desk.recording.console() == b"hello log\n"
    assert desk.result(thread) == [Result(sent, 0)]
    # The words stay in the caller's registers: nothing is restored (ABI 6.9).
    assert thread.utcb.load_words(len(words)) == words


def test_the_log_checks_the_length_and_not_the_number_of_words(desk: Desk) -> None:
    """ABI 13, 6: with length 16 and 2 words, 16 bytes are printed."""
    words = (abi.VCON_WRITE, 16, *text(b"sixteen letters\n"))
    desk.thread(SysCall(LOG | abi.SEND, tag(abi.Protocol.LOG, 2), words=words))

    desk.run()

    assert desk.recording.console() == b"sixteen letters\n"


@pytest.mark.parametrize(("size", "printed"), [(488, 488), (489, 0), (ALL_ONES, 0)])
def test_a_log_line_that_is_too_long_is_ignored(desk: Desk, size: int, printed: int) -> None:
    """ABI 6.9: at most 61 words of text; more is ignored silently."""
    desk.thread(SysCall(LOG | abi.SEND, tag(abi.Protocol.LOG, 63), words=(0, size)))

    desk.run()

    assert len(desk.recording.console()) == printed


def test_the_log_works_with_words_of_four_bytes() -> None:
    """ABI 6.9: text is packed bytewise from mr[2] on."""
    desk = Desk(IA32)
    words = (abi.VCON_WRITE, 6, *text(b"hello\n", 4))
    sent = abi.encode_tag(abi.Protocol.LOG, words=4, bits=32)
    desk.thread(SysCall(LOG | abi.SEND, sent, words=words))

    desk.run()

    assert desk.recording.console() == b"hello\n"


def test_calling_the_log_waits_for_a_reply_that_never_comes(desk: Desk) -> None:
    """ABI 6: an object that does not reply is followed by a receive phase."""
    thread = desk.thread(
        SysCall(LOG | abi.CALL, tag(abi.Protocol.LOG, 2), timeout=1, words=(0, 0))
    )

    desk.run()

    assert desk.error(thread) == IpcError.RECEIVE_TIMEOUT


def test_a_wrong_protocol_is_answered_with_badproto(desk: Desk) -> None:
    """ABI 6: wrong protocol: -39."""
    thread = desk.thread(SysCall(LOG | abi.CALL, tag(5, 1)))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EBADPROTO), 0)]


def test_a_request_that_is_not_served_is_reported_in_full(desk: Desk) -> None:
    """ABI 6: unknown opcode: -38, and the lab is told."""
    words = (9, 3)
    thread = desk.thread(SysCall(LOG | abi.CALL, tag(abi.Protocol.LOG, 2), words=words))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.ENOSYS), 0)]
    (refused,) = [e for e in desk.recording.events if isinstance(e, Refused)]
    assert refused[2:8] == (
        thread.number,
        desk.kernel.log.number,
        abi.Protocol.LOG,
        9,
        words,
        "log operation 9",
    )


def test_ex_regs_with_cancel_ends_a_send_with_6_and_a_receive_with_7(desk: Desk) -> None:
    """ABI 4.10: blocked in send: error 6, in receive: 7."""
    busy = desk.thread(Work(10**6), priority=1)
    sender, receiver = desk.idle_thread(), desk.thread(SysCall(SELF | abi.WAIT, tag(4)))
    cap = desk.cap(sender, 0x20, busy)
    desk.program(sender, SysCall(cap | abi.SEND, tag(4)))
    killer = desk.idle_thread()
    cancel = (abi.THREAD_EX_REGS | abi.EX_REGS_CANCEL, ALL_ONES, ALL_ONES)
    ex_regs = tag(abi.Protocol.THREAD, 3)
    desk.program(
        killer,
        *(
            SysCall(desk.cap(killer, 0x20 + k, target) | abi.CALL, ex_regs, words=cancel)
            for k, target in enumerate((sender, receiver))
        ),
    )

    desk.run()

    assert desk.result(sender) == [Result(abi.TAG_ERROR, 0)]
    assert desk.result(receiver) == [Result(tag(4) | abi.TAG_ERROR, 0)]
    assert (desk.error(sender), desk.error(receiver)) == (6, 7)
    assert busy.senders == []


def test_ex_regs_answers_with_the_old_flags_ip_and_sp(desk: Desk) -> None:
    """ABI 6.2: ex_regs: w0 old flags, w1 old ip, w2 old sp."""
    target = desk.thread(SysCall(SELF | abi.WAIT))
    caller = desk.idle_thread()
    cap = desk.cap(caller, 0x20, target)
    words = (abi.THREAD_EX_REGS, 0x7000, ALL_ONES)
    desk.program(caller, SysCall(cap | abi.CALL, tag(abi.Protocol.THREAD, 3), words=words))

    desk.run()

    assert desk.result(caller) == [Result(tag(0, 3), 0)]
    assert caller.utcb.load_words(3) == (0x202, 0x1000, 0x8000)
    assert (target.context.ip, target.context.sp) == (0x7000, 0x8000)
    # It still waits: nothing was cancelled.
    assert desk.recording.failures() == []


def test_thread_control_needs_six_words_and_exchanges_selectors(desk: Desk) -> None:
    """ABI 13, 1: 5 words are -22; pager and handler come and go as selectors."""
    thread = desk.thread(
        SysCall(
            SELF | abi.CALL,
            tag(abi.Protocol.THREAD, 5),
            words=(abi.THREAD_CONTROL | abi.CONTROL_SET_PAGER, 0x4000, 0, 0, 0, 0),
        ),
        SysCall(
            SELF | abi.CALL,
            tag(abi.Protocol.THREAD, 6),
            words=(abi.THREAD_CONTROL | abi.CONTROL_SET_PAGER, 0x4000, 0, 0, 0, 0),
        ),
    )

    desk.run()

    assert [result.tag for result in desk.result(thread)] == [tag(-Errno.EINVAL), tag(0, 3)]
    assert thread.pager == 4


def test_thread_control_without_the_s_right_is_refused(desk: Desk) -> None:
    """ABI 6.2: control needs the S right."""
    target = desk.thread()
    caller = desk.idle_thread()
    cap = desk.cap(caller, 0x20, target, rights=int(abi.Rights.W))
    words = (abi.CONTROL_SET_PAGER, 0x4000, 0, 0, 0, 0)
    desk.program(caller, SysCall(cap | abi.CALL, tag(abi.Protocol.THREAD, 6), words=words))

    desk.run()

    assert desk.result(caller) == [Result(tag(-Errno.EPERM), 0)]
    assert target.pager == 0


def test_run_thread_sets_a_priority(desk: Desk) -> None:
    """ABI 6.8: run_thread: w3 is the priority, the thread is an item."""
    target = desk.thread()
    caller = desk.idle_thread()
    desk.cap(caller, 0x21, target)
    words = (abi.SCHEDULER_RUN_THREAD, 0, 1, 77, 0, 8, 0x21 << 12 | 0x37)
    sent = tag(abi.Protocol.SCHEDULER, 5, items=1)
    desk.program(caller, SysCall(SCHEDULER | abi.CALL, sent, words=words))

    desk.run()

    assert desk.result(caller) == [Result(tag(0), 0)]
    assert target.priority == 77


def test_cap_info_tells_full_slots_from_empty_ones(desk: Desk) -> None:
    """ABI 6.1: cap info: label 1 valid, 0 not."""
    task = abi.CAP_TASK << 12

    def ask(*caps: int) -> SysCall:
        words = (abi.TASK_CAP_INFO, *caps)
        return SysCall(task | abi.CALL, tag(abi.Protocol.TASK, len(words)), words=words)

    thread = desk.thread(ask(LOG), ask(0x99000), ask(LOG, LOG), ask(LOG, task), ask(SELF))

    desk.run()

    labels = [abi.decode_tag(r.tag, bits=64).label for r in desk.result(thread)]
    assert labels == [1, 0, 1, 0, 0]


def test_a_page_fault_without_a_pager_kills_the_thread_and_others_go_on(desk: Desk) -> None:
    """ABI 5.1: pager capability empty: the thread is killed."""
    victim, other = desk.thread(PageFault(0xBAD000, 6)), desk.thread(Work(10))

    assert desk.run() == "fault"

    (fault,) = [e for e in desk.recording.events if isinstance(e, Fault)]
    assert fault[2:] == (victim.number, 0xBAD000, 6, 0x1000, Fate.KILLED)
    assert desk.kernel.running == other.number


def test_an_exception_without_a_handler_blocks_the_thread_for_ever(desk: Desk) -> None:
    """ABI 5.2: no handler: the thread blocks for ever."""
    victim = desk.thread(Trap(6), Work(10))

    assert desk.run() == "fault"

    (exception,) = [e for e in desk.recording.events if isinstance(e, Exception_)]
    assert exception[2:] == (victim.number, 6, 0, 0x1000, Fate.STUCK)
