"""What is true of a kernel between two entries, whatever guests have done."""

from typing import Any

from kernel import abi, quota, timeout, trace_buffer
from kernel.objects import (
    DEAD,
    READY,
    RECEIVING,
    SENDING,
    STUCK,
    Factory,
    Gate,
    Irq,
    Mapping,
    Semaphore,
    Task,
    Thread,
)
from kernel.quota import Quota
from tests.kernel.desk import Desk


def check_invariants(desk: Desk) -> None:
    """Check everything that this file knows."""
    check_threads(desk)
    check_references(desk)
    check_capabilities(desk)
    check_mappings(desk)
    check_quotas(desk)


def check_threads(desk: Desk) -> None:
    """A blocked thread is in exactly one queue, a ready one where it will be found."""
    kernel = desk.kernel
    threads = [o for o in kernel.objects.values() if isinstance(o, Thread)]
    assert kernel.threads == {thread.number: thread for thread in threads}
    queues = [o.senders for o in kernel.objects.values() if isinstance(o, (Thread, Gate))]
    waiters = [o.waiters for o in kernel.objects.values() if isinstance(o, Semaphore)]
    for irq in kernel.objects.values():
        if isinstance(irq, Irq):
            assert sum(one is irq for queue in queues for one in queue) == int(irq.queued)
            assert not irq.queued or (irq.thread is not None and irq in irq.thread.senders)
            assert not (irq.pending and irq.thread is not None and irq.thread.state != DEAD)
            assert irq.pin_of is None or irq.pin_of.pin is irq
    ready = [thread for level in kernel.scheduler.levels for thread in level]
    for thread in threads:
        places = sum(queue.count(thread) for queue in queues)
        assert places == (1 if thread.state == SENDING else 0)
        if thread.state == SENDING:
            assert thread.target is not None
            assert thread in thread.target.senders
        waits = thread.state == RECEIVING and isinstance(thread.partner, Semaphore)
        assert sum(queue.count(thread) for queue in waiters) == int(waits)
        assert ready.count(thread) == int(thread.queued)
        if thread.queued or kernel.scheduler.current is thread:
            assert thread.is_runnable()
        elif thread.is_runnable():
            raise AssertionError("a thread that could run is nowhere")
        pending = [entry for entry in kernel.timeouts if entry[1] == thread.number]
        expected = (
            [] if thread.deadline == timeout.NEVER else [(thread.deadline, thread.number)]
        )
        assert pending == expected
        if expected:
            assert thread.state in (SENDING, RECEIVING)
        assert thread.state in (READY, SENDING, RECEIVING, STUCK, DEAD)
        slots = [t.reply for t in threads if t.reply is thread]
        explicit = [
            reply
            for task in kernel.objects.values()
            if isinstance(task, Task)
            for reply in task.reply_slots.values()
        ]
        slots += [reply for reply in explicit if reply is thread]
        assert len(slots) == (0 if thread.replier is None else 1)
        if thread.is_bound():
            assert thread.utcb.load(63) == thread.utcb_address
        else:
            assert thread.state == DEAD
    assert kernel.timeouts == sorted(kernel.timeouts)
    assert not any(kernel.scheduler.levels[kernel.scheduler.highest + 1 :])


def check_references(desk: Desk) -> None:
    """Whatever an object names exists, and the machine has what threads and tasks need."""
    kernel = desk.kernel
    assert not kernel.doomed
    named: list[Any] = [kernel.scheduler.current, kernel.scheduler.owner]
    named += [thread for level in kernel.scheduler.levels for thread in level]
    for thing in kernel.objects.values():
        if isinstance(thing, Thread):
            named += [thing.task, thing.target, thing.partner, thing.source, thing.reply]
            named += [thing.replier, thing.deletion_irq, *thing.senders]
        elif isinstance(thing, Gate):
            named += [thing.thread, *thing.senders]
        elif isinstance(thing, Irq):
            named += [thing.thread, thing.pin_of]
        elif isinstance(thing, Semaphore):
            named += thing.waiters
        elif isinstance(thing, Task):
            named += thing.reply_slots.values()
    for each in named:
        assert each is None or kernel.objects.get(each.number) is each, each
    bound = {thread.number for thread in kernel.threads.values() if thread.is_bound()}
    assert set(desk.machine.contexts) == bound
    tasks = {n for n, thing in kernel.objects.items() if isinstance(thing, Task)}
    assert set(desk.machine.spaces) == tasks


def check_capabilities(desk: Desk) -> None:
    """No capability dangles, they are counted right, and what guests made has one."""
    kernel = desk.kernel
    holders: dict[int, set[tuple[int, int]]] = {}
    counts: dict[int, int] = {}
    for task in kernel.objects.values():
        if not isinstance(task, Task):
            continue
        for index, cap in task.caps.items():
            number = cap.object.number
            assert kernel.objects.get(number) is cap.object
            assert 0 <= index < kernel.arch.cap_limit
            holders.setdefault(number, set()).add((task.number, index))
            counts[number] = counts.get(number, 0) + cap.counted
    assert {n: set(who) for n, who in kernel.holders.items() if who} == holders
    assert {n: c for n, c in kernel.references.items() if c} == {
        n: c for n, c in counts.items() if c
    }
    for number in kernel.charges:
        assert counts.get(number, 0) > 0, f"nobody counts for object {number}"


def check_mappings(desk: Desk) -> None:
    """The tree is one, no page has more rights than its origin, and page tables show it."""
    kernel = desk.kernel
    for task in kernel.objects.values():
        if not isinstance(task, Task):
            continue
        shown: dict[int, tuple[int, int]] = {}
        for address, page in task.pages.items():
            assert (page.address, page.task) == (address, task)
            check_page(page)
            shown[address] = (page.frame, page.rights)
        for address, (frame, _) in task.ku_pages.items():
            assert address not in shown
            shown[address] = (frame, int(abi.Page.R | abi.Page.W))
        assert desk.machine.spaces[task.number] == shown


def check_page(page: Mapping) -> None:
    """Check a page's rights and its neighbours in the tree."""
    parent = page.parent
    if parent is not None:
        assert parent.task.pages[parent.address] is parent
        assert parent.frame == page.frame
        assert not page.rights & ~parent.rights
        assert page.previous is not None or parent.child is page
    if page.previous is not None:
        assert page.previous.next is page
        assert page.previous.parent is parent
    if page.next is not None:
        assert page.next.previous is page
    if page.child is not None:
        assert (page.child.parent, page.child.previous) == (page, None)


def check_quotas(desk: Desk) -> None:
    """What quotas say is used is what is there, and shared frames are where they should be."""
    kernel = desk.kernel
    expected: dict[Quota, int] = {kernel.factory.quota: 0}
    live: list[Quota] = []
    for payer, size in kernel.charges.values():
        expected[payer] = expected.get(payer, 0) + size
    free = sum(size for _, size in kernel.shared_free)
    for thing in kernel.objects.values():
        if isinstance(thing, Task):
            size = len(thing.pages) * quota.MAPPING_BYTES + len(thing.caps) * quota.CAP_BYTES
            size += len(thing.ku_pages) * abi.PAGE_SIZE
            free += len(thing.ku_pages) * abi.PAGE_SIZE
            expected[thing.quota] = expected.get(thing.quota, 0) + size
            live.append(thing.quota)
        elif isinstance(thing, Factory):
            live.append(thing.quota)
    live += [payer for payer, _ in kernel.charges.values()]
    for each in live:
        if each.parent is not None:
            live.append(each.parent)
    for each in set(live):
        if each.parent is not None:
            expected[each.parent] = expected.get(each.parent, 0) + each.limit
    for each in set(live):
        assert each.used == expected.get(each, 0), f"quota {each.number}"
        assert 0 <= each.used <= each.limit + quota.CAP_BYTES
    shared = desk.machine.shared_frames
    free += abi.PAGE_SIZE * (kernel.kip_frame >= 0)
    if kernel.trace_frame >= 0:
        free += abi.PAGE_SIZE + trace_buffer.SLOTS * (128 if kernel.arch.word == 8 else 64)
    assert free == len(shared) * abi.PAGE_SIZE
    ends = [address + size for address, size in kernel.shared_free]
    starts = [address for address, _ in kernel.shared_free]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
