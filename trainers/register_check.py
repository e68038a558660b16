"""What can be known of a recipe of registers (an interpreter, a synthesizer) before anything is trained.

The LoRA's layers are found in an architecture without weights; the data are read; where the tokenizer can be had, the
rows are made as training makes them and the largest micro-batch is found in the very plan of the run. Memory and time
are register_estimate.py's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError
from hyperbridge.trainers.checked import Checked, find_config, find_tokenizer, smaller_passes
from hyperbridge.trainers.preparation import Pair, Row, pairs_of, prepare
from hyperbridge.trainers.register_estimate import Batch, Load, adapted_layers, estimate_registers

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from hyperbridge.modeling.shared_scene import Ids
    from hyperbridge.trainers.estimate import Estimate
    from hyperbridge.trainers.recipe import RegisterRecipe

# Where there is no tokenizer to count with: Russian text in vocabularies that were not made for it.
CHARACTERS_A_TOKEN = 2.0
TEMPLATE_TOKENS = 12


def check_registers(name: str, recipe: RegisterRecipe, *, device: str, gpus: int) -> Checked:
    """Check a recipe of adapters.

    Args:
        name: as the user named it.
        recipe: what is asked for.
        device: `cuda` or `cpu`.
        gpus: processes of the launch, which share out a step's rows.
    """
    checked = Checked(name, recipe)
    config = find_config(checked, recipe.base)
    if config is None:
        return checked
    _check_targets(checked, recipe, config)
    pairs = _pairs(checked, recipe)
    if pairs is None or checked.wrong:
        return checked
    without = f"rows are guessed at {CHARACTERS_A_TOKEN:g} characters a token"
    tokenizer = find_tokenizer(checked, recipe.base, without=without)
    rows = _rows_to_train(checked, recipe, pairs, tokenizer)
    if rows:
        checked.estimate = estimate_registers(config, recipe, load_of_rows(rows, recipe, gpus), device)
    return checked


def register_advice(name: str, recipe: RegisterRecipe, estimate: Estimate) -> list[str]:
    """What to change where a recipe does not fit one card, the cheapest first."""
    memory, training = estimate.memory, recipe.training
    step = memory.activations + memory.logits
    found = []
    if step > memory.weights / 4 and training.batch_size > 1:
        found.append(smaller_passes("training", training.batch_size, training.gradient_accumulation_steps))
    if not training.gradient_checkpointing:
        found.append("--set training.gradient_checkpointing=true (slower, layers keep less)")
    if not (recipe.base.load_in_4bit or estimate.has_experts):
        found.append(f"{name}+qlora (the base in 4 bits)")
    return found


def load_of_rows(rows: list[Row], recipe: RegisterRecipe, gpus: int = 1) -> Load:
    """What rows ask of a machine under a recipe: their tokens, and the largest micro-batch of the run's own plan.

    Args:
        rows: of all registers, at least one.
        recipe: its batches and steps.
        gpus: processes that share out a step.
    """
    from hyperbridge.trainers.joint import plan_steps, shards

    training = recipe.training
    parts = training.gradient_accumulation_steps * gpus
    plan = plan_steps(
        rows,
        batch_size=training.batch_size * parts,
        epochs=training.epochs,
        max_steps=training.max_steps,
        seed=training.seed,
    )
    batches, read = [], set()
    for step in plan.steps:
        for part in shards(rows, (row for own in step.values() for row in own), parts):
            batches.append(_batch([rows[index] for index in part]))
            read |= {rows[index].scene for index in part}
    return Load(
        rows=len(rows),
        own=sum(len(row.own) for row in rows) / len(rows),
        scene_tokens=sum(map(len, read)),
        batch=max(batches, key=lambda batch: batch.rows * (batch.tokens + batch.scene_tokens)),
    )


def _check_targets(checked: Checked, recipe: RegisterRecipe, config: PretrainedConfig) -> None:
    try:
        found = adapted_layers(config, recipe.lora)
    except ValueError as error:
        checked.wrong.append(f"lora.target_modules: {' '.join(str(error).split())[:200]}")
        return
    checked.notes.append(f"adapted in each of {config.num_hidden_layers} layers: {', '.join(found)}")
    if getattr(config, "num_local_experts", 0) and recipe.base.load_in_4bit:
        checked.wrong.append(
            "base.load_in_4bit: the experts of this base are one tensor a layer, which bitsandbytes does not pack: "
            "they would stay in 16 bits; train without +qlora on a larger card, on several (--gpus), or on another base"
        )


def _pairs(checked: Checked, recipe: RegisterRecipe) -> dict[str, list[Pair]] | None:
    """What is trained on; the other splits are only read."""
    try:
        pairs = pairs_of(recipe, "train")
        for split in ("validation", "test"):
            if getattr(recipe.data, split):
                pairs_of(recipe, split)
    except HyperBridgeError as error:
        (checked.wrong if recipe.data.replies is None else checked.unchecked).append(f"data: {error}")
        return None
    checked.notes.append(", ".join(f"{name} {len(own)}" for name, own in pairs.items()) + " pairs")
    return pairs


def _rows_to_train(
    checked: Checked, recipe: RegisterRecipe, pairs: dict[str, list[Pair]], tokenizer: PreTrainedTokenizerBase | None
) -> list[Row]:
    """The rows of the run, or guessed ones where the tokenizer is out of reach; none where something is wrong."""
    if tokenizer is None:
        return [] if checked.wrong else _guessed_rows(pairs, recipe)
    from hyperbridge.modeling.shared_scene import invocation_ids

    try:
        invocation = invocation_ids(tokenizer) if recipe.activation == "scene" else ()
    except HyperBridgeError as error:
        checked.wrong.append(str(error))
        return []
    activated = f"; registers are activated by {_shown(tokenizer, invocation)}" if invocation else ""
    checked.notes.append(f"chat template, end {tokenizer.eos_token}, padding {tokenizer.pad_token}{activated}")
    return _rows(checked, recipe, pairs, tokenizer, invocation)


def _rows(
    checked: Checked,
    recipe: RegisterRecipe,
    pairs: dict[str, list[Pair]],
    tokenizer: PreTrainedTokenizerBase,
    invocation: Ids,
) -> list[Row]:
    """The rows as training makes them."""
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


def _batch(rows: list[Row]) -> Batch:
    scenes = {row.scene for row in rows if row.scene}
    return Batch(
        len(rows), max((len(row.own) for row in rows), default=0), len(scenes), max(map(len, scenes), default=0)
    )


def _shown(tokenizer: PreTrainedTokenizerBase, ids: Ids) -> str:
    return json.dumps(tokenizer.decode(ids), ensure_ascii=False)
