"""What a scene file holds: how many scenes by register, emotion, archetype, and how tension, density and length lie.

One pass; memory is a counter for each distinct value and a bin for each number. `write_page` draws the figures as one
self-contained page (SVG, no script), every text of it escaped.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hyperbridge.corpus.segmentation import count_words
from hyperbridge.jsonl import atomic_writer
from hyperbridge.scenes import Scene

TEMPLATE = "statistics.html.jinja"
NONE = "—"
BINS = 10
LENGTHS = (10, 20, 30, 40, 50, 60, 80, 120)


@dataclass(frozen=True, slots=True)
class Chart:
    """Named counts under a heading, in the order they are drawn."""

    title: str
    bars: tuple[tuple[str, int], ...]

    @property
    def largest(self) -> int:
        """The longest bar; 1 where all are empty, so that a bar may be drawn as a share of it."""
        return max((1, *(count for _, count in self.bars)))

    @property
    def total(self) -> int:
        return sum(count for _, count in self.bars)


@dataclass(slots=True)
class CorpusStatistics:
    """Counts over scenes.

    Attributes:
        scenes, words: how many; words of the passages.
        named: field -> its value -> scenes; `NONE` where a scene has none.
        unit: field between 0 and 1 -> tenth -> scenes.
        lengths: upper bound of a passage's words -> scenes.
        sources: folder of the source -> scenes.
        echoes: scenes that nearly repeat another.
    """

    scenes: int = 0
    words: int = 0
    named: dict[str, Counter[str]] = field(default_factory=dict)
    unit: dict[str, Counter[int]] = field(default_factory=dict)
    lengths: Counter[int] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    echoes: int = 0

    @classmethod
    def of(cls, scenes: Iterable[Scene]) -> CorpusStatistics:
        found = cls()
        for scene in scenes:
            found.add(scene)
        return found

    def add(self, scene: Scene) -> None:
        self.scenes += 1
        for name, value in _named_values(scene):
            self.named.setdefault(name, Counter())[value or NONE] += 1
        for name, number in (("tension", scene.tension), ("density", scene.meta.density)):
            if number is not None:
                self.unit.setdefault(name, Counter())[min(int(number * BINS), BINS - 1)] += 1
        words = count_words(scene.modalities.text or "") if scene.modalities else 0
        self.words += words
        self.lengths[next((bound for bound in LENGTHS if words <= bound), LENGTHS[-1] + 1)] += 1
        self.sources[_folder(scene)] += 1
        self.echoes += scene.echo is not None

    def charts(self) -> Iterator[Chart]:
        """Everything counted, as charts; fields that no scene has are left out."""
        for name, counts in self.named.items():
            if set(counts) != {NONE}:
                yield Chart(name, tuple(counts.most_common()))
        for name, tenths in self.unit.items():
            bars = ((f"{tenth / BINS:.1f}–{(tenth + 1) / BINS:.1f}", tenths[tenth]) for tenth in range(BINS))
            yield Chart(name, tuple(bars))
        bounds = zip((0, *LENGTHS), (*LENGTHS, LENGTHS[-1] + 1), strict=True)
        yield Chart("words of a passage", tuple((_range(low, high), self.lengths[high]) for low, high in bounds))
        yield Chart("source", tuple(self.sources.most_common(30)))


def write_page(path: str | os.PathLike[str], statistics: CorpusStatistics, title: str) -> None:
    """Draw the statistics as an HTML page."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("hyperbridge", "corpus"), autoescape=True, trim_blocks=True)
    page = environment.get_template(TEMPLATE).render(
        title=title, statistics=statistics, charts=list(statistics.charts())
    )
    with atomic_writer(path) as file:
        file.write(page)


def _named_values(scene: Scene) -> Iterator[tuple[str, str | None]]:
    yield "register", scene.registers.primary or scene.meta.register_
    yield "emotion", scene.meta.emotion
    yield "archetype", scene.meta.arch
    yield "trust", scene.trust
    yield "mode", scene.mode
    yield "context", scene.context


def _folder(scene: Scene) -> str:
    source = scene.meta.source or (scene.span.source if scene.span else "")
    parts = PurePosixPath(source.partition("#")[0]).parts
    return parts[0] if len(parts) > 1 else NONE


def _range(low: int, high: int) -> str:
    return f"over {low}" if high > LENGTHS[-1] else f"{low + 1}–{high}"
