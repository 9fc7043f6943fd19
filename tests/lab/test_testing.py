"""The pytest plugin: what a failing guest test tells."""

import pytest

FAILING = """
def test_the_payload_arrives(run_scenario):
    run = run_scenario("faq_nested_call", arch="ia32", cycles=1_500_000)
    assert run.console.endswith("got 84 (84 expected)\\n")

def test_that_passes(run_scenario):
    assert run_scenario("faq_read_first").holds
"""


def test_a_failing_test_shows_console_messages_and_the_command_that_repeats_it(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest('pytest_plugins = ["lab.testing"]')
    pytester.makepyfile(FAILING)

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*guest: l4lab trace *faq_nested_call.toml --arch ia32 --cycles 1500000*",
            "console:",
            "  client: sent 42, got 14 (84 expected)",
            "last messages:",
            "*notifier → server  reply_and_wait",
            "*mr?1?*0x7*0x3*0x7  overwritten",
            "outcome idle at cycle 13,705, trace *",
        ]
    )
    assert result.stdout.str().count("guest: l4lab trace") == 1
