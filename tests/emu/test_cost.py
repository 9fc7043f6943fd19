"""What the machine takes for costs: figures of a block, and the digest that stands for them."""

from hashlib import blake2b

import pytest

from emu.cost import Cost, cost_digest, cost_model
from emu.decode import decode, jump_distance, lengths_for
from emu.errors import BadConfigError
from emu.timing import CPU_NAMES, FLAT, Timing, check_timing
from tests.emu.rig import assemble

BLOCKS = (
    "l: imul eax, eax; jmp l",
    "l: add eax, [edi]; dec ecx; jnz l",
    "mov eax, [edi]; add eax, 4; mov [edi], eax; ret",
    "push ebp; mov ebp, esp; sub esp, 16; call eax",
    "mfence; lock inc dword ptr [edi]; rdtsc; jmp eax",
    "div ecx; cvtsi2sd xmm0, eax; mulsd xmm0, xmm1; ret",
    "rep movsb",
    "rep stosb",
    "nop; nop; nop; pause; ret",
)


def cost_of(code: bytes, cpu: str, arch: str, alignment: int = 0) -> Cost:
    is_amd64 = arch == "amd64"
    shape = decode(code, 4096, lengths_for(is_amd64=is_amd64), is_amd64=is_amd64)
    assert shape is not None
    return cost_model(Timing(cpu), arch)(shape, code[: shape.size], alignment)


# Costs are part of a trace's hash by this digest.  If the second one fails, costs have
# changed: the first must have changed as well, by a table or by `emu.cycles.ticks.RULES`.
DIGESTS = {
    "flat": ("3b9ce4746fb02872", "7fe5f0be"),
    "skylake": ("7c896d8ce9b5e081", "500bfd9c"),
    "haswell": ("3ac55ecbce28feef", "8967e622"),
    "icelake-server": ("a89c0db2f868f6ca", "ce8d8f4e"),
    "sapphirerapids": ("083943b42e40a0bd", "f5857051"),
}


@pytest.mark.parametrize("cpu", CPU_NAMES)
def test_other_costs_have_another_digest(cpu: str) -> None:
    codes = [assemble(text, "ia32") for text in BLOCKS]
    costs = [cost_of(code, cpu, "ia32", alignment) for code in codes for alignment in (0, 31)]
    found = blake2b(repr(costs).encode(), digest_size=4).hexdigest()

    assert (cost_digest(Timing(cpu)), found) == DIGESTS[cpu]


def test_flat_costs_a_cycle_for_an_instruction_or_repetition() -> None:
    assert cost_of(assemble("inc eax; l: jmp l", "amd64"), FLAT, "amd64") == Cost(128, 128, 64)


def test_a_block_that_goes_to_its_own_start_has_two_costs() -> None:
    loop = assemble("l: imul eax, eax; jmp l", "amd64")
    to_another = assemble("l: inc ebx; k: imul eax, eax; jmp l", "amd64")[2:]

    assert cost_of(loop, "skylake", "amd64") == Cost(64, 192, 0)
    assert cost_of(to_another, "skylake", "amd64") == Cost(64, 64, 0)


def test_a_block_that_ends_in_an_indirect_jump_may_follow_itself() -> None:
    cost = cost_of(assemble("imul eax, eax; jmp rbx", "amd64"), "skylake", "amd64")
    assert cost == Cost(64, 192, 0)


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("eb 05", 5),
        ("75 f8", -8),
        ("f2 75 f8", -8),
        ("e2 80", -128),
        ("e9 00 00 00 80", -(1 << 31)),
        ("e8 10 00 00 00", 16),
        ("0f 84 fe ff ff ff", -2),
        ("66 e9 00 00", None),  # an address of 16 bits, or not: CPUs differ
        ("ff e0", None),
        ("c3", None),
        ("0f 0b", None),
    ],
)
def test_how_far_a_jump_goes(text: str, distance: int | None) -> None:
    assert jump_distance(bytes.fromhex(text)) == distance


def test_an_unknown_cpu_is_refused() -> None:
    with pytest.raises(BadConfigError, match=r"^cpu 'z80', none of flat, skylake, "):
        check_timing(Timing("z80"))
