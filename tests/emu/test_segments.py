"""Segments of a context's own, and the bases of fs and gs."""

import pytest

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
