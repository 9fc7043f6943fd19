"""The kernel's log: a vcon that guests write to and read from (ABI 6.9).

What can be read is known from the start of a run.  Nothing is echoed: the console has what
guests wrote and only that.
"""

from kernel import abi
from kernel.abi import Errno, Rights
from kernel.errors import GuestFault
from kernel.events import Log as LogEvent
from kernel.objects import Log, Thread
from kernel.request import Answer, NoReply, Request
from kernel.state import Kernel
from kernel.utcb import MR_COUNT

_TEXT = 2  # the message register where the text of a write begins
_INPUT = 1  # and where that of a read does
_NEWLINE, _RETURN = "\n", "\r"


def invoke(kernel: Kernel, log: Log, request: Request) -> Answer | NoReply:
    """Serve one request to the log."""
    match request.opcode():
        case abi.VCON_WRITE:
            _write(kernel, log, request)
            return NoReply()
        case abi.VCON_READ:
            return _read(kernel, log, request)
        case abi.VCON_SET_ATTR:
            request.require_words(4)
            log.input_flags = request.word(1)
            # Lines end in what a terminal needs, whatever a guest says.
            log.output_flags = request.word(2) | abi.VCON_ONLCR
            log.local_flags = request.word(3)
            return Answer()
        case abi.VCON_GET_ATTR:
            opcode = request.word(0)
            return Answer(0, (opcode, log.input_flags, log.output_flags, log.local_flags))
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"log operation {opcode}")


def text_of(caller: Thread, first: int, size: int, *, word: int) -> bytes:
    """Read `size` bytes of a caller's message registers from register `first` on."""
    words = caller.utcb.load_words(-(-size // word), first)
    return b"".join(value.to_bytes(word, "little") for value in words)[:size]


def counted_text(request: Request, first: int, *, word: int) -> bytes:
    """Read a text whose length is in message register `first`, and which lies behind it.

    No longer than the words that were sent; -EMSGTOOSHORT if not even the length was.
    """
    request.require_words(first + 1, Errno.EMSGTOOSHORT)
    size = min(request.word(first), (request.tag.words - first - 1) * word)
    return text_of(request.caller, first + 1, size, word=word)


def print_bytes(kernel: Kernel, caller: Thread, data: bytes) -> None:
    """Put bytes on the console."""
    kernel.logged += len(data)
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


def _write(kernel: Kernel, log: Log, request: Request) -> None:
    # The length alone counts, not the number of words (ABI 13, 6); a longer one is ignored.
    word = kernel.arch.word
    size = request.word(1)
    if size > abi.VCON_MAX_WORDS * word:
        return
    data = text_of(request.caller, _TEXT, size, word=word)
    if log.output_flags & abi.VCON_OCRNL:
        data = data.replace(b"\r", b"\n")
    if log.output_flags & abi.VCON_ONLRET:
        data = data.replace(b"\r", b"")
    print_bytes(kernel, request.caller, data)


def _read(kernel: Kernel, log: Log, request: Request) -> Answer:
    # Only a call takes input away: otherwise nobody would get it.
    if not request.caller.operation & abi.OP_RECV:
        return Answer()
    request.require_rights(Rights.W)
    word = kernel.arch.word
    size = min(request.word(0) >> abi.VCON_READ_SIZE_SHIFT, (MR_COUNT - _INPUT) * word)
    text = _take(kernel, log, size).encode("latin-1")
    # The last word keeps what the text does not fill.
    count = -(-len(text) // word)
    old = text_of(request.caller, _INPUT, count * word, word=word)
    data = text + old[len(text) :]
    words = tuple(
        int.from_bytes(data[k : k + word], "little") for k in range(0, len(data), word)
    )
    end = 0 if kernel.input else abi.VCON_READ_END
    return Answer(0, (len(text) | end, *words), counted=False)


def _take(kernel: Kernel, log: Log, size: int) -> str:
    found: list[str] = []
    taken = 0
    for character in kernel.input:
        if len(found) == size:
            break
        taken += 1
        if log.input_flags & abi.VCON_INLCR and character == _NEWLINE:
            character = _RETURN
        if character == _RETURN:
            if log.input_flags & abi.VCON_IGNCR:
                continue
            if log.input_flags & abi.VCON_ICRNL:
                character = _NEWLINE
        found.append(character)
    kernel.input = kernel.input[taken:]
    return "".join(found)
