"""HyperBridge: read text into scenes, speak scenes in registers, all on one frozen base.

    bridge = HyperBridge.from_pretrained("runs/demo")
    bridge.speak("жар+тишина+вход", register="poet", num_return_sequences=2)
    bridge.read("Он медлил у двери.")

A register is a LoRA adapter of a bundle (see bundle.py); the base itself speaks where the register is `base`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem, nearest
from hyperbridge.modeling.base import Base, Dtype, load_base
from hyperbridge.modeling.bundle import BundleConfig, load_config, load_register_card, register_folders
from hyperbridge.modeling.chat import prompt_ids
from hyperbridge.modeling.registers import attach_registers, speaking
from hyperbridge.scenes import Scene

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

BASE_VOICE = "base"
# No repetition penalty: it would count the words of the scene as said already.
SAMPLING = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "no_repeat_ngram_size": 4, "max_new_tokens": 96}


class HyperBridge:
    """A base with its registers.

    Attributes:
        model: the base under `peft.PeftModel`, frozen, in evaluation mode.
        tokenizer: the base's tokenizer.
        config: the bundle's config, with the base as it was found.
        styles: register name -> the seed's name of it (`poet` -> `поэтический`).
    """

    def __init__(
        self, model: PeftModel, tokenizer: PreTrainedTokenizerBase, config: BundleConfig, styles: dict[str, str]
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.config = config
        self.styles = styles
        self._register = next(iter(styles))

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        registers: Iterable[str] | None = None,
        revision: str | None = None,
        base: str | None = None,
        dtype: Dtype = "float32",
        load_in_4bit: bool = False,
        device: str | None = None,
    ) -> HyperBridge:
        """Load a bundle from a folder or the Hub.

        Args:
            name_or_path: a folder, or a Hub id (`owner/name`).
            registers: names to load; None loads all.
            revision: branch, tag or commit of a Hub id.
            base: another place of the same base (a mirror, a local copy); its identity is checked all the same.
            dtype: of the base's weights.
            load_in_4bit: quantize the base to NF4 while loading.
            device: see `load_base`.

        Raises:
            HyperBridgeError: not a bundle, a register is missing, is not safetensors, or belongs on another base.
        """
        folder = _bundle_folder(name_or_path, revision, registers)
        config = load_config(folder)
        folders = register_folders(folder, registers)
        if not folders:
            raise HyperBridgeError(f"{folder}: no registers in this bundle")
        if base is not None:
            config = config.model_copy(update={"base": Base(model=base, gguf_file=config.base.gguf_file)})
        found = config.base.located()
        cards = {name: load_register_card(path, found) for name, path in folders.items()}
        model, tokenizer = load_base(found, dtype=dtype, load_in_4bit=load_in_4bit, device=device)
        return cls(
            attach_registers(model, folders),
            tokenizer,
            config.model_copy(update={"base": found}),
            {name: card.style for name, card in cards.items()},
        )

    @property
    def registers(self) -> tuple[str, ...]:
        """The names `use` and `speak` accept, besides `base` for the bare base."""
        return tuple(self.styles)

    def use(self, register: str) -> HyperBridge:
        """Make a register (or `base`) the one that speaks when none is named; returns the bridge.

        Raises:
            HyperBridgeError: no such register.
        """
        self._register = self._resolve(register)
        return self

    def speak(
        self,
        scene: Scene | str,
        register: str | None = None,
        *,
        num_return_sequences: int = 1,
        seed: int | None = None,
        **generation: Any,
    ) -> list[str]:
        """Say a scene in a register.

        Args:
            scene: a `Scene`, its JSON, or its prompt form (`жар+тишина+вход` is enough).
            register: a register's name or its `style`; None takes the one in `use`.
            num_return_sequences: how many expressions.
            seed: makes sampling repeatable.
            **generation: options of `GenerationMixin.generate`, over the defaults in `SAMPLING`.

        Raises:
            HyperBridgeError: the scene cannot be read, or no such register.
        """
        import torch

        name = self._resolve(register) if register is not None else self._register
        ids = torch.tensor([prompt_ids(self.tokenizer, as_scene(scene), self.config.system_prompt)])
        ids = ids.to(self.model.device)
        if seed is not None:
            torch.manual_seed(seed)
        with speaking(self.model, None if name == BASE_VOICE else name), torch.inference_mode():
            rows = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                num_return_sequences=num_return_sequences,
                eos_token_id=self.tokenizer.eos_token_id,
                pad_token_id=self.tokenizer.pad_token_id,
                **{**SAMPLING, **generation},
            )
        return [text.strip() for text in self.tokenizer.batch_decode(rows[:, ids.shape[1] :], skip_special_tokens=True)]

    def read(self, text: str, *, source: str = "text", language: str = "ru") -> list[Scene]:
        """Cut text into scenes by the rules of a language (see hyperbridge.corpus).

        Raises:
            HyperBridgeError: no rules for this language, or their packages are not installed.
        """
        from hyperbridge.corpus.building import read_text

        return read_text(text, source=source, language=language)

    def _resolve(self, register: str) -> str:
        if register == BASE_VOICE or register in self.styles:
            return register
        for name, style in self.styles.items():
            if register == style:
                return name
        raise HyperBridgeError(f"no register '{register}'; {nearest(register, [*self.styles, BASE_VOICE])}")


def as_scene(scene: Scene | str) -> Scene:
    """A scene from itself, from its JSON, or from its prompt form.

    Raises:
        HyperBridgeError: the text is neither.
    """
    if isinstance(scene, Scene):
        return scene
    if not scene.lstrip().startswith("{"):
        return Scene.from_prompt(scene)
    try:
        return Scene.model_validate_json(scene)
    except ValidationError as error:
        raise HyperBridgeError(f"scene {scene[:60]!r}: {first_problem(error)}") from None


def _bundle_folder(name_or_path: str | Path, revision: str | None, registers: Iterable[str] | None) -> Path:
    folder = Path(name_or_path)
    if folder.is_dir():
        return folder
    return _download(str(name_or_path), revision, None if registers is None else list(registers))


def _download(name: str, revision: str | None, registers: Sequence[str] | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError

    wanted = ["registers/*"] if registers is None else [f"registers/{register}/*" for register in registers]
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=["config.json", *wanted]))
    except HFValidationError:
        raise HyperBridgeError(f"{name}: no such folder, and not a Hub id (owner/name)") from None
    except (HTTPError, OSError) as error:
        raise HyperBridgeError(
            f"{name}: not a folder, and the Hub does not give it: {str(error).splitlines()[0]}"
        ) from None
