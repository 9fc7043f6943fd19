"""The command `debug`, where there is no terminal, and marks that are findings."""

from pathlib import Path

import pytest

from tests.lab.cli import CommandLine
from tests.lab.conftest import l4lab

__all__ = ["l4lab"]


def test_without_a_terminal_it_says_what_to_use(l4lab: CommandLine) -> None:
    done = l4lab("debug", "faq_nested_call")

    assert done.code == 3
    assert done.err == ("l4lab: debug needs a terminal: `l4lab check` prints the findings\n")


@pytest.mark.parametrize("option", ["--arch", "--cycles", "--trace"])
def test_a_recorded_trace_is_opened_as_it_is(
    l4lab: CommandLine, nested: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    done = l4lab("debug", str(nested), option, "5")

    assert done.code == 3
    assert (
        "a recorded trace has its --arch, --cycles, --cpu, --model, --calls and --trace"
        in done.err
    )


def test_why_takes_a_finding_as_a_mark(l4lab: CommandLine) -> None:
    at = l4lab("why", "faq_nested_call", "server", "mr[1]", "--at", "F1")

    assert at.code == 0
    assert at.out == l4lab("why", "faq_nested_call", "server", "mr[1]", "--at", "830").out
    none = l4lab("why", "faq_nested_call", "server", "mr[1]", "--at", "F7")
    assert (none.code, none.err) == (3, "l4lab: no finding 'F7': this run has F1\n")
