"""The preview shows what is trained on: the base's part dim, the register's blue, its loss green, nothing hidden."""

from __future__ import annotations

from typing import Any

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.preview import preview_recipe
from hyperbridge.trainers.recipe import RegisterRecipe


def parts(line: Any, colour: str) -> str:
    return "".join(line.plain[span.start : span.end] for span in line.spans if colour in str(span.style))


def test_the_preview_colours_what_has_a_loss(recipe_data: Any, tmp_path) -> None:
    recipe = RegisterRecipe.model_validate(recipe_data(tmp_path / "run"))
    head, row, *rest = preview_recipe(recipe, rows=1)
    assert head.plain.startswith("poet (поэтический): 6 rows, ")
    assert parts(row, "green") == "Он шагнул в молчание,⏎\nи оно загорелось.<|im_end|>"
    assert parts(row, "blue") == "<|im_start|>assistant⏎\n"
    assert parts(row, "grey") == "<|im_start|>user⏎\nжар+тишина+вход; agent=тело; act=шаг<|im_end|>⏎\n"
    assert len(parts(row, "grey") + parts(row, "blue") + parts(row, "green")) == len(row.plain)
    assert [line.plain.split(":")[0] for line in rest if "rows" in line.plain] == ["body (телесный)"]
    assert not (tmp_path / "run").exists()


def test_a_register_that_is_always_active_is_shown_to_read_the_whole_prompt(recipe_data: Any, tmp_path) -> None:
    recipe = RegisterRecipe.model_validate(recipe_data(tmp_path / "run") | {"activation": "always"})
    _, row, *_ = preview_recipe(recipe, rows=1)
    assert parts(row, "grey") == ""
    assert parts(row, "blue") == (
        "<|im_start|>user⏎\nжар+тишина+вход; agent=тело; act=шаг<|im_end|>⏎\n<|im_start|>assistant⏎\n"
    )


def test_the_preview_counts_what_is_left_out(recipe_data: Any, tmp_path) -> None:
    recipe = RegisterRecipe.model_validate(recipe_data(tmp_path / "run", max_length=40))
    head = next(iter(preview_recipe(recipe, rows=1)))
    assert head.plain.startswith("poet (поэтический): 0 rows, 0 tokens, 0 with a loss, 6 left out: longer than max_le")


def test_the_preview_of_a_base_that_is_not_there_is_the_users_error(recipe_data: Any, tmp_path) -> None:
    data = recipe_data(tmp_path / "run")
    recipe = RegisterRecipe.model_validate(data | {"base": {"model": str(tmp_path / "нет")}})
    with pytest.raises(HyperBridgeError, match="нет: "):
        list(preview_recipe(recipe, rows=1))
