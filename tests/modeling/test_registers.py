"""An adapter fits its base key for key or is refused; switching changes the voice and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from hyperbridge import HyperBridge, HyperBridgeError
from hyperbridge.modeling.base import Base, load_base
from hyperbridge.modeling.grouped_lora import RowGroups
from hyperbridge.modeling.registers import RegisterBank, attach_registers

IDS = torch.tensor([[5, 300, 17, 600, 42]])
KEY = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"
Weights = dict[str, torch.Tensor]


@pytest.fixture
def poet(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of an adapter that a test may spoil."""
    return Path(shutil.copytree(tiny_bundle / "registers/poet", tmp_path / "poet"))


def attach(base: Path, folder: Path) -> Any:
    return attach_registers(load_base(Base(model=str(base)))[0], {"poet": folder})


def refusal(base: Path, folder: Path) -> str:
    with pytest.raises(HyperBridgeError) as caught:
        attach(base, folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


def test_every_weight_is_loaded_and_frozen(tiny_base: Path, poet: Path) -> None:
    model = attach(tiny_base, poet)
    saved = load_file(poet / "adapter_model.safetensors")
    held = {name.replace(".poet.", "."): value for name, value in model.named_parameters() if ".lora_" in name}
    assert held.keys() == saved.keys()
    assert [name for name, value in held.items() if not torch.equal(value, saved[name])] == []
    assert [name for name, value in model.named_parameters() if value.requires_grad] == []
    assert not model.training


def without(weights: Weights) -> Weights:
    return {key: value for key, value in weights.items() if key != KEY}


def prefixed(weights: Weights) -> Weights:
    return {key.replace("base_model.model.", ""): value for key, value in weights.items()}


def and_more(weights: Weights) -> Weights:
    return weights | {"base_model.model.lm_head.lora_A.weight": torch.zeros(4, 32)}


def of_another_shape(weights: Weights) -> Weights:
    return weights | {KEY: torch.zeros(4, 64)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, "does not fit this base: lacks base_model.model.model.layers.0.mlp.down_proj.lora_A.poet.weight"),
        (prefixed, "does not fit this base: lacks base_model.model.model.layers.0.self_attn.q_proj.lora_A.poet.weight"),
        (and_more, "does not fit this base: has base_model.model.lm_head.lora_A.weight, which this base has no place"),
        (of_another_shape, "does not fit this base: size mismatch"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tiny_base: Path, poet: Path, change: Callable[[Weights], Weights], message: str
) -> None:
    path = poet / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)
    assert message in refusal(tiny_base, poet)


@pytest.mark.parametrize("size", [0, 1000])
def test_a_truncated_file_is_refused(tiny_base: Path, poet: Path, size: int) -> None:
    path = poet / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert "adapter_model.safetensors: damaged: Error while deserializing header" in refusal(tiny_base, poet)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_modules": ["c_attn"]}, "does not fit this base: Target modules {'c_attn'} not found in the base"),
        ({"r": 8}, "does not fit this base: size mismatch"),
        ({"peft_type": "IA3"}, "not a LoRA adapter: its adapter_config.json says IA3"),
        ({"peft_type": "HYPE"}, "its adapter_config.json cannot be read: 'HYPE'"),
    ],
)
@pytest.mark.filterwarnings("ignore:Unexpected keyword arguments")
def test_a_config_that_does_not_fit_is_refused(
    tiny_base: Path, poet: Path, changes: dict[str, Any], message: str
) -> None:
    path = poet / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    assert message in refusal(tiny_base, poet)


@pytest.mark.parametrize("text", [None, "{"])
def test_a_missing_or_broken_config_is_refused(tiny_base: Path, poet: Path, text: str | None) -> None:
    path = poet / "adapter_config.json"
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    assert "its adapter_config.json cannot be read: " in refusal(tiny_base, poet)


def test_a_base_of_another_shape_is_refused(poet: Path, tiny_tokenizer: Any, tmp_path: Path, save_base: Any) -> None:
    wide = save_base(tmp_path / "wide", tiny_tokenizer, seed=0, hidden_size=48)
    assert "does not fit this base: size mismatch" in refusal(wide, poet)


@pytest.mark.parametrize("name", ["model", "weight", "mlp", "lora_A"])
def test_a_register_may_bear_the_name_of_a_module(tiny_bundle: Path, tmp_path: Path, name: str, bridge: Any) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    (bundle / "registers/poet").rename(bundle / "registers" / name)
    renamed = HyperBridge.from_pretrained(bundle)
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "max_new_tokens": 8}
    assert renamed.speak("жар+тень", name, **greedy) == bridge.speak("жар+тень", "poet", **greedy)


def logits(bank: RegisterBank, register: str, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.inference_mode(), bank.speaking(RowGroups((register,), (len(ids),))):
        return bank.base(ids).logits


def test_within_the_block_the_register_speaks_and_after_it_nobody(bridge: Any, tiny_base: Path) -> None:
    bare = load_base(Base(model=str(tiny_base)))[0]
    with torch.inference_mode():
        expected = bare(IDS).logits
    assert torch.equal(logits(bridge.bank, "base"), expected)
    assert not torch.allclose(logits(bridge.bank, "poet"), expected, atol=1e-3)
    assert not torch.allclose(logits(bridge.bank, "poet"), logits(bridge.bank, "body"), atol=1e-3)
    with torch.inference_mode(), bridge.bank.reading():
        assert torch.equal(bridge.bank.base(IDS).logits, expected)
    with pytest.raises(ZeroDivisionError), bridge.bank.speaking(RowGroups(("poet",), (1,))):
        1 / 0  # noqa: B018
    with torch.inference_mode(), bridge.bank.reading():
        assert torch.equal(bridge.bank.base(IDS).logits, expected)


def test_rows_of_several_registers_are_said_in_one_pass(bridge: Any) -> None:
    ids = IDS.repeat(4, 1)
    with torch.inference_mode(), bridge.bank.speaking(RowGroups(("body", "poet", "base"), (1, 2, 1))):
        mixed = bridge.bank.base(ids).logits
    for row, register in enumerate(("body", "poet", "poet", "base")):
        assert torch.allclose(mixed[row], logits(bridge.bank, register)[0], atol=1e-5)


def test_plain_peft_speaks_as_before_outside_the_block(bridge: Any, tiny_bundle: Path, tiny_base: Path) -> None:
    """What is attached stays an ordinary PEFT model for those who use it as one."""
    ids = torch.tensor([[5, 300, *bridge.bank.invocation("poet"), 17, 600]])
    plain = PeftModel.from_pretrained(load_base(Base(model=str(tiny_base)))[0], tiny_bundle / "registers/poet").eval()
    bridge.model.set_adapter("poet")
    with torch.inference_mode():
        assert torch.allclose(bridge.model(ids).logits, plain(ids).logits, atol=1e-6)


def test_a_prompt_without_the_invocation_is_refused(bridge: Any) -> None:
    with pytest.raises(HyperBridgeError, match="the prompt lacks the invocation"):
        bridge.bank.cut([5, 300, 17], "poet")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
    ],
)
def test_what_is_more_than_a_lora_is_refused(
    tiny_base: Path, poet: Path, changes: dict[str, Any], message: str
) -> None:
    path = poet / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    assert f"more than a plain LoRA ({message})" in refusal(tiny_base, poet)
