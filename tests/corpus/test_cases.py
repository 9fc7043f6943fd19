"""The corpus' file is checked: each mistake is one error with file and key."""

import json
from pathlib import Path

import pytest

from guest.corpus.cases import ExpectedFinding, load_corpus
from guest.errors import GuestError
from tests.lab.cli import CommandLine

CASE = """
[[case]]
number = 1
name = "01_one"
title = "One"
source = "nowhere"
pattern = "nested call"
rule = "stale-read"
"""
SCENARIO = """
[[case.scenario]]
name = "buggy"
languages = ["c", "cxx"]
findings = [
  { rule = "stale-read", thread = "a", verdict = "latent", function = "f", function_cxx = "F" },
  { rule = "stale-read", thread = "b", verdict = "note", only = ["asm"] },
]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "01_one").mkdir()
    levels = ("", "-c-O0", "-c-O2", "-c-O2-noinline", "-cxx-O0", "-cxx-O2", "-cxx-O2-noinline")
    for level in levels:
        (tmp_path / "01_one" / f"buggy{level}.toml").write_text("")
    (tmp_path / "innocent").mkdir()
    return tmp_path


def load(folder: Path, text: str) -> object:
    file = folder / "corpus.toml"
    file.write_text(text)
    return load_corpus(file)


def test_findings_are_those_of_each_language(folder: Path) -> None:
    file = folder / "corpus.toml"
    file.write_text(CASE + SCENARIO)

    (case,) = load_corpus(file).cases

    assert {v.variant: v.findings for v in case.variants} == {
        "asm": (
            ExpectedFinding("stale-read", "a", "latent", None, "f"),
            ExpectedFinding("stale-read", "b", "note", None, None),
        ),
        **{
            f"{language}-{level}": (
                ExpectedFinding("stale-read", "a", "latent", None, function),
            )
            for language, function in (("c", "f"), ("cxx", "F"))
            for level in ("O0", "O2", "O2-noinline")
        },
    }


def test_a_finding_can_be_of_one_level_only(folder: Path) -> None:
    file = folder / "corpus.toml"
    file.write_text(CASE + SCENARIO.replace('["asm"]', '["asm", "c-O2"]'))

    (case,) = load_corpus(file).cases

    found = {v.variant for v in case.variants if "b" in {f.thread for f in v.findings}}
    assert found == {"asm", "c-O2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = [", "not TOML: Invalid value (at end of document)"),
        ("zoo = 1", "zoo: unknown key: expected one of case, twin"),
        (
            CASE,
            "case[0]: expected either scenarios or the test that this case is",
        ),
        (
            CASE.replace("number = 1", "number = 2") + SCENARIO,
            'case[0].name: "01_one" does not begin with its number, 02',
        ),
        (
            CASE.replace('"01_one"', '"one"') + SCENARIO,
            'case[0].name: expected a name such as 01_nested_call, found "one"',
        ),
        (
            CASE.replace("stale-read", "Stale read") + SCENARIO,
            'case[0].rule: expected the name of a rule, found "Stale read"',
        ),
        (
            CASE + SCENARIO.replace('"c", "cxx"', '"cx"'),
            'case[0].scenario[0].languages: unknown language "cx" (did you mean "cxx"?)',
        ),
        (
            CASE + SCENARIO.replace('["asm"]', '["rust"]'),
            'case[0].scenario[0].findings[1].only: "rust": expected of asm, c, cxx',
        ),
        (
            CASE + SCENARIO.replace('thread = "b", ', ""),
            "case[0].scenario[0].findings[1].thread: missing: expected a string",
        ),
        (
            CASE + SCENARIO + "undecidable = 1",
            "case[0].scenario[0].undecidable: expected true or false, found 1",
        ),
        (CASE + SCENARIO + CASE + SCENARIO, 'case: "1" is there twice'),
    ],
)
def test_a_mistake_is_one_error_with_its_key(folder: Path, text: str, message: str) -> None:
    with pytest.raises(GuestError) as caught:
        load(folder, text)

    assert str(caught.value) == f"{folder / 'corpus.toml'}: {message}"


def test_a_scenario_that_is_not_there_is_an_error(folder: Path) -> None:
    (folder / "01_one" / "buggy-c-O2.toml").unlink()

    with pytest.raises(GuestError) as caught:
        load(folder, CASE + SCENARIO)

    assert caught.value.key == "case[0].scenario[0].name"
    assert caught.value.message == f"there is no scenario {folder}/01_one/buggy-c-O2.toml"


def test_a_twin_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(GuestError) as caught:
        load(folder, '[[twin]]\nname = "lamb"\nagainst = "stale-read"\n')

    assert caught.value.message == f"there is no scenario {folder}/innocent/lamb.toml"


def test_list_corpus_shows_every_case(l4lab: CommandLine) -> None:
    corpus = load_corpus()
    called = l4lab("list", "--corpus")

    assert (called.code, called.err) == (0, "")
    for case in corpus.cases:
        (line,) = [line for line in called.out.splitlines() if case.name in line]
        assert line.split()[0] == str(case.number)
        for part in (case.pattern, case.rule, case.source):
            assert part in line
    for twin in corpus.twins:
        assert f"innocent/{twin.name} " in called.out


def test_list_corpus_as_json_is_one_object(l4lab: CommandLine) -> None:
    value = json.loads(l4lab("list", "--corpus", "--json").out)

    assert [case["number"] for case in value["cases"]] == list(range(1, 25))
    assert value["cases"][0]["scenarios"][0] == {
        "name": "01_nested_call/buggy",
        "variant": "asm",
        "undecidable": False,
        "findings": [
            {
                "rule": "stale-read",
                "also": [],
                "optional": False,
                "verdict": "confirmed",
                "thread": "server",
                "register": "mr[1]",
                "function": "dispatch",
            }
        ],
    }


def test_a_case_runs_by_its_name(l4lab: CommandLine) -> None:
    assert l4lab("run", "01_nested_call/buggy", "--arch", "ia32", "--quiet").code == 0
