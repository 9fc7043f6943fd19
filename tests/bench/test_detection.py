"""The checker finds what it found before, and reports no more without cause.

A share of what `make check-detection` runs; and the scoring itself, on findings made up.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.detection.baseline import Baseline, load_baseline, shrunk, store_baseline, worse
from bench.detection.mutants import Standing as MutantStanding
from bench.detection.score import (
    Mark,
    Part,
    Place,
    Result,
    of_case,
    of_generated,
    of_mutant,
    of_twin,
    of_undecidable,
)
from bench.detection.subjects import Generated, InCorpus, Shipped, level_of, look, subjects
from bench.detection.table import document, rows_of
from guest.corpus.cases import ExpectedFinding
from guest.corpus.generate import Standing, Truth, Use
from guest.corpus.mutate import Change, Mutant
from lab.checker.finding import Rule, Verdict
from tests.lab.findings import FAQ

LEVELS = ("asm", "O0")
SEEDS = 40
SHARE = [
    subject
    for subject in subjects(SEEDS)
    if isinstance(subject, InCorpus) and subject.level in LEVELS
]
PROGRAMS = [subject for subject in subjects(SEEDS) if isinstance(subject, Generated)]

F = replace(FAQ, thread="server", register="mr[1]", function="dispatch")
WANTED = ExpectedFinding("stale-read", "server", "confirmed", "mr[1]", "dispatch")
PLACE = Place(Part.CORPUS, "asm", "somewhere amd64")


def results(marks: list[Mark]) -> list[Result]:
    return [mark.result for mark in marks]


def test_no_case_and_no_twin_gets_worse() -> None:
    assert worse([mark for subject in SHARE for mark in look(subject)], load_baseline()) == []


def test_no_generated_program_gets_worse() -> None:
    assert (
        worse([mark for subject in PROGRAMS for mark in look(subject)], load_baseline()) == []
    )


def test_everything_is_looked_at() -> None:
    found = subjects(2)

    assert {type(subject).__name__ for subject in found} == {
        "InCorpus",
        "Shipped",
        "Generated",
        "Mutants",
    }
    assert {subject.level for subject in found} == {"asm", "O0", "O2", "O2-noinline"}
    assert {subject.arch for subject in found} == {"amd64", "ia32"}


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("faq_nested_call", "stale-read"),
        ("pager_refill", "setup-clobbered"),
        ("fault_in_setup_long_reply", "setup-clobbered"),
    ],
)
def test_a_shipped_scenario_is_held_against_its_own_file(
    name: str, rule: str, arch: str
) -> None:
    (mark,) = look(Shipped(name, arch))

    assert (mark.part, mark.rule, mark.result) == (Part.SHIPPED, rule, Result.HIT)


@pytest.mark.parametrize(
    ("name", "level"),
    [("a/buggy", "asm"), ("a/buggy-c-O0", "O0"), ("a/buggy-cxx-O2-noinline", "O2-noinline")],
)
def test_the_level_is_in_the_name(name: str, level: str) -> None:
    assert level_of(name) == level


def test_a_hit_has_rule_thread_register_and_function() -> None:
    assert results(list(of_case(PLACE, [WANTED], [F]))) == [Result.HIT]
    for other in (
        replace(F, rule=Rule.LEAKED_WORD),
        replace(F, thread="client"),
        replace(F, register="mr[2]"),
        replace(F, function="main"),
        replace(F, verdict=Verdict.LATENT),
    ):
        assert results(list(of_case(PLACE, [WANTED], [other]))) == [Result.MISS, Result.FALSE]
    note = replace(F, verdict=Verdict.NOTE)
    assert results(list(of_case(PLACE, [WANTED], [note]))) == [Result.MISS]


def test_a_finding_answers_one_expectation_only() -> None:
    assert results(list(of_case(PLACE, [WANTED, WANTED], [F]))) == [Result.HIT, Result.MISS]


def test_what_is_optional_may_be_missing_and_is_not_false() -> None:
    optional = replace(WANTED, register="mr[2]", optional=True)
    both = [F, replace(F, register="mr[2]")]

    assert results(list(of_case(PLACE, [optional, WANTED], [F]))) == [Result.HIT]
    assert results(list(of_case(PLACE, [optional, WANTED], both))) == [Result.HIT]


def test_a_latent_finding_is_found_as_latent_only() -> None:
    latent = replace(WANTED, verdict="latent")

    found = [replace(F, verdict=Verdict.LATENT)]
    assert results(list(of_case(PLACE, [latent], found))) == [Result.HIT]
    assert results(list(of_case(PLACE, [latent], [F]))) == [Result.MISS, Result.FALSE]


def test_an_undecidable_guest_must_yield_its_note() -> None:
    wanted = replace(WANTED, rule="word-lost-unread", verdict="note")
    note = replace(F, rule=Rule.WORD_LOST_UNREAD, verdict=Verdict.NOTE)

    assert results(list(of_undecidable(PLACE, [wanted], [F, note]))) == [Result.HIT]
    assert results(list(of_undecidable(PLACE, [wanted], [F]))) == [Result.MISS]


def test_of_a_twin_every_finding_but_a_note_is_false() -> None:
    note = replace(F, verdict=Verdict.NOTE)

    assert results(list(of_twin(PLACE, "stale-read", [note]))) == [Result.CLEAN]
    assert results(list(of_twin(PLACE, "stale-read", [F, note]))) == [Result.FALSE]


def truth(standing: Standing, use: Use = Use.READ) -> Truth:
    return Truth(use, 1, 20, 5, 6, standing)


@pytest.mark.parametrize(
    ("standing", "verdict", "expected"),
    [
        (Standing.WRONG, Verdict.PROBABLE, [Result.HIT, Result.CLEAN]),
        (Standing.WRONG, Verdict.LATENT, [Result.MISS, Result.FALSE]),
        (Standing.WRONG, Verdict.NOTE, [Result.MISS, Result.CLEAN]),
        (Standing.EQUAL, Verdict.LATENT, [Result.HIT, Result.CLEAN]),
        (Standing.EQUAL, Verdict.PROBABLE, [Result.MISS, Result.FALSE]),
        (Standing.FRAGILE, Verdict.PROBABLE, [Result.CLEAN]),
        (Standing.INNOCENT, Verdict.NOTE, [Result.CLEAN]),
        (Standing.INNOCENT, Verdict.LATENT, [Result.FALSE]),
    ],
)
def test_a_word_of_a_generated_program_is_held_against_its_truth(
    standing: Standing, verdict: Verdict, expected: list[Result]
) -> None:
    found = list(of_generated(PLACE, [truth(standing)], [replace(F, verdict=verdict)]))

    assert results(found) == expected


def test_a_word_that_is_sent_is_not_found_by_a_read() -> None:
    found = list(of_generated(PLACE, [truth(Standing.WRONG, Use.SENT)], [F]))

    assert results(found) == [Result.MISS, Result.FALSE]


def test_a_range_of_words_is_found_for_each_of_them() -> None:
    both = [truth(Standing.WRONG), replace(truth(Standing.EQUAL), register=2)]

    found = list(of_generated(PLACE, both, [replace(F, register="mr[1..2]")]))

    assert results(found) == [Result.HIT, Result.HIT, Result.CLEAN]


def test_a_mutant_is_held_against_what_its_execution_shows() -> None:
    mutant = Mutant("", Change.READ_MOVED, 3, 1)
    latent = replace(F, verdict=Verdict.LATENT)
    cases = {
        (MutantStanding.WRONG, F): [Result.HIT],
        (MutantStanding.WRONG, latent): [Result.MISS],
        (MutantStanding.EQUAL, latent): [Result.HIT],
        (MutantStanding.EQUAL, F): [Result.MISS],
        (MutantStanding.EQUIVALENT, F): [Result.FALSE],
        (MutantStanding.EQUIVALENT, latent): [],
        (MutantStanding.UNSEEN, F): [],
    }
    for (standing, finding), expected in cases.items():
        assert results(list(of_mutant(PLACE, mutant, standing, [finding]))) == expected


def test_a_miss_that_was_not_there_before_is_worse(tmp_path: Path) -> None:
    hit, miss = PLACE.mark(Result.HIT, "stale-read", "a"), PLACE.mark(Result.MISS, "x", "b")
    false = PLACE.false(F)
    path = tmp_path / "baseline.json"
    store_baseline([hit, miss, false], path)
    before = load_baseline(path)

    assert worse([hit, miss, false], before) == []
    assert shrunk([hit, miss, false], before) == []
    assert worse([replace(hit, result=Result.MISS)], before) == [
        "corpus: stale-read, asm: miss: somewhere amd64: a"
    ]
    assert worse([replace(false, what="c")], before) != []
    assert shrunk([hit], before) == ["corpus: 1 of 2 are counted"]


def test_reasons_stay_when_the_baseline_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    miss = PLACE.mark(Result.MISS, "x", "b")
    store_baseline([miss], path)
    path.write_text(path.read_text().replace(': b": ""', ': b": "known"'))

    store_baseline([miss], path)

    assert load_baseline(path).reason(miss) == "known"


def test_a_row_counts_what_is_there_found_and_false() -> None:
    marks = [
        PLACE.mark(Result.HIT, "stale-read", "a", "confirmed"),
        PLACE.mark(Result.HIT, "stale-read", "b", "probable"),
        PLACE.mark(Result.MISS, "stale-read", "c"),
        PLACE.false(F),
    ]
    shown = "1 confirmed, 1 probable"

    assert rows_of(marks, Part.CORPUS) == [
        ("stale-read", "asm", "3", "2", "66.7 %", "1", "66.7 %", shown),
        ("all", "", "3", "2", "66.7 %", "1", "66.7 %", shown),
    ]
    text = document(marks, Baseline({marks[2].name: "too hard"}, {}, {}))
    assert "- Too hard.\n  - corpus: somewhere amd64: c\n" in text
