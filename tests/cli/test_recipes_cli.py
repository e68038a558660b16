"""`hyperbridge recipes`: what is shipped, and whether it would run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hyperbridge.cli.main import app

RUNNER = CliRunner(env={"COLUMNS": "100"})


@pytest.fixture
def recipe_file(recipe_data: Any, tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    text = yaml.safe_dump(recipe_data(tmp_path / "run"), allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_list_shows_whole_hub_ids() -> None:
    assert "…" not in RUNNER.invoke(app, ["recipes", "list"], env={"COLUMNS": "60"}).output
    result = RUNNER.invoke(app, ["recipes", "list"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert "…" not in result.output
    assert "IlyaGusev/saiga_llama3_8b" in result.output
    assert "+qlora" in result.output


def test_one_recipe_is_told_part_by_part(recipe_file: str) -> None:
    result = RUNNER.invoke(app, ["recipes", "check", recipe_file])
    assert result.exit_code == 0, result.output
    for part in ("weights", "adapters", "optimizer", "activations", "logits", "scenes", "runtime", "together"):
        assert part in result.output
    assert "fits: RTX 3060 12GB" in result.output
    assert "not checked" not in result.output


def test_several_recipes_are_one_table(recipe_file: str) -> None:
    result = RUNNER.invoke(app, ["recipes", "check", recipe_file, "qwen3-0.6b/registers"])
    assert result.exit_code == 0, result.output
    assert "the smallest card" in result.output
    assert "in part" in result.output
    assert "tokenizer (chat template, invocation, EOS, padding): the Hub cannot be reached" in result.output


def test_a_card_that_is_too_small_is_exit_code_1_and_what_to_change(recipe_file: str) -> None:
    assert RUNNER.invoke(app, ["recipes", "check", recipe_file, "--gpu", "RTX 4090 24GB"]).exit_code == 0
    result = RUNNER.invoke(app, ["recipes", "check", recipe_file, "--gpu", "500MB"])
    assert result.exit_code == 1
    assert "GB do not fit 500MB; try, from the top:" in result.output
    assert "+qlora (the base in 4 bits)" in result.output


def test_memory_is_that_of_each_of_several_cards(recipe_file: str) -> None:
    result = RUNNER.invoke(app, ["recipes", "check", recipe_file, "--gpus", "2"])
    assert result.exit_code == 0, result.output
    for told in ("at the peak, on each of 2", "gathered", "2 x RTX 3060 12GB", "recipes/accelerate/fsdp2.yaml"):
        assert told in result.output
    packed = RUNNER.invoke(app, ["recipes", "check", f"{recipe_file}+qlora", "--gpus", "2"])
    assert "a 4-bit base cannot be shared out over GPUs: it is whole on each of 2" in packed.output
    assert "gathered" not in packed.output


def test_a_base_that_no_card_of_the_table_holds_is_told_with_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from hyperbridge.trainers import estimate

    monkeypatch.setattr(estimate, "GPUS", {"L40S 48GB": estimate.GPUS["L40S 48GB"]})
    name = "mistral-mixtral-8x7b/registers"
    result = RUNNER.invoke(app, ["recipes", "check", name, "--gpu", "48GB"])
    assert result.exit_code == 1
    several = "no single card of the table; the base shared out (recipes/accelerate/fsdp2.yaml): 4 x L40S 48GB"
    assert several in result.output
    assert "--gpus 4 (the base shared out over 4 such cards: recipes/accelerate/fsdp2.yaml)" in result.output
    assert "4 x L40S 48GB" in RUNNER.invoke(app, ["recipes", "check", name, "nano-ru/pretrain"]).output


def test_a_graft_and_a_base_from_nothing_are_checked_too() -> None:
    result = RUNNER.invoke(app, ["recipes", "check", "nano-ru/graft", "nano-ru/pretrain"])
    assert result.exit_code == 0, result.output
    assert "16,000 new tokens are assumed" in result.output
    assert "no estimate is made" in result.output


def test_every_recipe_is_every_kind_or_those_that_have_what_is_overridden() -> None:
    from hyperbridge.cli.recipes import _every_recipe

    every = _every_recipe([])
    assert {"nano-ru/pretrain", "qwen3-8b/graft", "qwen3-8b/registers+qlora"} <= set(every)
    assert "mistral-mixtral-8x7b/registers+qlora" not in every
    kinds = {name.partition("/")[2] for name in _every_recipe(["distillation.max_steps=3"])}
    assert kinds == {"graft"}


def test_what_is_wrong_is_exit_code_1(recipe_file: str) -> None:
    result = RUNNER.invoke(app, ["recipes", "check", recipe_file, "--set", "data.train=nowhere.jsonl"])
    assert result.exit_code == 1
    assert "✗ data: nowhere.jsonl" in result.output


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("qwen3-8b/registers+qlora", "hyperbridge train "),
        ("qwen3-8b/graft", "accelerate launch -m hyperbridge.trainers.graft --config "),
    ],
)
def test_a_copy_says_how_it_is_run(tmp_path: Path, name: str, runs: str) -> None:
    path = tmp_path / "mine.yaml"
    result = RUNNER.invoke(app, ["recipes", "copy", name, "-o", str(path)])
    assert f"change it, then: {runs}{path}" in result.output
    text = path.read_text(encoding="utf-8")
    assert "model: Qwen/Qwen3-8B" in text
    assert "  # the constituents' rows" in text or "  # higher: more voice" in text
    again = RUNNER.invoke(app, ["recipes", "copy", name, "-o", str(path)])
    assert "is there already" in str(again.exception)


def test_something_must_be_named() -> None:
    result = RUNNER.invoke(app, ["recipes", "check"])
    assert "name a recipe" in str(result.exception)
