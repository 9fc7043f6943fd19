"""Factories: what they make, for whom, and what they refuse."""

import pytest

from kernel import abi, quota, utcb
from kernel.abi import Errno, Protocol
from kernel.events import Created
from kernel.flexpage import ALL_SPACES
from kernel.objects import DEAD, Factory, Gate, Irq, Semaphore, Task, Thread
from tests.kernel.desk import Desk, Guest, SysCall, Work, tag
from tests.kernel.invariants import check_invariants
from tests.kernel.scene import (
    ALL,
    DELETE,
    ITEM,
    R,
    W,
    accept,
    caps,
    do,
    give,
    held,
    make,
    make_call,
    memory,
    small,
    unmap_call,
)

AT = 0x40  # where new objects go
UTCBS = 0x60_0000
THREAD = Protocol.THREAD
CONTROL = abi.THREAD_CONTROL


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def thread(desk: Desk) -> Thread:
    return desk.idle_thread()


def made(thread: Thread, index: int = AT):  # type: ignore[no-untyped-def]
    return thread.task.caps[index].object


def bind_call(target: int, task: int, address: int, flags: int = abi.CONTROL_BIND) -> SysCall:
    words = (CONTROL | flags, 0, 0, 0, 0, address, ITEM, caps(task))
    return SysCall(target << 12 | abi.CALL, tag(THREAD, 6, items=1), words=words)


def start_call(target: int, ip: int, sp: int) -> SysCall:
    words = (abi.THREAD_EX_REGS, ip, sp)
    return SysCall(target << 12 | abi.CALL, tag(THREAD, 3), words=words)


def priority_call(target: int, priority: int) -> SysCall:
    words = (abi.SCHEDULER_RUN_THREAD, 0, 1, priority, 0, ITEM, caps(target))
    sent = tag(Protocol.SCHEDULER, 5, items=1)
    return SysCall(abi.CAP_SCHEDULER << 12 | abi.CALL, sent, words=words)


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        (0, (0, 0x40), Gate),
        (Protocol.KOBJECT, (0, 0x40), Gate),
        (Protocol.TASK, (0, 0), Task),
        (Protocol.THREAD, (), Thread),
        (Protocol.FACTORY, (0, 0x1000), Factory),
        (Protocol.IRQ_SENDER, (), Irq),
        (Protocol.SEMAPHORE, (), Semaphore),
    ],
)
def test_a_factory_makes_what_the_type_says(
    desk: Desk, thread: Thread, kind: int, arguments: tuple[int, ...], expected: type
) -> None:
    """ABI 6.3: w0 = object type; reply: label 0, items 1, word0 = 0x38 at MR[words]."""
    assert make(desk, thread, AT, make_call(kind, *arguments)) == [0]

    words = 1 if expected is Task else 0
    assert type(made(thread)) is expected
    assert held(thread.task, AT) == (made(thread), ALL, True)
    assert desk.result(thread)[0].tag == tag(0, words, items=1)
    assert thread.utcb.load(words) == 0x38
    (event,) = [e for e in desk.recording.events if isinstance(e, Created)]
    assert event[2:] == (thread.number, made(thread).number, expected.kind)
    check_invariants(desk)


def test_the_second_word_of_the_item_keeps_what_it_held(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: the second word keeps the old content."""
    make(desk, thread, AT, make_call(0, 0xAAAA, 0x40))

    assert thread.utcb.load(1) == 0xAAAA


def test_a_gate_takes_any_label(desk: Desk, thread: Thread) -> None:
    """ABI 13, 8: a label with low bits set is accepted."""
    make(desk, thread, AT, make_call(0, 0, 0x1237))

    assert (made(thread).label, made(thread).thread) == (0x1237, None)


def test_a_gate_is_bound_at_once_to_the_thread_given(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: optional item thread (needs S) -> bound at once."""
    own = (ITEM, caps(abi.CAP_THREAD))
    give(desk, thread.task, 0x20, thread, ALL & ~2)
    calls = [
        make_call(0, 0, 0x10, items=own),
        make_call(0, 0, 0x10, items=(ITEM, caps(0x20))),
        make_call(0, 0, 0x10, items=(ITEM, caps(0x99))),
        make_call(0, 0, 0x10, items=(ITEM, caps(abi.CAP_LOG))),
        make_call(0, 0),
    ]

    results = make(desk, thread, AT, *calls)

    assert results == [0, -Errno.EPERM, -Errno.EINVAL, -Errno.EINVAL, -Errno.EMSGTOOSHORT]
    assert made(thread).thread is thread


def test_a_task_begins_empty_but_for_its_utcb_area(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: task: w2 utcb-area fpage -> w0 = real fpage."""
    area = memory(UTCBS, 13, 0)

    assert make(desk, thread, AT, make_call(Protocol.TASK, 0, area)) == [0]

    task = made(thread)
    assert thread.utcb.load_words(2) == (area | R | W, 0x38)
    assert (task.caps, task.pages) == ({}, {})
    assert list(desk.machine.spaces[task.number]) == [UTCBS, UTCBS + 0x1000]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((0,), Errno.EINVAL),
        ((0, caps(3, 12)), Errno.EINVAL),
        ((0, memory(0, 11)), Errno.EINVAL),
        ((0, memory(1 << 47, 12)), Errno.EINVAL),
        ((0, ALL_SPACES), Errno.EINVAL),
    ],
)
def test_a_bad_utcb_area_leaves_no_task(
    desk: Desk, thread: Thread, arguments: tuple[int, ...], error: Errno
) -> None:
    """ABI 6.3: words > 2 required, else EINVAL; the area follows the rules of ku_mem."""
    before = set(desk.kernel.objects)

    assert make(desk, thread, AT, make_call(Protocol.TASK, *arguments)) == [-error]
    assert set(desk.kernel.objects) == before
    check_invariants(desk)


@pytest.mark.parametrize("kind", [1, -1, -16, -17, -25, 1 << 40, -(1 << 62)])
def test_other_types_are_unknown(desk: Desk, thread: Thread, kind: int) -> None:
    """ABI 6.3: errors: -19 unknown type."""
    assert make(desk, thread, AT, make_call(kind, 0, 0)) == [-Errno.ENODEV]


def test_a_factory_needs_s(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: needs S right on the factory."""
    give(desk, thread.task, 0x20, desk.kernel.factory, ALL & ~2)

    call = make_call(0, 0, 0, factory=0x20)
    assert make(desk, thread, AT, call) == [-Errno.EPERM]


@pytest.mark.parametrize("buffers", [(), (ITEM, memory(0)), (ITEM, ALL_SPACES), (0,)], ids=str)
def test_without_a_buffer_for_objects_nothing_is_made(
    desk: Desk, thread: Thread, buffers: tuple[int, ...]
) -> None:
    """ABI 6.3: bad buffer -> transport error 9."""
    accept(thread, *buffers)
    before = set(desk.kernel.objects)

    assert do(desk, thread, make_call(0, 0, 0)) == [-2009]
    assert desk.result(thread)[0].tag == abi.TAG_ERROR
    assert set(desk.kernel.objects) == before


def test_a_send_only_request_makes_nothing(desk: Desk, thread: Thread) -> None:
    """ABI 6: send-only: result discarded; nobody could take the object."""
    accept(thread, small(AT))
    call = make_call(0, 0, 0)
    before = set(desk.kernel.objects)
    send = SysCall(call.selector & ~0xF | abi.SEND, call.tag, words=call.words)

    assert do(desk, thread, send) == [Protocol.FACTORY]
    assert set(desk.kernel.objects) == before


@pytest.mark.parametrize("index", [abi.AMD64.cap_limit, (1 << 52) - 1])
def test_a_slot_beyond_the_table_is_enomem(desk: Desk, thread: Thread, index: int) -> None:
    """ABI 1.3: capability indices have a limit."""
    before = set(desk.kernel.objects)

    assert make(desk, thread, index, make_call(0, 0, 0)) == [-Errno.ENOMEM]
    assert set(desk.kernel.objects) == before


def test_a_new_object_replaces_what_was_in_its_slot(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: object slot is first unmapped."""
    make(desk, thread, AT, make_call(0, 0, 0))
    first = made(thread)

    make(desk, thread, AT, make_call(0, 0, 0x40))

    assert made(thread) is not first
    assert first.number not in desk.kernel.objects
    check_invariants(desk)


def test_a_sub_factory_has_its_own_quota(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: factory: w2 quota limit; -12 quota."""
    room = 2 * quota.GATE_BYTES
    make(desk, thread, AT, make_call(Protocol.FACTORY, 0, room))

    calls = [make_call(0, 0, 0, factory=AT) for _ in range(3)]
    assert make(desk, thread, AT + 1, *calls) == [0, 0, -Errno.ENOMEM]
    check_invariants(desk)

    # What is deleted is given back.
    do(desk, thread, unmap_call(DELETE, caps(AT + 1)))
    assert make(desk, thread, AT + 1, make_call(0, 0, 0, factory=AT)) == [0]


def test_a_sub_factory_takes_its_limit_from_its_parent(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: quota; it comes back when the factory and all that it made is gone."""
    root = desk.kernel.factory.quota
    before = root.used
    make(desk, thread, AT, make_call(Protocol.FACTORY, 0, 0x1000))
    make(desk, thread, AT + 1, make_call(0, 0, 0, factory=AT))
    assert root.used == before + 0x1000 + quota.FACTORY_BYTES + 2 * quota.CAP_BYTES

    do(desk, thread, unmap_call(DELETE, caps(AT)))
    assert root.used == before + 0x1000 + quota.CAP_BYTES
    check_invariants(desk)
    do(desk, thread, unmap_call(DELETE, caps(AT + 1)))
    assert root.used == before


@pytest.mark.parametrize(
    ("arguments", "items", "error"),
    [
        ((0,), (), Errno.EMSGTOOSHORT),
        ((0, 0x1000, 0), (), Errno.EMSGTOOLONG),
        ((0, 0x1000), (ITEM, caps(1)), Errno.EMSGTOOLONG),
        ((0, (1 << 64) - 1), (), Errno.ENOMEM),
    ],
)
def test_a_sub_factory_takes_exactly_three_words(
    desk: Desk,
    thread: Thread,
    arguments: tuple[int, ...],
    items: tuple[int, ...],
    error: Errno,
) -> None:
    """ABI 6.3: exactly 3 words, no items."""
    call = make_call(Protocol.FACTORY, *arguments, items=items)
    assert make(desk, thread, AT, call) == [-error]


def test_threads_are_limited(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: -12; the machine has room for 1024 threads."""
    calls = [make_call(Protocol.THREAD)] * 1025

    results = make(desk, thread, 0x100, *calls)

    assert results == [0] * 1023 + [-Errno.ENOMEM] * 2
    check_invariants(desk)


def test_a_full_quota_refuses_every_kind(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: errors: -12 quota."""
    root = desk.kernel.factory.quota
    root.limit = root.used + quota.CAP_BYTES
    kinds = (0, Protocol.TASK, Protocol.THREAD, Protocol.FACTORY, -18, Protocol.SEMAPHORE)

    results = make(desk, thread, AT, *(make_call(kind, 0, 0) for kind in kinds))

    assert results == [-Errno.ENOMEM] * len(kinds)
    check_invariants(desk)


def test_no_room_for_a_space_is_enomem(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: -12; page tables of the machine run out."""
    desk.machine.space_room = 0

    assert make(desk, thread, AT, make_call(Protocol.TASK, 0, 0)) == [-Errno.ENOMEM]
    check_invariants(desk)


def test_a_new_thread_is_bound_started_and_runs(desk: Desk, thread: Thread) -> None:
    """ABI 6.2: start = control(bind, pager, exc) + scheduler.run_thread + ex_regs(ip, sp)."""
    make(
        desk,
        thread,
        AT,
        make_call(Protocol.TASK, 0, memory(UTCBS, 12)),
        make_call(Protocol.THREAD),
    )
    task, new = made(thread), made(thread, AT + 1)
    address = UTCBS + 3 * 1024
    desk.machine.entries[0x5000] = iter_work()

    bound = do(
        desk,
        thread,
        bind_call(AT + 1, AT, address, abi.CONTROL_BIND | abi.CONTROL_SET_PAGER),
        priority_call(AT + 1, 7),
        start_call(AT + 1, 0x5000, 0x9000),
    )

    assert bound == [0, 0, 0]
    assert (new.task, new.utcb_address, new.priority) == (task, address, 7)
    assert new.utcb.load(utcb.SELF) == address
    assert (new.context.ip, new.context.sp) == (0x5000, 0x9000)
    assert new.context.cycles > 500  # it ran
    check_invariants(desk)


def iter_work() -> Guest:
    yield Work(1000)


def test_an_unbound_thread_cannot_be_started(desk: Desk, thread: Thread) -> None:
    """ABI 6.2: a fresh thread: not runnable, unbound."""
    make(desk, thread, AT, make_call(Protocol.THREAD))

    results = do(desk, thread, start_call(AT, 0x5000, 0), priority_call(AT, 7))

    assert results == [-Errno.EINVAL, -Errno.EINVAL]
    assert (made(thread).state, made(thread).priority) == (DEAD, 1)


def test_a_message_to_an_unbound_thread_is_error_4(desk: Desk, thread: Thread) -> None:
    """ABI 3: not existent: receiver thread invalid."""
    make(desk, thread, AT, make_call(Protocol.THREAD))

    results = do(
        desk,
        thread,
        SysCall(AT << 12 | abi.SEND, tag(1)),
        SysCall(AT << 12 | abi.CALL, tag(1)),
        SysCall(AT << 12 | abi.RECEIVE, tag(1)),
    )

    assert [result.tag & abi.TAG_ERROR for result in desk.result(thread)] == [0x8000] * 3
    assert results[-1] == -2005


@pytest.mark.parametrize(
    ("task", "address"),
    [
        (AT, UTCBS - 8),
        (AT, UTCBS + 0x1000 - 512),
        (AT, UTCBS + 4),
        (AT, 0),
        (AT, 0x2000),
        (AT, (1 << 64) - 8),
        (AT, 0x2_0000_0000_0000_0000 - 1024),
        (abi.CAP_LOG, UTCBS),
        (0x99, UTCBS),
    ],
)
def test_binding_needs_a_utcb_in_kernel_user_memory(
    desk: Desk, thread: Thread, task: int, address: int
) -> None:
    """ABI 6.2: UTCB must be in ku_mem (else EINVAL)."""
    make(
        desk,
        thread,
        AT,
        make_call(Protocol.TASK, 0, memory(UTCBS, 12)),
        make_call(Protocol.THREAD),
    )
    # An area of its own right behind: a UTCB lies in one.
    desk.kernel.add_ku_mem(made(thread), UTCBS + 0x1000, 0x1000)
    call = bind_call(AT + 1, task, address & (1 << 64) - 1)

    assert do(desk, thread, call) == [-Errno.EINVAL]
    assert not made(thread, AT + 1).is_bound()
    check_invariants(desk)


def test_a_thread_is_bound_only_once(desk: Desk, thread: Thread) -> None:
    """ABI 6.2: bind only once (unbound thread)."""
    make(desk, thread, AT, make_call(Protocol.THREAD))
    desk.kernel.add_ku_mem(thread.task, UTCBS, 0x1000)

    results = do(
        desk, thread, *(bind_call(AT, abi.CAP_TASK, UTCBS + k * 1024) for k in range(2))
    )

    assert results == [0, -Errno.EINVAL]
    assert made(thread).utcb_address == UTCBS


def test_binding_needs_s_on_the_task(desk: Desk, thread: Thread) -> None:
    """ABI 6.2: needs S right (also on task)."""
    make(desk, thread, AT, make_call(Protocol.THREAD))
    desk.kernel.add_ku_mem(thread.task, UTCBS, 0x1000)
    give(desk, thread.task, 0x20, thread.task, ALL & ~2)

    assert do(desk, thread, bind_call(AT, 0x20, UTCBS)) == [-Errno.EPERM]
    assert not made(thread).is_bound()
