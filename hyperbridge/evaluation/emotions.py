"""How well emotions are found: precision, recall and F1 on the sentences of CEDR that nothing was fitted on.

Kept out is a tenth, the texts whose CRC-32 divides by ten. A sentence may have any number of five emotions, or none;
what is judged is whether each reaches its threshold. `without smiles` shows what is left in print: a third of CEDR are
tweets, whose smiles tell nearly everything. Cost: parsing the sentences. Source: Sboev et al. (2021),
https://doi.org/10.1016/j.procs.2021.06.075.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from zlib import crc32

import numpy as np

from hyperbridge.corpus.emotion_ru import EMOTIONS, classifier, passage_chances
from hyperbridge.corpus.parsing_ru import Token, parse_texts
from hyperbridge.corpus.segmentation_ru import tokenise
from hyperbridge.corpus.text_classifier import TextClassifier
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import read_utf8_lines

_LABELS = ("joy", "sadness", "surprise", "fear", "anger")
_SMILE = re.compile(r"[()]|^[:;=xх8]?[-']?[dр]+$|^[oо0]_+[oо0]$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts with where they come from and their emotions: `targets` is (texts, 5), 0 or 1, ordered as `EMOTIONS`."""

    texts: list[str]
    sources: np.ndarray
    tokens: list[list[Token]]
    targets: np.ndarray

    def part(self, kept: np.ndarray) -> Examples:
        """The examples where `kept`, (texts,) bool, is true."""
        numbers = np.flatnonzero(kept)
        texts, tokens = [self.texts[n] for n in numbers], [self.tokens[n] for n in numbers]
        return Examples(texts, self.sources[kept], tokens, self.targets[kept])

    def without_smiles(self) -> Examples:
        return replace(self, tokens=without_smiles(self.tokens))


@dataclass(frozen=True, slots=True)
class EmotionScore:
    """Figures of one emotion, or their mean (`macro`)."""

    emotion: str
    texts: int
    precision: float
    recall: float
    f1: float


def read_examples(path: Path) -> Examples:
    """CEDR, parsed.

    Raises:
        HyperBridgeError: the file is missing or is not CEDR.
    """
    try:
        rows = [json.loads(line) for line in read_utf8_lines(path)]
        texts, labels = [row["text"] for row in rows], [row["labels"] for row in rows]
        sources = np.array([row["source"] for row in rows])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HyperBridgeError(
            f"{path}: no CEDR sentences can be read ({error}); name the folder of the data"
        ) from None
    targets = np.array([[label in found for label in _LABELS] for found in labels], np.float32)
    return Examples(texts, sources, _parsed(texts), targets)


def kept_out(texts: Sequence[str]) -> np.ndarray:
    """(texts,) bool: the tenth that nothing is fitted on."""
    return np.array([crc32(text.encode()) % 10 == 0 for text in texts], bool)


def score_emotions(examples: Examples, model: TextClassifier | None = None) -> list[EmotionScore]:
    """A score for each emotion and their mean, by the shipped model unless another is given."""
    model = model or classifier()
    chances = passage_chances(model, examples.tokens)
    guessed, true = chances >= model.thresholds, examples.targets > 0
    hits, said, there = (guessed & true).sum(0), guessed.sum(0), true.sum(0)
    precision, recall = hits / np.maximum(said, 1), hits / np.maximum(there, 1)
    f1 = 2 * hits / np.maximum(said + there, 1)
    figures = zip(EMOTIONS, there.tolist(), precision.tolist(), recall.tolist(), f1.tolist(), strict=True)
    mean = EmotionScore("macro", len(true), float(precision.mean()), float(recall.mean()), float(f1.mean()))
    return [*(EmotionScore(*one) for one in figures), mean]


def evaluate_emotions(path: Path) -> dict[str, list[EmotionScore]]:
    """The shipped model on the kept-out tenth of CEDR, as it is and `without smiles`.

    Raises:
        HyperBridgeError: as `read_examples`.
    """
    examples = read_examples(path)
    judged = examples.part(kept_out(examples.texts))
    return {"as it is": score_emotions(judged), "without smiles": score_emotions(judged.without_smiles())}


def without_smiles(texts: list[list[Token]]) -> list[list[Token]]:
    """The tokens of texts, smiles left out."""
    return [[token for token in tokens if not _SMILE.search(token.text)] for tokens in texts]


def _parsed(texts: list[str]) -> list[list[Token]]:
    """The tokens of each text, as the corpus reader makes them."""
    parsed = parse_texts([tokenise(text) for text in texts], tree=False, yo=False)
    return [list(chain.from_iterable(sentences)) for sentences in parsed]
