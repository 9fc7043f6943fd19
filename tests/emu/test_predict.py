"""The branch predictor: what it learns, and that no way of running changes what it costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.cost import MISPREDICTION_TICKS, TRAP_TICKS
from emu.predict import LAST, LIMIT, RUN, SLOTS, Predictor, slot_of
from emu.traps import EXCEPTION
from tests.emu.rig import ARCHES, CODE, rig

BRANCH = 0x40_1005


def misses(outcomes: str, predictor: Predictor | None = None, branch: int = BRANCH) -> int:
    own = Predictor(1) if predictor is None else predictor
    return sum(own.judge(branch, int(outcome)) for outcome in outcomes)


@pytest.mark.parametrize(
    ("outcomes", "wrong"),
    [
        ("0" * 50, 0),
        ("1" * 50, 1),  # a new branch is expected not to be taken
        ("1110" * 3, 4),  # each end of the loop, and the first time
        ("1110" * 50, 4),  # until the ends are expected
        ("0001" * 50, 3),
        ("10" * 50, 7),
        ("1" * 1000 + "0" + "1" * 1000 + "0", 3),
        (("1" * 40_000 + "0") * 5, 6),  # too long to be learned
    ],
)
def test_how_often_it_is_wrong(outcomes: str, wrong: int) -> None:
    assert misses(outcomes) == wrong


def test_a_loop_that_becomes_shorter_or_longer_is_learned_anew() -> None:
    predictor = Predictor(1)
    misses("1110" * 20, predictor)

    assert misses("1111110" * 20, predictor) <= 6
    assert misses("10" * 20, predictor) <= 8
    assert misses("10" * 20, predictor) == 0


def test_branches_do_not_know_of_each_other() -> None:
    predictor = Predictor(1)
    misses("1" * 9, predictor)
    assert misses("0" * 9, predictor, BRANCH + 1) == 0
    assert misses("1" * 9, predictor) == 0


def plain(predictor: Predictor, branch: int, taken: int) -> int:
    # Never by the short way.
    predictor.slots[slot_of(branch) + LIMIT] = 0
    return predictor.judge(branch, taken)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 4)), max_size=40))
def test_the_short_way_is_only_shorter(runs: list[tuple[int, int]]) -> None:
    quick, slow = Predictor(1), Predictor(1)
    outcomes = [x for taken, not_taken in runs for x in (*[1] * taken, *[0] * not_taken)]

    costs = [quick.judge(BRANCH, x) for x in outcomes]
    assert costs == [plain(slow, BRANCH, x) for x in outcomes]
    at = slot_of(BRANCH)
    assert quick.slots[at + RUN] == slow.slots[at + RUN]


def test_what_it_knows_is_frozen_and_thawed() -> None:
    one, other = Predictor(1), Predictor(1)
    for branch in range(BRANCH, BRANCH + 500, 7):
        misses("1110" * (branch % 9), one, branch)

    assert other.thaw(one.freeze())
    assert other.freeze() == one.freeze() != b""
    assert Predictor(1).freeze() == b""


def test_nothing_else_is_thawed() -> None:
    slot = bytearray(16)
    assert not Predictor(1).thaw(b"\0\0" + bytes(15))
    assert not Predictor(1).thaw(SLOTS.to_bytes(2, "little") + slot)
    slot[2 * LAST] = 2
    assert not Predictor(1).thaw(b"\0\0" + slot)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_wrong_guess_costs_cycles(arch: str) -> None:
    it = rig(arch, "mov ecx, 100; l: imul eax, eax; dec ecx; jnz l; int3", cpu="skylake")
    assert it.run() == EXCEPTION

    first, loop = (it.context.blocks.block(CODE + offset) for offset in (0, 5))
    assert first is not None
    assert loop is not None
    end = it.context.blocks.block(loop.stop)
    assert end is not None
    # Taken 99 times: a wrong guess when the loop begins, and one when it ends.
    blocks = first.ticks + loop.ticks + 98 * loop.again + end.ticks
    assert it.machine.ticks == blocks + 2 * MISPREDICTION_TICKS + TRAP_TICKS


@pytest.mark.parametrize("arch", ARCHES)
def test_a_branch_that_the_kernel_led_elsewhere_is_not_judged(arch: str) -> None:
    it = rig(arch, "cmp eax, eax; je l; nop; l: int3", cpu="skylake")
    while it.machine.instructions < 2:
        it.machine.step(it.context, 1000)
    before = it.machine.ticks
    it.context.ip = CODE + 4

    assert it.run() == EXCEPTION
    assert it.machine.ticks - before < MISPREDICTION_TICKS
