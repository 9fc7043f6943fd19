"""What docs/report.md shows is what the program prints, and its picture is small."""

import re
import shlex
from pathlib import Path

import pytest

from tests.lab.cli import CommandLine

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "report.md").read_text()


def test_every_command_prints_what_is_shown(
    l4lab: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```console\n\$ l4lab (.*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)
    assert len(blocks) == 3
    for command, output in blocks:
        called = l4lab(*shlex.split(command))
        # Its size changes with every change of the page.
        printed = re.sub(r"^wrote .*\n", "", called.out + called.err, flags=re.MULTILINE)
        assert printed == output, command


def test_the_picture_is_there_and_small() -> None:
    assert 0 < (DOCS / "report.png").stat().st_size < 200_000
