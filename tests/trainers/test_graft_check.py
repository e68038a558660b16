"""A graft is checked before it is trained: the extension against the base, its snippets where the texts are there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from hyperbridge.tokenizer.base_tokenizer import open_base
from hyperbridge.tokenizer.extending import extend
from hyperbridge.tokenizer.extension import Extension, Unit
from hyperbridge.trainers.checked import Checked
from hyperbridge.trainers.estimate import find_gpu
from hyperbridge.trainers.graft_check import MERGES
from hyperbridge.trainers.recipe_check import advice, check_recipe
from hyperbridge.trainers.recipe_files import sources

TEXT = "Паром шёл на другой берег, и густой туман стоял над самой водой. Паромщик молчал и смотрел на густой туман. "


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    folder = tmp_path_factory.mktemp("extensions") / "ru"
    extend(
        open_base(str(tiny_base)), folder, units=[Unit(text="паромтуман", kind="hyperlexeme")], texts=[TEXT], merges=9
    )
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts") / "prose"
    folder.mkdir()
    (folder / "Река.txt").write_text(TEXT * 8, encoding="utf-8")
    return folder


@pytest.fixture
def recipe(tmp_path: Path, tiny_base: Path, extension: Path, texts: Path) -> str:
    data: dict[str, Any] = {
        "output_dir": str(tmp_path / "out"),
        "base": {"model": str(tiny_base)},
        "extension": str(extension),
        "texts": {"inputs": [str(texts)]},
        "distillation": {"snippet_tokens": 16, "batch_size": 2, "snippets_per_token": 4},
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return str(path)


def check(recipe: str, *overrides: str) -> Checked:
    return check_recipe(recipe, list(overrides), device="cpu")


def test_a_graft_with_all_it_needs_is_checked_to_the_end(recipe: str, extension: Path) -> None:
    checked = check(recipe)
    assert (checked.wrong, checked.unchecked) == ([], [])
    count = len(Extension.load(extension).tokens)
    assert f"{count} new tokens; matrices of 900 rows become 960" in checked.notes
    assert "embeddings and logits are plain products; of each new token one row reads and predicts" in checked.notes
    assert any("snippets" in note for note in checked.notes)
    assert checked.estimate is not None
    assert checked.estimate.memory.rows == count * 32 * 4
    batch = checked.estimate.batch
    assert batch.snippets == 2
    assert 16 < batch.tokens <= 16 + 4  # units are set into snippets
    assert batch.base_tokens > batch.tokens


def test_steps_that_are_asked_for_are_the_time(recipe: str) -> None:
    once, twice = (check(recipe, f"distillation.max_steps={steps}").estimate for steps in (1, 2))
    assert once is not None
    assert twice is not None
    assert twice.operations == 2 * once.operations
    untrained = check(recipe, "distillation.max_steps=0")
    assert untrained.estimate is None
    assert "nothing is estimated" in untrained.notes[-1]


def test_without_an_extension_and_texts_both_are_guessed_and_it_is_said(recipe: str) -> None:
    checked = check(recipe, "extension=nowhere", "texts.inputs=[]")
    assert checked.wrong == []
    assert [line.partition(":")[0] for line in checked.unchecked] == ["extension nowhere", "texts"]
    assert checked.estimate is not None
    assert checked.estimate.memory.rows == MERGES * 32 * 4


def test_the_guess_is_what_the_shipped_command_learns() -> None:
    (job,) = sources("smollm2/graft")
    assert f"--merges {MERGES}" in job.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("texts.inputs=[nowhere]", "texts: nowhere"),
        ("base.model=./nowhere", "./nowhere: no such folder"),
    ],
)
def test_what_would_stop_the_run_is_said_before(recipe: str, override: str, why: str) -> None:
    (wrong,) = check(recipe, override).wrong
    assert wrong.startswith(why)


def test_an_extension_of_another_tokenizer_is_wrong(recipe: str, tiny_base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_base, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["merges"].pop()
    (other / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (wrong,) = check(recipe, f"base.model={other}").wrong
    assert "is not the one that was extended" in wrong


def test_a_base_with_fewer_rows_than_ids_is_wrong(recipe: str, tiny_base: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    shutil.copytree(tiny_base, few)
    config = json.loads((few / "config.json").read_text(encoding="utf-8"))
    (few / "config.json").write_text(json.dumps(config | {"vocab_size": 880}), encoding="utf-8")
    (wrong,) = check(recipe, f"base.model={few}").wrong
    assert "880 rows, and the tokenizer that was extended has 900 ids" in wrong


def test_an_architecture_that_scales_its_logits_is_wrong(recipe: str, tiny_base: Path, tmp_path: Path) -> None:
    scaled = tmp_path / "scaled"
    shutil.copytree(tiny_base, scaled)
    config = {"model_type": "granite", "vocab_size": 900, "hidden_size": 32, "num_attention_heads": 2}
    config |= {"num_key_value_heads": 1, "logits_scaling": 8.0, "embedding_multiplier": 12.0, "num_hidden_layers": 2}
    (scaled / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (wrong,) = check(recipe, f"base.model={scaled}").wrong
    assert "scales its embeddings or logits" in wrong


def test_a_graft_is_made_smaller_by_its_passes(recipe: str) -> None:
    (first,) = advice(check(recipe, "distillation.batch_size=8"), find_gpu("1GB"))
    assert "distillation.batch_size=2 --set distillation.gradient_accumulation_steps=4" in first
