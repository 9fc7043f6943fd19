"""Suppressions: they mark, they expire, the unused are named, and bad files are refused."""

import time
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.errors import GuestError
from lab.checker.finding import Rule
from lab.suppress import (
    FILE,
    MAX_FILE,
    Suppression,
    find_suppressions,
    fits,
    load_suppressions,
    suppress,
)
from lab.views.finding import suppression
from tests.lab.findings import FAQ, TODAY

OTHER = replace(FAQ, id="F2", rule=Rule.LEAKED_WORD)
GOOD = '[[suppress]]\nrule = "stale-read"\nreason = "known"\n'


def load(folder: Path, text: str | bytes) -> tuple[Suppression, ...]:
    path = folder / FILE
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_suppressions(path)


def test_what_fits_is_marked_with_the_reason_and_the_rest_is_untouched(tmp_path: Path) -> None:
    done = suppress([FAQ, OTHER], load(tmp_path, GOOD), today=TODAY)

    assert done.findings == (replace(FAQ, suppressed="known"), OTHER)
    assert (done.unused, done.expired) == ((), ())


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        ('rule = "stale-*"', True),
        ('rule = "leaked-word"', False),
        ('function = "*::dispatch"', True),
        ('function = "dispatch"', False),
        ('register = "mr[1]"', True),
        ('register = "mr[?]"', True),
        ('register = "mr[12]"', False),
        ("word = 1", True),
        ("word = 2", False),
        ('thread = "serv*"', True),
        ('thread = "client"', False),
    ],
)
def test_patterns(tmp_path: Path, line: str, hit: bool) -> None:
    loaded = load(tmp_path, f'[[suppress]]\n{line}\nreason = "known"\n')

    done = suppress([FAQ], loaded, today=TODAY)

    assert [bool(f.suppressed) for f in done.findings] == [hit]
    assert done.unused == (() if hit else loaded)


def test_all_given_patterns_must_fit(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD + 'thread = "client"\n')
    assert suppress([FAQ], loaded, today=TODAY).findings == (FAQ,)


@pytest.mark.parametrize("form", ["2027-01-31", '"2027-01-31"'])
def test_it_holds_to_the_end_of_its_day(tmp_path: Path, form: str) -> None:
    loaded = load(tmp_path, GOOD + f"expires = {form}\n")

    on_it = suppress([FAQ], loaded, today=TODAY)
    after = suppress([FAQ], loaded, today=date(2027, 2, 1))

    assert (on_it.findings[0].suppressed, on_it.expired) == ("known", ())
    assert (after.findings, after.expired, after.unused) == ((FAQ,), loaded, ())


def test_the_one_that_is_offered_suppresses_just_this_finding(tmp_path: Path) -> None:
    strange = replace(
        FAQ,
        function='operator[]<"*">\x1b\u202e\x7f\\ [red]\U0001f600',
        thread="a.#1",
        register="mr[1..2]",
    )
    text = "\n".join(suppression(strange)).replace('reason = ""', 'reason = "x"')
    assert text.replace("\n", "").isprintable()

    done = suppress([strange, FAQ], load(tmp_path, text), today=TODAY)

    assert [bool(f.suppressed) for f in done.findings] == [True, False]


@given(st.text(max_size=20))
def test_the_one_that_is_offered_is_toml_whatever_the_name(name: str) -> None:

    lines = "\n".join(suppression(replace(FAQ, function=name)))
    assert tomllib.loads(lines)["suppress"][0]["function"] == name


def test_the_offered_one_must_be_given_a_reason(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"suppress\[0\].reason: expected some words on why"):
        load(tmp_path, "\n".join(suppression(FAQ)))


BAD: dict[str, tuple[str | bytes, str]] = {
    "no TOML": ("[[suppress", "not TOML: "),
    "no UTF-8": (b"\xff", "is not UTF-8"),
    "too large": (b"#" * (MAX_FILE + 1), "is larger than"),
    "nested": ("a = " + "[" * 5000, "not TOML: "),
    "a long key": ("a" + ".a" * 5000 + " = 1", "a key of too many parts"),
    "a long number": ("a = " + "1" * 10_000, "not TOML: "),
    "a key": ("[[supress]]\n", 'supress: unknown key (did you mean "suppress"?)'),
    "no list": ("suppress = 1\n", "suppress: expected a list, found 1"),
    "no table": ("suppress = [1]\n", "suppress: expected tables [[suppress]], found 1"),
    "an inner key": (GOOD + "because = 1\n", "suppress[0].because: unknown key"),
    "no reason": ('[[suppress]]\nrule = "stale-read"\n', "suppress[0].reason: missing"),
    "an empty reason": (
        '[[suppress]]\nrule = "stale-read"\nreason = " "\n',
        "suppress[0].reason: expected some words",
    ),
    "no pattern": ('[[suppress]]\nreason = "x"\n', "suppress[0]: expected at least one of"),
    "an unknown rule": (
        '[[suppress]]\nrule = "stale-reed"\nreason = "x"\n',
        'suppress[0].rule: no rule "stale-reed" (did you mean "stale-read"?)',
    ),
    "an empty pattern": (GOOD + 'thread = ""\n', "suppress[0].thread: expected 1 to "),
    "a pattern of numbers": (GOOD + "thread = 1\n", "suppress[0].thread: expected a string"),
    "two registers": (
        GOOD + 'register = "mr[1]"\nword = 1\n',
        "suppress[0].word: there is a register already",
    ),
    "no word": (GOOD + "word = 63\n", "suppress[0].word: expected a number from 0 to 62"),
    "a time": (
        GOOD + "expires = 2027-01-31T00:00:00\n",
        "suppress[0].expires: expected a date",
    ),
    "no day": (GOOD + 'expires = "2027-02-30"\n', "suppress[0].expires: expected a date"),
    "a week": (GOOD + 'expires = "2027-W01-1"\n', "suppress[0].expires: expected a date"),
    "a day of TOML that is none": (GOOD + "expires = 2027-02-30\n", "not TOML: "),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_one_error(tmp_path: Path, what: str) -> None:
    text, message = BAD[what]
    with pytest.raises(GuestError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_beside_the_scenario_is_found(tmp_path: Path) -> None:
    scenario = tmp_path / "x.toml"
    assert find_suppressions(scenario) is None
    (tmp_path / FILE).symlink_to("nowhere")
    assert find_suppressions(scenario) == tmp_path / FILE


@pytest.mark.parametrize(
    ("pattern", "text", "hit"),
    [
        ("", "anything", True),
        ("*", "", True),
        ("?", "", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-b-b-d", False),
        ("*aab", "aaaab", True),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("a", "ab", False),
        ("ab", "a", False),
    ],
)
def test_a_pattern_knows_stars_and_question_marks(pattern: str, text: str, hit: bool) -> None:
    assert fits(pattern, text) == hit


def test_no_pattern_takes_exponential_time() -> None:
    began = time.perf_counter()
    assert not fits("a*" * 500 + "b", "a" * 2000)
    assert time.perf_counter() - began < 5
