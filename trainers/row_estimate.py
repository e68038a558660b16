"""What a graft takes in memory and time, before anything is downloaded: one step of its rows, in fake tensors.

The base is built with one and with two layers (live_tensors.py); its reading of a batch, the extended model's, the
losses and the way back go through the code of distillation.py, and the difference of the two counts is a layer. Rows
and their optimizer are counted by their shapes. Beside the step stands what begins and ends a run: an embedding matrix
in float32, and a second base where the recipe loads it otherwise than it is stored. Cost: a second; no weights are
allocated.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch

from hyperbridge.trainers.distillation import Distillation, NewRows, relative_distance
from hyperbridge.trainers.estimate import HELD, RUNTIME, SIZES, Estimate, Memory, Weights, weigh
from hyperbridge.trainers.live_tensors import LiveTensors, make_fake, over_layers, with_layers

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from hyperbridge.trainers.graft_recipe import GraftRecipe


@dataclass(frozen=True, slots=True)
class RowBatch:
    """The largest micro-batch: snippets, their padded length in new tokens and in the base's own."""

    snippets: int
    tokens: int
    base_tokens: int


@dataclass(frozen=True, slots=True)
class RowLoad:
    """What is trained.

    Attributes:
        new_tokens: rows to add.
        snippets: that are read in the whole run, again where they come again.
        batch: the largest micro-batch.
    """

    new_tokens: int
    snippets: int
    batch: RowBatch


@dataclass(frozen=True, slots=True)
class CountedRows:
    """Numbers of the rows, and the most bytes that live until the losses are made and on the way back.

    Attributes:
        learned: parameters: the rows that read, and those that predict where these are others.
        forward, backward: with what the losses over the vocabulary take.
        logits: the part of `forward` that predicting takes.
    """

    learned: int
    forward: int
    backward: int
    logits: int


def count_rows(config: PretrainedConfig, recipe: GraftRecipe, load: RowLoad) -> CountedRows:
    """Count an architecture under a graft.

    Args:
        config: of the base.
        recipe: the dtype and the losses.
        load: its rows and its batch.
    """
    one, two = (_step(with_layers(config, layers), recipe, load) for layers in (1, 2))
    layers = int(config.num_hidden_layers)
    names = [part.name for part in fields(CountedRows)]
    return CountedRows(**{name: over_layers(getattr(one, name), getattr(two, name), layers) for name in names})


def estimate_rows(config: PretrainedConfig, recipe: GraftRecipe, load: RowLoad, device: str = "cuda") -> Estimate:
    """What a graft takes on one device."""
    weights, counted = weigh(config), count_rows(config, recipe, load)
    step = int((max(counted.forward, counted.backward) + weights.unpacked(recipe.base)) * HELD[device])
    logits = int(counted.logits * HELD[device]) if counted.forward >= counted.backward else 0
    memory = Memory(
        weights=weights.size(recipe.base),
        rows=4 * counted.learned,
        optimizer=2 * 4 * counted.learned,
        activations=step - logits,
        logits=logits,
        writing=max(0, _apart_from_steps(config, weights, recipe) - step),
        runtime=RUNTIME[device],
    )
    read = load.snippets * (2 * load.batch.base_tokens + 4 * load.batch.tokens)
    whole = "a graft needs the whole base on each GPU"
    return Estimate(recipe.base, weights, memory, float(weights.active) * read, load.batch, whole=whole)


def is_stored_otherwise(config: PretrainedConfig, recipe: GraftRecipe) -> bool:
    """Whether the base is loaded a second time to be written, as it is stored."""
    stored = str(config.dtype or recipe.base.dtype).removeprefix("torch.")
    return recipe.base.load_in_4bit or (stored != recipe.base.dtype and not recipe.base.gguf_file)


def _apart_from_steps(config: PretrainedConfig, weights: Weights, recipe: GraftRecipe) -> int:
    """Bytes before and after the steps: a matrix in float32, for its mean and deviation; a second base."""
    second = weights.parameters * SIZES[str(config.dtype or "bfloat16").removeprefix("torch.")]
    return 4 * weights.output + (second if is_stored_otherwise(config, recipe) else 0)


def _step(config: PretrainedConfig, recipe: GraftRecipe, load: RowLoad) -> CountedRows:
    """A short base, and one step of its new rows in fake tensors."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, recipe.base.dtype)).eval()
    first_new = base.get_input_embeddings().num_embeddings
    with FakeTensorMode(allow_non_fake_inputs=True):
        make_fake(base)
        new = torch.empty(load.new_tokens, config.hidden_size)
        student = _Student(base, NewRows(new, None if config.tie_word_embeddings else new), first_new)
        with LiveTensors(base, student) as live:
            forward, backward, logits = _lived(live, base, student, load.batch)
    return CountedRows(sum(value.numel() for value in student.parameters()), forward, backward, logits)


def _lived(live: LiveTensors, base: Any, student: _Student, batch: RowBatch) -> tuple[int, int, int]:
    """The bytes of `CountedRows`: what `Distillation.forward` does, with every place compared and predicted."""
    ids = torch.zeros(batch.snippets, batch.tokens, dtype=torch.int64)
    places = torch.arange(batch.snippets * batch.tokens)
    with torch.no_grad():
        read = torch.zeros(batch.snippets, batch.base_tokens, dtype=torch.int64)
        wanted = base.base_model(input_ids=read, use_cache=False).last_hidden_state
    wanted = wanted.gather(1, ids[..., None].expand(-1, -1, wanted.shape[-1]))
    found = base.base_model(inputs_embeds=student.embed(ids), use_cache=False).last_hidden_state
    found, wanted = found.flatten(0, 1), wanted.flatten(0, 1)
    loss = relative_distance(found[places], wanted[places])
    before = live.now
    loss = loss + student.surprise(found.detach()[places], ids.flatten())
    del found, wanted
    forward = live.begin()
    loss.backward()
    return forward, live.begin(), max(0, forward - before)


class _Student(Distillation):
    """A student of a base of fake tensors, which has no numbers to be checked."""

    def __init__(self, base: Any, rows: NewRows, first_new: int) -> None:
        torch.nn.Module.__init__(self)
        base.requires_grad_(False)
        self.rows = rows
        self._base = (base,)
        self._first_new = first_new
