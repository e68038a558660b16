"""What registers take is counted from shapes: exact where it can be known, growing with what it should grow with."""

from __future__ import annotations

from typing import Any

import pytest
from toy_config import toy_config

from hyperbridge.trainers.estimate import Memory, weigh
from hyperbridge.trainers.recipe import LoraSection, RegisterRecipe
from hyperbridge.trainers.register_estimate import Batch, Counted, Load, adapted_layers, count, estimate_registers

CONFIG = toy_config("qwen3", max_position_embeddings=256, tie_word_embeddings=True)
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


def memory(load: Load = LOAD, **sections: Any) -> Memory:
    return estimate_registers(CONFIG, recipe(**sections), load).memory


def test_adapters_are_counted_for_every_register(counted: Counted) -> None:
    assert counted.targets == 5 * 7
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
    ],
)
def test_what_saves_memory_is_seen_to_save_it(sections: dict[str, Any], part: str) -> None:
    assert getattr(memory(**sections), part) < getattr(memory(), part) / 1.5


def test_registers_that_read_scenes_themselves_have_none_beneath() -> None:
    alone = Load(60, 20.0, 0, Batch(rows=6, tokens=30, scenes=0, scene_tokens=0))
    assert memory(alone, activation="always").scenes < memory().scenes / 1.5


def test_kept_scenes_take_no_more_than_the_recipe_gives_them() -> None:
    a_token = 5 * 2 * 2 * 16 * 4
    none = memory().scenes
    assert memory(training={"scene_cache": "1GB"}).scenes - none == 300 * a_token
    assert memory(training={"scene_cache": 1000}).scenes - none == 1000


def test_layers_are_named_as_peft_adapts_them() -> None:
    everything = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    assert adapted_layers(CONFIG, LoraSection()) == everything
    assert adapted_layers(CONFIG, LoraSection(target_modules=["v_proj"])) == ["v_proj"]
    with pytest.raises(ValueError, match="w_proj"):
        adapted_layers(CONFIG, LoraSection(target_modules=["w_proj"]))


def test_time_is_of_the_weights_a_token_passes() -> None:
    operations = weigh(CONFIG).parameters * 3 * (60 * 20 * (2 + 4) + 300 * 2)
    assert estimate_registers(CONFIG, recipe(), LOAD).operations == operations
