"""A recipe's text says the recipe, and what the files it is made of say beside their values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hyperbridge.trainers.recipe_files import read_recipe, recipe_names, sources
from hyperbridge.trainers.recipe_text import recipe_text, rewritten


def test_values_are_written_over_in_their_place_and_new_keys_end_their_section() -> None:
    text = """\
# first
lora: {r: 16, alpha: 32}   # both
training:
  epochs: 3    # of all
  # alone on its line
  seed: 0
data:
  held_out:
    - a
    - b
  repeat: 2    # times
"""
    data = {
        "lora": {"r": 4, "alpha": 32, "dropout": 0.5},
        "training": {"epochs": 1, "seed": 0, "bf16": True},
        "data": {"held_out": ["c"], "repeat": 2},
        "base": {"model": "x/y"},
    }
    assert (
        rewritten(text, data)
        == """\
# first
lora: {r: 4, alpha: 32, dropout: 0.5}   # both
training:
  epochs: 1    # of all
  # alone on its line
  seed: 0
  bf16: true
data:
  held_out:
    [c]
  repeat: 2    # times
base:
  model: x/y
"""
    )


@pytest.mark.parametrize("name", [*recipe_names(), "qwen3-8b/registers+qlora+always"])
def test_a_shipped_recipe_keeps_every_comment(name: str) -> None:
    text = recipe_text(name)
    assert yaml.safe_load(text) == read_recipe(name)
    body = sources(name)[-1].read_text(encoding="utf-8").splitlines()
    beside = [line.partition("  # ")[2] for line in body if not line.startswith("#")]
    assert [comment for comment in beside if comment not in text] == []


def test_a_job_is_told_of_its_base_and_its_variants() -> None:
    text = recipe_text("qwen3-8b/registers+qlora")
    assert "hyperbridge train qwen3-8b/registers  " in text
    assert "BASE" not in text
    assert "# +qlora: QLoRA: the base in 4 bits" in text
    assert "tokenizer extend Qwen/Qwen3-8B" in recipe_text("qwen3-8b/graft")


def test_a_file_that_extends_another_keeps_its_own_opening(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("# mine\nextends: qwen3-4b/registers\nlora: {r: 4}\n", encoding="utf-8")
    text = recipe_text(str(path))
    assert "# mine\n" in text
    assert "r: 4                  # higher: more voice" in text
    assert yaml.safe_load(text) == read_recipe(path)


def test_a_file_with_anchors_is_written_without_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: &one {x: 1}   # here\nb: *one\n", encoding="utf-8")
    second = tmp_path / "second.yaml"
    second.write_text("extends: mine.yaml\nb: {x: 2}\n", encoding="utf-8")
    assert yaml.safe_load(recipe_text(str(second))) == {"a": {"x": 1}, "b": {"x": 2}}


@pytest.mark.parametrize("text", ["a: &one {x: 1}\nb:\n  <<: *one\n  y: 2\n", "{}\n"])
def test_merged_keys_and_a_file_without_keys_are_written_out(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    second = tmp_path / "second.yaml"
    second.write_text("extends: mine.yaml\nb: {x: 3}\n", encoding="utf-8")
    assert yaml.safe_load(recipe_text(str(second))) == read_recipe(second)
