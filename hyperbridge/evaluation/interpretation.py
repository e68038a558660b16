"""How much of a scene is found again in a text of it: an interpreter against the rule reader and against chance.

The text was written from the scene, so the scene is the gold. Both are compared slot by slot as sets of words (so
`подвесной мост` for `мост` is half right), counted over all texts: precision is over the words that were found, recall
over those of the gold, F1 their harmonic mean. An answer that is no scene has found nothing. The rule reader is the one
that needs no training (hyperbridge.corpus); chance is the gold scene of another text, half the texts further on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hyperbridge.jsonl import atomic_writer
from hyperbridge.scenes import Scene

SLOTS = ("seams", "agent", "act", "field", "tone", "meta")
FILE_NAME = "interpretation.json"
WORD = re.compile(r"\w+")


@dataclass(slots=True)
class Overlap:
    """Words of one slot over many texts: in both, found, in the gold."""

    both: int = 0
    found: int = 0
    gold: int = 0

    @property
    def f1(self) -> float:
        return 2 * self.both / (self.found + self.gold) if self.both else 0.0


@dataclass(slots=True)
class Interpretation:
    """What one way of reading found of the scenes.

    Attributes:
        texts: how many were read.
        scenes: how many answers were scenes.
        slots: the overlap of each slot.
    """

    texts: int = 0
    scenes: int = 0
    slots: dict[str, Overlap] = field(default_factory=lambda: {slot: Overlap() for slot in SLOTS})

    def note(self, found: Scene | None, gold: Scene) -> None:
        """Count one answer."""
        self.texts += 1
        self.scenes += found is not None
        for slot, overlap in self.slots.items():
            there, wanted = (_words(scene, slot) for scene in (found, gold))
            overlap.both += len(there & wanted)
            overlap.found += len(there)
            overlap.gold += len(wanted)

    @property
    def f1(self) -> float:
        """Of all slots' words together."""
        every = self.slots.values()
        return Overlap(*(sum(getattr(one, part) for one in every) for part in ("both", "found", "gold"))).f1


def interpretations(
    texts: Sequence[str], gold: Sequence[Scene], ways: Mapping[str, Callable[[Sequence[str]], Iterable[Scene | None]]]
) -> dict[str, Interpretation]:
    """What each way of reading finds of the scenes of texts, and at the end chance.

    Args:
        texts: that were written from scenes.
        gold: their scenes.
        ways: name -> texts to scenes, one each, None where there is none.
    """
    half = len(gold) // 2
    answers: dict[str, Iterable[Scene | None]] = {name: read(texts) for name, read in ways.items()}
    answers["another scene"] = [*gold[half:], *gold[:half]]
    found: dict[str, Interpretation] = {}
    for name, scenes in answers.items():
        found[name] = Interpretation()
        for scene, own in zip(scenes, gold, strict=True):
            found[name].note(scene, own)
    return found


def save(path: Path, found: dict[str, Interpretation]) -> None:
    """Write the counts and the F1 of each way as JSON."""
    told = {
        name: {
            "texts": one.texts,
            "scenes": one.scenes,
            "f1": round(one.f1, 4),
            "slots": {slot: {**asdict(words), "f1": round(words.f1, 4)} for slot, words in one.slots.items()},
        }
        for name, one in found.items()
    }
    with atomic_writer(path) as file:
        json.dump(told, file, ensure_ascii=False, indent=2)
        file.write("\n")


def _words(scene: Scene | None, slot: str) -> set[str]:
    if scene is None:
        return set()
    value = scene.hyperlexeme or (scene.scene,) if slot == "seams" else getattr(scene.components, slot) or ()
    parts = (value,) if isinstance(value, str) else value
    return {word for part in parts for word in WORD.findall(part.casefold())}
