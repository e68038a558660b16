"""The recipe of a graft: which base, which extension of its tokenizer, which texts, and how the rows are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from hyperbridge.errors import HyperBridgeError
from hyperbridge.tokenizer.embeddings import Start
from hyperbridge.trainers.recipe import BaseSection, Positive, Rate, Section, load_recipe


class GraftTexts(Section):
    """What new tokens are looked for in; `held_out` works, and those `split_of` calls test, are never read."""

    inputs: list[str] = Field(default_factory=list)
    held_out: list[str] = Field(default_factory=list)


class DistillationSection(Section):
    """How the new rows are trained.

    `snippets_per_token`: a stretch of text is read if one of its new tokens was in fewer before; units that no text
    holds are set into that many stretches instead. `max_steps` and `minutes` make the run shorter than its `epochs`;
    0 steps leave the rows as they start. `learning_rate` is a share of the old rows' deviation from their mean, since
    bases differ tenfold in it. `next_token_weight` weighs the prediction of tokens against the distance of
    hidden states, both in units of their own. `save_steps`: between checkpoints; 0 keeps none.
    """

    snippets_per_token: Positive = 100
    snippet_tokens: Annotated[int, Field(ge=8)] = 128
    epochs: Positive = 1
    max_steps: Annotated[int, Field(ge=0)] | None = None
    minutes: Rate | None = None
    batch_size: Positive = 8
    gradient_accumulation_steps: Positive = 1
    learning_rate: Rate = 0.02
    lr_scheduler: str = "cosine"
    warmup_steps: Annotated[float, Field(ge=0)] = 0.05
    max_grad_norm: Rate = 1.0
    next_token_weight: Annotated[float, Field(ge=0)] = 0.1
    seed: int = 0
    logging_steps: Positive = 10
    save_steps: Annotated[int, Field(ge=0)] = 200


class GraftRecipe(Section):
    """An extended base: `BASE/graft`. `extension` is a folder of `hyperbridge tokenizer extend`."""

    base: BaseSection
    extension: str
    start: Start = "weighted"
    texts: GraftTexts = GraftTexts()
    distillation: DistillationSection = DistillationSection()
    output_dir: str


def graft_recipe(recipe: str | None, given: Mapping[str, Any], overrides: Sequence[str] = ()) -> GraftRecipe:
    """A recipe from what the command line says, over a recipe file or over the defaults.

    Args:
        recipe: file, or name of a shipped one; None: the defaults.
        given: `section.key` -> value. A `base.model` that is a .gguf file, or a folder with nothing else to load, is
            told apart from its `base.gguf_file` here.
        overrides: `key=value` texts, which need a recipe to override.

    Raises:
        HyperBridgeError: the recipe is missing, or a value does not fit.
    """
    if recipe is None and overrides:
        raise HyperBridgeError(f"--set {overrides[0]!r}: there is no recipe to override; name one with --recipe")
    return load_recipe(recipe, GraftRecipe, overrides, given={**given, **_gguf(str(given.get("base.model", "")))})


def _gguf(model: str) -> dict[str, str]:
    """The folder and the file of weights in GGUF."""
    path = Path(model)
    if path.suffix == ".gguf":
        return {"base.model": str(path.parent), "base.gguf_file": path.name}
    found = sorted(path.glob("*.gguf")) if path.is_dir() and not (path / "config.json").exists() else []
    return {"base.gguf_file": found[0].name} if len(found) == 1 else {}
