"""The TAGE predictor: what a history tells that one branch's own past does not."""

from random import Random

import pytest

from emu.predict import Predictor
from emu.tage import LENGTHS, Tage
from tests.emu.rig import ARCHES, rig

ONE, OTHER = 0x40_1005, 0x40_2017


def misses(outcomes: list[tuple[int, int]], *, tage: bool, learning: int) -> int:
    predictor = Predictor(1, Tage() if tage else None)
    wrong = [predictor.judge(branch, taken) for branch, taken in outcomes]
    return sum(wrong[learning:])


def correlated(rounds: int) -> list[tuple[int, int]]:
    # The second branch goes where the first one went, and that is by chance.
    random = Random(7)
    found = []
    for _ in range(rounds):
        taken = random.randrange(2)
        found += [(ONE, taken), (OTHER, taken)]
    return found


def test_a_branch_that_follows_another_is_foreseen_by_history_alone() -> None:
    outcomes = correlated(2000)
    # Of 2,000 outcomes half are by chance: nobody foresees those.
    assert misses(outcomes, tage=False, learning=2000) > 800
    assert misses(outcomes, tage=True, learning=2000) < 650


@pytest.mark.parametrize("period", [3, 7, 11, 24])
def test_a_pattern_is_learned_if_it_fits_into_the_history(period: int) -> None:
    random = Random(period)
    pattern = [random.randrange(2) for _ in range(period)]
    outcomes = [(ONE, pattern[i % period]) for i in range(4000)]

    assert misses(outcomes, tage=True, learning=3000) <= 20


@pytest.mark.parametrize("rounds", [3, 20, 150, 1000])
def test_loops_are_known_as_without_it(rounds: int) -> None:
    outcomes = [(ONE, int(i % rounds != 0)) for i in range(1, rounds * 40 + 1)]
    assert misses(outcomes, tage=True, learning=rounds * 20) <= 2


def test_noise_does_little_harm() -> None:
    random = Random(1)
    outcomes = [(ONE, int(random.random() < 0.9)) for _ in range(4000)]
    assert misses(outcomes, tage=True, learning=2000) < 400  # 200 are by chance


def test_what_it_knows_is_frozen_and_thawed() -> None:
    one, other = Predictor(1, Tage()), Predictor(1, Tage())
    for branch, taken in correlated(400):
        one.judge(branch, taken)

    assert other.thaw(one.freeze())
    assert other.freeze() == one.freeze()
    later = correlated(100)
    assert [one.judge(*each) for each in later] == [other.judge(*each) for each in later]
    assert other.freeze() == one.freeze()


def test_nothing_else_is_thawed() -> None:
    frozen = Predictor(1, Tage()).freeze()
    assert Predictor(1, Tage()).thaw(frozen)
    for wrong in (b"", frozen[:-1], frozen + bytes(6), frozen[:4] + b"\0\xff" + frozen[6:]):
        assert not Predictor(1, Tage()).thaw(wrong)
    assert not Predictor(1).thaw(frozen)


def test_histories_fit_into_what_is_kept() -> None:
    assert list(LENGTHS) == sorted(set(LENGTHS))
    assert LENGTHS[-1] < 256


@pytest.mark.parametrize("arch", ARCHES)
def test_the_machine_guesses_better_with_it(arch: str) -> None:
    # A bit of a shift register decides twice in a row.
    source = """
        mov ecx, 3000
        mov eax, 0xACE1
    l:  mov edx, eax
        shr eax, 1
        test edx, 1
        jz a
        xor eax, 0xB400
    a:  test edx, 1
        jz b
        inc ebx
    b:  dec ecx
        jnz l
        int3
    """
    ticks = {}
    for cpu in ("skylake blocks", "skylake fast", "skylake full"):
        it = rig(arch, source, cpu=cpu)
        it.run()
        ticks[cpu] = it.machine.ticks
        it.machine.close()

    assert ticks["skylake blocks"] < ticks["skylake full"] < ticks["skylake fast"] * 0.75
