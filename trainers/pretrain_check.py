"""What can be known of a base from nothing before it is trained: its architecture, and the files that its recipe names.

A token goes through the architecture without numbers, so that sizes that do not fit together are told. No memory and no
time are estimated: both depend on what the compiler makes of the model. Cost: a second.
"""

from __future__ import annotations

from pathlib import Path

from hyperbridge.locations import resolve_path
from hyperbridge.trainers.checked import Checked
from hyperbridge.trainers.recipe import PretrainRecipe


def check_pretraining(name: str, recipe: PretrainRecipe) -> Checked:
    """Check a base from nothing.

    Args:
        name: as the user named it.
        recipe: what is asked for.
    """
    checked = Checked(name, recipe)
    named = {"tokenizer.formulas": recipe.tokenizer.formulas, "texts.chats": recipe.texts.chats}
    files = [*named.items(), *(("texts.inputs", one) for one in recipe.texts.inputs)]
    for key, path in files:
        if path and not Path(resolve_path(path)).exists():
            checked.wrong.append(f"{key}: {path} is not there")
    block_size, longest = recipe.schedule.block_size, recipe.architecture.max_position_embeddings
    if block_size > longest:
        checked.wrong.append(
            f"schedule.block_size is longer than architecture.max_position_embeddings ({block_size} > {longest}); "
            "make it shorter"
        )
    try:
        parameters = _parameters(recipe)
    except RuntimeError as error:
        checked.wrong.append(f"architecture: its sizes do not fit together: {' '.join(str(error).split())[:200]}")
        return checked
    schedule = recipe.schedule
    steps = schedule.warmup_steps + schedule.stable_steps + schedule.decay_steps
    tokens = steps * schedule.micro_batch_size * schedule.gradient_accumulation_steps * schedule.block_size
    checked.notes.append(f"{parameters:,} parameters with a full vocabulary, {tokens:,} tokens in {steps:,} steps")
    if not recipe.texts.inputs:
        checked.unchecked.append("texts: none are named yet (--set 'texts.inputs=[DIR]')")
    checked.unchecked.append("memory and time of a base from nothing: no estimate is made")
    return checked


def _parameters(recipe: PretrainRecipe) -> int:
    """Parameters of the new base, after a token went through it without numbers.

    Raises:
        RuntimeError: its sizes do not fit together.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {**recipe.architecture.model_dump(), "vocab_size": recipe.tokenizer.vocab_size}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("qwen3", tie_word_embeddings=True, **sizes))
        model(torch.zeros(1, 8, dtype=torch.int64))
    return int(model.num_parameters())
