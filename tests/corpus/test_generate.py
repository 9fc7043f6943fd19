"""Generated programs assemble and run, and the generator's truth is what the run shows."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from guest.corpus.generate import Program, Standing, Use, generate, generate_many
from guest.corpus.narrow import narrow
from kernel.abi import ARCHES
from lab.testing import RunScenario

MANY = 500
RUN = 12  # of them are run here; `make accuracy` runs all


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return list(generate_many(MANY))


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("seed", range(RUN))
def test_a_run_shows_the_words_that_the_generator_foretold(
    run_scenario: RunScenario, tmp_path: Path, seed: int, arch: str
) -> None:
    program = generate(seed)
    words = sum(truth.use is not Use.SENT for truth in program.truths)

    run = run_scenario(program.write(tmp_path), arch=arch)

    assert [e for e in run.expectations if not e.holds] == []
    assert sum(e.what.startswith("memory server.read_") for e in run.expectations) == words
    assert any(e.what.startswith("memory client.got_") for e in run.expectations)
    assert run.refused == ()


def test_a_program_is_a_function_of_its_seed(programs: list[Program]) -> None:
    assert programs == list(generate_many(MANY))
    assert len({program.sources["server.s"].partition("\n")[2] for program in programs}) == MANY


def test_programs_do_not_change_with_the_version_of_python() -> None:
    text = "".join(generate(7).sources.values()) + generate(7).scenario

    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "504a50cf2ab35f9c"


def test_programs_are_small_and_have_a_form_for_ia32(programs: list[Program]) -> None:
    for program in programs:
        for source in program.sources.values():
            assert source.count("\n") < 200
            assert "rbx" not in narrow(source)


def test_guilty_and_innocent_programs_and_words_are_both_common(
    programs: list[Program],
) -> None:
    standings = Counter(t.standing for program in programs for t in program.truths)
    uses = Counter(t.use for program in programs for t in program.truths)

    assert 0.2 < sum(program.guilty for program in programs) / MANY < 0.8
    assert min(standings[standing] for standing in Standing) > 50
    assert min(uses[use] for use in Use) > 50


def test_the_truth_names_the_line_that_uses_the_word(programs: list[Program]) -> None:
    for program in programs:
        lines = program.sources["server.s"].splitlines()
        for truth in program.truths:
            line = lines[truth.line - 1]
            if truth.use is Use.SENT:
                assert line.endswith("UTCB_MR0], rbp")
            else:
                assert f"UTCB_MR{truth.register}]" in line
                assert line.endswith(truth.standing.value)


def test_a_word_is_wrong_exactly_if_it_is_not_what_was_meant(programs: list[Program]) -> None:
    for truth in (truth for program in programs for truth in program.truths):
        assert (truth.seen != truth.meant) == (truth.standing is Standing.WRONG)
