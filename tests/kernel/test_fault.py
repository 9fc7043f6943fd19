"""Page faults and exceptions as messages of the kernel (ABI 5)."""

import pytest

from kernel import abi, frame, utcb
from kernel.abi import AMD64, IA32, Arch, Errno, IpcError, Protocol
from kernel.events import Exception_, Fate, Fault, Resumption
from kernel.ipc import bury
from kernel.objects import READY, STUCK, Thread
from kernel.port import FAULT_FETCH, FAULT_PRESENT, FAULT_USER, FAULT_WRITE
from tests.kernel.desk import SELF, Desk, Guest, PageFault, Result, SysCall, Trap, Work, tag

PAGER, HANDLER = 0x30, 0x31
WAIT = SysCall(SELF | abi.WAIT)
ARCHES = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def paged(desk: Desk, server: Thread, *, rights: int = 7, label: int | None = None) -> Thread:
    """Make a thread whose pager and handler are `server`, through a gate if it has a label."""
    thread = desk.idle_thread()
    target = server if label is None else desk.gate(server, label)
    desk.cap(thread, PAGER, target, rights)
    thread.pager = thread.handler = PAGER
    return thread


def words_at_fault(thread: Thread) -> list[int]:
    return [thread.utcb.load(k) for k in range(utcb.WORDS)]


def fill(thread: Thread) -> list[int]:
    for k in range(utcb.WORDS):
        if k != utcb.SELF:
            thread.utcb.store(k, 0x1000 + k)
    return words_at_fault(thread)


# -- page faults ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "bits"),
    [
        (FAULT_USER, 0),
        (FAULT_USER | FAULT_PRESENT, 1),
        (FAULT_USER | FAULT_WRITE, 2),
        (FAULT_USER | FAULT_FETCH | FAULT_PRESENT, 5),
    ],
)
def test_a_page_fault_message_is_address_and_ip(desk: Desk, error: int, bits: int) -> None:
    """ABI 5.1: mr[0] is the address with three bits of what it was, mr[1] the ip."""
    pager = desk.thread(WAIT)
    thread = paged(desk, pager, label=0x40)
    desk.program(thread, PageFault(0xBAD0_0FF6, error))

    desk.run()

    words = (pager.utcb.load(0), pager.utcb.load(1))
    assert words == (0xBAD0_0FF0 | bits, 0x1000)
    assert desk.result(pager) == [Result(tag(Protocol.PAGE_FAULT, words=2), 0x40 | 3)]


@ARCHES
def test_five_words_survive_a_page_fault_and_no_other(arch: Arch) -> None:
    """ABI 5.1: BDR, BR0, BR1, MR0 and MR1 come back, whatever the pager's answer does."""
    desk = Desk(arch)
    answer = SysCall(SELF | abi.REPLY, tag(words=4), words=(7, 8, 9, 10))
    pager = desk.thread(WAIT, answer)
    thread = paged(desk, pager)
    before = fill(thread)
    desk.program(thread, PageFault(0x5000, FAULT_USER), Work(10))

    desk.run()

    before[2:4] = [9, 10]
    assert words_at_fault(thread) == before


def test_the_kernel_prepares_to_receive_a_mapping_anywhere(desk: Desk) -> None:
    """ABI 5.1: BDR accepts the FPU, BR0 is a map item, BR1 all spaces."""
    pager = desk.thread(WAIT)
    thread = paged(desk, pager)
    fill(thread)
    desk.program(thread, PageFault(0x5000, FAULT_USER))

    desk.run()

    assert [thread.utcb.load(utcb.BDR + k) for k in range(3)] == [0x0100_0000, 8, 0xFC0]


@pytest.mark.parametrize("label", [0, 1, 17])
def test_an_answer_without_an_error_restarts_the_instruction(desk: Desk, label: int) -> None:
    """ABI 5.1: label >= 0 restarts, whether anything was mapped or not."""
    pager = desk.thread(WAIT, SysCall(SELF | abi.REPLY, tag(label)))
    thread = paged(desk, pager)
    desk.program(thread, PageFault(0x5000, FAULT_USER), SysCall(abi.SEND))

    assert desk.run() == "idle"

    assert desk.result(thread) == [Result(abi.TAG_ERROR, 0)]
    assert not [e for e in desk.recording.events if isinstance(e, Exception_)]


def test_a_refused_page_fault_is_an_exception(desk: Desk) -> None:
    """ABI 5.1: a negative label reflects the fault, as trap 14."""
    pager = desk.thread(WAIT, SysCall(SELF | abi.REPLY, tag(-Errno.ENOMEM)))
    handler = desk.thread(WAIT)
    thread = paged(desk, pager)
    desk.cap(thread, HANDLER, handler)
    thread.handler = HANDLER
    desk.program(thread, PageFault(0x5008, FAULT_USER | FAULT_WRITE))

    desk.run()

    layout = {
        name: handler.utcb.load(k) for k, name in ((11, "pfa"), (16, "trap"), (17, "err"))
    }
    assert layout == {"pfa": 0x5008, "trap": 14, "err": FAULT_USER | FAULT_WRITE}


def test_a_dead_pager_is_an_exception(desk: Desk) -> None:
    """ABI 5.1: an error 4 of the send phase reflects the fault."""
    pager = desk.idle_thread()
    handler = desk.thread(WAIT)
    thread = paged(desk, pager)
    desk.cap(thread, HANDLER, handler)
    thread.handler = HANDLER
    bury(desk.kernel, pager)
    desk.program(thread, PageFault(0x5000, FAULT_USER))

    desk.run()

    assert handler.utcb.load(16) == 14


def test_without_a_pager_a_page_fault_kills(desk: Desk) -> None:
    """ABI 5.1: pager capability invalid or empty: the thread is killed."""
    desk.thread(PageFault(0x5000, FAULT_USER))

    assert desk.run() == "fault"

    assert [e.fate for e in desk.recording.events if isinstance(e, Fault)] == [Fate.KILLED]


def test_an_object_that_is_no_partner_cannot_page(desk: Desk) -> None:
    """ABI 6: another object answers -EBADPROTO, a negative label."""
    handler = desk.thread(WAIT)
    thread = paged(desk, handler)
    desk.cap(thread, PAGER, desk.kernel.log)
    desk.cap(thread, HANDLER, handler)
    thread.handler = HANDLER
    desk.program(thread, PageFault(0x5000, FAULT_USER))

    desk.run()

    assert handler.utcb.load(16) == 14


def test_a_cancelled_page_fault_is_tried_again(desk: Desk) -> None:
    """ABI 5.1: any other error of the call: the instruction is restarted."""
    pager = desk.thread(WAIT)
    thread = paged(desk, pager)
    before = fill(thread)
    desk.program(thread, PageFault(0x5000, FAULT_USER), Work(5))
    control = desk.idle_thread(priority=1)
    cap = desk.cap(control, 0x40, thread)
    keep = AMD64.mask
    desk.program(
        control,
        SysCall(
            cap | abi.CALL,
            tag(Protocol.THREAD, words=3),
            words=(abi.THREAD_EX_REGS | abi.EX_REGS_CANCEL, keep, keep),
        ),
    )

    assert desk.run() == "idle"

    ends = [e for e in desk.recording.events if isinstance(e, Resumption)]
    assert [e.error for e in ends] == [IpcError.RECEIVE_CANCELLED]
    assert words_at_fault(thread)[:2] == before[:2]


def test_a_thread_that_pages_itself_waits_for_ever(desk: Desk) -> None:
    """Bad input: a pager that faults on its own page."""
    thread = desk.idle_thread()
    desk.cap(thread, PAGER, thread)
    thread.pager = PAGER
    desk.program(thread, PageFault(0x5000, FAULT_USER))

    assert desk.run() == "idle"
    assert not thread.is_runnable()


def test_a_page_fault_that_is_never_resolved_ends_with_the_budget(desk: Desk) -> None:
    """Bad input: the pager answers, the page stays away."""
    pager = desk.idle_thread()
    thread = paged(desk, pager)

    def answering() -> Guest:
        yield WAIT
        while True:
            yield SysCall(SELF | abi.REPLY_AND_WAIT, tag())

    def faulting() -> Guest:
        while True:
            yield PageFault(0x5000, FAULT_USER)

    desk.guest(pager, answering())
    desk.guest(thread, faulting())

    assert desk.run(500_000) == "budget"


# -- exceptions -----------------------------------------------------------------


@ARCHES
def test_an_exception_message_is_the_trap_frame(arch: Arch) -> None:
    """ABI 5.2: 26 words on amd64, 19 on ia32, flag TRANSFER_FPU, no word of the sender."""
    desk = Desk(arch)
    handler = desk.thread(WAIT)
    thread = paged(desk, handler)
    before = fill(thread)
    desk.machine.contexts[thread.number].stored["rbx" if arch is AMD64 else "ebx"] = 0x5EED
    desk.program(thread, Trap(6))

    desk.run()

    size = {"amd64": 26, "ia32": 19}[arch.name]
    assert frame.words(arch) == size
    expected = abi.encode_tag(
        Protocol.EXCEPTION, words=size, flags=abi.TAG_TRANSFER_FPU, bits=arch.bits
    )
    assert [result.tag for result in desk.result(handler)] == [expected]
    place = {"amd64": (12, 16, 18), "ia32": (8, 12, 14)}[arch.name]
    assert [handler.utcb.load(k) for k in place] == [0x5EED, 6, 0x1000]
    assert words_at_fault(thread)[:63] == before[:63]


def test_observed_exception_tags() -> None:
    """ABI 13: the tags seen on the real kernel."""
    tags = {
        arch.name: abi.encode_tag(
            Protocol.EXCEPTION,
            words=frame.words(arch),
            flags=abi.TAG_TRANSFER_FPU,
            bits=arch.bits,
        )
        for arch in (AMD64, IA32)
    }
    assert tags == {"amd64": 0xFFFF_FFFF_FFFB_101A, "ia32": 0xFFFB_1013}


@ARCHES
def test_a_whole_answer_sets_the_registers(arch: Arch) -> None:
    """ABI 5.2: the answer goes to the trap frame, the faulter's own words stay."""
    desk = Desk(arch)
    size = frame.words(arch)
    answer = SysCall(SELF | abi.REPLY, tag(words=size), words=tuple(range(100, 100 + size)))
    handler = desk.thread(WAIT, answer)
    thread = paged(desk, handler)
    before = fill(thread)
    desk.program(thread, Trap(6), Work(1))

    desk.run()

    context = desk.machine.contexts[thread.number]
    names = {"amd64": ("rax", "rcx"), "ia32": ("eax", "ecx")}[arch.name]
    places = {"amd64": (15, 14), "ia32": (11, 10)}[arch.name]
    assert [context.stored[name] for name in names] == [100 + k for k in places]
    assert context.ip == 100 + {"amd64": 18, "ia32": 14}[arch.name]
    assert words_at_fault(thread) == before


def test_a_short_answer_changes_nothing(desk: Desk) -> None:
    """ABI 5.2: fewer words than a frame: state unchanged, the thread goes on."""
    handler = desk.thread(WAIT, SysCall(SELF | abi.REPLY, tag(words=25), words=(9,) * 25))
    thread = paged(desk, handler)
    desk.program(thread, Trap(6), SysCall(abi.SEND))

    desk.run()

    assert desk.machine.contexts[thread.number].stored == {}
    assert len(desk.result(thread)) == 1


def test_without_a_handler_an_exception_blocks_for_ever(desk: Desk) -> None:
    """ABI 5.2: no handler: the thread sleeps."""
    thread = desk.thread(Trap(6), Work(1))

    assert desk.run() == "fault"
    assert thread.state == STUCK


def test_three_words_survive_an_exception(desk: Desk) -> None:
    """ABI 5.2: BDR, BR0 and BR1 are saved and come back."""
    handler = desk.thread(WAIT, SysCall(SELF | abi.REPLY, tag()))
    thread = paged(desk, handler)
    before = fill(thread)
    desk.program(thread, Trap(6), Work(1))

    desk.run()

    assert words_at_fault(thread) == before


def test_the_fpu_goes_along_if_the_capability_is_special(desk: Desk) -> None:
    """ABI 4.3: TRANSFER_FPU needs the S right and BDR bit 24 at the receiver."""
    copied = []
    for rights, accept in ((7, 1), (7, 0), (5, 1)):
        handler = desk.thread(WAIT)
        handler.utcb.store(utcb.BDR, accept * abi.BDR_ACCEPT_FPU)
        thread = paged(desk, handler, rights=rights)
        desk.machine.contexts[thread.number].fpu = 77
        desk.program(thread, Trap(6))
        desk.run(desk.machine.now + 100_000)
        copied.append(desk.machine.contexts[handler.number].fpu == 77)
    assert copied == [True, False, False]


def trigger(desk: Desk, thread: Thread, flags: int) -> Thread:
    control = desk.idle_thread(priority=1)
    cap = desk.cap(control, 0x40, thread)
    keep = AMD64.mask
    words = (abi.THREAD_EX_REGS | abi.EX_REGS_TRIGGER_EXCEPTION | flags, keep, keep)
    desk.program(control, SysCall(cap | abi.CALL, tag(Protocol.THREAD, words=3), words=words))
    return control


def test_a_triggered_exception_waits_until_the_ipc_is_over(desk: Desk) -> None:
    """ABI 5.2, 6.2: ex_regs flag 0x20000 raises trap 0xff when the thread goes on."""
    handler = desk.thread(WAIT)
    thread = paged(desk, handler)
    desk.program(thread, SysCall(SELF | abi.RECEIVE))
    trigger(desk, thread, 0)

    desk.run()

    assert desk.result(handler) == []


def test_a_triggered_exception_is_trap_255(desk: Desk) -> None:
    """ABI 5.2: triggered exceptions have trap 0xff, error 0."""
    handler = desk.thread(WAIT)
    thread = paged(desk, handler)
    desk.program(thread, SysCall(SELF | abi.RECEIVE))
    trigger(desk, thread, abi.EX_REGS_CANCEL)

    desk.run()

    assert (handler.utcb.load(16), handler.utcb.load(17)) == (0xFF, 0)
    assert thread.utcb.load(utcb.ERROR) == IpcError.RECEIVE_CANCELLED


def test_a_thread_in_an_exception_keeps_its_state(desk: Desk) -> None:
    """ABI 6.2: without cancel, ex_regs only reads a thread that is in an exception."""
    handler = desk.thread(WAIT)
    thread = paged(desk, handler)
    desk.program(thread, Trap(6))
    control = desk.idle_thread(priority=1)
    cap = desk.cap(control, 0x40, thread)
    desk.program(
        control,
        SysCall(
            cap | abi.CALL, tag(Protocol.THREAD, words=3), words=(abi.THREAD_EX_REGS, 0x9000, 0)
        ),
    )

    desk.run()

    assert desk.machine.contexts[thread.number].ip == 0x1000
    assert control.utcb.load(1) == 0x1000


@ARCHES
def test_a_system_call_of_an_alien_thread_is_two_exceptions(arch: Arch) -> None:
    """ABI 5.2: one before the call, which ALLOW_SYSCALL lets go on, and one after it."""
    desk = Desk(arch)
    allow = abi.encode_tag(Protocol.ALLOW_SYSCALL, bits=arch.bits)
    handler = desk.idle_thread()
    thread = paged(desk, handler)
    thread.alien = True
    traps: list[tuple[int, int]] = []

    def handle() -> Guest:
        yield WAIT
        place = {"amd64": 16, "ia32": 12}[arch.name]
        while True:
            traps.append((handler.utcb.load(place), handler.utcb.load(place + 1)))
            yield SysCall(SELF | abi.REPLY_AND_WAIT, allow)

    call = SysCall(abi.SEND)
    desk.guest(handler, handle())
    # The instruction is restarted: the script has the call twice.
    desk.program(thread, call, call, Work(10), Work(10))

    desk.run()

    assert (
        traps[:2]
        == {"amd64": [(253, 0), (253, 1)], "ia32": [(13, 0x182), (13, 0x186)]}[arch.name]
    )
    assert thread.utcb.load(utcb.ERROR) == IpcError.NOT_EXISTENT


def test_a_handler_that_is_its_own_handler_waits_for_ever(desk: Desk) -> None:
    """Bad input: recursion of exceptions."""
    thread = desk.idle_thread()
    desk.cap(thread, HANDLER, thread)
    thread.handler = HANDLER
    desk.program(thread, Trap(6))

    assert desk.run() == "idle"
    assert thread.state != READY
