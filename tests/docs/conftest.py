"""Fixtures of the tests of documents."""

import pytest

from tests.lab.cli import CommandLine


@pytest.fixture
def l4lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)
