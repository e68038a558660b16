"""What a graft takes: its rows and their optimizer exactly, two passes, and a second base where it is loaded again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from toy_config import toy_config

from hyperbridge.trainers.estimate import weigh
from hyperbridge.trainers.graft_recipe import GraftRecipe
from hyperbridge.trainers.row_estimate import RowBatch, RowLoad, count_rows, estimate_rows, is_stored_otherwise

LOAD = RowLoad(new_tokens=40, snippets=120, batch=RowBatch(snippets=4, tokens=32, base_tokens=50))


def config(*, tied: bool = True, dtype: str = "bfloat16") -> Any:
    return toy_config("llama", tie_word_embeddings=tied, dtype=dtype)


def recipe(**base: Any) -> GraftRecipe:
    section = {"model": "x/y", "dtype": "bfloat16", **base}
    return GraftRecipe.model_validate({"output_dir": "runs/x", "base": section, "extension": "runs/tokenizer"})


@pytest.mark.parametrize(("tied", "matrices"), [(True, 1), (False, 2)])
def test_rows_and_their_two_moments_are_float32_once_for_each_matrix(tied: bool, matrices: int) -> None:
    memory = estimate_rows(config(tied=tied), recipe(), LOAD).memory
    assert memory.rows == matrices * 40 * 64 * 4
    assert memory.optimizer == 2 * memory.rows
    assert memory.weights == 2 * weigh(config(tied=tied)).parameters


def test_a_step_grows_with_its_snippets_and_its_logits_are_of_a_few_places() -> None:
    small, large = (count_rows(config(), recipe(), replace(LOAD, batch=RowBatch(n, 32, 50))) for n in (4, 8))
    assert large.backward > 1.8 * small.backward
    # 128 places at once: logits in bfloat16, the same in float32 and what their sum is made of
    assert 128 * 500 * (2 + 4) < small.logits < 3 * 128 * 500 * (2 + 4)
    assert large.logits < 1.8 * small.logits


def test_the_extended_models_pass_keeps_more_than_the_bases() -> None:
    longer = replace(LOAD, batch=RowBatch(4, 32, 60))
    before, after = (count_rows(config(), recipe(), load).backward for load in (LOAD, longer))
    assert after == pytest.approx(before, rel=0.01)


def test_time_is_a_pass_of_the_base_and_two_of_the_extended_model() -> None:
    found = estimate_rows(config(), recipe(), LOAD)
    assert found.operations == weigh(config()).parameters * 120 * (2 * 50 + 4 * 32)


def test_a_base_that_is_stored_otherwise_is_there_twice_at_the_end() -> None:
    assert not is_stored_otherwise(config(), recipe())
    assert is_stored_otherwise(config(), recipe(dtype="float32"))
    assert is_stored_otherwise(config(), recipe(load_in_4bit=True))
    few = replace(LOAD, batch=RowBatch(1, 8, 8))
    packed = estimate_rows(config(), recipe(load_in_4bit=True), few).memory
    assert packed.weights + packed.writing > 2 * weigh(config()).parameters


def test_a_graft_is_not_shared_out() -> None:
    found = estimate_rows(config(), recipe(), LOAD)
    assert found.over(4).memory == found.memory
    assert found.whole == "a graft needs the whole base on each GPU"
