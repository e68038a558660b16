"""RuBLiMP: pairs of sentences that differ in one point, one of them grammatical.

A model is right about a pair where it gives the grammatical sentence (`source_sentence`) the higher probability as a
whole; a coin is right in half of them. Source: Taktasheva et al., "RuBLiMP: Russian Benchmark of Linguistic Minimal
Pairs" (2024), https://arxiv.org/abs/2406.19232.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

from benchmarks.held_out import Passage
from hyperbridge.errors import HyperBridgeError


@dataclass(frozen=True, slots=True)
class MinimalPair:
    """Each sentence stands alone, at the start of a document."""

    grammatical: Passage
    ungrammatical: Passage


def read_pairs(folder: Path, count: int, seed: int) -> dict[str, list[MinimalPair]]:
    """A seeded sample of at most `count` pairs of each phenomenon (CSV file) of a folder.

    Raises:
        HyperBridgeError: the folder has no CSV file, or one of them lacks the two sentences.
    """
    found = sorted(folder.glob("*.csv"))
    if not found:
        raise HyperBridgeError(f"{folder}: no RuBLiMP file (*.csv) in this folder")
    return {path.stem: _sample(path, count, seed) for path in found}


def accuracy(grammatical_bits: list[float], ungrammatical_bits: list[float]) -> float:
    """The share of pairs whose grammatical sentence takes fewer bits; a tie is a failure."""
    right = sum(good < bad for good, bad in zip(grammatical_bits, ungrammatical_bits, strict=True))
    return right / len(grammatical_bits)


def _sample(path: Path, count: int, seed: int) -> list[MinimalPair]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        pairs = [
            MinimalPair(
                *(Passage(f"{path.name}#{row['id']}", row[key]) for key in ("source_sentence", "target_sentence"))
            )
            for row in rows
        ]
    except KeyError as error:
        raise HyperBridgeError(
            f"{path}: no column {error}; a RuBLiMP file has id, source_sentence, target_sentence"
        ) from None
    if not pairs:
        raise HyperBridgeError(f"{path}: no pairs in this file")
    return random.Random(f"{seed}/{path.stem}").sample(pairs, min(count, len(pairs)))
