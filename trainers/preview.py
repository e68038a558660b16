"""What a recipe trains on, token by token: prompt tokens dim, tokens with a loss green, their borders marked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hyperbridge.modeling.base import load_tokenizer
from hyperbridge.trainers.preparation import IGNORED, load_pairs, of_style, prepare
from hyperbridge.trainers.recipe import RegisterRecipe

if TYPE_CHECKING:
    from rich.text import Text
    from transformers import PreTrainedTokenizerBase

WITH_LOSS = ("black on green3", "black on pale_green3")
WITHOUT_LOSS = ("grey50", "grey62")


def preview_recipe(recipe: RegisterRecipe, *, rows: int) -> Iterator[Text]:
    """For each register a headline with its counts and `rows` coloured rows; loads the tokenizer, not the model.

    Raises:
        HyperBridgeError: the data are missing or bad.
    """
    from rich.text import Text

    tokenizer = load_tokenizer(recipe.base.base())
    pairs = load_pairs(recipe.data.train, recipe.data.scenes)
    for name, register in recipe.registers.items():
        prepared = prepare(
            of_style(pairs, register.style),
            tokenizer,
            max_length=recipe.training.max_length,
            system_prompt=recipe.system_prompt,
        )
        with_loss = sum(label != IGNORED for row in prepared.rows for label in row["labels"])
        tokens = sum(len(row["input_ids"]) for row in prepared.rows)
        dropped = "".join(f", {count} left out: {reason}" for reason, count in prepared.dropped.items())
        yield Text(
            f"{name} ({register.style}): {len(prepared.rows)} rows, {tokens} tokens, {with_loss} with a loss{dropped}",
            style="bold",
        )
        for row in prepared.rows[:rows]:
            yield coloured_row(row["input_ids"], row["labels"], tokenizer)


def coloured_row(input_ids: list[int], labels: list[int], tokenizer: PreTrainedTokenizerBase) -> Text:
    """One row, a span a token; neighbouring tokens alternate in shade, and a line end shows as ⏎."""
    from rich.text import Text

    line = Text()
    for index, (token_id, label) in enumerate(zip(input_ids, labels, strict=True)):
        shades = WITHOUT_LOSS if label == IGNORED else WITH_LOSS
        line.append(tokenizer.decode([token_id]).replace("\n", "⏎\n"), style=shades[index % 2])
    return line
