"""Registers are checked before they are trained: what is wrong is said in a line, what was not looked at as well."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hyperbridge.hub import publish
from hyperbridge.trainers.preparation import Row
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.recipe_check import check_recipe
from hyperbridge.trainers.register_check import load_of_rows
from hyperbridge.trainers.register_estimate import Batch


@pytest.fixture
def recipe_file(recipe_data: Any, tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    text = yaml.safe_dump(recipe_data(tmp_path / "run"), allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_on_a_folder_is_checked_to_the_end(recipe_file: Path) -> None:
    checked = check_recipe(str(recipe_file))
    assert (checked.wrong, checked.unchecked) == ([], [])
    assert "poet 6, body 6 pairs" in checked.notes
    assert any("<|im_start|>assistant" in note for note in checked.notes)
    assert checked.estimate is not None
    assert checked.estimate.memory.weights == 4 * checked.estimate.weights.parameters


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("lora.target_modules=[w_proj]", "lora.target_modules: .*w_proj"),
        ("data.train=nowhere.jsonl", "data: nowhere.jsonl"),
        ("registers.poet.style=поэтичный", "no expression with style 'поэтичный'; did you mean 'поэтический'"),
        ("training.max_length=5", "poet: no row is left to train on"),
    ],
)
def test_what_would_stop_the_run_is_said_before(recipe_file: Path, override: str, why: str) -> None:
    wrong = check_recipe(str(recipe_file), [override]).wrong
    assert re.search(why, wrong[0])


def test_the_largest_pass_is_that_of_the_plan() -> None:
    data: dict[str, Any] = {"output_dir": "x", "base": {"model": "x"}, "data": {"train": "x"}}
    data["registers"] = {"poet": {"style": "а"}, "body": {"style": "б"}}
    data["training"] = {"batch_size": 1, "gradient_accumulation_steps": 2, "epochs": 1}
    rows = [
        Row(name, (1,) * scene, (2,) * own, own - 1) for scene, own in ((3, 5), (7, 9)) for name in ("poet", "body")
    ]
    load = load_of_rows(rows, RegisterRecipe.model_validate(data))
    assert load.batch == Batch(rows=2, tokens=9, scenes=1, scene_tokens=7)
    assert (load.rows, load.own, load.scene_tokens) == (4, 7.0, 10)


def test_more_processes_take_more_of_the_rows_at_once_and_each_of_them_as_many() -> None:
    data: dict[str, Any] = {"output_dir": "x", "base": {"model": "x"}, "data": {"train": "x"}}
    data |= {"registers": {"poet": {"style": "а"}}, "training": {"batch_size": 2, "epochs": 1}}
    recipe = RegisterRecipe.model_validate(data)
    rows = [Row("poet", (scene,), (2,) * 5, 4) for scene in range(8)]
    assert load_of_rows(rows, recipe, gpus=4).batch == load_of_rows(rows, recipe).batch


def test_without_the_hub_the_shipped_facts_are_taken_and_it_says_so() -> None:
    checked = check_recipe("qwen3-0.6b/registers")
    assert checked.wrong == []
    assert [line.partition(" of ")[0] for line in checked.unchecked] == ["config", "tokenizer"]
    assert checked.memory is not None


def test_a_base_that_nothing_is_known_of_cannot_be_checked_without_the_hub() -> None:
    checked = check_recipe("qwen3-0.6b/registers", ["base.model=somebody/else"])
    assert checked.memory is None
    assert checked.wrong == ["somebody/else: the Hub cannot be reached, and no facts of this base are shipped"]


def test_where_the_hub_says_otherwise_than_the_shipped_facts_it_is_told(
    hub: Any, tiny_base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "qwen"
    folder.mkdir()
    for path in tiny_base.iterdir():
        if path.suffix in (".json", ".jinja"):
            (folder / path.name).write_bytes(path.read_bytes())
    publish(folder, "Qwen/Qwen3-0.6B", message="a base")
    checked = check_recipe("qwen3-0.6b/registers")
    assert any("its config says hidden_size=32, recipes/*/base.yaml says 1024" in line for line in checked.wrong)
    assert any(note.startswith("config of Qwen/Qwen3-0.6B at ") for note in checked.notes)
    assert checked.unchecked == []


def test_a_base_that_names_code_is_refused(recipe_file: Path, tiny_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "coded"
    folder.mkdir()
    for path in tiny_base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))
    wrong = check_recipe(str(recipe_file), [f"base.model={folder}"]).wrong
    assert "auto_map" in wrong[0]
