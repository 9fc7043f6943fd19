"""Operations on threads: the thread and scheduler protocols (ABI 6.2, 6.8)."""

from kernel import abi, fault, ipc, segments, timeout, trampoline
from kernel.abi import Errno, Rights
from kernel.errors import GuestFault
from kernel.objects import (
    DEAD,
    IN_EXCEPTION,
    READY,
    STUCK,
    Irq,
    SchedulerObject,
    Task,
    Thread,
)
from kernel.request import Answer, NoReply, Request
from kernel.state import Kernel

_CONTROL_WORDS = 6
_EX_REGS_WORDS = 3
_RUN_THREAD_WORDS = 5
_ONE_CPU = 1
_FIXED_PRIORITY_CLASS = 2
_LONGEST_QUANTUM = timeout.LATEST >> 1  # cycles: any more and a sum would not fit
_GROUP = 4  # words that say how to change a label

# How a set of CPUs is written: granularity << 24 | offset, and a word of bits (ABI 6.8).
_GRANULARITY_SHIFT = 24
_OFFSET = (1 << _GRANULARITY_SHIFT) - 1


def invoke_thread(kernel: Kernel, thread: Thread, request: Request) -> Answer | NoReply:
    """Serve a message of the thread protocol to `thread`."""
    match request.opcode():
        case abi.THREAD_CONTROL:
            return _control(kernel, thread, request)
        case abi.THREAD_EX_REGS:
            return _ex_regs(kernel, thread, request)
        case abi.THREAD_SWITCH:
            return _switch(kernel, thread)
        case abi.THREAD_STATS_TIME:
            return Answer(0, _microseconds(kernel, thread.context.cycles))
        case abi.THREAD_REGISTER_DELETION_IRQ:
            return _register_deletion_irq(thread, request)
        case abi.THREAD_MODIFY_SENDERS:
            return _modify_senders(kernel, thread, request)
        case abi.THREAD_PF_TRAMPOLINE:
            return trampoline.control(kernel, thread, request)
        case abi.THREAD_X86_GDT:
            return segments.set_descriptors(kernel, thread, request)
        case abi.THREAD_AMD64_SET_SEGMENT_BASE:
            return segments.set_base(kernel, thread, request)
        case abi.THREAD_AMD64_SEGMENT_INFO:
            return segments.info(kernel)
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"thread operation {opcode}")


def invoke_scheduler(
    kernel: Kernel, scheduler: SchedulerObject, request: Request
) -> Answer | NoReply:
    """Serve a message of the scheduler protocol."""
    match request.opcode():
        case abi.SCHEDULER_INFO:
            request.require_words(2, Errno.EMSGTOOSHORT)
            if request.word(1) & _OFFSET:
                raise GuestFault(Errno.ERANGE)
            return Answer(0, (_ONE_CPU, 1, _FIXED_PRIORITY_CLASS))
        case abi.SCHEDULER_RUN_THREAD:
            return _run_thread(kernel, request)
        case abi.SCHEDULER_IDLE_TIME:
            request.require_words(3, Errno.EMSGTOOSHORT)
            if request.word(1) & _OFFSET or not request.word(2) & _ONE_CPU:
                raise GuestFault(Errno.EINVAL)
            return Answer(0, _microseconds(kernel, kernel.idle))
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"scheduler operation {opcode}")


def _control(kernel: Kernel, thread: Thread, request: Request) -> Answer:
    # Pager and handler come and go as selectors (ABI 13, 1).
    request.require_words(_CONTROL_WORDS)
    request.require_rights(Rights.S)
    flags = request.word(0)
    if flags & abi.CONTROL_BIND:
        _bind(kernel, thread, request)
    pager, handler = thread.pager, thread.handler
    if flags & abi.CONTROL_SET_PAGER:
        thread.pager = request.word(1) >> abi.CAP_SHIFT
    if flags & abi.CONTROL_SET_HANDLER:
        thread.handler = request.word(2) >> abi.CAP_SHIFT
    if flags & abi.CONTROL_ALIEN:
        thread.alien = bool(request.word(4) & abi.CONTROL_ALIEN)
    mask = kernel.arch.mask
    return Answer(0, (0, pager << abi.CAP_SHIFT & mask, handler << abi.CAP_SHIFT & mask))


def _bind(kernel: Kernel, thread: Thread, request: Request) -> None:
    # Once, and to a UTCB that lies in one area of the task's kernel-user memory (ABI 6.2).
    cap = request.item()
    task = cap.object
    if not isinstance(task, Task) or thread.is_bound():
        raise GuestFault(Errno.EINVAL)
    if not cap.rights & Rights.S:
        raise GuestFault(Errno.EPERM)
    address, arch = request.word(5), kernel.arch
    ends = (address, address + arch.utcb_size - 1)
    areas = {task.ku_pages.get(end & -abi.PAGE_SIZE, (0, None))[1] for end in ends}
    if address % arch.word or len(areas) > 1 or None in areas:
        raise GuestFault(Errno.EINVAL)
    kernel.bind_thread(thread, task, address, ip=0, sp=0)


def _ex_regs(kernel: Kernel, thread: Thread, request: Request) -> Answer:
    request.require_words(_EX_REGS_WORDS)
    if not thread.is_bound():
        raise GuestFault(Errno.EINVAL)
    flags, ip, sp = (request.word(k) for k in range(_EX_REGS_WORDS))
    context = thread.context
    old = (context.flags, context.ip, context.sp)
    keep = kernel.arch.mask  # all ones: leave it
    in_exception = thread.state == STUCK or thread.fault == IN_EXCEPTION
    if in_exception and not flags & abi.EX_REGS_CANCEL:
        return Answer(0, old)
    if flags & abi.EX_REGS_CANCEL:
        ipc.cancel(kernel, thread)
    if ip != keep:
        context.ip = ip
    if sp != keep:
        context.sp = sp
    if flags & abi.EX_REGS_TRIGGER_EXCEPTION:
        fault.trigger(thread)
    if thread.state in (DEAD, STUCK):
        thread.state = READY
        kernel.scheduler.wake(thread, kernel.machine.now)
    return Answer(0, old)


def _switch(kernel: Kernel, thread: Thread) -> Answer:
    # To a ready thread, else to whoever the scheduler chooses.
    now = kernel.machine.now
    scheduler = kernel.scheduler
    current = scheduler.current
    scheduler.rotate(now)
    if thread is not current and thread.queued:
        scheduler.remove(thread)
        scheduler.enqueue(thread, front=True)
    return Answer()


def _run_thread(kernel: Kernel, request: Request) -> Answer:
    # With one CPU, and a thread that never leaves it, the set of CPUs says nothing.
    request.require_words(_RUN_THREAD_WORDS)
    cap = request.item()
    target = cap.object
    priority = request.word(3)
    if not isinstance(target, Thread) or priority > abi.PRIORITY_MAX:
        raise GuestFault(Errno.EINVAL)
    if not target.is_bound():
        raise GuestFault(Errno.EINVAL)
    if not cap.rights & Rights.S:
        raise GuestFault(Errno.EPERM)
    machine = kernel.machine
    quantum = timeout.cycles_of(request.word(4), cpu_khz=machine.cpu_khz)
    kernel.scheduler.apportion(target, min(quantum, _LONGEST_QUANTUM), machine.now)
    kernel.scheduler.reprioritise(target, priority, machine.now)
    return Answer()


def _register_deletion_irq(thread: Thread, request: Request) -> Answer:
    cap = request.item()
    if not isinstance(cap.object, Irq):
        raise GuestFault(Errno.EINVAL)
    if not cap.rights & Rights.W:
        raise GuestFault(Errno.EPERM)
    if thread.deletion_irq is not None:
        raise GuestFault(Errno.EBUSY)
    thread.deletion_irq = cap.object
    return Answer()


def _modify_senders(kernel: Kernel, thread: Thread, request: Request) -> Answer:
    # Groups of mask, match, bits to delete, bits to add: the first that matches is done.
    if request.caller is not thread:
        raise GuestFault(Errno.EINVAL)
    count = (request.tag.words - 1) // _GROUP
    groups = [request.caller.utcb.load_words(_GROUP, 1 + _GROUP * k) for k in range(count)]
    for sender in thread.senders:
        for mask, match, delete, add in groups:
            if sender.label & mask == match:
                sender.label = (sender.label & ~delete | add) & kernel.arch.mask
                break
    return Answer()


def _microseconds(kernel: Kernel, cycles: int) -> tuple[int, ...]:
    # A 64-bit value takes one word or two.
    value = timeout.microseconds_of(cycles, cpu_khz=kernel.machine.cpu_khz)
    arch = kernel.arch
    if arch.word == 8:
        return (value,)
    return (value & arch.mask, value >> arch.bits & arch.mask)
