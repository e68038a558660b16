"""Calling the command as its console script does, in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hyperbridge.cli.main import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """What a user's mistake prints: one line, nothing else, and exit code 2."""
        assert self.code == 2
        assert self.out == ""
        (line,) = [line for line in self.err.splitlines() if "Loading weights" not in line]
        return line


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """`call("scenes", "validate", path)`: exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["hyperbridge", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return Said(int(stop.value.code or 0), captured.out, captured.err)

    return run
