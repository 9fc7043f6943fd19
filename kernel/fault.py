"""Faults and exceptions of guests (ABI 5).

A thread without a pager is killed by its first page fault, one without an exception
handler blocks for ever at its first exception.
"""

from kernel import ipc
from kernel.events import Exception_, Fate, Fault
from kernel.objects import STUCK, Thread
from kernel.state import Kernel


def page_fault(kernel: Kernel, thread: Thread) -> None:
    """Handle the page fault that `thread` trapped with."""
    kernel.cost += kernel.costs.fault
    kernel.faults += 1
    context = thread.context
    ipc.bury(kernel, thread)
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            Fault(
                machine.now,
                machine.instructions,
                thread.number,
                context.address,
                context.error,
                context.ip,
                Fate.KILLED,
            )
        )


def exception(kernel: Kernel, thread: Thread) -> None:
    """Handle the exception that `thread` trapped with."""
    kernel.cost += kernel.costs.fault
    kernel.faults += 1
    context = thread.context
    thread.state = STUCK
    kernel.scheduler.forget(thread)
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            Exception_(
                machine.now,
                machine.instructions,
                thread.number,
                context.vector,
                context.error,
                context.ip,
                Fate.STUCK,
            )
        )
