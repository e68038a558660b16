"""A base from nothing is checked for its architecture and its files; that nothing is estimated is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge.trainers.recipe_check import check_recipe

NAME = "nano-ru/pretrain"


def test_it_is_counted_and_not_estimated() -> None:
    checked = check_recipe(NAME)
    assert checked.wrong == []
    assert checked.notes == ["8,393,984 parameters with a full vocabulary, 21,299,200 tokens in 1,300 steps"]
    assert checked.unchecked[-1] == "memory and time of a base from nothing: no estimate is made"
    assert checked.estimate is None


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("architecture.num_key_value_heads=3", "architecture: its sizes do not fit together"),
        ("schedule.block_size=4096", "schedule.block_size is longer than architecture.max_position_embeddings"),
        ("texts.inputs=[nowhere]", "texts.inputs: nowhere is not there"),
        ("texts.chats=nowhere.jsonl", "texts.chats: nowhere.jsonl is not there"),
    ],
)
def test_what_would_stop_the_run_is_said_before(override: str, why: str) -> None:
    (wrong,) = check_recipe(NAME, [override]).wrong
    assert wrong.startswith(why)


def test_texts_that_are_named_are_no_open_question(tmp_path: Path) -> None:
    assert len(check_recipe(NAME, [f"texts.inputs=[{tmp_path}]"]).unchecked) == 1
