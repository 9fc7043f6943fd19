"""Rules of ABI 5 that no other file has a test for."""

import pytest

from kernel import abi, frame, utcb
from kernel.abi import AMD64, IA32, Arch, IpcError, Protocol
from kernel.ipc import bury
from kernel.objects import Thread
from kernel.port import FAULT_USER
from tests.kernel.desk import SELF, Desk, PageFault, SysCall, Trap, Work, tag
from tests.kernel.scene import put_page

SERVER = 0x30
WAIT = SysCall(SELF | abi.WAIT)
PROBE = SysCall(abi.SEND)  # of an empty capability: shows that the thread went on


@pytest.fixture
def desk() -> Desk:
    return Desk()


def served(desk: Desk, server: Thread) -> Thread:
    """Make a thread whose pager and handler are `server`."""
    thread = desk.idle_thread()
    desk.cap(thread, SERVER, server)
    thread.pager = thread.handler = SERVER
    return thread


def test_a_page_fault_does_not_give_the_error_word_back(desk: Desk) -> None:
    """ABI 5.1: the error word (TCR) is not restored."""
    thread = served(desk, desk.thread(WAIT))
    desk.program(thread, PageFault(0x5000, FAULT_USER), Work(5))
    control = desk.idle_thread(priority=1)
    cap = desk.cap(control, 0x40, thread)
    words = (abi.THREAD_EX_REGS | abi.EX_REGS_CANCEL, AMD64.mask, AMD64.mask)
    desk.program(control, SysCall(cap | abi.CALL, tag(Protocol.THREAD, 3), words=words))
    thread.utcb.store(utcb.ERROR, 0x99)

    desk.run()

    assert desk.error(thread) == IpcError.RECEIVE_CANCELLED


def test_a_page_fault_arrives_with_label_0_through_a_thread_capability(desk: Desk) -> None:
    """ABI 5: send label 0, timeouts never."""
    pager = desk.thread(WAIT)
    thread = served(desk, pager)
    desk.program(thread, PageFault(0x5000, FAULT_USER))

    desk.run()

    assert [result.label for result in desk.result(pager)] == [0]


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_items_of_an_exceptions_answer_land_behind_the_frame(arch: Arch) -> None:
    """ABI 5.2: result words go to the faulter's MR(words): the only possible clobber."""
    desk = Desk(arch)
    size = frame.words(arch)
    item = (8, abi.CAP_TASK << 12 | 3 << 4 | 7)
    answer = abi.encode_tag(0, words=size, items=1, bits=arch.bits)
    handler = desk.thread(WAIT, SysCall(SELF | abi.REPLY, answer, words=(*([0] * size), *item)))
    thread = served(desk, handler)
    before = [0x1000 + k for k in range(utcb.MR_COUNT)]
    for k, word in enumerate(before):
        thread.utcb.store(k, word)
    desk.program(thread, Trap(6), Work(1))

    desk.run()

    after = list(thread.utcb.load_words(utcb.MR_COUNT))
    changed = [k for k in range(utcb.MR_COUNT) if after[k] != before[k]]
    assert changed == [size]
    assert after[size] & 0x3E == 0x38


def test_items_of_a_short_answer_are_not_processed(desk: Desk) -> None:
    """ABI 5.2: fewer words than the frame: no items are processed."""
    item = (8, abi.CAP_TASK << 12 | 3 << 4 | 7)
    handler = desk.thread(WAIT, SysCall(SELF | abi.REPLY, tag(items=1), words=item))
    thread = served(desk, handler)
    before = dict(thread.task.caps)
    desk.program(thread, Trap(6), PROBE)

    desk.run()

    assert thread.task.caps == before
    assert len(desk.result(thread)) == 1


def test_a_negative_answer_to_an_exception_resumes_the_thread(desk: Desk) -> None:
    """ABI 5.2: a negative label still resumes."""
    handler = desk.thread(WAIT, SysCall(SELF | abi.REPLY, tag(-1)))
    thread = served(desk, handler)
    desk.program(thread, Trap(6), PROBE)

    desk.run()

    assert len(desk.result(thread)) == 1


def test_an_exception_whose_handler_is_dead_resumes(desk: Desk) -> None:
    """ABI 5.2: IPC errors are ignored: the thread resumes, normally to fault again."""
    handler = desk.idle_thread()
    thread = served(desk, handler)
    bury(desk.kernel, handler)
    desk.program(thread, Trap(6), PROBE)

    desk.run()

    assert len(desk.result(thread)) == 1


def test_without_an_answer_an_exception_lasts_for_ever(desk: Desk) -> None:
    """ABI 5.2: no reply: the thread stays blocked."""
    thread = served(desk, desk.thread(WAIT))
    desk.program(thread, Trap(6), PROBE)

    assert desk.run() == "idle"

    assert desk.result(thread) == []


def test_a_pager_may_have_mapped_the_page_before_it_answers_without_an_item(
    desk: Desk,
) -> None:
    """ABI 5.4: no item if the page was mapped by Task.map already."""
    pager = desk.idle_thread()
    put_page(desk, pager.task, 0x7000)
    thread = served(desk, pager)
    desk.cap(pager, 0x40, thread.task)
    words = (abi.TASK_MAP, 0x5000 | 8, 0x7000 | 12 << 6 | 1 << 4 | 6, 8, 1 << 12 | 3 << 4 | 7)
    share = SysCall(0x40 << 12 | abi.CALL, tag(Protocol.TASK, 3, items=1), words=words)
    desk.program(pager, WAIT, share, SysCall(SELF | abi.REPLY, tag()))
    desk.program(thread, PageFault(0x5000, FAULT_USER), PROBE)

    desk.run()

    assert len(desk.result(thread)) == 1
    assert 0x5000 in thread.task.pages


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_an_exceptions_answer_cannot_set_the_flag_of_nested_tasks(arch: Arch) -> None:
    """ABI 5.2: NT is cleared; of the other privileged flags the machine takes care."""
    desk = Desk(arch)
    size = frame.words(arch)
    words = [0] * size
    words[{"amd64": 20, "ia32": 16}[arch.name]] = 0x4203
    answer = abi.encode_tag(0, words=size, bits=arch.bits)
    handler = desk.thread(WAIT, SysCall(SELF | abi.REPLY, answer, words=tuple(words)))
    thread = served(desk, handler)
    desk.program(thread, Trap(6), Work(1))

    desk.run()

    assert desk.machine.contexts[thread.number].stored["flags"] == 0x203


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_a_fault_at_kernel_memory_is_an_exception(arch: Arch) -> None:
    """ABI 5.1, 5.2: page faults are those outside of kernel memory; any other is trap 14."""
    desk = Desk(arch)
    server = desk.thread(WAIT, WAIT)
    thread = served(desk, server)
    last = arch.user_end - 1
    desk.program(thread, PageFault(arch.user_end, FAULT_USER))
    desk.program(served(desk, server), PageFault(last, FAULT_USER))

    desk.run()

    seen = [abi.decode_tag(result.tag, bits=arch.bits).label for result in desk.result(server)]
    assert seen == [Protocol.EXCEPTION, Protocol.PAGE_FAULT]
