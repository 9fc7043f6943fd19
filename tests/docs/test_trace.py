"""What docs/trace.md shows is what the program prints, one command after the other."""

import re
import shlex
from pathlib import Path

import pytest

from lab.fields import FIELDS, KIND_NAMES
from lab.trace.format import KINDS
from tests.lab.cli import CommandLine

PAGE = (Path(__file__).parents[2] / "docs" / "trace.md").read_text()


def test_every_command_prints_what_is_shown(
    l4lab: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```console\n\$ l4lab (.*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)
    assert len(blocks) == 6
    for command, output in blocks:
        called = l4lab(*shlex.split(command))
        printed = called.out + called.err
        # How large the file is depends on the version of zlib.
        printed = re.sub(r"^recorded .*\n", "", printed, flags=re.MULTILINE)
        assert printed == output, command


def test_every_kind_of_event_is_named() -> None:
    words = set(re.findall(r"`([a-z]+)`", PAGE))
    assert {number for name, number in KIND_NAMES.items() if name in words} == {
        0,
        *KINDS.values(),
    }


def test_the_fields_in_the_table_exist() -> None:
    known = {name for fields in FIELDS.values() for name in fields}
    for names in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE):
        for name in re.findall(r"`([a-z]+)(?:\[\d+\])?`", names):
            assert name in known
