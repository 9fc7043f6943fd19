"""Every scenario that ships does what it says, on every architecture that it names.

The expectations stand in the scenario files: outcome, the whole console, words of memory.
"""

import pytest

from guest.scenario import load_scenario, shipped_scenarios
from lab.testing import RunScenario

CASES = [
    pytest.param(name, arch.name, id=f"{name}-{arch.name}")
    for name in shipped_scenarios()
    for arch in load_scenario(name).arches
]
# They measure speed and run until their budget ends; they expect no console.
BENCHMARKS = ("bench_", "pingpong_forever_")


@pytest.mark.parametrize(("name", "arch"), CASES)
def test_a_shipped_scenario_meets_its_expectations(
    run_scenario: RunScenario, name: str, arch: str
) -> None:
    run = run_scenario(name, arch=arch)

    assert [e for e in run.expectations if not e.holds] == []
    assert {"outcome", "console"} <= {e.what for e in run.expectations}
    assert not run.failed
    assert run.refused == ()
    assert run.comparison is not None
    assert (run.comparison.missing, run.comparison.unexpected) == ((), ())


@pytest.mark.parametrize("name", shipped_scenarios())
def test_a_shipped_scenario_exists_for_both_architectures(name: str) -> None:
    assert {arch.name for arch in load_scenario(name).arches} == {"amd64", "ia32"}


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_the_overwritten_word_and_its_cures(run_scenario: RunScenario, arch: str) -> None:
    told = {
        name: run_scenario(name, arch=arch).console.splitlines()[-1]
        for name in ("faq_nested_call", "faq_read_first", "faq_saved_utcb")
    }

    assert told == {
        "faq_nested_call": "client: sent 42, got 14 (84 expected)",
        "faq_read_first": "client: sent 42, got 84 (84 expected)",
        "faq_saved_utcb": "client: sent 42, got 84 (84 expected)",
    }
