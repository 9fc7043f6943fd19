"""A word that the kernel stores all the time, in a page that also has code."""

import pytest

from emu.errors import BadConfigError
from emu.traps import SYSTEM_CALL
from tests.emu.rig import ARCHES, CODE, CODE_FRAME, Rig, rig, run_to, step_to

CLOCK = CODE + 0x20
CALL = {"amd64": "syscall", "ia32": "int 0x30"}


def clock_rig(arch: str, source: str) -> Rig:
    it = rig(arch, source, at=0x100)
    it.machine.place_clock(CODE_FRAME + 0x20)
    return it


@pytest.mark.parametrize("arch", ARCHES)
def test_code_beside_the_clock_reads_it_and_is_not_translated_again(arch: str) -> None:
    it = clock_rig(arch, f"l: mov eax, dword ptr [{CLOCK}]; {CALL[arch]}; jmp l")

    for value in (5, 77, 0x1234_5678):
        it.machine.store_clock(value)
        # A CPU that has to be prepared again has lost its translations.
        assert it.context.cpu.ready == (value != 5)
        assert it.run() == SYSTEM_CALL
        assert it.context.tag == value


@pytest.mark.parametrize("arch", ARCHES)
def test_whoever_runs_the_clock_runs_what_it_holds_now(arch: str) -> None:
    pointer = "rcx" if arch == "amd64" else "ecx"
    source = f"l: mov ecx, {CLOCK}; call {pointer}; {CALL[arch]}; jmp l"
    it, stepped = clock_rig(arch, source), clock_rig(arch, source)

    for value in (1, 2, 3):
        # mov eax, value; ret
        code = int.from_bytes(b"\xb8" + value.to_bytes(4, "little") + b"\xc3\x90\x90", "little")
        for each in (it, stepped):
            each.machine.store_clock(code)
        seen = run_to(it, 1000 * value, limit=1)
        assert seen == step_to(stepped, 1000 * value, limit=1)
        assert (it.context.tag, stepped.context.tag) == (value, value)
        assert it.facts() == stepped.facts()


@pytest.mark.parametrize("arch", ARCHES)
def test_a_context_counts_the_cycles_that_it_ran(arch: str) -> None:
    it = rig(arch, f"nop; nop; {CALL[arch]}; l: inc ebx; jmp l")
    stepped = rig(arch, f"nop; nop; {CALL[arch]}; l: inc ebx; jmp l")
    run_to(it, 60)
    step_to(stepped, 60)
    assert it.context.cycles == stepped.context.cycles == it.machine.now

    it.machine.charge(500)
    it.machine.advance(1000)
    run_to(it, 1100)
    assert it.machine.now - it.context.cycles == 940


def test_a_clock_has_to_be_placed_in_memory() -> None:
    it = rig("amd64", "syscall")
    with pytest.raises(BadConfigError, match=r"^no clock was placed$"):
        it.machine.store_clock(1)
    with pytest.raises(BadConfigError, match=r"^a clock at 0x1004, not aligned to 8$"):
        it.machine.place_clock(0x1004)
