"""The kernel's loop: run somebody until it traps, do what it asks, choose who is next.

Rule 1: cycles of kernel work are charged here and nowhere else.
Rule 2: at one cycle the budget comes first, then timeouts by thread number, then interrupts
from outside by IRQ number, then the time slice.  A trap that passes deadlines is handled
first; the machine sees that they have passed before anything else runs, and timeouts and
interrupts are handled in the order of their cycles.
Rule 3: the clock of the kernel info page is set when the kernel is left: after a trap or
deadline of the run, not where `until` happens to cut it.
Rule 4: where a real CPU could go on in several ways a probe is asked, once for each time
that the kernel is left; without one, or where it says 0, the run is the same.
"""

from bisect import insort

from kernel.events import End, Outcome
from kernel.fault import exception, page_fault, settle
from kernel.invoke import invoke
from kernel.ipc import expire, expire_until
from kernel.irq import arrive
from kernel.lifetime import reap
from kernel.objects import Thread
from kernel.port import DEADLINE, EXCEPTION, PAGE_FAULT, SYSTEM_CALL
from kernel.state import Kernel
from kernel.timeout import microseconds_of
from kernel.trampoline import enter

# Choice points: what a probe is asked, beside how many ways there are.
PREEMPT = "preempt"  # does the time slice end as the kernel is left?
SLICE = "slice"  # or within the program's own code, `Kernel.grain` cycles further on?
START = "start"  # which of the threads of one priority runs first?
IRQ = "irq"  # after how many more kernel exits does the interrupt arrive?
TIMEOUT = "timeout"  # or is the timeout over?
OVERRULE = "overrule"  # which ready thread runs, whatever its priority?

DELAYS = 8  # exits of the kernel that an interrupt can be late by, and one


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
    probe = kernel.probe
    grain = kernel.grain
    entered = False  # since a thread ran, and a probe was not asked
    if probe is not None and not kernel.running:
        _order(kernel)
    while True:
        thread = scheduler.current
        if thread is None:
            _charge(kernel)
            now = machine.now
            thread = scheduler.pick(now)
            if thread is None:
                entered = False  # whoever wakes up makes another exit
                if now >= until or not (timeouts or arrivals):
                    return _outcome(kernel, Outcome.BUDGET if now >= until else Outcome.IDLE)
                deadline = timeouts[0][0] if timeouts else until
                if arrivals and arrivals[0][0] < deadline:
                    deadline = arrivals[0][0]
                machine.advance(min(deadline, until))
                kernel.idle += machine.now - now
                if machine.now < until:
                    _meet_deadlines(kernel, machine.now)
                    entered = probe is not None
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
        if entered:
            entered = False
            if _choose(kernel, thread):
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
        if grain and not kernel.look:
            kernel.look = machine.now + grain
        if grain and kernel.look < deadline:
            trap = execute(thread.context, kernel.look)
            if trap == DEADLINE and machine.now < deadline:
                kernel.look = 0
                if _choose_slice(kernel, thread):
                    kernel.clock_due = True
                    scheduler.rotate(machine.now)
                continue
        else:
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
            kernel.look = 0
            _meet_deadlines(kernel, now)
            if now >= scheduler.slice_end:
                scheduler.rotate(now)
            continue
        if kernel.doomed:
            reap(kernel)
        kernel.clock_due = True
        kernel.look = 0
        entered = probe is not None


def end(kernel: Kernel, outcome: Outcome) -> None:
    """Record the end of a run that will not go on."""
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(End(machine.now, machine.instructions, outcome))


def _outcome(kernel: Kernel, outcome: Outcome) -> Outcome:
    return Outcome.FAULT if kernel.faults else outcome


def _order(kernel: Kernel) -> None:
    # Nothing has run: threads that start at the same time do so in any order.
    probe = kernel.probe
    assert probe is not None, "somebody is asked"
    for level in reversed(kernel.scheduler.levels):
        for place in range(len(level) - 1):
            chosen = probe.choose(START, len(level) - place, level[place].number)
            level.insert(place, level.pop(place + chosen))


def _choose(kernel: Kernel, thread: Thread) -> bool:
    """Ask the probe how to leave the kernel; true if another thread may have to run."""
    scheduler, probe, machine = kernel.scheduler, kernel.probe, kernel.machine
    if probe is None:
        return False
    if kernel.late:
        _charge(kernel)
        _hasten(kernel, machine.now)
        if scheduler.current is not thread:
            return True
    if kernel.overrules:
        others = scheduler.ready()
        chosen = probe.choose(OVERRULE, len(others) + 1, thread.number) if others else 0
        if chosen:
            _charge(kernel)
            scheduler.force(others[chosen - 1], machine.now)
        return chosen > 0
    if not scheduler.is_contested() or not probe.choose(PREEMPT, 2, thread.number):
        return False
    _charge(kernel)
    scheduler.rotate(machine.now)
    return True


def _choose_slice(kernel: Kernel, thread: Thread) -> bool:
    probe = kernel.probe
    return (
        probe is not None
        and kernel.scheduler.is_contested()
        and probe.choose(SLICE, 2, thread.number) > 0
    )


def _postpone(kernel: Kernel, now: int) -> None:
    # What is due and not late already may come later, up to the end of its window.
    probe, scheduler = kernel.probe, kernel.scheduler
    assert probe is not None, "somebody is asked"
    is_alone = scheduler.current is None and not scheduler.ready()
    for point, entries in ((IRQ, kernel.arrivals), (TIMEOUT, kernel.timeouts)):
        for cycle, number in [entry for entry in entries if entry[0] <= now]:
            late = kernel.late.get(number)
            if late is not None and late[1] == cycle:
                del kernel.late[number]
            elif not is_alone or len(kernel.arrivals) + len(kernel.timeouts) > 1:
                chosen = probe.choose(point, DELAYS, number)
                if chosen:
                    last = cycle + kernel.window
                    _move(kernel, entries, (cycle, number), last)
                    kernel.late[number] = (chosen, last)


def _hasten(kernel: Kernel, now: int) -> None:
    # Count the exits of the kernel that what is late has still to wait for.
    for number, (exits, last) in list(kernel.late.items()):
        entries = kernel.timeouts if number in kernel.threads else kernel.arrivals
        if (last, number) not in entries:
            del kernel.late[number]  # it was cancelled
        elif exits > 1:
            kernel.late[number] = (exits - 1, last)
        else:
            _move(kernel, entries, (last, number), now)
            kernel.late[number] = (0, now)
    if kernel.late:
        _meet_deadlines(kernel, now)


def _move(
    kernel: Kernel, entries: list[tuple[int, int]], entry: tuple[int, int], cycle: int
) -> None:
    entries.remove(entry)
    insort(entries, (cycle, entry[1]))
    thread = kernel.threads.get(entry[1])
    if thread is not None:
        thread.deadline = cycle


def _meet_deadlines(kernel: Kernel, now: int) -> None:
    arrivals = kernel.arrivals
    if kernel.window and kernel.probe is not None:
        _postpone(kernel, now)
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
