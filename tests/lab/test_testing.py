"""The pytest plugin: what it collects, what it gives, and what a failing guest test tells."""

import re
import shlex
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.lab.cli import CommandLine

PLUGIN = 'pytest_plugins = ["lab.testing"]'
PATHS = Path(__file__).parents[2]

SCENARIO = """
title = "one call"
arch  = ["amd64", "ia32"]
[[task]]
name  = "notifier"
image = "{arch}/faq_notifier.s"
[[task]]
name  = "server"
image = "{arch}/SERVER.s"
[task.caps]
0x21  = "gate:notifier"
[[task]]
name  = "client"
image = "{arch}/faq_client.s"
[task.caps]
0x20  = "gate:doubler"
[[gate]]
name   = "doubler"
thread = "server"
label  = 0xd0b0_0010
[[gate]]
name   = "notifier"
thread = "notifier"
label  = 0x0e0e_0020
[expect]
outcome  = "idle"
"""
CLEAN = SCENARIO.replace("SERVER", "faq_read_first")
GUILTY = SCENARIO.replace("SERVER", "faq_nested_call")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite of tests of its own, run in this process."""
    monkeypatch.setenv("PYTHONPATH", str(PATHS))
    # Others take half of the time: Hypothesis is imported anew in every suite.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(PLUGIN)
    pytester.mkdir("scenarios")
    return pytester


def put(suite: pytest.Pytester, name: str, text: str, folder: str = "scenarios") -> Path:
    path = suite.path / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


# -- scenarios as tests ---------------------------------------------------------


def test_each_architecture_of_a_scenario_is_a_test(suite: pytest.Pytester) -> None:
    put(suite, "clean.toml", CLEAN)
    put(suite, "guilty.toml", GUILTY)
    put(suite, "l4lab-suppressions.toml", "# no scenario\n")
    (suite.path / "elsewhere.toml").write_text(GUILTY)

    result = suite.runpytest_inprocess("-v")

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "scenarios/clean.toml::amd64 PASSED*",
            "scenarios/clean.toml::ia32 PASSED*",
            "scenarios/guilty.toml::amd64 FAILED*",
            "guilty on amd64, not as expected: findings",
            "*unexpected*F1 confirmed stale-read of mr?1? in dispatch*",
            "*guest: l4lab check *guilty.toml --arch amd64*",
            "CLOBBER   829  M19 notifier → server, 2 words",
            "recorded: l4lab show *scenarios-guilty.toml-amd64.trace",
        ]
    )


def test_a_broken_scenario_fails_and_says_why(suite: pytest.Pytester) -> None:
    put(suite, "broken.toml", CLEAN.replace("thread = ", "tread = "))
    put(suite, "no.toml", "[[task\n")

    result = suite.runpytest_inprocess()

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*broken.toml: gate?0?.t*read*", "*no.toml:1: not TOML: *"], consecutive=False
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_ini_option_says_what_is_collected(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\nl4lab_scenarios = here/*.toml **/deep/*.toml\n")
    put(suite, "not.toml", CLEAN)
    for place in ("here", "a/b/deep", "deep", "here/below"):
        folder = suite.path / place
        folder.mkdir(parents=True)
        (folder / "x.toml").write_text(CLEAN.replace('["amd64", "ia32"]', '"amd64"'))

    result = suite.runpytest_inprocess("--collect-only", "-q")

    found = [line for line in result.outlines if "::" in line]
    assert sorted(found) == [
        "a/b/deep/x.toml::amd64",
        "deep/x.toml::amd64",
        "here/x.toml::amd64",
    ]


def test_suppressions_beside_a_scenario_hold(suite: pytest.Pytester) -> None:
    put(suite, "guilty.toml", GUILTY)
    put(
        suite,
        "l4lab-suppressions.toml",
        '[[suppress]]\nrule = "stale-read"\nthread = "server"\nreason = "known"\n',
    )
    suite.runpytest_inprocess().assert_outcomes(passed=2)


# -- the fixtures ---------------------------------------------------------------

CALLS = """
import pytest
import lab as l4

def test_the_answer(lab):
    lab.boot("guests/clean.toml", arch="ia32")
    assert lab.call("doubler", 7, 21, label=0x1001).words == (42,)
    assert lab.messages[-1].receiver == "python"
    lab.sleep(5)
    assert lab.memory("client.result") == 84
    assert "client: sent 42, got 84" in lab.console
    run = lab.run()
    assert run.findings == () and lab.findings == []

def test_nothing_is_looked_at(lab):
    lab.boot("guests/guilty.toml")
    assert lab.call("doubler", 7, 7, label=0x1001).words == (14,)  # right by luck

@pytest.mark.expect_finding("stale-read", thread="server", register="mr[1]")
def test_it_is_expected(lab):
    lab.boot("guests/guilty.toml")
    lab.call("doubler", 7, 7, label=0x1001)

@pytest.mark.expect_finding("stale-read", register="mr[2]")
def test_another_one_is_expected(lab):
    lab.boot("guests/guilty.toml")

@pytest.mark.expect_finding("any")
def test_any_will_do(run_scenario):
    run_scenario("guests/guilty.toml")

@pytest.mark.expect_finding("stale-read")
def test_one_is_expected_and_there_is_none(run_scenario):
    run_scenario("guests/clean.toml")

def test_it_was_looked_at(lab):
    lab.boot("guests/guilty.toml")
    assert [finding.rule.value for finding in lab.findings] == ["stale-read"]

def test_no_answer(lab):
    lab.boot("guests/clean.toml", cycles=3000)
    with pytest.raises(l4.NoAnswer):
        lab.call("doubler")

def test_nothing_is_booted(lab):
    lab.call("doubler")

@pytest.mark.expect_finding("stale-raed")
def test_a_rule_that_is_none(lab):
    pass
"""


def test_findings_of_a_session_must_be_expected(suite: pytest.Pytester) -> None:
    put(suite, "clean.toml", CLEAN, "guests")
    put(suite, "guilty.toml", GUILTY, "guests")
    suite.makepyfile(CALLS)

    result = suite.runpytest_inprocess("-rA", "--tb=short")

    said = {
        line.split("::")[1].split(" ")[0]: line.split(" ")[0]
        for line in result.outlines
        if line.startswith(("PASSED ", "FAILED ", "ERROR ")) and "::" in line
    }
    assert said == {
        "test_the_answer": "PASSED",
        "test_nothing_is_looked_at": "FAILED",
        "test_it_is_expected": "PASSED",
        "test_another_one_is_expected": "FAILED",
        "test_any_will_do": "PASSED",
        "test_one_is_expected_and_there_is_none": "FAILED",
        "test_it_was_looked_at": "PASSED",
        "test_no_answer": "PASSED",
        "test_nothing_is_booted": "FAILED",
        "test_a_rule_that_is_none": "FAILED",
    }
    # What is wrong with a test is said where the test is, and not somewhere in the lab.
    result.stdout.no_fnmatch_line("*lab/testing/__init__.py*")
    result.stdout.fnmatch_lines_random(
        [
            "*nothing is booted: call lab.boot() first",
            '*expected one of stale-read*found "stale-raed"*',
            "findings are not those expected",
        ]
    )


def test_a_failing_session_leaves_a_trace_and_the_command_that_repeats_it(
    suite: pytest.Pytester, l4lab: CommandLine
) -> None:
    put(suite, "guilty.toml", GUILTY, "guests")
    suite.makepyfile(
        test_it="""
        def test_doubled(lab):
            lab.boot("guests/guilty.toml", cycles=1_500_000)
            assert lab.call("doubler", 7, 21, label=0x1001).words == (42,)
        """
    )
    result = suite.runpytest_inprocess("--junit-xml=junit.xml", "--l4lab-artifacts=kept")

    result.assert_outcomes(failed=1)
    output = result.stdout.str()
    (command,) = re.findall(r"- guest: l4lab (check .*?) -+$", output, re.MULTILINE)
    (hash_,) = re.findall(r"^outcome idle at cycle [0-9,]+, trace (\w+)$", output, re.MULTILINE)
    assert "server → python  reply_and_wait" in output
    again = l4lab(*shlex.split(command))
    assert hash_ in again.out
    trace = suite.path / "kept" / "test_it.py-test_doubled.trace"
    assert l4lab("replay", str(trace)).code == 0

    properties = {
        each.get("name"): each.get("value")
        for each in ElementTree.parse(suite.path / "junit.xml").iter("property")
    }
    assert properties["l4lab.trace"] == str(trace)
    assert properties["l4lab.trace_hash"] == hash_
    assert properties["l4lab.findings"] == "stale-read confirmed"
    assert properties["l4lab.repeat"] == f"l4lab {command}"


FAILING = """
def test_the_payload_arrives(run_scenario):
    run = run_scenario("faq_nested_call", arch="ia32", cycles=1_500_000)
    assert run.console.endswith("got 84 (84 expected)\\n")

def test_that_passes(run_scenario):
    assert run_scenario("faq_read_first").holds
"""


def test_a_failing_test_shows_console_messages_and_the_command_that_repeats_it(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(FAILING)

    result = suite.runpytest_inprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*guest: l4lab check *faq_nested_call.toml --arch ia32 --cycles 1500000*",
            "console:",
            "  client: sent 42, got 14 (84 expected)",
            "last messages:",
            "*notifier → server  reply_and_wait",
            "*mr?1?*0x7*0x3*0x7  overwritten",
            "outcome idle at cycle 13,705, trace *",
        ]
    )
    assert result.stdout.str().count("guest: l4lab check") == 1


# -- golden messages ------------------------------------------------------------

GOLDEN = """
def test_messages(run_scenario, golden, lab):
    golden(run_scenario("faq_read_first"))
    session = lab.boot("faq_read_first")
    lab.call("doubler", 7, NUMBER, label=0x1001)
    golden(session, name="called", threads=["python"])
"""


def test_messages_are_compared_with_a_file_that_an_option_writes(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(test_it=GOLDEN.replace("NUMBER", "5"))
    suite.runpytest_inprocess().assert_outcomes(failed=1)
    assert not (suite.path / "golden").exists()

    written = suite.runpytest_inprocess("--update-golden")
    written.assert_outcomes(passed=1)
    written.stdout.fnmatch_lines(["golden file written: *called.txt", "golden file written: *"])
    suite.runpytest_inprocess().assert_outcomes(passed=1)
    assert (suite.path / "golden" / "test_it.called.txt").read_text() == (
        "python -> server: call via doubler label 0x1001 0x7 0x5\n"
        "server -> python: reply_and_wait 0xa\n"
    )

    (suite.path / "test_it.py").write_text(GOLDEN.replace("NUMBER", "600"))
    differs = suite.runpytest_inprocess()
    differs.assert_outcomes(failed=1)
    differs.stdout.fnmatch_lines(
        [
            "*--- *test_it.called.txt",
            "*+++ this run",
            "*-python -> server: call via doubler label 0x1001 0x7 0x5",
            "*-server -> python: reply_and_wait 0xa",
            "*+python -> server: call via doubler label 0x1001 0x7 0x258",
            "*+server -> python: reply_and_wait 0x4b0",
        ]
    )
    again = suite.runpytest_inprocess("--update-golden")
    assert again.stdout.str().count("golden file written") == 1  # only what has changed


# -- two binaries ---------------------------------------------------------------

SAME = """
CLIENT = ["client"]

def test_another_cure_is_as_good(lab):
    lab.assert_same_observables("faq_read_first", "faq_saved_utcb")

def test_compiled_otherwise(lab):
    lab.assert_same_observables("faq_read_first-c-O0", "faq_read_first-c-O2")

def test_the_bug_shows(lab):
    lab.assert_same_observables("faq_read_first", "faq_nested_call")

def test_in_a_session(lab):
    sessions = []
    for image in ("amd64/faq_read_first.s", "amd64/faq_saved_utcb.s"):
        session = lab.boot("faq_nested_call", images={"server": image})
        lab.call("doubler", 7, 4, label=0x1001)
        sessions.append(session)
    lab.assert_same_observables(*sessions, threads=["server", "python"])
"""


def test_two_binaries_are_compared_by_what_others_see(suite: pytest.Pytester) -> None:
    suite.makepyfile(SAME)

    result = suite.runpytest_inprocess("--tb=line")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the runs do not do the same: client, action 6:",
            "*one*prints 'client: sent 42, got 84 (84 expected)*",
            "*other*prints 'client: sent 42, got 14 (84 expected)*",
        ]
    )


# -- many processes -------------------------------------------------------------


def test_all_of_it_works_in_several_processes(suite: pytest.Pytester) -> None:
    put(suite, "clean.toml", CLEAN)
    put(suite, "guilty.toml", GUILTY)
    suite.makepyfile(test_it=GOLDEN.replace("NUMBER", "5"), test_more=FAILING)

    result = suite.runpytest_subprocess(
        "-p", "xdist", "-n2", "--update-golden", "--junit-xml=junit.xml"
    )

    result.assert_outcomes(passed=4, failed=3)
    output = result.stdout.str()
    assert output.count("recorded: l4lab show ") == 3
    assert len(list((suite.path / "l4lab-artifacts").glob("*.trace"))) == 3
    assert output.count("golden file written") == 2
    properties = ElementTree.parse(suite.path / "junit.xml").iter("property")
    assert sum(each.get("name") == "l4lab.trace" for each in properties) == 3


def test_without_the_plugin_nothing_of_it_is_there(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PATHS))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.mkdir("scenarios").joinpath("x.toml").write_text(CLEAN)
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess("-p", "lab.testing", "--collect-only", "-q")
    assert sorted(line for line in result.outlines if "::" in line) == [
        "scenarios/x.toml::amd64",
        "scenarios/x.toml::ia32",
        "test_without_the_plugin_nothing_of_it_is_there.py::test_it",
    ]
