"""IRQ objects: events that reach a thread as messages (ABI 6.5, 5.3).

Rule 1: an IRQ has at most one message on its way.  What happens meanwhile is one event more
that its receiver finds when it looks, not one message more.
Rule 2: how a message gets to its thread is in `kernel.ipc`; here is what leads to it.

Interrupts from outside arrive at cycles that were known from the start: `Kernel.arrivals`.
"""

from bisect import insort

from kernel import abi, ipc
from kernel.abi import Errno, Rights
from kernel.errors import GuestFault
from kernel.objects import Irq, SchedulerObject, Semaphore, Thread
from kernel.objects import Log as LogObject
from kernel.request import Answer, NoReply, Request
from kernel.state import Kernel


def invoke(kernel: Kernel, irq: Irq, request: Request) -> Answer | NoReply:
    """Serve the IRQ protocol: trigger, or end of interrupt.

    The receive phase that may follow is closed to the IRQ itself, which is what makes
    `l4_irq_receive` of an end of interrupt.
    """
    match irq_opcode(request):
        case abi.IRQ_TRIGGER:
            return NoReply(irq, trigger(kernel, irq))
        case abi.IRQ_EOI:
            # Only a source of level semantics would have been masked.
            return NoReply(irq)
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"irq operation {opcode}")


def invoke_sender(kernel: Kernel, irq: Irq, request: Request) -> Answer:
    """Serve the IRQ sender protocol: detach."""
    request.require_words(1)
    opcode = request.opcode()
    if opcode != abi.IRQ_DETACH:
        raise GuestFault(Errno.ENOSYS, refused=f"irq sender operation {opcode}")
    request.require_rights(Rights.S)
    if irq.thread is None:
        raise GuestFault(Errno.ENOENT)
    return Answer(abi.DETACH_PENDING if _unbind(irq) else abi.DETACH_INACTIVE)


def invoke_endpoint(kernel: Kernel, irq: Irq, request: Request) -> Answer:
    """Serve the protocol of all that messages come from: bind to a thread."""
    request.require_words(1)
    opcode = request.opcode()
    if opcode != abi.IRQ_BIND:
        raise GuestFault(Errno.ENOSYS, refused=f"irq endpoint operation {opcode:#x}")
    request.require_words(2)
    request.require_rights(Rights.S)
    cap = request.item()
    if not isinstance(cap.object, Thread):
        raise GuestFault(Errno.EINVAL)
    if not cap.rights & Rights.S:
        raise GuestFault(Errno.EPERM)
    bind(kernel, irq, cap.object, request.word(1))
    return Answer()


def irq_opcode(request: Request) -> int:
    """Give the operation of the IRQ protocol; no word at all means to trigger."""
    if not request.tag.words:
        return abi.IRQ_TRIGGER
    return request.opcode()


def bind(kernel: Kernel, irq: Irq, thread: Thread, label: int) -> None:
    """Let an IRQ send to `thread`; what is pending, or queued at another one, moves there."""
    if irq.thread is thread:
        irq.label = label
        return
    pending = _unbind(irq)
    irq.thread = thread
    irq.label = label
    if pending:
        fire(kernel, irq)


def trigger(kernel: Kernel, target: Irq | Semaphore) -> Thread | None:
    """Let an event happen at an IRQ or a semaphore; whoever it made ready is to be woken."""
    if isinstance(target, Irq):
        return ipc.interrupt(kernel, target)
    if target.waiters:
        return ipc.release(kernel, target)
    target.counter = min(target.counter + 1, kernel.arch.mask >> 1)
    return None


def fire(kernel: Kernel, target: Irq | Semaphore) -> None:
    """Let an event happen and schedule whoever it made ready."""
    woken = trigger(kernel, target)
    if woken is not None:
        kernel.scheduler.wake(woken, kernel.machine.now)


def schedule(kernel: Kernel, irq: Irq, cycle: int) -> None:
    """Let an interrupt from outside arrive at `cycle`."""
    insort(kernel.arrivals, (cycle, irq.number))


def arrive(kernel: Kernel) -> None:
    """Let the first interrupt from outside happen."""
    _, number = kernel.arrivals.pop(0)
    irq = kernel.objects[number]
    assert isinstance(irq, Irq), "what arrives are interrupts"
    fire(kernel, irq)


def delete(kernel: Kernel, irq: Irq) -> None:
    """Take an IRQ that is deleted out of everybody's way.

    Its message is withdrawn, and none comes any more; who receives from it waits on.
    """
    _unbind(irq)
    irq.pending = False
    detach_pin(irq)
    kernel.arrivals[:] = [entry for entry in kernel.arrivals if entry[1] != irq.number]
    ipc.forsake(kernel, irq)
    for thread in kernel.threads.values():
        if thread.deletion_irq is irq:
            thread.deletion_irq = None


def detach_pin(irq: Irq) -> None:
    """Take an IRQ from the pin that triggers it, if there is one."""
    owner = irq.pin_of
    if isinstance(owner, (LogObject, SchedulerObject)):
        owner.pin = None
    irq.pin_of = None


def gate_deleted(kernel: Kernel, thread: Thread) -> None:
    """Tell a thread that a gate of its was deleted, if it asked for that (ABI 5.3)."""
    if thread.deletion_irq is not None:
        fire(kernel, thread.deletion_irq)


def _unbind(irq: Irq) -> bool:
    # Whether something had happened that no thread has got yet.
    pending = ipc.withdraw(irq) or irq.pending
    irq.pending = False
    irq.thread = None
    return pending
