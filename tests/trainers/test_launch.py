"""The training modules run under `accelerate launch`, and a mistake is one line and exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hyperbridge import HyperBridgeError
from hyperbridge.program import run_main
from hyperbridge.trainers import pretrain, sft

CPU = Path(__file__).parents[2] / "recipes/accelerate/cpu.yaml"
LAUNCH = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--quiet", "--config_file", str(CPU)]


@pytest.fixture
def recipe(recipe_data: Any, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_data(tmp_path / "run", max_steps=1), allow_unicode=True), encoding="utf-8")
    return path


def launch(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*LAUNCH, "-m", "hyperbridge.trainers.sft", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def test_accelerate_launch_trains_the_registers(recipe: Path, tmp_path: Path) -> None:
    done = launch("--config", recipe, "--set", "training.learning_rate=1e-3")
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["body", "poet", "body", "poet"]
    assert sorted(path.name for path in (tmp_path / "run/registers").iterdir()) == ["body", "poet"]
    assert (tmp_path / "run/config.json").is_file()


def test_under_the_launcher_a_mistake_is_one_line(recipe: Path, tmp_path: Path) -> None:
    """The launcher, not the module, gives the exit code: 1 for any failure."""
    done = launch("--config", recipe, "--set", "training.epohs=3")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {recipe}: unknown key 'training.epohs'; did you mean 'epochs'?")


@pytest.mark.parametrize("module", [sft, pretrain])
def test_a_module_exits_with_2_on_a_mistake(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.yaml").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["module", "--config", str(tmp_path / "recipe.yaml"), "--set", "output=x"])
    with pytest.raises(SystemExit) as stop:
        run_main(module.main)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}/recipe.yaml: unknown key 'output'; did you mean 'output_dir'?")


def test_a_module_resumes_only_when_told(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="run: nothing to resume"):
        sft.main(["--config", str(recipe), "--resume"])
    assert not (tmp_path / "run").exists()


def test_a_bug_is_not_dressed_up_as_a_mistake() -> None:
    with pytest.raises(ZeroDivisionError):
        run_main(lambda: print(1 / 0))
