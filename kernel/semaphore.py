"""Semaphores: a counter, and threads that wait while it is 0 (ABI 6.7).

Neither down nor up moves a message, yet a down is a system call like any other: its opcode
goes into mr[0], which is how a lock in the middle of a dispatch loses a parameter.
"""

from kernel import abi, ipc, utcb
from kernel.abi import Errno, IpcError, Rights
from kernel.errors import GuestFault
from kernel.irq import irq_opcode, trigger
from kernel.objects import Semaphore
from kernel.request import Answer, NoReply, Request, Waits
from kernel.state import Kernel


def invoke(kernel: Kernel, semaphore: Semaphore, request: Request) -> Answer | Waits:
    """Serve the semaphore protocol: down, which waits no longer than the receive timeout.

    The error word is written, as 0, whatever comes of it (ABI 13, 2).
    """
    request.require_words(1)
    opcode = request.opcode()
    if opcode != abi.SEMAPHORE_DOWN:
        raise GuestFault(Errno.ENOSYS, refused=f"semaphore operation {opcode}")
    request.require_rights(Rights.S)
    request.caller.utcb.store(utcb.ERROR, 0)
    if not semaphore.counter:
        return Waits()
    semaphore.counter -= 1
    return Answer()


def invoke_irq(kernel: Kernel, semaphore: Semaphore, request: Request) -> NoReply:
    """Serve the IRQ protocol: up is a trigger."""
    match irq_opcode(request):
        case abi.IRQ_TRIGGER:
            return NoReply(None, trigger(kernel, semaphore))
        case abi.IRQ_EOI:
            return NoReply()
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"irq operation {opcode} of a semaphore")


def delete(kernel: Kernel, semaphore: Semaphore) -> None:
    """End the waits at a semaphore that is deleted: they fail with error 4 (ABI 3)."""
    for thread in list(semaphore.waiters):
        ipc.fail(kernel, thread, IpcError.NOT_EXISTENT)
        kernel.scheduler.wake(thread, kernel.machine.now)
    ipc.forsake(kernel, semaphore)
