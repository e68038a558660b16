"""The Kneser-Ney model is a distribution, and the one that the paper defines."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.ngram import KneserNey, discounts

A, B, C = 0, 1, 2
STREAM = np.array([A, B, A, B, A, C, A])


def skewed_stream(tokens: int, vocab_size: int) -> np.ndarray:
    """Random ids with many rare n-grams, so that all three discounts exist."""
    return np.minimum(np.random.default_rng(0).geometric(0.3, tokens) - 1, vocab_size - 1)


def test_bigrams_equal_the_values_worked_out_by_hand() -> None:
    # Pairs: ab 2, ba 2, ac 1, ca 1; two of count one and two of count two: D = 2 / (2 + 2 * 2) = 1/3.
    # Distinct predecessors: a 2, b 1, c 1, together 4; D = 2 / (2 + 2 * 1) = 1/2, left for uniform: 1.5 / 4.
    alone = {A: 1.5 / 4 + 3 / 8 / 3, B: 0.5 / 4 + 3 / 8 / 3}
    model = KneserNey.fit(STREAM, vocab_size=3, order=2)
    assert model.ngrams == [3, 4]
    assert model.probabilities(np.array([A, B])) == pytest.approx([alone[A], 5 / 9 + 2 / 9 * alone[B]])
    assert model.probabilities(np.array([B, B]))[1] == pytest.approx(1 / 3 / 2 * alone[B])


def test_discounts_are_those_of_chen_and_goodman() -> None:
    # n1..n4 = 4, 2, 1, 1; Y = 4 / (4 + 2 * 2) = 1/2.
    assert discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4])) == pytest.approx([0, 0.5, 1.25, 1])


@pytest.mark.parametrize("context", [[], [0], [6], [0, 1, 0], [0, 0, 1, 0], [6, 6, 6, 6], [5, 0, 6, 1, 0, 0]])
def test_probabilities_over_the_vocabulary_sum_to_one(context: list[int]) -> None:
    model = KneserNey.fit(skewed_stream(3000, 7), vocab_size=8)
    total = sum(model.probabilities(np.array([*context, token]))[-1] for token in range(8))
    assert total == pytest.approx(1.0)


def test_every_order_equals_a_count_by_dictionary() -> None:
    stream = skewed_stream(500, 7)
    model = KneserNey.fit(stream, vocab_size=7, order=4)
    text = skewed_stream(40, 7)[::-1].copy()
    expected = [by_dictionary(stream.tolist(), text[max(0, i - 3) : i + 1].tolist(), 7, 4) for i in range(len(text))]
    assert model.probabilities(text) == pytest.approx(expected)


def by_dictionary(stream: list[int], ngram: list[int], vocab_size: int, order: int) -> float:
    """The definition, word for word: slow, recursive."""
    if not ngram:
        return 1 / vocab_size
    length = len(ngram)
    grams = [tuple(stream[i : i + length]) for i in range(len(stream) - length + 1)]
    if length < order:
        longer = {tuple(stream[i : i + length + 1]) for i in range(len(stream) - length)}
        counts = Counter(gram[1:] for gram in longer) + Counter(dict.fromkeys(grams, 0))
    else:
        counts = Counter(grams)
    shorter = by_dictionary(stream, ngram[1:], vocab_size, order)
    taken = discounts(np.array(list(counts.values())))
    followers = {gram: count for gram, count in counts.items() if gram[:-1] == tuple(ngram[:-1])}
    total = sum(followers.values())
    if not total:
        return shorter
    count = counts[tuple(ngram)]
    left = sum(taken[min(follower, 3)] for follower in followers.values())
    return float((count - taken[min(count, 3)] + left * shorter) / total)
