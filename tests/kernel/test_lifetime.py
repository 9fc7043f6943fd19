"""How objects end, and that nothing is left of them."""

from itertools import pairwise

import pytest

from kernel import abi, utcb
from kernel.abi import Protocol
from kernel.events import Deleted
from kernel.flexpage import ALL_SPACES
from kernel.freeze import freeze, thaw
from kernel.objects import Task, Thread
from tests.kernel.desk import SELF, Desk, Guest, SysCall, Work, tag
from tests.kernel.invariants import check_invariants
from tests.kernel.scene import (
    ALL,
    DELETE,
    ITEM,
    RWX,
    SELF_TOO,
    accept,
    caps,
    do,
    give,
    held,
    make,
    make_call,
    map_call,
    memory,
    put_page,
    shown,
    small,
    unmap_call,
)

AT = 0x40
THING = 0x30
UTCBS = 0x60_0000
NO_D = ALL & ~int(abi.Rights.D)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def thread(desk: Desk) -> Thread:
    """Give the thread that deletes; it is the first to run."""
    return desk.idle_thread(priority=3)


def deleted(desk: Desk) -> list[int]:
    return [event.target for event in desk.recording.events if isinstance(event, Deleted)]


def delete(desk: Desk, thread: Thread, target: Thread | Task | object) -> list[int]:
    """Delete an object by way of a capability with all rights."""
    give(desk, thread.task, THING, target)  # type: ignore[arg-type]
    labels = do(desk, thread, unmap_call(DELETE, caps(THING)))
    check_invariants(desk)
    return labels


def test_the_last_counted_capability_takes_its_object_along(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: refcount drop of the last counted capability deletes."""
    make(desk, thread, AT, make_call(0, 0, 0))
    gate = thread.task.caps[AT].object
    other = desk.task()
    give(desk, thread.task, 0x20, other)
    move = map_call(desk, thread, 0x20, abi.CAP_TASK, caps(AT), 0x50 << 12)

    do(desk, thread, move, unmap_call(SELF_TOO, caps(AT)))
    assert held(other, 0x50) is not None
    do(desk, thread, unmap_call(SELF_TOO, caps(0x50), task=0x20))

    assert deleted(desk) == [gate.number]
    check_invariants(desk)


def test_uncounted_capabilities_do_not_keep_an_object(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: attribute 0x10 not reference-counted: they vanish with the last counted one."""
    make(desk, thread, AT, make_call(0, 0, 0))
    gate = thread.task.caps[AT].object
    weak = map_call(
        desk,
        thread,
        abi.CAP_TASK,
        abi.CAP_TASK,
        caps(AT),
        (AT + 1) << 12 | abi.ITEM_UNCOUNTED,
    )

    do(desk, thread, weak)
    assert held(thread.task, AT + 1) == (gate, 0xF, False)
    do(desk, thread, unmap_call(SELF_TOO, caps(AT)))

    assert deleted(desk) == [gate.number]
    assert held(thread.task, AT + 1) is None
    check_invariants(desk)


def test_what_boot_made_stays_without_capabilities(desk: Desk, thread: Thread) -> None:
    """ABI 6.12: whoever set the scene keeps what is in it, until it is deleted."""
    gate = desk.gate(None, 0)
    give(desk, thread.task, THING, gate)

    do(desk, thread, unmap_call(SELF_TOO, caps(THING)))

    assert gate.number in desk.kernel.objects
    assert deleted(desk) == []


def test_delete_without_right_d_only_releases(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: 0xc0000000 delete object, if the capability has D."""
    gate = desk.gate(None, 0)
    give(desk, thread.task, THING, gate, NO_D)
    give(desk, thread.task, THING + 1, gate)

    do(desk, thread, unmap_call(DELETE, caps(THING)))

    assert deleted(desk) == []
    assert held(thread.task, THING + 1) is not None


def test_delete_takes_every_capability_away(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: unmap of an object affects all copies when delete is requested."""
    gate = desk.gate(None, 0)
    other = desk.task()
    give(desk, other, THING, gate, 5)
    give(desk, thread.task, THING + 1, gate)

    delete(desk, thread, gate)

    assert (held(other, THING), held(thread.task, THING + 1)) == (None, None)
    assert deleted(desk) == [gate.number]


@pytest.mark.parametrize("index", [abi.CAP_LOG, abi.CAP_FACTORY, abi.CAP_SCHEDULER])
def test_the_kernels_own_objects_cannot_be_deleted(
    desk: Desk, thread: Thread, index: int
) -> None:
    """ABI 6.12: they live as long as the kernel."""
    target = thread.task.caps[index].object

    delete(desk, thread, target)

    assert deleted(desk) == []
    assert held(thread.task, index) is not None
    assert held(thread.task, THING) is None


def test_senders_in_a_deleted_gate_get_error_4(desk: Desk, thread: Thread) -> None:
    """ABI 4.5: gate deletion -> error 4."""
    gate = desk.gate(None, 0x40)
    waiting = desk.idle_thread()
    give(desk, waiting.task, THING, gate, NO_D)
    desk.program(waiting, SysCall(THING << 12 | abi.CALL, tag(1)))
    desk.run(1_000_000)

    delete(desk, thread, gate)

    assert desk.error(waiting) == 4
    assert desk.result(waiting)[0].tag == abi.TAG_ERROR


def test_a_receiver_from_a_deleted_gate_gets_error_4(desk: Desk, thread: Thread) -> None:
    """ABI 4.5: gate deletion -> error 4."""
    gate = desk.gate(None, 0x40)
    waiting = desk.idle_thread()
    give(desk, waiting.task, THING, gate, NO_D)
    desk.program(waiting, SysCall(THING << 12 | abi.RECEIVE, tag(1)))
    desk.run(1_000_000)

    delete(desk, thread, gate)

    assert desk.error(waiting) == 4


def test_senders_to_a_deleted_thread_get_error_6_and_it_is_gone(
    desk: Desk, thread: Thread
) -> None:
    """ABI 2, 4.10: its queued sender gets 6; the free marker of its UTCB is 0."""
    busy = desk.thread(Work(100_000_000), priority=1)
    busy.utcb.store(utcb.FREE_MARKER, 77)
    sender = desk.idle_thread()
    desk.cap(sender, THING, busy)
    desk.program(sender, SysCall(THING << 12 | abi.CALL, tag(1)))
    desk.run(1_000_000)
    frame = busy.utcb_frame

    delete(desk, thread, busy)

    assert desk.error(sender) == 6
    assert deleted(desk) == [busy.number]
    # ABI 2: the free marker is written 0 when the dead thread's UTCB is no longer used.
    assert desk.machine.words(frame, 128)[utcb.FREE_MARKER] == 0


def test_a_client_of_a_deleted_server_waits_for_its_timeout(desk: Desk, thread: Thread) -> None:
    """ABI 4.10: a client in closed wait for a server that dies is not woken."""
    server = desk.thread(SysCall(SELF | abi.WAIT))
    client = desk.idle_thread()
    desk.cap(client, THING, server)
    # A receive timeout of about a second.
    desk.program(client, SysCall(THING << 12 | abi.CALL, tag(1), timeout=0x2BE8))
    desk.run(1_000_000)

    delete(desk, thread, server)
    assert desk.error(client) == 0
    desk.run(10_000_000_000)

    assert desk.error(client) == 3


def test_a_gate_of_a_deleted_thread_answers_error_4_until_it_is_bound_again(
    desk: Desk, thread: Thread
) -> None:
    """ABI 3: not existent: receiver thread invalid."""
    server = desk.idle_thread()
    gate = desk.gate(server, 0x40)
    client = desk.idle_thread()
    give(desk, client.task, THING, gate, NO_D & ~0x20)
    delete(desk, thread, server)
    assert (gate.thread, gate.orphaned) == (None, True)

    assert do(desk, client, SysCall(THING << 12 | abi.SEND, tag(1))) == [-2004]
    assert do(desk, client, SysCall(THING << 12 | abi.RECEIVE, tag(1))) == [-2005]

    give(desk, thread.task, THING, gate)
    bind = (abi.GATE_BIND, 0x40, ITEM, caps(abi.CAP_THREAD))
    call = SysCall(THING << 12 | abi.CALL, tag(Protocol.KOBJECT, 2, items=1), words=bind)
    assert do(desk, thread, call, SysCall(SELF | abi.WAIT, timeout=0x400)) == [0, -2003]
    assert not gate.orphaned


def test_the_reply_capability_to_a_deleted_caller_is_gone(desk: Desk, thread: Thread) -> None:
    """ABI 4.6: cleared by the caller's death."""
    slot = 3 << 12 | abi.CAP_REPLY_BIT
    server = desk.thread(SysCall(slot | abi.WAIT), SysCall(SELF | abi.WAIT))
    callers = [desk.idle_thread() for _ in range(2)]
    for caller in callers:
        desk.cap(caller, THING, server)
        desk.program(caller, SysCall(THING << 12 | abi.CALL, tag(1)))
    desk.run(1_000_000)
    assert (len(server.task.reply_slots), server.reply is not None) == (1, True)

    for caller in callers:
        delete(desk, thread, caller)

    assert (server.task.reply_slots, server.reply) == ({}, None)


def test_the_last_thread_of_a_task_takes_explicit_reply_slots_along(
    desk: Desk, thread: Thread
) -> None:
    """ABI 4.6: cleared by the death of the last thread of the task (explicit)."""
    slot = 3 << 12 | abi.CAP_REPLY_BIT
    server = desk.thread(SysCall(slot | abi.WAIT))
    caller = desk.idle_thread()
    desk.cap(caller, THING, server)
    desk.program(caller, SysCall(THING << 12 | abi.CALL, tag(1)))
    desk.run(1_000_000)

    delete(desk, thread, server)

    assert (server.task.reply_slots, caller.replier) == ({}, None)


def test_a_thread_may_delete_itself(desk: Desk, thread: Thread) -> None:
    """ABI 6.3: object deletion through unmap with delete."""
    other = desk.thread(Work(10))
    give(desk, thread.task, THING, thread)

    do(desk, thread, unmap_call(DELETE, caps(THING)), Work(1000))

    assert deleted(desk) == [thread.number]
    assert desk.result(thread) == []
    assert desk.kernel.running == other.number
    check_invariants(desk)


def test_a_task_may_delete_itself(desk: Desk, thread: Thread) -> None:
    """ABI 13, 4: its threads are killed, its memory is unmapped everywhere."""
    desk.idle_thread(task=thread.task)
    other = desk.task()
    put_page(desk, thread.task, 0x1000)
    give(desk, thread.task, 0x20, other, NO_D)
    give(desk, thread.task, THING, thread.task)

    do(
        desk,
        thread,
        map_call(desk, thread, 0x20, abi.CAP_TASK, memory(0x1000), 0x5000),
        unmap_call(DELETE, caps(THING)),
    )

    assert thread.task.number in deleted(desk)
    assert len(deleted(desk)) == 3
    assert shown(desk, other) == {}
    check_invariants(desk)


def test_a_deleted_task_takes_along_what_it_held_with_d(desk: Desk, thread: Thread) -> None:
    """ABI 13, 4: deleting a task deletes every object for which it held the delete right."""
    victim = desk.task()
    kept, lost = desk.gate(None, 0), desk.gate(None, 4)
    give(desk, victim, THING, kept, NO_D)
    give(desk, victim, THING + 1, lost)
    give(desk, thread.task, AT, kept)
    give(desk, thread.task, AT + 1, lost)

    delete(desk, thread, victim)

    assert deleted(desk) == [victim.number, lost.number]
    assert (held(thread.task, AT), held(thread.task, AT + 1)) == ((kept, ALL, True), None)


def test_tasks_that_hold_each_other_go_together(desk: Desk, thread: Thread) -> None:
    """ABI 13, 4: the end of one is the end of others, round in a circle."""
    tasks = [desk.task() for _ in range(50)]
    for k, task in enumerate(tasks):
        desk.idle_thread(task=task)
        give(desk, task, THING, tasks[(k + 1) % len(tasks)])

    delete(desk, thread, tasks[0])

    assert len(deleted(desk)) == 100
    assert len(desk.machine.spaces) == 1


def test_a_chain_of_many_tasks_does_not_recurse(desk: Desk, thread: Thread) -> None:
    """ABI 13, 4: how long a chain is, is up to the guests."""
    tasks = [desk.task() for _ in range(3000)]
    for task, following in pairwise(tasks):
        give(desk, task, THING, following)

    delete(desk, thread, tasks[0])

    assert deleted(desk) == [task.number for task in tasks]


def test_unmapping_all_spaces_of_the_own_task_ends_what_it_alone_held(
    desk: Desk, thread: Thread
) -> None:
    """ABI 6.1: order-63 special fpage unmaps everything in all spaces."""
    make(desk, thread, AT, make_call(0, 0, 0), make_call(Protocol.TASK, 0, 0))

    do(desk, thread, unmap_call(SELF_TOO, ALL_SPACES))

    assert thread.task.caps == {}
    assert len(deleted(desk)) == 2
    check_invariants(desk)


def test_a_running_thread_on_a_deleted_scheduling_context_goes_on(
    desk: Desk, thread: Thread
) -> None:
    """ABI 4.4: who ran on a caller's scheduling context goes on with its own."""
    server = desk.idle_thread(priority=1)
    client = desk.idle_thread(priority=5)
    desk.cap(client, THING, server)
    give(desk, server.task, THING, client)
    desk.program(client, SysCall(THING << 12 | abi.CALL, tag(1)))
    desk.program(
        server, SysCall(SELF | abi.WAIT), unmap_call(DELETE, caps(THING)), Work(50_000_000)
    )

    desk.run(100_000_000)

    assert deleted(desk) == [client.number]
    assert [result.tag for result in desk.result(server)][1] == tag(0, 3)
    check_invariants(desk)


def test_receiving_a_capability_can_end_the_receiver(desk: Desk) -> None:
    """ABI 4.9: a slot that is taken is unmapped first, and it held the receiver's own task."""
    receiver = desk.idle_thread()
    sender = desk.idle_thread()
    give(desk, receiver.task, 0x50, receiver.task)
    give(desk, sender.task, THING, desk.gate(receiver, 0x40))
    accept(receiver, small(0x50))
    desk.program(receiver, SysCall(SELF | abi.WAIT), Work(1000))
    call = SysCall(THING << 12 | abi.CALL, tag(1, 0, items=1), words=(ITEM, caps(THING)))

    assert do(desk, sender, call) == []

    assert receiver.task.number in deleted(desk)
    assert sender.number in desk.kernel.objects
    check_invariants(desk)


def test_irqs_and_semaphores_are_deleted(desk: Desk, thread: Thread) -> None:
    """ABI 4.10: semaphore destroyed -> waiters get 4."""
    make(desk, thread, AT, make_call(Protocol.SEMAPHORE), make_call(Protocol.IRQ_SENDER))
    semaphore, irq = (thread.task.caps[AT + k].object for k in range(2))
    waiter = desk.idle_thread()
    give(desk, waiter.task, THING, semaphore, NO_D)
    down = SysCall(THING << 12 | abi.CALL, tag(Protocol.SEMAPHORE, 1), words=(0,))
    desk.program(waiter, down)
    desk.run(desk.machine.now + 1_000_000)

    do(desk, thread, unmap_call(DELETE, caps(AT), caps(AT + 1)))

    assert deleted(desk) == [semaphore.number, irq.number]
    assert desk.error(waiter) == 4
    check_invariants(desk)


def test_the_server_can_give_up_its_reference(desk: Desk, thread: Thread) -> None:
    """ABI 6.4: dec_refcnt: w1 diff -> w0 count; then the last client's release deletes."""
    make(desk, thread, AT, make_call(0, 0, 0))
    gate = thread.task.caps[AT].object
    client = desk.task()
    give(desk, client, AT, gate, NO_D)
    give(desk, thread.task, 0x20, client)
    words = (abi.GATE_DEC_REFCNT, 1)
    call = SysCall(AT << 12 | abi.CALL, tag(Protocol.KOBJECT, 2), words=words)

    assert do(desk, thread, call) == [0]
    assert thread.utcb.load(0) == 1
    do(desk, thread, unmap_call(SELF_TOO, caps(AT), task=0x20))

    assert deleted(desk) == [gate.number]
    check_invariants(desk)


def test_kernel_user_memory_of_a_deleted_task_is_used_again(desk: Desk, thread: Thread) -> None:
    """ABI 2: memory the kernel itself allocated; what is given back is zeroed anew."""
    free = list(desk.kernel.shared_free)
    for _ in range(300):
        make(desk, thread, AT, make_call(Protocol.TASK, 0, memory(UTCBS, 17)))
        task = thread.task.caps[AT].object
        assert isinstance(task, Task)
        frame = task.ku_pages[UTCBS][0]
        assert desk.machine.memory[frame : frame + 16] == bytes(16)
        desk.machine.memory[frame : frame + 16] = b"\xff" * 16

        do(desk, thread, unmap_call(DELETE, caps(AT)))

    assert desk.kernel.shared_free == free
    check_invariants(desk)


def test_a_kernel_with_unbound_threads_and_uncounted_capabilities_thaws(
    desk: Desk, thread: Thread
) -> None:
    """Everything that this kernel keeps is written down, and comes back as it was."""
    make(
        desk,
        thread,
        AT,
        make_call(Protocol.FACTORY, 0, 0x8000),
        make_call(Protocol.THREAD, factory=AT),
        make_call(0, 0, 0, factory=AT),
        make_call(Protocol.TASK, 0, memory(UTCBS, 13)),
    )
    weak = (AT + 9) << 12 | abi.ITEM_UNCOUNTED
    do(
        desk,
        thread,
        map_call(desk, thread, abi.CAP_TASK, abi.CAP_TASK, caps(AT + 2), weak),
        unmap_call(SELF_TOO, caps(AT)),
    )
    put_page(desk, thread.task, 0x1000)
    frozen = freeze(desk.kernel)
    spaces = {number: dict(pages) for number, pages in desk.machine.spaces.items()}
    for pages in desk.machine.spaces.values():
        pages.clear()

    desk.kernel = thaw(frozen, desk.machine)

    assert freeze(desk.kernel) == frozen
    assert desk.machine.spaces == spaces
    assert spaces[thread.task.number][0x1000][1] == RWX
    check_invariants(desk)


def test_deletion_within_a_donated_time_slice_keeps_the_clock_going(desk: Desk) -> None:
    """ABI 4.4: a time slice that belonged to a deleted thread ends nothing."""

    def busy() -> Guest:
        while True:
            yield Work(1_000_000)

    first, second = desk.idle_thread(), desk.idle_thread()
    desk.guest(first, busy())
    desk.guest(second, busy())
    killer = desk.idle_thread(priority=5)
    give(desk, killer.task, THING, first)
    desk.program(
        killer,
        SysCall(SELF | abi.RECEIVE, timeout=0x3BE8),
        unmap_call(DELETE, caps(THING)),
    )

    assert desk.run(100_000_000) == "budget"
    check_invariants(desk)
