"""What can be known of a graft before anything is trained: does the extension belong to the base, what do rows take.

The architecture is tried at toy size, with random numbers, for what rows alone cannot follow (scaled embeddings or
logits). Where the extension's folder is there, its tokens are counted and its tokenizer is held against the base's;
where the texts are there as well, they are read as training reads them, for its own snippets. Else both are guessed,
and it is said. Memory and time are row_estimate.py's. Cost: seconds, and the reading of the texts.
"""

from __future__ import annotations

from contextlib import redirect_stderr
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.base import Base, load_tokenizer
from hyperbridge.tokenizer.embeddings import padded_size
from hyperbridge.tokenizer.extension import FILE_NAME, Extension
from hyperbridge.trainers.checked import Checked, find_config, find_tokenizer, smaller_passes
from hyperbridge.trainers.graft import check_belongs, find_snippets
from hyperbridge.trainers.row_estimate import RowBatch, RowLoad, estimate_rows, is_stored_otherwise

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from hyperbridge.trainers.graft_recipe import GraftRecipe

# What the command at the head of recipes/jobs/graft.yaml learns.
MERGES = 16_000
# New tokens of a stretch that are still wanted when it is taken: 1,500 of them made 10,663 stretches where each was
# wanted in 100 (benchmarks/graft.py). More of them are rarer, and texts end sooner.
WANTED_IN_A_SNIPPET = 14
# Tokens of a base for one of its extension, in Russian; 1.4 (Qwen) to 1.9 (SmolLM2).
BASE_TOKENS_A_TOKEN = 2


def check_graft(name: str, recipe: GraftRecipe, *, device: str, gpus: int) -> Checked:
    """Check a graft.

    Args:
        name: as the user named it.
        recipe: what is asked for.
        device: `cuda` or `cpu`.
        gpus: processes of the launch, which read different snippets.
    """
    checked = Checked(name, recipe)
    config = find_config(checked, recipe.base)
    if config is None:
        return checked
    _check_plain(checked, config)
    tokenizer = find_tokenizer(checked, recipe.base, without="it is taken to be the one that was extended")
    if tokenizer is not None:
        checked.notes.append(f"chat template, end {tokenizer.eos_token}, padding {tokenizer.pad_token}")
    extension = _extension(checked, recipe, config)
    if checked.wrong:
        return checked
    load = _load(checked, recipe, extension, gpus)
    if load is not None:
        checked.estimate = estimate_rows(config, recipe, load, device)
    if is_stored_otherwise(config, recipe):
        checked.notes.append("the base is loaded a second time to be written as it is stored")
    return checked


def graft_advice(recipe: GraftRecipe) -> list[str]:
    """What to change where a graft does not fit one card."""
    distillation = recipe.distillation
    if distillation.batch_size == 1:
        return []
    return [smaller_passes("distillation", distillation.batch_size, distillation.gradient_accumulation_steps)]


def _check_plain(checked: Checked, config: PretrainedConfig) -> None:
    """Try the architecture at toy size; a base of which no toy can be made is left to the run."""
    from transformers import AutoModelForCausalLM

    from hyperbridge.trainers.distillation import check_plain

    try:
        check_plain(AutoModelForCausalLM.from_config(_toy(config)).eval())
    except HyperBridgeError as error:
        checked.wrong.append(str(error))
        return
    except Exception as error:  # whatever an architecture asks of its sizes, when it is built and when it reads
        checked.unchecked.append(
            f"whether {config.model_type} scales its embeddings: {' '.join(str(error).split())[:100]}"
        )
        return
    rows = "one row reads and predicts" if config.tie_word_embeddings else "a row reads and a row predicts"
    checked.notes.append(f"embeddings and logits are plain products; of each new token {rows}")


def _toy(config: PretrainedConfig) -> PretrainedConfig:
    """The same architecture, one layer of it, narrow and of few words."""
    toy = deepcopy(config)
    small = {"num_hidden_layers": 1, "vocab_size": 8, "hidden_size": 8 * config.num_attention_heads}
    small |= {"intermediate_size": 16, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    for key, value in small.items():
        setattr(toy, key, value)
    if getattr(toy, "layer_types", None):
        toy.layer_types = toy.layer_types[:1]
    return toy


def _extension(checked: Checked, recipe: GraftRecipe, config: PretrainedConfig) -> Extension | None:
    """The extension, if it is there, held against the base."""
    folder = Path(recipe.extension)
    if not (folder / FILE_NAME).exists():
        checked.unchecked.append(
            f"extension {folder}: is not there yet (hyperbridge tokenizer extend); {MERGES:,} new tokens are assumed"
        )
        return None
    try:
        extension = Extension.load(folder)
        load_tokenizer(Base(model=str(folder)))
        check_belongs(extension, recipe.base.base())
    except hub.HubUnreachable:
        checked.unchecked.append(
            f"whether {folder} extends the tokenizer of {recipe.base.model}: the Hub cannot be reached"
        )
    except HyperBridgeError as error:
        checked.wrong.append(str(error))
        return None
    if config.vocab_size < extension.base_size:
        checked.wrong.append(
            f"base {recipe.base.model}: {config.vocab_size} rows, and the tokenizer that was extended has "
            f"{extension.base_size} ids; this is another base's extension"
        )
        return None
    count = len(extension.tokens)
    rows = padded_size(max(config.vocab_size, extension.base_size + count))
    checked.notes.append(f"{count:,} new tokens; matrices of {config.vocab_size:,} rows become {rows:,}")
    return extension


def _load(checked: Checked, recipe: GraftRecipe, extension: Extension | None, gpus: int) -> RowLoad | None:
    """What is trained: the snippets of the recipe's own texts, or a guess."""
    if recipe.distillation.max_steps == 0:
        checked.notes.append("no steps: rows are left as they start, and nothing is estimated")
        return None
    if extension is None or not recipe.texts.inputs:
        return _guessed_load(checked, recipe, extension, gpus)
    try:
        return _load_of_texts(checked, recipe, extension, gpus)
    except HyperBridgeError as error:
        checked.wrong.append(f"texts: {error}")
        return None


def _load_of_texts(checked: Checked, recipe: GraftRecipe, extension: Extension, gpus: int) -> RowLoad:
    from hyperbridge.trainers.graft import load_extended_tokenizer

    tokenizer = load_extended_tokenizer(Path(recipe.extension), extension)
    with redirect_stderr(StringIO()):  # its progress bar
        snippets = find_snippets(recipe, extension, tokenizer, checked.notes.append)
    read = _read(recipe, len(snippets), gpus)
    taken = snippets[:read]
    begin = tokenizer.bos_token_id is not None
    return RowLoad(
        new_tokens=len(extension.tokens),
        snippets=read,
        batch=RowBatch(
            min(recipe.distillation.batch_size, len(taken)),
            max(len(one.ids) for one in taken) + begin,
            max(len(extension.expand(one.ids)) for one in taken) + begin,
        ),
    )


def _guessed_load(checked: Checked, recipe: GraftRecipe, extension: Extension | None, gpus: int) -> RowLoad:
    distillation = recipe.distillation
    if not recipe.texts.inputs:
        checked.unchecked.append(
            "texts: none are named yet (--set 'texts.inputs=[DIR]'); for the time, each snippet is taken to hold "
            f"{WANTED_IN_A_SNIPPET} tokens that are wanted"
        )
    count = MERGES if extension is None else len(extension.tokens)
    snippets = -(-count * distillation.snippets_per_token // WANTED_IN_A_SNIPPET)
    tokens = distillation.snippet_tokens + 1
    batch = RowBatch(distillation.batch_size, tokens, tokens * BASE_TOKENS_A_TOKEN)
    return RowLoad(count, _read(recipe, snippets, gpus), batch)


def _read(recipe: GraftRecipe, snippets: int, gpus: int) -> int:
    """Snippets that are read in the whole run, of so many; those of epochs count again."""
    distillation = recipe.distillation
    a_step = distillation.batch_size * distillation.gradient_accumulation_steps * gpus
    steps = -(-snippets * distillation.epochs // a_step)
    return a_step * min(steps, distillation.max_steps or steps)
