"""The block model: pinned blocks, each with what it shows, and the properties that it has."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.cycles.block import BOUNDS, BlockModel, stack_syncs
from emu.cycles.cpu import CPUS, HASWELL, ICELAKE_SERVER, SAPPHIRERAPIDS, SKYLAKE, Cpu
from emu.cycles.decode import Undecodable
from emu.cycles.ports import port_pressure, spread
from tests.emu import rig


def assemble(source: str) -> bytes:
    return rig.assemble(source, "amd64")


MODELS = {
    (cpu.name, is_amd64): BlockModel(cpu, is_amd64=is_amd64)
    for cpu in CPUS.values()
    for is_amd64 in (True, False)
}
# One of each kind that the model treats on its own.
KINDS = [
    assemble(line)
    for line in (
        "add rax, rcx",
        "imul rbx, rcx",
        "xor edx, edx",
        "mov rsi, rdi",
        "lea r8, [r9 + r10*4 + 8]",
        "shl r11, cl",
        "cmp rax, rcx",
        "test rbx, rbx",
        "adc rax, rbx",
        "cmova r12, r13",
        "setb al",
        "mov rax, [rsp + 8]",
        "mov [rsp + 8], rax",
        "add [rbx], rcx",
        "add rbx, [rcx + rdx*8]",
        "push rbp",
        "pop rbp",
        "sub rsp, 0x28",
        "div rcx",
        "nop",
        "movaps xmm0, xmm1",
        "addsd xmm0, [rsi]",
        "divsd xmm2, xmm3",
        "lock add [rbx], rcx",
        "xchg rax, rbx",
        "cpuid",
        "mfence",
    )
] + [b"\x75\x10", b"\x78\x10", b"\xe8\0\0\0\0", b"\xc3", b"\xeb\xfe", b"\x66\x81\xc1\x34\x12"]


def model(cpu: Cpu) -> BlockModel:
    return MODELS[cpu.name, True]


def bound(cpu: Cpu, text: str, name: str) -> float:
    return dict(model(cpu).unrolled(assemble(text)).bounds)[name]


@pytest.mark.parametrize(
    ("cpu", "text", "latency"),
    [
        # Agner Fog, Instruction tables: add 1, imul 3, and their chain through rax.
        (SKYLAKE, "add rax, rcx", 1),
        (SKYLAKE, "imul rax, rcx; add rax, 1", 4),
        (HASWELL, "adc rax, rbx", 2),
        (SKYLAKE, "adc rax, rbx", 1),
        # Intel, "Using LEA": three components, three cycles; one on Ice Lake.
        (SKYLAKE, "lea rax, [rax + rcx + 8]", 3),
        (ICELAKE_SERVER, "lea rax, [rax + rcx + 8]", 1),
        # Intel, "Load and Store Operation Overview": 4 cycles for a pointer, else 5.
        (SKYLAKE, "mov rax, [rax]", 4),
        (SKYLAKE, "mov rax, [rax + 2048]", 5),
        (SKYLAKE, "mov rax, [rax + rcx]", 5),
        (ICELAKE_SERVER, "mov rax, [rax]", 5),
        # Agner Fog, Skylake and Ice Lake.
        (SKYLAKE, "xor edx, edx; div ecx", 24),
        (ICELAKE_SERVER, "xor edx, edx; div ecx", 12),
        # Zero idioms and eliminated moves take no time; a move onto itself does.
        (SKYLAKE, "xor eax, eax; imul rax, rax", 0),
        (SKYLAKE, "mov rbx, rax; mov rax, rbx", 0),
        (ICELAKE_SERVER, "mov rbx, rax; mov rax, rbx", 2),
        (SKYLAKE, "mov eax, eax", 1),
        # inc leaves the carry alone: no chain through it.
        (SKYLAKE, "inc rcx; setb al; xor eax, eax", 1),
        # A part of a register keeps the rest.
        (SKYLAKE, "mov al, cl", 1),
        (SKYLAKE, "movzx eax, cl", 0),
        # popcnt waits for its destination, on Skylake but not on Ice Lake.
        (SKYLAKE, "popcnt rax, rcx", 3),
        (ICELAKE_SERVER, "popcnt rax, rcx", 0),
    ],
)
def test_what_a_copy_waits_for_of_the_one_before(cpu: Cpu, text: str, latency: float) -> None:
    assert bound(cpu, text, "latency") == latency


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("mov [rsp + 8], rax; mov rax, [rsp + 8]", 4),
        ("add [rbx], rcx", 5),
        ("push rax; pop rax", 4),
        # The same value, so the same address, in whatever register it lies.
        ("mov rdi, [rsi]; add [rdi], rcx", 5),
        ("lea rdx, [rbx + 8]; add rdx, 8; add [rdx - 16], rcx", 5),
        # Nothing is known of two registers.
        ("mov [rdi], rax; mov rax, [rsi]", 0),
        # The next copy is elsewhere.
        ("add [rbx], rcx; add rbx, 8", 1),
        ("add [rbx], rcx; rdtsc; mov rbx, rax", 0),
        # A load that a store covers only in part waits until it has left.
        ("mov [rbx], eax; mov rax, [rbx]", 12),
        ("mov [rbx], eax; mov rcx, [rbx]; mov [rbx + 64], eax; mov rdx, [rbx + 64]", 24),
    ],
)
def test_what_is_waited_for_through_memory(text: str, latency: float) -> None:
    assert bound(SKYLAKE, text, "latency") == latency


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        # Own measurement on an Emerald Rapids server: what its renamer does by itself.
        ("add rax, 1", 0),
        ("add rax, 2000", 1),
        ("add eax, 1", 1),
        ("mov rax, [rbx + 8]; imul rax, rcx; mov [rbx + 8], rax", 3),
        ("mov [rbx + rbp], rax; mov rax, [rbx + rbp]; imul rax, rax", 9),
        ("inc qword ptr [rbx]", 1),
        ("add [rbx], rcx", 7),
    ],
)
def test_what_sapphire_rapids_renames_is_not_waited_for(text: str, latency: float) -> None:
    assert bound(SAPPHIRERAPIDS, text, "latency") == latency


@pytest.mark.parametrize(
    ("cpu", "text", "name", "cycles"),
    [
        # uiCA, 4.1: 5 instructions per cycle and window.  16 of one byte: 4 cycles.
        (SKYLAKE, "nop; nop; nop; nop; nop; nop; nop; nop", "predecode", 2),
        (SKYLAKE, "mov rax, [rsp + 0x12345678]", "predecode", 0.5),
        # Intel, "Length-Changing Prefixes (LCP)": 3 cycles.
        (SKYLAKE, "nop; " * 11 + ".byte 0x66, 0x81, 0xc1, 0x34, 0x12", "predecode", 4),
        # The first decoder alone takes what is two micro-ops.
        (SKYLAKE, "adc [rbx], rax; adc [rbx], rcx", "decode", 2),
        (SKYLAKE, "nop", "decode", 0.25),
        # uiCA, 4.2: on Haswell the last decoder leaves what a branch might be fused with.
        (HASWELL, "cmp rax, rcx", "decode", 1 / 3),
        (SKYLAKE, "cmp rax, rcx", "decode", 0.25),
        (ICELAKE_SERVER, "nop; nop; nop; nop; nop", "issue", 1),
        # Loads: two ports; stores: one, on Ice Lake two; shifts: two of four.
        (SKYLAKE, "mov rax, [rdi]; mov rcx, [rdi]; mov rdx, [rdi]", "ports", 1.5),
        (SKYLAKE, "mov [rdi], rax; mov [rdi + 8], rax", "ports", 2),
        (ICELAKE_SERVER, "mov [rdi], rax; mov [rdi + 8], rax", "ports", 1),
        (SKYLAKE, "shl rax, 1; shl rcx, 1; shl rdx, 1; add rbx, rsi", "ports", 1.5),
        (SKYLAKE, "divsd xmm0, xmm1", "divider", 4),
        (HASWELL, "lock add [rbx], rcx", "serialise", 19.5),
    ],
)
def test_what_limits_throughput(cpu: Cpu, text: str, name: str, cycles: float) -> None:
    assert bound(cpu, text, name) == pytest.approx(cycles)


def test_an_index_makes_some_micro_ops_come_apart() -> None:
    slots = {
        code.hex(): model(SKYLAKE).prices(code)[0].slots
        for code in (
            assemble("cmp rax, [rbx]"),
            assemble("cmp rax, [rbx + rcx]"),
            assemble("add rax, [rbx + rcx]"),
            bytes.fromhex("c5f158040b"),  # vaddpd xmm0, xmm1, [rbx + rcx]
        )
    }

    assert list(slots.values()) == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("code", "slots"),
    [
        ("4839c875f8", [1]),  # cmp, jne
        ("4839c878f8", [1, 1]),  # cmp, js: not this condition
        ("4885c078f8", [1]),  # test, js
        ("48ffc872f8", [1, 1]),  # dec, jb: it does not set the carry
        ("833b0075f8", [1, 1]),  # cmp [rbx], 0: memory and an immediate
        ("483b0375f8", [1]),  # cmp rax, [rbx]
        ("4839c875f875f8", [1, 1]),
    ],
)
def test_a_compare_and_its_branch_are_one(code: str, slots: list[int]) -> None:
    explained = model(SKYLAKE).explain(bytes.fromhex(code))

    assert [price.slots for price in explained.prices] == slots


def test_a_branch_at_the_start_of_a_line_is_not_fused() -> None:
    code = bytes.fromhex("4839c875f8")

    assert model(SKYLAKE).once(code, 64 - 3).bounds[0] == ("issue", 0.5)
    assert model(SKYLAKE).once(code, 64 - 4).bounds[0] == ("issue", 0.25)


def test_the_stack_pointer_is_added_up_when_it_is_named() -> None:
    prices = model(SKYLAKE).prices(assemble("push rbp; mov rbp, rsp; push rbx; sub rsp, 8"))

    assert stack_syncs(prices, repeated=False) == {1, 3}
    prices = model(SKYLAKE).prices(assemble("add rsp, 8; pop rbx; mov rsp, rbp"))
    assert stack_syncs(prices, repeated=True) == frozenset()
    prices = model(SKYLAKE).prices(assemble("add rsp, 8; pop rbx"))
    assert stack_syncs(prices, repeated=False) == frozenset()
    assert stack_syncs(prices, repeated=True) == {0}


def test_a_loop_is_delivered_without_decoders() -> None:
    code = assemble("imul rax, rcx; add rbx, 8; .byte 0x66, 0x81, 0xc2, 0x34, 0x12")
    code += bytes.fromhex("4839cb75f0")

    assert model(SKYLAKE).unrolled(code).bound == "predecode"
    loop = model(SKYLAKE).loop(code)
    assert (loop.cycles, loop.bound, loop.path) == (3.0, "latency", (0,))


def test_both_architectures_decode_their_own() -> None:
    inc = b"\x40\x41"  # in 64-bit code two prefixes

    assert MODELS["skylake", False].unrolled(inc).cycles == 1.0
    with pytest.raises(Undecodable, match="no instruction at byte 0"):
        MODELS["skylake", True].unrolled(inc)
    call = bytes.fromhex("5589e583ec1853e8000000005b5d")  # push ebp ... pop ebx; pop ebp
    assert MODELS["haswell", False].unrolled(call).bounds


def test_micro_ops_are_spread_in_the_best_way() -> None:
    uses = [(0b0011, 2), (0b0001, 1), (0b1111, 3)]

    assert port_pressure(uses) == (1.5, 0b0011)
    assert spread(uses) == {0: 1.5, 1: 1.5, 2: 1.5, 3: 1.5}
    assert spread([(0b01, 3), (0b11, 1)]) == {0: 3.0, 1: 1.0}


blocks = st.lists(st.sampled_from(KINDS), min_size=1, max_size=12).map(b"".join)
cpus = st.sampled_from(sorted(CPUS))


@given(cpus, blocks, st.sampled_from(KINDS), st.integers(0, 63))
@settings(deadline=None, max_examples=300)
def test_a_longer_block_never_costs_less(
    cpu: str, block: bytes, more: bytes, alignment: int
) -> None:
    own = MODELS[cpu, True]

    assert own.once(block + more, alignment).cycles >= own.once(block, alignment).cycles


@given(cpus, st.booleans(), st.binary(max_size=40), st.integers(0, 63))
@settings(deadline=None, max_examples=300)
def test_any_bytes_cost_something_or_are_refused(
    cpu: str, is_amd64: bool, code: bytes, alignment: int
) -> None:
    own = MODELS[cpu, is_amd64]
    try:
        own.prices(code)
    except Undecodable as error:
        code = code[: error.offset]
    for figure in (own.unrolled, own.loop, own.once, own.first):
        cost = figure(code, alignment)
        assert cost.bound in BOUNDS
        assert 0 < cost.cycles < 1e6 or not code
    assert own.explain(code, alignment).unrolled == own.unrolled(code, alignment)


@pytest.mark.parametrize("code", [b"\x66" * 15, b"\x66" * 40 + b"\x90", b"\x0f", b"\x48"])
def test_what_is_no_instruction_is_refused(code: bytes) -> None:
    with pytest.raises(Undecodable, match="no instruction at byte 0"):
        model(SKYLAKE).unrolled(code)


def test_a_block_of_4000_instructions_is_not_special() -> None:
    short = model(SKYLAKE).unrolled(assemble("mov rax, [rax]; add [rbx], rcx") * 2)
    long = model(SKYLAKE).unrolled(assemble("mov rax, [rax]; add [rbx], rcx") * 2000)

    assert long.bound == short.bound == "latency"
    assert long.cycles == 1000 * short.cycles


def test_no_block_gives_no_cost() -> None:
    assert model(SKYLAKE).unrolled(b"").cycles == 0.0


SCRIPT = """
from emu.cycles.block import BlockModel
from emu.cycles.cpu import CPUS
for cpu in CPUS.values():
    own = BlockModel(cpu, is_amd64=True)
    for code in {codes!r}:
        print(own.explain(code))
"""


def test_costs_do_not_depend_on_the_process() -> None:
    codes = [b"".join(KINDS[:n]) for n in range(1, len(KINDS))]
    runs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT.format(codes=codes)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert runs[0] == runs[1]
    assert runs[0].count("Explanation") == len(codes) * len(CPUS)


def test_costs_do_not_depend_on_what_was_asked_before() -> None:
    codes = [b"".join(KINDS[:n]) for n in range(1, len(KINDS))]
    own = BlockModel(SKYLAKE, is_amd64=True)
    forwards = [own.unrolled(code) for code in codes]
    backwards = [BlockModel(SKYLAKE, is_amd64=True).unrolled(code) for code in reversed(codes)]

    assert forwards == backwards[::-1]
