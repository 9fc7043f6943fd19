"""The debugger object: names and printing."""

import pytest

from kernel import abi
from kernel.abi import AMD64, IA32, Arch, Errno, Protocol
from kernel.events import Log, Named, Purpose, Refused, Remark
from kernel.freeze import freeze, thaw
from kernel.objects import Thread
from tests.kernel.desk import Desk, Result, SysCall, object_item, tag

JDB = abi.CAP_DEBUGGER << abi.CAP_SHIFT


def scene(arch: Arch, *steps: SysCall) -> tuple[Desk, Thread]:
    desk = Desk(arch)
    thread = desk.idle_thread()
    desk.cap(thread, abi.CAP_DEBUGGER, desk.kernel.create_debugger())
    desk.program(thread, *steps)
    return desk, thread


def call(*words: int, items: int = 0) -> SysCall:
    sent = tag(Protocol.DEBUGGER, len(words) - 2 * items, items)
    return SysCall(JDB | abi.CALL, sent, words=words)


def remarks(desk: Desk) -> list[tuple[object, ...]]:
    return [event[2:] for event in desk.recording.events if isinstance(event, Remark)]


def text_words(text: bytes, word: int) -> tuple[int, ...]:
    data = text + bytes(-len(text) % word)
    return tuple(
        int.from_bytes(data[k : k + word], "little") for k in range(0, len(data), word)
    )


def set_name(name: bytes, word: int, index: int = abi.CAP_THREAD) -> SysCall:
    words = (abi.DEBUGGER_SET_NAME, *text_words(name, word), *object_item(index))
    return call(*words, items=1)


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_a_name_is_kept_told_and_given_back(arch: Arch) -> None:
    """ABI 6.10: set name, and get it by capability and by global id."""
    get = call(abi.DEBUGGER_GET_NAME, *object_item(abi.CAP_THREAD), items=1)
    desk, thread = scene(arch, set_name(b"worker-1", arch.word), get)

    desk.run()

    assert desk.kernel.names == {thread.number: "worker-1"}
    count = 16 // arch.word
    assert desk.result(thread) == [Result(0, 0), Result(count, 0)]
    assert thread.utcb.read(count) == b"worker-1" + bytes(8)
    (event,) = [e for e in desk.recording.events if isinstance(e, Named)]
    assert event[2:] == (thread.number, thread.number, b"worker-1", 0x1000)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"", ""),
        (b"exactly-fifteen", "exactly-fifteen"),
        (b"one more than that is cut", "one more than t"),
        (b"ab\0cd", "ab"),
        (b"\xff\x1b[2J", "\xff\x1b[2J"),
    ],
)
def test_a_name_is_cut_at_fifteen_bytes_and_at_its_end(given: bytes, kept: str) -> None:
    """ABI 6.10: names have at most 15 characters."""
    desk, thread = scene(AMD64, set_name(given, 8))

    desk.run()

    assert desk.kernel.names == {thread.number: kept}


def test_the_words_of_a_name_are_those_that_the_tag_counts() -> None:
    """ABI 6.10: text from w1, as many words as were sent."""
    desk, thread = scene(AMD64, call(abi.DEBUGGER_SET_NAME, *object_item(3), items=1))

    desk.run()

    assert desk.kernel.names == {thread.number: ""}


def test_the_global_id_is_the_objects_number_and_leads_to_its_name() -> None:
    """ABI 6.10: global id, and name of id."""
    desk, thread = scene(
        AMD64,
        set_name(b"log", 8, abi.CAP_LOG),
        call(abi.DEBUGGER_GLOBAL_ID, *object_item(abi.CAP_LOG), items=1),
    )
    desk.run()
    number = desk.kernel.log.number
    assert thread.utcb.load(0) == number

    other = desk.idle_thread(task=thread.task)
    desk.program(other, call(abi.DEBUGGER_NAME_OF_ID, number))
    desk.run()
    assert other.utcb.read(2) == b"log" + bytes(13)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (call(abi.DEBUGGER_NAME_OF_ID, 1 << 40), Errno.ENOENT),
        (call(abi.DEBUGGER_NAME_OF_ID), Errno.EINVAL),
        (call(abi.DEBUGGER_GET_NAME, *object_item(3), items=1), Errno.ENOENT),
        (call(abi.DEBUGGER_GET_NAME), Errno.EINVAL),
        (call(abi.DEBUGGER_GLOBAL_ID, *object_item(0x99), items=1), Errno.EINVAL),
        (call(abi.DEBUGGER_SET_NAME, 0x41), Errno.EINVAL),
        (call(abi.DEBUGGER_OUT_CHAR), Errno.EMSGTOOSHORT),
        (call(abi.DEBUGGER_OUT_DECIMAL), Errno.EMSGTOOSHORT),
        (call(abi.DEBUGGER_OUT_STRING), Errno.EMSGTOOSHORT),
        (call(abi.DEBUGGER_ENTER), Errno.EMSGTOOSHORT),
        (call(abi.DEBUGGER_ID_OF_POINTER), Errno.EINVAL),
        (call(abi.DEBUGGER_LOG_TYPE, 0, 0x63_7069), Errno.EINVAL),
        (call(abi.DEBUGGER_LOG_NAME, 0), Errno.EINVAL),
        (call(abi.DEBUGGER_SWITCH_LOG, 1), Errno.EINVAL),
        (call(abi.DEBUGGER_ADD_IMAGE, 0x1000), Errno.EINVAL),
        (call(abi.DEBUGGER_ADD_IMAGE, 0x1000, *object_item(3), items=1), Errno.EINVAL),
        (call(0x111), Errno.ENOSYS),
        (call(0x206, 1), Errno.ENOSYS),
        (call(0x300, 1), Errno.ENOSYS),
        (call(abi.DEBUGGER_COVERAGE), Errno.ENOSYS),
        (call(0xFFFF), Errno.ENOSYS),
        (SysCall(JDB | abi.CALL, tag(Protocol.LOG, 1)), Errno.EBADPROTO),
    ],
)
def test_what_the_debugger_does_not_do_is_an_error(step: SysCall, expected: Errno) -> None:
    """ABI 6.10: anything else is -38, and reported; -1001 or -22 for what is malformed."""
    desk, thread = scene(AMD64, step)

    desk.run()

    assert desk.result(thread) == [Result(tag(-expected), 0)]
    refused = [e for e in desk.recording.events if isinstance(e, Refused)]
    assert len(refused) == (expected == Errno.ENOSYS)
    assert desk.kernel.names == {}


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
@pytest.mark.parametrize(
    ("operation", "value", "printed"),
    [
        (abi.DEBUGGER_OUT_CHAR, 0x141, b"A"),
        (abi.DEBUGGER_OUT_HEX32, 0xBEEF, b"0000beef"),
        (abi.DEBUGGER_OUT_HEX20, 0x12_3456, b"23456"),
        (abi.DEBUGGER_OUT_HEX16, 0xABC, b"0abc"),
        (abi.DEBUGGER_OUT_HEX12, 0xABC, b"abc"),
        (abi.DEBUGGER_OUT_HEX8, 0x1FF, b"ff"),
        (abi.DEBUGGER_OUT_DECIMAL, 1234, b"1234"),
    ],
)
def test_a_number_is_printed_on_the_log(
    arch: Arch, operation: int, value: int, printed: bytes
) -> None:
    """ABI 6.10, group 0: outchar, hex and decimal."""
    desk, thread = scene(arch, call(operation, value))

    desk.run()

    assert desk.result(thread) == [Result(0, 0)]
    assert desk.recording.console() == printed
    assert desk.kernel.logged == len(printed)


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
@pytest.mark.parametrize("size", [0, 5, 11, 0xFFFF_FFFF])
def test_a_text_is_printed_on_the_log(arch: Arch, size: int) -> None:
    """ABI 6.10: outnstring, no further than the words that were sent."""
    words = text_words(b"hello world!", arch.word)
    desk, thread = scene(arch, call(abi.DEBUGGER_OUT_STRING, size, *words))
    for k in range(len(words), 61):
        thread.utcb.store(2 + k, 0x5555)

    desk.run()

    assert desk.recording.console() == b"hello world!"[:size]
    assert len([e for e in desk.recording.events if isinstance(e, Log)]) == 1


def test_a_text_ends_at_a_nul() -> None:
    """ABI 6.10: outnstring prints a C string."""
    words = text_words(b"ab\0cd", 8)
    desk, _ = scene(AMD64, call(abi.DEBUGGER_OUT_STRING, 5, *words))

    desk.run()

    assert desk.recording.console() == b"ab"


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
@pytest.mark.parametrize(
    ("text", "purpose", "said"),
    [
        (b"panic!", Purpose.ENTER, b"panic!"),
        (b"", Purpose.ENTER, b""),
        (b"*#", Purpose.ENTER, b"*#"),
        (b"*#Tbs", Purpose.COMMAND, b"Tbs"),
        (b"\x1b[2J\xff", Purpose.ENTER, b"\x1b[2J\xff"),
    ],
)
def test_who_enters_the_debugger_goes_on_and_it_is_told(
    arch: Arch, text: bytes, purpose: Purpose, said: bytes
) -> None:
    """ABI 6.10: enter, with a text; one that begins with *# is a sequence of commands."""
    enter = call(abi.DEBUGGER_ENTER, len(text), *text_words(text, arch.word))
    desk, thread = scene(arch, enter, call(abi.DEBUGGER_OUT_CHAR, 0x2E))

    desk.run()

    assert desk.result(thread) == [Result(0, 0), Result(0, 0)]
    assert remarks(desk) == [(thread.number, 0, purpose, said, (), 0x1000)]
    assert desk.recording.console() == b"."


def test_a_text_to_enter_with_is_no_longer_than_what_was_sent() -> None:
    """ABI 6.10: enter: w1 len, text from w2."""
    desk, _ = scene(AMD64, call(abi.DEBUGGER_ENTER, 1 << 63, *text_words(b"12345678", 8)))

    desk.run()

    assert [each[3] for each in remarks(desk)] == [b"12345678"]


def test_a_message_without_words_enters_the_debugger() -> None:
    """ABI 6.10: no words at all: enter debugger."""
    desk, thread = scene(AMD64, call())

    desk.run()

    assert desk.result(thread) == [Result(0, 0)]
    assert remarks(desk) == [(thread.number, 0, Purpose.ENTER, b"", (), 0x1000)]


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_a_loader_can_tell_where_it_put_a_program(arch: Arch) -> None:
    """ABI 6.10: task add image info: w1 base, then the name."""
    words = (0x40_0000, *text_words(b"rom/hello\0??", arch.word), *object_item(abi.CAP_TASK))
    desk, thread = scene(arch, call(abi.DEBUGGER_ADD_IMAGE, *words, items=1))

    desk.run()

    assert desk.result(thread) == [Result(0, 0)]
    expected = (thread.number, thread.task.number, Purpose.IMAGE, b"rom/hello", (0x40_0000,))
    assert [each[:-1] for each in remarks(desk)] == [expected]


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_no_object_has_an_address_in_the_kernel(arch: Arch) -> None:
    """ABI 6.10: id of kernel pointer: all ones for what is no object."""
    desk, thread = scene(arch, call(abi.DEBUGGER_ID_OF_POINTER, 0xDEAD_BEEF))

    desk.run()

    assert (desk.result(thread), thread.utcb.load(0)) == ([Result(1, 0)], arch.mask)


def test_a_kernel_without_log_points_switches_none() -> None:
    """ABI 6.10: log switch: those of the name, which there may be none of."""
    desk, thread = scene(AMD64, call(abi.DEBUGGER_SWITCH_LOG, 1, *text_words(b"ipc", 8)))

    desk.run()

    assert desk.result(thread) == [Result(0, 0)]


def test_the_kernels_memory_is_printed() -> None:
    """ABI 6.10: memory stats: on the console."""
    desk, thread = scene(AMD64, call(abi.DEBUGGER_MEMORY))
    used, limit = desk.kernel.factory.quota.used, desk.kernel.factory.quota.limit

    desk.run()

    assert desk.result(thread) == [Result(0, 0)]
    assert desk.recording.console().decode().splitlines() == [
        f"kernel memory: {used} of {limit} bytes in use",
        "kernel-user memory: 4096 of 1048576 bytes in use",
        f"kernel objects: {len(desk.kernel.objects)}",
    ]


def test_names_are_frozen() -> None:
    """ABI 6.10: a thawed kernel knows the names that guests gave."""
    desk, thread = scene(AMD64, set_name(b"\xe9t\xe9", 8))
    desk.run()

    assert thaw(freeze(desk.kernel), desk.machine).names == {thread.number: "\xe9t\xe9"}
