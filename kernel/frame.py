"""The trap frame: a thread's registers as the words of an exception message (ABI 5.2).

Rule 1: what a handler sees and what it gives back has the layout of `l4_exc_regs_t`; the
machine knows registers by name only.
Rule 2: a handler can give a thread nothing that a program could not have: the code segment
and privileged flags stay, selectors that name no segment of the thread become null.
"""

from kernel.abi import Arch
from kernel.objects import Thread

# In place of registers: what the trap was.
_ADDRESS, _VECTOR, _ERROR = "cr2", "trapno", "err"
# amd64 packs four selectors into one word.
_SELECTORS = "selectors"
_PACKED = ("ds", "es", "fs", "gs")

_LAYOUTS: dict[str, tuple[str, ...]] = {
    "amd64": (
        *("r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8", "rdi", "rsi", "rbp"),
        *(_ADDRESS, "rbx", "rdx", "rcx", "rax", _VECTOR, _ERROR),
        *("rip", "cs", "flags", "rsp", "ss", "fs_base", "gs_base", _SELECTORS),
    ),
    "ia32": (
        *("es", "ds", "gs", "fs", "edi", "esi", "ebp"),
        *(_ADDRESS, "ebx", "edx", "ecx", "eax", _VECTOR, _ERROR),
        *("eip", "cs", "flags", "esp", "ss"),
    ),
}
_KEPT = frozenset((_ADDRESS, _VECTOR, _ERROR, "cs", "ss"))
# A flag that no handler can set: what is nested returns by a task switch (ABI 5.2).
_NESTED_TASK = 1 << 14


def words(arch: Arch) -> int:
    """Give the number of words in a trap frame."""
    return len(_LAYOUTS[arch.name])


def load(arch: Arch, thread: Thread) -> tuple[int, ...]:
    """Read a thread's trap frame."""
    return tuple(_load(thread, name) for name in _LAYOUTS[arch.name])


def store(arch: Arch, thread: Thread, frame: tuple[int, ...]) -> None:
    """Set a thread's registers from a handler's answer, `words` of it at least."""
    values = dict(zip(_LAYOUTS[arch.name], frame, strict=False))
    values["flags"] &= ~_NESTED_TASK
    context = thread.context
    # Loading a selector sets its base, so bases come last.
    packed = values.pop(_SELECTORS, None)
    if packed is not None:
        for k, name in enumerate(_PACKED):
            context.store_register(name, packed >> 16 * k & 0xFFFF)
    for name, value in values.items():
        if name not in _KEPT:
            context.store_register(name, value)


def cause(arch: Arch, frame: tuple[int, ...]) -> tuple[int, int, int]:
    """Give vector, error and address of the trap that a frame tells of."""
    layout = _LAYOUTS[arch.name]
    vector, error, address = (frame[layout.index(n)] for n in (_VECTOR, _ERROR, _ADDRESS))
    return vector, error, address


def _load(thread: Thread, name: str) -> int:
    context = thread.context
    if name == _ADDRESS:
        return context.address
    if name == _VECTOR:
        return context.vector
    if name == _ERROR:
        return context.error
    if name == _SELECTORS:
        return sum(context.load_register(each) << 16 * k for k, each in enumerate(_PACKED))
    return context.load_register(name)
