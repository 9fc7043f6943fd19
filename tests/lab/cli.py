"""Calling the command line in this process."""

from dataclasses import dataclass

import pytest

from lab import cli


@dataclass(frozen=True, slots=True)
class Called:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The `l4lab` command: call it with its arguments."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Called:
        self.monkeypatch.setattr("sys.argv", ["l4lab", *arguments])
        self.capsys.readouterr()
        try:
            cli.main()
            code: object = 0
        except SystemExit as leave:
            code = leave.code
        assert isinstance(code, int), code
        out, err = self.capsys.readouterr()
        return Called(code, out, err)
