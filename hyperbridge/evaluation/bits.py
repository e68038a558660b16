"""Bits per character as an `evaluate` module: total bits over total characters.

Unlike perplexity it does not depend on the tokenizer, so bases with different vocabularies can be compared on the
same text. Source: Al-Rfou et al., "Character-Level Language Modeling with Deeper Self-Attention" (2018), section 4.
"""

from __future__ import annotations

import datasets
import evaluate


class BitsPerCharacter(evaluate.Metric):
    """`compute(references=characters, predictions=bits)`: characters and bits of each text."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Total negative log2-likelihood of the texts over their length in characters.",
            citation="",
            inputs_description="predictions: bits of each text under a model; references: its characters.",
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions: list[float], references: list[int]) -> dict[str, float]:
        return {"bits_per_character": sum(predictions) / sum(references)}
