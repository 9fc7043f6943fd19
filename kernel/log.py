"""The kernel's log: a vcon that guests write to (ABI 6.9)."""

from kernel import abi
from kernel.abi import Errno
from kernel.errors import GuestFault
from kernel.events import Log as LogEvent
from kernel.objects import Log
from kernel.request import Answer, NoReply, Request
from kernel.state import Kernel

_TEXT = 2  # the message register where the text begins


def invoke(kernel: Kernel, log: Log, request: Request) -> Answer | NoReply:
    """Serve one request to the log."""
    opcode = request.opcode()
    if opcode != abi.VCON_WRITE:
        raise GuestFault(Errno.ENOSYS, refused="only writing to the log is served")
    _write(kernel, request)
    return NoReply()


def _write(kernel: Kernel, request: Request) -> None:
    # The length alone counts, not the number of words (ABI 13, 6); a longer one is ignored.
    word = kernel.arch.word
    size = request.word(1)
    if size > abi.VCON_MAX_WORDS * word:
        return
    caller = request.caller
    words = caller.utcb.load_words(-(-size // word), _TEXT)
    data = b"".join(value.to_bytes(word, "little") for value in words)[:size]
    kernel.logged += size
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            LogEvent(
                machine.now,
                machine.instructions,
                caller.number,
                data,
                machine.call_site(caller.context),
            )
        )
