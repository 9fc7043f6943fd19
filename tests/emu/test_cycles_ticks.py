"""What the machine asks the cost model: whole ticks, for any bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.cycles.cpu import CPUS
from emu.cycles.ticks import block_ticks, first_ticks, repetition_ticks, unknown_forms
from tests.emu.rig import assemble

ADD = bytes.fromhex("4801c8")
ARCHES = st.sampled_from(("amd64", "ia32"))
MODELS = st.sampled_from(sorted(CPUS))


def test_an_addition_is_a_slot_or_its_latency_if_it_follows_itself() -> None:
    assert block_ticks(ADD, 0, "amd64", "skylake", False) == 16
    assert block_ticks(ADD, 0, "amd64", "skylake", True) == 64
    assert block_ticks(b"\x90", 0, "amd64", "icelake-server", False) == 13  # a fifth


def test_only_the_address_modulo_64_counts() -> None:
    fused = bytes.fromhex("4839c875f8")

    assert block_ticks(fused, 61, "amd64", "skylake", False) == 32
    assert block_ticks(fused, 61 + 640, "amd64", "skylake", False) == 32
    assert block_ticks(fused, 0, "amd64", "skylake", False) == 32  # one slot; two ports take it
    assert block_ticks(ADD, 0, "amd64", "skylake", False) == block_ticks(
        ADD, 63, "amd64", "skylake", False
    )


def test_the_first_execution_goes_through_the_decoders() -> None:
    nops = b"\x90" * 15

    assert block_ticks(nops, 0, "amd64", "skylake", False) == 15 * 16
    assert first_ticks(nops, 0, "amd64", "skylake") == 4 * 64
    assert first_ticks(nops, 8, "amd64", "skylake") == 4 * 64
    assert first_ticks(ADD, 0, "amd64", "skylake") == 64


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("rep movsb", 2), ("rep movsq", 16), ("rep stosb", 2), ("repe cmpsb", 128)],
)
def test_repetitions_of_moves_are_fast(text: str, ticks: int) -> None:
    assert repetition_ticks(assemble(text, "amd64"), "amd64", "skylake") == ticks


def test_a_form_that_no_table_has_is_guessed_and_named() -> None:
    zmm = bytes.fromhex("62f17c4858c1")  # vaddps zmm0, zmm0, zmm1

    assert unknown_forms(ADD + zmm, "amd64", "skylake") == ("vaddps z,z,z",)
    assert block_ticks(ADD + zmm, 0, "amd64", "skylake", False) == 32


def test_bytes_that_are_no_instruction_cost_a_cycle() -> None:
    assert block_ticks(b"\x06", 0, "amd64", "skylake", False) == 1 + 64
    assert block_ticks(ADD + b"\x06", 0, "amd64", "skylake", False) == 16 + 64


@given(st.binary(max_size=32), st.integers(0, 1 << 40), ARCHES, MODELS, st.booleans())
@settings(deadline=None, max_examples=300)
def test_any_bytes_cost_some_ticks(
    code: bytes, address: int, arch: str, cpu: str, follows: bool
) -> None:
    assert block_ticks(code, address, arch, cpu, follows) >= 1
    assert first_ticks(code, address, arch, cpu) >= block_ticks(code, address, arch, cpu, False)
    assert repetition_ticks(code, arch, cpu) >= 1
    assert isinstance(unknown_forms(code, arch, cpu), tuple)
