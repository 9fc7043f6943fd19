"""Findings against what a scenario expects: an exact multiset, matched in the best way."""

import time
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.errors import GuestError
from guest.scenario import Expect
from lab.checker.finding import Finding, Rule, Verdict
from lab.expect import Item, check_items, compare, describe_item, matches
from tests.lab.findings import FAQ

LATENT = replace(FAQ, id="F2", verdict=Verdict.LATENT, register="mr[2]")
NOTE = replace(FAQ, id="F3", verdict=Verdict.NOTE, rule=Rule.HIDDEN_IPC)
STALE: Item = {"rule": "stale-read"}
LISTED: Item = {"rule": "stale-read", "verdict": "latent"}
AT_MR1: Item = {"rule": "stale-read", "register": "mr[1]"}


def ids(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.id for finding in findings]


def test_what_is_listed_and_found_holds() -> None:
    done = compare([AT_MR1], [FAQ])
    assert (done.holds, done.matched, done.missing, done.unexpected) == (
        True,
        ((AT_MR1, FAQ),),
        (),
        (),
    )


def test_a_finding_that_nobody_expects_fails() -> None:
    done = compare([], [FAQ])
    assert (done.holds, ids(done.unexpected)) == (False, ["F1"])


def test_an_expected_finding_that_is_not_there_fails() -> None:
    done = compare([AT_MR1], [LATENT])
    assert (done.holds, done.missing, done.unexpected) == (False, (AT_MR1,), ())


def test_a_finding_counts_once() -> None:
    assert not compare([STALE, STALE], [FAQ]).holds
    assert not compare([STALE], [FAQ, FAQ]).holds
    assert compare([STALE, STALE], [FAQ, FAQ]).holds


def test_overlapping_items_are_not_matched_greedily() -> None:
    # The first item fits both findings; taken greedily it would leave the second item alone.
    other = replace(FAQ, id="F2", register="mr[2]")
    for items in permutations([STALE, AT_MR1]):
        for findings in permutations([FAQ, other]):
            assert compare(list(items), list(findings)).holds


def test_a_long_chain_of_items_is_matched() -> None:
    # A line has two findings and so has an offset, but offset 0 has one, which pushes all
    # the others along.
    size = 600
    findings = [replace(FAQ, line=k // 2 + 1, offset=(k + 1) // 2) for k in range(size)]
    items: list[Item] = [{"line": k + 1} for k in range(size // 2)]
    items += [{"offset": k} for k in reversed(range(size // 2))]
    assert compare(items, findings).holds
    assert compare([*items, {"offset": 0}], findings).missing == ({"offset": 0},)


def test_latent_findings_are_allowed_but_not_required_to_be_listed() -> None:
    assert compare([], [LATENT]).holds
    assert compare([LISTED], [LATENT]).holds


@pytest.mark.parametrize("strict", [False, True])
def test_an_item_that_does_not_say_latent_does_not_take_what_is(strict: bool) -> None:
    assert compare([STALE], [LATENT], strict=strict).missing == (STALE,)
    assert not compare([{}], [LATENT], strict=strict).holds


def test_a_latent_finding_does_not_take_the_item_that_a_confirmed_one_needs() -> None:
    done = compare([{}], [LATENT, FAQ])
    assert (done.holds, ids(tuple(finding for _, finding in done.matched))) == (True, ["F1"])


def test_a_latent_finding_fails_a_strict_run() -> None:
    assert ids(compare([], [LATENT], strict=True).unexpected) == ["F2"]
    assert compare([LISTED], [LATENT], strict=True).holds


def test_notes_and_suppressed_findings_take_no_part() -> None:
    suppressed = replace(FAQ, suppressed="known")
    assert compare([], [NOTE, suppressed], strict=True).holds
    assert compare([STALE], [suppressed]).missing == (STALE,)
    assert compare([{"rule": "hidden-ipc"}], [NOTE]).missing == ({"rule": "hidden-ipc"},)


@pytest.mark.parametrize(
    ("item", "fits"),
    [
        ({}, True),
        ({"file": "server.cc", "line": 31}, True),
        ({"file": "src/server.cc"}, True),
        ({"file": "erver.cc"}, False),
        ({"file": ""}, False),
        ({"function": "dispatch"}, False),
        ({"actual": 0x1000, "expected": 42}, True),
        ({"actual": "0x1000", "expected": "0x2A"}, True),
        ({"actual": "0x1001"}, False),
        ({"actual": "many"}, False),
        ({"count": 2}, False),
        ({"pc": "0x401234"}, True),
        ({"pc": 0x401235}, False),
        ({"offset": 4, "size": 4, "thread": "server", "verdict": "confirmed"}, True),
        ({"colour": "red"}, False),
    ],
)
def test_an_item_matches_on_the_keys_that_it_gives(item: Item, fits: bool) -> None:
    assert matches(item, FAQ) == fits


@given(st.data())
def test_no_other_matching_leaves_less_alone(data: st.DataObject) -> None:
    registers = ["mr[0]", "mr[1]"]
    threads = ["a", "b"]
    findings = [
        replace(
            FAQ,
            register=data.draw(st.sampled_from(registers)),
            thread=data.draw(st.sampled_from(threads)),
            verdict=data.draw(st.sampled_from([Verdict.CONFIRMED, Verdict.LATENT])),
        )
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    kinds: list[Item] = [
        {},
        {"verdict": "latent"},
        {"verdict": "latent", "register": "mr[0]"},
        *({"register": r} for r in registers),
        *({"thread": t} for t in threads),
    ]
    kinds += [{"register": r, "thread": t} for r in registers for t in threads]
    items = data.draw(st.lists(st.sampled_from(kinds), max_size=4))

    done = compare(items, findings)

    must = sum(finding.verdict is Verdict.CONFIRMED for finding in findings)
    best = (len(items), must)
    slots = [*range(len(findings)), *[None] * len(items)]
    for choice in set(permutations(slots, len(items))):
        pairs = [(i, f) for i, f in zip(items, choice, strict=True) if f is not None]
        if all(matches(item, findings[f]) for item, f in pairs):
            used = {f for _, f in pairs}
            alone = sum(
                f.verdict is Verdict.CONFIRMED and k not in used for k, f in enumerate(findings)
            )
            best = (min(best[0], len(items) - len(pairs)), min(best[1], alone))
    assert (len(done.missing), len(done.unexpected)) == best


def test_thousands_of_equal_items_take_no_time_to_speak_of() -> None:
    findings = [replace(FAQ, line=k) for k in range(300)]
    began = time.perf_counter()
    done = compare([STALE] * 4096, findings)
    assert time.perf_counter() - began < 20
    assert (len(done.matched), len(done.missing)) == (300, 3796)


def test_the_difference_is_readable_as_two_texts() -> None:
    shown = compare([{"rule": "leaked-word", "register": "mr[0]"}], [FAQ]).as_expectation()
    assert not shown.holds
    assert shown.expected == '{ rule = "leaked-word", register = "mr[0]" }'
    assert shown.actual == (
        '{ rule = "stale-read", verdict = "confirmed", thread = "server", register = "mr[1]", '
        'function = "MyServer::dispatch", file = "server.cc", line = 31 }'
    )


def test_texts_of_findings_that_are_as_expected_are_equal() -> None:
    shown = compare([AT_MR1], [FAQ]).as_expectation()
    assert (shown.holds, shown.expected) == (True, describe_item(AT_MR1))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"rul": "x"}, 'expect.findings[1].rul: unknown key (did you mean "rule"?): expected '),
        ({"rule": "stale"}, "expect.findings[1].rule: expected one of stale-read, "),
        (
            {"verdict": "note"},
            "expect.findings[1].verdict: expected one of confirmed, probable, latent, "
            'found "note"',
        ),
        ({"register": 1}, "expect.findings[1].register: expected a string, found 1"),
        ({"line": "x"}, 'expect.findings[1].line: expected a number, found "x"'),
        ({"actual": "x"}, 'expect.findings[1].actual: expected a number or hex, found "x"'),
    ],
)
def test_what_cannot_match_is_refused_with_its_key(item: Item, message: str) -> None:
    with pytest.raises(GuestError) as caught:
        check_items(Expect(findings=({}, item)), file="x.toml")
    assert str(caught.value).startswith(f"x.toml: {message}")


@pytest.mark.parametrize("findings", [None, "any", (), ({"rule": "stale-read", "line": 3},)])
def test_what_can_match_is_taken(findings: tuple[Item, ...] | str | None) -> None:
    check_items(Expect(findings=findings), file="x.toml")
