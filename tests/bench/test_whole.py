"""Whole programs: what is said of them, and that what is not known is not claimed."""

import shutil

import pytest

from bench import whole
from bench.whole import CORES, NO_CLOCK, Program, rows
from emu.cycles.cpu import CPUS
from emu.timing import Timing


def test_every_core_has_a_table() -> None:
    assert set(CORES.values()) <= set(CPUS)


def test_errors_are_those_of_the_model() -> None:
    programs = [Program("a -O1", 200.0, 150), Program("b -O2", 100.0, 110)]
    assert rows(programs) == [
        ("a -O1", "200", "150", "-25.0 %"),
        ("b -O2", "100", "110", "+10.0 %"),
        ("mean error -O1", "", "", "25.0 %, median 25.0 %"),
        ("mean error -O2", "", "", "10.0 %, median 10.0 %"),
        ("mean error", "", "", "17.5 %, median 17.5 %"),
    ]


def test_nothing_is_claimed_without_a_stable_clock() -> None:
    assert rows([Program("a -O1", None, 150)]) == [("a -O1", NO_CLOCK, "150", "")]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler")
def test_the_core_and_the_model_agree_on_what_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # `measure` compares the results of both.  Flat: no block has to be priced.
    monkeypatch.setattr(whole, "LEVELS", ("O2",))
    programs = whole.measure(Timing())
    assert len(programs) >= 12
    assert all(program.model > 10_000 for program in programs)
