"""The kernel info page as programs read it."""

import struct

import pytest

from kernel import abi, kip
from kernel.abi import AMD64, IA32, PAGE_SIZE, Arch
from kernel.errors import UsageError
from kernel.freeze import freeze, thaw
from kernel.kip import Description, Kind, Memory, build, describe
from kernel.objects import Thread
from tests.kernel.desk import SELF, Desk, Guest, SysCall, Work

ARCHES = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
RAM = 64 << 20


def page(arch: Arch) -> bytes:
    return build(arch, describe(arch, cpu_khz=1_000_000, ram=RAM))


def strings(data: bytes, at: int) -> list[str]:
    """Read the version and the features as programs do: up to an empty string."""
    found: list[str] = []
    while data[at]:
        end = data.index(0, at)
        found.append(data[at:end].decode())
        at = end + 1
    return found


@ARCHES
def test_magic_and_version_are_those_that_programs_check(arch: Arch) -> None:
    """ABI 7: magic 0x4BE6344C, (version & 0xff00ffff) == 0x87004444."""
    magic, version = struct.unpack_from("<II", page(arch))

    assert magic == 0x4BE6_344C
    assert version & 0xFF00_FFFF == 0x8700_4444


@ARCHES
def test_the_page_has_this_layout(arch: Arch) -> None:
    """ABI 7: clock 0x20, frequency 0x28, descriptors by offset 0x54 and number 0x58."""
    data = page(arch)

    assert len(data) == PAGE_SIZE
    assert struct.unpack_from("<QQ", data, 0x20) == (0, 1_000_000)
    offset, count = struct.unpack_from("<II", data, 0x54)
    assert (offset, count) == (0x90, 64)
    assert data[0x0C] == (2 if arch is IA32 else 0)


@ARCHES
def test_memory_is_described_in_pairs_of_words(arch: Arch) -> None:
    """ABI 7: start with type and flags, then the end; unused ones are 0."""
    memory = (
        Memory(0, RAM - 1),
        Memory(0x10_0000, 0x10_FFFF, Kind.BOOTLOADER, subtype=5, is_eager=True),
        Memory(0, arch.user_end - 1, is_virtual=True),
    )
    data = build(arch, Description(1_000_000, memory))

    form = "<8Q" if arch.word == 8 else "<8I"
    words = struct.unpack_from(form, data, 0x90)
    assert words == (
        *(0x1, RAM - 1),
        *(0x10_015E, 0x10_FFFF),
        *(0x201, arch.user_end - 1),
        *(0, 0),
    )


@ARCHES
def test_version_text_and_features_follow_the_descriptors(arch: Arch) -> None:
    """ABI 7: at 0x490 or 0x290, NUL-terminated, ended by an empty string."""
    features = ("mapdb", "segments")
    data = build(arch, Description(1_000_000, features=features, version="test"))

    at = data[8] * 16
    assert at == (0x490 if arch is AMD64 else 0x290)
    assert strings(data, at) == ["test", "mapdb", "segments"]


def test_ia32_has_its_system_call_at_0x800() -> None:
    """ABI 1.2: int $0x30; ret, copied into the KIP at 0x800."""
    assert page(IA32)[0x800:0x803] == b"\xcd\x30\xc3"
    assert page(AMD64)[0x800:0x900] == bytes(0x100)


@ARCHES
def test_there_is_code_at_0x900_and_0x980(arch: Arch) -> None:
    """ABI 7: callable code for microseconds and nanoseconds; tests/lab runs it."""
    data = page(arch)
    start = b"\x0f\x31" if arch is AMD64 else b"\x53\x51\x56\x0f\x31"
    for at in (0x900, 0x980):
        assert data[at : at + len(start)] == start
        assert data[at : at + 0x60].rstrip(b"\0").endswith(b"\xc3")


@ARCHES
def test_what_does_not_fit_is_refused(arch: Arch) -> None:
    """ABI 7: 64 descriptors, and texts up to the code."""
    with pytest.raises(UsageError, match=r"^65 memory descriptors of 64$"):
        build(arch, Description(1, (Memory(0, 0x3FF),) * 65))
    with pytest.raises(UsageError, match=r"^2002 bytes of version and features, room"):
        build(arch, Description(1, version="x" * 2000))


@pytest.mark.parametrize(("start", "end"), [(1, 0x3FF), (0, 0x400), (0x800, 0x3FF)])
def test_memory_is_on_whole_kib(start: int, end: int) -> None:
    """ABI 7: the low 10 bits of a descriptor's addresses are not there."""
    with pytest.raises(UsageError, match=r", not on whole KiB$"):
        build(AMD64, Description(1, (Memory(start, end),)))


def clock(desk: Desk) -> int:
    at = desk.machine.clock
    return int.from_bytes(desk.machine.memory[at : at + 8], "little")


def scene(arch: Arch = AMD64) -> tuple[Desk, Thread, list[int]]:
    """A thread that reads the clock between its steps."""
    desk = Desk(arch)
    desk.kernel.create_kip(describe(arch, cpu_khz=1_000_000, ram=RAM))
    thread = desk.idle_thread()
    seen: list[int] = []
    desk.kernel.map_kip(thread.task)

    def guest() -> Guest:
        sleep = SysCall(SELF | abi.RECEIVE, timeout=20)
        for step in (Work(1), sleep, Work(7000), sleep, Work(12_000_000), sleep):
            yield step
            seen.append(clock(desk))

    desk.guest(thread, guest())
    return desk, thread, seen


@ARCHES
def test_the_clock_is_set_when_the_kernel_is_left(arch: Arch) -> None:
    """ABI 7: the clock field is in microseconds, rounded down, at the last kernel exit."""
    desk, _, seen = scene(arch)

    desk.run(until=100_000_000)

    # Work makes no kernel exit, but for the end of its time slice.
    assert seen == [0, 20, 20, 47, 10_000, 12_067]


@ARCHES
def test_the_page_is_mapped_for_reading_and_executing(arch: Arch) -> None:
    """ABI 7: read+execute at 0x6ffff000 (amd64) or 0xaffff000 (ia32)."""
    desk, thread, _ = scene(arch)

    frame, rights = desk.machine.spaces[thread.task.number][arch.kip]
    assert rights == abi.Page.R | abi.Page.X
    assert bytes(desk.machine.memory[frame : frame + PAGE_SIZE])[:8] == page(arch)[:8]
    assert desk.machine.clock == frame + kip.CLOCK


def test_slicing_a_run_does_not_move_the_clock() -> None:
    """ABI 7: where a run is cut says nothing about kernel exits."""
    whole, _, expected = scene()
    whole.run(until=100_000_000)
    desk, _, seen = scene()
    for until in range(0, 20_000_000, 3777):
        desk.run(until=until)
        if until % 5 == 0:
            desk.kernel = thaw(freeze(desk.kernel), desk.machine, recorder=desk.recording)

    assert seen == expected
    assert desk.recording.events == whole.recording.events
