"""Every case of the corpus runs and shows what its story says, on both architectures.

The expectations stand in the scenario files: a wrong result of the guilty guest, the right
one of the cured.  What the checker says of them is another matter.
"""

from pathlib import Path

import pytest

from guest.assemble import assemble
from guest.corpus.cases import Case, Variant, load_corpus
from guest.corpus.narrow import narrow
from guest.corpus.variants import CORPUS, compiled_variants
from guest.errors import GuestError
from guest.scenario import find_scenario, load_scenario
from kernel.abi import ARCHES
from lab.checker.finding import Rule, Verdict
from lab.testing import RunScenario

LOADED = load_corpus()
RUNNING = [case for case in LOADED.cases if not case.waiting]
WAITING = [case for case in LOADED.cases if case.waiting]
VARIANTS = [variant for case in RUNNING for variant in case.variants]
INNOCENT = [variant for twin in LOADED.twins for variant in twin.variants]
SCENARIOS = [
    pytest.param(path, arch, id=f"{path.parent.name}/{path.stem}-{arch}")
    for path in [v.path for v in VARIANTS + INNOCENT]
    for arch in ARCHES
]


@pytest.mark.parametrize(("path", "arch"), SCENARIOS)
def test_a_scenario_of_the_corpus_shows_what_its_story_says(
    run_scenario: RunScenario, path: Path, arch: str
) -> None:
    run = run_scenario(path, arch=arch)

    assert [e for e in run.expectations if not e.holds] == []
    assert {"outcome", "console"} < {e.what for e in run.expectations}
    assert not run.failed
    assert run.refused == ()


def test_all_cases_are_there_and_those_made_for_rules() -> None:
    assert [case.number for case in LOADED.cases] == list(range(1, 25))


@pytest.mark.parametrize("case", [c for c in LOADED.cases if not c.test], ids=lambda c: c.name)
def test_a_case_has_a_guilty_guest_and_a_cured_one(case: Case) -> None:
    guilty = {v.scenario for v in case.variants if v.findings}
    cured = {v.scenario for v in case.variants if not v.findings}

    assert "buggy" in guilty
    assert cured == {"fixed"}


@pytest.mark.parametrize("case", RUNNING, ids=lambda c: c.name)
def test_the_guilty_guest_visibly_misbehaves_unless_it_is_latent(case: Case) -> None:
    consoles = {v.scenario: load_scenario(v.path).expect.console for v in case.variants}
    for variant in case.variants:
        latent = {finding.verdict for finding in variant.findings} == {"latent"}
        if variant.findings:
            assert (consoles[variant.scenario] == consoles["fixed"]) == latent


@pytest.mark.parametrize("case", RUNNING, ids=lambda c: c.name)
def test_every_scenario_in_a_folder_is_in_the_corpus(case: Case) -> None:
    if case.variants:
        assert set((CORPUS / case.name).glob("*.toml")) == {v.path for v in case.variants}


def test_every_innocent_twin_is_in_the_corpus() -> None:
    assert set((CORPUS / "innocent").glob("*.toml")) == {v.path for v in INNOCENT}


def test_a_case_that_is_a_test_of_the_kernel_names_it() -> None:
    tests = {case.number: case.test for case in LOADED.cases if case.test}

    assert list(tests) == [12, 13, 19]
    assert all((CORPUS.parent.parent / test).is_file() for test in tests.values())


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_expected_findings_name_rules_threads_and_verdicts_that_exist(variant: Variant) -> None:
    scenario = load_scenario(variant.path)
    threads = {thread.full_name for thread in scenario.threads}
    for finding in variant.findings:
        assert {finding.rule, *finding.also} <= set(Rule)
        assert finding.verdict in set(Verdict)
        assert finding.thread in threads
    if variant.undecidable:
        assert {f.verdict for f in variant.findings} == {"note"}


def test_rules_of_cases_and_twins_exist() -> None:
    rules = {case.rule for case in LOADED.cases if not case.test}

    assert rules | {twin.against for twin in LOADED.twins} <= set(Rule)


@pytest.mark.parametrize("case", WAITING, ids=lambda c: c.name)
def test_a_waiting_case_assembles_and_is_refused_for_what_it_waits_for(case: Case) -> None:
    for source in sorted((CORPUS / case.name).glob("*/*.s")):
        assemble(source, ARCHES[source.parent.name])
    key = case.waiting.split()[-1]
    refused = []
    for variant in case.variants:
        try:
            load_scenario(variant.path)
        except GuestError as error:
            refused.append(error.key)

    # When this fails the case can run: take `waiting` away.
    assert refused
    assert all(found and found.endswith(key) for found in refused)


def test_a_scenario_of_the_corpus_is_found_by_its_name() -> None:
    for variant in VARIANTS + INNOCENT:
        assert find_scenario(variant.name) == variant.path


@pytest.mark.parametrize(
    "folder",
    sorted((*CORPUS.glob("[0-9]*"), CORPUS / "innocent")),
    ids=lambda folder: folder.name,
)
def test_compiled_scenarios_are_those_for_assembly_with_another_program(folder: Path) -> None:
    for path, text in compiled_variants(folder).items():
        assert path.read_text() == text


@pytest.mark.parametrize(
    "source",
    sorted(CORPUS.glob("*/amd64/*.s")),
    ids=lambda s: f"{s.parent.parent.name}/{s.stem}",
)
def test_both_architectures_have_the_same_program(source: Path) -> None:
    stored = source.parent.parent / "ia32" / source.name

    assert stored.read_text() == narrow(source.read_text())
    assert source.read_text().startswith("# ")
