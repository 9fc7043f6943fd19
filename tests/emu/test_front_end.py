"""What code costs that runs for the first time: once for each block of a space."""

import pytest

from emu import blocks
from emu.machine import Machine
from tests.emu.rig import ARCHES, CODE, rig

# Prefixes that change lengths: three cycles each for the decoders, nothing later.
SOURCE = "mov ecx, 10; l: " + "add ax, 0x1234; " * 4 + "dec ecx; jnz l; int3"


@pytest.mark.parametrize("arch", ARCHES)
def test_only_the_first_execution_is_decoded(arch: str) -> None:
    plain, first = (
        rig(arch, SOURCE, cpu="skylake"),
        rig(arch, SOURCE, cpu="skylake fast+front-end"),
    )
    assert plain.run() == first.run()

    extra = 0
    for at in (CODE, CODE + 5):
        block = first.context.blocks.block(at)
        assert block is not None
        assert block.first >= block.ticks
        extra += block.first - block.ticks
    more = first.machine.ticks - plain.machine.ticks
    assert more >= extra > 12 * 64
    assert first.machine.instructions == plain.machine.instructions

    again = first.machine.ticks
    first.context.ip = CODE
    plain_before = plain.machine.ticks
    plain.context.ip = CODE
    assert first.run() == plain.run()
    assert first.machine.ticks - again == plain.machine.ticks - plain_before


@pytest.mark.parametrize("arch", ARCHES)
def test_what_was_decoded_survives_a_checkpoint(arch: str) -> None:
    it = rig(arch, SOURCE, cpu="skylake fast+front-end")
    it.run()
    known = set(it.context.blocks.decoded)
    thawed = Machine.thaw(it.machine.config, it.machine.freeze())

    assert CODE in known
    assert thawed.context(it.context.number).blocks.decoded == known


@pytest.mark.parametrize("arch", ARCHES)
def test_room_for_decoded_blocks_is_bounded(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(blocks.__dict__.get("_DECODED"), int):
        pytest.skip("compiled: a C constant")
    monkeypatch.setattr("emu.blocks._DECODED", 2)
    it = rig(arch, SOURCE, cpu="skylake fast+front-end")
    it.run()
    assert len(it.context.blocks.decoded) <= 2
