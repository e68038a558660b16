"""Bits are the negative log2-likelihood of the text alone, however the rows are batched."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from hyperbridge.modeling.base import Base, load_base
from hyperbridge.modeling.scoring import ScoredRow, text_bits

ROWS = [
    ScoredRow([5, 300, 17], [600, 42, 7], 9),
    ScoredRow([5], [11], 2),
    ScoredRow([8, 9, 10, 11, 12, 13], [700, 701], 6),
    ScoredRow([5, 300, 17], [600, 42], 7),
]


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> Any:
    return load_base(Base(model=str(tiny_base)))[0]


def naive_bits(model: Any, row: ScoredRow) -> float:
    """One forward pass for every token of the text."""
    bits = 0.0
    for index, token_id in enumerate(row.text):
        with torch.no_grad():
            logits = model(torch.tensor([row.prompt + row.text[:index]])).logits[0, -1]
        bits -= logits.double().log_softmax(-1)[token_id].item() / math.log(2)
    return bits


def test_bits_are_those_of_a_naive_loop(model: Any) -> None:
    assert text_bits(model, ROWS) == pytest.approx([naive_bits(model, row) for row in ROWS], rel=1e-4)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_the_batch_size_does_not_matter(model: Any, batch_size: int) -> None:
    assert text_bits(model, ROWS, batch_size=batch_size) == pytest.approx(text_bits(model, ROWS), rel=1e-5)


def test_a_uniform_model_costs_the_logarithm_of_the_vocabulary_per_token(model: Any) -> None:
    class Uniform(torch.nn.Linear):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            return type("Output", (), {"logits": torch.zeros(*input_ids.shape, 1024)})

    assert text_bits(Uniform(1, 1), ROWS) == pytest.approx([30.0, 10.0, 20.0, 20.0])


def test_no_rows_cost_nothing(model: Any) -> None:
    assert text_bits(model, []) == []
