"""The bank of registers on one base: LoRA adapters loaded by name and switched.

Every weight of an adapter must find its place: PEFT only warns about missing or unexpected keys, and a register with
a wrong prefix would silently speak with the base's voice. Switching sets a flag on each LoRA layer, a few ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError, nearest
from hyperbridge.modeling.bundle import ADAPTER

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel


def attach_registers(base: PreTrainedModel, folders: dict[str, Path]) -> PeftModel:
    """Put the adapters of `folders` (name -> PEFT folder, at least one) on a base, frozen.

    Raises:
        HyperBridgeError: an adapter is not a LoRA, or its weights do not fit the base key for key.
    """
    from peft import PeftModel

    model: PeftModel | None = None
    for name, folder in folders.items():
        config = _lora_config(folder)
        try:
            if model is None:
                model = PeftModel(base, config, adapter_name=name)
            else:
                model.add_adapter(name, config)
        except ValueError as error:
            raise HyperBridgeError(f"{folder}: does not fit this base: {error}") from None
        _load_weights(model, name, folder / ADAPTER)
    if model is None:
        raise HyperBridgeError("no register to attach")
    return model.eval()


def _lora_config(folder: Path) -> LoraConfig:
    from peft import LoraConfig

    try:
        config = LoraConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HyperBridgeError(f"{folder}: its adapter_config.json cannot be read: {error}") from None
    if not isinstance(config, LoraConfig):
        raise HyperBridgeError(f"{folder}: not a LoRA adapter: its adapter_config.json says {config.peft_type.value}")
    config.inference_mode = True
    return config


def _load_weights(model: PeftModel, name: str, path: Path) -> None:
    from peft import set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise HyperBridgeError(f"{path}: damaged: {error}") from None
    try:
        result = set_peft_model_state_dict(model, weights, adapter_name=name)
    except RuntimeError as error:
        raise HyperBridgeError(f"{path}: does not fit this base: {' '.join(str(error).split())[:200]}") from None
    missing = [key for key in result.missing_keys if key.partition(".lora_")[2].split(".")[1:2] == [name]]
    if missing or result.unexpected_keys:
        wrong = (
            f"lacks {missing[0]}" if missing else f"has {result.unexpected_keys[0]}, which this base has no place for"
        )
        raise HyperBridgeError(f"{path}: does not fit this base: {wrong}")


@contextmanager
def speaking(model: PeftModel, register: str | None) -> Iterator[None]:
    """Within the block the model speaks with `register`, or with the bare base for None.

    Raises:
        HyperBridgeError: no such register is attached.
    """
    if register is None:
        with model.disable_adapter():
            yield
        return
    if register not in model.peft_config:
        raise HyperBridgeError(f"no register '{register}'; {nearest(register, model.peft_config)}")
    before = model.active_adapter
    model.set_adapter(register)
    try:
        yield
    finally:
        model.set_adapter(before)
