"""A schedule file replays exactly, is as small as can be, and fits its own scenario only."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guest.errors import GuestError
from guest.scenario import load_scenario
from kernel.variation import Choose
from lab.explore.job import Choices, Settings
from lab.explore.minimise import minimise
from lab.explore.pool import Alone
from lab.explore.schedule import load_schedule, save_schedule
from lab.explore.session import explore
from lab.run import run_scenario


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schedules")
    done = explore(load_scenario("overtaken"), Settings(), Alone(), folder=folder)
    (only,) = done.saved
    assert only.path is not None
    return only.path


def test_a_saved_schedule_fails_in_the_same_way_every_time(saved: Path) -> None:
    schedule = load_schedule(saved)

    runs = [run_scenario("overtaken", schedule=schedule) for _ in range(2)]

    assert {run.trace_hash for run in runs} == {runs[0].trace_hash}
    assert [finding.rule for finding in runs[0].findings] == ["stale-read"]
    assert runs[0].trace_hash != run_scenario("overtaken").trace_hash


def test_what_is_saved_is_read_back(saved: Path, tmp_path: Path) -> None:
    schedule = load_schedule(saved)
    again = tmp_path / "again.json"

    save_schedule(schedule, again)

    assert again.read_text() == saved.read_text()
    assert [(each.thread, each.point) for each in schedule.choices] == [
        ("alice", "preempt"),
        ("bob", "preempt"),
    ]


def test_another_program_is_refused_unless_the_schedule_is_taken_loosely(saved: Path) -> None:
    schedule = load_schedule(saved)

    with pytest.raises(GuestError, match="scenario_hash: made with another scenario"):
        run_scenario("overtaken_read_first", schedule=schedule)

    run = run_scenario("overtaken_read_first", schedule=schedule, loose=True)
    assert [each.what for each in run.expectations if not each.holds] == ["console"]
    assert run.findings == ()
    assert run.console == "server: overtaken\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ordinal": 99}, "alice was not asked for preempt number 99"),
        ({"option": 7}, "alice was not asked for preempt number 4"),
        ({"thread": "carol"}, 'choices.0..thread: this scenario has no "carol"'),
    ],
)
def test_a_choice_that_is_never_made_is_an_error_unless_loose(
    saved: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    value = json.loads(saved.read_text())
    value["choices"][0].update(change)
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(value))
    schedule = load_schedule(file)

    with pytest.raises(GuestError, match=message):
        run_scenario("overtaken", schedule=schedule)

    assert run_scenario("overtaken", schedule=schedule, loose=True).outcome == "idle"


def _without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda value: value.pop(key)


@pytest.mark.parametrize(
    ("damage", "key"),
    [
        (_without("schema"), "schema"),
        (_without("choices"), "choices"),
        (lambda value: value.update(schema=99), "schema"),
        (lambda value: value.update(points=[]), "points"),
        (lambda value: value["points"].update(grain=-1), "points.grain"),
        (lambda value: value["points"].update(overrules=1), "points.overrules"),
        (lambda value: value["choices"].append(3), "choices[2]"),
        (lambda value: value["choices"][1].update(point="jump"), "choices[1].point"),
        (lambda value: value["choices"][1].update(option=True), "choices[1].option"),
        (lambda value: value["choices"][1].update(ordinal=1 << 70), "choices[1].ordinal"),
    ],
)
def test_a_damaged_file_is_one_error_with_its_key(
    saved: Path, tmp_path: Path, damage: Callable[[dict[str, Any]], object], key: str
) -> None:
    value = json.loads(saved.read_text())
    damage(value)
    file = tmp_path / "damaged.json"
    file.write_text(json.dumps(value))

    with pytest.raises(GuestError) as caught:
        load_schedule(file)

    assert (caught.value.file, caught.value.key) == (str(file), key)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{", "3", "\xff", '{"schema": 1e999}'])
def test_what_is_no_schedule_is_one_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "none.json"
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(GuestError):
        load_schedule(file)


def _choices(*numbers: int) -> Choices:
    return tuple(Choose(number, "preempt", 0, 1) for number in numbers)


@pytest.mark.parametrize("needed", [(), (3,), (0, 9), (0, 1, 2), (2, 5, 8), tuple(range(10))])
def test_minimising_leaves_what_is_needed_and_nothing_else(needed: tuple[int, ...]) -> None:
    asked: list[Choices] = []

    def fails(choices: Choices) -> bool:
        asked.append(choices)
        return set(needed) <= {each.subject for each in choices}

    assert minimise(_choices(*range(10)), fails) == _choices(*needed)
    assert len(asked) <= 100
