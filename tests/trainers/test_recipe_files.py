"""A recipe is a file, a shipped file, or a base, a job and variants put together; nothing is said twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.recipe_files import checkpoints, find_checkpoint, merged, read_recipe


def test_a_base_and_a_job_make_a_recipe() -> None:
    recipe = read_recipe("qwen3-8b/registers")
    assert recipe["base"] == {"model": "Qwen/Qwen3-8B", "dtype": "bfloat16"}
    assert recipe["output_dir"] == "runs/qwen3-8b-registers"
    assert recipe["registers"]["poet"] == {"style": "поэтический"}


def test_variants_are_added_in_order() -> None:
    recipe = read_recipe("qwen3-8b/registers+qlora+always")
    assert recipe["base"]["load_in_4bit"] is True
    assert recipe["base"]["model"] == "Qwen/Qwen3-8B"
    assert recipe["activation"] == "always"
    assert recipe["output_dir"] == "runs/qwen3-8b-registers-qlora-always"


def test_what_a_base_needs_otherwise_stands_in_the_base() -> None:
    assert read_recipe("mistral-mixtral-8x7b/registers")["lora"]["target_modules"][0] == "q_proj"
    assert read_recipe("mistral-7b/registers")["lora"]["target_modules"] == "all-linear"


def test_a_family_alone_is_its_default_size() -> None:
    assert read_recipe("qwen3/registers")["base"]["model"] == "Qwen/Qwen3-0.6B"
    found = find_checkpoint("IlyaGusev/saiga_nemo_12b")
    assert found is not None
    assert (found.name, found.licence) == ("saiga-nemo-12b", "apache-2.0")


def test_a_recipe_of_ones_own_says_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: qwen3-4b/registers+qlora\ntraining: {epochs: 1}\n")
    recipe = read_recipe(path)
    assert recipe["training"]["epochs"] == 1
    assert recipe["training"]["gradient_checkpointing"] is True
    second = tmp_path / "second.yaml"
    second.write_text("extends: mine.yaml\nlora: {r: 4}\n")
    assert read_recipe(second)["lora"] == {**recipe["lora"], "r": 4}


def test_a_file_of_ones_own_takes_variants(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: qwen3-4b/registers\noutput_dir: runs/mine\n")
    recipe = read_recipe(f"{path}+qlora")
    assert recipe["base"] == {"model": "Qwen/Qwen3-4B", "dtype": "bfloat16", "load_in_4bit": True}
    assert recipe["output_dir"] == "runs/mine-qlora"


@pytest.mark.parametrize("name", ["qwen3-8b/graft+qlora", "nano-ru/pretrain+always"])
def test_only_recipes_that_train_adapters_have_variants(name: str) -> None:
    with pytest.raises(HyperBridgeError, match="is a variant of recipes that train adapters"):
        read_recipe(name)


def test_a_recipe_that_extends_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text("extends: loop.yaml\n")
    with pytest.raises(HyperBridgeError, match="a recipe that extends itself"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("qwen3-9b/registers", "did you mean 'qwen3-8b/registers'"),
        ("qwen3-8b/registers+qlor", "no variant 'qlor'; did you mean 'qlora'"),
        ("nowhere.yaml", r"no such recipe file, nor a shipped recipe \(hyperbridge recipes list"),
    ],
)
def test_a_name_that_is_not_there_gets_the_nearest(name: str, why: str) -> None:
    with pytest.raises(HyperBridgeError, match=why):
        read_recipe(name)


def test_merging_goes_section_by_section() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}


def test_every_checkpoint_tells_what_an_estimate_needs() -> None:
    needed = {
        "model_type",
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "tie_word_embeddings",
    }
    assert [name for name, one in checkpoints().items() if needed - set(one.architecture)] == []
