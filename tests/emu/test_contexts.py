"""CPU states are values: whoever hosts them, they are whole and apart."""

import math
import struct

import pytest

from emu.errors import NoSuchNumberError, NoSuchRegisterError
from emu.machine import Machine
from emu.traps import EXCEPTION, SYSTEM_CALL
from tests.emu.rig import ARCHES, CODE, DATA, STACK, assemble, config, map_all, rig

CALL = {"amd64": "syscall", "ia32": "int 0x30"}


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("pool", [1, 2, 3, 8])
def test_fpu_and_sse_state_belongs_to_the_thread(arch: str, pool: int) -> None:
    """ABI 1.1: x87 and SSE state is preserved, per thread."""
    # Loads x87 and SSE state in one turn and stores it in the next, with others between.
    base = "rdi" if arch == "amd64" else "edi"
    source = (
        f"l: fild dword ptr [{base}]; movups xmm3, [{base}]; ldmxcsr [{base} + 16];"
        f"{CALL[arch]};"
        f"fistp dword ptr [{base} + 32]; movups [{base} + 48], xmm3; stmxcsr [{base} + 64];"
        f"{CALL[arch]}; jmp l"
    )
    machine = Machine(config(arch, pool=pool))
    machine.create_space(1)
    map_all(machine, 1, code=0x1_0000, rights=5)
    machine.write(1, CODE, assemble(source, arch))
    numbers = range(1, 6)
    for number in numbers:
        machine.create_context(number, space=1, ip=CODE, sp=STACK, thread_base=0)
        machine.context(number).store_register(base, DATA + 128 * number)
        value = number.to_bytes(4, "little") * 4 + (0x1F80 | number % 4 << 13).to_bytes(
            4, "little"
        )
        machine.write(1, DATA + 128 * number, value)

    for turn in range(1, 4):
        for number in numbers:
            assert machine.run(machine.context(number), 10_000) == SYSTEM_CALL
        if turn % 2 == 0:
            for number in numbers:
                stored = machine.read(1, DATA + 128 * number + 32, 36)
                wanted = machine.read(1, DATA + 128 * number, 20)
                assert stored[:4] == wanted[:4]
                assert stored[16:32] == wanted[:16]
                assert stored[32:] == wanted[16:]


@pytest.mark.parametrize("arch", ARCHES)
def test_no_result_depends_on_the_size_of_the_pool(arch: str) -> None:
    seen = []
    for pool in (1, 4):
        it = rig(arch, f"l: inc ebx; {CALL[arch]}; add [{DATA}], ebx; jmp l", pool=pool)
        machine = it.machine
        for number in (2, 3):
            machine.create_context(number, space=1, ip=CODE, sp=STACK, thread_base=0)
        for _ in range(5):
            for number in (1, 2, 3):
                machine.run(machine.context(number), 10_000)
        seen.append((machine.freeze(), machine.ticks))
        machine.close()

    assert seen[0] == seen[1]


@pytest.mark.parametrize("arch", ARCHES)
def test_registers_can_be_loaded_and_stored_by_name(arch: str) -> None:
    """ABI 5.2: registers of the frame; IOPL is cleared, IF is set."""
    it = rig(arch, "nop")
    context = it.context
    a, b, ip = ("rax", "rbx", "rip") if arch == "amd64" else ("eax", "ebx", "eip")
    context.store_register(a, -1)
    context.store_register(b, 0x1234)
    context.store_register(ip, CODE + 1)
    context.store_register("flags", 0xFFFF_FFFF)
    context.store_register("fs_base", 0x7000)

    top = 2**64 - 1 if arch == "amd64" else 2**32 - 1
    names = (a, b, ip, "flags", "fs_base")
    assert [context.load_register(name) for name in names] == [
        top,
        0x1234,
        CODE + 1,
        0x254FD7,
        0x7000,
    ]
    with pytest.raises(NoSuchRegisterError, match=r"^no register 'bogus'$"):
        context.load_register("bogus")


def test_numbers_are_checked() -> None:
    machine = rig("amd64", "nop").machine
    with pytest.raises(NoSuchNumberError, match="no space 7"):
        machine.map(7, CODE, 0x9000, 5)
    with pytest.raises(NoSuchNumberError, match="already a space 1"):
        machine.create_space(1)
    with pytest.raises(NoSuchNumberError, match="already a context 1"):
        machine.create_context(1, space=1, ip=0, sp=0, thread_base=0)
    with pytest.raises(NoSuchNumberError, match="contexts still use space 1"):
        machine.destroy_space(1)
    machine.destroy_context(1)
    machine.destroy_space(1)
    with pytest.raises(NoSuchNumberError, match="no context 1"):
        machine.context(1)


@pytest.mark.parametrize("arch", ARCHES)
def test_the_fpu_can_be_taken_over(arch: str, capfd: pytest.CaptureFixture[str]) -> None:
    """ABI 4.3: FPU state moves to the receiver."""
    word = "r" if arch == "amd64" else "e"
    program = f"""
        mov {word}ax, {DATA}
        fninit
        fld1
        fldpi
        movups xmm3, [{word}ax]
        int3
        fstp qword ptr [{word}ax + 32]
        fstp qword ptr [{word}ax + 40]
        movups [{word}ax + 48], xmm3
        int3
    """
    it = rig(arch, program)
    it.machine.write(1, DATA, bytes(range(16)))
    assert it.run() == EXCEPTION
    other = it.machine.create_context(2, space=1, ip=it.context.ip, sp=STACK, thread_base=0)
    other.store_register(f"{word}ax", DATA)

    other.copy_fpu(it.context)

    # Unicorn complains in C about registers that the architecture does not have.
    assert capfd.readouterr() == ("", "")
    assert it.machine.run(other, 1_000_000) == EXCEPTION
    pi, one = struct.unpack("<2d", it.machine.read(1, DATA + 32, 16))
    assert (pi, one) == (math.pi, 1.0)
    assert it.machine.read(1, DATA + 48, 16) == bytes(range(16))


@pytest.mark.parametrize("arch", ARCHES)
def test_a_finished_call_leaves_its_results_in_registers(arch: str) -> None:
    it = rig(arch, "syscall; nop; nop; nop" if arch == "amd64" else "int 0x30; nop; nop; nop")
    assert it.run() == SYSTEM_CALL
    it.context.tag, it.context.label = 7, 8

    it.context.finish_call()

    names = ("rax", "rsi") if arch == "amd64" else ("eax", "esi")
    assert [it.context.load_register(name) for name in names] == [7, 8]
    it.context.store_register(names[0], 9)
    it.machine.step(it.context, 1_000_000)
    assert it.context.load_register(names[0]) == 9


@pytest.mark.parametrize("arch", ARCHES)
def test_selectors_are_registers_too(arch: str) -> None:
    it = rig(arch, "nop")
    names = ("cs", "ss", "ds", "fs")
    expected = [0x2B, 0x23, 0, 0] if arch == "amd64" else [0x1B, 0x23, 0x23, 0x43]
    assert [it.context.load_register(name) for name in names] == expected


@pytest.mark.parametrize("selector", [0, 0x23, 0xDEAD, 0xFFF8, 0x08, 0x2B])
def test_a_selector_that_cannot_be_loaded_becomes_null(selector: int) -> None:
    """ABI 13, 9: fs and gs are taken from an exception's reply."""
    it = rig("ia32", "nop")
    it.context.store_register("gs", selector)
    assert it.context.load_register("gs") in (0, selector)
    if selector == 0x23:
        assert it.context.load_register("gs") == 0x23
