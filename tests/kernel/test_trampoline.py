"""The page-fault trampoline: a thread that handles its own page faults (ABI 5.5)."""

import pytest

from kernel import abi, frame, utcb
from kernel.abi import AMD64, IA32, Arch, Errno, Protocol
from kernel.events import Exception_, Fate, Fault
from kernel.objects import Thread
from kernel.port import FAULT_USER, FAULT_WRITE
from tests.kernel.desk import SELF, Desk, Guest, PageFault, SysCall, Trap, Work, tag

STATE = 0x6000_0000
HANDLER_IP = 0x7777
ARCHES = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)


def thread_with_state(desk: Desk) -> tuple[Thread, memoryview]:
    thread = desk.idle_thread()
    thread.task.trampolines = True
    assert not desk.kernel.add_ku_mem(thread.task, STATE, abi.PAGE_SIZE)
    shown, _ = thread.task.ku_pages[STATE]
    state = desk.machine.words(shown, 32)
    state[0] = HANDLER_IP
    return thread, state


def operation(desk: Desk, what: int, *words: int) -> SysCall:
    message = (abi.THREAD_PF_TRAMPOLINE | what << 16, *words)
    label = abi.encode_tag(Protocol.THREAD, words=len(message), bits=desk.arch.bits)
    return SysCall(SELF | abi.CALL, label, words=message)


@ARCHES
def test_a_page_fault_goes_on_in_the_handler(arch: Arch) -> None:
    """ABI 5.5: the trap frame and mr[0] are kept, the handler gets the state's address."""
    desk = Desk(arch)
    thread, state = thread_with_state(desk)
    first, second = {"amd64": ("rdi", "rsi"), "ia32": ("eax", "edx")}[arch.name]
    seen: dict[str, int] = {}

    def guest() -> Guest:
        yield operation(desk, 0, STATE)
        thread.utcb.store(0, 0xAB)
        yield PageFault(0x5008, FAULT_USER | FAULT_WRITE)
        context = desk.machine.contexts[thread.number]
        seen.update(ip=context.ip, first=context.stored[first], second=context.stored[second])

    desk.guest(thread, guest())
    desk.run()

    assert seen == {"ip": HANDLER_IP, "first": STATE, "second": 0x5008 | 2}
    assert (state[3], state[4]) == (0xAB, 1)
    place = {"amd64": 18, "ia32": 14}[arch.name]
    assert state[5 + place] == 0x1000
    fates = [event.fate for event in desk.recording.events if isinstance(event, Fault)]
    assert fates == [Fate.TRAMPOLINE]


@ARCHES
def test_resuming_gives_back_registers_and_mr0(arch: Arch) -> None:
    """ABI 5.5: resume restores mr[0] and the saved frame, and arms the trampoline again."""
    desk = Desk(arch)
    thread, state = thread_with_state(desk)
    register = {"amd64": "rbx", "ia32": "ebx"}[arch.name]

    def guest() -> Guest:
        yield operation(desk, 0, STATE)
        context = desk.machine.contexts[thread.number]
        context.stored[register] = 0x1111
        thread.utcb.store(0, 0xAB)
        yield PageFault(0x5000, FAULT_USER)
        context.stored[register] = 0x2222
        yield operation(desk, 1)
        assert (context.stored[register], context.ip) == (0x1111, 0x1000)

    desk.guest(thread, guest())
    desk.run()

    assert thread.utcb.load(0) == 0xAB
    assert (thread.armed, state[4]) == (True, 0)


def test_a_fault_inside_of_the_handler_goes_to_the_pager() -> None:
    """ABI 5.5: entering disarms, so nested faults are the pager's."""
    desk = Desk()
    thread, _ = thread_with_state(desk)
    pager = desk.thread(SysCall(SELF | abi.WAIT))
    desk.cap(thread, 0x30, pager)
    thread.pager = 0x30
    desk.program(
        thread, operation(desk, 0, STATE), PageFault(0x5000, 4), PageFault(0x6000, 4), Work(1)
    )

    desk.run()

    assert pager.utcb.load(0) == 0x6000


def test_a_fault_that_is_reflected_is_an_exception() -> None:
    """ABI 5.5: reflect raises the exception of a rejected page fault."""
    desk = Desk()
    thread, _ = thread_with_state(desk)
    handler = desk.thread(SysCall(SELF | abi.WAIT))
    desk.cap(thread, 0x30, handler)
    thread.handler = 0x30
    desk.program(
        thread, operation(desk, 0, STATE), PageFault(0x5000, 6), operation(desk, 2), Work(1)
    )

    desk.run()

    found = [handler.utcb.load(k) for k in (11, 16, 17)]
    assert found == [0x5000, 14, 6]


def test_a_flag_raises_an_exception_after_resuming() -> None:
    """ABI 5.5: flag bit 1 raises trap 0xff when the thread has resumed."""
    desk = Desk()
    thread, state = thread_with_state(desk)
    handler = desk.thread(SysCall(SELF | abi.WAIT))
    desk.cap(thread, 0x30, handler)
    thread.handler = 0x30

    def guest() -> Guest:
        yield operation(desk, 0, STATE)
        yield PageFault(0x5000, 4)
        state[4] |= 2
        yield operation(desk, 1)
        yield Work(1)

    desk.guest(thread, guest())
    desk.run()

    traps = [event for event in desk.recording.events if isinstance(event, Exception_)]
    assert [event.vector for event in traps] == [0xFF]


def test_it_can_be_disabled_and_enabled() -> None:
    """ABI 5.5: disable answers whether it was enabled."""
    desk = Desk()
    thread, _ = thread_with_state(desk)
    desk.program(
        thread,
        *(operation(desk, what, *words) for what, words in ((0, (STATE,)), (3, ()))),
    )
    desk.run()
    assert (thread.utcb.load(0), thread.armed) == (1, False)


WRONG = {
    "no state": (1, (), Errno.EINVAL),
    "not kernel memory": (0, (0x1000,), Errno.EINVAL),
    "misaligned": (0, (STATE + 4,), Errno.EINVAL),
    "over the end of the page": (0, (STATE + 0xFF8,), Errno.EINVAL),
    "no address": (0, (), Errno.EINVAL),
    "no such operation": (5, (), Errno.EINVAL),
    "beyond the words": (0, (AMD64.mask & ~7,), Errno.EINVAL),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_use_is_refused(what: str) -> None:
    """Bad input: the state must lie in kernel-user memory, and only a fault can be left."""
    desk = Desk()
    thread, _ = thread_with_state(desk)
    code, words, error = WRONG[what]
    desk.program(thread, operation(desk, code, *words))
    desk.run()
    assert desk.result(thread)[0].tag == tag(-error)


def test_nothing_is_left_that_was_not_entered() -> None:
    """Bad input: resume without a fault in progress."""
    desk = Desk()
    thread, _ = thread_with_state(desk)
    desk.program(thread, operation(desk, 0, STATE), operation(desk, 1), Trap(6))
    desk.run()
    assert desk.result(thread)[1].tag == tag(-Errno.EINVAL)


def test_a_task_without_the_feature_has_no_such_operation() -> None:
    """ABI 5.5: optional; without it the operation is unknown."""
    desk = Desk()
    thread, _ = thread_with_state(desk)
    thread.task.trampolines = False
    desk.program(thread, operation(desk, 0, STATE))
    desk.run()
    assert desk.result(thread)[0].tag == tag(-Errno.ENOSYS)


def test_the_state_has_room_for_the_frame() -> None:
    assert {arch.name: frame.words(arch) for arch in (AMD64, IA32)} == {"amd64": 26, "ia32": 19}
    assert utcb.MR == 0
