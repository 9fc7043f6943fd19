"""Accessed flags of pages, and what happens when page tables run out."""

import pytest

from emu.errors import NotMappedError
from emu.machine import Machine
from emu.memory import Memory, Window
from emu.paging import PageTables
from emu.traps import SYSTEM_CALL
from tests.emu.rig import ARCHES, CODE, DATA, EXECUTE, PAGE, READ, WRITE, Rig, rig

CALL = {"amd64": "syscall", "ia32": "int 0x30"}
OTHER = DATA + PAGE


def loop(arch: str) -> Rig:
    """Read one page and write another between two system calls."""
    source = f"l: mov eax, [{DATA}]; mov [{OTHER}], eax; {CALL[arch]}; jmp l"
    return rig(arch, source)


def flags(machine: Machine) -> tuple[int, int, int]:
    return tuple(machine.accessed(1, page) for page in (DATA, OTHER, DATA + 2 * PAGE))  # type: ignore[return-value]


@pytest.mark.parametrize("arch", ARCHES)
def test_programs_leave_their_marks(arch: str) -> None:
    """ABI 6.1: accessed flags: what programs read and wrote."""
    it = loop(arch)
    assert flags(it.machine) == (0, 0, 0)

    assert it.run() == SYSTEM_CALL

    assert flags(it.machine) == (READ, READ | WRITE, 0)
    assert it.machine.accessed(1, CODE) & READ


@pytest.mark.parametrize("arch", ARCHES)
def test_flags_that_were_forgotten_are_set_by_the_next_access(arch: str) -> None:
    it = loop(arch)
    it.run()

    for page in (DATA, OTHER):
        it.machine.set_accessed(1, page, 0)
    assert flags(it.machine) == (0, 0, 0)

    it.run()
    assert flags(it.machine) == (READ, READ | WRITE, 0)


@pytest.mark.parametrize("arch", ARCHES)
def test_flags_that_were_set_stay_and_are_added_to(arch: str) -> None:
    it = loop(arch)
    for page in (DATA, OTHER, DATA + 2 * PAGE):
        it.machine.set_accessed(1, page, WRITE if page == DATA else READ)

    it.run()

    assert flags(it.machine) == (READ | WRITE, READ | WRITE, READ)


def test_other_rights_for_the_same_frame_keep_the_flags() -> None:
    it = loop("amd64")
    it.run()
    frame = it.machine.translate(1, OTHER)
    assert frame is not None

    it.machine.map(1, OTHER, frame, READ)
    assert it.machine.accessed(1, OTHER) == READ | WRITE

    it.machine.map(1, OTHER, 0x9000, READ)
    assert it.machine.accessed(1, OTHER) == 0


def test_what_the_kernel_does_is_no_access() -> None:
    machine = loop("amd64").machine
    machine.write(1, DATA, b"x")
    machine.read(1, OTHER, 8)
    machine.words(0x4_0000, 1)[0] = 5

    assert flags(machine) == (0, 0, 0)


def test_a_page_that_is_not_mapped_has_no_flags() -> None:
    machine = loop("amd64").machine
    with pytest.raises(NotMappedError):
        machine.accessed(1, 0x7700_0000)
    with pytest.raises(NotMappedError):
        machine.set_accessed(1, 0x7700_0000, READ)


@pytest.mark.parametrize("arch", ARCHES)
def test_flags_survive_a_page_that_turns_between_code_and_data(arch: str) -> None:
    at = CODE + 2 * PAGE
    source = f"mov byte ptr [{at}], 0xc3; call {at}; {CALL[arch]}"
    it = rig(arch, source, rights=READ | WRITE | EXECUTE)

    assert it.run() == SYSTEM_CALL

    assert it.machine.accessed(1, at) == READ | WRITE


@pytest.mark.parametrize("arch", ARCHES)
def test_forgetting_changes_neither_time_nor_result(arch: str) -> None:
    kept, forgotten = loop(arch), loop(arch)
    for _ in range(5):
        kept.run()
        forgotten.run()
        forgotten.machine.set_accessed(1, OTHER, 0)

    assert kept.facts() == forgotten.facts()


@pytest.mark.parametrize("arch", ARCHES)
def test_full_page_tables_are_told_and_change_nothing(arch: str) -> None:
    machine = loop(arch).machine
    step = 1 << 30 if arch == "amd64" else 1 << 21
    fill_tables(machine)

    assert not machine.create_space(2)
    addresses = [0x4000_0000 + k * step for k in range(4)]
    assert [machine.map(1, address, 0, READ) for address in addresses] == [False] * 4
    assert [machine.translate(1, address) for address in addresses] == [None] * 4
    # Where there are tables, there is room; and what is mapped can be mapped anew.
    assert machine.map(1, DATA + 100 * PAGE, 0, READ)
    assert machine.map(1, DATA, 0x9000, READ)


def fill_tables(machine: Machine) -> None:
    """Take all the pages that tables could be made of."""
    number = 100
    while machine.create_space(number):
        number += 1
    for k in range(8):  # what is too little for a space
        machine.map(
            100, 0x4000_0000 + (k << 30 if machine.config.arch == "amd64" else k << 21), 0, READ
        )


def test_a_space_that_finds_too_little_room_leaves_it() -> None:
    window = Memory(PAGE).tables
    small = PageTables(
        Window(window.base, 7 * PAGE, window.memory, window.host_address), is_amd64=False
    )
    small.create_root()  # four pages of six
    for _ in range(3):
        with pytest.raises(Exception, match="page tables fill"):
            small.create_root()
    assert {small.take_page() for _ in range(2)}


@pytest.mark.parametrize("arch", ARCHES)
def test_user_memory_ends_where_the_machine_says(arch: str) -> None:
    machine = loop(arch).machine
    assert machine.map(1, machine.user_end - PAGE, 0, READ)
