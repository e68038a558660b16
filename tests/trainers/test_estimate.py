"""What a recipe takes is counted from shapes: exact where it can be known, growing with what it should grow with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from hyperbridge.trainers.estimate import (
    Batch,
    Counted,
    Load,
    adapted_layers,
    count,
    estimate_memory,
    estimate_seconds,
)
from hyperbridge.trainers.recipe import LoraSection, RegisterRecipe

CONFIG = AutoConfig.for_model(
    "qwen3",
    vocab_size=500,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=256,
    tie_word_embeddings=True,
)
BATCH = Batch(rows=6, tokens=20, scenes=3, scene_tokens=10)
LOAD = Load(rows=60, own=20.0, scene_tokens=300, batch=BATCH)


def recipe(**sections: Any) -> RegisterRecipe:
    data: dict[str, Any] = {
        "output_dir": "runs/x",
        "base": {"model": "x/y"},
        "data": {"train": "train.jsonl"},
        "registers": {"poet": {"style": "поэтический"}, "body": {"style": "телесный"}},
        "lora": {"r": 8},
    }
    return RegisterRecipe.model_validate(data | sections)


@pytest.fixture(scope="module")
def counted() -> Counted:
    return count(CONFIG, recipe(), BATCH, "cpu")


def test_parameters_are_those_of_the_model_though_only_two_layers_are_built(counted: Counted) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(CONFIG)
    assert counted.parameters == counted.active == sum(value.numel() for value in model.parameters())
    linear = [one for one in model.model.modules() if isinstance(one, torch.nn.Linear)]
    assert counted.linear == sum(layer.weight.numel() for layer in linear)
    assert counted.largest == 96 * 64
    assert counted.targets == 5 * 7


def test_adapters_are_counted_for_every_register(counted: Counted) -> None:
    # q, k, v, o; gate, up, down: r times the sum of both widths
    widths = (64 + 64) + (64 + 32) + (64 + 32) + (64 + 64) + 3 * (64 + 96)
    assert counted.adapter == 2 * 5 * 8 * widths
    assert counted.stacked >= 4 * counted.adapter


def test_scenes_are_the_keys_and_values_under_the_rows(counted: Counted) -> None:
    a_token = 5 * 2 * 2 * 16 * 4  # layers, keys and values, heads, width, float32
    assert counted.scenes >= 6 * 10 * a_token  # under every row
    assert counted.scenes < 3 * 6 * 10 * a_token


def test_logits_are_there_twice_with_their_gradient(counted: Counted) -> None:
    assert counted.logits == pytest.approx(2 * 6 * 20 * 500 * 4, rel=0.05)


def test_attention_on_the_cpu_keeps_its_weights(counted: Counted) -> None:
    assert count(CONFIG, recipe(), BATCH, "cuda").peak < counted.peak


@pytest.mark.parametrize(
    ("sections", "part"),
    [
        ({"training": {"gradient_checkpointing": True}}, "activations"),
        ({"base": {"model": "x/y", "load_in_4bit": True}}, "weights"),
        ({"lora": {"r": 2}}, "optimizer"),
        ({"activation": "always"}, "scenes"),
    ],
)
def test_what_saves_memory_is_seen_to_save_it(sections: dict[str, Any], part: str) -> None:
    before = estimate_memory(CONFIG, recipe(), LOAD)[0]
    batch = Batch(6, 30, 0, 0) if "activation" in sections else BATCH
    after = estimate_memory(CONFIG, recipe(**sections), Load(60, 20.0, 0 if batch.scenes == 0 else 300, batch))[0]
    assert getattr(after, part) < getattr(before, part) / 1.5


def test_kept_scenes_take_no_more_than_the_recipe_gives_them() -> None:
    a_token = 5 * 2 * 2 * 16 * 4
    none = estimate_memory(CONFIG, recipe(), LOAD)[0].scenes
    assert estimate_memory(CONFIG, recipe(training={"scene_cache": "1GB"}), LOAD)[0].scenes - none == 300 * a_token
    assert estimate_memory(CONFIG, recipe(training={"scene_cache": 1000}), LOAD)[0].scenes - none == 1000


def test_layers_are_named_as_peft_adapts_them() -> None:
    everything = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    assert adapted_layers(CONFIG, LoraSection()) == everything
    assert adapted_layers(CONFIG, LoraSection(target_modules=["v_proj"])) == ["v_proj"]
    with pytest.raises(ValueError, match="w_proj"):
        adapted_layers(CONFIG, LoraSection(target_modules=["w_proj"]))


def test_time_is_of_the_weights_a_token_passes(counted: Counted) -> None:
    seconds = estimate_seconds(counted, recipe(), LOAD, speed=1e12)
    operations = counted.parameters * 3 * (60 * 20 * (2 + 4) + 300 * 2)
    assert seconds == pytest.approx(operations / 0.3e12)


def test_idle_experts_take_memory_and_no_time() -> None:
    config = AutoConfig.for_model(
        "mixtral",
        vocab_size=100,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        num_local_experts=4,
        num_experts_per_tok=1,
    )
    base = {"model": "x/y", "dtype": "bfloat16"}
    found = count(config, recipe(base=base, lora={"target_modules": ["q_proj"]}), BATCH)
    assert found.parameters - found.active == 3 * 3 * (3 * 32 * 64)
