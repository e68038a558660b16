"""The doctor says what is wrong and how to mend it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hub_double import READER, HubDouble
from huggingface_hub import constants
from typer.testing import CliRunner

from hyperbridge import environment
from hyperbridge.cli.main import app
from hyperbridge.environment import Finding, examine


def find(what: str) -> Finding:
    return next(one for one in examine() if one.what == what)


def test_a_package_that_is_too_old_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1" if name == "peft" else real(name))
    found = find("peft")
    assert found.state == "wrong"
    assert found.found.startswith("0.0.1 installed, >=")
    assert found.mend is not None
    assert found.mend.startswith("pip install 'peft>=")


def test_an_extra_that_is_missing_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "slovnet":
            raise metadata.PackageNotFoundError
        return real(name)

    real = metadata.version
    monkeypatch.setattr(metadata, "version", version)
    assert find("extra russian") == Finding(
        "note", "extra russian", "not installed: slovnet", "pip install 'hyperbridge[russian]'"
    )


def test_a_driver_that_torch_does_not_see_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert find("GPU").state == "wrong"


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: SimpleNamespace(free=3e9))
    assert find("disk here").found == f"3 GB free at {tmp_path}: a 7B base takes 15"


@pytest.mark.parametrize(
    ("token", "state", "told"),
    [
        ("hf_owner", "ok", "as owner, token: write"),
        (READER, "note", "as reader, token: read"),
        ("hf_fine_writer", "ok", "as writer, token: fineGrained, may write to writer"),
        ("hf_fine_looker", "note", "as looker, token: fineGrained"),
    ],
)
def test_what_a_token_may_do(
    hub: HubDouble, monkeypatch: pytest.MonkeyPatch, token: str, state: str, told: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    found = find("Hub")
    assert found.state == state
    assert found.found == f"{constants.ENDPOINT} {told}"


def test_without_a_token_the_hub_is_asked_whether_it_answers(
    hub: HubDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    said = f"{constants.ENDPOINT}, no token: public repositories can be read, nothing can be pushed"
    assert find("Hub") == Finding("note", "Hub", said, "hf auth login")
    hub.fail("GET", "/api/models", status=400)
    assert "the Hub answered 400" in find("Hub").found


def test_a_wrong_token_is_wrong(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert find("Hub token").mend == "hf auth login"


def test_the_command_ends_with_1_where_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def examined(*findings: Finding) -> Any:
        monkeypatch.setattr(environment, "examine", lambda: iter(findings))
        return CliRunner().invoke(app, ["doctor"])

    well = examined(Finding("ok", "Python", "3.11"))
    ill = examined(Finding("wrong", "torch", "is not there", "pip install torch"))
    assert (well.exit_code, ill.exit_code) == (0, 1)
    assert "✗ torch: is not there\n    pip install torch\n" in ill.stdout
