"""The shapes of blocks."""

from dataclasses import dataclass, field

import pytest

from emu.blocks import NOWHERE, BlockTable, Cover, Decoder
from emu.cost import cost_model
from emu.decode import End, Raise, Shape, Step, decode, lengths_for, step_of
from emu.timing import Timing
from tests.emu.rig import assemble

NOPS = b"\x90" * 32


def shape(code: bytes, room: int = 4096, *, is_amd64: bool = True) -> Shape | None:
    lengths = lengths_for(is_amd64=is_amd64)
    return decode(code, room, lengths, is_amd64=is_amd64)


@pytest.mark.parametrize(
    ("code", "end", "raises", "mask"),
    [
        (b"\xeb\xfe", End.TRANSFER, None, 0),
        (b"\x0f\x84\0\0\0\0", End.TRANSFER, None, 0),
        (b"\xff\xd0", End.CALL, None, 0),
        (b"\xff\x25\0\0\0\0", End.TRANSFER, None, 0),
        (b"\xf3\xc3", End.TRANSFER, None, 0),
        (b"\xe2\xfe", End.TRANSFER, None, 0),
        (b"\xf3\xa4", End.REPEAT, None, 2**64 - 1),
        (b"\xf2\x48\xaf", End.REPEAT, None, 2**64 - 1),
        (b"\x67\xf3\xa4", End.REPEAT, None, 2**32 - 1),
        (b"\x0f\x05", End.SYSTEM_CALL, None, 0),
        (b"\xe4\x60", End.SPECIAL, Raise(13, 0, after=False), 0),
        (b"\xf3\x6e", End.SPECIAL, Raise(13, 0, after=False), 0),
        (b"\xcd\x30", End.SPECIAL, Raise(13, 0x182, after=False), 0),
        (b"\xcc", End.SPECIAL, Raise(3, 0, after=True), 0),
    ],
)
def test_what_ends_a_block(code: bytes, end: End, raises: Raise | None, mask: int) -> None:
    assert shape(b"\x90" + code + NOPS) == Shape((0, 1), 1 + len(code), end, raises, mask)


@pytest.mark.parametrize("code", [b"\xf3\x90", b"\xf2\x0f\x10\xc1", b"\xff\xc0", b"\xff\x33"])
def test_what_does_not(code: bytes) -> None:
    found = shape(code + b"\xeb\xfe" + NOPS)
    assert found == Shape((0, len(code)), len(code) + 2, End.TRANSFER)


def test_a_block_ends_with_the_last_instruction_that_begins_in_its_page() -> None:
    code = b"\x90\xb8\1\2\3\4" + NOPS
    assert shape(code, room=3) == Shape((0, 1), 6, End.PAGE)
    assert shape(code, room=6) == Shape((0, 1), 6, End.PAGE)


def test_an_instruction_that_cannot_be_fetched_is_not_part_of_it() -> None:
    assert shape(b"\x90\xb8\1\2", room=4) == Shape((0,), 1, End.PAGE)
    assert shape(b"\xb8\1\2", room=3) is None
    assert shape(b"", room=4096) is None


def test_unknown_bytes_are_tried_alone() -> None:
    assert shape(b"\x90\x06" + NOPS) == Shape((0, 1), 2, End.SPECIAL)


def test_a_locked_trap_is_an_invalid_instruction() -> None:
    invalid = Raise(6, 0, after=False)
    assert shape(b"\x90\xf0\xcc" + NOPS) == Shape((0, 1), 2, End.SPECIAL, invalid)


def test_long_blocks_are_measured_to_their_end() -> None:
    code = assemble("mov eax, 1", "amd64") * 500 + b"\xc3" + NOPS
    found = shape(code)
    assert found is not None
    assert (len(found.offsets), found.size, found.end) == (501, 2501, End.TRANSFER)


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (b"\x90", Step.TRAP_FLAG),
        (b"\x9c", Step.PUSH_FLAGS),
        (b"\x66\x9c", Step.PUSH_FLAGS),
        (b"\x9d", Step.ALONE),
        (b"\x48\xcf", Step.ALONE),
        (b"\x8e\xd0", Step.ALONE),
        (b"\x8e\xd8", Step.TRAP_FLAG),
        (b"\x0f\x05", Step.ALONE),
    ],
)
def test_how_an_instruction_is_stepped(code: bytes, how: Step) -> None:
    assert step_of(code, is_amd64=True) is how


@dataclass(frozen=True, slots=True)
class Maps:
    simple: dict[int, tuple[int, int, int, int, int]] = field(default_factory=dict)
    covers: dict[int, Cover] = field(default_factory=dict)
    tails: dict[tuple[int, int], Cover] = field(default_factory=dict)


def table(memory: bytes, base: int) -> tuple[BlockTable, Maps]:
    def fetch(address: int, size: int) -> bytes:
        return memory[address - base : address - base + size]

    maps = Maps()
    decoder = Decoder(
        is_amd64=True,
        cost=cost_model(Timing(), "amd64"),
        create_maps=lambda: (maps.simple, maps.covers, maps.tails),
    )
    return decoder.create_table(fetch), maps


def test_a_translation_of_exactly_one_block_is_simple() -> None:
    blocks, maps = table(b"\x90\xc3" + NOPS, 0x1000)
    assert blocks.learn(0x1000, 2)
    assert (maps.simple, maps.covers) == ({0x1000: (2, 128, 128, 2, 0)}, {})


def test_a_translation_over_a_page_end_charges_both_blocks() -> None:
    blocks, maps = table(b"\x90" * 4 + b"\xc3" + NOPS, 0x1FFE)
    assert blocks.learn(0x1FFE, 5)
    cover = maps.covers[0x1FFE]
    assert [block.start for block in cover.charged] == [0x1FFE, 0x2000]
    assert (cover.ticks, cover.count, cover.margin, cover.after) == (320, 5, 128, NOWHERE)


def test_a_translation_that_ends_inside_says_where_it_goes_on() -> None:
    blocks, maps = table(b"\x90" * 9 + b"\xc3" + NOPS, 0x1000)
    assert blocks.learn(0x1000, 4)
    cover = maps.covers[0x1000]
    assert (cover.ticks, cover.after, cover.repeats) == (640, 0x1004, False)
    blocks.learn_tail(0x1004, 6, cover.inside)
    tail = maps.tails[0x1004, 0x100A]
    assert (tail.ticks, tail.count, tail.margin, tail.after) == (0, 0, NOWHERE, NOWHERE)


def test_a_translation_that_disagrees_with_the_decoder_is_not_used() -> None:
    blocks, maps = table(b"\x90\xc3" + NOPS, 0x1000)
    assert blocks.learn(0x1000, 3)
    assert not maps.covers[0x1000].fits
