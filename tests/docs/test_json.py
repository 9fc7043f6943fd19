"""docs/json.md says what is printed: each field, in this order, of this type, and no other."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emu.timing import Timing
from guest.scenario import load_scenario
from kernel.events import Purpose, Refused, Remark
from lab.expect import compare
from lab.replay.measure import measure
from lab.result import Run, judge
from lab.run import run_scenario
from lab.suppress import load_suppressions
from lab.views.finding_json import finding_as_json
from lab.views.result import as_json, error_as_json
from lab.views.stat import as_json as stat_as_json
from lab.views.story import story_as_json
from tests.lab.findings import BARE, FAQ, TODAY

PAGE = (Path(__file__).parents[2] / "docs/json.md").read_text()
LINK = re.compile(r"\[[a-z]+\]\(#([a-z]+)\)")
PLAIN = {
    "string": str,
    "number": int,
    "fraction": float,
    "boolean": bool,
    "object": dict,
    "null": type(None),
}


def sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title = part.partition("\n")[0].lower()
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", part, re.MULTILINE)
        yield title, rows


SECTIONS = dict(sections())
STAT = {"stat", "thread", "function", "guess"}


def check(value: object, kind: str, where: str, seen: set[str]) -> None:
    if " or " in kind:
        first, _, second = kind.partition(" or ")
        check(value, second if value is None else first, where, seen)
    elif kind.startswith("list of "):
        assert isinstance(value, list), where
        for item in value:
            check(item, kind.removeprefix("list of "), f"{where}[]", seen)
    elif link := LINK.fullmatch(kind):
        check_object(value, link[1], where, seen)
    else:
        assert type(value) is PLAIN[kind], f"{where}: {value!r} is no {kind}"


def check_object(value: object, section: str, where: str, seen: set[str]) -> None:
    seen.add(section)
    assert isinstance(value, dict), where
    rows = SECTIONS[section]
    assert list(value) == [name for name, _ in rows], where
    for name, kind in rows:
        check(value[name], kind.strip(), f"{where}.{name}", seen)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "s.toml").write_text(
        '[[suppress]]\nrule = "foreign-*"\nreason = "x"\n'
        '[[suppress]]\nthread = "y"\nreason = "x"\nexpires = 2020-01-01\n'
        '[[suppress]]\nthread = "known"\nreason = "x"\n'
    )
    done = replace(
        run_scenario("faq_nested_call"),
        checked=True,
        findings=(FAQ, BARE, replace(FAQ, id="F3", thread="known")),
    )
    done = judge(done, suppressions=load_suppressions(tmp_path / "s.toml"), today=TODAY)
    return replace(done, comparison=compare([{"rule": "leaked-word"}], done.findings))


def test_a_run_is_as_documented(run: Run) -> None:
    seen: set[str] = set()
    value = json.loads(json.dumps(as_json(run)))
    check_object(value, "run", "run", seen)
    assert [f["suppressed"] for f in value["findings"]] == [None, None, "x"]
    assert [len(value["suppressions"][k]) for k in ("unused", "expired")] == [1, 1]
    assert value["comparison"]["missing"] == [{"rule": "leaked-word"}]
    # Of the tests below.
    seen |= {"refusal", "remark", "story", "step", "error", "problem", *STAT}
    assert seen == set(SECTIONS)


def test_a_refusal_is_as_documented(run: Run) -> None:
    refused = Refused(1, 2, 3, 0, -13, 1, (1, 3), "only writing is served", 0x10)
    value = as_json(replace(run, refused=(refused,), refusals=1))
    check_object(value, "run", "run", set())
    assert value["refused"][0]["object"] is None


def test_a_remark_is_as_documented(run: Run) -> None:
    remark = Remark(1, 2, 5, 0, Purpose.VALUES, b"state", (1, 2, 3), 0x10)
    value = as_json(replace(run, remarks=(remark,), remarked=1))
    check_object(value, "run", "run", set())
    assert value["remarks"][0]["values"] == ["0x1", "0x2", "0x3"]


def test_a_story_is_as_documented() -> None:
    value = {
        "schema": 1,
        "scenario": "x",
        "arch": "amd64",
        "finding": finding_as_json(FAQ),
        "story": story_as_json(FAQ),
    }
    check_object(value, "story", "story", set())


def test_a_stat_is_as_documented() -> None:
    found = measure(load_scenario("faq_nested_call"), timing=Timing("skylake"))
    value = json.loads(json.dumps(stat_as_json(replace(found, guessed=(("x", 1),)))))
    seen: set[str] = set()
    check_object(value, "stat", "stat", seen)
    assert seen == STAT


def test_an_error_is_as_documented() -> None:
    check_object(error_as_json("x", file="f", line=1), "error", "error", set())
    check_object(error_as_json("x", key="k"), "error", "error", set())


def test_the_check_finds_a_field_that_is_not_documented() -> None:
    value = finding_as_json(FAQ) | {"colour": "red"}
    with pytest.raises(AssertionError):
        check_object(value, "finding", "finding", set())
    with pytest.raises(AssertionError):
        check_object(finding_as_json(FAQ) | {"line": "31"}, "finding", "finding", set())
