"""The kernel's loop: run somebody until it traps, do what it asks, choose who is next.

Rule 1: cycles of kernel work are charged here and nowhere else.
Rule 2: at one cycle the budget comes first, then timeouts by cycle and thread number,
then the time slice.  A trap that passes a deadline is handled first; the machine sees that
the deadline has passed before anything else runs.
"""

from kernel.events import End, Outcome, Switch
from kernel.fault import exception, page_fault
from kernel.invoke import invoke
from kernel.ipc import expire, expire_until
from kernel.lifetime import reap
from kernel.objects import Thread
from kernel.port import EXCEPTION, PAGE_FAULT, SYSTEM_CALL
from kernel.state import Kernel

_make = tuple.__new__  # see kernel.events


def run(kernel: Kernel, until: int) -> Outcome:
    """Run until nothing can run or cycle `until` is reached.

    May be called again with a later cycle after BUDGET, and the run goes on as if it had
    never stopped.  FAULT says that a thread was stopped on the way, whatever came last.
    """
    machine = kernel.machine
    execute, charge = machine.run, machine.charge
    scheduler = kernel.scheduler
    timeouts = kernel.timeouts
    while True:
        thread = scheduler.current
        if thread is None:
            _charge(kernel)
            now = machine.now
            thread = scheduler.pick(now)
            if thread is None:
                if now >= until or not timeouts:
                    return _outcome(kernel, Outcome.BUDGET if now >= until else Outcome.IDLE)
                machine.advance(min(timeouts[0][0], until))
                expire_until(kernel, machine.now)
                continue
        if thread.expired:
            expire(kernel, thread)
        if thread.number != kernel.running:
            _switch(kernel, thread)
        deadline = min(until, scheduler.slice_end)
        if timeouts and timeouts[0][0] < deadline:
            deadline = timeouts[0][0]
        if kernel.cost:
            charge(kernel.cost)
            kernel.cost = 0
        trap = execute(thread.context, deadline)
        if trap == SYSTEM_CALL:
            invoke(kernel, thread)
        elif trap == PAGE_FAULT:
            page_fault(kernel, thread)
        elif trap == EXCEPTION:
            exception(kernel, thread)
        else:
            now = machine.now
            if now >= until:
                return _outcome(kernel, Outcome.BUDGET)
            expire_until(kernel, now)
            if now >= scheduler.slice_end:
                scheduler.rotate(now)
            continue
        if kernel.doomed:
            reap(kernel)
        probe = kernel.probe
        if probe is not None and scheduler.current is not None and probe.choose("preempt", 2):
            _charge(kernel)
            scheduler.rotate(machine.now)


def end(kernel: Kernel, outcome: Outcome) -> None:
    """Record the end of a run that will not go on."""
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(End(machine.now, machine.instructions, outcome))


def _outcome(kernel: Kernel, outcome: Outcome) -> Outcome:
    return Outcome.FAULT if kernel.faults else outcome


def _charge(kernel: Kernel) -> None:
    # Once for all work since a thread ran, so that the clock is asked as rarely as possible.
    kernel.machine.charge(kernel.cost)
    kernel.cost = 0


def _switch(kernel: Kernel, thread: Thread) -> None:
    # Another address space has a cold TLB; that is most of what a switch costs.
    if thread.task.number != kernel.space:
        kernel.cost += kernel.costs.space_switch
        kernel.space = thread.task.number
    previous = kernel.running
    kernel.running = thread.number
    if kernel.recorder is not None:
        _charge(kernel)
        machine = kernel.machine
        fields = (machine.now, machine.instructions, previous, thread.number)
        kernel.recorder.record(_make(Switch, fields))
