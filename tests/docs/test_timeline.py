"""What docs/timeline.md and docs/gdb.md show is what happens."""

import re
from pathlib import Path

import pytest

from tests.lab.cli import CommandLine
from tests.lab.test_gdb import Served, needs_gdb, run_gdb

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_program_runs() -> None:
    (code,) = blocks("timeline.md", "python")
    exec(code, {})


def test_the_answer_is_printed(l4lab: CommandLine) -> None:
    (block,) = blocks("timeline.md", "console")
    command, _, output = block.partition("\n")
    assert l4lab(*command.split()[2:]).out == output


@needs_gdb
@pytest.mark.parametrize("arch", ["amd64"])
def test_gdb_says_so(arch: str) -> None:
    (commands,) = blocks("gdb.md", "gdb")
    _, answer = blocks("gdb.md", "text")
    printed = iter(
        run_gdb(Served("faq_nested_call", arch), *commands.splitlines()).splitlines()
    )
    missing = [line for line in answer.splitlines() if line not in printed]
    assert missing == []
