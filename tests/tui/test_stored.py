"""Findings of a trace: the same values again, or one error."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.checker.stored import finding_from_json
from lab.run import run_scenario
from lab.trace.reader import open_trace
from lab.tui.lives import lives_of
from lab.tui.notes import Notes
from lab.tui.session import QUIET, open_session
from lab.views.finding_json import finding_as_json


@pytest.mark.parametrize("name", ["faq_nested_call", "hidden_ipc", "latent", "log_in_reply"])
def test_a_stored_finding_is_the_finding(name: str) -> None:
    findings = run_scenario(name, arch="amd64").findings

    assert findings
    for finding in findings:
        assert finding_from_json(json.dumps(finding_as_json(finding))) == finding


def body(**changed: object) -> str:
    (finding,) = run_scenario("faq_nested_call", arch="amd64").findings
    value: dict[str, Any] = finding_as_json(finding) | changed
    return json.dumps(value)


@pytest.mark.parametrize(
    "changed",
    [
        {"rule": "none"},
        {"verdict": 3},
        {"offset": -1},
        {"offset": 1 << 70},
        {"size": True},
        {"words": None},
        {"words": [1]},
        {"access": None},
        {"expected": "42"},
        {"expected": "0x" + "1" * 5000},
        {"actual": "0xg"},
        {"message": []},
        {"identity": [1]},
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        finding_from_json(body(**changed))


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "null", "3"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        finding_from_json(text)


def test_texts_cannot_steer_a_terminal() -> None:
    finding = finding_from_json(body(function="\x1b[2Jx", summary="a\nb"))

    assert finding.function == "\\x1b[2Jx"
    assert finding.summary == "a\\nb"


def test_lives_are_those_that_the_checker_knew(nested: Path) -> None:
    with open_trace(nested) as trace:
        session = open_session(trace, Notes(""))
        server = session.threads["server"]
        lives = [life for life in session.lives(0, len(trace)) if life.thread == server]

    told = [(life.label, life.born, life.died, life.depth) for life in lives]
    assert told == [
        ("#3", 20, 32, 0),
        ("#13", 322, 337, 0),
        ("M14", 615, 839, 0),
        ("M19", 829, 830, 1),
    ]
    assert [life.lost for life in lives] == [None, None, (626, 830), None]


def test_pages_have_what_is_around_the_cursor_and_no_more(nested: Path) -> None:
    with open_trace(nested) as trace:
        session = open_session(trace, Notes(""))
        assert session.kinds == QUIET
        finding = session.findings[0]
        session.choose_finding(finding)
        session.go(type(session.at)(830))
        rows, here = session.page(4, 2)

    assert [row.position for row in rows] == [626, 631, 818, 829, 830, 839, 984]
    assert rows[here].finding is finding


def test_an_answer_is_one_though_its_call_is_not_in_the_page(nested: Path) -> None:
    with open_trace(nested) as trace:
        session = open_session(trace, Notes(""))
        word = trace.head.arch.word
        late = list(lives_of(trace.events(29), word, (), session.threads))

    assert [(life.born, life.is_request) for life in late] == [(829, False), (839, False)]
