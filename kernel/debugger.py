"""The debugger object: names for objects, and printing (ABI 6.10).

There is no debugger behind it that could stop the machine; what would need one is not served.
Names are for people: nothing in the kernel looks at them.
"""

from kernel import abi, log
from kernel.abi import Errno
from kernel.errors import GuestFault
from kernel.events import Named
from kernel.objects import Debugger
from kernel.request import Answer, Request
from kernel.state import Kernel
from kernel.utcb import MR_COUNT

# Digits of the operations that print a number in hexadecimal.
_HEX_DIGITS = {
    abi.DEBUGGER_OUT_HEX32: 8,
    abi.DEBUGGER_OUT_HEX20: 5,
    abi.DEBUGGER_OUT_HEX16: 4,
    abi.DEBUGGER_OUT_HEX12: 3,
    abi.DEBUGGER_OUT_HEX8: 2,
}
_TEXT = 2  # the message register where a text to print begins
_NAME = 1  # and where a name does


def invoke(kernel: Kernel, debugger: Debugger, request: Request) -> Answer:
    """Serve a message of the debugger protocol."""
    if not request.tag.words:
        raise GuestFault(Errno.ENOSYS, refused="enter the debugger")
    match request.opcode():
        case abi.DEBUGGER_SET_NAME:
            return _set_name(kernel, request)
        case abi.DEBUGGER_GLOBAL_ID:
            return Answer(0, (request.item().object.number,))
        case abi.DEBUGGER_NAME_OF_ID:
            request.require_words(2)
            return _name(kernel, request.word(1))
        case abi.DEBUGGER_GET_NAME:
            return _name(kernel, request.item().object.number)
        case opcode:
            return _print(kernel, request, opcode)


def _set_name(kernel: Kernel, request: Request) -> Answer:
    caller = request.caller
    target = request.item().object
    word = kernel.arch.word
    count = min(request.tag.words - _NAME, -(-abi.DEBUGGER_NAME_SIZE // word))
    data = b"".join(
        value.to_bytes(word, "little") for value in caller.utcb.load_words(count, _NAME)
    )
    name = data.partition(b"\0")[0][: abi.DEBUGGER_NAME_SIZE - 1]
    kernel.names[target.number] = name.decode("latin-1")
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            Named(
                machine.now,
                machine.instructions,
                caller.number,
                target.number,
                name,
                machine.call_site(caller.context),
            )
        )
    return Answer()


def _name(kernel: Kernel, number: int) -> Answer:
    name = kernel.names.get(number)
    if name is None:
        raise GuestFault(Errno.ENOENT)
    word = kernel.arch.word
    data = name.encode("latin-1").ljust(abi.DEBUGGER_NAME_SIZE, b"\0")
    return Answer(
        0,
        tuple(
            int.from_bytes(data[k : k + word], "little")
            for k in range(0, abi.DEBUGGER_NAME_SIZE, word)
        ),
    )


def _print(kernel: Kernel, request: Request, opcode: int) -> Answer:
    if opcode in _HEX_DIGITS:
        digits = _HEX_DIGITS[opcode]
        data = f"{_value(request) & (1 << 4 * digits) - 1:0{digits}x}".encode()
    elif opcode == abi.DEBUGGER_OUT_DECIMAL:
        data = str(_value(request)).encode()
    elif opcode == abi.DEBUGGER_OUT_CHAR:
        data = bytes((_value(request) & 0xFF,))
    elif opcode == abi.DEBUGGER_OUT_STRING:
        word = kernel.arch.word
        size = min(_value(request), (MR_COUNT - _TEXT) * word)
        data = log.text_of(request.caller, _TEXT, size, word=word)
    else:
        raise GuestFault(Errno.ENOSYS, refused=f"debugger operation {opcode:#x}")
    log.print_bytes(kernel, request.caller, data)
    return Answer()


def _value(request: Request) -> int:
    request.require_words(2)
    return request.word(1)
