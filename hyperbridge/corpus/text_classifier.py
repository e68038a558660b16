"""A small linear classifier of texts over hashed features, read with numpy alone and stored in one safetensors file.

Words, pairs of words and pieces of words are hashed by CRC-32 into 2**bits buckets; a text is its logarithmic counts
times the inverse document frequency of each bucket, scaled to length 1, and each label has one weight a bucket (8-bit,
with a scale a label). Fitting is logistic regression with an L2 penalty by L-BFGS, which has one optimum, so a seed is
not needed. Cost: about 10 microseconds a word, nearly all of it hashing. Source: Joulin et al., "Bag of Tricks for
Efficient Text Classification" (2017), https://arxiv.org/abs/1607.01759, for word pieces and hashing.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from hyperbridge.errors import HyperBridgeError

if TYPE_CHECKING:
    import torch

Features = Mapping[str, float] | Sequence[str]
KINDS = ("softmax", "sigmoid")
_FORMAT = "hyperbridge-text-classifier-1"
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*|[!?…]+")


@dataclass(frozen=True, slots=True, eq=False)
class TextClassifier:
    """Weights of a linear model over hashed features.

    Attributes:
        labels: in the order of the columns of `probabilities`.
        kind: `softmax` where a text has one label, `sigmoid` where it may have any number of them.
        thresholds: for each label the probability from which it counts; softmax models may leave them at 0.
        weights: (buckets, labels) int8, times `scales`; the number of buckets is a power of two.
        scales, biases: (labels,) float32.
        idf: (buckets,) float16; 0 for a bucket that was not kept at fitting, which then counts for nothing.
        about: where and how it was fitted, and whatever the caller needs to build the same features.
    """

    labels: tuple[str, ...]
    kind: str
    thresholds: tuple[float, ...]
    weights: np.ndarray
    scales: np.ndarray
    biases: np.ndarray
    idf: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str) -> TextClassifier:
        """A classifier that `save` wrote.

        Raises:
            HyperBridgeError: the file is missing, is no safetensors file or holds no text classifier.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                meta = json.loads((file.metadata() or {}).get("classifier", "{}"))
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError, ValueError) as error:
            raise HyperBridgeError(f"{path}: no text classifier can be read ({error}); fit it again") from None
        if meta.pop("format", None) != _FORMAT:
            raise HyperBridgeError(f"{path}: no text classifier of format {_FORMAT}; fit it again")
        labels, thresholds = tuple(meta.pop("labels")), tuple(meta.pop("thresholds"))
        return cls(labels=labels, thresholds=thresholds, **meta, **arrays)

    def save(self, path: Path | str) -> None:
        """Write one safetensors file: arrays, and the rest as JSON in its header; equal models give equal bytes."""
        from safetensors.numpy import save

        meta = {
            "format": _FORMAT,
            "labels": self.labels,
            "kind": self.kind,
            "thresholds": self.thresholds,
            "about": self.about,
        }
        arrays = {name: getattr(self, name) for name in ("weights", "scales", "biases", "idf")}
        header = {"classifier": json.dumps(meta, ensure_ascii=False, sort_keys=True)}
        Path(path).write_bytes(save(arrays, header))

    def probabilities(self, texts: Sequence[Features]) -> np.ndarray:
        """(texts, labels) float32; the rows of a softmax model sum to 1.

        Args:
            texts: for each its features: strings, which are counted, or strings with their weights.
        """
        if not texts:
            return np.zeros((0, len(self.labels)), np.float32)
        scores = self.scores(texts)
        if self.kind == "sigmoid":
            return 1 / (1 + np.exp(-scores))
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def scores(self, texts: Sequence[Features]) -> np.ndarray:
        """(texts, labels) float32: log-odds, before they are made probabilities."""
        rows, buckets, values = _vectors(texts, self.idf)
        weighted = values[:, None] * self.weights[buckets]
        sums = [np.bincount(rows, weighted[:, label], len(texts)) for label in range(len(self.labels))]
        return (np.stack(sums, 1) * self.scales + self.biases).astype(np.float32)


def features(
    text: str, lemmas: Sequence[str] = (), *, pieces: tuple[int, int] = (2, 5), pairs: bool = True
) -> list[str]:
    """Features of a text: its words, lemmas, pairs of lemmas (of words where there are none), and pieces of words.

    Args:
        text: case does not matter; runs of `!`, `?` and `…` are words too.
        lemmas: of the words of the text, in order.
        pieces: shortest and longest piece of a word, with its edges marked, in characters; (1, 0) gives none.
        pairs: whether to give pairs of neighbours.
    """
    words = _WORD.findall(text.lower())
    found = [f"w {word}" for word in words]
    found += [f"l {lemma}" for lemma in lemmas]
    if pairs:
        found += [f"p {first} {second}" for first, second in pairwise(lemmas or words)]
    for word in words:
        found += _pieces(word, *pieces)
    return found


def fit(
    texts: Sequence[Features],
    targets: np.ndarray,
    labels: Sequence[str],
    *,
    kind: str,
    bits: int = 18,
    penalty: float = 1e-4,
    balance: float = 0.5,
    rarest: int = 2,
    weights: np.ndarray | None = None,
    about: dict[str, Any] | None = None,
) -> TextClassifier:
    """Fit a classifier; the same input gives the same weights. Needs torch.

    Args:
        texts: features of each text, as `TextClassifier.probabilities` takes them.
        targets: (texts, labels), 0 or 1; for softmax each row sums to 1 (a share for each label will do too).
        penalty: L2, on the weights of a mean loss over texts; higher: smoother.
        balance: 0: texts count alike; 1: labels count alike, however rare; between: in between.
        rarest: a bucket seen in fewer texts is left out.
        weights: (texts,) how much each text counts, 1 where not given.
    """
    if kind not in KINDS:
        raise ValueError(f"kind '{kind}' is not one of {', '.join(KINDS)}")
    idf = _document_frequencies(texts, bits, rarest)
    rows, buckets, values = _vectors(texts, idf)
    used, columns = np.unique(buckets, return_inverse=True)
    matrix = _Matrix.of(rows, columns, values, (len(texts), len(used)))
    given = np.ones(len(texts)) if weights is None else weights
    dense, biases = _solve(matrix, targets, _balanced(targets, given, balance, kind), kind, penalty)
    scales = np.maximum(np.abs(dense).max(0), 1e-12).astype(np.float32) / np.float32(127)
    table: np.ndarray = np.zeros((1 << bits, len(labels)), np.int8)
    table[used] = np.rint(dense / scales).astype(np.int8)
    return TextClassifier(
        tuple(labels), kind, (0.5 if kind == "sigmoid" else 0.0,) * len(labels), table, scales, biases, idf, about or {}
    )


def calibrate(classifier: TextClassifier, scores: np.ndarray, targets: np.ndarray) -> TextClassifier:
    """The same sigmoid classifier with probabilities that come true, and the thresholds of the highest F1.

    The probabilities are made by Platt's logistic curve for each label, which goes into scales and biases.

    Args:
        scores: (texts, labels), of texts that the models which gave them were not fitted on (cross validation).
        targets: (texts, labels), 0 or 1.
    """
    curves = [_curve(scores[:, label], targets[:, label]) for label in range(scores.shape[1])]
    slopes, shifts = np.array(curves, np.float32).T
    return replace(
        classifier,
        thresholds=_best_thresholds(1 / (1 + np.exp(-(scores * slopes + shifts))), targets),
        scales=classifier.scales * slopes,
        biases=classifier.biases * slopes + shifts,
    )


@lru_cache(maxsize=20_000)
def _pieces(word: str, shortest: int, longest: int) -> tuple[str, ...]:
    edged = f"<{word}>"
    return tuple(
        edged[start : start + size]
        for size in range(shortest, min(longest, len(edged)) + 1)
        for start in range(len(edged) - size + 1)
    )


@lru_cache(maxsize=20_000)
def _hash(name: str) -> int:
    return crc32(name.encode())


def _hashed(texts: Sequence[Features], buckets: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, bucket and value of what is in each text, in order of row and bucket; counts are made logarithmic."""
    names = [name for text in texts for name in text]
    given = [value for text in texts for value in (text.values() if isinstance(text, Mapping) else [1.0] * len(text))]
    sizes = [len(text) for text in texts]
    places = np.fromiter(map(_hash, names), np.int64, len(names)) & (buckets - 1)
    keys, where = np.unique(np.repeat(np.arange(len(texts)), sizes) * buckets + places, return_inverse=True)
    rows, sums = keys // buckets, np.bincount(where, given, len(keys))
    counted = np.array([not isinstance(text, Mapping) for text in texts], bool)[rows]
    return rows, keys % buckets, np.where(counted, 1 + np.log(np.maximum(sums, 1)), sums)


def _vectors(texts: Sequence[Features], idf: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same with the buckets that were kept alone, times their idf, each row of length 1."""
    rows, buckets, values = _hashed(texts, len(idf))
    values = values * idf[buckets]
    kept = values != 0
    rows, buckets, values = rows[kept], buckets[kept], values[kept]
    lengths = np.sqrt(np.bincount(rows, values**2, len(texts)))
    return rows, buckets, (values / lengths[rows]).astype(np.float32)


def _document_frequencies(texts: Sequence[Features], bits: int, rarest: int) -> np.ndarray:
    """(2**bits,) float16: 1 + ln(texts / texts with the bucket), and 0 for a bucket in fewer than `rarest` texts."""
    _, buckets, _ = _hashed(texts, 1 << bits)
    found = np.bincount(buckets, minlength=1 << bits)
    idf = 1 + np.log((1 + len(texts)) / (1 + found))
    return np.where(found >= rarest, idf, 0).astype(np.float16)


def _balanced(targets: np.ndarray, given: np.ndarray, balance: float, kind: str) -> np.ndarray:
    """(texts, labels): how much each decision counts, rare labels more; 1 on average."""
    share = np.clip((targets * given[:, None]).sum(0) / given.sum(), 1e-6, 1 - 1e-6)
    if kind == "softmax":
        counts = np.repeat((targets * share**-balance).sum(1, keepdims=True), targets.shape[1], 1)
    else:
        counts = np.where(targets > 0.5, ((1 - share) / share) ** (balance / 2), (share / (1 - share)) ** (balance / 2))
    counts = counts * given[:, None]
    return counts / counts.mean(0)


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A sparse matrix (texts, buckets) and its transpose, whose products need no autograd."""

    forward: torch.Tensor
    backward: torch.Tensor

    @classmethod
    def of(cls, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> _Matrix:
        import torch

        places = torch.tensor(np.stack([rows, columns]))
        entries = torch.sparse_coo_tensor(places, torch.tensor(values), shape, check_invariants=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return cls(entries.to_sparse_csr(), entries.t().to_sparse_csr())


def _solve(
    matrix: _Matrix, targets: np.ndarray, counts: np.ndarray, kind: str, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (used buckets, labels) and biases of the logistic regression, by L-BFGS; sums keep their order."""
    import torch

    wanted, counted = torch.tensor(targets, dtype=torch.float32), torch.tensor(counts, dtype=torch.float32)
    weights = torch.zeros(matrix.backward.shape[0], targets.shape[1])
    biases = torch.zeros(targets.shape[1])
    search = torch.optim.LBFGS([weights, biases], max_iter=60, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        scores = matrix.forward @ weights + biases
        if kind == "softmax":
            lost, guessed = -(wanted * scores.log_softmax(1)).sum(1) * counted[:, 0], scores.softmax(1)
        else:
            lost = (torch.nn.functional.softplus(scores) - wanted * scores) * counted
            guessed = scores.sigmoid()
        slope = (guessed - wanted) * counted / len(wanted)
        weights.grad = matrix.backward @ slope + penalty * weights
        biases.grad = slope.sum(0)
        return lost.sum() / len(wanted) + penalty / 2 * (weights**2).sum()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            search.step(loss)
    finally:
        torch.set_num_threads(threads)
    return weights.numpy(), biases.numpy()


def _curve(scores: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Slope and shift that make a score the log-odds of its target: logistic regression by Newton's method."""
    inputs = np.stack([scores, np.ones_like(scores)], 1).astype(np.float64)
    solution = np.array([1.0, 0.0])
    for _ in range(25):
        guessed = 1 / (1 + np.exp(-inputs @ solution))
        # The small diagonal keeps the step finite where the scores separate the targets.
        bend = (inputs * (guessed * (1 - guessed))[:, None]).T @ inputs + 1e-3 * np.eye(2)
        solution += np.linalg.solve(bend, inputs.T @ (targets - guessed) - 1e-3 * solution)
    return float(solution[0]), float(solution[1])


def _best_thresholds(probabilities: np.ndarray, targets: np.ndarray) -> tuple[float, ...]:
    """For each label the probability from which it must count for the highest F1."""
    found = []
    for label in range(probabilities.shape[1]):
        order = np.argsort(-probabilities[:, label], kind="stable")
        hits = np.cumsum(targets[order, label])
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + hits[-1])
        found.append(round(float(probabilities[order[f1.argmax()], label]), 4))
    return tuple(found)
