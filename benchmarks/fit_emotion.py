"""Fit the classifier of emotions that the Russian rules read passages with, and print how well it does.

    python -m benchmarks.fit_emotion DATA_FOLDER [-o FILE]

DATA_FOLDER holds gold/emotion/cedr_main_train.jsonl: CEDR, sentences with any of five emotions or none. A tenth, the
texts whose CRC-32 divides by ten, is kept out of everything. On the rest, four models that each left a quarter out
score that quarter; these scores give the thresholds and the curves that make scores probabilities. The model that is
written is fitted on all of the nine tenths. Each text is fitted on twice, as it is and without smiles: a third of CEDR
are tweets, whose smiles tell nearly everything, and books have none. Texts are weighted so that tweets, blogs and news
have the same share of each emotion, or else the small words of tweets would be taken for joy. Running it twice gives
equal bytes. Cost: about half a minute, most of it parsing. Source: Sboev et al. (2021),
https://doi.org/10.1016/j.procs.2021.06.075.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np

from hyperbridge.corpus.emotion_ru import EMOTIONS, MODEL, emotion_features, passage_chances
from hyperbridge.corpus.parsing_ru import Token, parse
from hyperbridge.corpus.segmentation_ru import sentences, words
from hyperbridge.corpus.text_classifier import TextClassifier, calibrate, fit
from hyperbridge.errors import HyperBridgeError

_LABELS = ("joy", "sadness", "surprise", "fear", "anger")
_FOLDS = 4
_BITS, _PENALTY = 18, 1e-4
# No text counts more than this many others.
_MOST = 5.0
_SMILE = re.compile(r"[()]|^[:;=xх8]?[-']?[dр]+$|^[oо0]_+[oо0]$", re.IGNORECASE)
_SOURCE = "gold/emotion/cedr_main_train.jsonl"


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, write, print; the exit status is 2 where the data cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_emotion", description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help=f"folder that holds {_SOURCE}")
    parser.add_argument("-o", "--output", type=Path, default=MODEL, help="file to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        examples = read_examples(options.data / _SOURCE)
    except HyperBridgeError as error:
        print(error, file=sys.stderr)
        return 2
    kept_out = _hashes(examples.texts) % 10 == 0
    classifier = fit_classifier(examples.part(~kept_out))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(options.output)
    print(f"{options.output}: {options.output.stat().st_size:,} bytes, {(~kept_out).sum():,} texts")
    judged = examples.part(kept_out)
    print(table(classifier, judged))
    print("\nWithout smiles:\n" + table(classifier, replace(judged, tokens=_without_smiles(judged.tokens))))
    return 0


def read_examples(path: Path) -> Examples:
    """CEDR, parsed.

    Raises:
        HyperBridgeError: the file is missing or is not CEDR.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        texts, labels = [row["text"] for row in rows], [row["labels"] for row in rows]
        sources = np.array([row["source"] for row in rows])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HyperBridgeError(
            f"{path}: no CEDR sentences can be read ({error}); name the folder of the data"
        ) from None
    targets = np.array([[label in found for label in _LABELS] for found in labels], np.float32)
    return Examples(texts, sources, _parsed(texts), targets)


def fit_classifier(examples: Examples) -> TextClassifier:
    """A calibrated classifier with thresholds, both from scores of cross validation."""
    found = [emotion_features(tokens) for tokens in examples.tokens + _without_smiles(examples.tokens)]
    targets = np.concatenate([examples.targets, examples.targets])
    folds: np.ndarray = _hashes(examples.texts * 2) // 10 % _FOLDS
    weights = np.tile(_source_weights(examples), 2)
    scores = np.zeros_like(targets)
    for fold in range(_FOLDS):
        left_out = folds == fold
        model = _fit(found, targets, weights, ~left_out)
        scores[left_out] = model.scores([found[number] for number in np.flatnonzero(left_out)])
    model = _fit(found, targets, weights, np.ones(len(found), bool))
    return calibrate(model, scores, targets)


def table(classifier: TextClassifier, examples: Examples) -> str:
    """Precision, recall and F1 of each emotion on examples that nothing was fitted on, as a Markdown table."""
    chances = passage_chances(classifier, examples.tokens)
    guessed, true = chances >= classifier.thresholds, examples.targets > 0
    hits, said, there = (guessed & true).sum(0), guessed.sum(0), true.sum(0)
    f1 = 2 * hits / np.maximum(said + there, 1)
    lines = [f"| emotion | texts of {len(true)} | precision | recall | F1 |", "|---|---|---|---|---|"]
    for number, name in enumerate(EMOTIONS):
        precision, recall = hits[number] / max(said[number], 1), hits[number] / max(there[number], 1)
        lines.append(f"| {name} | {there[number]} | {precision:.3f} | {recall:.3f} | {f1[number]:.3f} |")
    micro = 2 * hits.sum() / max((said + there).sum(), 1)
    error = np.abs(chances.mean(0) - true.mean(0)).max()
    return "\n".join(
        [*lines, f"macro-F1 {f1.mean():.3f}, micro-F1 {micro:.3f}; chances are off by {error:.3f} at most"]
    )


def _fit(found: list[list[str]], targets: np.ndarray, weights: np.ndarray, kept: np.ndarray) -> TextClassifier:
    chosen = [found[number] for number in np.flatnonzero(kept)]
    return fit(
        chosen,
        targets[kept],
        EMOTIONS,
        kind="sigmoid",
        bits=_BITS,
        penalty=_PENALTY,
        weights=weights[kept],
        about={"fitted_on": "CEDR, the main training part without the texts whose CRC-32 divides by ten"},
    )


def _source_weights(examples: Examples) -> np.ndarray:
    """(texts,): how much rarer a text's emotion is in its source than in all; its first emotion stands for it."""
    emotions: np.ndarray = np.where(examples.targets.any(1), examples.targets.argmax(1), len(EMOTIONS))
    weights: np.ndarray = np.ones(len(emotions))
    for source in np.unique(examples.sources):
        inside = examples.sources == source
        for emotion in np.unique(emotions[inside]):
            alike = emotions == emotion
            weights[inside & alike] = alike.mean() / alike[inside].mean()
    return np.clip(weights, 1 / _MOST, _MOST)


def _parsed(texts: list[str]) -> list[list[Token]]:
    """The tokens of each text, as the corpus reader makes them."""
    cut = [[words(text[start:end]) for start, end in sentences(text)] for text in texts]
    parsed = iter(parse([found for text in cut for found in text], tree=False, yo=False))
    return [[token for _ in text for token in next(parsed)] for text in cut]


def _without_smiles(texts: list[list[Token]]) -> list[list[Token]]:
    return [[token for token in tokens if not _SMILE.search(token.text)] for tokens in texts]


def _hashes(texts: list[str]) -> np.ndarray:
    return np.array([crc32(text.encode()) for text in texts])


if __name__ == "__main__":
    sys.exit(main())
