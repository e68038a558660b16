"""An n-gram model with interpolated modified Kneser-Ney smoothing, in numpy: what counting alone can do.

An n-gram is numbered by its rank among the sorted distinct n-grams of its order. The key of a longer one is the
rank of its first n - 1 tokens times the vocabulary size plus its last token, so keys stay below
(tokens x vocabulary) where a packed 8192^5 would not fit 64 bits. Orders below the highest count distinct
predecessors instead of occurrences; the shortest is interpolated with the uniform distribution. What can be known of
an n-gram beforehand is: `probability = mass[n-gram] + backoff[context] * shorter`. Fitting sorts the stream once an
order (6.5 M tokens, 5 orders: about 10 s, 1 GB); scoring is one binary search a token and order.
Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998), section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Chen and Goodman's three discounts: for counts of one, of two, and of three or more.
DISCOUNTS = 3


@dataclass(frozen=True, slots=True)
class _Order:
    """The n-grams of one length. The last entry of `mass` and of `backoff` stands for what was never seen.

    Attributes:
        keys: (n-grams,) int64, ascending.
        mass: (n-grams + 1,) float64, discounted count over the count of the context.
        backoff: (contexts + 1,) float64, the share that the discounts leave to the shorter n-grams.
    """

    keys: np.ndarray
    mass: np.ndarray
    backoff: np.ndarray


class KneserNey:
    """An n-gram model of token ids below `vocab_size`."""

    def __init__(self, orders: list[_Order], vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self._orders = orders

    @property
    def order(self) -> int:
        return len(self._orders)

    @property
    def ngrams(self) -> list[int]:
        """How many distinct n-grams of each length were seen."""
        return [len(order.keys) for order in self._orders]

    @classmethod
    def fit(cls, stream: np.ndarray, vocab_size: int, order: int = 5) -> KneserNey:
        """Count a stream of token ids: (tokens,) integers.

        N-grams are taken across the whole stream; put `order - 1` separators around every document, so that none
        joins two of them and a document's start has a context of its own.
        """
        stream = stream.astype(np.int64)
        rank: np.ndarray = np.zeros(len(stream) + 1, dtype=np.int64)
        keys: list[np.ndarray] = []
        counts: list[np.ndarray] = []
        for length in range(1, order + 1):
            position_keys = rank[: len(stream) - length + 1] * vocab_size + stream[length - 1 :]
            distinct, first, ranks, occurrences = np.unique(
                position_keys, return_index=True, return_inverse=True, return_counts=True
            )
            if counts:
                counts[-1] = np.bincount(rank[first + 1], minlength=len(keys[-1]))
            keys.append(distinct)
            counts.append(occurrences)
            rank = ranks
        contexts = [1, *(len(shorter) for shorter in keys[:-1])]
        return cls([_smoothed(*level, vocab_size) for level in zip(keys, counts, contexts, strict=True)], vocab_size)

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        """The probability of every id after the ids before it (at most `order` - 1 of them): (tokens,) float64."""
        ids = ids.astype(np.int64)
        probability = np.full(len(ids), 1.0 / self.vocab_size)
        context: np.ndarray = np.zeros(len(ids), dtype=np.int64)
        for order in self._orders:
            found = _find(order.keys, context * self.vocab_size + ids)
            probability = order.mass[found] + order.backoff[context] * probability
            context = np.concatenate(([-1], found[:-1]))
        return probability


def _smoothed(keys: np.ndarray, counts: np.ndarray, contexts: int, vocab_size: int) -> _Order:
    context: np.ndarray = keys // vocab_size
    taken = discounts(counts)[np.minimum(counts, DISCOUNTS)]
    totals = np.bincount(context, weights=counts, minlength=contexts)
    left = np.bincount(context, weights=taken, minlength=contexts)
    # A context that nothing follows (the end of the stream) leaves everything to the shorter one.
    backoff = np.divide(left, totals, out=np.ones(contexts), where=totals > 0)
    of_context = totals[context]
    mass = np.divide(counts - taken, of_context, out=np.zeros(len(keys)), where=of_context > 0)
    return _Order(keys, np.append(mass, 0.0), np.append(backoff, 1.0))


def discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken off a count of 0, 1, 2, and 3 or more; one discount for all where too few counts are small."""
    one, two, three, four = (int((counts == value).sum()) for value in range(1, DISCOUNTS + 2))
    if not (one and two and three and four):
        single = one / (one + 2 * two) if one and two else 0.5
        return np.array([0.0, single, single, single])
    share = one / (one + 2 * two)
    found = [1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three]
    return np.array([0.0, *np.clip(found, 0.0, (1.0, 2.0, 3.0))])


def _find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The position of each wanted key, -1 where it is missing."""
    position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[position] == wanted, position, -1)
