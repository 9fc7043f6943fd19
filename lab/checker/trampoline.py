"""The page-fault trampoline, as the checker sees it: a frame below the code with the fault.

The kernel sends a thread to a handler of its own and gives the registers and mr[0] back when
that resumes; all else that the handler leaves in the UTCB stays (ABI 5.5).
"""

from kernel.abi import TAG_ERROR, TAG_LABEL_SHIFT, THREAD_PF_TRAMPOLINE, Protocol
from kernel.events import Invocation

_LABEL = 0xFFFF
_OPCODE = 0xFFFF
_LEAVES = (1, 2)  # above the opcode: resume, or have an exception raised


def leaves_handler(event: Invocation) -> bool:
    """Whether a thread has been sent back to where it had the fault."""
    if event.tag >> TAG_LABEL_SHIFT & _LABEL != Protocol.THREAD & _LABEL or not event.words:
        return False
    what = event.words[0]
    is_done = not event.result & TAG_ERROR and not event.result >> TAG_LABEL_SHIFT & _LABEL
    return is_done and what & _OPCODE == THREAD_PF_TRAMPOLINE and what >> 16 in _LEAVES
