"""The page-fault trampoline: a thread that resolves its own page faults (ABI 5.5).

Rule 1: it is there for tasks whose scenario asks for it; others get an unknown operation,
and no info page announces it otherwise.
Rule 2: the kernel keeps what the thread cannot: its registers, and mr[0], which the way
back needs.  All other words are the handler's to give back.

The state lies in kernel-user memory: the handler's ip, two words of the user's, mr[0],
flags, and the first words of a trap frame.
"""

from kernel import abi, fault, frame, utcb
from kernel.abi import Errno
from kernel.errors import GuestFault
from kernel.events import Fate
from kernel.objects import REFLECTION, Thread
from kernel.request import Answer, Request
from kernel.state import Kernel

_IP, _MR0, _FLAGS, _FRAME = 0, 3, 4, 5  # words of the state
_IN_PROGRESS = 1
_EXCEPTION_AFTER = 2  # raise the one of ex_regs when the thread has resumed
_FRAME_WORDS = {"amd64": 23, "ia32": 19}  # up to and with ss

# What operation 9 does, above its 16 bits of opcode.
_SHIFT = 16
_SET, _RESUME, _REFLECT, _DISABLE, _ENABLE = range(5)


def enter(kernel: Kernel, thread: Thread) -> bool:
    """Send a thread with a page fault to its own handler; false if it has none ready."""
    arch = kernel.arch
    if not thread.armed or thread.context.address >= arch.user_end:
        return False
    state = _state(kernel, thread)
    words = _FRAME_WORDS[arch.name]
    for k, value in enumerate(frame.load(arch, thread)[:words], _FRAME):
        state[k] = value
    state[_MR0] = thread.utcb.load(utcb.MR)
    state[_FLAGS] |= _IN_PROGRESS
    thread.armed = False
    fault.record(kernel, thread, Fate.TRAMPOLINE)
    context = thread.context
    ip, first, second = ("rip", "rdi", "rsi") if arch.word == 8 else ("eip", "eax", "edx")
    context.store_register(first, thread.trampoline)
    context.store_register(second, fault.word(thread))
    context.store_register(ip, state[_IP])
    return True


def control(kernel: Kernel, thread: Thread, request: Request) -> Answer:
    """Serve operation 9 of the thread protocol."""
    if not thread.task.trampolines:
        raise GuestFault(Errno.ENOSYS, refused="a page-fault trampoline")
    what = request.word(0) >> _SHIFT & 0xFFFF
    if what == _SET:
        return _set(kernel, thread, request)
    if not thread.trampoline or what > _ENABLE:
        raise GuestFault(Errno.EINVAL)
    if what in (_DISABLE, _ENABLE):
        was = int(thread.armed)
        thread.armed = what == _ENABLE
        return Answer(0, (was,) if what == _DISABLE else ())
    if thread is not request.caller or not _state(kernel, thread)[_FLAGS] & _IN_PROGRESS:
        raise GuestFault(Errno.EINVAL)
    return _leave(kernel, thread, request, reflect=what == _REFLECT)


def _set(kernel: Kernel, thread: Thread, request: Request) -> Answer:
    request.require_words(2)
    arch = kernel.arch
    address = request.word(1)
    size = (_FRAME + _FRAME_WORDS[arch.name]) * arch.word
    page = address & -abi.PAGE_SIZE
    if address % arch.word or address + size > page + abi.PAGE_SIZE:
        raise GuestFault(Errno.EINVAL)  # as a UTCB, but within one page
    if page not in thread.task.ku_pages:
        raise GuestFault(Errno.EINVAL)
    thread.trampoline = address
    thread.armed = True
    return Answer()


def _leave(kernel: Kernel, thread: Thread, request: Request, *, reflect: bool) -> Answer:
    arch = kernel.arch
    state = _state(kernel, thread)
    saved = tuple(state[k] for k in range(_FRAME, _FRAME + _FRAME_WORDS[arch.name]))
    mr0, flags = state[_MR0], state[_FLAGS]
    state[_FLAGS] = 0
    thread.armed = True
    context = thread.context
    context.finish_call()
    frame.store(arch, thread, saved)
    if reflect:
        _, context.error, context.address = frame.cause(arch, saved)
        thread.trigger = REFLECTION
    elif flags & _EXCEPTION_AFTER:
        fault.trigger(thread)
    if not request.caller.operation & abi.OP_RECV:
        thread.utcb.store(utcb.MR, mr0)
    return Answer(0, (mr0,))


def _state(kernel: Kernel, thread: Thread) -> memoryview:
    address = thread.trampoline
    shown, _ = thread.task.ku_pages[address & -abi.PAGE_SIZE]
    count = _FRAME + _FRAME_WORDS[kernel.arch.name]
    return kernel.machine.words(shown + address % abi.PAGE_SIZE, count)
