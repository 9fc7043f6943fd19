"""Segments of a context's own, and the bases of fs and gs."""

import pytest

from emu.engine import LOCAL_TABLES
from emu.errors import NoSuchNumberError
from emu.machine import Machine
from emu.traps import EXCEPTION, SYSTEM_CALL
from tests.emu.rig import ARCHES, CODE, CODE_FRAME, DATA, Rig, map_all, rig

CALL = {"amd64": "syscall", "ia32": "int 0x30"}
FIRST = {"amd64": 11, "ia32": 9}
NOT_PRESENT = 11


def data_segment(base: int, access: int = 0xF2) -> int:
    """Encode a writable data segment of 4 GiB at user level."""
    low = 0xFFFF | (base & 0xFF_FFFF) << 16 | access << 40
    return low | 0xCF << 48 | (base >> 24) << 56


def selector(arch: str, number: int) -> int:
    return (FIRST[arch] + number) * 8 | 3


def load(arch: str, number: int, segment: str = "gs") -> str:
    pointer = "eax"
    return (
        f"mov ecx, {selector(arch, number)}; mov {segment}, ecx; "
        f"mov {pointer}, dword ptr {segment}:[0]; {CALL[arch]}"
    )


def thaw(it: Rig) -> Rig:
    again = Machine.thaw(it.machine.config, it.machine.freeze())
    map_all(again, 1, code=CODE_FRAME, rights=5)
    return Rig(again, again.context(1))


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("segment", ["fs", "gs"])
def test_a_loaded_segment_begins_at_its_base(arch: str, number: int, segment: str) -> None:
    """ABI 6.2: GDT entries are what fs and gs refer to."""
    it = rig(arch, load(arch, number, segment))
    it.machine.write(1, DATA + 0x40, b"\x78\x56\x34\x12")
    it.context.store_descriptor(number, data_segment(DATA + 0x40))

    assert it.run() == SYSTEM_CALL
    assert it.context.tag == 0x1234_5678


@pytest.mark.parametrize("arch", ARCHES)
def test_a_segment_that_was_not_set_cannot_be_loaded(arch: str) -> None:
    it = rig(arch, load(arch, 1))
    it.context.store_descriptor(0, data_segment(DATA))

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.error) == (13, selector(arch, 1) & ~3)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_segment_that_is_not_present_is_vector_11(arch: str) -> None:
    it = rig(arch, load(arch, 2))
    it.context.store_descriptor(2, data_segment(DATA, access=0x72))

    assert it.run() == EXCEPTION
    assert it.context.vector == NOT_PRESENT


@pytest.mark.parametrize("arch", ARCHES)
def test_each_context_has_its_own_segments(arch: str) -> None:
    it = rig(arch, load(arch, 0))
    other = it.machine.create_context(2, space=1, ip=CODE, sp=DATA + 0x8000, thread_base=DATA)
    it.machine.write(1, DATA, b"\1\0\0\0\2\0\0\0")
    it.context.store_descriptor(0, data_segment(DATA))
    other.store_descriptor(0, data_segment(DATA + 4))

    assert it.run() == SYSTEM_CALL
    assert it.machine.run(other, 1_000_000) == SYSTEM_CALL
    assert (it.context.tag, other.tag) == (1, 2)


@pytest.mark.parametrize("arch", ARCHES)
def test_loading_a_segment_leaves_no_trace_in_its_descriptor(arch: str) -> None:
    # The accessed bit is set from the start, so that a thawed machine is the same.
    number = selector(arch, 0)
    look = f"mov ecx, {number}; lar edx, ecx; mov gs, ecx; lar eax, ecx; {CALL[arch]}"
    it = rig(arch, look)
    it.context.store_descriptor(0, data_segment(DATA))

    assert it.run() == SYSTEM_CALL
    assert it.context.tag == it.context.selector & 0xFFFF_FFFF == 0xC0_F300


@pytest.mark.parametrize("arch", ARCHES)
def test_segments_are_frozen_with_their_context(arch: str) -> None:
    reload = load(arch, 3).split(";", 2)[2]
    source = f"mov ecx, {selector(arch, 3)}; mov gs, ecx; nop; {reload}; {load(arch, 3)}"
    it = rig(arch, source)
    it.machine.write(1, DATA + 8, b"\x99\0\0\0")
    it.context.store_descriptor(3, data_segment(DATA + 8))
    for _ in range(2):
        it.machine.step(it.context, 1000)
    again = thaw(it)

    for each in (it, again):
        assert [each.run(), each.context.tag] == [SYSTEM_CALL, 0x99]
        assert [each.run(), each.context.tag] == [SYSTEM_CALL, 0x99]
    assert again.machine.freeze() == it.machine.freeze()


def test_the_thread_segment_of_ia32_stays_what_it_was() -> None:
    """ABI 1.4: fs and gs reach the UTCB on ia32."""
    it = rig("ia32", "mov eax, dword ptr fs:[0]; int 0x30")
    it.machine.write(1, DATA + 0x100, b"\x42\0\0\0")
    it.context.store_descriptor(0, data_segment(DATA))

    assert it.run() == SYSTEM_CALL
    assert it.context.tag == 0x42


@pytest.mark.parametrize("segment", ["fs", "gs"])
@pytest.mark.parametrize("base", [DATA + 0x200, (1 << 64) - 0x1000])
def test_a_base_is_set_and_the_selector_is_zero_then(segment: str, base: int) -> None:
    """ABI 6.2: operation 0x12: sets the base, selector 0."""
    offset = DATA + 0x200 - base & 0xFFFF_FFFF
    source = (
        f"mov ecx, 0x23; mov {segment}, ecx; syscall; mov edx, {segment}; "
        f"mov ebx, {offset}; mov eax, dword ptr {segment}:[rbx]; syscall"
    )
    it = rig("amd64", source)
    it.machine.write(1, DATA + 0x200, b"\x21\x43\0\0")

    assert it.run() == SYSTEM_CALL
    it.context.store_segment_base(segment, base)
    again = thaw(it)
    for each in (it, again):
        assert each.run() == SYSTEM_CALL
        assert each.context.load_register(f"{segment}_base") == base
        assert (each.context.tag, each.context.selector) == (0x4321, 0)


def test_there_are_four_descriptors() -> None:
    it = rig("ia32", "int 0x30")
    with pytest.raises(NoSuchNumberError, match=r"^no segment descriptor 4$"):
        it.context.store_descriptor(4, data_segment(0))


def local(number: int) -> int:
    return number * 8 | 7


def load_local(arch: str, number: int, segment: str = "gs") -> str:
    return (
        f"mov ecx, {local(number)}; mov {segment}, ecx; "
        f"mov eax, dword ptr {segment}:[0]; {CALL[arch]}"
    )


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("number", [0, 1, 511])
def test_a_local_segment_begins_at_its_base(arch: str, number: int) -> None:
    """ABI 6.1: LDT set: selectors with the table bit are of the task's table."""
    it = rig(arch, load_local(arch, number))
    it.machine.write(1, DATA + 0x40, b"\x78\x56\x34\x12")

    assert it.machine.store_local_descriptors(1, number, [data_segment(DATA + 0x40)])
    assert it.run() == SYSTEM_CALL
    assert it.context.tag == 0x1234_5678


@pytest.mark.parametrize("arch", ARCHES)
def test_a_space_without_a_table_has_no_local_segments(arch: str) -> None:
    # Not even if the program has descriptors where a table at 0 would be.
    it = rig(arch, load_local(arch, 1))
    it.machine.map(1, 0, 0x2_0000, 6)
    it.machine.write(1, 8, data_segment(DATA).to_bytes(8, "little"))

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.error) == (13, 12)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_table_ends_behind_what_was_stored_last(arch: str) -> None:
    """ABI 6.1: LDT set: the table is as large as the last request made it."""
    it = rig(arch, load_local(arch, 2))
    it.machine.store_local_descriptors(1, 2, [data_segment(DATA)])
    it.machine.store_local_descriptors(1, 0, [data_segment(DATA)] * 2)

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.error) == (13, local(2) & ~3)


@pytest.mark.parametrize("arch", ARCHES)
def test_what_is_behind_the_end_comes_back_when_a_table_grows(arch: str) -> None:
    it = rig(arch, load_local(arch, 1))
    it.machine.write(1, DATA, b"\x11\0\0\0")
    it.machine.store_local_descriptors(1, 1, [data_segment(DATA)])
    it.machine.store_local_descriptors(1, 0, [0])
    it.machine.store_local_descriptors(1, 2, [0])

    assert it.run() == SYSTEM_CALL
    assert it.context.tag == 0x11


@pytest.mark.parametrize("arch", ARCHES)
def test_all_contexts_of_a_space_share_its_table_and_no_others(arch: str) -> None:
    """ABI 6.1: the table is the task's, not the thread's."""
    it = rig(arch, load_local(arch, 0), pool=1)
    machine = it.machine
    later = {"ip": CODE, "sp": DATA + 0x8000, "thread_base": DATA}
    earlier = machine.create_context(2, space=1, **later)
    machine.create_space(2)
    map_all(machine, 2, code=CODE_FRAME, rights=5)
    foreign = machine.create_context(3, space=2, **later)
    machine.write(1, DATA, b"\1\0\0\0\2\0\0\0")
    machine.store_local_descriptors(1, 0, [data_segment(DATA + 4)])
    latest = machine.create_context(4, space=1, **later)

    for each in (it.context, earlier, latest):
        assert (machine.run(each, 1_000_000), each.tag) == (SYSTEM_CALL, 2)
    assert machine.run(foreign, 1_000_000) == EXCEPTION
    assert foreign.vector == 13
    machine.store_local_descriptors(2, 0, [data_segment(DATA)])
    foreign.ip = CODE
    assert (machine.run(foreign, 1_000_000), foreign.tag) == (SYSTEM_CALL, 1)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_local_table_is_frozen_with_its_space(arch: str) -> None:
    source = f"mov ecx, {local(3)}; mov gs, ecx; nop; {load_local(arch, 3).split(';', 2)[2]}"
    it = rig(arch, f"{source}; {load_local(arch, 4)}")
    it.machine.write(1, DATA + 8, b"\x99\0\0\0\x77\0\0\0")
    for base in (DATA + 8, DATA + 12):
        it.machine.store_local_descriptors(1, 3 + (base != DATA + 8), [data_segment(base)])
    for _ in range(2):
        it.machine.step(it.context, 1000)
    again = thaw(it)

    assert again.machine.freeze() == it.machine.freeze()
    for each in (it, again):
        assert [each.run(), each.context.tag] == [SYSTEM_CALL, 0x99]
        assert [each.run(), each.context.tag] == [SYSTEM_CALL, 0x77]
    assert again.machine.freeze() == it.machine.freeze()


@pytest.mark.parametrize("arch", ARCHES)
def test_a_table_of_a_space_that_is_gone_is_used_again_and_empty(arch: str) -> None:
    it = rig(arch, load_local(arch, 1))
    it.machine.create_space(2)
    it.machine.store_local_descriptors(2, 0, [data_segment(DATA)] * 4)
    it.machine.destroy_space(2)
    it.machine.store_local_descriptors(1, 3, [0])

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.error) == (13, local(1) & ~3)


def test_there_is_room_for_so_many_local_tables_and_no_more() -> None:
    it = rig("ia32", "int 0x30")
    for number in range(2, LOCAL_TABLES + 2):
        it.machine.create_space(number)
        assert it.machine.store_local_descriptors(number, 0, [0])

    assert not it.machine.store_local_descriptors(1, 0, [0])
    it.machine.destroy_space(9)
    assert it.machine.store_local_descriptors(1, 0, [0])


@pytest.mark.parametrize(("first", "count"), [(0, 0), (-1, 1), (512, 1), (511, 2), (0, 513)])
def test_a_local_table_has_512_entries(first: int, count: int) -> None:
    it = rig("ia32", "int 0x30")
    with pytest.raises(NoSuchNumberError, match=r"^no local descriptor -?\d+$"):
        it.machine.store_local_descriptors(1, first, [0] * count)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_handler_can_give_a_thread_local_segments_and_no_others(arch: str) -> None:
    it = rig(arch, CALL[arch])
    it.machine.store_local_descriptors(1, 1, [data_segment(DATA)])

    for number, loaded in ((1, local(1)), (0, 0), (2, 0)):
        it.context.store_register("gs", local(number))
        assert it.context.load_register("gs") == loaded
