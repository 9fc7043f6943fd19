"""Rules of ABI 1 to 4 that no other file has a test for."""

import pytest

from kernel import abi, kip, utcb
from kernel.abi import AMD64, IA32, Arch, Errno, IpcError, Protocol
from tests.kernel.desk import SELF, SEND_ZERO, Desk, Guest, Result, SysCall, Work, tag

WAIT = SysCall(SELF | abi.WAIT)
ERROR = abi.TAG_ERROR
KEEP = AMD64.mask
GATE = 0x20


@pytest.fixture
def desk() -> Desk:
    return Desk()


def ex_regs(flags: int) -> tuple[int, int, int]:
    return (abi.THREAD_EX_REGS | flags, KEEP, KEEP)


# -- selectors, UTCB, tag --------------------------------------------------------------


def test_a_capability_index_beyond_the_table_is_empty(desk: Desk) -> None:
    """ABI 1.3: out-of-range capability: 0x8000, error 4."""
    thread = desk.thread(SysCall(AMD64.cap_limit << 12 | abi.CALL, tag(5, 3)))

    desk.run()

    assert desk.result(thread) == [Result(ERROR, 0)]
    assert desk.error(thread) == IpcError.NOT_EXISTENT


@pytest.mark.parametrize("selector", [abi.CAP_INVALID_BIT, abi.CAP_REPLY_BIT, abi.CAP_SPECIAL])
def test_a_special_selector_is_the_calling_thread(desk: Desk, selector: int) -> None:
    """ABI 1.3: selector with bit 10 or 11: the calling thread itself, with W and S."""
    control = tag(Protocol.THREAD, words=6)
    words = (abi.CONTROL_SET_PAGER, 0x77 << 12, 0, 0, 0, 0)
    thread = desk.thread(SysCall(selector | abi.CALL, control, words=words))

    desk.run()

    assert (desk.result(thread), thread.pager) == ([Result(tag(words=3), 0)], 0x77)


def test_a_reply_that_fails_has_emptied_its_slot(desk: Desk) -> None:
    """ABI 1.3, 4.2: the reply slot is emptied first, whatever happens later."""
    cut = SysCall(SELF | abi.REPLY, tag(items=1), words=(8, 0x2_1000 | 0x37))
    server = desk.thread(WAIT, cut, SysCall(SELF | abi.REPLY))
    client = desk.idle_thread()
    desk.program(client, SysCall(desk.cap(client, GATE, server) | abi.CALL))

    desk.run()

    assert [failure.error for failure in desk.recording.failures()] == [
        IpcError.SEND_CUT,
        IpcError.NOT_EXISTENT,
    ]
    assert desk.error(client) == IpcError.RECEIVE_CUT


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_a_utcb_begins_zeroed_but_for_its_own_address(arch: Arch) -> None:
    """ABI 1.4 and 2: word 63 holds the UTCB's user address, written at bind; the rest is 0."""
    desk = Desk(arch)
    thread = desk.idle_thread()

    words = [thread.utcb.load(k) for k in range(utcb.WORDS)]

    expected = [0] * utcb.WORDS
    expected[63] = thread.utcb_address
    assert words == expected
    assert arch.utcb_size == {"amd64": 1024, "ia32": 512}[arch.name]


def test_the_areas_of_utcbs_are_where_programs_look_for_them() -> None:
    """ABI 2: sigma0 and root: 0x7fff000000, 0xbff00000; L4Re programs: 0xb3000000."""
    assert [(arch.root_utcb, arch.user_utcb) for arch in (AMD64, IA32)] == [
        (0x7F_FF00_0000, 0xB300_0000),
        (0xBFF0_0000, 0xB300_0000),
    ]


def test_protocols_have_these_numbers() -> None:
    """ABI 3: labels sent by a client: protocols."""
    assert {protocol.name: int(protocol) for protocol in Protocol} == {
        "NONE": 0,
        "ALLOW_SYSCALL": 1,
        "IRQ": -1,
        "PAGE_FAULT": -2,
        "EXCEPTION": -5,
        "SIGMA0": -6,
        "IO_PAGE_FAULT": -8,
        "THREAD_GROUP": -9,
        "KOBJECT": -10,
        "TASK": -11,
        "THREAD": -12,
        "LOG": -13,
        "SCHEDULER": -14,
        "FACTORY": -15,
        "VM": -16,
        "DMA_SPACE": -17,
        "IRQ_SENDER": -18,
        "SEMAPHORE": -20,
        "META": -21,
        "IOMMU": -22,
        "DEBUGGER": -23,
        "VCPU_CONTEXT": -25,
    }


def test_errors_have_these_numbers() -> None:
    """ABI 3: system errors, and IPC errors with bit 0 for the receive phase."""
    system = (1, 2, 5, 6, 7, 11, 12, 13, 14, 16, 17, 19, 22, 28, 34, 36, 38, 39, 99)
    assert [int(error) for error in Errno] == [0, *system, 1000, 1001, 1002, 1003]
    assert [int(error) for error in IpcError] == [0, *range(2, 10), 16, 17, 19]


# -- the order of events ---------------------------------------------------------------


def test_a_cancel_outside_of_ipc_is_lost(desk: Desk) -> None:
    """ABI 4.1: CANCEL hits a thread only while it is inside an IPC."""
    target = desk.idle_thread(priority=1)
    control = desk.idle_thread(priority=5)
    cap = desk.cap(control, 0x40, target)
    desk.program(
        control,
        SysCall(SELF | abi.RECEIVE, timeout=1),
        SysCall(cap | abi.CALL, tag(Protocol.THREAD, 3), words=ex_regs(abi.EX_REGS_CANCEL)),
    )
    desk.program(target, Work(10_000), SysCall(SELF | abi.RECEIVE, timeout=1))

    desk.run()

    assert desk.result(control)[1] == Result(tag(words=3), 0)
    assert desk.error(target) == IpcError.RECEIVE_TIMEOUT


def test_a_cancelled_caller_cannot_be_answered_any_more(desk: Desk) -> None:
    """ABI 4.2, 4.6: after a call ends for any reason the callee's slot is cleared."""
    server = desk.thread(WAIT, Work(10_000), SysCall(SELF | abi.REPLY), priority=1)
    client = desk.idle_thread()
    desk.program(client, SysCall(desk.cap(client, GATE, server) | abi.CALL))
    control = desk.idle_thread(priority=5)
    cap = desk.cap(control, 0x40, client)
    words = ex_regs(abi.EX_REGS_CANCEL)
    desk.program(
        control,
        SysCall(SELF | abi.RECEIVE, timeout=8),
        SysCall(cap | abi.CALL, tag(Protocol.THREAD, 3), words=words),
    )

    desk.run()

    assert desk.error(client) == IpcError.RECEIVE_CANCELLED
    assert desk.error(server) == IpcError.NOT_EXISTENT


def test_a_callee_may_answer_with_a_send_timeout_of_zero(desk: Desk) -> None:
    """ABI 4.2: the send to receive transition of a call is atomic."""
    answer = SysCall(SELF | abi.REPLY_AND_WAIT, tag(7), timeout=SEND_ZERO)
    server = desk.thread(WAIT, answer, priority=9)
    client = desk.idle_thread()
    desk.program(client, SysCall(desk.cap(client, GATE, server) | abi.CALL))

    desk.run()

    assert desk.result(client) == [Result(tag(7), 0)]


# -- what is copied --------------------------------------------------------------------


def test_all_63_words_cross(desk: Desk) -> None:
    """ABI 4.3: at most 63 words, in one block."""
    receiver = desk.thread(WAIT)
    before = receiver.utcb.load(63)
    sender = desk.idle_thread()
    words = tuple(range(100, 163))
    cap = desk.cap(sender, GATE, receiver)
    desk.program(sender, SysCall(cap | abi.SEND, tag(words=63), words=words))

    desk.run()

    assert receiver.utcb.load_words(64) == (*words, before)


def test_flags_and_label_go_through_unchanged(desk: Desk) -> None:
    """ABI 4.3: words, items, SCHEDULE, TRANSFER_FPU, PROPAGATE and label go through."""
    flags = abi.TAG_SCHEDULE | abi.TAG_TRANSFER_FPU | abi.TAG_PROPAGATE
    receiver = desk.thread(WAIT)
    sender = desk.idle_thread()
    cap = desk.cap(sender, GATE, receiver)
    sent = tag(-0x1234, words=2, flags=flags)
    desk.program(sender, SysCall(cap | abi.SEND, sent))

    desk.run()

    assert desk.result(receiver) == [Result(sent, 0)]


# -- who runs next ---------------------------------------------------------------------


@pytest.mark.parametrize(("priority", "first"), [(9, "sender"), (2, "sender"), (1, "receiver")])
def test_a_sender_whose_message_was_pulled_obeys_the_same_rule(
    desk: Desk, priority: int, first: str
) -> None:
    """ABI 4.4: woken by the pull of its message, equal or higher runs at once."""
    done: list[str] = []
    receiver = desk.idle_thread()
    sender = desk.idle_thread(priority=priority)
    cap = desk.cap(sender, GATE, receiver)

    def sending() -> Guest:
        yield SysCall(cap | abi.SEND)
        done.append("sender")

    def receiving() -> Guest:
        yield SysCall(SELF | abi.RECEIVE, timeout=10)  # meanwhile the sender queues
        yield WAIT
        done.append("receiver")

    desk.guest(receiver, receiving())
    desk.guest(sender, sending())

    desk.run()

    assert done[0] == first


def test_switch_goes_to_the_thread_that_it_names(desk: Desk) -> None:
    """ABI 4.4, 6.2: Thread.switch switches to the given ready thread."""
    done: list[int] = []
    caller = desk.idle_thread()
    others = [desk.idle_thread() for _ in range(2)]
    cap = desk.cap(caller, GATE, others[1])

    def switching() -> Guest:
        yield SysCall(cap | abi.CALL, tag(Protocol.THREAD, 1), words=(abi.THREAD_SWITCH,))
        done.append(caller.number)

    def working(number: int) -> Guest:
        done.append(number)
        yield Work(1)

    desk.guest(caller, switching())
    for other in others:
        desk.guest(other, working(other.number))

    desk.run()

    assert done == [others[1].number, others[0].number, caller.number]


# -- gates, reply capabilities, queues --------------------------------------------------


def test_a_closed_receive_from_a_gate_is_one_from_its_thread(desk: Desk) -> None:
    """ABI 4.5: receiving from a gate capability means from the bound thread."""
    server = desk.idle_thread(priority=1)
    client = desk.idle_thread(priority=3)
    other = desk.idle_thread(priority=9)
    gate = desk.cap(client, GATE, desk.gate(server, 0x40))
    desk.program(client, SysCall(gate | abi.RECEIVE))
    for sender, label in ((server, 1), (other, 2)):
        cap = desk.cap(sender, GATE, client)
        desk.program(sender, SysCall(cap | abi.SEND, label=label))

    desk.run()

    assert [result.label for result in desk.result(client)] == [1]


def test_a_gate_with_the_server_right_tells_its_label(desk: Desk) -> None:
    """ABI 4.5, 6.4: protocol KOBJECT by a capability with the server right: get_info."""
    server = desk.thread(WAIT)
    client = desk.idle_thread()
    gate = desk.cap(client, GATE, desk.gate(server, 0x1230), rights=abi.ALL_OBJECT_RIGHTS)
    ask = SysCall(gate | abi.CALL, tag(Protocol.KOBJECT, 1), words=(abi.GATE_GET_INFO,))
    desk.program(client, ask)

    desk.run()

    assert desk.result(client) == [Result(tag(words=1), 0)]
    assert client.utcb.load(0) == 0x1230
    assert desk.result(server) == []


@pytest.mark.parametrize("rights", [4, 5, 6, 7])
def test_a_label_arrives_with_the_rights_of_the_capability_used(
    desk: Desk, rights: int
) -> None:
    """ABI 4.5: delivered label = label | rights (W = 1, S = 2)."""
    server = desk.thread(WAIT)
    client = desk.idle_thread()
    gate = desk.cap(client, GATE, desk.gate(server, 0x1230), rights=rights)
    desk.program(client, SysCall(gate | abi.SEND, label=99))

    desk.run()

    assert [result.label for result in desk.result(server)] == [0x1230 | rights & 3]


def test_who_queues_on_borrowed_time_queues_with_its_priority(desk: Desk) -> None:
    """ABI 4.7: senders use their current scheduling context's priority, and keep it."""
    receiver = desk.thread(Work(50_000), WAIT, WAIT, priority=1)
    server = desk.idle_thread(priority=2)
    client = desk.idle_thread(priority=9)
    rival = desk.idle_thread(priority=5)
    desk.program(
        server, WAIT, SysCall(desk.cap(server, GATE, receiver) | abi.SEND, label=1), Work(1)
    )
    delay = SysCall(SELF | abi.RECEIVE, timeout=10)
    desk.program(rival, delay, SysCall(desk.cap(rival, GATE, receiver) | abi.SEND, label=2))
    later = SysCall(SELF | abi.RECEIVE, timeout=20)
    desk.program(client, later, SysCall(desk.cap(client, GATE, server) | abi.CALL))

    desk.run()

    assert [result.label for result in desk.result(receiver)] == [1, 2]


def test_a_send_timeout_is_the_high_half_and_a_receive_timeout_the_low(desk: Desk) -> None:
    """ABI 4.8: pair: low half receive, high half send."""
    deaf = desk.thread(Work(10**8), priority=1)
    sender, receiver = desk.idle_thread(), desk.idle_thread()
    to = desk.cap(sender, GATE, deaf)
    desk.program(sender, SysCall(to | abi.CALL, timeout=abi.TIMEOUT_ZERO << 16))
    desk.program(receiver, SysCall(SELF | abi.RECEIVE, timeout=abi.TIMEOUT_ZERO))

    desk.run(until=1_000_000)

    errors = [desk.error(thread) for thread in (sender, receiver)]
    assert errors == [IpcError.SEND_TIMEOUT, IpcError.RECEIVE_TIMEOUT]


def test_an_absolute_time_that_has_passed_is_zero(desk: Desk) -> None:
    """ABI 4.2, 4.8: a receive timeout in the past has expired; clamped to BR57 on amd64."""
    thread = desk.idle_thread()
    thread.utcb.store(utcb.BR + 57, 1)
    late = SysCall(SELF | abi.RECEIVE, timeout=abi.TIMEOUT_ABSOLUTE | 63)
    desk.program(thread, Work(5000), late)

    desk.run()

    assert desk.error(thread) == IpcError.RECEIVE_TIMEOUT


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_the_info_page_announces_no_page_fault_trampoline(arch: Arch) -> None:
    """ABI 5.5: feature string pf_tramp is absent."""
    page = kip.build(arch, kip.describe(arch, cpu_khz=1_000_000, ram=1 << 20))

    assert b"mapdb" in page
    assert b"pf_tramp" not in page


@pytest.mark.parametrize(
    "index", [abi.CAP_TASK, abi.CAP_FACTORY, abi.CAP_LOG, abi.CAP_SCHEDULER]
)
def test_kernel_objects_do_not_answer_meta(desk: Desk, index: int) -> None:
    """ABI 6.11: they answer -39."""
    thread = desk.thread(SysCall(index << 12 | abi.CALL, tag(Protocol.META, 1)))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EBADPROTO), 0)]
