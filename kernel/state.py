"""All of the kernel's state: plain data reachable from one `Kernel`.

Rule 1: no closures, iterators or clocks here: `kernel.freeze` can write it all down.
Rule 2: objects refer to each other directly; whoever is outside the kernel holds numbers.
"""

from collections.abc import Callable
from typing import TypeVar

from kernel import abi, kip, timeout, utcb
from kernel.abi import Arch, Page
from kernel.cost import Costs
from kernel.errors import UsageError
from kernel.message import Utcb
from kernel.objects import (
    Capability,
    Debugger,
    Factory,
    Gate,
    Icu,
    Irq,
    Log,
    Object,
    SchedulerObject,
    Semaphore,
    Task,
    Thread,
)
from kernel.port import Machine, Probe
from kernel.recorder import Recorder
from kernel.scheduler import Scheduler

Made = TypeVar(
    "Made",
    Task,
    Thread,
    Gate,
    Irq,
    Semaphore,
    Icu,
    Debugger,
    Log,
    Factory,
    SchedulerObject,
)

# Every right but delete: a task that held it would take the object along (ABI 13, 4).
INITIAL_RIGHTS = int(abi.Rights.W | abi.Rights.S | abi.Rights.R | abi.Rights.SERVER)


class Kernel:
    """A kernel and the objects that it keeps, on a machine."""

    __slots__ = (
        "arch",
        "arrivals",
        "clock_due",
        "clock_told",
        "cost",
        "costs",
        "factory",
        "faults",
        "frame",
        "idle",
        "input",
        "kip_frame",
        "kobject_label",
        "log",
        "logged",
        "machine",
        "names",
        "number",
        "objects",
        "probe",
        "recorder",
        "running",
        "scheduler",
        "scheduler_object",
        "shared_frame",
        "space",
        "thread_label",
        "timeouts",
    )

    def __init__(
        self,
        machine: Machine,
        arch: Arch,
        *,
        recorder: Recorder | None = None,
        probe: Probe | None = None,
        costs: Costs | None = None,
    ) -> None:
        self.machine = machine
        self.arch = arch
        self.recorder = recorder
        self.probe = probe
        self.costs = costs or Costs()
        # The labels of two protocols as they stand in a tag, compared in every IPC.
        self.kobject_label = abi.Protocol.KOBJECT & arch.mask >> abi.TAG_LABEL_SHIFT
        self.thread_label = abi.Protocol.THREAD & arch.mask >> abi.TAG_LABEL_SHIFT
        self.cost = 0  # cycles of work not yet charged
        self.number = 0  # of the object made last
        self.objects: dict[int, Object] = {}
        self.timeouts: list[tuple[int, int]] = []  # (cycle, thread number), sorted
        self.arrivals: list[tuple[int, int]] = []  # (cycle, IRQ number), sorted
        self.idle = 0  # cycles in which nothing could run
        self.names: dict[int, str] = {}  # what guests call objects; a character is a byte
        self.input = ""  # of the console, that nobody has read; a character is a byte
        self.kip_frame = 0  # of the kernel info page; 0: there is none
        self.clock_due = True  # its clock is to be set before a thread runs
        self.clock_told = 0  # what it says
        self.running = 0  # number of the thread that ran last
        self.space = 0  # and of its task
        self.faults = 0  # threads that were stopped
        self.logged = 0  # bytes written to the log
        self.frame = machine.frames.start  # the next one that was never used
        self.shared_frame = machine.shared_frames.start
        self.scheduler = Scheduler(timeout.cycles_of(abi.TIMESLICE_US, cpu_khz=machine.cpu_khz))
        self.log = self._add(Log)
        self.factory = self._add(Factory)
        self.scheduler_object = self._add(SchedulerObject)

    def create_task(self) -> Task:
        """Make a task with an empty address space and its initial capabilities (ABI 6.12)."""
        task = self._add(Task)
        self.machine.create_space(task.number)
        for index, known in (
            (abi.CAP_TASK, task),
            (abi.CAP_FACTORY, self.factory),
            (abi.CAP_LOG, self.log),
            (abi.CAP_SCHEDULER, self.scheduler_object),
        ):
            task.caps[index] = Capability(known, INITIAL_RIGHTS)
        return task

    def create_thread(self, task: Task, *, ip: int, sp: int, priority: int) -> Thread:
        """Make a thread with a UTCB of its own in `task`; `start` makes it ready."""
        arch = self.arch
        offset = task.utcbs * arch.utcb_size
        address = arch.user_utcb + offset
        page = address & -abi.PAGE_SIZE
        if page not in task.pages:
            self.map(task, page, self.allocate_shared_frame(), Page.R | Page.W)
        task.utcbs += 1
        frame = task.pages[page][0] + offset % abi.PAGE_SIZE
        message = Utcb(self.machine.words(frame, utcb.WORDS))
        message.store(utcb.SELF, address)

        def make(number: int) -> Thread:
            context = self.machine.create_context(
                number,
                space=task.number,
                ip=ip,
                sp=sp,
                thread_base=address + utcb.SELF * arch.word,
            )
            return Thread(number, task, context, message)

        thread = self._add(make)
        thread.utcb_address = address
        thread.utcb_frame = frame
        thread.priority = priority
        if abi.CAP_THREAD not in task.caps:
            task.caps[abi.CAP_THREAD] = Capability(thread, INITIAL_RIGHTS)
        return thread

    def create_gate(self, thread: Thread | None, label: int) -> Gate:
        """Make a gate bound to `thread`, or to nobody yet."""
        return self._add(lambda number: Gate(number, thread, label))

    def create_irq(self) -> Irq:
        """Make an IRQ that is bound to no thread."""
        return self._add(Irq)

    def create_semaphore(self) -> Semaphore:
        """Make a semaphore whose counter is 0."""
        return self._add(Semaphore)

    def create_icu(self) -> Icu:
        """Make an interrupt controller without pins."""
        return self._add(Icu)

    def create_debugger(self) -> Debugger:
        """Make a debugger object."""
        return self._add(Debugger)

    def create_kip(self, description: kip.Description) -> None:
        """Make the kernel info page; from now on its clock goes."""
        assert not self.kip_frame, "a kernel has one info page"
        page = kip.build(self.arch, description)
        frame = self.allocate_shared_frame()
        view = self.machine.words(frame, abi.PAGE_SIZE // self.arch.word).cast("B")
        view[:] = page
        self.kip_frame = frame
        self.machine.place_clock(frame + kip.CLOCK)

    def map_kip(self, task: Task) -> None:
        """Map the kernel info page to where programs expect it."""
        assert self.kip_frame, "there is a kernel info page"
        self.map(task, self.arch.kip, self.kip_frame, Page.R | Page.X)

    def start(self, thread: Thread) -> None:
        """Make a new thread ready, behind the others of its priority."""
        self.scheduler.enqueue(thread, front=False)

    def allocate_frame(self) -> int:
        """Give a page frame of RAM that was never used; it is zero."""
        if self.frame >= self.machine.frames.stop:
            size = len(self.machine.frames) << abi.PAGE_SHIFT
            raise UsageError(f"{size:#x} bytes of RAM are used up")
        frame = self.frame
        self.frame += abi.PAGE_SIZE
        return frame

    def allocate_shared_frame(self) -> int:
        """Give a frame of the memory that kernel and users share; it is zero."""
        if self.shared_frame >= self.machine.shared_frames.stop:
            count = len(self.machine.shared_frames)
            raise UsageError(f"all {count} frames of kernel-user memory are used up")
        frame = self.shared_frame
        self.shared_frame += abi.PAGE_SIZE
        return frame

    def map(self, task: Task, address: int, frame: int, rights: int) -> None:
        """Map a page; the task keeps it in mind, since page tables are the machine's."""
        self.machine.map(task.number, address, frame, rights)
        task.pages[address] = (frame, rights)

    def _add(self, make: Callable[[int], Made]) -> Made:
        self.number += 1
        made = make(self.number)
        self.objects[self.number] = made
        return made
