"""Faults and exceptions of guests: messages that the kernel sends for a thread (ABI 5).

Rule 1: such a message is a call of the faulting thread itself, and takes its UTCB.  A page
fault saves five words of it and an exception three; these come back when the call has
ended, and nothing else does.
Rule 2: the message registers of a thread with an exception are neither read nor written:
its trap frame is the message, and the answer is its trap frame.
Rule 3: a thread without a pager is killed by its first page fault; one without an exception
handler blocks for ever at its first exception.
"""

from kernel import abi, frame
from kernel.abi import (
    AMD64,
    BDR_ACCEPT_FPU,
    CALL,
    FAULT_BITS,
    FPAGE_ALL_SPACES,
    IPC_ERROR,
    ITEM_MAP,
    LABEL_RIGHTS,
    TAG_ERROR,
    TAG_LABEL_SHIFT,
    TAG_TRANSFER_FPU,
    Errno,
    IpcError,
    Protocol,
)
from kernel.abi import FAULT_FETCH as SENT_FETCH
from kernel.events import Exception_, Fate, Fault, Resumption
from kernel.ipc import begin, bury
from kernel.mapping import fabricate
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
from kernel.utcb import BDR, BR, ERROR, MR

# The tag of a page fault's message, of the longer word.
_PAGE_FAULT_TAG = abi.encode_tag(Protocol.PAGE_FAULT, words=2, bits=AMD64.bits)

_NOT_EXISTENT = int(IpcError.NOT_EXISTENT)
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
    address: int = context.address
    if address >= kernel.arch.user_end:
        context.vector = _PAGE_FAULT_VECTOR
        exception(kernel, thread)
        return
    kernel.cost += kernel.costs.fault
    if thread.task.sigma0 and fabricate(kernel, thread.task, address):
        return
    cap = thread.task.caps.get(thread.pager) if thread.pager else None
    if kernel.recorder is not None:
        record(kernel, thread, Fate.KILLED if cap is None else Fate.HANDLED)
    if cap is None:
        kernel.faults += 1
        bury(kernel, thread)
        return
    thread.fault = IN_PAGE_FAULT
    message = thread.utcb
    thread.saved = (
        message.load(BDR),
        message.load(BR),
        message.load(BR + 1),
        message.load(MR),
        message.load(MR + 1),
    )
    message.store(MR, word(thread))
    message.store(MR + 1, context.ip)
    _call(kernel, thread, cap, _PAGE_FAULT_TAG & kernel.mask)


def word(thread: Thread) -> int:
    """Give the word that tells of a page fault: the address, and three bits of what it was."""
    context = thread.context
    error: int = context.error
    address: int = context.address
    what = error & (FAULT_PRESENT | FAULT_WRITE)
    if error & FAULT_FETCH:
        what |= SENT_FETCH
    return address & ~FAULT_BITS | what


def record(kernel: Kernel, thread: Thread, fate: Fate) -> None:
    """Tell the recorder of a page fault, if there is one."""
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
    thread.fault = IN_EXCEPTION
    message = thread.utcb
    thread.saved = message.load(BDR), message.load(BR), message.load(BR + 1)
    arch = kernel.arch
    tag = abi.encode_tag(
        Protocol.EXCEPTION, words=frame.words(arch), flags=TAG_TRANSFER_FPU, bits=arch.bits
    )
    _call(kernel, thread, cap, tag)


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


def _call(kernel: Kernel, thread: Thread, cap: Capability, tag: int) -> None:
    message = thread.utcb
    message.store(BDR, BDR_ACCEPT_FPU)
    message.store(BR, ITEM_MAP)
    message.store(BR + 1, FPAGE_ALL_SPACES)
    thread.operation = CALL
    thread.tag = tag
    thread.registers[TAG] = tag
    thread.registers[SELECTOR] = CALL
    thread.registers[LABEL] = 0
    thread.registers[TIMEOUT] = 0
    target = cap.object
    if isinstance(target, Gate):
        gate = target
        bound = gate.thread
        begin(
            kernel,
            thread,
            gate if bound is None else bound,
            label=gate.label | cap.rights & LABEL_RIGHTS,
            rights=cap.rights,
            via=gate.number,
        )
    elif isinstance(target, Thread):
        begin(kernel, thread, target, label=0, rights=cap.rights, via=0)
    else:
        # No other object knows the protocol.
        thread.registers[TAG] = abi.encode_tag(-Errno.EBADPROTO, bits=kernel.arch.bits)


def _end(kernel: Kernel, thread: Thread) -> None:
    """End the call of a fault or exception: its answer is there, or its error."""
    message = thread.utcb
    fault, saved = thread.fault, thread.saved
    tag = thread.registers[TAG]
    error = message.load(ERROR) & IPC_ERROR if tag & TAG_ERROR else 0
    held = () if kernel.recorder is None else _held(thread)
    message.store(BDR, saved[0])
    message.store(BR, saved[1])
    message.store(BR + 1, saved[2])
    if fault == IN_PAGE_FAULT:
        message.store(MR, saved[3])
        message.store(MR + 1, saved[4])
    thread.fault = NO_FAULT
    thread.saved = ()
    if kernel.recorder is not None:
        _record_end(kernel, thread, error, saved, held)
    if fault == IN_EXCEPTION:
        allows = tag >> TAG_LABEL_SHIFT == Protocol.ALLOW_SYSCALL
        thread.allowed = thread.alien and allows and not error
    elif error == _NOT_EXISTENT or (not error and tag > kernel.mask >> 1):
        # Nobody can resolve it: the label is negative (ABI 5.1).  After any other error it
        # is tried again.
        thread.context.vector = _PAGE_FAULT_VECTOR
        exception(kernel, thread)


def _held(thread: Thread) -> tuple[int, ...]:
    """Give the words that those which were saved will replace."""
    held = thread.utcb.load_words(3, BDR)
    if thread.fault == IN_PAGE_FAULT:
        held += thread.utcb.load_words(2, MR)
    return held


def _record_end(
    kernel: Kernel, thread: Thread, error: int, saved: tuple[int, ...], held: tuple[int, ...]
) -> None:
    machine = kernel.machine
    assert kernel.recorder is not None, "there is somebody to tell"
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
