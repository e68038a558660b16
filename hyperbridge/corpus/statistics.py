"""What a scene file holds: how many scenes by register, emotion, archetype, how tension, density and length lie, and
how many books, chapters and scenes its tree has.

One pass; memory is a counter for each distinct value and a bin for each number. `write_page` draws the figures as one
self-contained page (SVG, no script), every text of it escaped.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hyperbridge.corpus.outline import TreeNode
from hyperbridge.corpus.segmentation import count_words
from hyperbridge.jsonl import atomic_writer
from hyperbridge.scenes import Scene

TEMPLATE = "statistics.html.jinja"
NONE = "—"
BINS = 10
LENGTHS = (10, 20, 30, 40, 50, 60, 80, 120)
PASSAGES = (1, 2, 4, 8, 16, 32, 64)


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
        nodes: kind of node in the tree -> nodes.
        passages: upper bound of a scene's passages -> scenes of the tree.
    """

    scenes: int = 0
    words: int = 0
    named: dict[str, Counter[str]] = field(default_factory=dict)
    unit: dict[str, Counter[int]] = field(default_factory=dict)
    lengths: Counter[int] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    echoes: int = 0
    nodes: Counter[str] = field(default_factory=Counter)
    passages: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, scenes: Iterable[Scene], nodes: Iterable[TreeNode] = ()) -> CorpusStatistics:
        found = cls()
        for scene in scenes:
            found.add(scene)
        for node in nodes:
            found.add_node(node)
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
        self.lengths[_bound(words, LENGTHS)] += 1
        self.sources[_folder(scene)] += 1
        self.echoes += scene.echo is not None

    def add_node(self, node: TreeNode) -> None:
        self.nodes[node.kind] += 1
        if node.kind == "scene":
            self.passages[_bound(node.passages, PASSAGES)] += 1

    def charts(self) -> Iterator[Chart]:
        """Everything counted, as charts; fields that no scene has are left out."""
        for name, counts in self.named.items():
            if set(counts) != {NONE}:
                yield Chart(name, tuple(counts.most_common()))
        for name, tenths in self.unit.items():
            bars = ((f"{tenth / BINS:.1f}–{(tenth + 1) / BINS:.1f}", tenths[tenth]) for tenth in range(BINS))
            yield Chart(name, tuple(bars))
        yield Chart("words of a passage", _bars(self.lengths, LENGTHS))
        if self.passages:
            yield Chart("passages of a scene in the tree", _bars(self.passages, PASSAGES))
        yield Chart("source", tuple(self.sources.most_common(30)))

    def tree(self) -> str:
        """`2 books, 5 chapters, 9 scenes`; empty where there is no tree."""
        told = ((kind, self.nodes[kind]) for kind in ("book", "chapter", "scene"))
        return ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in told if self.nodes)


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


def _bound(value: int, bounds: Sequence[int]) -> int:
    """The least bound that a value does not exceed; one more than the last where it exceeds them all."""
    return next((bound for bound in bounds if value <= bound), bounds[-1] + 1)


def _bars(counts: Counter[int], bounds: Sequence[int]) -> tuple[tuple[str, int], ...]:
    """Counts by `_bound` under the ranges of the bounds."""
    lows = zip((0, *bounds[:-1]), bounds, strict=True)
    ranges = ((str(high) if high - low == 1 else f"{low + 1}–{high}", high) for low, high in lows)
    return tuple((name, counts[high]) for name, high in [*ranges, (f"over {bounds[-1]}", bounds[-1] + 1)])
