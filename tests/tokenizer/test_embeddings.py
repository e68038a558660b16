"""New rows start where their constituents are: which of them count, and how random rows are drawn."""

from __future__ import annotations

import pytest
import torch

from hyperbridge.tokenizer.embeddings import constituent_weights, mean_rows, padded_size, random_rows, start_rows

OLD = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
LENGTHS = [1, 3, 2]


def test_a_plain_start_is_the_mean_of_the_constituents() -> None:
    rows = start_rows(OLD, [(0, 1), (2,), (0, 0, 2)], "plain", role="both", length_of=LENGTHS.__getitem__)
    assert rows.tolist() == [[0.5, 0.5], [4.0, 4.0], [2.0, pytest.approx(4 / 3)]]


def test_a_long_piece_weighs_more_than_a_short_one() -> None:
    assert constituent_weights([1, 3, 2], "both") == pytest.approx([1, 3 * 0.7, 2 * 0.49])
    rows = start_rows(OLD, [(0, 1)], "weighted", role="both", length_of=LENGTHS.__getitem__)
    assert rows[0].tolist() == pytest.approx([1 / 3.1, 2.1 / 3.1])


def test_an_early_piece_counts_where_rows_predict_and_a_late_one_where_they_read() -> None:
    assert constituent_weights([2, 2, 2], "predicts") == [2.0, 1.0, 0.5]
    early, middle, late = constituent_weights([2, 2, 2], "reads")
    assert early < middle < late


def test_a_piece_without_length_still_counts() -> None:
    assert constituent_weights([0], "both") == [1.0]


def test_random_rows_have_the_mean_and_the_covariance_of_the_old_ones() -> None:
    old = torch.randn(400, 2, generator=torch.Generator().manual_seed(1)) @ torch.tensor([[2.0, 1.0], [0.0, 0.1]])
    rows = random_rows(old + 5, 20_000, seed=3)
    assert torch.allclose(rows.mean(dim=0), (old + 5).mean(dim=0), atol=0.1)
    assert torch.allclose(torch.cov(rows.T), torch.cov(old.T), atol=0.2)
    assert torch.equal(rows, random_rows(old + 5, 20_000, seed=3))
    assert not torch.equal(rows, random_rows(old + 5, 20_000, seed=4))


def test_random_rows_come_from_rows_that_span_a_line_too() -> None:
    line = torch.arange(5.0)[:, None] * torch.tensor([[1.0, 2.0]])
    rows = random_rows(line, 3)
    assert torch.allclose(rows[:, 1], 2 * rows[:, 0], atol=1e-4)


def test_rows_in_half_precision_are_added_up_in_single() -> None:
    rows = mean_rows(OLD.bfloat16(), [(0, 1)], [[1.0, 2.0]])
    assert rows.dtype == torch.float32
    assert rows[0].tolist() == pytest.approx([1 / 3, 2 / 3])


def test_matrices_are_padded_to_a_multiple() -> None:
    assert [padded_size(rows) for rows in (1, 64, 65)] == [64, 64, 128]
