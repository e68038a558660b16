"""What can be known of a recipe before anything is trained or downloaded: does it fit together, and on which card.

The recipe is loaded, its base's config taken from the folder, from the Hub, or (where the Hub cannot be reached) from
the facts in the recipes' base.yaml; the LoRA's layers are found in an architecture without weights; the data are read;
where the tokenizer can be had, the rows are made as training makes them and the largest micro-batch is found in the
very plan of the run. Memory and time are estimate.py's. What was not checked is said to be so. Cost: a few seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.base import load_tokenizer, refuse_code
from hyperbridge.trainers.estimate import (
    GPUS,
    Batch,
    Counted,
    Gpu,
    Load,
    Memory,
    adapted_layers,
    estimate_memory,
    estimate_seconds,
)
from hyperbridge.trainers.preparation import Pair, Row, pairs_of, prepare
from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe, parse_size
from hyperbridge.trainers.recipe_files import find_checkpoint

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from hyperbridge.modeling.shared_scene import Ids

# Where there is no tokenizer to count with: Russian text in vocabularies that were not made for it.
CHARACTERS_A_TOKEN = 2.0
TEMPLATE_TOKENS = 12
# Of a card's memory, what a screen and other processes leave.
USABLE = 0.95
CONFIG = "config.json"
WITHOUT_ADAPTERS = ("pretrain", "graft")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a recipe takes, and what that was counted from."""

    recipe: RegisterRecipe
    memory: Memory
    counted: Counted
    load: Load

    def hours_on(self, gpu: Gpu) -> float:
        """A first guess of the run's length."""
        return estimate_seconds(self.counted, self.recipe, self.load, gpu.speed) / 3600

    def fits(self, gpu: Gpu) -> bool:
        return self.memory.total <= gpu.memory * USABLE

    @property
    def has_experts(self) -> bool:
        """A token passes a part of the base alone."""
        return self.counted.active < self.counted.parameters


@dataclass(slots=True)
class Checked:
    """A recipe as it was found.

    Attributes:
        name: as the user named it.
        notes: what was checked and found in order, in short.
        unchecked: what was not, and why.
        wrong: what would stop the run.
        estimate: None where nothing could be estimated.
    """

    name: str
    recipe: RegisterRecipe
    notes: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    estimate: Estimate | None = None

    @property
    def memory(self) -> Memory | None:
        return self.estimate.memory if self.estimate else None

    @property
    def load(self) -> Load | None:
        return self.estimate.load if self.estimate else None

    def fits(self, gpu: Gpu) -> bool:
        return self.estimate is not None and self.estimate.fits(gpu)


def check_recipe(name: str, overrides: list[str] | None = None, *, device: str = "cuda") -> Checked:
    """Check a recipe of registers, of an interpreter or of a synthesizer.

    Args:
        name: a shipped recipe or a file.
        overrides: `key=value`.
        device: `cuda`, or `cpu` for a run without a card.

    Raises:
        HyperBridgeError: the recipe is missing, is not one of registers, or does not load.
    """
    if Path(name.partition("+")[0]).stem in WITHOUT_ADAPTERS:
        raise HyperBridgeError(f"{name}: check knows recipes of registers, an interpreter and a synthesizer")
    recipe = load_recipe(name, RegisterRecipe, overrides)
    checked = Checked(name, recipe)
    config = _config(checked)
    if config is None:
        return checked
    _check_targets(checked, config)
    pairs = _pairs(checked)
    if pairs is None or checked.wrong:
        return checked
    tokenizer = _tokenizer(checked)
    load = _load(checked, pairs, tokenizer)
    if load is not None:
        try:
            memory, counted = estimate_memory(config, recipe, load, device)
            checked.estimate = Estimate(recipe, memory, counted, load)
        except HyperBridgeError as error:
            checked.wrong.append(str(error))
    return checked


def find_gpu(text: str) -> Gpu:
    """A card of the table by its name (`RTX 4090`), or any card of a size: `24GB`.

    Raises:
        HyperBridgeError: no such card, and no size.
    """
    named = [gpu for name, gpu in GPUS.items() if name.lower() == text.lower()]
    named = named or [gpu for name, gpu in GPUS.items() if name.lower().startswith(f"{text.lower()} ")]
    if len(named) == 1:
        return named[0]
    try:
        size = float(parse_size(text))
    except ValueError:
        raise HyperBridgeError(f"--gpu {text}: no such card; a size (24GB), or one of: {', '.join(GPUS)}") from None
    alike = [gpu for gpu in GPUS.values() if gpu.memory <= size]
    slowest = min((gpu.speed for gpu in alike if gpu.memory == max(one.memory for one in alike)), default=50e12)
    return Gpu(size, slowest)


def advice(name: str, estimate: Estimate) -> list[str]:
    """What to change where a recipe does not fit, the cheapest first.

    Args:
        name: of the recipe, as the user named it.
        estimate: what it takes.
    """
    recipe, memory, training = estimate.recipe, estimate.memory, estimate.recipe.training
    step = memory.activations + memory.logits
    found = []
    if step > memory.weights / 4 and training.batch_size > 1:
        smaller = max(1, training.batch_size // 4)
        passes = training.gradient_accumulation_steps * training.batch_size // smaller
        found.append(
            f"--set training.batch_size={smaller} --set training.gradient_accumulation_steps={passes} "
            "(the same training, in smaller passes)"
        )
    if not training.gradient_checkpointing:
        found.append("--set training.gradient_checkpointing=true (slower, layers keep less)")
    if not (recipe.base.load_in_4bit or estimate.has_experts):
        found.append(f"{name}+qlora (the base in 4 bits)")
    return found or ["a smaller base, or a larger card"]


def _config(checked: Checked) -> PretrainedConfig | None:
    """The base's config, and where it is from."""
    from transformers import AutoConfig

    base = checked.recipe.base.base()
    folder = Path(base.path())
    if folder.is_dir():
        return _folder_config(checked, folder)
    facts = _shipped_config(checked)
    try:
        commit = hub.resolve_commit(base.model, base.revision)
        found = AutoConfig.from_pretrained(hub.fetch(base.model, commit, (CONFIG,)))
    except hub.HubUnreachable:
        if facts is None:
            checked.wrong.append(f"{base.model}: the Hub cannot be reached, and no facts of this base are shipped")
        else:
            checked.unchecked.append(f"config of {base.model}: the Hub cannot be reached; facts of its base.yaml taken")
        return facts
    except (HyperBridgeError, OSError, ValueError) as error:
        checked.wrong.append(" ".join(str(error).split())[:300])
        return None
    checked.notes.append(f"config of {base.model} at {commit[:12]}")
    checked.wrong += [f"{base.model}: {line}" for line in _differences(checked, found)]
    return found


def _folder_config(checked: Checked, folder: Path) -> PretrainedConfig | None:
    from transformers import AutoConfig

    options = {"gguf_file": checked.recipe.base.gguf_file} if checked.recipe.base.gguf_file else {}
    try:
        config = AutoConfig.from_pretrained(folder, **options)
    except (OSError, ValueError) as error:
        checked.wrong.append(f"{folder}: no config that transformers reads: {' '.join(str(error).split())[:200]}")
        return None
    checked.notes.append(f"config of {checked.recipe.base.model}")
    return config


def _shipped_config(checked: Checked) -> PretrainedConfig | None:
    from transformers import AutoConfig

    known = find_checkpoint(checked.recipe.base.model)
    if known is None:
        return None
    facts = dict(known.architecture)
    return AutoConfig.for_model(facts.pop("model_type"), **facts)


def _differences(checked: Checked, config: PretrainedConfig) -> Iterator[str]:
    """Where the shipped facts and the Hub's config say different things."""
    known = find_checkpoint(checked.recipe.base.model)
    for key, ours in (known.architecture if known else {}).items():
        theirs = getattr(config, key, None)
        if theirs != ours and not (key == "head_dim" and theirs is None):
            yield f"its config says {key}={theirs}, recipes/*/base.yaml says {ours}"


def _check_targets(checked: Checked, config: PretrainedConfig) -> None:
    try:
        found = adapted_layers(config, checked.recipe.lora)
    except ValueError as error:
        checked.wrong.append(f"lora.target_modules: {' '.join(str(error).split())[:200]}")
        return
    checked.notes.append(f"adapted in each of {config.num_hidden_layers} layers: {', '.join(found)}")
    if getattr(config, "num_local_experts", 0) and checked.recipe.base.load_in_4bit:
        checked.wrong.append(
            "base.load_in_4bit: the experts of this base are one tensor a layer, which bitsandbytes does not pack: "
            "they would stay in 16 bits; train without +qlora on a larger card, or on another base"
        )


def _pairs(checked: Checked) -> dict[str, list[Pair]] | None:
    """What is trained on; the other splits are only read."""
    try:
        pairs = pairs_of(checked.recipe, "train")
        for split in ("validation", "test"):
            if getattr(checked.recipe.data, split):
                pairs_of(checked.recipe, split)
    except HyperBridgeError as error:
        if checked.recipe.data.replies is not None:
            checked.unchecked.append(f"data: {error}")
        else:
            checked.wrong.append(f"data: {error}")
        return None
    checked.notes.append(", ".join(f"{name} {len(own)}" for name, own in pairs.items()) + " pairs")
    return pairs


def _tokenizer(checked: Checked) -> PreTrainedTokenizerBase | None:
    base = checked.recipe.base.base()
    try:
        if not Path(base.path()).is_dir():
            hub.resolve_commit(base.model, base.revision)
        refuse_code(base)
        return load_tokenizer(base)
    except hub.HubUnreachable:
        checked.unchecked.append(
            f"tokenizer of {base.model} (chat template, invocation, EOS, padding): the Hub cannot be reached; rows are "
            f"guessed at {CHARACTERS_A_TOKEN:g} characters a token"
        )
    except HyperBridgeError as error:
        checked.wrong.append(str(error))
    return None


def _load(checked: Checked, pairs: dict[str, list[Pair]], tokenizer: PreTrainedTokenizerBase | None) -> Load | None:
    recipe = checked.recipe
    if tokenizer is None:
        return None if checked.wrong else load_of_rows(_guessed_rows(pairs, recipe), recipe)
    from hyperbridge.modeling.shared_scene import invocation_ids

    try:
        invocation = invocation_ids(tokenizer) if recipe.activation == "scene" else ()
    except HyperBridgeError as error:
        checked.wrong.append(str(error))
        return None
    activated = f"; registers are activated by {_shown(tokenizer, invocation)}" if invocation else ""
    checked.notes.append(f"chat template, end {tokenizer.eos_token}, padding {tokenizer.pad_token}{activated}")
    rows = _rows(checked, pairs, tokenizer, invocation)
    return load_of_rows(rows, recipe) if rows else None


def _rows(
    checked: Checked, pairs: dict[str, list[Pair]], tokenizer: PreTrainedTokenizerBase, invocation: Ids
) -> list[Row]:
    """The rows as training makes them."""
    recipe = checked.recipe
    rows: list[Row] = []
    for name, own in pairs.items():
        prepared = prepare(
            own,
            tokenizer,
            register=name,
            invocation=invocation,
            max_length=recipe.training.max_length,
            system_prompt=recipe.system_prompt,
        )
        rows += prepared.rows
        for reason, number in prepared.dropped.items():
            checked.notes.append(f"{name}: {number} of {len(own)} left out ({reason})")
        if not prepared.rows:
            checked.wrong.append(f"{name}: no row is left to train on; raise training.max_length")
    return rows


def _guessed_rows(pairs: dict[str, list[Pair]], recipe: RegisterRecipe) -> list[Row]:
    """Rows of about the right length, their scenes told apart."""
    seen: dict[str, int] = {}
    rows = []
    for name, own in pairs.items():
        for pair in own:
            asked = pair.asked if isinstance(pair.asked, str) else pair.asked.prompt()
            scene = (seen.setdefault(asked, len(seen)),) * _tokens(asked)
            said = _tokens(pair.said)
            header = (0,) * (TEMPLATE_TOKENS // 2)
            if len(scene) + len(header) + said > recipe.training.max_length:
                continue
            read = scene if recipe.activation == "scene" else ()
            rows.append(Row(name, read, (header if read else scene + header) + (0,) * said, said))
    return rows


def _tokens(text: str) -> int:
    return round(len(text) / CHARACTERS_A_TOKEN) + TEMPLATE_TOKENS // 2


def load_of_rows(rows: list[Row], recipe: RegisterRecipe) -> Load:
    """What rows ask of a machine under a recipe: their tokens, and the largest micro-batch of the run's own plan.

    Args:
        rows: of all registers, at least one.
        recipe: its batches and steps.
    """
    from hyperbridge.trainers.joint import plan_steps, shards

    training = recipe.training
    plan = plan_steps(
        rows,
        batch_size=training.batch_size * training.gradient_accumulation_steps,
        epochs=training.epochs,
        max_steps=training.max_steps,
        seed=training.seed,
    )
    batches, read = [], set()
    for step in plan.steps:
        for part in shards(rows, (row for own in step.values() for row in own), training.gradient_accumulation_steps):
            batches.append(_batch([rows[index] for index in part]))
            read |= {rows[index].scene for index in part}
    return Load(
        rows=len(rows),
        own=sum(len(row.own) for row in rows) / len(rows),
        scene_tokens=sum(map(len, read)),
        batch=max(batches, key=lambda batch: batch.rows * (batch.tokens + batch.scene_tokens)),
    )


def _batch(rows: list[Row]) -> Batch:
    scenes = {row.scene for row in rows if row.scene}
    return Batch(
        len(rows), max((len(row.own) for row in rows), default=0), len(scenes), max(map(len, scenes), default=0)
    )


def _shown(tokenizer: PreTrainedTokenizerBase, ids: Ids) -> str:
    return json.dumps(tokenizer.decode(ids), ensure_ascii=False)
