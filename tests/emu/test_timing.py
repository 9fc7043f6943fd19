"""Timings as values and as words, and the code that no model knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.errors import BadConfigError
from emu.timing import CPU_NAMES, MODELS, Timing, check_timing, parse_timing
from emu.traps import EXCEPTION
from tests.emu.rig import ARCHES, rig

TIMINGS = [
    Timing(cpu, model, front_end=front_end)
    for cpu in CPU_NAMES
    for model in MODELS
    for front_end in (False, True)
]


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
def test_what_is_written_is_read(timing: Timing) -> None:
    check_timing(timing)
    assert parse_timing(f"{timing} 18209f2f3d0d8d7f 1000000 kHz") == timing


@given(st.text(max_size=30))
def test_no_other_words_are_a_timing(text: str) -> None:
    assert parse_timing(text) is None
    assert parse_timing(f"skylake {text}x") is None
    assert parse_timing(f"skylake fast+{text}x") is None


def test_a_model_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadConfigError, match=r"^model 'best', none of blocks, fast, full$"):
        check_timing(Timing("skylake", "best"))


@pytest.mark.parametrize("cpu", ["skylake fast", "haswell full+front-end"])
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    ("code", "instructions"),
    [
        (b"\x0f\x0b", 0),  # one instruction, which is undefined on purpose
        (b"\x62\xf1\x7c\x48\x58\xc1", 0),  # EVEX: in no table, and not in this CPU
        (b"\x90" * 4090 + b"\x0f\x0b", 4090),  # as long as a page
        (b"\x66" * 14 + b"\x90\x0f\x0b", 1),
        (b"\xff" * 20, 0),
    ],
    ids=["one", "unknown", "long", "prefixes", "undecodable"],
)
def test_strange_code_costs_something_and_ends_in_a_trap(
    code: bytes, instructions: int, arch: str, cpu: str
) -> None:
    whole, stepped = rig(arch, code, cpu=cpu), rig(arch, code, cpu=cpu)
    assert whole.run() == EXCEPTION
    while stepped.machine.step(stepped.context, 1 << 30) != EXCEPTION:
        pass

    assert whole.machine.instructions == stepped.machine.instructions == instructions
    assert whole.machine.ticks == stepped.machine.ticks > 0


@pytest.mark.parametrize("cpu", ["skylake fast", "haswell full+front-end"])
@pytest.mark.parametrize("arch", ARCHES)
def test_the_clock_of_the_guest_is_the_one_that_is_charged(arch: str, cpu: str) -> None:
    it = rig(arch, "rdtsc; mov ebx, eax; nop; l: dec ecx; jnz l; rdtsc; int3", cpu=cpu)
    it.context.store_register("rcx" if arch == "amd64" else "ecx", 50)
    assert it.run() == EXCEPTION

    names = ("rbx", "rax") if arch == "amd64" else ("ebx", "eax")
    begin, end = (it.context.load_register(name) for name in names)
    assert begin < end <= it.machine.now
    assert it.machine.now - end <= 2  # the trap, and what is left of the block
