"""Bits per character are all bits over all characters, not a mean of means."""

from __future__ import annotations

from hyperbridge.evaluation.bits import BitsPerCharacter
from hyperbridge.evaluation.register_matrix import bits_per_character
from hyperbridge.modeling.scoring import ScoredRow


def test_a_long_text_weighs_more() -> None:
    result = BitsPerCharacter().compute(predictions=[10.0, 90.0], references=[10, 30])
    assert result == {"bits_per_character": 2.5}


def test_rows_bring_their_characters() -> None:
    rows = [ScoredRow([1], [2, 3], 10), ScoredRow([1], [2], 2)]
    assert bits_per_character([12.0, 8.0], rows) == 1.6667
