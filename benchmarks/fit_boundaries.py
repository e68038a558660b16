"""Fit the weights by which scene boundaries are found in Russian; print them and how well they do.

    python -m benchmarks.fit_boundaries DATA

Below DATA lie drama/*.jsonl (plays with acts and scenes marked, as RusDraCor has them) and prose/*.txt (novels with
chapter headings); either may be missing. Half of the plays and half of the novels, by a hash of their file names, are
fitted on, the others are judged: the weights that the project ships and those that this run found, side by side.

Each gap between two units is an example, its signals are what `boundaries_ru.gap_signals` measures, and whether a
scene (of a play) or a chapter (of a novel) begins there is what a logistic regression with a quadratic penalty learns,
by Newton's method. Weights below 0.1 are dropped and the rest are fitted again. The penalty, and for plays the
threshold and the shortest scene, are those with the best F1, exact and within one unit together, on the fitted half.
For prose the last two are set: a chapter is longer than a scene, so its breaks tell which gaps are likelier and not
how many to take, and the penalty is judged by the best gaps, as many as there are chapters.
The signal `break` has no example in prose, for headings are hidden, and keeps its weight. What is printed at the end
are the lines of `boundaries_ru.py`. Running it twice gives equal lines. Cost: some minutes, nearly all of it tagging.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from hyperbridge.corpus.boundaries_ru import PLAY, PROSE, SPEECHES, Settings, Traces, gap_scores, gap_signals
from hyperbridge.corpus.languages import Opening
from hyperbridge.corpus.scene_tree import choose_boundaries
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.boundaries import BoundaryReport, evaluate_plays, held_out, read_play, report
from hyperbridge.evaluation.chapters import Novel, best_gaps, evaluate_novels, read_novels
from hyperbridge.program import run_main

PENALTIES, LEAST_WEIGHT, STEPS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0), 0.1, 30
DEVIATIONS, LEVELS, LENGTHS = (0.0, 0.5, 1.0, 1.5), (-np.inf, -1.0, -0.5), (30, 60, 100, 150)
SET_BY_HAND = ("break",)


@dataclass(frozen=True, slots=True)
class Text:
    """A text with its true boundaries, as the finder sees it."""

    units: list[Traces]
    openings: list[Opening]
    boundaries: list[int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_boundaries", description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder with drama/*.jsonl and prose/*.txt below it")
    options = parser.parse_args(arguments)
    plays = sorted(options.data.rglob("drama/*.jsonl"))
    novels = sorted(options.data.rglob("prose/*.txt"))
    if not plays and not novels:
        raise HyperBridgeError(f"{options.data}: neither plays (drama/*.jsonl) nor novels (prose/*.txt) below it")
    found: dict[str, Settings] = {}
    if plays:
        found["PLAY"] = fit_plays(plays, PLAY, directions=True)
        found["SPEECHES"] = fit_plays(plays, SPEECHES, directions=False)
    if novels:
        found["PROSE"] = fit_novels(novels)
    for name, settings in found.items():
        print("\n" + as_code(name, settings))


def fit_plays(paths: Sequence[Path], shipped: Settings, *, directions: bool) -> Settings:
    """Settings for plays with or without stage directions."""
    own, judged = ([path for path in paths if held_out(path.name) == side] for side in (False, True))
    plays = [read_play(path, directions=directions) for path in own]
    texts = [Text(one.units, ["paragraph"] * len(one.units), one.boundaries) for one in plays if one.boundaries]
    fitted = (choose_threshold(replace(shipped, weights=weights), texts) for weights in weights_by_penalty(texts))
    settings, _ = max(fitted, key=lambda found: found[1])
    unseen = [read_play(path, directions=directions) for path in judged]
    print(f"\nPlays {'with' if directions else 'without'} stage directions: fitted on {len(texts)} of them")
    print_reports(
        {"shipped": evaluate_plays(unseen, shipped)["found"], "fitted": evaluate_plays(unseen, settings)["found"]}
    )
    return settings


def fit_novels(paths: Sequence[Path]) -> Settings:
    """Settings for prose."""
    novels = read_novels(paths, kept_out=False)
    texts = [Text(novel.units, novel.openings, novel.boundaries) for novel in novels]
    kept = {name: PROSE.weights[name] for name in SET_BY_HAND}
    tried = [replace(PROSE, weights=weights | kept) for weights in weights_by_penalty(texts)]
    settings = max(tried, key=lambda one: _f1(novels, one))
    unseen = read_novels(paths, kept_out=True)
    print(f"\nNovels: fitted on {len(novels)}, judged on {len(unseen)}")
    shipped, fitted = evaluate_novels(unseen, PROSE), evaluate_novels(unseen, settings)
    print_reports(
        {f"{name}, {way}": found[way] for name, found in (("shipped", shipped), ("fitted", fitted)) for way in shipped}
    )
    return settings


def _f1(novels: Sequence[Novel], settings: Settings) -> float:
    """Of the best gaps, as many as there are chapters."""
    found = [(best_gaps(one, len(one.boundaries), settings), one.boundaries, len(one.units)) for one in novels]
    return _both(report(found))


def _both(judged: BoundaryReport) -> float:
    return judged.exact.f1 + judged.near.f1


def weights_by_penalty(texts: Sequence[Text]) -> Iterator[dict[str, float]]:
    """For each penalty the weights of the signals that tell something, to two places."""
    rows, labels = examples(texts)
    for penalty in PENALTIES:
        names = [name for name in rows[0] if name not in SET_BY_HAND]
        weights = _logistic(_matrix(rows, names), labels, names, penalty)
        names = [name for name in names if name == "bias" or abs(weights[name]) >= LEAST_WEIGHT]
        weights = _logistic(_matrix(rows, names), labels, names, penalty)
        yield {name: round(weights[name], 2) for name in names}


def examples(texts: Sequence[Text]) -> tuple[list[dict[str, float]], np.ndarray]:
    """The signals of every gap where a scene may begin, and (gaps,) float64: 1 where one does."""
    rows, labels = [], []
    for text in texts:
        true = set(text.boundaries)
        for number, signals in enumerate(gap_signals(text.units, text.openings), start=1):
            if text.openings[number] != "sentence":
                rows.append(signals)
                labels.append(float(number in true))
    return rows, np.array(labels)


def _matrix(rows: Sequence[dict[str, float]], names: Sequence[str]) -> np.ndarray:
    return np.array([[row[name] for name in names] for row in rows])


def _logistic(signals: np.ndarray, labels: np.ndarray, names: Sequence[str], penalty: float) -> dict[str, float]:
    """The weights of a logistic regression, all but the bias penalised."""
    ridge = np.diag([0.0 if name == "bias" else penalty for name in names])
    weights = np.zeros(len(names))
    for _ in range(STEPS):
        chances = 1.0 / (1.0 + np.exp(-signals @ weights))
        slope = signals.T @ (chances - labels) + ridge @ weights
        curve = (signals * (chances * (1.0 - chances))[:, None]).T @ signals + ridge
        weights = weights - np.linalg.solve(curve + 1e-9 * np.eye(len(names)), slope)
    return dict(zip(names, weights.tolist(), strict=True))


def choose_threshold(settings: Settings, texts: Sequence[Text]) -> tuple[Settings, float]:
    """The settings with the threshold and the shortest scene that are best on the texts, and both F1 together."""
    scores = [gap_scores(text.units, text.openings, settings) for text in texts]
    tried = [
        replace(settings, deviations=deviations, level=level, min_words=words)
        for deviations, level, words in product(DEVIATIONS, LEVELS, LENGTHS)
    ]
    qualities = [_quality(one, texts, scores) for one in tried]
    best = qualities.index(max(qualities))
    return tried[best], qualities[best]


def _quality(settings: Settings, texts: Sequence[Text], scores: Sequence[Sequence[float]]) -> float:
    found = []
    for text, own in zip(texts, scores, strict=True):
        chosen = choose_boundaries(
            own,
            [unit.length for unit in text.units],
            deviations=settings.deviations,
            level=settings.level,
            min_words=settings.min_words,
        )
        found.append((chosen, text.boundaries, len(text.units)))
    return _both(report(found))


def print_reports(reports: dict[str, BoundaryReport]) -> None:
    """As a Markdown table."""
    print("| weights | exact P | R | F1 | within one P | R | F1 |\n|---|---|---|---|---|---|---|")
    for name, one in reports.items():
        scores = (score for part in (one.exact, one.near) for score in (part.precision, part.recall, part.f1))
        print(f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} |", flush=True)


def as_code(name: str, settings: Settings) -> str:
    """The settings as the lines of Python that make them."""
    weights = "".join(f'        "{signal}": {weight},\n' for signal, weight in settings.weights.items())
    level = settings.level if np.isfinite(settings.level) else f'float("{settings.level}")'
    rest = f"    deviations={settings.deviations},\n    level={level},\n    min_words={settings.min_words},\n"
    return f"{name} = Settings(\n    {{\n{weights}    }},\n{rest})"


if __name__ == "__main__":
    run_main(main)
