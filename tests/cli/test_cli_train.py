"""`hyperbridge train`: trains a recipe or previews it, and says in one line why it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def recipe(recipe_data: Any, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_data(tmp_path / "run", max_steps=1), allow_unicode=True), encoding="utf-8")
    return path


def test_a_recipe_is_trained_once(call, recipe: Path, tmp_path: Path) -> None:
    said = call("train", recipe, "--set", "training.max_steps=2")
    assert said.code == 0
    assert said.out.splitlines()[-1] == f"trained: {tmp_path / 'run'}"
    assert (tmp_path / "run/registers/poet/adapter_model.safetensors").is_file()
    error = call("train", recipe).error
    assert error == f"error: {tmp_path / 'run'}: this run is finished; choose another output_dir or remove it"


def test_a_preview_trains_nothing(call, recipe: Path, tmp_path: Path) -> None:
    said = call("train", recipe, "--preview", "--rows", 1)
    assert said.code == 0
    assert "Он шагнул в молчание,⏎\nи оно загорелось.<|im_end|>" in said.out
    assert [line.split(":")[0] for line in said.out.splitlines() if " rows, " in line] == [
        "body (телесный)",
        "poet (поэтический)",
    ]
    assert not (tmp_path / "run").exists()


def test_an_unknown_key_is_one_line(call, recipe: Path) -> None:
    error = call("train", recipe, "--set", "training.epohs=3").error
    assert error.startswith(f"error: {recipe}: unknown key 'training.epohs'; did you mean 'epochs'? (known: batch_size")


def test_a_missing_recipe_is_one_line(call, tmp_path: Path) -> None:
    path = tmp_path / "нет.yaml"
    assert call("train", path).error.startswith(f"error: {path}: no such recipe file")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"scene":"жар","text_human":"Да.","style":"поэтический"}\n{"scene":"тень",\n'.encode(), 2),
        ('{"scene":"жар","text_human":"Да.","style":"поэтический"}\n'.encode("cp1251"), 1),
        (b'{"scene":"x","style":"y"}\n', 1),
    ],
)
def test_a_bad_line_of_the_data_is_named(call, recipe: Path, tmp_path: Path, content: bytes, line: int) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    assert call("train", recipe, "--set", f"data.train={path}").error.startswith(f"error: {path}:{line}: ")
    assert not (tmp_path / "run").exists()


def test_a_missing_base_is_one_line(call, recipe: Path) -> None:
    error = call("train", recipe, "--set", "base.model=./нет").error
    assert error == "error: ./нет: no such base; a base is a folder with config.json or a Hub id"


def test_there_is_nothing_to_resume(call, recipe: Path, tmp_path: Path) -> None:
    assert call("train", recipe, "--resume").error == (
        f"error: {tmp_path / 'run'}: nothing to resume; start without --resume"
    )
