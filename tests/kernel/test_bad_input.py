"""Guests that ask for the impossible: an error, and nothing is lost of other tasks."""

from itertools import pairwise

import pytest

from kernel import abi
from kernel.abi import Errno, Protocol
from kernel.events import Fate, Fault
from kernel.flexpage import Flexpage, Kind, encode
from kernel.objects import Task, Thread
from kernel.port import FAULT_USER
from tests.kernel.desk import NEVER, SELF, Desk, Guest, PageFault, SysCall, Trap, Work, tag
from tests.kernel.invariants import check_invariants
from tests.kernel.scene import (
    DELETE,
    EVERYWHERE,
    ITEM,
    PAGE,
    SELF_TOO,
    R,
    accept,
    caps,
    do,
    give,
    make,
    make_call,
    map_call,
    memory,
    put_page,
    shown,
    unmap_call,
)

OTHER, THIRD, THING = 0x20, 0x21, 0x30
WAIT = SysCall(SELF | abi.WAIT)
NONE, KERNEL = 0, 0xFFFF_8000_0000_0000

# Flexpages that no guest should send: what they say, and what they are.
FPAGES = {
    "order 63": memory(0, 63),
    "order 63 from the middle": memory(0x7000, 63),
    "order 63 of objects": caps(0, 63),
    "order 63 of everything": encode(Flexpage(Kind.SPECIAL, 0, 63, 0xF)),
    "order 63 of ports": encode(Flexpage(Kind.IO, 0, 63, 7)),
    "order 11": memory(0x1000, 11),
    "order 0": memory(0x1000, 0),
    "misaligned": memory(0x1000, 14),
    "the end of user memory": memory((1 << 47) - PAGE, 13),
    "beyond the address space": memory(1 << 48, 12),
    "kernel memory": memory(KERNEL & (1 << 63) - 1, 12) | KERNEL & 1 << 63,
    "the last page": (1 << 64) - PAGE | 12 << 6 | int(Kind.MEMORY) << 4 | 7,
    "all ones": (1 << 64) - 1,
    "nothing": NONE,
}


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def thread(desk: Desk) -> Thread:
    """A thread that knows another task, and has a page and a gate; a third has some, too."""
    thread = desk.idle_thread()
    other, third = desk.task(), desk.task()
    give(desk, thread.task, OTHER, other)
    put_page(desk, thread.task, 0x1000)
    give(desk, thread.task, THING, desk.gate(None, 0))
    put_page(desk, third, 0x1000)
    give(desk, third, THING, desk.gate(None, 0x10))
    return thread


def third_task(desk: Desk) -> Task:
    return [o for o in desk.kernel.objects.values() if isinstance(o, Task)][-1]


def state_of(desk: Desk, task: Task) -> tuple[object, ...]:
    return (
        dict(desk.machine.spaces[task.number]),
        {index: (cap.object.number, cap.rights) for index, cap in task.caps.items()},
        dict(task.ku_pages),
    )


@pytest.mark.parametrize("name", FPAGES)
@pytest.mark.parametrize("how", ["map", "ku_mem", "unmap", "unmap all", "send", "window"])
def test_a_hostile_flexpage_costs_little_and_harms_nobody(
    desk: Desk, thread: Thread, name: str, how: str
) -> None:
    """ABI 4.9, 6.1: whatever a flexpage says, what is there bounds what is done."""
    fpage = FPAGES[name]
    third = third_task(desk)
    before = state_of(desk, third)
    cost = desk.machine.now
    match how:
        case "map":
            calls = [map_call(desk, thread, OTHER, abi.CAP_TASK, fpage, spot=fpage)]
        case "ku_mem":
            words = (abi.TASK_ADD_KU_MEM, fpage)
            sent = tag(Protocol.TASK, 2)
            calls = [SysCall(OTHER << 12 | abi.CALL, sent, words=words)]
        case "unmap":
            calls = [unmap_call(0, fpage), unmap_call(0, fpage, task=OTHER)]
        case "unmap all":
            calls = [unmap_call(SELF_TOO, fpage, task=OTHER)]
        case _:
            item, window = (
                (fpage, EVERYWHERE) if how == "send" else (memory(0x1000), (ITEM, fpage))
            )
            receiver = desk.idle_thread()
            accept(receiver, *window)
            desk.program(receiver, WAIT)
            give(desk, thread.task, THIRD, receiver)
            sent = tag(0, items=1)
            calls = [
                SysCall(THIRD << 12 | abi.SEND, sent, words=(ITEM | fpage & -PAGE, item)),
            ]

    results = do(desk, thread, *calls)

    allowed = {0, -Errno.EINVAL, -Errno.ENOMEM, -Errno.EEXIST}
    # An item that fits no window cuts the message; a flexpage of nothing fits any.
    assert set(results) <= allowed | {-2000 - 8, -2000 - 9}
    assert state_of(desk, third) == before
    assert desk.machine.now - cost < 100_000
    for space in desk.machine.spaces.values():
        assert all(0 <= page < desk.machine.user_end for page in space)
    check_invariants(desk)


OBJECTS = {
    "the task": (abi.CAP_TASK, Protocol.TASK),
    "the factory": (abi.CAP_FACTORY, Protocol.FACTORY),
    "the thread": (abi.CAP_THREAD, Protocol.THREAD),
    "the log": (abi.CAP_LOG, Protocol.LOG),
    "the scheduler": (abi.CAP_SCHEDULER, Protocol.SCHEDULER),
    "the debugger": (abi.CAP_DEBUGGER, Protocol.DEBUGGER),
    "a gate": (THING, Protocol.KOBJECT),
}
FIRST_WORDS = (*range(0x14), 0x100, 0x104, 0x107, 0x110, 0x201, 0x204, 0x205, 0x210, 0x211)


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize(("words", "items"), [(63, 63), (63, 1), (62, 1), (0, 63), (1, 32)])
def test_items_beyond_the_utcb_are_no_items_to_an_object(
    desk: Desk, thread: Thread, name: str, words: int, items: int
) -> None:
    """ABI 6: item counts beyond the message registers: an error, whatever is asked for."""
    index, protocol = OBJECTS[name]
    give(desk, thread.task, abi.CAP_DEBUGGER, desk.kernel.create_debugger())
    before = state_of(desk, third_task(desk))
    sent = tag(protocol, words, items)
    calls = [
        SysCall(index << 12 | abi.CALL, sent, words=(first, *[0] * 62), timeout=1)
        for first in FIRST_WORDS
    ]

    results = do(desk, thread, *calls)

    assert len(results) == len(calls)
    assert all(-3000 < label <= 0x1000 for label in results)
    assert state_of(desk, third_task(desk)) == before
    check_invariants(desk)


@pytest.mark.parametrize("kind", [Protocol.THREAD, Protocol.IRQ_SENDER, Protocol.SEMAPHORE])
def test_a_quota_that_was_exhausted_pays_again_for_as_much(
    desk: Desk, thread: Thread, kind: Protocol
) -> None:
    """ABI 6.3: -12; what is deleted is paid back to the last byte."""
    limit = 40_000
    calls = [make_call(-15, 1 | 8 << 16, limit)]
    assert make(desk, thread, 0x40, *calls) == [0]
    quota = thread.task.caps[0x40].object.quota  # type: ignore[union-attr]

    def exhaust() -> int:
        made = make(desk, thread, 0x100, *[make_call(kind, factory=0x40)] * 400)
        assert set(made) <= {0, -Errno.ENOMEM}
        return made.index(-Errno.ENOMEM)

    first = exhaust()
    check_invariants(desk)
    assert do(desk, thread, unmap_call(DELETE, caps(0x100, 8), caps(0x200, 8))) == [0]
    assert quota.used == 0
    assert exhaust() == first > 8
    check_invariants(desk)


def test_a_cycle_of_three_tasks_closes_to_nothing(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: A -> B -> C -> A at the origin: all are gone, and no frame is lost."""
    a, b, c = thread.task, desk.task(), desk.task()
    for index, task in ((OTHER, b), (THIRD, c)):
        give(desk, a, index, task)
    own = abi.CAP_TASK
    used = desk.kernel.factory.quota.used
    calls = [
        map_call(desk, thread, OTHER, own, memory(0x1000), 0x5000),
        map_call(desk, thread, THIRD, OTHER, memory(0x5000), 0x6000),
        map_call(desk, thread, own, THIRD, memory(0x6000), 0x2000),
        map_call(desk, thread, own, THIRD, memory(0x6000), 0x1000),
    ]

    assert do(desk, thread, *calls) == [0, 0, 0, 0]
    assert [shown(desk, task) for task in (a, b, c)] == [{}, {}, {}]
    assert desk.kernel.factory.quota.used < used
    check_invariants(desk)


def test_10_000_system_calls_that_map_and_unmap_leave_nothing(
    desk: Desk, thread: Thread
) -> None:
    """ABI 6.1: map and unmap by a guest: time grows with the calls only, and memory not."""
    up = map_call(desk, thread, OTHER, abi.CAP_TASK, memory(0x1000, rights=R), 0x5000)
    down = unmap_call(0, memory(0x1000))
    before = [state_of(desk, each) for each in (thread.task, third_task(desk))]
    used, room = desk.kernel.factory.quota.used, desk.machine.table_pages
    taken = []

    for _ in range(2):
        started = desk.machine.now
        assert set(do(desk, thread, *[up, down] * 5_000)) == {0}
        taken.append(desk.machine.now - started)

    assert abs(taken[0] - taken[1]) < 1000
    assert (desk.kernel.factory.quota.used, desk.machine.table_pages) == (used, room)
    assert [state_of(desk, each) for each in (thread.task, third_task(desk))] == before
    check_invariants(desk)


# -- recursion ---------------------------------------------------------------------


def worker(desk: Desk) -> tuple[Thread, list[int]]:
    """Make a thread of another task that must go on whatever others do."""
    done: list[int] = []

    def guest() -> Guest:
        for k in range(50):
            yield Work(1000)
            yield SysCall(SELF | abi.RECEIVE, timeout=1)
            done.append(k)

    made = desk.idle_thread(priority=1)
    desk.guest(made, guest())
    return made, done


def serve(desk: Desk, server: Thread, client: Thread) -> None:
    desk.cap(client, OTHER, server)
    client.pager = client.handler = OTHER


def test_a_pager_that_faults_on_the_page_it_pages_holds_up_its_client_only(desk: Desk) -> None:
    """ABI 5.1: a pager without a pager of its own dies, and its client gets no answer."""
    _, done = worker(desk)
    pager, client = desk.idle_thread(), desk.idle_thread()
    serve(desk, pager, client)
    desk.program(pager, WAIT, PageFault(0x5000, FAULT_USER))
    desk.program(client, PageFault(0x5000, FAULT_USER))

    assert desk.run() == "fault"

    fates = [(e.thread, e.fate) for e in desk.recording.events if isinstance(e, Fault)]
    assert fates == [(client.number, Fate.HANDLED), (pager.number, Fate.KILLED)]
    assert not client.is_runnable()
    assert len(done) == 50
    check_invariants(desk)


def test_two_pagers_that_page_each_other_wait_for_ever(desk: Desk) -> None:
    """ABI 5.1: a pager that faults while it serves its own pager: a deadlock, no recursion."""
    _, done = worker(desk)
    one, two = desk.idle_thread(), desk.idle_thread()
    serve(desk, one, two)
    serve(desk, two, one)
    desk.program(one, PageFault(0x5000, FAULT_USER))
    desk.program(two, WAIT, PageFault(0x6000, FAULT_USER))

    assert desk.run() == "idle"
    assert not one.is_runnable()
    assert not two.is_runnable()
    assert len(done) == 50
    check_invariants(desk)


def test_two_handlers_that_handle_each_other_wait_for_ever(desk: Desk) -> None:
    """ABI 5.2: an exception while one is handled, by its own faulter."""
    _, done = worker(desk)
    one, two = desk.idle_thread(), desk.idle_thread()
    serve(desk, one, two)
    serve(desk, two, one)
    desk.program(one, Trap(6))
    desk.program(two, WAIT, Trap(6))

    assert desk.run() == "idle"
    assert not one.is_runnable()
    assert not two.is_runnable()
    assert len(done) == 50
    check_invariants(desk)


def test_a_long_chain_of_pagers_does_not_recurse(desk: Desk) -> None:
    """ABI 5.1: each of many pagers faults while it serves another; the last one answers."""
    chain = [desk.idle_thread() for _ in range(200)]
    for client, server in pairwise(chain):
        serve(desk, server, client)
    fault = PageFault(0x5000, FAULT_USER)
    answer = SysCall(SELF | abi.REPLY, tag(), timeout=NEVER)
    desk.program(chain[0], fault, Work(10))
    for middle in chain[1:-1]:
        desk.program(middle, WAIT, fault, answer)
    desk.program(chain[-1], WAIT, answer)

    assert desk.run() == "idle"
    faults = [e for e in desk.recording.events if isinstance(e, Fault)]
    assert [e.fate for e in faults] == [Fate.HANDLED] * 199
    assert desk.machine.contexts[chain[0].number].work == 0
    check_invariants(desk)
