"""Whether tension tells strong feeling from calm: texts that readers marked with an emotion against those with none.

No Russian text has its tension marked. But a text of fear or of anger is tense if any is, and one in which readers
found no emotion is not: a measure of tension must put the first above the second. The figure is the area under the
curve (AUC): the chance that a text of fear, say, has the higher tension of the two; 0.5 is blind. Joy is a control,
for tension should answer to it least. Two controls need no lexicon: how short a text is, and the part `outcry` alone
(`!`, `?`, `…`). Nothing of tension was fitted on these texts. They are blogs, tweets and news, not books.

Source: CEDR, Sboev et al. (2021), https://doi.org/10.1016/j.procs.2021.06.075. Cost: tagging the texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hyperbridge.corpus.emotion_ru import EMOTIONS
from hyperbridge.corpus.segmentation_ru import tokenise
from hyperbridge.corpus.tension_ru import Tension, tension_of
from hyperbridge.evaluation.emotions import Examples, read_examples


@dataclass(frozen=True, slots=True)
class TensionScore:
    """AUC of one emotion against none: by the tension, by its part `outcry`, by its shortness."""

    emotion: str
    texts: int
    tension: float
    outcry: float
    shortness: float


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores higher than a negative, ties counting half.

    Args:
        scores: (n,) of all texts.
        positive: (n,) bool; there are some of both.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    n_positive = int(positive.sum())
    n_negative = len(scores) - n_positive
    above = ranks[inverse][positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def score_tension(examples: Examples) -> list[TensionScore]:
    """A score for each emotion that some text has, where some text has none."""
    found = [_tension(examples, number) for number in range(len(examples.texts))]
    columns = (
        np.array([one.value for one in found]),
        np.array([one.parts.get("outcry", 0.0) for one in found]),
        np.array([-float(sum(token.text[:1].isalpha() for token in tokens)) for tokens in examples.tokens]),
    )
    calm = ~(examples.targets > 0).any(1)
    scores = []
    for place, emotion in enumerate(EMOTIONS):
        marked = examples.targets[:, place] > 0
        judged = calm | marked
        if calm.any() and marked.any():
            areas = (area_under_curve(values[judged], marked[judged]) for values in columns)
            scores.append(TensionScore(emotion, int(marked.sum()), *areas))
    return scores


def _tension(examples: Examples, number: int) -> Tension:
    text, tokens = examples.texts[number], iter(examples.tokens[number])
    return tension_of([[next(tokens) for _ in sentence] for sentence in tokenise(text)], text, verse=False)


def evaluate_tension(path: Path) -> list[TensionScore]:
    """The scores on a file of CEDR.

    Raises:
        HyperBridgeError: the file is missing or is not CEDR.
    """
    return score_tension(read_examples(path))
