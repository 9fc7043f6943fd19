"""The end of objects: what goes with one that nobody can name any more.

Rule 1: `kernel.capability` decides that an object ends and takes its capabilities away;
this file does the rest, at the kernel's exit, when the system call that ended it is over.
Rule 2: afterwards nothing refers to it: no queue, no reply slot, no gate, no timeout, not the
scheduler, and the machine has its context or space back.
Rule 3: the end of one may be the end of others: whatever a task could delete goes with it
(ABI 13, 4).
"""

from collections.abc import Callable
from typing import Any

from kernel import capability, frames, ipc, irq, mapping, semaphore
from kernel.abi import FPAGE_WHOLE_ORDER, PAGE_SIZE, Rights
from kernel.events import Deleted
from kernel.flexpage import Area
from kernel.objects import Factory, Gate, Irq, Object, Semaphore, Task, Thread
from kernel.state import Kernel
from kernel.utcb import FREE_MARKER

_EVERYTHING = Area(0, FPAGE_WHOLE_ORDER)


def reap(kernel: Kernel) -> None:
    """Delete what is doomed, and what is doomed by that, in order."""
    while kernel.doomed:
        # By batches: the first key of a dict that loses its first keys is far away.
        for gone in list(kernel.doomed.values()):
            if gone.number in kernel.doomed:  # it may have gone with its task
                _delete(kernel, gone)


def _delete(kernel: Kernel, gone: Object) -> None:
    _DELETERS[type(gone)](kernel, gone)
    del kernel.doomed[gone.number]
    kernel.remove(gone)
    kernel.cost += kernel.costs.creation
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(Deleted(machine.now, machine.instructions, gone.number))


def _delete_thread(kernel: Kernel, thread: Thread) -> None:
    ipc.bury(kernel, thread)
    if thread.is_bound():
        if not any(
            other.task is thread.task and other is not thread
            for other in kernel.threads.values()
        ):
            _drop_replies(thread.task)
        thread.utcb.store(FREE_MARKER, 0)
        kernel.machine.destroy_context(thread.number)
    ipc.forsake(kernel, thread)
    kernel.scheduler.disown(thread)
    kernel.cost += len(kernel.objects)  # all of them are looked at
    for other in kernel.objects.values():
        if isinstance(other, Gate) and other.thread is thread:
            other.thread = None
            other.orphaned = True
        elif isinstance(other, Irq) and other.thread is thread:
            other.thread = None


def _delete_task(kernel: Kernel, task: Task) -> None:
    for thread in list(kernel.threads.values()):
        if thread.task is task:
            capability.doom(kernel, thread)
    capability.unmap_caps(kernel, task, _EVERYTHING, rights=int(Rights.R), delete=True)
    # Its threads go first: a space is destroyed when no context uses it.
    for gone in list(kernel.doomed.values()):
        if isinstance(gone, Thread) and gone.task is task:
            _delete(kernel, gone)
    _drop_replies(task)
    mapping.drop_pages(kernel, task)
    for page, (frame, _) in task.ku_pages.items():
        kernel.machine.unmap(task.number, page)
        frames.give_back(kernel.shared_free, frame, PAGE_SIZE)
        task.quota.give_back(PAGE_SIZE)
    task.ku_pages.clear()
    kernel.machine.destroy_space(task.number)


def _delete_gate(kernel: Kernel, gate: Gate) -> None:
    ipc.close(kernel, gate)
    thread, gate.thread = gate.thread, None
    if thread is not None:
        irq.gate_deleted(kernel, thread)


def _delete_factory(kernel: Kernel, factory: Factory) -> None:
    # What it made lives on; its quota comes back when that is gone too.
    factory.quota.close()


def _drop_replies(task: Task) -> None:
    for caller in task.reply_slots.values():
        caller.replier = None
    task.reply_slots.clear()


# How each kind ends; functions are called with the kind that their row names.
_DELETERS: dict[type, Callable[[Kernel, Any], None]] = {
    Thread: _delete_thread,
    Task: _delete_task,
    Gate: _delete_gate,
    Irq: irq.delete,
    Semaphore: semaphore.delete,
    Factory: _delete_factory,
}
