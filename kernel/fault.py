"""Faults and exceptions of guests: messages that the kernel sends for a thread (ABI 5).

Rule 1: such a message is a call of the faulting thread itself, and takes its UTCB.  A page
fault saves five words of it and an exception three; these come back when the call has
ended, and nothing else does.
Rule 2: the message registers of a thread with an exception are neither read nor written:
its trap frame is the message, and the answer is its trap frame.
Rule 3: a thread without a pager is killed by its first page fault; one without an exception
handler blocks for ever at its first exception.
"""

from kernel import abi, frame, ipc, mapping, utcb
from kernel.abi import TAG_ERROR, TAG_TRANSFER_FPU, Errno, IpcError, Protocol
from kernel.events import Exception_, Fate, Fault, Resumption
from kernel.objects import (
    AFTER_CALL,
    EX_REGS,
    IN_EXCEPTION,
    IN_PAGE_FAULT,
    NO_FAULT,
    NO_TRIGGER,
    REFLECTION,
    STUCK,
    Capability,
    Gate,
    Thread,
)
from kernel.port import FAULT_FETCH, FAULT_PRESENT, FAULT_WRITE, LABEL, SELECTOR, TAG, TIMEOUT
from kernel.state import Kernel

# The words that are saved; the message registers only in a page fault.
_SAVED = (utcb.BDR, utcb.BR, utcb.BR + 1, utcb.MR, utcb.MR + 1)
_SAVED_IN_EXCEPTION = 3

_PAGE_FAULT_VECTOR = 14
_EX_REGS_VECTOR = 0xFF
# Of a system call of an alien thread: the vector, and the errors before and after it.
_ALIEN = {"amd64": (253, 0, 1), "ia32": (13, 0x182, 0x186)}
_CALL_SIZE = 2  # bytes: syscall, and int 0x30


def page_fault(kernel: Kernel, thread: Thread) -> None:
    """Tell its pager of the page fault that `thread` trapped with.

    Kernel memory is nobody's to page: touching it is an exception (ABI 5.1).
    """
    context = thread.context
    if context.address >= kernel.arch.user_end:
        context.vector = _PAGE_FAULT_VECTOR
        exception(kernel, thread)
        return
    kernel.cost += kernel.costs.fault
    if thread.task.sigma0 and mapping.fabricate(kernel, thread.task, context.address):
        return
    cap = thread.task.caps.get(thread.pager) if thread.pager else None
    record(kernel, thread, Fate.KILLED if cap is None else Fate.HANDLED)
    if cap is None:
        kernel.faults += 1
        ipc.bury(kernel, thread)
        return
    _prepare(thread, IN_PAGE_FAULT)
    thread.utcb.store(utcb.MR, word(thread))
    thread.utcb.store(utcb.MR + 1, thread.context.ip)
    _call(kernel, thread, cap, Protocol.PAGE_FAULT, words=2, flags=0)


def word(thread: Thread) -> int:
    """Give the word that tells of a page fault: the address, and three bits of what it was."""
    context = thread.context
    what = context.error & (FAULT_PRESENT | FAULT_WRITE)
    if context.error & FAULT_FETCH:
        what |= abi.FAULT_FETCH
    return context.address & ~abi.FAULT_BITS | what


def record(kernel: Kernel, thread: Thread, fate: Fate) -> None:
    """Tell the recorder of a page fault."""
    if kernel.recorder is None:
        return
    context = thread.context
    machine = kernel.machine
    kernel.recorder.record(
        Fault(
            machine.now,
            machine.instructions,
            thread.number,
            context.address,
            context.error,
            context.ip,
            fate,
        )
    )


def exception(kernel: Kernel, thread: Thread) -> None:
    """Tell its handler of the exception that `thread` trapped with."""
    kernel.cost += kernel.costs.fault
    context = thread.context
    cap = thread.task.caps.get(thread.handler) if thread.handler else None
    context.finish_call()
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
                Fate.STUCK if cap is None else Fate.HANDLED,
            )
        )
    if cap is None:
        kernel.faults += 1
        thread.state = STUCK
        kernel.scheduler.forget(thread)
        return
    _prepare(thread, IN_EXCEPTION)
    size = frame.words(kernel.arch)
    _call(kernel, thread, cap, Protocol.EXCEPTION, words=size, flags=TAG_TRANSFER_FPU)


def intercept(kernel: Kernel, thread: Thread) -> bool:
    """Let an alien thread's handler decide on its system call; false if it may go on."""
    if thread.allowed:
        thread.allowed = False
        thread.trigger = AFTER_CALL
        return False
    context = thread.context
    context.finish_call()
    context.ip -= _CALL_SIZE
    context.vector, context.error, _ = _ALIEN[kernel.arch.name]
    exception(kernel, thread)
    return True


def settle(kernel: Kernel, thread: Thread) -> None:
    """Do what `thread` has to do before it goes back to user level, one thing at a time.

    It is the current thread, and afterwards perhaps no more.
    """
    if thread.fault != NO_FAULT:
        _end(kernel, thread)
        return
    context = thread.context
    if thread.trigger == REFLECTION:
        context.vector = _PAGE_FAULT_VECTOR
    elif thread.trigger == AFTER_CALL:
        context.vector, _, context.error = _ALIEN[kernel.arch.name]
    else:
        context.vector, context.error = _EX_REGS_VECTOR, 0
    thread.trigger = NO_TRIGGER
    exception(kernel, thread)


def trigger(thread: Thread) -> None:
    """Raise an exception in `thread` when it next goes to user level (ABI 6.2)."""
    thread.trigger = EX_REGS


def _prepare(thread: Thread, fault: int) -> None:
    message = thread.utcb
    count = len(_SAVED) if fault == IN_PAGE_FAULT else _SAVED_IN_EXCEPTION
    thread.fault = fault
    thread.saved = tuple(message.load(k) for k in _SAVED[:count])
    message.store(utcb.BDR, abi.BDR_ACCEPT_FPU)
    message.store(utcb.BR, abi.ITEM_MAP)
    message.store(utcb.BR + 1, abi.FPAGE_ALL_SPACES)


def _call(
    kernel: Kernel, thread: Thread, cap: Capability, protocol: int, *, words: int, flags: int
) -> None:
    bits = kernel.arch.bits
    thread.operation = abi.CALL
    thread.tag = abi.encode_tag(protocol, words=words, flags=flags, bits=bits)
    thread.registers[TAG] = thread.tag
    thread.registers[SELECTOR] = abi.CALL
    thread.registers[LABEL] = 0
    thread.registers[TIMEOUT] = 0
    target = cap.object
    if isinstance(target, Gate):
        ipc.begin(
            kernel,
            thread,
            target if target.thread is None else target.thread,
            label=target.label | cap.rights & abi.LABEL_RIGHTS,
            rights=cap.rights,
            via=target.number,
        )
    elif isinstance(target, Thread):
        ipc.begin(kernel, thread, target, label=0, rights=cap.rights, via=0)
    else:
        # No other object knows the protocol.
        thread.registers[TAG] = abi.encode_tag(-Errno.EBADPROTO, bits=bits)


def _end(kernel: Kernel, thread: Thread) -> None:
    """End the call of a fault or exception: its answer is there, or its error."""
    message = thread.utcb
    fault, saved = thread.fault, thread.saved
    held = tuple(message.load(k) for k in _SAVED[: len(saved)])
    for k, value in zip(_SAVED, saved, strict=False):
        message.store(k, value)
    thread.fault = NO_FAULT
    thread.saved = ()
    answer = abi.decode_tag(thread.registers[TAG], bits=kernel.arch.bits)
    error = message.load(utcb.ERROR) & abi.IPC_ERROR if answer.flags & TAG_ERROR else 0
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            Resumption(
                machine.now,
                machine.instructions,
                thread.number,
                int(thread.registers[TAG]),
                error,
                saved,
                held,
            )
        )
    if fault == IN_EXCEPTION:
        thread.allowed = thread.alien and answer.label == Protocol.ALLOW_SYSCALL and not error
    elif error == IpcError.NOT_EXISTENT or (not error and answer.label < 0):
        # Nobody can resolve it (ABI 5.1).  After any other error it is tried again.
        thread.context.vector = _PAGE_FAULT_VECTOR
        exception(kernel, thread)
