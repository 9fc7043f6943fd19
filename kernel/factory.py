"""Factories: making objects at a guest's request (ABI 6.3).

`MAKERS` says which function makes what; each checks its arguments, pays with the factory's
quota and leaves nothing behind when it refuses.  The type tags between the arguments are
ignored, as the real kernel does.
"""

from collections.abc import Callable
from typing import NamedTuple

from kernel import abi, capability, items
from kernel.abi import Errno, IpcError, Protocol, Rights
from kernel.errors import GuestFault
from kernel.events import Created
from kernel.flexpage import INVALID, Kind, decode
from kernel.objects import (
    DEAD,
    UNBOUND,
    Capability,
    Factory,
    Gate,
    Irq,
    Object,
    Semaphore,
    Task,
    Thread,
)
from kernel.quota import (
    CAP_BYTES,
    FACTORY_BYTES,
    GATE_BYTES,
    IRQ_BYTES,
    SEMAPHORE_BYTES,
    TASK_BYTES,
    THREAD_BYTES,
    Quota,
)
from kernel.request import Answer, Request
from kernel.state import THREAD_LIMIT, Kernel
from kernel.task import add_ku_mem, ku_mem_word

_GATE_TYPE = 0  # an older name of Protocol.KOBJECT
# The one item of an answer: a capability has arrived.
_CAP_ITEM = abi.ITEM_MAP | Kind.OBJECT << abi.FPAGE_KIND_SHIFT


class Made(NamedTuple):
    """A new object, and the words that its maker answers with."""

    object: Object
    words: tuple[int, ...] = ()


Maker = Callable[[Kernel, Quota, Request], Made]


def invoke(kernel: Kernel, factory: Factory, request: Request) -> Answer:
    """Make an object of the kind that a message asks for; the caller gets all rights to it.

    The capability goes where the caller's first receive buffer for objects says.
    """
    request.require_rights(Rights.S)
    caller = request.caller
    if not caller.operation & abi.OP_RECV:
        return Answer()  # nobody could take the new object
    buffer = items.object_buffer(caller.utcb)
    if buffer is None or buffer.window.kind != Kind.OBJECT:
        raise GuestFault(IpcError.RECEIVE_CUT)
    request.require_words(1)
    index = buffer.window.base
    kind = _signed(request.word(0), kernel.arch.bits)
    if kind not in MAKERS:
        raise GuestFault(Errno.ENODEV, refused=f"make an object of type {kind}")
    task = caller.task
    if index >= kernel.arch.cap_limit or not task.quota.has(CAP_BYTES):
        raise GuestFault(Errno.ENOMEM)
    made = MAKERS[kind](kernel, factory.quota, request)
    if index in task.caps:
        capability.unmap_slot(kernel, task, index, delete=True)
    kernel.insert_cap(task, index, Capability(made.object, abi.ALL_OBJECT_RIGHTS))
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            Created(
                machine.now,
                machine.instructions,
                caller.number,
                made.object.number,
                made.object.kind,
            )
        )
    return Answer(0, made.words, item=_CAP_ITEM)


def _make_gate(kernel: Kernel, quota: Quota, request: Request) -> Made:
    # The label is taken as it is, its low bits too (ABI 13, 8).
    request.require_words(3, Errno.EMSGTOOSHORT)
    thread: Thread | None = None
    if request.tag.items:
        cap = request.item()
        if not isinstance(cap.object, Thread):
            raise GuestFault(Errno.EINVAL)
        if not cap.rights & Rights.S:
            raise GuestFault(Errno.EPERM)
        thread = cap.object
    label = request.word(2)
    return Made(kernel.create(lambda n: Gate(n, thread, label), quota, GATE_BYTES))


def _make_task(kernel: Kernel, quota: Quota, request: Request) -> Made:
    request.require_words(3)
    area = request.word(2)
    task = kernel.create(lambda n: Task(n, quota), quota, TASK_BYTES)
    if not kernel.machine.create_space(task.number):
        kernel.remove(task)
        raise GuestFault(Errno.ENOMEM)
    if area == INVALID:
        return Made(task, (area,))
    fpage = decode(area)
    error = add_ku_mem(kernel, task, fpage)
    if error:
        kernel.machine.destroy_space(task.number)
        kernel.remove(task)
        raise GuestFault(error)
    return Made(task, (ku_mem_word(fpage),))


def _make_thread(kernel: Kernel, quota: Quota, request: Request) -> Made:
    # Unbound: it gets its task, UTCB and context from thread control (ABI 6.2).
    if len(kernel.threads) >= THREAD_LIMIT:
        raise GuestFault(Errno.ENOMEM)
    thread = kernel.create(lambda n: Thread(n, UNBOUND, UNBOUND, UNBOUND), quota, THREAD_BYTES)
    thread.state = DEAD
    return Made(thread)


def _make_irq(kernel: Kernel, quota: Quota, request: Request) -> Made:
    return Made(kernel.create(Irq, quota, IRQ_BYTES))


def _make_semaphore(kernel: Kernel, quota: Quota, request: Request) -> Made:
    # An initial count is not looked at.
    return Made(kernel.create(Semaphore, quota, SEMAPHORE_BYTES))


def _make_factory(kernel: Kernel, quota: Quota, request: Request) -> Made:
    request.require_words(3, Errno.EMSGTOOSHORT)
    if request.tag.words > 3 or request.tag.items:
        raise GuestFault(Errno.EMSGTOOLONG)
    limit = request.word(2)
    if limit > quota.limit or not quota.has(FACTORY_BYTES + limit):
        raise GuestFault(Errno.ENOMEM)
    made = kernel.create(lambda n: Factory(n, Quota(n, quota, limit)), quota, FACTORY_BYTES)
    quota.take(limit)
    return Made(made)


MAKERS: dict[int, Maker] = {
    _GATE_TYPE: _make_gate,
    Protocol.KOBJECT: _make_gate,
    Protocol.TASK: _make_task,
    Protocol.THREAD: _make_thread,
    Protocol.FACTORY: _make_factory,
    Protocol.IRQ_SENDER: _make_irq,
    Protocol.SEMAPHORE: _make_semaphore,
}


def _signed(word: int, bits: int) -> int:
    return word - (1 << bits) if word >> (bits - 1) else word
