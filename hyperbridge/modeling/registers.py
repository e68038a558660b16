"""The bank of registers on one base: LoRA adapters loaded by name, spoken together or one by one.

Every weight of an adapter must find its place: PEFT only warns about missing or unexpected keys, and a register with
a wrong prefix would silently speak with the base's voice. For the same reason a prompt without the invocation of an
activated register is an error here. Which register a row speaks in is a number; switching copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.bundle import ADAPTER, BARE
from hyperbridge.modeling.grouped_lora import GroupedLora, RowGroups
from hyperbridge.modeling.shared_scene import Ids, SceneStore, split_prompt

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

SCENES_KEPT = 256 * 2**20
# What a LoraConfig says of adapters that are A and B matrices and nothing else.
PLAIN = {
    "use_dora": False,
    "use_qalora": False,
    "lora_bias": False,
    "bias": "none",
    "modules_to_save": None,
    "trainable_token_indices": None,
    "layer_replication": None,
    "target_parameters": None,
}


class RegisterBank:
    """The registers attached to a base, and the scenes it has read.

    Args:
        model: from `attach_registers`; its adapters do not change.

    Attributes:
        base: the frozen base, under the adapters.
        registers: their names, and `BARE` at the end.
        scenes: keys and values of the scenes read last, shared by all activated registers.
    """

    def __init__(self, model: PeftModel) -> None:
        self.base: PreTrainedModel = model.get_base_model()
        self.registers = (*model.peft_config, BARE)
        self.scenes = SceneStore(SCENES_KEPT, evict=True)
        self._invocations: dict[str, Ids] = {
            name: tuple(config.alora_invocation_tokens or ()) for name, config in model.peft_config.items()
        }
        # The bare base reads a scene as the others do, so it may share theirs.
        self._invocations[BARE] = next((ids for ids in self._invocations.values() if ids), ())
        self._places = {name: place for place, name in enumerate(self.registers)}
        self._lora = GroupedLora(model, frozen=True)

    def place(self, register: str) -> int:
        """Where a register's rows lie in a batch."""
        return self._places[register]

    def invocation(self, register: str) -> Ids:
        """Token ids that activate a register; empty where it is always active."""
        return self._invocations[register]

    def cut(self, prompt: Sequence[int], register: str) -> tuple[Ids, Ids]:
        """What the base reads of a prompt, and what the register reads: nothing and all where it is always active.

        Raises:
            HyperBridgeError: the prompt lacks the register's invocation.
        """
        invocation = self._invocations[register]
        return split_prompt(prompt, invocation) if invocation else ((), tuple(prompt))

    @contextmanager
    def speaking(self, groups: RowGroups) -> Iterator[None]:
        """Within the block, `base` speaks with the registers of `groups`, a group of rows each."""
        with self._lora.speaking(groups):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within the block, `base` is bare."""
        with self._lora.silent():
            yield


def attach_registers(base: PreTrainedModel, folders: dict[str, Path]) -> PeftModel:
    """Put the adapters of `folders` (name -> PEFT folder, at least one) on a base, frozen.

    Raises:
        HyperBridgeError: an adapter is not a LoRA, or its weights do not fit the base key for key.
    """
    from peft import PeftModelForCausalLM

    model: PeftModel | None = None
    for name, folder in folders.items():
        config = _lora_config(folder)
        try:
            if model is None:
                model = PeftModelForCausalLM(base, config, adapter_name=name)
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
    more = [name for name, plain in PLAIN.items() if (getattr(config, name, plain) or plain) != plain]
    if more:
        raise HyperBridgeError(
            f"{folder}: more than a plain LoRA ({', '.join(more)}); registers are LoRA matrices only"
        )
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
        what = " ".join(str(error).partition(":")[2].split())[:200]
        raise HyperBridgeError(f"{path}: does not fit this base: {what}") from None
    missing = [key for key in result.missing_keys if key.partition(".lora_")[2].split(".")[1:2] == [name]]
    if missing or result.unexpected_keys:
        wrong = (
            f"lacks {missing[0]}" if missing else f"has {result.unexpected_keys[0]}, which this base has no place for"
        )
        raise HyperBridgeError(f"{path}: does not fit this base: {wrong}")
