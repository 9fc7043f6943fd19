"""Operations 0x10 to 0x13 of a thread: its own segments."""

import pytest

from kernel import abi
from kernel.abi import AMD64, IA32, Arch, Errno, Protocol
from kernel.objects import Thread
from tests.kernel.desk import SELF, Desk, Result, SysCall, tag

DATA = 0x00CF_F200_0000_FFFF  # writable data of 4 GiB at user level, base 0


def call(*words: int, selector: int = SELF) -> SysCall:
    return SysCall(selector | abi.CALL, tag(Protocol.THREAD, len(words)), words=words)


def descriptor_words(arch: Arch, *descriptors: int) -> tuple[int, ...]:
    if arch.word == 8:
        return descriptors
    return tuple(half for d in descriptors for half in (d & 0xFFFF_FFFF, d >> 32))


def run(arch: Arch, *steps: SysCall) -> tuple[Desk, Thread]:
    desk = Desk(arch)
    thread = desk.thread(*steps)
    desk.run()
    return desk, thread


@pytest.mark.parametrize(("arch", "first"), [(AMD64, 11), (IA32, 9)], ids=["amd64", "ia32"])
def test_without_a_descriptor_the_first_entry_is_told(arch: Arch, first: int) -> None:
    """ABI 6.2: GDT with words 1 gives the number of the first user entry."""
    desk, thread = run(arch, call(abi.THREAD_X86_GDT))

    assert desk.result(thread) == [Result(1, 0)]
    assert thread.utcb.load(0) == first


@pytest.mark.parametrize(
    ("arch", "entry", "selector"),
    [(AMD64, 0, 0x5B), (AMD64, 3, 0x73), (IA32, 0, 0x4B), (IA32, 2, 0x5B)],
)
def test_a_descriptor_is_set_and_its_selector_is_the_label(
    arch: Arch, entry: int, selector: int
) -> None:
    """ABI 6.2: GDT sets from entry w1 on and gives offset*8 + base + 3."""
    words = descriptor_words(arch, DATA | 0x12 << 16)
    desk, thread = run(arch, call(abi.THREAD_X86_GDT, entry, *words))

    bits = arch.bits
    assert desk.result(thread) == [Result(abi.encode_tag(selector, bits=bits), 0)]
    context = desk.machine.contexts[thread.number]
    assert context.descriptors == {entry: DATA | 0x12 << 16}


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_several_descriptors_are_set_at_once_up_to_the_last(arch: Arch) -> None:
    """ABI 6.2: descriptors follow each other; there are four."""
    values = [DATA | k << 16 for k in range(1, 7)]
    desk, thread = run(arch, call(abi.THREAD_X86_GDT, 1, *descriptor_words(arch, *values)))

    context = desk.machine.contexts[thread.number]
    assert context.descriptors == {1: values[0], 2: values[1], 3: values[2]}


def test_half_a_descriptor_is_none() -> None:
    """ABI 6.2: a descriptor takes two words on ia32."""
    desk, thread = run(IA32, call(abi.THREAD_X86_GDT, 0, DATA & 0xFFFF_FFFF))

    assert desk.machine.contexts[thread.number].descriptors == {}


def test_a_descriptor_of_another_thread_can_be_set() -> None:
    """ABI 6.2: the operation works on the thread that is invoked."""
    desk = Desk(IA32)
    other = desk.idle_thread()
    thread = desk.idle_thread()
    cap = desk.cap(thread, 0x20, other)
    words = (abi.THREAD_X86_GDT, 0, *descriptor_words(IA32, DATA))
    desk.program(thread, call(*words, selector=cap))

    desk.run()

    assert desk.machine.contexts[other.number].descriptors == {0: DATA}
    assert desk.machine.contexts[thread.number].descriptors == {}


HARMFUL = {
    "code": 0x00CF_FA00_0000_FFFF,
    "conforming code": 0x00CF_FE00_0000_FFFF,
    "64-bit code": 0x00AF_FA00_0000_FFFF,
    "kernel data": 0x00CF_9200_0000_FFFF,
    "call gate": 0x0000_EC00_0008_1000,
    "interrupt gate": 0x0000_EE00_0008_1000,
    "local descriptor table": 0x0000_E200_0000_FFFF,
    "task segment": 0x0000_E900_0000_0067,
}


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
@pytest.mark.parametrize("kind", HARMFUL)
def test_nothing_but_data_at_user_level_can_be_set(arch: Arch, kind: str) -> None:
    """ABI 6.2: a descriptor that is unsafe gives -22, and none is set."""
    words = descriptor_words(arch, DATA, HARMFUL[kind])
    desk, thread = run(arch, call(abi.THREAD_X86_GDT, 0, *words))

    assert desk.result(thread) == [Result(abi.encode_tag(-Errno.EINVAL, bits=arch.bits), 0)]
    assert desk.machine.contexts[thread.number].descriptors == {}


@pytest.mark.parametrize("entry", [4, 5, 1 << 31, (1 << 32) - 1])
def test_an_entry_out_of_range_is_invalid(entry: int) -> None:
    """ABI 6.2: entries count from 0 to 3."""
    desk, thread = run(IA32, call(abi.THREAD_X86_GDT, entry, *descriptor_words(IA32, DATA)))

    assert desk.result(thread) == [Result(abi.encode_tag(-Errno.EINVAL, bits=32), 0)]


def test_an_absent_descriptor_clears_an_entry() -> None:
    """ABI 6.2: a descriptor that is not present does no harm."""
    desk, thread = run(AMD64, call(abi.THREAD_X86_GDT, 0, DATA), call(abi.THREAD_X86_GDT, 0, 0))

    assert desk.machine.contexts[thread.number].descriptors == {0: 0}


@pytest.mark.parametrize(("which", "segment"), [(0, "fs"), (1, "gs")])
def test_a_segment_base_is_set(which: int, segment: str) -> None:
    """ABI 6.2: operation 0x12 sets the base of FS (0) or GS (1)."""
    opcode = abi.THREAD_AMD64_SET_SEGMENT_BASE | which << 16
    desk, thread = run(AMD64, call(opcode, 0x1234_5678_9ABC))

    assert desk.result(thread) == [Result(0, 0)]
    assert desk.machine.contexts[thread.number].bases == {segment: 0x1234_5678_9ABC}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((0x12,), Errno.EMSGTOOSHORT),
        ((0x12, 1 << 47), Errno.EINVAL),
        ((0x12, 0xFFFF << 48), Errno.EINVAL),
        ((0x12 | 2 << 16, 0), Errno.EINVAL),
        ((0x12 | 1 << 40, 0), Errno.EINVAL),
    ],
)
def test_a_base_that_cannot_be_is_invalid(words: tuple[int, ...], error: Errno) -> None:
    """ABI 6.2: a base is canonical, and there are two."""
    desk, thread = run(AMD64, call(*words))

    assert desk.result(thread) == [Result(tag(-error), 0)]
    assert desk.machine.contexts[thread.number].bases == {}


def test_segment_information_gives_the_user_selectors() -> None:
    """ABI 6.2: operation 0x13 gives user data, 64-bit code and 32-bit code."""
    desk, thread = run(AMD64, call(abi.THREAD_AMD64_SEGMENT_INFO))

    assert desk.result(thread) == [Result(3, 0)]
    assert thread.utcb.load_words(3) == (0x23, 0x2B, 0x1B)


@pytest.mark.parametrize("operation", [0x12, 0x13])
def test_ia32_has_no_segment_bases(operation: int) -> None:
    """ABI 6.2: operations 0x12 and 0x13 are of amd64."""
    desk, thread = run(IA32, call(operation, 0))

    assert desk.result(thread) == [Result(abi.encode_tag(-Errno.ENOSYS, bits=32), 0)]


@pytest.mark.parametrize("operation", [4, 7, 8, 0x11, 0x14, 0xFFFF])
def test_other_thread_operations_are_not_there(operation: int) -> None:
    """ABI 6.2: vcpu_resume, vcpu_control and doorbell are -38."""
    desk, thread = run(AMD64, call(operation, 0))

    assert desk.result(thread) == [Result(tag(-Errno.ENOSYS), 0)]
