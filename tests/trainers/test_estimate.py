"""Weights are counted by their shapes; over several GPUs a base lies in shares, or is whole where it cannot."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from toy_config import toy_config
from transformers import AutoConfig, AutoModelForCausalLM

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.estimate import GPUS, Estimate, Memory, Weights, find_gpu, weigh
from hyperbridge.trainers.recipe import BaseSection

CONFIG = toy_config("qwen3", tie_word_embeddings=True)
WEIGHTS = Weights(parameters=1000, active=600, linear=800, largest=40, layer=90, output=100)


def estimate(**base: Any) -> Estimate:
    section = BaseSection.model_validate({"model": "x/y", "dtype": "bfloat16", **base})
    memory = Memory(weights=WEIGHTS.size(section), adapters=30, runtime=70)
    whole = "a 4-bit base cannot be shared out over GPUs" if section.load_in_4bit else None
    return Estimate(section, WEIGHTS, memory, operations=1.08e18, batch=None, whole=whole)


def test_parameters_are_those_of_the_model_though_only_two_layers_are_built() -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(CONFIG)
    weights = weigh(CONFIG)
    assert weights.parameters == weights.active == sum(value.numel() for value in model.parameters())
    linear = [one for one in model.model.modules() if isinstance(one, torch.nn.Linear)]
    assert weights.linear == sum(layer.weight.numel() for layer in linear)
    assert weights.largest == 96 * 64
    assert weights.layer == sum(value.numel() for value in model.model.layers[0].parameters())
    assert weights.output == 500 * 64


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
    weights = weigh(config)
    assert weights.parameters - weights.active == 3 * 3 * (3 * 32 * 64)


def test_parts_that_are_not_there_are_not_told() -> None:
    assert estimate().memory.parts == {"weights": 2000, "adapters": 30, "runtime": 70}
    assert estimate().memory.total == 2100


def test_shared_out_a_gpu_holds_its_share_two_layers_and_the_output_matrix() -> None:
    shared = estimate().over(4)
    assert shared.gpus == 4
    assert shared.memory.parts == {"weights": 500, "gathered": 2 * (2 * 90 + 100), "adapters": 30, "runtime": 70}
    assert shared.over(8).memory.weights == 250
    assert estimate().over(1) == estimate()


def test_a_4_bit_base_is_whole_on_each() -> None:
    packed = estimate(load_in_4bit=True)
    assert packed.over(4).memory == packed.memory
    assert packed.over(4).gpus == 4


def test_time_is_divided_by_the_gpus() -> None:
    h100 = GPUS["H100 80GB"]
    assert estimate().hours_on(h100) == pytest.approx(1.08e18 / (0.3 * 989e12) / 3600)
    assert estimate().over(4).hours_on(h100) == pytest.approx(estimate().hours_on(h100) / 4)


def test_a_card_is_known_by_its_name_or_by_its_size() -> None:
    assert find_gpu("rtx 4090 24gb").speed == find_gpu("RTX 4090").speed == 165e12
    assert find_gpu("24GB").memory == 24e9
    assert find_gpu("24GB").speed == 70e12  # of the cards of that size the slowest
    for name in ("Voodoo", "A100"):  # there are two
        with pytest.raises(HyperBridgeError, match=f"--gpu {name}: no such card"):
            find_gpu(name)
