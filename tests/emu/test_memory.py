"""Frames, mappings and what is refused."""

import pytest

from emu.errors import (
    BadConfigError,
    BadMappingError,
    NotInMemoryError,
    NotMappedError,
    OutOfTablesError,
)
from emu.machine import Machine, MachineConfig
from emu.memory import TABLES_BASE, Memory, Window
from emu.paging import PageTables
from emu.traps import PAGE_FAULT
from tests.emu.rig import ARCHES, CALL_PAGE, CODE, DATA, PAGE, assemble, rig


@pytest.mark.parametrize("arch", ARCHES)
def test_frames_of_ram_and_shared_memory_can_be_mapped(arch: str) -> None:
    machine = rig(arch, "nop").machine
    for index, frames in enumerate((machine.frames, machine.shared_frames)):
        machine.map(1, 0x50_0000 + index * PAGE, frames[-1], 6)
        machine.write_physical(frames[-1] + 8, b"here")
        assert machine.read(1, 0x50_0008 + index * PAGE, 4) == b"here"
        assert machine.translate(1, 0x50_0008 + index * PAGE) == frames[-1] + 8


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    ("address", "frame", "reason"),
    [
        (0x1001, 0, "misaligned"),
        (0x1000, 0x10, "misaligned"),
        (-PAGE, 0, "not below"),
        (1 << 47, 0, "not below"),
        (0xFFFF_FFFF_FFFF_F000, 0, "not below"),
        (0x1000, 1 << 20, "not a frame"),
        (0x1000, TABLES_BASE, "not a frame"),
        (0x1000, -PAGE, "not a frame"),
        (0x1000, 1 << 60, "not a frame"),
    ],
)
def test_other_mappings_are_refused_and_change_nothing(
    arch: str, address: int, frame: int, reason: str
) -> None:
    machine = rig(arch, "nop").machine
    with pytest.raises(BadMappingError, match=reason):
        machine.map(1, address, frame, 7)
    assert machine.translate(1, address) is None


def test_the_kernels_part_of_ia32_is_not_mappable() -> None:
    machine = rig("ia32", "nop").machine
    with pytest.raises(BadMappingError, match="not below 0xc0000000"):
        machine.map(1, 0xC000_0000, 0, 7)
    machine.map(1, 0xC000_0000 - PAGE, 0, 7)


def test_unmapping_nothing_is_no_error_but_a_bad_address_is() -> None:
    machine = rig("amd64", "nop").machine
    machine.unmap(1, 0x77000)
    with pytest.raises(BadMappingError):
        machine.unmap(1, 0x77001)


def test_reading_and_writing_crosses_pages_whatever_their_rights() -> None:
    machine = rig("amd64", "nop").machine
    machine.write(1, CODE + PAGE - 2, b"abcd")
    assert machine.read(1, CODE + PAGE - 2, 4) == b"abcd"
    with pytest.raises(NotMappedError, match="address 0x104000") as caught:
        machine.write(1, CODE + 4 * PAGE - 2, b"abcd")
    assert caught.value.address == CODE + 4 * PAGE
    assert machine.read(1, CODE + 4 * PAGE - 2, 2) == b"\0\0"
    with pytest.raises(NotMappedError):
        machine.read(1, 1 << 60, 1)


def test_physical_accesses_stay_in_their_window() -> None:
    machine = rig("amd64", "nop").machine
    with pytest.raises(NotInMemoryError, match="physical 0xffffc"):
        machine.read_physical((1 << 20) - 4, 8)
    with pytest.raises(NotInMemoryError):
        machine.write_physical(TABLES_BASE, b"x")
    with pytest.raises(NotInMemoryError):
        machine.words(machine.shared_frames[-1], 513)


@pytest.mark.parametrize("arch", ARCHES)
def test_words_are_the_guests_memory_itself(arch: str) -> None:
    base = "rbx" if arch == "amd64" else "ebx"
    size = 8 if arch == "amd64" else 4
    it = rig(arch, f"mov {base}, 0x500000; add dword ptr [{base} + {3 * size}], 5; ud2")
    frame = it.machine.shared_frames[0]
    it.machine.map(1, 0x50_0000, frame, 6)
    words = it.machine.words(frame + size, 4)
    words[2] = 7
    it.run()

    assert list(words) == [0, 0, 12, 0]


def test_the_call_page_is_in_every_space_and_read_only() -> None:
    """ABI 1.2: user-readable and executable page at 0xeacff000 in every task."""
    it = rig("ia32", f"mov ebx, {CALL_PAGE}; mov eax, [ebx]; mov [ebx], eax")
    assert it.run() == PAGE_FAULT
    assert (it.context.address, it.context.error) == (CALL_PAGE, 7)
    assert it.context.load_register("eax") == 0x00C330CD


@pytest.mark.parametrize("arch", ARCHES)
def test_an_access_across_pages_faults_at_the_second(arch: str) -> None:
    end = DATA + 16 * PAGE
    it = rig(arch, f"mov ebx, {end - 2}; mov [{'rbx' if arch == 'amd64' else 'ebx'}], eax")
    assert it.run() == PAGE_FAULT
    assert (it.context.address, it.context.error) == (end, 6)
    assert it.machine.read(1, end - 2, 2) == b"\0\0"
    assert it.context.ip == CODE + len(assemble("mov ebx, 5", arch))


def test_full_tables_are_an_error_and_freed_ones_come_back() -> None:
    window = Memory(PAGE).tables
    small = PageTables(
        Window(window.base, 12 * PAGE, window.memory, window.host_address), is_amd64=True
    )
    roots = [small.create_root() for _ in range(11)]
    with pytest.raises(OutOfTablesError, match="0xc000"):
        small.create_root()
    small.destroy_root(roots[0])
    assert small.create_root() == roots[0]


@pytest.mark.parametrize(
    "config",
    [
        MachineConfig(arch="arm"),
        MachineConfig(ram=100),
        MachineConfig(ram=1 << 40),
        MachineConfig(ram=0),
        MachineConfig(call_page=0xEACF_F000),
        MachineConfig(arch="ia32", call_page=0x1000),
        MachineConfig(cpu_khz=0),
        MachineConfig(pool=0),
    ],
)
def test_impossible_machines_are_refused(config: MachineConfig) -> None:
    with pytest.raises(BadConfigError):
        Machine(config)
