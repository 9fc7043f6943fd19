"""Segments of a thread's own and of its task: what fs and gs may refer to (ABI 6.1, 6.2).

Rule 1: a guest gets descriptors of data segments at user level and nothing else: a gate or a
code segment would be a way around the kernel, or code of another kind than the machine runs.
"""

from kernel import abi
from kernel.abi import Errno
from kernel.errors import GuestFault
from kernel.objects import Task, Thread
from kernel.request import Answer, Request
from kernel.state import Kernel

_FIRST = 2  # the message register from which the descriptors are
_DESCRIPTOR = 8  # bytes

# Fields of a segment descriptor (Intel SDM vol. 3, 3.4.5).
_PRESENT = 1 << 47
_LEVEL = 3 << 45
_SEGMENT = 1 << 44  # else a gate, or a segment of the system
_CODE = 1 << 43

_SEGMENTS = ("fs", "gs")  # by their numbers in operation 0x12


def set_descriptors(kernel: Kernel, thread: Thread, request: Request) -> Answer:
    """Set descriptors of a thread; with no word besides the opcode, say where they begin.

    The result's label is the selector of the first one.
    """
    arch = kernel.arch
    if request.tag.words == 1:
        return Answer(0, (arch.first_user_segment,))
    entry = request.word(1)
    if entry >= abi.USER_SEGMENTS:
        raise GuestFault(Errno.EINVAL)
    found = _descriptors(kernel, request, most=abi.USER_SEGMENTS - entry)
    for number, descriptor in enumerate(found, entry):
        thread.context.store_descriptor(number, descriptor)
    return Answer((arch.first_user_segment + entry) * _DESCRIPTOR | 3)


def set_local(kernel: Kernel, task: Task, request: Request) -> Answer:
    """Set descriptors of a task's local table, which from then on ends behind them.

    Words 2 and up are descriptors for entry w1 and the following ones; the table is a page.
    A selector of entry n is n * 8 + 7.  -22 if there are no whole descriptors, if they end
    beyond the page, or if one is no data segment at user level; then nothing is set.
    Source: Fiasco, `Task::invoke_ldt_set`, which sets those before a bad one.
    """
    step = _DESCRIPTOR // kernel.arch.word
    entry, words = request.word(1), request.tag.words
    if words <= _FIRST or words % step:
        raise GuestFault(Errno.EINVAL)
    if entry + (words - _FIRST) // step > abi.LOCAL_SEGMENTS:
        raise GuestFault(Errno.EINVAL)
    found = _descriptors(kernel, request, most=abi.LOCAL_SEGMENTS)
    if not kernel.machine.store_local_descriptors(task.number, entry, found):
        raise GuestFault(Errno.ENOMEM)
    return Answer()


def set_base(kernel: Kernel, thread: Thread, request: Request) -> Answer:
    """Set the base of fs or gs, and its selector to 0; amd64 only."""
    if kernel.arch.word == 4:
        raise GuestFault(Errno.ENOSYS, refused="set a segment base on ia32")
    request.require_words(2, Errno.EMSGTOOSHORT)
    which = request.word(0) >> abi.SEGMENT_SHIFT
    base = request.word(1)
    # Canonical: the upper 17 bits are equal.
    if which >= len(_SEGMENTS) or base >> 47 not in (0, (1 << 17) - 1):
        raise GuestFault(Errno.EINVAL)
    thread.context.store_segment_base(_SEGMENTS[which], base)
    return Answer()


def info(kernel: Kernel) -> Answer:
    """Tell the selectors of user segments; amd64 only."""
    if kernel.arch.word == 4:
        raise GuestFault(Errno.ENOSYS, refused="segment information on ia32")
    return Answer(
        0, (abi.SELECTOR_USER_DATA, abi.SELECTOR_USER_CODE64, abi.SELECTOR_USER_CODE32)
    )


def _descriptors(kernel: Kernel, request: Request, *, most: int) -> list[int]:
    # The message's whole descriptors from its third word on, `most` of them at the most.
    arch = kernel.arch
    found: list[int] = []
    step = _DESCRIPTOR // arch.word
    for k in range(_FIRST, request.tag.words - step + 1, step):
        if len(found) == most:
            break
        low = request.word(k)
        descriptor = low if step == 1 else low | request.word(k + 1) << arch.bits
        if not _is_harmless(descriptor):
            raise GuestFault(Errno.EINVAL, refused=f"a segment descriptor {descriptor:#x}")
        found.append(descriptor)
    return found


def _is_harmless(descriptor: int) -> bool:
    if not descriptor & _PRESENT:
        return True  # loading it is an exception
    return descriptor & (_LEVEL | _SEGMENT | _CODE) == _LEVEL | _SEGMENT
