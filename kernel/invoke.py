"""The system call: invoke a capability (ABI 1.3).

Rule 1: this is where a selector becomes an object, and where a `GuestFault` becomes
what the guest sees.
Rule 2: IPC goes to `kernel.ipc`, the kernel's own objects answer through the one table
below: object and protocol to function.
"""

from collections.abc import Callable
from typing import Any

from kernel import (
    abi,
    control,
    debugger,
    factory,
    icu,
    irq,
    log,
    semaphore,
    task,
    utcb,
)
from kernel.abi import (
    CAP_OPERATION,
    CAP_REPLY_BIT,
    CAP_SHIFT,
    CAP_SPECIAL,
    LABEL_RIGHTS,
    OP_RECV,
    OP_REPLY,
    OP_SEND,
    OPERATION_SET,
    TAG_ERROR,
    TAG_LABEL_SHIFT,
    Errno,
    IpcError,
    Protocol,
    Rights,
)
from kernel.errors import GuestFault
from kernel.events import Invocation, Refused, Waiting
from kernel.fault import intercept
from kernel.ipc import begin, bind, fail, take_reply, wait_after, wait_at
from kernel.objects import (
    IMPLICIT,
    RECEIVING,
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
from kernel.port import LABEL, SELECTOR, TAG
from kernel.request import Answer, NoReply, Request, Waits
from kernel.state import Kernel

_SELF_RIGHTS = int(Rights.W | Rights.S)


def invoke(kernel: Kernel, thread: Thread) -> None:
    """Do the system call that `thread` trapped with; on return somebody may run, or nobody."""
    if thread.alien and intercept(kernel, thread):
        return
    # Compiled, the block in a variable costs more than to look for it each time.
    selector = thread.registers[SELECTOR]
    operation = selector & CAP_OPERATION
    thread.operation = operation
    # The error flag is for results only (ABI 3).
    tag = thread.registers[TAG] & ~TAG_ERROR
    thread.registers[TAG] = thread.tag = tag
    kernel.cost += kernel.costs.system_call
    if operation & OP_REPLY:
        if not OPERATION_SET >> operation & 1:
            _refuse_operation(kernel, thread)
            return
        explicit = selector & CAP_SPECIAL == CAP_REPLY_BIT
        caller = take_reply(thread, selector >> CAP_SHIFT if explicit else IMPLICIT)
        if caller is None:
            fail(kernel, thread, IpcError.NOT_EXISTENT)
            return
        if caller.state == RECEIVING:
            # Whoever holds the reply capability answers, not only the thread that was called.
            caller.partner = thread
        begin(
            kernel, thread, caller, label=thread.registers[LABEL], rights=caller.rights, via=0
        )
        return
    target: Object
    if selector & CAP_SPECIAL:
        target, rights = thread, _SELF_RIGHTS
    else:
        cap = thread.task.caps.get(selector >> CAP_SHIFT)
        if cap is None:
            fail(kernel, thread, IpcError.NOT_EXISTENT)
            return
        target, rights = cap.object, cap.rights
    if not OPERATION_SET >> operation & 1:
        _refuse_operation(kernel, thread)
        return
    protocol = tag >> TAG_LABEL_SHIFT if operation & OP_SEND else 0
    if isinstance(target, Gate):
        gate = target
        if protocol != kernel.kobject_label or not rights & Rights.SERVER:
            bound = gate.thread
            begin(
                kernel,
                thread,
                gate if bound is None else bound,
                label=gate.label | rights & LABEL_RIGHTS,
                rights=rights,
                via=gate.number,
            )
            return
    elif isinstance(target, Thread) and protocol != kernel.thread_label:
        begin(kernel, thread, target, label=thread.registers[LABEL], rights=rights, via=0)
        return
    elif isinstance(target, Irq) and not operation & OP_SEND:
        begin(kernel, thread, target, label=0, rights=rights, via=0)
        return
    _invoke_object(kernel, thread, target, rights)


def _invoke_object(kernel: Kernel, thread: Thread, target: Object, rights: int) -> None:
    tag = abi.decode_tag(thread.tag, bits=kernel.arch.bits)
    request = Request(thread, rights, tag)
    sent = thread.utcb.load_words(min(tag.words + 2 * tag.items, utcb.MR_COUNT))
    old: tuple[int, ...] = ()
    answer: Answer | NoReply | Waits
    try:
        answer = _serve(kernel, target, request)
    except GuestFault as fault:
        if fault.refused:
            _report(kernel, thread, target, request, fault.refused)
        answer = Answer(-fault.error)
        if isinstance(fault.error, IpcError):
            fail(kernel, thread, fault.error)
            thread.registers[TAG] = TAG_ERROR  # whatever the phase
            return
    context = thread.context
    if isinstance(answer, Waits):
        assert isinstance(target, Semaphore), "one waits at semaphores only"
        if kernel.recorder is not None:
            kernel.recorder.record(
                Waiting(
                    kernel.machine.now,
                    kernel.machine.instructions,
                    thread.number,
                    thread.operation,
                    target.number,
                    thread.tag,
                    sent,
                    kernel.machine.call_site(context),
                )
            )
        wait_at(kernel, thread, target)
        return
    wants = thread.operation & OP_RECV
    words: tuple[int, ...] = ()
    if isinstance(answer, Answer) and wants:
        words = answer.words if answer.item is None else (*answer.words, answer.item)
        old = thread.utcb.load_words(len(words))
        for k, value in enumerate(words):
            thread.utcb.store(k, value)
        thread.registers[TAG] = abi.encode_tag(
            answer.label,
            words=len(answer.words) if answer.counted else 0,
            items=int(answer.item is not None),
            bits=kernel.arch.bits,
        )
    if kernel.recorder is not None:
        kernel.recorder.record(
            Invocation(
                kernel.machine.now,
                kernel.machine.instructions,
                thread.number,
                thread.operation,
                target.number,
                thread.tag,
                sent,
                int(thread.registers[TAG]),
                words,
                old,
                kernel.machine.call_site(context),
            )
        )
    if isinstance(answer, NoReply):
        if wants:
            wait_after(kernel, thread, answer.source)
        if answer.woken is not None:
            kernel.scheduler.wake(answer.woken, kernel.machine.now)


def _serve(kernel: Kernel, target: Object, request: Request) -> Answer | NoReply | Waits:
    if not request.caller.operation & OP_SEND:
        raise GuestFault(Errno.EINVAL)
    for kind, protocol, serve in _TABLE:
        if isinstance(target, kind) and request.tag.label == protocol:
            return serve(kernel, target, request)
    known = any(isinstance(target, kind) for kind, _, _ in _TABLE)
    if known and not isinstance(target, Gate):
        raise GuestFault(Errno.EBADPROTO)
    raise GuestFault(Errno.EBADPROTO, refused=f"protocol of a {target.kind}")


def _gate(kernel: Kernel, gate: Gate, request: Request) -> Answer:
    match request.opcode():
        case abi.GATE_BIND:
            request.require_words(2)
            request.require_rights(Rights.S | Rights.SERVER)
            cap = request.item()
            label = request.word(1)
            if not isinstance(cap.object, Thread) or label & LABEL_RIGHTS:
                raise GuestFault(Errno.EINVAL)
            if not cap.rights & Rights.S:
                raise GuestFault(Errno.EPERM)
            bind(kernel, gate, cap.object, label)
            return Answer()
        case abi.GATE_GET_INFO:
            return Answer(0, (gate.label,))
        case abi.GATE_DEC_REFCNT:
            return _forgo(kernel, gate, request)
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"gate operation {opcode}")


def _forgo(kernel: Kernel, gate: Gate, request: Request) -> Answer:
    # The server gives up so many references; how many are left is the answer.  The gate
    # ends with the next counted capability that goes when there are none.
    request.require_words(2)
    left = kernel.references.get(gate.number, 0) - request.word(1)
    if left < 0:
        raise GuestFault(Errno.EINVAL)
    kernel.references[gate.number] = left
    return Answer(0, (left,))


# Functions are called with the kind of object that their row names.
_TABLE: tuple[
    tuple[type, Protocol, Callable[[Kernel, Any, Request], Answer | NoReply | Waits]], ...
] = (
    (Thread, Protocol.THREAD, control.invoke_thread),
    (Log, Protocol.LOG, log.invoke),
    (SchedulerObject, Protocol.SCHEDULER, control.invoke_scheduler),
    (Task, Protocol.TASK, task.invoke),
    (Factory, Protocol.FACTORY, factory.invoke),
    (Gate, Protocol.KOBJECT, _gate),
    (Irq, Protocol.IRQ, irq.invoke),
    (Irq, Protocol.IRQ_SENDER, irq.invoke_sender),
    (Irq, Protocol.KOBJECT, irq.invoke_endpoint),
    (Semaphore, Protocol.SEMAPHORE, semaphore.invoke),
    (Semaphore, Protocol.IRQ, semaphore.invoke_irq),
    (Icu, Protocol.IRQ, icu.invoke),
    (Log, Protocol.IRQ, icu.invoke),
    (SchedulerObject, Protocol.IRQ, icu.invoke),
    (Debugger, Protocol.DEBUGGER, debugger.invoke),
)


def _refuse_operation(kernel: Kernel, thread: Thread) -> None:
    # Bits that make no operation of ABI 1.3: nothing is sent, nothing is waited for.
    tag = abi.decode_tag(thread.tag, bits=kernel.arch.bits)
    request = Request(thread, 0, tag)
    _report(kernel, thread, None, request, f"operation bits {thread.operation:#x}")
    thread.registers[TAG] = abi.encode_tag(-Errno.EINVAL, bits=kernel.arch.bits)


def _report(
    kernel: Kernel, thread: Thread, target: Object | None, request: Request, reason: str
) -> None:
    if kernel.recorder is None:
        return
    words = thread.utcb.load_words(min(request.tag.words, utcb.MR_COUNT))
    kernel.recorder.record(
        Refused(
            kernel.machine.now,
            kernel.machine.instructions,
            thread.number,
            target.number if target is not None else 0,
            request.tag.label,
            words[0] & abi.OPCODE if words else 0,
            words,
            reason,
            kernel.machine.call_site(thread.context),
        )
    )
