"""What a recipe trains on, token by token, their borders marked.

Dim: what the base reads, once for all registers. Blue: what the register reads. Green: what it learns to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hyperbridge.modeling.base import load_tokenizer
from hyperbridge.modeling.shared_scene import invocation_ids
from hyperbridge.trainers.preparation import Row, pairs_of, prepare
from hyperbridge.trainers.recipe import RegisterRecipe

if TYPE_CHECKING:
    from rich.text import Text
    from transformers import PreTrainedTokenizerBase

WITH_LOSS = ("black on green3", "black on pale_green3")
READ_BY_REGISTER = ("black on sky_blue3", "black on light_sky_blue1")
READ_BY_BASE = ("grey50", "grey62")


def preview_recipe(recipe: RegisterRecipe, *, rows: int) -> Iterator[Text]:
    """For each register a headline with its counts and `rows` coloured rows; loads the tokenizer, not the model.

    Raises:
        HyperBridgeError: the data are missing or bad.
    """
    from rich.text import Text

    tokenizer = load_tokenizer(recipe.base.base())
    invocation = invocation_ids(tokenizer) if recipe.activation == "scene" else ()
    pairs = pairs_of(recipe, "train")
    for name, register in recipe.registers.items():
        prepared = prepare(
            pairs[name],
            tokenizer,
            register=name,
            invocation=invocation,
            max_length=recipe.training.max_length,
            system_prompt=recipe.system_prompt,
        )
        with_loss = sum(row.said for row in prepared.rows)
        tokens = sum(len(row.scene) + len(row.own) for row in prepared.rows)
        dropped = "".join(f", {count} left out: {reason}" for reason, count in prepared.dropped.items())
        yield Text(
            f"{name} ({register.style}): {len(prepared.rows)} rows, {tokens} tokens, {with_loss} with a loss{dropped}",
            style="bold",
        )
        for row in prepared.rows[:rows]:
            yield coloured_row(row, tokenizer)


def coloured_row(row: Row, tokenizer: PreTrainedTokenizerBase) -> Text:
    """One row, a span a token; neighbouring tokens alternate in shade, and a line end shows as ⏎."""
    from rich.text import Text

    header = len(row.own) - row.said
    shades = [READ_BY_BASE] * len(row.scene) + [READ_BY_REGISTER] * header + [WITH_LOSS] * row.said
    line = Text()
    for index, (token_id, pair) in enumerate(zip(row.scene + row.own, shades, strict=True)):
        line.append(tokenizer.decode([token_id]).replace("\n", "⏎\n"), style=pair[index % 2])
    return line
