"""Recipes: a YAML file, `--set key=value` overrides, and one pydantic model that refuses what it does not know.

A recipe is read once at the door; inside, plain arguments travel. Paths in a recipe are relative to the working
directory, except that `hyperbridge:` opens a path inside the installed package (`hyperbridge:assets/nano-ru`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hyperbridge.errors import HyperBridgeError, nearest
from hyperbridge.modeling.base import Base, Dtype
from hyperbridge.modeling.bundle import BARE, Task
from hyperbridge.trainers.recipe_files import read_recipe

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Activation = Literal["scene", "always"]
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B)", re.IGNORECASE)


def parse_size(value: Any) -> Any:
    """Bytes of `"2GiB"` or `"500MB"`; anything else is left to pydantic.

    Raises:
        ValueError: a text that is no size.
    """
    if not isinstance(value, str) or value.isdigit():
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise ValueError('write a size as "2GiB", "500MB" or a number of bytes')
    number, unit = found.groups()
    return int(float(number) * (1024 if "i" in unit.lower() else 1000) ** ("KMGT".index(unit[0].upper()) + 1))


class Section(BaseModel):
    """A part of a recipe: keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseSection(Section):
    """The frozen base: a Hub id (with a revision) or a folder, and how to hold it in memory."""

    model: str
    revision: str | None = None
    gguf_file: str | None = None
    dtype: Dtype = "float32"
    load_in_4bit: bool = False

    def base(self) -> Base:
        return Base(model=self.model, revision=self.revision, gguf_file=self.gguf_file)


class LoraSection(Section):
    r: Positive = 16
    alpha: Positive = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: str | list[str] = "all-linear"


class RepliesSection(Section):
    """Files of replies (JSONL: message, scenes, reply) of each split, for a synthesizer."""

    train: str
    validation: str | None = None
    test: str | None = None


class DataSection(Section):
    """Expression files (JSONL) of each split; `scenes` resolves scenes that expressions only name."""

    train: str
    validation: str | None = None
    test: str | None = None
    scenes: str | None = None
    replies: RepliesSection | None = None


class RegisterConfig(Section):
    """One adapter. A register speaks scenes: its own expressions are those of its `style`.

    An interpreter (`task: interpret`) learns the way back, text to scene, from the expressions of all styles; a
    synthesizer (`task: reply`) learns from `data.replies`. Their `style` is what they are called.
    """

    style: str
    task: Task = "speak"


class TrainingSection(Section):
    """Each register is trained as if alone: epochs, steps and batches are its own.

    `batch_size` counts expressions of one register in one forward pass of one process; `gradient_accumulation_steps`
    passes make a step. `early_stop`: evaluations without a better held-out loss after which a register stops, and
    keeps its best weights. `scene_cache`: memory for scenes already read, kept across epochs ("2GiB"; 0 keeps none).
    `co2_country` (RUS, DEU, ...): whose electricity it runs on, to estimate what the run emits.
    """

    epochs: Rate = 3
    max_steps: int = -1
    batch_size: Positive = 16
    gradient_accumulation_steps: Positive = 1
    learning_rate: Rate = 1e-3
    lr_scheduler: str = "cosine"
    warmup_steps: Annotated[float, Field(ge=0)] = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Rate = 1.0
    max_length: Positive = 512
    gradient_checkpointing: bool = False
    bf16: bool = False
    seed: int = 0
    logging_steps: Positive = 10
    eval_per_epoch: bool = True
    early_stop: Positive | None = None
    scene_cache: Annotated[int, BeforeValidator(parse_size), Field(ge=0)] = 0
    save_steps: Annotated[int, Field(ge=0)] = 0
    report_to: Literal["none", "tensorboard", "trackio"] = "none"
    co2_country: str | None = None


def _without_nulls(registers: Any) -> Any:
    if not isinstance(registers, dict):
        return registers
    return {name: register for name, register in registers.items() if register is not None}


class RegisterRecipe(Section):
    """Registers to train on one base: `recipes/<base>/registers.yaml`.

    `activation: scene`: a register acts from the assistant header on (or from what closes the user's turn), so that
    the base reads the scene once for all of them, in training and in use. `always`: it acts from the first token on, an
    ordinary LoRA (for vLLM).
    A recipe that extends another leaves a register of it out with `registers: {NAME: null}`.
    """

    base: BaseSection
    data: DataSection
    registers: Annotated[dict[str, RegisterConfig], Field(min_length=1), BeforeValidator(_without_nulls)]
    lora: LoraSection = LoraSection()
    training: TrainingSection = TrainingSection()
    activation: Activation = "scene"
    system_prompt: str | None = None
    output_dir: str

    @model_validator(mode="after")
    def _something_to_watch(self) -> Self:
        training = self.training
        if training.early_stop is not None and not (self.data.validation and training.eval_per_epoch):
            raise ValueError("training.early_stop needs data.validation and training.eval_per_epoch")
        return self

    @model_validator(mode="after")
    def _replies_to_learn_from(self) -> Self:
        for name, register in self.registers.items():
            if register.task == "reply" and self.data.replies is None:
                raise ValueError(f"{name} learns to reply: data.replies.train must name a file of replies")
        return self

    @model_validator(mode="after")
    def _distinct_styles(self) -> Self:
        styles = [register.style for register in self.registers.values()]
        repeated = {style for style in styles if styles.count(style) > 1}
        if repeated:
            raise ValueError(f"two registers share the style {', '.join(sorted(repeated))}")
        for name in self.registers:
            if not name.isidentifier():
                raise ValueError(f"register name {name!r} must be a word of letters, digits and _")
        if BARE in self.registers:
            raise ValueError(f"register name {BARE!r} is the bare base's own")
        return self


class ArchitectureSection(Section):
    """Qwen3 sizes of a base trained from nothing."""

    hidden_size: Positive = 256
    num_hidden_layers: Positive = 8
    intermediate_size: Positive = 768
    num_attention_heads: Positive = 4
    num_key_value_heads: Positive = 2
    head_dim: Positive = 64
    max_position_embeddings: Positive = 1024


class TokenizerSection(Section):
    vocab_size: Annotated[int, Field(gt=0, le=65536)] = 8192  # a token is kept in two bytes
    formulas: str | None = None
    symbols: str = ""


class PretrainingTexts(Section):
    """What a base is trained on; `held_out` works, and those `split_of` calls test, are never read."""

    inputs: list[str]
    held_out: list[str] = []
    repeat: dict[str, Positive] = {}
    chats: str | None = None
    chat_share: Fraction = 0.5


class PretrainingSchedule(Section):
    """Warm-up, a constant rate, then a linear decay to zero, in which the chats join the text."""

    stable_steps: Positive
    decay_steps: Positive
    warmup_steps: Positive = 60
    block_size: Positive = 512
    micro_batch_size: Positive = 8
    gradient_accumulation_steps: Positive = 4
    learning_rate: Rate = 4e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    torch_compile: bool = True
    seed: int = 0
    save_steps: Positive = 100
    logging_steps: Positive = 10


class PretrainRecipe(Section):
    """A base from nothing: tokenizer, architecture, texts, schedule."""

    tokenizer: TokenizerSection = TokenizerSection()
    architecture: ArchitectureSection = ArchitectureSection()
    texts: PretrainingTexts
    schedule: PretrainingSchedule
    output_dir: str


Recipe = TypeVar("Recipe", bound=Section)


def load_recipe(
    path: str | Path | None,
    model: type[Recipe],
    overrides: Iterable[str] | None = None,
    *,
    given: Mapping[str, Any] | None = None,
) -> Recipe:
    """Read a recipe file, or a shipped recipe by name (see recipe_files.py), and settle what is said beside it.

    Args:
        path: file or name; None: the defaults.
        model: the kind of recipe.
        overrides: `key.sub=value` texts; they go over what is `given`.
        given: `key.sub` -> value.

    Raises:
        HyperBridgeError: the file is missing or not YAML, a key is unknown (with the nearest valid one), or a value
            does not fit.
    """
    data = {} if path is None else read_recipe(path)
    for key, value in (given or {}).items():
        _set(data, key, value, said=key)
    for override in overrides or ():
        _set(data, *_parsed(override), said=f"--set {override!r}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise HyperBridgeError(f"{'' if path is None else f'{path}: '}{_explain(error, model)}") from None


def _set(data: dict[str, Any], key: str, value: Any, *, said: str) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise HyperBridgeError(f"{said}: '{parent}' is not a section")
    data[last] = value


def _parsed(override: str) -> tuple[str, Any]:
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise HyperBridgeError(f"--set {override!r}: write key=value, for example training.epochs=5")
    try:
        return key, yaml.safe_load(raw)
    except yaml.YAMLError:
        raise HyperBridgeError(f"--set {override!r}: the value is not YAML") from None


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    found = error.errors(include_url=False)
    # A mistyped key is both unknown and missing; the unknown one says what to correct.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {nearest(location[-1], _fields_at(model, location[:-1]))}"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    return (
        f"{f'{key}: ' if key else ''}{first['msg'].removeprefix('Value error, ')} (found {str(first['input'])[:80]!r})"
    )


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """The valid keys of a nested section; a mapping's own keys (register names) are passed over."""
    for part in location:
        field = model.model_fields.get(part)
        if field is None:
            continue
        inner = getattr(field.annotation, "__args__", (field.annotation,))[-1]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return list(model.model_fields)
