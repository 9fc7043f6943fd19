"""The kernel's loop: run somebody until it traps, do what it asks, choose who is next.

Rule 1: cycles of kernel work are charged here and nowhere else.
Rule 2: at one cycle the budget comes first, then timeouts by thread number, then interrupts
from outside by IRQ number, then the time slice.  A trap that passes deadlines is handled
first; the machine sees that they have passed before anything else runs, and timeouts and
interrupts are handled in the order of their cycles.
Rule 3: the clock of the kernel info page is set when the kernel is left: after a trap or
deadline of the run, not where `until` happens to cut it.
"""

from kernel.events import End, Outcome
from kernel.fault import exception, page_fault, settle
from kernel.invoke import invoke
from kernel.ipc import expire, expire_until
from kernel.irq import arrive
from kernel.lifetime import reap
from kernel.objects import Thread
from kernel.port import EXCEPTION, PAGE_FAULT, SYSTEM_CALL
from kernel.state import Kernel
from kernel.timeout import microseconds_of
from kernel.trampoline import enter


def run(kernel: Kernel, until: int) -> Outcome:
    """Run until nothing can run or cycle `until` is reached.

    May be called again with a later cycle after BUDGET, and the run goes on as if it had
    never stopped.  FAULT says that a thread was stopped on the way, whatever came last.
    """
    machine = kernel.machine
    execute, charge = machine.run, machine.charge
    scheduler = kernel.scheduler
    timeouts = kernel.timeouts
    arrivals = kernel.arrivals
    while True:
        thread = scheduler.current
        if thread is None:
            _charge(kernel)
            now = machine.now
            thread = scheduler.pick(now)
            if thread is None:
                if now >= until or not (timeouts or arrivals):
                    return _outcome(kernel, Outcome.BUDGET if now >= until else Outcome.IDLE)
                deadline = timeouts[0][0] if timeouts else until
                if arrivals and arrivals[0][0] < deadline:
                    deadline = arrivals[0][0]
                machine.advance(min(deadline, until))
                kernel.idle += machine.now - now
                if machine.now < until:
                    _meet_deadlines(kernel, machine.now)
                continue
        if thread.expired:
            expire(kernel, thread)
        if thread.number != kernel.running:
            _switch(kernel, thread)
        if thread.fault or thread.trigger:
            settle(kernel, thread)
            if kernel.doomed:
                reap(kernel)
            continue
        deadline = min(until, scheduler.slice_end)
        if timeouts and timeouts[0][0] < deadline:
            deadline = timeouts[0][0]
        if arrivals and arrivals[0][0] < deadline:
            deadline = arrivals[0][0]
        if kernel.cost:
            charge(kernel.cost)
            kernel.cost = 0
        if kernel.clock_due and kernel.kip_frame >= 0:
            _tell_time(kernel)
        trap = execute(thread.context, deadline)
        if trap == SYSTEM_CALL:
            invoke(kernel, thread)
        elif trap == PAGE_FAULT:
            if not enter(kernel, thread):
                page_fault(kernel, thread)
        elif trap == EXCEPTION:
            exception(kernel, thread)
        else:
            now = machine.now
            if now >= until:
                return _outcome(kernel, Outcome.BUDGET)
            kernel.clock_due = True
            _meet_deadlines(kernel, now)
            if now >= scheduler.slice_end:
                scheduler.rotate(now)
            continue
        if kernel.doomed:
            reap(kernel)
        kernel.clock_due = True
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


def _meet_deadlines(kernel: Kernel, now: int) -> None:
    arrivals = kernel.arrivals
    while arrivals and arrivals[0][0] <= now:
        expire_until(kernel, arrivals[0][0])
        arrive(kernel)
    expire_until(kernel, now)


def _tell_time(kernel: Kernel) -> None:
    # Only a new microsecond is worth a store.
    kernel.clock_due = False
    machine = kernel.machine
    microseconds = microseconds_of(machine.now, cpu_khz=machine.cpu_khz)
    if microseconds != kernel.clock_told:
        kernel.clock_told = microseconds
        machine.store_clock(microseconds)


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
        kernel.recorder.switch(machine.now, machine.instructions, previous, thread.number)
