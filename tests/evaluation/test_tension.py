"""Tension against the emotions of readers: the chance that a text of fear is tenser than one with none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hyperbridge.evaluation.tension import area_under_curve, evaluate_tension

CALM = "Поезд пришёл на станцию утром, и пассажиры вышли на перрон."
AFRAID = "Мне страшно, я дрожу от ужаса, смерть стоит за дверью!"


@pytest.mark.parametrize(
    ("scores", "positive", "area"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 1.0),
        ([4, 3, 2, 1], [0, 0, 1, 1], 0.0),
        ([1, 1, 1, 1], [0, 1, 0, 1], 0.5),
        ([1, 2, 2, 3], [0, 0, 1, 1], 0.875),
    ],
)
def test_the_area_is_the_chance_to_be_higher(scores: list[float], positive: list[int], area: float) -> None:
    assert area_under_curve(np.array(scores), np.array(positive, bool)) == area


def test_texts_of_fear_are_tenser_than_texts_without_an_emotion(tmp_path: Path) -> None:
    rows = [(CALM, []), (AFRAID, ["fear"]), (f"{CALM} Было тепло.", [])]
    lines = (json.dumps({"text": text, "labels": labels, "source": "lj"}, ensure_ascii=False) for text, labels in rows)
    (tmp_path / "cedr.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (score,) = evaluate_tension(tmp_path / "cedr.jsonl")
    assert (score.emotion, score.texts, score.tension, score.outcry) == ("страх", 1, 1.0, 1.0)
    assert 0.0 <= score.shortness <= 1.0
