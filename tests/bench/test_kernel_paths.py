"""The costs of kernel paths, measured by guests, against published figures."""

from dataclasses import astuple
from functools import cache

import pytest

from bench.kernel_paths import (
    CALIBRATED_CPU,
    CALIBRATION,
    HEADS,
    UNSEEN,
    Paths,
    Published,
    errors,
    measure,
    rows,
    scaled,
)


@cache
def measured() -> Paths:
    return measure(CALIBRATED_CPU)


def within(percent: float, off: Paths) -> bool:
    return max(abs(off.intra), abs(off.inter), abs(off.system_call)) <= percent


def test_the_calibrated_machine_is_met() -> None:
    assert within(0.5, errors(measured(), CALIBRATION.cycles))


@pytest.mark.parametrize(("machine", "percent"), [(UNSEEN[0], 3), (UNSEEN[1], 15)])
def test_unseen_machines_of_the_kind_are_near(machine: Published, percent: float) -> None:
    assert within(percent, errors(scaled(measured(), machine), machine.cycles))


def test_a_prediction_goes_by_the_number_of_instructions() -> None:
    own = Paths(557, 613, 147)
    assert astuple(scaled(own, UNSEEN[0])) == pytest.approx((543, 587, 148))
    assert scaled(own, UNSEEN[1]) is own


def test_errors_are_percent_of_what_is_published() -> None:
    off = errors(Paths(110, 90, 100), Paths(100, 100, 100))
    assert (off.intra, off.inter, off.system_call) == pytest.approx((10, -10, 0))
    assert within(10.1, off)
    assert not within(9.9, off)


def test_every_row_of_the_table_has_every_column() -> None:
    table = rows(measured())
    assert {len(row) for row in table} == {len(HEADS)}
    assert len(table) == 1 + 2 * (1 + len(UNSEEN))
