"""Frames that are both written and executed."""

import pytest

from emu.traps import DEADLINE, PAGE_FAULT, SYSTEM_CALL
from tests.emu.rig import (
    ARCHES,
    CODE,
    CODE_FRAME,
    DATA,
    EXECUTE,
    PAGE,
    READ,
    STACK,
    WRITE,
    Rig,
    assemble,
    map_all,
    rig,
    run_to,
    step_to,
)

ALL = READ | WRITE | EXECUTE
ALIAS = 0x40_0000
CALL = {"amd64": "syscall", "ia32": "int 0x30"}

# Each writes the operand of `mov eax` before it gets there.
NEXT = "l: mov byte ptr [{0}], 9; mov eax, 1; inc ebx; {1}"
AHEAD = "mov byte ptr [{0}], 9; jmp l; nop; l: mov eax, 1; {1}"


def operand(source: str, arch: str) -> int:
    return CODE + assemble(source, arch).index(b"\xb8\1\0\0\0") + 1


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("source", [NEXT, AHEAD])
def test_a_program_sees_what_it_wrote_into_its_own_code(arch: str, source: str) -> None:
    at = operand(source.format(CODE, CALL[arch]), arch)
    code = assemble(source.format(at, CALL[arch]), arch)
    runs = [rig(arch, code, rights=ALL) for _ in range(2)]

    assert runs[0].run() == SYSTEM_CALL
    assert runs[0].context.tag == 9
    while runs[1].machine.step(runs[1].context, 1000) != SYSTEM_CALL:
        pass
    assert runs[0].facts() == runs[1].facts()


@pytest.mark.parametrize("arch", ARCHES)
def test_writes_without_the_right_still_fault(arch: str) -> None:
    it = rig(arch, f"mov byte ptr [{CODE}], 9")

    assert it.run() == PAGE_FAULT
    assert (it.context.address, it.context.error) == (CODE, 7)


def alternating(arch: str) -> Rig:
    """Code that writes and then calls another page, again and again."""
    function = CODE + 2 * PAGE
    source = f"l: inc byte ptr [{function + 1}]; call {function}; add edx, eax; jmp l"
    it = rig(arch, source, rights=ALL)
    it.machine.write(1, function, assemble("mov eax, 0; ret", arch, function))
    return it


@pytest.mark.parametrize("arch", ARCHES)
def test_a_page_turns_between_code_and_data_for_nothing(arch: str) -> None:
    whole, sliced, stepped = (alternating(arch) for _ in range(3))

    run_to(whole, 200)
    run_to(sliced, 200, slices=(20, 31, 90))
    step_to(stepped, 200)

    assert whole.facts() == sliced.facts() == stepped.facts()
    assert whole.machine.now == 200 + whole.machine.now % 2
    rounds = whole.machine.read(1, CODE + 2 * PAGE + 1, 1)[0]
    assert rounds > 20
    assert whole.context.cpu.words[2] in (
        rounds * (rounds + 1) // 2,
        rounds * (rounds - 1) // 2,
    )


def test_other_contexts_see_code_that_one_wrote() -> None:
    # Two spaces show the code; the second one has a writable view, not executable.
    it = rig("amd64", "mov eax, 1; syscall; jmp $-7".replace("; jmp $-7", ""))
    machine = it.machine
    machine.create_space(2)
    map_all(machine, 2, code=CODE_FRAME + 4 * PAGE, rights=READ | EXECUTE)
    machine.map(2, ALIAS, CODE_FRAME, READ | WRITE)
    machine.write(2, CODE, assemble(f"mov byte ptr [{ALIAS + 1}], 5; syscall", "amd64"))
    writer = machine.create_context(2, space=2, ip=CODE, sp=STACK, thread_base=0)

    assert it.run() == SYSTEM_CALL
    assert it.context.tag == 1
    assert machine.run(writer, 1000) == SYSTEM_CALL
    it.context.ip = CODE
    assert it.run() == SYSTEM_CALL
    assert it.context.tag == 5


def test_the_kernels_writes_are_seen_at_once() -> None:
    it = rig("amd64", "l: mov eax, 1; syscall")
    it.run()
    it.machine.write(1, CODE + 1, b"\x07")
    it.context.ip = CODE
    it.run()
    assert it.context.tag == 7

    it.machine.write_physical(CODE_FRAME + 1, b"\x08")
    it.context.ip = CODE
    it.run()
    assert it.context.tag == 8


def test_new_mappings_of_code_are_seen_at_once() -> None:
    it = rig("amd64", "l: mov eax, 1; syscall")
    it.run()
    it.machine.write_physical(0x9000, assemble("mov eax, 2; syscall", "amd64"))
    it.machine.map(1, CODE, 0x9000, READ | EXECUTE)
    it.context.ip = CODE
    it.run()
    assert it.context.tag == 2

    it.machine.unmap(1, CODE)
    it.context.ip = CODE
    assert it.run() == PAGE_FAULT
    assert (it.context.address, it.context.error) == (CODE, 0x14)


def test_lowered_rights_hold_at_once() -> None:
    it = rig("amd64", f"l: mov [{DATA}], eax; syscall; jmp l")
    it.run()
    it.machine.map(1, DATA, 0x9000, READ)

    assert it.run() == PAGE_FAULT
    assert (it.context.address, it.context.error) == (DATA, 7)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_repetition_over_its_own_code_ends(arch: str) -> None:
    source = f"mov edi, {CODE}; mov ecx, 64; mov al, 0x90; rep stosb; e: jmp e"
    whole, stepped = (rig(arch, source, rights=ALL) for _ in range(2))

    assert whole.run(2000) == DEADLINE
    step_to(stepped, 2000)

    assert whole.facts() == stepped.facts()
    # It overwrites its own prefix, and what is left stores once more.
    assert whole.machine.read(1, CODE, 16) == b"\x90" * 14 + b"\xeb\xfe"


@pytest.mark.parametrize("arch", ARCHES)
def test_code_that_ends_where_nothing_is_mapped(arch: str) -> None:
    # The store before the page end is done, and only then the fetch faults.
    source = f"mov dword ptr [{DATA}], 5; inc ebx"
    size = len(assemble(source, arch))
    it = rig(arch, source, at=4 * PAGE - size)

    assert it.run() == PAGE_FAULT
    end = CODE + 4 * PAGE
    assert (it.context.ip, it.context.address, it.context.error) == (end, end, 0x14)
    assert it.machine.read(1, DATA, 1) == b"\5"
    assert (it.machine.instructions, it.machine.now) == (2, 3)
