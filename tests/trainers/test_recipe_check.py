"""Every kind of recipe is checked as what it is; what to change, and how many cards, is told where one is too small."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.estimate import find_gpu
from hyperbridge.trainers.graft_recipe import GraftRecipe
from hyperbridge.trainers.recipe import PretrainRecipe, RegisterRecipe
from hyperbridge.trainers.recipe_check import advice, check_recipe, recipe_model, several


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("qwen3-8b/registers+qlora", RegisterRecipe),
        ("saiga/interpreter", RegisterRecipe),
        ("smollm2/graft", GraftRecipe),
        ("nano-ru/pretrain", PretrainRecipe),
    ],
)
def test_a_recipe_is_known_by_its_keys(name: str, model: type) -> None:
    assert recipe_model(name) is model


def test_a_file_that_extends_a_graft_is_a_graft(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"extends": "nano-ru/graft", "output_dir": "runs/mine"}))
    assert recipe_model(str(path)) is GraftRecipe


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(HyperBridgeError, match="unknown key 'training'"):
        check_recipe("nano-ru/graft", ["training.epochs=1"])


def test_advice_begins_with_what_changes_nothing_but_memory() -> None:
    checked = check_recipe("qwen3-8b/registers")
    card = find_gpu("24GB")
    assert not checked.fits(card)
    first, *rest = advice(checked, card)
    assert "batch_size=1 --set training.gradient_accumulation_steps=16" in first
    assert "qwen3-8b/registers+qlora (the base in 4 bits)" in rest
    assert check_recipe("qwen3-8b/registers+qlora").fits(card)


def test_a_base_that_no_card_holds_is_shared_out_over_several() -> None:
    checked = check_recipe("mistral-mixtral-8x7b/registers")
    card = find_gpu("A100 80GB")
    assert not checked.fits(card)
    gpus = several(checked, card)
    assert gpus in (2, 4)
    last = f"--gpus {gpus} (the base shared out over {gpus} such cards: recipes/accelerate/fsdp2.yaml)"
    assert advice(checked, card)[-1] == last
    assert check_recipe("mistral-mixtral-8x7b/registers", gpus=gpus).fits(card)


def test_what_is_whole_on_each_card_is_told_so() -> None:
    packed = check_recipe("qwen3-0.6b/registers+qlora", gpus=2)
    assert packed.notes[-1].startswith("a 4-bit base cannot be shared out over GPUs: it is whole on each of 2")
    assert several(packed, find_gpu("1GB")) is None
    assert "a graft needs the whole base on each GPU" in check_recipe("smollm2/graft", gpus=2).notes[-1]
