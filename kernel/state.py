"""All of the kernel's state: plain data reachable from one `Kernel`.

Rule 1: no closures, iterators or clocks here: `kernel.freeze` can write it all down.
Rule 2: objects refer to each other directly; whoever is outside the kernel holds numbers.
"""

from collections.abc import Callable
from typing import TypeVar

from kernel import abi, frames, kip, timeout, utcb
from kernel.abi import Arch, Errno, Page
from kernel.cost import Costs
from kernel.errors import GuestFault, UsageError
from kernel.message import Utcb
from kernel.objects import (
    UNBOUND,
    Capability,
    Debugger,
    Factory,
    Gate,
    Icu,
    Irq,
    Log,
    Mapping,
    Object,
    SchedulerObject,
    Semaphore,
    Task,
    Thread,
)
from kernel.port import Machine, Probe
from kernel.quota import CAP_BYTES, KERNEL_MEMORY, MAPPING_BYTES, Quota
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

THREAD_LIMIT = 1024  # threads that the machine has room for


class Kernel:
    """A kernel and the objects that it keeps, on a machine."""

    __slots__ = (
        "arch",
        "arrivals",
        "charges",
        "clock_due",
        "clock_told",
        "cost",
        "costs",
        "doomed",
        "factory",
        "faults",
        "frame",
        "holders",
        "idle",
        "input",
        "kip_frame",
        "kobject_label",
        "log",
        "logged",
        "machine",
        "mask",
        "names",
        "number",
        "objects",
        "probe",
        "recorder",
        "references",
        "reserved",
        "running",
        "scheduler",
        "scheduler_object",
        "shared_free",
        "space",
        "thread_label",
        "threads",
        "timeouts",
        "trace_frame",
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
        self.mask = arch.mask  # all bits of a machine word
        # The labels of two protocols as they stand in a tag, compared in every IPC.
        self.kobject_label = abi.Protocol.KOBJECT & arch.mask >> abi.TAG_LABEL_SHIFT
        self.thread_label = abi.Protocol.THREAD & arch.mask >> abi.TAG_LABEL_SHIFT
        self.cost = 0  # cycles of work not yet charged
        self.number = 0  # of the object made last
        self.objects: dict[int, Object] = {}
        self.threads: dict[int, Thread] = {}  # those of them that are threads
        # By object number: who names it as (task number, index), the counted ones of them,
        # and who pays how much for it.  What boot made has no payer, and nothing but an
        # explicit deletion ends it.
        self.holders: dict[int, dict[tuple[int, int], None]] = {}
        self.references: dict[int, int] = {}
        self.charges: dict[int, tuple[Quota, int]] = {}
        self.doomed: dict[
            int, Object
        ] = {}  # without capabilities, deleted at the kernel's exit
        self.timeouts: list[tuple[int, int]] = []  # (cycle, thread number), sorted
        self.arrivals: list[tuple[int, int]] = []  # (cycle, IRQ number), sorted
        self.idle = 0  # cycles in which nothing could run
        self.names: dict[int, str] = {}  # what guests call objects; a character is a byte
        self.input = ""  # of the console, that nobody has read; a character is a byte
        self.kip_frame = -1  # of the kernel info page; negative: there is none
        self.trace_frame = -1  # of the trace buffer's status page, likewise
        self.clock_due = True  # its clock is to be set before a thread runs
        self.clock_told = 0  # what it says
        self.running = 0  # number of the thread that ran last
        self.space = 0  # and of its task
        self.faults = 0  # threads that were stopped
        self.logged = 0  # bytes written to the log
        self.frame = machine.frames.start  # the next one that was never used
        self.reserved: dict[int, None] = {}  # frames that are used at their own address
        shared = machine.shared_frames
        self.shared_free: frames.Runs = [(shared.start, len(shared) << abi.PAGE_SHIFT)]
        self.scheduler = Scheduler(timeout.cycles_of(abi.TIMESLICE_US, cpu_khz=machine.cpu_khz))
        self.log = self._add(Log)
        mapped_once = len(machine.frames) * MAPPING_BYTES
        self.factory = self._add(
            lambda n: Factory(n, Quota(n, None, KERNEL_MEMORY + mapped_once))
        )
        self.scheduler_object = self._add(SchedulerObject)

    def create_task(self) -> Task:
        """Make a task with an empty address space and its initial capabilities (ABI 6.12)."""
        task = self._add(lambda number: Task(number, self.factory.quota))
        if not self.machine.create_space(task.number):
            raise UsageError("page tables are used up")
        for index, known in (
            (abi.CAP_TASK, task),
            (abi.CAP_FACTORY, self.factory),
            (abi.CAP_LOG, self.log),
            (abi.CAP_SCHEDULER, self.scheduler_object),
        ):
            self.insert_cap(task, index, Capability(known, INITIAL_RIGHTS))
        return task

    def create_thread(self, task: Task, *, ip: int, sp: int, priority: int) -> Thread:
        """Make a thread with a UTCB of its own in `task`; `start` makes it ready."""
        arch = self.arch
        offset = task.utcbs * arch.utcb_size
        address = (task.utcb_area or arch.user_utcb) + offset
        page = address & -abi.PAGE_SIZE
        if page not in task.ku_pages:
            error = self.add_ku_mem(task, page, abi.PAGE_SIZE)
            if error:
                raise UsageError(f"no kernel-user memory at {page:#x}: {error.name.lower()}")
        task.utcbs += 1
        thread = self._add(lambda number: Thread(number, UNBOUND, UNBOUND, UNBOUND))
        self.bind_thread(thread, task, address, ip=ip, sp=sp)
        thread.priority = priority
        if abi.CAP_THREAD not in task.caps:
            self.insert_cap(task, abi.CAP_THREAD, Capability(thread, INITIAL_RIGHTS))
        return thread

    def bind_thread(
        self, thread: Thread, task: Task, address: int, *, ip: int, sp: int
    ) -> None:
        """Give an unbound thread its task, its UTCB at `address`, and so a context.

        The UTCB must lie in one area of the task's kernel-user memory.
        """
        page = address & -abi.PAGE_SIZE
        frame = task.ku_pages[page][0] + address % abi.PAGE_SIZE
        thread.task = task
        thread.utcb = Utcb(self.machine.words(frame, utcb.WORDS))
        thread.utcb.store(utcb.SELF, address)
        thread.utcb_address = address
        thread.utcb_frame = frame
        thread.context = self.machine.create_context(
            thread.number,
            space=task.number,
            ip=ip,
            sp=sp,
            thread_base=address + utcb.SELF * self.arch.word,
        )
        thread.registers = thread.context.registers

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
        assert self.kip_frame < 0, "a kernel has one info page"
        page = kip.build(self.arch, description)
        frame = frames.take(self.shared_free, abi.PAGE_SIZE)
        if frame is None:
            raise UsageError("no kernel-user memory for the info page")
        view = self.machine.words(frame, abi.PAGE_SIZE // self.arch.word).cast("B")
        view[:] = page
        self.kip_frame = frame
        self.machine.place_clock(frame + kip.CLOCK)

    def map_kip(self, task: Task) -> None:
        """Map the kernel info page to where programs expect it."""
        assert self.kip_frame >= 0, "there is a kernel info page"
        self.map(task, self.arch.kip, self.kip_frame, Page.R | Page.X)

    def start(self, thread: Thread) -> None:
        """Make a new thread ready, behind the others of its priority."""
        self.scheduler.enqueue(thread, front=False)

    def allocate_frame(self) -> int:
        """Give a page frame of RAM that was never used; it is zero."""
        while self.frame in self.reserved:
            self.frame += abi.PAGE_SIZE
        if self.frame >= self.machine.frames.stop:
            size = len(self.machine.frames) << abi.PAGE_SHIFT
            raise UsageError(f"{size:#x} bytes of RAM are used up")
        frame = self.frame
        self.frame += abi.PAGE_SIZE
        return frame

    def add_ku_mem(self, task: Task, address: int, size: int) -> Errno:
        """Give a task zeroed kernel-user memory; OK, or why not, and nothing has changed."""
        pages = range(address, address + size, abi.PAGE_SIZE)
        if any(page in task.pages or page in task.ku_pages for page in pages):
            return Errno.EEXIST
        if not task.quota.take(size):
            return Errno.ENOMEM
        frame = frames.take(self.shared_free, size)
        if frame is None:
            task.quota.give_back(size)
            return Errno.ENOMEM
        self.machine.words(frame, size // self.arch.word).cast("B")[:] = bytes(size)
        for page in pages:
            shown = frame + page - address
            if not self.machine.map(task.number, page, shown, Page.R | Page.W):
                for mapped in range(address, page, abi.PAGE_SIZE):
                    self.machine.unmap(task.number, mapped)
                    del task.ku_pages[mapped]
                frames.give_back(self.shared_free, frame, size)
                task.quota.give_back(size)
                return Errno.ENOMEM
            task.ku_pages[page] = (shown, address)
        return Errno.OK

    def map(self, task: Task, address: int, frame: int, rights: int) -> None:
        """Map a page that nobody gave: the root of a tree of mappings."""
        if not self.machine.map(task.number, address, frame, rights):
            raise UsageError("page tables are used up")
        task.quota.used += MAPPING_BYTES
        task.pages[address] = Mapping(task, address, frame, rights)

    def create(self, make: Callable[[int], Made], quota: Quota, size: int) -> Made:
        """Make an object that `quota` pays for, as a guest's factory does.

        Raises GuestFault if the quota, or the number of threads, is used up.
        """
        if not quota.take(size):
            raise GuestFault(Errno.ENOMEM)
        made = self._add(make)
        self.charges[made.number] = (quota, size)
        self.cost += self.costs.creation
        return made

    def remove(self, gone: Object) -> None:
        """Take an object that nobody names out of the books."""
        number = gone.number
        del self.objects[number]
        self.holders.pop(number, None)
        self.references.pop(number, None)
        self.names.pop(number, None)
        if isinstance(gone, Thread):
            del self.threads[number]
        if number in self.charges:
            quota, size = self.charges.pop(number)
            quota.give_back(size)

    def insert_cap(self, task: Task, index: int, cap: Capability) -> None:
        """Put a capability into a task's table, over what is there, and charge its slot."""
        if index in task.caps:
            self.remove_cap(task, index)
        task.caps[index] = cap
        task.quota.used += CAP_BYTES
        number = cap.object.number
        self.holders.setdefault(number, {})[task.number, index] = None
        if cap.counted:
            self.references[number] = self.references.get(number, 0) + 1

    def remove_cap(self, task: Task, index: int) -> Capability:
        """Take a capability out of a task's table; whether its object ends is not asked."""
        cap = task.caps.pop(index)
        task.quota.give_back(CAP_BYTES)
        number = cap.object.number
        self.holders.get(number, {}).pop((task.number, index), None)
        if cap.counted:
            self.references[number] = self.references.get(number, 0) - 1
        return cap

    def _add(self, make: Callable[[int], Made]) -> Made:
        number = self.number + 1
        made = make(number)
        self.number = number
        self.objects[number] = made
        if isinstance(made, Thread):
            self.threads[number] = made
        return made
