"""The debugger object: names for objects, printing, and remarks for whoever debugs (ABI 6.10).

Nobody sits at this debugger: who enters it goes on at once, and the run's report says so.
It is built without log points and without coverage, and answers as such a kernel does.
Names are for people: nothing in the kernel looks at them.
"""

from kernel import abi, log, object_info, trace_buffer
from kernel.abi import Errno
from kernel.errors import GuestFault
from kernel.events import Named, Purpose, Remark
from kernel.objects import Debugger, Task
from kernel.request import Answer, Request
from kernel.state import Kernel

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
_COMMAND = b"*#"  # what a text for the debugger itself begins with


def invoke(kernel: Kernel, debugger: Debugger, request: Request) -> Answer:
    """Serve a message of the debugger protocol."""
    if not request.tag.words:
        return _remark(kernel, request, Purpose.ENTER, b"")
    opcode = request.opcode()
    if opcode in trace_buffer.OPERATIONS:
        return _trace(kernel, request, opcode)
    match opcode:
        case abi.DEBUGGER_ENTER:
            return _enter(kernel, request)
        case abi.DEBUGGER_SET_NAME:
            return _set_name(kernel, request)
        case abi.DEBUGGER_GLOBAL_ID:
            return Answer(0, (request.item().object.number,))
        case abi.DEBUGGER_ID_OF_POINTER:
            request.require_words(2)
            return Answer(0, (kernel.arch.mask,))  # no object of ours has an address
        case abi.DEBUGGER_LOG_TYPE | abi.DEBUGGER_LOG_NAME:
            raise GuestFault(Errno.EINVAL)  # the first is beyond the last: there is none
        case abi.DEBUGGER_SWITCH_LOG:
            request.require_words(3)
            return Answer()  # all that have this name are switched
        case abi.DEBUGGER_NAME_OF_ID:
            request.require_words(2)
            return _name(kernel, request.word(1))
        case abi.DEBUGGER_GET_NAME:
            return _name(kernel, request.item().object.number)
        case abi.DEBUGGER_ADD_IMAGE:
            return _add_image(kernel, request)
        case abi.DEBUGGER_OBJECT_INFOS:
            return object_info.write(kernel, request)
        case abi.DEBUGGER_MEMORY:
            return _print_memory(kernel, request)
        case abi.DEBUGGER_COVERAGE:
            # As Fiasco says that was not built to measure it.
            raise GuestFault(Errno.ENOSYS, refused="print the kernel's coverage")
        case _:
            return _print(kernel, request, opcode)


def _enter(kernel: Kernel, request: Request) -> Answer:
    text = _text(kernel, request)
    if len(text) > len(_COMMAND) and text.startswith(_COMMAND):
        return _remark(kernel, request, Purpose.COMMAND, text[len(_COMMAND) :])
    return _remark(kernel, request, Purpose.ENTER, text)


def _trace(kernel: Kernel, request: Request, opcode: int) -> Answer:
    entry = trace_buffer.invoke(kernel, request, opcode)
    if isinstance(entry, Answer):
        return entry
    return _remark(kernel, request, *entry)


def _add_image(kernel: Kernel, request: Request) -> Answer:
    # The name that a loader gives a program, and where it put it.
    request.require_words(2)
    task = request.item().object
    if not isinstance(task, Task):
        raise GuestFault(Errno.EINVAL)
    word = kernel.arch.word
    size = (request.tag.words - _TEXT) * word
    name = log.text_of(request.caller, _TEXT, size, word=word).partition(b"\0")[0]
    return _remark(kernel, request, Purpose.IMAGE, name, (request.word(1),), task.number)


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
        data = _text(kernel, request)
    else:
        raise GuestFault(Errno.ENOSYS, refused=f"debugger operation {opcode:#x}")
    log.print_bytes(kernel, request.caller, data)
    return Answer()


def _print_memory(kernel: Kernel, request: Request) -> Answer:
    # What there is to say of kernel memory here; the text is ours.
    quota, free = kernel.factory.quota, sum(size for _, size in kernel.shared_free)
    shared = len(kernel.machine.shared_frames) << abi.PAGE_SHIFT
    for line in (
        f"kernel memory: {quota.used} of {quota.limit} bytes in use\n",
        f"kernel-user memory: {shared - free} of {shared} bytes in use\n",
        f"kernel objects: {len(kernel.objects)}\n",
    ):
        log.print_bytes(kernel, request.caller, line.encode())
    return Answer()


def _value(request: Request) -> int:
    request.require_words(2, Errno.EMSGTOOSHORT)
    return request.word(1)


def _text(kernel: Kernel, request: Request) -> bytes:
    # As long as w1 says, or up to a NUL.
    return log.counted_text(request, 1, word=kernel.arch.word).partition(b"\0")[0]


def _remark(
    kernel: Kernel,
    request: Request,
    purpose: Purpose,
    text: bytes,
    values: tuple[int, ...] = (),
    target: int = 0,
) -> Answer:
    if kernel.recorder is not None:
        machine, caller = kernel.machine, request.caller
        kernel.recorder.record(
            Remark(
                machine.now,
                machine.instructions,
                caller.number,
                target,
                purpose,
                text,
                values,
                machine.call_site(caller.context),
            )
        )
    return Answer()
