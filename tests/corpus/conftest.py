"""Fixtures of the corpus' tests."""

import pytest

from tests.lab.cli import CommandLine


@pytest.fixture
def l4lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)
