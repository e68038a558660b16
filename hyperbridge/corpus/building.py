"""Documents -> scenes: segmentation, deduplication, reading, counted stage by stage.

A stage either passes a unit on or gives the reason it does not; every reason is counted. Passages are read in batches
that never span documents, so a document gives the same scenes whatever is built beside it. A passage that repeats
another of its own document exactly is dropped; what repeats in other documents is a reserve (resonance.py). Memory: one
document with what was read in it. Cost: about 8,000 words a second on one core.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hyperbridge.corpus import scene_tree
from hyperbridge.corpus.documents import Document
from hyperbridge.corpus.languages import Language, Reading, Relation, find_language
from hyperbridge.corpus.resonance import normal_words
from hyperbridge.corpus.scene_tree import SceneTree
from hyperbridge.corpus.segmentation import Passage, segment
from hyperbridge.corpus.trust import supports, trust_of
from hyperbridge.scenes import Scene

Follow = Callable[[Document, int], None]
OnTree = Callable[[SceneTree], None]

BATCH = 256


@dataclass(slots=True)
class DropCounts:
    """What came in, what was left out and why, what came out; filled while the scenes are drawn.

    Attributes:
        documents: documents read.
        dropped: (stage, reason) -> units. A unit of segmentation is a line or a passage, later ones are passages.
        scenes: scenes made.
        registers: primary register -> scenes.
        encodings: documents that were not UTF-8 -> how they were read.
    """

    documents: int = 0
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    scenes: int = 0
    registers: Counter[str] = field(default_factory=Counter)
    encodings: dict[str, str] = field(default_factory=dict)


def build_scenes(
    documents: Iterable[Document],
    *,
    language: str = "ru",
    register: str | None = None,
    drops: DropCounts | None = None,
    follow: Follow = lambda document, read: None,
    on_tree: OnTree = lambda tree: None,
) -> Iterator[Scene]:
    """Yield the scenes of documents, in their order.

    Args:
        language: whose rules to use.
        register: the register of all of it, by its own name (`поэтический`); None: told from source and content.
        drops: filled as the scenes are drawn.
        follow: told how far a document is read, in characters; its scenes come when all of it is.
        on_tree: given the tree of each document before its first scene.

    Raises:
        HyperBridgeError: no rules for the language, or its packages are missing (at the call, not at the first scene).
    """
    drops = DropCounts() if drops is None else drops
    return _build(documents, find_language(language), register, drops, follow, on_tree)


def read_text(text: str, *, source: str = "text", language: str = "ru", register: str | None = None) -> list[Scene]:
    """The scenes of one text."""
    return list(build_scenes([Document(source, text)], language=language, register=register))


def _build(
    documents: Iterable[Document],
    language: Language,
    register: str | None,
    drops: DropCounts,
    follow: Follow,
    on_tree: OnTree,
) -> Iterator[Scene]:
    for document in documents:
        drops.documents += 1
        if document.encoding not in {"utf-8", "utf-8-sig"}:
            drops.encodings[document.source] = document.encoding
        found: list[tuple[Passage, Reading]] = []
        passages = _segmented(document, language, drops)
        while batch := list(islice(passages, BATCH)):
            for passage, reading in zip(batch, language.read(batch, register), strict=True):
                if isinstance(reading, str):
                    drops.dropped["extraction", reading] += 1
                    continue
                found.append((passage, reading))
                drops.scenes += 1
                drops.registers[reading.register] += 1
            follow(document, batch[-1].end)
        yield from _scenes(document, language, found, on_tree)


def _segmented(document: Document, language: Language, drops: DropCounts) -> Iterator[Passage]:
    """The passages of a document, each once."""
    seen: set[bytes] = set()

    def drop(reason: str) -> None:
        drops.dropped["segmentation", reason] += 1

    for passage in segment(document, language.layout, drop):
        digest = text_digest(passage.text)
        if digest in seen:
            drops.dropped["deduplication", "exact repetition"] += 1
            continue
        seen.add(digest)
        yield passage


def text_digest(text: str) -> bytes:
    """Eight bytes that texts share when they have the same words (`resonance.normal_words`)."""
    return hashlib.blake2b(" ".join(normal_words(text)).encode(), digest_size=8).digest()


def _scenes(
    document: Document, language: Language, found: Sequence[tuple[Passage, Reading]], on_tree: OnTree
) -> Iterator[Scene]:
    """The scenes of a document with their places in its tree."""
    passages, readings = [passage for passage, _ in found], [reading for _, reading in found]
    divisions = scene_tree.chapters_of(document.divisions, document.text, passages, language.layout)
    openings = scene_tree.openings(document.text, passages, divisions, language.layout)
    relations = language.relate(readings, openings)
    opening = [number for number, relation in enumerate(relations) if relation.opens]
    tree = scene_tree.build_tree(document.source, document.title, len(document.text), passages, divisions, opening)
    on_tree(tree)
    support = supports([reading.hyperlexeme for reading in readings], [reading.lemmas for reading in readings])
    for number, (passage, reading) in enumerate(found):
        yield _scene(passage, reading, relations[number], _Place.of(tree, number), support[number])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a passage stands in the tree of its document; `ids`: of all passages."""

    id: str
    parent: str | None
    path: tuple[str, ...]
    next: tuple[str, ...]
    ids: tuple[str, ...]

    @classmethod
    def of(cls, tree: SceneTree, number: int) -> _Place:
        own = tree.passages[number]
        return cls(own, tree.nodes[own].parent, tree.path(own), tree.passages[number + 1 : number + 2], tree.passages)


def _scene(passage: Passage, reading: Reading, relation: Relation, place: _Place, support: int) -> Scene:
    trust, sure = trust_of(len(reading.hyperlexeme), support)
    confidence = {**reading.confidence, **relation.confidence, **({"trust": sure} if trust else {})}
    meta = {"emotion": reading.emotion, "arch": reading.archetype, "symbol": reading.symbol}
    fields: dict[str, Any] = {
        "scene": "".join(reading.hyperlexeme),
        "meta": {"register": reading.register, "source": passage.source, "density": reading.density, **_said(meta)},
        "registers": _said({"primary": reading.register, "secondary": reading.secondary}),
        "tension": reading.tension,
        "trust": trust,
        "components": reading.components,
        "mode": relation.mode,
        "context": relation.context,
        "modalities": {"text": passage.text},
        "hyperlexeme": reading.hyperlexeme,
        "span": {"source": passage.source, "start": passage.start, "end": passage.end},
        "next": place.next,
        "parent": place.parent,
        "id": place.id,
        "path": place.path,
        "confidence": {name: round(value, 2) for name, value in confidence.items()},
        "needs_work": relation.needs_work or None,
        "amplifier": None if relation.amplifier is None else place.ids[relation.amplifier],
    }
    return Scene.model_validate(_said(fields))


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what was not found."""
    return {name: value for name, value in fields.items() if value not in (None, (), {})}
