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
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from hyperbridge.corpus.emotion_ru import EMOTIONS, MODEL, emotion_features
from hyperbridge.corpus.text_classifier import TextClassifier, calibrate, fit
from hyperbridge.evaluation.emotions import Examples, kept_out, read_examples, score_emotions, without_smiles
from hyperbridge.program import run_main

_FOLDS = 4
_BITS, _PENALTY = 18, 1e-4
# No text counts more than this many others.
_MOST = 5.0
_SOURCE = "gold/emotion/cedr_main_train.jsonl"


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, write, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_emotion", description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help=f"folder that holds {_SOURCE}")
    parser.add_argument("-o", "--output", type=Path, default=MODEL, help="file to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    examples = read_examples(options.data / _SOURCE)
    left_out = kept_out(examples.texts)
    classifier = fit_classifier(examples.part(~left_out))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(options.output)
    print(f"{options.output}: {options.output.stat().st_size:,} bytes, {(~left_out).sum():,} texts")
    judged = examples.part(left_out)
    print(table(classifier, judged))
    print("\nWithout smiles:\n" + table(classifier, judged.without_smiles()))


def fit_classifier(examples: Examples) -> TextClassifier:
    """A calibrated classifier with thresholds, both from scores of cross validation."""
    found = [emotion_features(tokens) for tokens in examples.tokens + without_smiles(examples.tokens)]
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
    head = f"| emotion | texts of {len(examples.texts)} | precision | recall | F1 |\n|---|---|---|---|---|"
    rows = (
        f"| {one.emotion} | {one.texts} | {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} |"
        for one in score_emotions(examples, classifier)
    )
    return "\n".join([head, *rows])


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


def _hashes(texts: list[str]) -> np.ndarray:
    return np.array([crc32(text.encode()) for text in texts])


if __name__ == "__main__":
    run_main(main)
