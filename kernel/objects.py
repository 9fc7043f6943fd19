"""Kernel objects: tasks, threads, gates and the kernel's own services, as plain slotted state.

Rule 1: everything the kernel knows hangs on these objects, as ints, strings, containers
of them and references to each other; that is what `kernel.freeze` writes down.
Rule 2: objects hold state and answer questions.  IPC state changes in `kernel.ipc`,
who runs in `kernel.scheduler`, and nowhere else.
Every object has a number, unique in its kernel and never used again.
"""

from typing import Any, ClassVar, TypeAlias

from kernel import abi, timeout
from kernel.message import Utcb
from kernel.port import Context
from kernel.quota import Quota

# What a thread does, as plain ints: the states are tested several times in every IPC.
READY = 0  # runs or could run
SENDING = 1  # queued at `target`, a thread or an unbound gate
RECEIVING = 2  # waits for `partner`; None: for anybody
STUCK = 3  # stopped by an exception that nobody handles
DEAD = 4  # stopped for good, or not yet started

# Task, context and UTCB of a thread that is not yet bound; `Thread.is_bound` asks.
UNBOUND: Any = None


class Mapping:
    """A page of a task's memory, and its place in the tree of mappings of its frame.

    What was mapped from here are its children: `child` is the first one, and each knows
    its neighbours, so that a page leaves the tree without a search.
    """

    __slots__ = (
        "address",
        "child",
        "frame",
        "next",
        "parent",
        "previous",
        "rights",
        "task",
    )

    def __init__(self, task: "Task", address: int, frame: int, rights: int) -> None:
        self.task = task
        self.address = address
        self.frame = frame
        self.rights = rights
        self.parent: Mapping | None = None
        self.child: Mapping | None = None
        self.previous: Mapping | None = None
        self.next: Mapping | None = None


# What a thread is in, while it waits for its pager or handler.
NO_FAULT = 0
IN_PAGE_FAULT = 1
IN_EXCEPTION = 2

# Why a thread has an exception to raise before it runs.
NO_TRIGGER = 0
EX_REGS = 1
REFLECTION = 3  # of a page fault that its own handler could not resolve
AFTER_CALL = 2  # it is alien, and a system call that it was allowed is done


class Task:
    """An address space and a capability table."""

    kind: ClassVar[str] = "task"
    __slots__ = (
        "caps",
        "ku_pages",
        "number",
        "pages",
        "quota",
        "reply_pages",
        "reply_slots",
        "sigma0",
        "trampolines",
        "utcb_area",
        "utcbs",
    )

    def __init__(self, number: int, quota: Quota) -> None:
        self.number = number
        self.quota = quota
        self.caps: dict[int, Capability] = {}
        self.reply_slots: dict[int, Thread] = {}  # the explicit ones: whom each answers
        self.reply_pages: list[int] = []  # those that have room for explicit ones
        self.pages: dict[int, Mapping] = {}  # by address
        # Kernel-user memory by address: the frame, and the address where its area begins.
        self.ku_pages: dict[int, tuple[int, int]] = {}
        self.utcb_area = 0  # address; set when the first thread is made
        self.utcbs = 0  # threads that got a UTCB in it
        self.trampolines = False  # its threads may have them (ABI 5.5)
        self.sigma0 = False  # it owns all memory that nobody else does (ABI 8.1)


class Thread:
    """A schedulable flow with one UTCB, and the state of its IPC."""

    kind: ClassVar[str] = "thread"
    __slots__ = (
        "alien",
        "allowed",
        "armed",
        "context",
        "deadline",
        "deletion_irq",
        "expired",
        "fault",
        "handler",
        "label",
        "number",
        "operation",
        "pager",
        "partner",
        "priority",
        "quantum",
        "queue_priority",
        "queued",
        "registers",
        "replier",
        "reply",
        "reply_slot",
        "rights",
        "saved",
        "senders",
        "slice_left",
        "source",
        "state",
        "tag",
        "target",
        "task",
        "trampoline",
        "trigger",
        "utcb",
        "utcb_address",
        "utcb_frame",
        "via",
    )

    def __init__(self, number: int, task: Task, context: Context, utcb: Utcb) -> None:
        self.number = number
        self.task = task
        self.context = context
        self.registers = context.registers if context is not None else UNBOUND
        self.utcb = utcb
        self.utcb_address = 0
        self.utcb_frame = 0  # physical
        self.pager = 0  # capability indices in its own task
        self.handler = 0
        self.deletion_irq: Irq | None = None  # triggered when a gate of its is deleted
        # Faults and exceptions
        self.fault = NO_FAULT
        self.saved: tuple[int, ...] = ()  # words of the UTCB that come back after it
        self.trigger = NO_TRIGGER
        self.alien = False  # its system calls are exceptions
        self.allowed = False  # but not the next one
        self.trampoline = 0  # address of the state for handling its own page faults; 0: none
        self.armed = False  # it would handle the next one itself
        # Scheduling
        self.priority = abi.PRIORITY_NEW_THREAD
        self.quantum = 0  # cycles of a time slice; 0: what the scheduler gives
        self.slice_left = 0  # cycles
        self.queued = False  # in the ready list
        # IPC
        self.state = READY
        self.target: Thread | Gate | None = None  # while SENDING
        self.partner: Thread | Gate | Irq | Semaphore | None = None  # while RECEIVING
        self.queue_priority = 0  # while queued: as it was when it began to wait
        self.senders: list[Thread | Irq] = []  # by priority, first come first among equals
        self.deadline = timeout.NEVER  # of its pending timeout
        self.expired = False  # its receive timeout is over, and it has not yet run to see it
        self.reply: Thread | None = None  # the implicit reply capability: whom it answers
        self.reply_slot = IMPLICIT  # where its open wait puts the next reply capability
        self.replier: Thread | Task | None = None  # who holds the reply capability to it
        # The invocation in progress, as the guest gave it
        self.operation = 0
        self.tag = 0
        self.label = 0
        self.rights = 0
        self.via = 0  # number of the gate it sends through
        # What its closed receive names, None if open
        self.source: Thread | Gate | Irq | Semaphore | None = None

    def is_bound(self) -> bool:
        """Answer whether the thread has a task, and so a UTCB and a context."""
        return self.task is not None

    def is_runnable(self) -> bool:
        """Answer whether the thread could run if it were chosen."""
        return self.state == READY or self.expired

    def waits_for(self, sender: "Thread") -> bool:
        """Answer whether a message of `sender` would be taken at once."""
        return self.state == RECEIVING and (self.partner is None or self.partner is sender)


REPLY_PAGES = 64  # pages of kernel memory that a task may have for reply slots

IMPLICIT = -1  # a thread's own reply slot, instead of an index of the task's


class Gate:
    """An IPC gate: an endpoint that stamps messages with its label."""

    kind: ClassVar[str] = "gate"
    __slots__ = ("label", "number", "orphaned", "senders", "thread")

    def __init__(self, number: int, thread: Thread | None, label: int) -> None:
        self.number = number
        self.thread = thread
        self.label = label
        self.orphaned = False  # its thread was deleted: senders get an error at once
        self.senders: list[Thread] = []  # while no thread is bound


class Irq:
    """An IRQ object: it sends the thread it is bound to an empty message per event.

    Edge semantics, one message at a time: an event while that is queued adds nothing, one
    while no thread is bound is kept for the next binding (ABI 6.5).
    """

    kind: ClassVar[str] = "irq"
    __slots__ = ("label", "number", "pending", "pin_of", "queue_priority", "queued", "thread")

    def __init__(self, number: int) -> None:
        self.number = number
        self.thread: Thread | None = None
        self.label = 0
        self.pending = False  # something happened while no thread was bound
        self.queued = False  # in the thread's sender queue
        self.queue_priority = abi.PRIORITY_IRQ
        self.pin_of: Log | SchedulerObject | None = None  # whose pin triggers it


class Semaphore:
    """A counter that threads wait at while it is 0."""

    kind: ClassVar[str] = "semaphore"
    __slots__ = ("counter", "number", "waiters")

    def __init__(self, number: int) -> None:
        self.number = number
        self.counter = 0
        self.waiters: list[Thread] = []  # by priority, first come first among equals


class Icu:
    """The interrupt controller; it has no pins (ABI 6.6)."""

    kind: ClassVar[str] = "icu"
    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Debugger:
    """What guests give names to objects with, and print through (ABI 6.10)."""

    kind: ClassVar[str] = "debugger"
    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Log:
    """The kernel's own console (a vcon); its interrupt pin says that there is input."""

    kind: ClassVar[str] = "log"
    __slots__ = ("input_flags", "local_flags", "number", "output_flags", "pin")

    def __init__(self, number: int) -> None:
        self.number = number
        self.input_flags = abi.VCON_ICRNL
        self.output_flags = abi.VCON_ONLCR
        self.local_flags = abi.VCON_ECHO
        self.pin: Irq | None = None


class Factory:
    """Makes objects, as long as its quota lasts."""

    kind: ClassVar[str] = "factory"
    __slots__ = ("number", "quota")

    def __init__(self, number: int, quota: Quota) -> None:
        self.number = number
        self.quota = quota


class SchedulerObject:
    """The scheduler as guests see it; `kernel.scheduler` is the one that schedules.

    Its interrupt pin would tell of CPUs that come and go.
    """

    kind: ClassVar[str] = "scheduler"
    __slots__ = ("number", "pin")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pin: Irq | None = None


Object: TypeAlias = (
    Task | Thread | Gate | Irq | Semaphore | Icu | Debugger | Log | Factory | SchedulerObject
)

# Kinds that live as long as the kernel, whoever asks for their deletion.
PERMANENT: tuple[type, ...] = (Log, SchedulerObject, Icu, Debugger)


class Capability:
    """A right to an object; never changed once it is made.

    An object lives as long as a *counted* capability names it (ABI 4.9).
    """

    __slots__ = ("counted", "object", "rights")

    def __init__(self, object: Object, rights: int, counted: bool = True) -> None:
        self.object = object
        self.rights = rights
        self.counted = counted
