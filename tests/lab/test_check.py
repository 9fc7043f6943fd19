"""The commands around findings: check, explain, and the options of run that judge them."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import run as running
from lab.checker.finding import Finding, Verdict
from lab.result import Run, judge
from tests.lab.cli import CommandLine
from tests.lab.findings import BARE, FAQ
from tests.lab.test_sarif import VALIDATOR

SLEEPER = """
.include "abi.inc"
.include "l4.inc"
.text
_start:
    sleep_forever
"""
SCENARIO = (
    'title = "A test"\narch = "amd64"\n[[task]]\nname = "one"\nimage = "one.s"\n[expect]\n'
)
LISTED = 'findings = [{ rule = "stale-read", register = "mr[1]" }]\n'
LATENT = replace(FAQ, verdict=Verdict.LATENT)
SUPPRESS = '[[suppress]]\nrule = "stale-read"\nreason = "known since May"\n'

Checked = Callable[..., None]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Checked:
    """Make every run one that the checker watched, with these findings."""
    real = running.run_scenario

    def make(*findings: Finding) -> None:
        def run(scenario: Any, **options: Any) -> Run:
            return judge(replace(real(scenario, **options), checked=True, findings=findings))

        monkeypatch.setattr(running, "run_scenario", run)

    return make


def write(folder: Path, expect: str = "", program: str = SLEEPER) -> str:
    (folder / "one.s").write_text(program)
    (folder / "test.toml").write_text(SCENARIO + expect)
    return str(folder / "test.toml")


FAULT = "_start: mov [0], eax\n"


@pytest.mark.parametrize(
    ("expect", "findings", "options", "program", "code"),
    [
        ("", (), (), SLEEPER, 0),
        ("", (FAQ,), (), SLEEPER, 1),
        (LISTED, (FAQ,), (), SLEEPER, 0),
        (LISTED, (), (), SLEEPER, 1),
        (LISTED, (FAQ, FAQ), (), SLEEPER, 1),
        ('findings = "any"\n', (FAQ,), (), SLEEPER, 0),
        ('findings = "any"\n', (FAQ,), ("--no-expect",), SLEEPER, 1),
        (LISTED, (FAQ,), ("--no-expect",), SLEEPER, 1),
        (LISTED, (), ("--no-expect",), SLEEPER, 0),
        ("", (LATENT,), (), SLEEPER, 0),
        ("", (LATENT,), ("--strict",), SLEEPER, 1),
        (LISTED, (LATENT,), (), SLEEPER, 1),
        ('findings = [{ verdict = "latent" }]\n', (LATENT,), ("--strict",), SLEEPER, 0),
        ("", (BARE,), ("--strict",), SLEEPER, 0),
        ('console = "x"\n', (), ("--no-expect",), SLEEPER, 0),
        # A failed guest before a wrong finding, wrong use before both.
        ("", (FAQ,), (), FAULT, 2),
        ('outcome = "fault"\n', (FAQ,), (), FAULT, 1),
        ('outcome = "fault"\n', (), ("--no-expect",), FAULT, 2),
        ("", (FAQ,), ("--suppressions", "/nowhere.toml"), FAULT, 3),
        ("", (FAQ,), ("--sarif", "/nowhere/x.sarif"), FAULT, 3),
        ("", (FAQ,), ("--today", "yesterday"), FAULT, 3),
        ('findings = [{ rul = "x" }]\n', (FAQ,), (), FAULT, 3),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_exit_codes(
    l4lab: CommandLine,
    found: Checked,
    tmp_path: Path,
    command: str,
    expect: str,
    findings: tuple[Finding, ...],
    options: tuple[str, ...],
    program: str,
    code: int,
) -> None:
    found(*findings)
    path = write(tmp_path, expect, program)

    called = l4lab(command, path, *options)
    as_json = l4lab(command, path, *options, "--json")

    assert (called.code, as_json.code) == (code, code)
    value = json.loads(as_json.out)
    if code == 3:
        assert (called.out, called.err.count("\n"), "error" in value) == ("", 1, True)
    else:
        assert [f["id"] for f in value["findings"]] == [f.id for f in findings]
        assert called.err == ""


def test_check_prints_the_report_and_what_was_expected(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found(FAQ, BARE)
    path = write(tmp_path)

    called = l4lab("check", path, "--arch", "amd64")

    lines = called.out.splitlines()
    assert lines[:4] == [
        "A test",
        "test on amd64",
        "",
        "F1 confirmed stale-read of mr[1] in MyServer::dispatch (server.cc:31)",
    ]
    assert f"REPLAY    l4lab debug {path} --arch amd64 --at 412907" in lines
    assert f"WHY       l4lab explain {path} F1 --arch amd64" in lines
    # The note has no report, but a line in the table.
    assert not [line for line in lines if line.startswith("F2 note")]
    assert [line.split()[:3] for line in lines if line.startswith("F2")] == [
        ["F2", "note", "hidden-ipc"]
    ]
    first = lines.index("  ✗  findings")
    assert lines[first + 1].startswith("     unexpected  F1 confirmed stale-read of mr[1] in ")
    assert lines[len(lines) - 2] == "2 findings (1 confirmed, 0 probable, 0 latent, 1 note)"
    assert lines[len(lines) - 1].startswith("FAILED  idle; ")


def test_a_quiet_check_that_holds_is_one_line(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found()
    assert l4lab("check", write(tmp_path), "--quiet").out.count("\n") == 1


def test_run_has_a_line_for_each_finding(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found(FAQ)
    lines = l4lab("run", write(tmp_path, LISTED)).out.splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("F1")] == [
        ["F1", "confirmed", "stale-read"]
    ]
    assert "  ✓  findings 1 expected finding" in lines
    assert lines[len(lines) - 1].startswith("ok  idle; ")


def test_a_run_that_nobody_watched_is_not_called_clean(
    l4lab: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = running.run_scenario
    monkeypatch.setattr(
        running,
        "run_scenario",
        lambda *given, **options: replace(
            real(*given, **options), checked=False, findings=(), comparison=None
        ),
    )
    called = l4lab("check", write(tmp_path))
    assert "nobody looked for findings: the checker did not watch this run\n" in called.out
    assert "✓  findings" not in called.out


def test_suppressions_beside_the_scenario_are_used(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found(FAQ, replace(FAQ, id="F2", register="mr[2]"))
    path = write(tmp_path)
    (tmp_path / "l4lab-suppressions.toml").write_text(SUPPRESS + "word = 1\n")

    called = l4lab("check", path)
    value = json.loads(l4lab("run", path, "--json").out)

    assert called.code == 1
    assert "F1 confirmed stale-read" not in called.out  # no report
    assert "F2 confirmed stale-read" in called.out
    assert "F1  suppressed  stale-read  mr[1]" in called.out
    assert "1 finding (1 confirmed, 0 probable, 0 latent, 0 note), 1 suppressed" in called.out
    assert [f["suppressed"] for f in value["findings"]] == ["known since May", None]
    assert value["comparison"] == {"missing": [], "unexpected": ["F2"]}


def test_a_file_of_suppressions_replaces_the_one_beside(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found(FAQ)
    path = write(tmp_path)
    (tmp_path / "l4lab-suppressions.toml").write_text("[[suppress")
    (tmp_path / "mine.toml").write_text(SUPPRESS)

    assert l4lab("run", path).code == 3
    assert l4lab("run", path, "--suppressions", str(tmp_path / "mine.toml")).code == 0


def test_an_expired_suppression_does_not_suppress_and_is_named(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found(FAQ)
    path = write(tmp_path)
    (tmp_path / "l4lab-suppressions.toml").write_text(
        SUPPRESS + 'expires = 2027-01-31\n[[suppress]]\nthread = "x"\nreason = "[red]"\n'
    )

    before = l4lab("run", path, "--today", "2027-01-31")
    after = l4lab("run", path, "--today", "2027-02-01")
    value = json.loads(l4lab("run", path, "--today", "2027-02-01", "--json").out)

    assert (before.code, after.code) == (0, 1)
    unused = "  !  suppress[1] (x: [red]) fits no finding\n"
    expired = "  !  suppress[0] (stale-read: known since May) expired on 2027-01-31\n"
    assert unused in before.out
    assert expired not in before.out
    assert unused in after.out
    assert expired in after.out
    assert value["suppressions"] == {
        "unused": [
            {
                "key": "suppress[1]",
                "rule": None,
                "thread": "x",
                "function": None,
                "register": None,
                "reason": "[red]",
                "expires": None,
            }
        ],
        "expired": [
            {
                "key": "suppress[0]",
                "rule": "stale-read",
                "thread": None,
                "function": None,
                "register": None,
                "reason": "known since May",
                "expires": "2027-01-31",
            }
        ],
    }


def test_sarif_is_written_for_every_exit_code(
    l4lab: CommandLine, found: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found(replace(FAQ, file=str(tmp_path / "src/one.s")), replace(BARE, suppressed=""))
    path = write(tmp_path)
    (tmp_path / "out.sarif").write_text("old")

    called = l4lab("check", path, "--sarif", "out.sarif")

    log = json.loads((tmp_path / "out.sarif").read_text())
    VALIDATOR.validate(log)
    (run,) = log["runs"]
    assert called.code == 1
    assert run["invocations"][0]["exitCode"] == 1
    assert [r["level"] for r in run["results"]] == ["error", "none"]
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "src/one.s", "uriBaseId": "SRCROOT"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.s", "out.sarif", "test.toml"]


def test_sarif_goes_to_a_device_as_it_is(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        called = l4lab("check", write(tmp_path), "--sarif", str(tmp_path / "pipe"))
        assert called.code == 0
        assert json.loads(os.read(reader, 1 << 20))["version"] == "2.1.0"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_sarif_that_cannot_be_written_is_one_message(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found()
    called = l4lab("check", write(tmp_path), "--sarif", str(tmp_path))
    assert (called.code, called.out) == (3, "")
    assert called.err == f"l4lab: {tmp_path}: cannot write this file: is a directory\n"


@pytest.mark.parametrize("name", ["F1", "f1"])
def test_explain_tells_the_story(
    l4lab: CommandLine, found: Checked, tmp_path: Path, name: str
) -> None:
    found(FAQ, BARE)
    path = write(tmp_path)

    called = l4lab("explain", path, name, "--arch", "amd64")
    value = json.loads(l4lab("explain", path, name, "--json").out)

    assert (called.code, called.err) == (0, "")
    lines = called.out.splitlines()
    assert lines[0].startswith("F1 confirmed stale-read of mr[1] ")
    positions = [line[:7] for line in lines if line[:3].isdigit()]
    assert positions == sorted(positions)
    assert len(positions) == 8
    assert value["finding"]["id"] == "F1"
    assert value["story"][0]["kind"] == "message"


def test_explain_tells_of_a_note_too(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found(FAQ, BARE)
    called = l4lab("explain", write(tmp_path), "F2")
    assert called.code == 0
    assert "412,024  A system call was made while mr[0] was unread." in called.out


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ((FAQ, BARE), "no finding F3: this run has F1, F2"),
        ((), "no finding F3: this run has none"),
    ],
)
def test_explaining_what_is_not_there_is_one_message(
    l4lab: CommandLine,
    found: Checked,
    tmp_path: Path,
    findings: tuple[Finding, ...],
    message: str,
) -> None:
    found(*findings)
    called = l4lab("explain", write(tmp_path), "F3")
    assert (called.code, called.out, called.err) == (3, "", f"l4lab: {message}\n")


def test_json_of_check_is_that_of_run(
    l4lab: CommandLine, found: Checked, tmp_path: Path
) -> None:
    found(FAQ)
    path = write(tmp_path)
    assert l4lab("check", path, "--json") == l4lab("run", path, "--json")
