"""The equality gate: registers trained together are those trained one by one with plain PEFT."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, set_seed

from hyperbridge.modeling.base import Base, load_base
from hyperbridge.modeling.shared_scene import Ids, invocation_ids
from hyperbridge.trainers.joint import Plan, plan_steps
from hyperbridge.trainers.preparation import IGNORED, Row, load_pairs, of_style, prepare
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.register_trainer import adapter_parameters
from hyperbridge.trainers.sft import train_registers

SETUPS = Path(__file__).parents[2] / "recipes/accelerate"
STEPS = 4
RATE = 0.01
STYLES = {"poet": "поэтический", "body": "телесный"}
Weights = dict[str, dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def save_family(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any, tiny_base: Path) -> Callable[..., Path]:
    """A folder with a tiny random base of an architecture, or nano-ru."""

    def save(family: str) -> Path:
        if family == "nano-ru":
            return Path(Base(model="hyperbridge:assets/nano-ru").path())
        if family == "qwen3":
            return tiny_base
        folder = tmp_path_factory.mktemp("families") / family
        sizes = {
            "vocab_size": len(tiny_tokenizer),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.1,
            "eos_token_id": tiny_tokenizer.eos_token_id,
            "pad_token_id": tiny_tokenizer.pad_token_id,
            "bos_token_id": None,
        }
        torch.manual_seed(3)
        model = (
            LlamaForCausalLM(LlamaConfig(**sizes))
            if family == "llama"
            else MistralForCausalLM(MistralConfig(**sizes, sliding_window=400))
        )
        model.save_pretrained(folder)
        tiny_tokenizer.save_pretrained(folder)
        return folder

    return save


def recipe_of(data: dict[str, Any], base: Path, activation: str, **training: Any) -> RegisterRecipe:
    data["base"] = {"model": str(base)}
    data["activation"] = activation
    data["training"] |= {
        "max_steps": STEPS,
        "learning_rate": RATE,
        "lr_scheduler": "linear",
        "warmup_steps": 1,
        "max_grad_norm": 0.05,
        "eval_per_epoch": False,
        **training,
    }
    return RegisterRecipe.model_validate(data)


def plan_of(recipe: RegisterRecipe, invocation: Ids, batch_size: int) -> tuple[list[Row], Plan]:
    """The rows and steps that the run takes."""
    tokenizer = AutoTokenizer.from_pretrained(recipe.base.base().path())
    pairs = load_pairs(recipe.data.train, recipe.data.scenes)
    rows = [
        row
        for name, style in STYLES.items()
        for row in prepare(of_style(pairs, style), tokenizer, register=name, invocation=invocation, max_length=400).rows
    ]
    training = recipe.training
    return rows, plan_steps(rows, batch_size=batch_size, epochs=1, max_steps=training.max_steps, seed=training.seed)


def trained_alone(recipe: RegisterRecipe, name: str, *, batch_size: int) -> dict[str, torch.Tensor]:
    """One register by plain PEFT, torch's AdamW and whole sequences, in the plan's order."""
    model, tokenizer = load_base(recipe.base.base())
    invocation = invocation_ids(tokenizer) if recipe.activation == "scene" else ()
    rows, plan = plan_of(recipe, invocation, batch_size)
    set_seed(recipe.training.seed)
    config = LoraConfig(
        r=recipe.lora.r,
        lora_alpha=recipe.lora.alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        alora_invocation_tokens=list(invocation) or None,
    )
    peft = get_peft_model(model, config, adapter_name=name).train()
    optimizer = torch.optim.AdamW(adapter_parameters(peft, name), lr=RATE, weight_decay=0.0)
    own = [step[name] for step in plan.steps if name in step]
    for number, step in enumerate(own):
        optimizer.param_groups[0]["lr"] = RATE * (0 if number == 0 else (len(own) - number) / (len(own) - 1))
        batch = [rows[index] for index in step]
        length = max(len(row.scene + row.own) for row in batch)
        ids, labels, mask = (torch.tensor(part) for part in zip(*(_whole(row, length) for row in batch), strict=True))
        logits = peft(input_ids=ids, attention_mask=mask).logits[:, :-1]
        loss = cross_entropy(logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(adapter_parameters(peft, name), recipe.training.max_grad_norm)
        optimizer.step()
    return {f"{i}": value.detach() for i, value in enumerate(adapter_parameters(peft, name))}


def _whole(row: Row, length: int) -> tuple[list[int], list[int], list[int]]:
    ids = [*row.scene, *row.own]
    padding = length - len(ids)
    labels = [IGNORED] * len(row.prompt) + list(row.own[-row.said :])
    return ids + [0] * padding, labels + [IGNORED] * padding, [1] * len(ids) + [0] * padding


def trained_together(recipe: RegisterRecipe, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """All registers by our trainer, the way a recipe does it."""
    from hyperbridge.trainers.register_trainer import RegisterTrainer

    found: Weights = {}

    def keep(self: RegisterTrainer) -> None:
        for name, own in self.parameters.items():
            found[name] = {f"{i}": value.detach().clone() for i, value in enumerate(own)}

    monkeypatch.setattr(RegisterTrainer, "release", keep)
    train_registers(recipe, report=lambda line: None)
    return found


def assert_equal(together: Weights, recipe: RegisterRecipe, *, batch_size: int) -> None:
    for name, own in together.items():
        alone = trained_alone(recipe, name, batch_size=batch_size)
        assert alone.keys() == own.keys()
        moved = max(float(value.abs().max()) for key, value in own.items() if int(key) % 2)  # B starts at zero
        assert moved > 0.001
        # Adam divides by the gradient, so where it is nearly zero a rounding error can weigh; it is there for few.
        apart = torch.cat([(own[key] - alone[key]).abs().flatten() for key in own])
        assert float(apart.max()) < RATE / 20, f"{name}: {apart.max()}"
        assert float(apart.sort().values[int(0.999 * len(apart))]) < 2e-5


@pytest.mark.parametrize("activation", ["scene", "always"])
@pytest.mark.parametrize("family", ["nano-ru", "qwen3", "llama", "mistral"])
def test_together_is_one_by_one(
    family: str,
    activation: str,
    save_family: Callable[..., Path],
    recipe_data: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = recipe_of(recipe_data(tmp_path / "run"), save_family(family), activation)
    assert_equal(trained_together(recipe, monkeypatch), recipe, batch_size=3)


@pytest.mark.parametrize(
    "training",
    [
        {"gradient_accumulation_steps": 3, "batch_size": 1},
        {"gradient_checkpointing": True},
        {"scene_cache": "1MiB"},
        {"scene_cache": 4000},
    ],
    ids=["accumulation", "checkpointing", "scenes kept", "some scenes kept"],
)
def test_together_is_one_by_one_in_every_way_of_saving_memory(
    training: dict[str, Any],
    save_family: Callable[..., Path],
    recipe_data: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = recipe_of(recipe_data(tmp_path / "run"), save_family("qwen3"), "scene", **training)
    assert_equal(trained_together(recipe, monkeypatch), recipe, batch_size=3)


@pytest.mark.parametrize(
    ("setup", "activation", "training"),
    [
        ("ddp", "scene", {}),
        ("fsdp2", "scene", {"gradient_accumulation_steps": 2, "gradient_checkpointing": True, "scene_cache": "1MiB"}),
        ("fsdp2", "always", {"eval_per_epoch": True, "save_steps": 2}),
    ],
)
def test_two_processes_train_what_one_does(
    setup: str,
    activation: str,
    training: dict[str, Any],
    save_family: Callable[..., Path],
    recipe_data: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    """Under `accelerate launch`, with gloo: each process takes its scenes of every step."""
    recipes = {
        name: recipe_of(recipe_data(tmp_path / name), save_family("qwen3"), activation, batch_size=size, **training)
        for name, size in (("one", 4), ("two", 2))
    }
    done = launched(recipes["two"], setup, tmp_path / "two.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("poet: 6 expressions") == 1
    train_registers(recipes["one"], report=lambda line: None)
    for name in STYLES:
        one, two = (load_file(tmp_path / run / "registers" / name / "adapter_model.safetensors") for run in recipes)
        assert max(float((one[key] - two[key]).abs().max()) for key in one) < 2e-5
        assert json.loads((tmp_path / "two/registers" / name / "training.json").read_text())["steps"] == STEPS


def launched(recipe: RegisterRecipe, setup: str, path: Path) -> subprocess.CompletedProcess[str]:
    """The run of a recipe, written to `path`, in the processes of a setup."""
    path.write_text(yaml.safe_dump(recipe.model_dump()), encoding="utf-8")
    launch = ["accelerate.commands.accelerate_cli", "launch", "--quiet", "--config_file", str(SETUPS / f"{setup}.yaml")]
    module = ["--module", "hyperbridge.trainers.sft", "--config", str(path)]
    return subprocess.run(
        [sys.executable, "-m", *launch, *module],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
