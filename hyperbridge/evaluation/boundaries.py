"""How well scene boundaries are found: F1 exactly and within one unit, WindowDiff and Pk, beside two baselines.

The gold is plays with their structure taken away: acts and scenes are hidden, and what is left is a row of speeches
and stage directions, or of speeches alone with the directions inside them cut out too. Baselines know the true number
of boundaries, the finder does not: one places them at random (mean of 20 seeds), one at even distances. Settings were
chosen on the plays for which `held_out` is false, figures are reported on the others.

Sources: RusDraCor (CC0), one JSON object a line with `type` boundary, stage or speech; Pevzner and Hearst (2002) for
WindowDiff; Beeferman et al. (1999) for Pk. State of the art on scenes of novels is F1 about 40 (Zehe et al., 2021).
Cost: tagging the words, about 24,000 tokens a second on two cores; the rest is small beside it.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperbridge.corpus import boundaries_ru, parsing_ru
from hyperbridge.corpus.boundaries_ru import Traces, Unit, traces_of
from hyperbridge.corpus.segmentation_ru import tokenise
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import read_utf8_lines

SEEDS = 20
LEVELS = ("act", "scene")

_DIRECTION = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, slots=True)
class Play:
    """A play as a row of units, and the indices of the units that open an act or a scene, the first unit left out."""

    name: str
    units: list[Traces]
    boundaries: list[int]


@dataclass(frozen=True, slots=True)
class BoundaryScore:
    """Precision, recall and F1 over all boundaries of all texts, 0..1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class BoundaryReport:
    """One way of placing boundaries: `exact` and `near` (within one unit) are 0..1, higher is better; `window_diff`
    and `pk` are error rates, means over the texts, lower is better."""

    exact: BoundaryScore
    near: BoundaryScore
    window_diff: float
    pk: float


Segmentation = tuple[Sequence[int], Sequence[int], int]
"""Found boundaries, true boundaries, number of units of one text."""


def count_matches(found: Sequence[int], true: Sequence[int], tolerance: int) -> int:
    """The most pairs of a found and a true boundary no farther apart than `tolerance` units, each used once."""
    matches = at = 0
    for place in found:
        while at < len(true) and true[at] < place - tolerance:
            at += 1
        if at < len(true) and true[at] <= place + tolerance:
            matches, at = matches + 1, at + 1
    return matches


def score_boundaries(texts: Iterable[Segmentation], tolerance: int = 0) -> BoundaryScore:
    """Precision, recall and F1 of the boundaries of all texts together; a figure with nothing to count is 0."""
    matched = placed = wanted = 0
    for found, true, _ in texts:
        matched += count_matches(found, true, tolerance)
        placed, wanted = placed + len(found), wanted + len(true)
    f1 = 2 * matched / (placed + wanted) if placed + wanted else 0.0
    return BoundaryScore(matched / placed if placed else 0.0, matched / wanted if wanted else 0.0, f1)


def window_diff(found: Sequence[int], true: Sequence[int], units: int) -> float:
    """Share of windows of half a mean scene in which the numbers of boundaries differ."""
    return _windows(found, true, units, lambda one, other: one != other)


def pk(found: Sequence[int], true: Sequence[int], units: int) -> float:
    """Share of windows of half a mean scene whose two ends are in one scene by one of the two and not by the other."""
    return _windows(found, true, units, lambda one, other: (one > 0) != (other > 0))


def _windows(found: Sequence[int], true: Sequence[int], units: int, differ: Callable[[int, int], bool]) -> float:
    size = max(1, round(units / (len(true) + 1) / 2))
    counts = [_counts_before(places, units) for places in (found, true)]
    ends = range(size, units)
    wrong = sum(differ(*(count[end] - count[end - size] for count in counts)) for end in ends)
    return wrong / len(ends) if ends else 0.0


def _counts_before(places: Sequence[int], units: int) -> list[int]:
    """For each unit: how many boundaries there are up to it."""
    opening = set(places)
    counts, total = [], 0
    for unit in range(units):
        total += unit in opening
        counts.append(total)
    return counts


def random_boundaries(count: int, units: int, seed: int) -> list[int]:
    """So many different boundaries anywhere in a text."""
    return sorted(random.Random(seed).sample(range(1, units), count))


def even_boundaries(count: int, units: int) -> list[int]:
    """Boundaries at even distances."""
    return [round(units * (number + 1) / (count + 1)) for number in range(count)]


def report(texts: Sequence[Segmentation]) -> BoundaryReport:
    """All the figures of one way of placing boundaries."""
    return BoundaryReport(
        score_boundaries(texts, 0),
        score_boundaries(texts, 1),
        statistics.fmean(window_diff(*text) for text in texts),
        statistics.fmean(pk(*text) for text in texts),
    )


def read_play(path: Path, *, directions: bool) -> Play:
    """A play without its structure.

    Args:
        directions: keep stage directions as units; without them those inside speeches are cut out too.

    Raises:
        HyperBridgeError: a line is not a record of a play.
    """
    rows: list[tuple[str, str | None, bool]] = []
    boundaries: set[int] = set()
    opened: int | None = None
    for record in _records(path):
        kind = record["type"]
        if kind == "boundary":
            if record["level"] in LEVELS and opened is None:
                opened = len(rows)
        elif kind == "speech":
            if opened is not None:
                boundaries.add(opened)
                opened = None
            text = record["text"] if directions else _DIRECTION.sub(" ", record["text"])
            rows.append((text, record["speaker"], False))
        elif directions:
            rows.append((record["text"], None, True))
    return Play(path.name, _units(rows), sorted(boundaries - {0}))


def _records(path: Path) -> list[dict[str, str]]:
    records = []
    for number, line in enumerate(read_utf8_lines(path), start=1):
        try:
            record = json.loads(line)
            needed = {"boundary": ("level",), "speech": ("text", "speaker"), "stage": ("text",)}[record["type"]]
            records.append({"type": record["type"], **{key: record[key] for key in needed}})
        except (ValueError, KeyError, TypeError):
            raise HyperBridgeError(
                f"{path}:{number}: not a record of a play; give lines of type boundary, stage or speech"
            ) from None
    return records


def _units(rows: Sequence[tuple[str, str | None, bool]]) -> list[Traces]:
    parsed = parsing_ru.parse_texts([tokenise(text.replace("\n", " ")) for text, _, _ in rows], tree=False)
    return [
        traces_of(Unit(sentences, speaker, stage)) for sentences, (_, speaker, stage) in zip(parsed, rows, strict=True)
    ]


def held_out(name: str) -> bool:
    """Whether a play is one that no setting was chosen on: half of them, by a hash of the file's name."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def evaluate_plays(plays: Sequence[Play], settings: boundaries_ru.Settings) -> dict[str, BoundaryReport]:
    """The figures of the finder and of both baselines, on the plays that have boundaries.

    Raises:
        HyperBridgeError: none has.
    """
    plays = [play for play in plays if play.boundaries]
    if not plays:
        raise HyperBridgeError("no play with an act or a scene inside it; give more plays")
    sizes = [(play.boundaries, len(play.units)) for play in plays]
    found = [boundaries_ru.find_boundaries(play.units, ["paragraph"] * len(play.units), settings) for play in plays]
    chance = [report([(random_boundaries(len(true), n, seed), true, n) for true, n in sizes]) for seed in range(SEEDS)]
    return {
        "found": report([(places, true, units) for places, (true, units) in zip(found, sizes, strict=True)]),
        "random": mean_report(chance),
        "even": report([(even_boundaries(len(true), units), true, units) for true, units in sizes]),
    }


def mean_report(reports: Sequence[BoundaryReport]) -> BoundaryReport:
    """The mean of each figure."""

    def mean(scores: Sequence[BoundaryScore]) -> BoundaryScore:
        columns = zip(*((score.precision, score.recall, score.f1) for score in scores), strict=True)
        return BoundaryScore(*map(statistics.fmean, columns))

    return BoundaryReport(
        mean([one.exact for one in reports]),
        mean([one.near for one in reports]),
        statistics.fmean(one.window_diff for one in reports),
        statistics.fmean(one.pk for one in reports),
    )


def evaluate_boundaries(paths: Iterable[str | Path]) -> dict[str, dict[str, BoundaryReport]]:
    """Figures on the held-out plays among files: `with stage directions` / `without` -> finder or baseline -> report.

    Raises:
        HyperBridgeError: none of them is held out, or one is no play.
    """
    chosen = [Path(path) for path in paths if held_out(Path(path).name)]
    if not chosen:
        raise HyperBridgeError("no held-out play among the files; give more plays, one .jsonl file each")
    ways = {"with stage directions": (True, boundaries_ru.PLAY), "without": (False, boundaries_ru.SPEECHES)}
    return {
        way: evaluate_plays([read_play(path, directions=directions) for path in chosen], settings)
        for way, (directions, settings) in ways.items()
    }
