"""Twins that begin midway do what twins that begin at the boot do."""

import pytest

from lab.replay import confirm, midway
from lab.replay.midway import MOST, Midway, last_before, plan_stops
from lab.run import run_scenario


def test_a_short_run_has_no_stops() -> None:
    assert plan_stops([5_000, 90_000]) == []


def test_stops_lie_before_what_is_looked_for_and_apart() -> None:
    assert plan_stops([500_000, 200_000, 210_000]) == [196_000, 496_000]


def test_there_are_not_many_stops() -> None:
    assert len(plan_stops(range(0, 10_000_000, 200_000))) <= MOST


def test_the_last_midway_in_front_of_a_position_is_taken() -> None:
    midways = [Midway(position, b"", b"") for position in (10, 20)]

    assert last_before(midways, 10) is None
    assert last_before(midways, 20) is midways[0]
    assert last_before(midways, 21) is midways[1]


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
@pytest.mark.parametrize(
    "name", ["01_nested_call/buggy", "10_short_message/buggy", "05_fault_trampoline/buggy"]
)
def test_findings_do_not_depend_on_where_twins_begin(
    monkeypatch: pytest.MonkeyPatch, name: str, arch: str
) -> None:
    findings = run_scenario(name, arch=arch).findings
    begun: list[Midway | None] = []

    def count(midways: list[Midway], position: int) -> Midway | None:
        begun.append(last_before(midways, position))
        return begun[-1]

    monkeypatch.setattr(midway, "_BEFORE", 30)
    monkeypatch.setattr(midway, "_WORTH", 40)
    monkeypatch.setattr(confirm, "last_before", count)

    assert run_scenario(name, arch=arch).findings == findings
    assert begun
    assert None not in begun
