"""How well scene boundaries are found in prose: chapter starts of novels, their headings taken away.

Russian has no scenes marked in prose, but where a chapter begins a scene begins too. So the headings are hidden, a
gap before a chapter looks like any gap between two paragraphs, and what is judged is whether a boundary stands there.
A scene is shorter than a chapter, so most boundaries that are found are no chapter starts and are not wrong for it:
recall is the figure, beside that of as many boundaries placed at random or at even distances between paragraphs. For
a fair F1 the finder is also told the number of chapters and gives its best gaps, as the two baselines do.

Novels are plain texts whose headings give five chapter starts or more; of each the first 20,000 words are read.
Settings were fitted on the novels for which `held_out` is false. Cost: tagging the words, 24,000 tokens a second.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from hyperbridge.corpus import boundaries_ru, parsing_ru, scene_tree
from hyperbridge.corpus.boundaries_ru import Settings, Traces, Unit, traces_of
from hyperbridge.corpus.documents import read_input
from hyperbridge.corpus.language_ru import tokenise
from hyperbridge.corpus.languages import Opening
from hyperbridge.corpus.segmentation import Passage, count_words, segment
from hyperbridge.corpus.segmentation_ru import LAYOUT
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.boundaries import SEEDS, BoundaryReport, held_out, mean_report, report

MIN_CHAPTERS, MAX_WORDS = 5, 20_000
_BATCH = 256

Placing = Callable[["Novel", int, int], list[int]]
"""Novel, how many boundaries, seed -> places."""


@dataclass(frozen=True, slots=True)
class Novel:
    """A novel without its headings.

    Attributes:
        units: what each passage shows of its scene.
        openings: how each passage begins; chapter starts look like paragraphs.
        boundaries: the passages that begin a chapter, the first passage left out.
    """

    name: str
    units: list[Traces]
    openings: list[Opening]
    boundaries: list[int]

    def gaps(self) -> list[int]:
        """The passages before which a boundary may stand: those that do not begin inside a paragraph."""
        return [number for number in range(1, len(self.units)) if self.openings[number] != "sentence"]


def read_novel(path: Path) -> Novel | None:
    """A novel without its headings; None where they give too few chapters.

    Raises:
        HyperBridgeError: the file cannot be read.
    """
    for document in read_input(path, path.name):
        passages = _first_words(list(segment(document, LAYOUT, lambda reason: None)))
        boundaries = chapter_starts(document.text, passages)
        if len(boundaries) >= MIN_CHAPTERS:
            openings = scene_tree.openings(document.text, passages, [], LAYOUT)
            for number in boundaries:
                openings[number] = "paragraph"
            return Novel(path.name, _traces(passages), openings, boundaries)
    return None


def chapter_starts(text: str, passages: Sequence[Passage]) -> list[int]:
    """The passages that stand first under a heading of a chapter, without the first of all."""
    starts = [passage.start for passage in passages]
    chapters = scene_tree.find_chapters(text, passages, LAYOUT)
    return sorted({bisect_left(starts, chapter.start) for chapter in chapters if chapter.kind == "chapter"} - {0})


def _first_words(passages: list[Passage]) -> list[Passage]:
    before = accumulate(count_words(passage.text) for passage in passages)
    return [passage for passage, words in zip(passages, before, strict=True) if words <= MAX_WORDS]


def _traces(passages: Sequence[Passage]) -> list[Traces]:
    found: list[Traces] = []
    for start in range(0, len(passages), _BATCH):
        batch = passages[start : start + _BATCH]
        yo = parsing_ru.writes_yo("".join(passage.text for passage in batch))
        parsed = parsing_ru.parse_texts(list(map(tokenise, batch)), tree=False, yo=yo)
        found += [traces_of(Unit(sentences)) for sentences in parsed]
    return found


def evaluate_novels(novels: Sequence[Novel], settings: Settings) -> dict[str, BoundaryReport]:
    """The finder and the two baselines, with as many boundaries as it finds and with as many as there are chapters."""
    found = [boundaries_ru.find_boundaries(novel.units, novel.openings, settings) for novel in novels]
    many, true = [len(places) for places in found], [len(novel.boundaries) for novel in novels]
    best = [best_gaps(novel, count, settings) for novel, count in zip(novels, true, strict=True)]
    return {
        "found": _report(novels, found),
        "random, as many as found": _placed(novels, many, random_gaps, SEEDS),
        "even, as many as found": _placed(novels, many, even_gaps, 1),
        "the best, as many as chapters": _report(novels, best),
        "random, as many as chapters": _placed(novels, true, random_gaps, SEEDS),
        "even, as many as chapters": _placed(novels, true, even_gaps, 1),
    }


def best_gaps(novel: Novel, count: int, settings: Settings) -> list[int]:
    """So many gaps with the highest scores."""
    scores = boundaries_ru.gap_scores(novel.units, novel.openings, settings)
    order = sorted(range(len(scores)), key=lambda gap: (-scores[gap], gap))
    return sorted(gap + 1 for gap in order[:count])


def random_gaps(novel: Novel, count: int, seed: int) -> list[int]:
    """So many different gaps between paragraphs."""
    return sorted(random.Random(seed).sample(novel.gaps(), count))


def even_gaps(novel: Novel, count: int, seed: int) -> list[int]:
    """The gaps between paragraphs nearest to even distances in words; fewer where two would be one."""
    before = [0, *accumulate(unit.words for unit in novel.units)]
    wanted = (before[-1] * (number + 1) / (count + 1) for number in range(count))
    gaps = novel.gaps()
    return sorted({min(gaps, key=lambda gap: abs(before[gap] - place)) for place in wanted})


def _placed(novels: Sequence[Novel], counts: Sequence[int], place: Placing, seeds: int) -> BoundaryReport:
    return mean_report(
        [
            _report(novels, [place(novel, count, seed) for novel, count in zip(novels, counts, strict=True)])
            for seed in range(seeds)
        ]
    )


def _report(novels: Sequence[Novel], found: Sequence[Sequence[int]]) -> BoundaryReport:
    return report([(places, novel.boundaries, len(novel.units)) for novel, places in zip(novels, found, strict=True)])


def read_novels(paths: Iterable[Path], *, kept_out: bool) -> list[Novel]:
    """The novels among files on one side of `held_out`, in order.

    Raises:
        HyperBridgeError: there is none.
    """
    chosen = [path for path in sorted(paths) if held_out(path.name) == kept_out]
    novels = [novel for novel in map(read_novel, chosen) if novel is not None]
    if not novels:
        side = "held-out novel" if kept_out else "novel to fit on"
        raise HyperBridgeError(f"no {side} with {MIN_CHAPTERS} chapters or more among the files; give more novels")
    return novels


def evaluate_chapters(paths: Iterable[Path]) -> tuple[int, int, dict[str, BoundaryReport]]:
    """Held-out novels, their chapter starts, and the figures of each way of placing boundaries.

    Raises:
        HyperBridgeError: as `read_novels`.
    """
    novels = read_novels(paths, kept_out=True)
    starts = sum(len(novel.boundaries) for novel in novels)
    return len(novels), starts, evaluate_novels(novels, boundaries_ru.PROSE)
