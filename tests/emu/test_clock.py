"""However a run is sliced or stepped: the same ticks, instructions, traps and memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.errors import UsageError
from emu.traps import DEADLINE, PAGE_FAULT, STEPPED, SYSTEM_CALL
from tests.emu.rig import ARCHES, CODE, DATA, PAGE, STACK, assemble, rig, run_to, step_to

CPUS = ("flat", "skylake", "skylake full+front-end")

# Programs of every kind that has an accounting of its own, and where they start.
PROGRAMS = {
    "loop": ("mov ecx, 9; l: add eax, ecx; dec ecx; jnz l; jmp $-2", 0),
    "calls": ("mov ebx, 4; l: call f; dec ebx; jnz l; e: jmp e; f: add eax, 3; ret", 0),
    "rep none": (f"mov edi, {DATA}; mov ecx, 0; rep stosb; inc eax; e: jmp e", 0),
    "rep one": (f"mov edi, {DATA}; mov ecx, 1; rep stosb; inc eax; e: jmp e", 0),
    "rep many": (f"mov edi, {DATA}; mov ecx, 9; rep stosb; inc eax; e: jmp e", 0),
    "rep first": (f"jmp r; r: rep stosb; mov edi, {DATA}; mov ecx, 5; jmp r", 0),
    "repe ends early": (
        f"mov edi, {DATA}; mov byte ptr [edi + 3], 1; mov ecx, 9; repe scasb; e: jmp e",
        0,
    ),
    "loops on itself": (f"mov edi, {DATA}; l: imul eax, eax; add eax, [edi]; jmp l", 0),
    "loop over a page end": (
        "l: add eax, 3; imul eax, eax; " + "nop; " * 9 + "jmp l",
        PAGE - 8,
    ),
    "loops by a return": (f"mov eax, {CODE + 5}; push RAX; ret", 0),
    "page end": ("l: inc eax; " * 1 + "mov ebx, 5; " * 6 + "jmp l", PAGE - 20),
    "page end, aligned": ("l: nop; nop; nop; nop; inc eax; nop; jmp l", PAGE - 4),
    "straight": ("inc eax; xor ebx, eax; add ecx, ebx; " * 100 + "e: jmp e", 0),
    "stores": (f"mov edi, {DATA}; " + "add [edi], edi; " * 300 + "e: jmp e", 0),
    "long over a page end": ("add eax, 77; " * 700 + "e: jmp e", PAGE - 1500),
    "faults": ("l: inc eax; inc ebx; mov edx, [0x1000]; inc ecx; jmp l", 0),
    "system calls": ("l: inc ebx; TRAP; inc ebp; jmp l", 0),
    "ports": ("l: inc ebx; in al, dx; inc ebp; jmp l", 0),
    "push flags": ("l: PUSHF; pop RBX; xor RDX, RBX; cmp RDX, 5; jmp l", 0),
    "clock": ("l: rdtsc; add ebx, eax; rdtscp; add ebx, eax; jmp l", PAGE - 9),
    "stack segment": ("mov eax, ss; mov ss, eax; inc ebx; mov ss, eax; e: jmp e", 0),
}
WORDS = {
    "amd64": (
        ("TRAP", "syscall"),
        ("PUSHF", "pushf"),
        ("RAX", "rax"),
        ("RBX", "rbx"),
        ("RDX", "rdx"),
    ),
    "ia32": (
        ("TRAP", "int 0x30"),
        ("PUSHF", "pushfd"),
        ("RAX", "eax"),
        ("RBX", "ebx"),
        ("RDX", "edx"),
    ),
}


def program(name: str, arch: str) -> tuple[bytes, int]:
    source, at = PROGRAMS[name]
    for word, meaning in WORDS[arch]:
        source = source.replace(word, meaning)
    source = source.replace("jmp $-2", "e: jmp e")
    return assemble(source, arch, CODE + at), at


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_stepped_sliced_and_whole_runs_agree(name: str, arch: str, cpu: str) -> None:
    code, at = program(name, arch)
    end = 900
    whole, sliced, stepped = (rig(arch, code, at=at, cpu=cpu) for _ in range(3))

    traps = run_to(whole, end)
    cuts = tuple(range(3, end, 7))
    assert run_to(sliced, end, slices=cuts) == traps == step_to(stepped, end)
    assert sliced.facts() == whole.facts() == stepped.facts()
    for each in (whole, sliced, stepped):
        each.machine.close()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(PROGRAMS)),
    st.sampled_from(ARCHES),
    st.sampled_from(CPUS),
    st.integers(1, 1500),
    st.lists(st.integers(0, 1500), max_size=8),
)
def test_no_slicing_changes_anything(
    name: str, arch: str, cpu: str, end: int, cuts: list[int]
) -> None:
    code, at = program(name, arch)
    whole, sliced = rig(arch, code, at=at, cpu=cpu), rig(arch, code, at=at, cpu=cpu)

    slices = tuple(cut for cut in cuts if cut < end)
    assert run_to(whole, end) == run_to(sliced, end, slices=slices)
    assert whole.facts() == sliced.facts()
    whole.machine.close()
    sliced.machine.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_a_block_that_follows_itself_waits_for_its_results(arch: str) -> None:
    # The product of one round is needed in the next: three cycles each.
    it = rig(arch, "l: imul eax, eax; jmp l", cpu="skylake")

    assert it.run(1) == DEADLINE
    assert (it.machine.ticks, it.machine.instructions) == (64, 2)
    assert it.run(1 + 3 * 5) == DEADLINE
    assert (it.machine.ticks, it.machine.instructions) == (64 + 5 * 192, 12)
    it.context.ip = CODE + 3
    assert it.run(it.machine.now + 1) == DEADLINE
    # The jump alone, half a cycle, and the block, which does not follow itself.
    assert it.machine.ticks == 64 + 5 * 192 + 32 + 64


@pytest.mark.parametrize("arch", ARCHES)
def test_the_previous_block_is_the_threads_own(arch: str) -> None:
    it = rig(arch, "l: imul eax, eax; jmp l", cpu="skylake")
    machine = it.machine
    machine.create_context(2, space=1, ip=CODE, sp=STACK, thread_base=DATA)
    other = machine.context(2)

    it.run(1)
    machine.run(other, machine.now + 1)
    assert (it.context.ticks, other.ticks) == (64, 64)
    it.run(machine.now + 1)
    assert it.context.ticks == 64 + 192


@pytest.mark.parametrize("arch", ARCHES)
def test_a_block_is_charged_whole_and_the_deadline_tested_before(arch: str) -> None:
    it = rig(arch, "inc eax; inc eax; inc eax; jmp l; l: inc eax; e: jmp e")

    assert it.run(1) == DEADLINE
    assert (it.machine.now, it.machine.instructions, it.machine.ticks) == (4, 4, 256)
    assert it.run(4) == DEADLINE
    assert (it.machine.now, it.machine.instructions) == (4, 4)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_fault_takes_back_what_was_not_done_and_charges_once(arch: str) -> None:
    it = rig(arch, f"mov ebx, {DATA + 16 * PAGE}; mov eax, [ebx]; inc eax; e: jmp e")

    assert it.run(100) == PAGE_FAULT
    assert (it.machine.instructions, it.machine.now) == (1, 5)
    it.machine.map(1, DATA + 16 * PAGE, 0x9000, 4)
    assert it.run(6) == DEADLINE
    assert (it.machine.instructions, it.machine.now) == (5, 6)


@pytest.mark.parametrize("arch", ARCHES)
def test_past_the_deadline_nothing_happens_even_inside_a_block(arch: str) -> None:
    it = rig(arch, f"mov ebx, {DATA + 16 * PAGE}; mov eax, [ebx]; inc eax; e: jmp e")
    it.run(100)
    it.machine.map(1, DATA + 16 * PAGE, 0x9000, 4)
    before = it.facts()

    assert it.run(5) == it.machine.step(it.context, 5) == it.run(0) == DEADLINE
    assert it.facts() == before
    assert it.run(6) == DEADLINE
    assert it.machine.instructions == 5


def test_past_the_deadline_a_system_call_keeps_its_answer_for_later() -> None:
    it = rig("amd64", "syscall; e: jmp e")
    it.run()
    it.context.tag = 7

    assert it.run(it.machine.now) == DEADLINE
    assert it.run(it.machine.now + 5) == DEADLINE
    assert it.context.load_register("rax") == 7


def test_what_follows_a_step_goes_on_with_the_run() -> None:
    it = rig("amd64", "nop; nop; nop; e: jmp e")
    assert it.machine.step(it.context, 2) == STEPPED

    assert it.run(2) == DEADLINE
    assert (it.machine.instructions, it.machine.now) == (4, 4)


def test_a_deadline_may_be_as_far_as_one_likes() -> None:
    it = rig("amd64", "nop; syscall")
    assert it.run(1 << 63) == SYSTEM_CALL
    assert it.machine.now == 3
    with pytest.raises(UsageError, match="is behind the last one"):
        it.machine.advance(1 << 57)


@pytest.mark.parametrize("arch", ARCHES)
def test_thousands_of_blocks_are_told_apart(arch: str) -> None:
    # `jmp` to the next instruction, 8000 times, and then from the start.
    size = 4 * PAGE - 8
    code = b"\xeb\x00" * (size // 2) + b"\xe9" + (-size - 5).to_bytes(4, "little", signed=True)
    whole, sliced = rig(arch, code), rig(arch, code)
    end = 30_001

    assert whole.run(end) == DEADLINE
    for deadline in (*range(500, end, 500), end):
        assert sliced.run(deadline) == DEADLINE
    assert whole.machine.now == whole.machine.instructions == end
    assert sliced.facts() == whole.facts()


def test_a_new_ip_starts_a_new_block() -> None:
    it = rig("amd64", "mov eax, [rbx]; nop; l: jmp l")
    it.run(100)
    it.context.ip += 2

    assert it.run(5) == DEADLINE
    assert (it.machine.instructions, it.machine.now) == (2, 6)


def test_a_huge_repetition_cannot_outrun_the_deadline() -> None:
    it = rig("amd64", f"l: mov rdi, {DATA}; mov rcx, 4000; rep stosb; jmp l")

    assert it.run(1000) == DEADLINE
    assert it.machine.now == 1000
    assert it.run(1200) == DEADLINE
    assert (it.machine.now, it.context.load_register("rcx")) == (1200, 4000 - 1198)


def test_step_is_one_instruction_or_one_repetition() -> None:
    it = rig("amd64", f"mov edi, {DATA}; mov ecx, 3; rep stosb; syscall")
    seen = []
    for _ in range(6):
        trap = it.machine.step(it.context, 1000)
        seen.append((trap, it.machine.now, it.machine.instructions))

    assert seen == [
        (STEPPED, 3, 1),
        (STEPPED, 3, 2),
        (STEPPED, 3, 2),
        (STEPPED, 4, 2),
        (STEPPED, 5, 3),
        (SYSTEM_CALL, 7, 4),
    ]


def test_charge_and_advance_move_the_clock() -> None:
    it = rig("amd64", "nop")
    it.machine.charge(10)
    it.machine.advance(7)
    assert it.machine.now == 10
    it.machine.advance(12)
    assert (it.machine.now, it.machine.ticks) == (12, 12 * 64)
