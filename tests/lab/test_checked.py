"""Checked runs, end to end: the right finding, function and line, and the run is the same."""

import pytest

from guest.scenario import load_scenario, shipped_scenarios
from lab.checker.finding import Attribution, Effect, Finding, Rule, Verdict
from lab.replay.examine import Confirm
from lab.run import run_scenario
from lab.views.result import as_json, render_outcome

ARCHES = ("amd64", "ia32")
QUICK = [
    name for name in shipped_scenarios() if not name.startswith(("bench_", "pingpong_forever_"))
]
CLASSIC = [
    ("faq_nested_call", "dispatch"),
    ("faq_nested_call-c-O0", "dispatch"),
    ("faq_nested_call-c-O2", "dispatch"),
    ("faq_nested_call-cxx-O0", "Doubler::dispatch"),
    ("faq_nested_call-cxx-O2", "Doubler::dispatch"),
]


def found(name: str, arch: str, confirm: Confirm = Confirm.SOME) -> list[Finding]:
    run = run_scenario(name, arch=arch, confirm=confirm)
    return [each for each in run.findings if each.verdict is not Verdict.NOTE]


def source_line(name: str, arch: str, finding: Finding) -> str:
    run = run_scenario(name, arch=arch, check=False)
    text = next(
        image.source[finding.file]
        for image in run.names.images.values()
        if finding.file in image.source
    )
    return text.splitlines()[finding.line - 1]


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(("name", "function"), CLASSIC)
def test_the_classic_is_found_where_it_is(name: str, function: str, arch: str) -> None:
    (finding,) = found(name, arch)

    assert (
        finding.id,
        finding.rule,
        finding.verdict,
        finding.attribution,
        finding.effect,
        finding.thread,
        finding.register,
        finding.function,
        finding.expected,
        finding.actual,
        finding.count,
    ) == (
        "F1",
        Rule.STALE_READ,
        Verdict.CONFIRMED,
        Attribution.CERTAIN,
        Effect.OBSERVABLE,
        "server",
        "mr[1]",
        function,
        42,
        7,
        1,
    )
    assert "GUILTY" in source_line(name, arch, finding)


@pytest.mark.parametrize("arch", ARCHES)
def test_the_classic_says_what_would_have_been_sent(arch: str) -> None:
    (finding,) = found("faq_nested_call", arch)

    first = finding.consequences[0]
    assert (first.what, first.actual, first.expected) == (
        "message to client, mr[0]",
        "0xe",
        "0x54",
    )
    assert finding.message is not None
    assert finding.message.words == (7, 42)
    assert finding.clobber is not None
    assert finding.clobber.call is not None
    assert [frame.function for frame in finding.clobber.call.stack] == [
        "notify_my_other_server",
        "dispatch",
        "_start",
    ]
    assert [store.instruction for store in finding.clobber.stores] == [
        f"mov {'qword' if arch == 'amd64' else 'dword'} ptr "
        f"[{'rbx + 8' if arch == 'amd64' else 'ebx + 4'}], 3"
    ]


@pytest.mark.parametrize("arch", ARCHES)
def test_without_confirmation_a_wrong_value_is_probable(arch: str) -> None:
    (finding,) = found("faq_nested_call", arch, Confirm.NONE)

    assert (finding.verdict, finding.effect) == (Verdict.PROBABLE, Effect.UNKNOWN)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_value_that_is_right_by_luck_is_latent(arch: str) -> None:
    (finding,) = found("latent", arch)

    assert (finding.rule, finding.verdict) == (Rule.STALE_READ, Verdict.LATENT)
    assert finding.expected == finding.actual == 42


@pytest.mark.parametrize("arch", ARCHES)
def test_a_print_over_a_reply_is_told_where_it_is(arch: str) -> None:
    (finding,) = found("log_in_reply", arch)

    assert (finding.rule, finding.verdict) == (Rule.SETUP_CLOBBERED, Verdict.CONFIRMED)
    assert (finding.function, finding.expected, finding.actual) == ("dispatch", 84, 16)
    assert "GUILTY" in source_line("log_in_reply", arch, finding)


@pytest.mark.parametrize("name", QUICK)
def test_a_checked_run_is_the_run(name: str) -> None:
    for arch in load_scenario(name).arches:
        plain = run_scenario(name, arch=arch.name, check=False)
        checked = run_scenario(name, arch=arch.name, confirm=Confirm.NONE)

        assert (checked.trace_hash, checked.cycles, checked.instructions) == (
            plain.trace_hash,
            plain.cycles,
            plain.instructions,
        )


def test_a_checked_run_finds_the_same_twice() -> None:
    first = run_scenario("faq_nested_call")
    second = run_scenario("faq_nested_call")

    assert first.findings == second.findings


def test_what_finds_no_room_is_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.checker.candidate.MOST", 0)

    run = run_scenario("faq_nested_call")

    assert (run.findings, run.dropped > 0) == ((), True)
    assert as_json(run)["dropped"] == run.dropped
    lines = [line.plain for line in render_outcome(run, quiet=False, width=80)]
    assert f"  !  {run.dropped} more were noticed and not looked at" in lines
