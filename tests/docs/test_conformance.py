"""The conformance table: up to date, complete, and its maker sees what does not fit."""

from dataclasses import replace

import pytest

from tests import conformance
from tests.conformance import CitingTest, Rule, cited_sections, complaints, load, render


def test_the_table_is_up_to_date() -> None:
    assert conformance.main(["--check"]) == ""


def test_nothing_is_missing_but_what_was_decided() -> None:
    absent = {rule.at for rule in load().rules if rule.absent}

    # Sections 1 to 5 are complete; of 6: vCPU, VM and DMA, IOMMU.
    assert absent == {"6.2", "6.3", "6.12"}


@pytest.mark.parametrize(
    ("docstring", "sections"),
    [
        ("ABI 4.9: a rule.", ("4.9",)),
        ("ABI 4.2, 4: a point of a section.", ("4.2",)),
        ("ABI 5.2, 6.2: two of them.", ("5.2", "6.2")),
        ("ABI 6.7 and 13, 2: two, one with a point.", ("6.7", "13")),
        ("ABI 3: one without a dot.\n\nABI 9.9: in a later line.", ("3",)),
        ("ABI 6.10, group 0: more about the place.", ("6.10",)),
        ("Something else, see ABI 4.9: no.", ()),
        ("", ()),
    ],
)
def test_what_a_docstring_cites(docstring: str, sections: tuple[str, ...]) -> None:
    assert cited_sections(docstring) == sections


NEITHER = "ABI 4.3: A rule....: expected tests or scenarios, else untested, absent or elsewhere"
A_TEST = CitingTest("kernel", "ipc", "a_message_crosses", ("4.3",))


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (Rule("4.3", "A rule.", tests=("ipc/a_message*",)), ""),
        (Rule("4.3", "A rule.", scenarios=("pingpong",)), ""),
        (Rule("4.3", "A rule.", absent="nothing"), ""),
        (Rule("4.3", "A rule."), NEITHER),
        (Rule("4.3", "A rule.", tests=("ipc/*",), absent="nothing"), NEITHER),
        (
            Rule("4.3", "A rule.", tests=("ipc/another*",)),
            "ABI 4.3: A rule....: no test ipc/another* that cites it",
        ),
        (
            Rule("4.3", "A rule.", scenarios=("none",)),
            "ABI 4.3: A rule....: no scenario none",
        ),
    ],
)
def test_what_does_not_fit_is_told(rule: Rule, complaint: str) -> None:
    all_of_it = replace(
        load(), sections={"4.3": "What is copied"}, rules=(rule,), tests=(A_TEST,)
    )

    assert complaints(all_of_it) == ([complaint] if complaint else [])


def test_a_citation_of_a_section_without_a_rule_is_told() -> None:
    stray = replace(A_TEST, sections=("9.9",))
    rule = Rule("4.3", "A rule.", absent="nothing")
    all_of_it = replace(load(), sections={"4.3": "Title"}, rules=(rule,), tests=(stray,))

    assert complaints(all_of_it) == [
        "ABI 9.9: no rule, but kernel/ipc/a_message_crosses cites it"
    ]


def test_a_test_that_no_rule_names_is_listed_with_its_section() -> None:
    rule = Rule("4.3", "A rule.", absent="nothing")
    all_of_it = replace(load(), sections={"4.3": "Title"}, rules=(rule,), tests=(A_TEST,))

    assert "\nAlso: ipc/a_message_crosses.\n" in render(all_of_it)
