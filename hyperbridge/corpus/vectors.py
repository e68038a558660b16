"""Scenes -> scenes with a vector: what a scene says, encoded into the one space.

A scene is encoded by its text where it has one, and else by the words of its meaning: hyperlexeme, components, mode
and context, without the separators and keys of the prompt form. The text carries more than the words taken from it, and
a person's message, which memory is searched with, is a text too. Batches go to the encoder in order; memory is
one batch. Cost: the encoder's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from hyperbridge.encoding import Encoder
from hyperbridge.scenes import Scene

DIGITS = 4


def add_vectors(scenes: Iterable[Scene], encoder: Encoder, batch_size: int = 64) -> Iterator[Scene]:
    """Yield the scenes in order, each with its vector, rounded to four digits.

    A scene of which the encoder knows no word keeps no vector: zeros would be a neighbour of nothing. Which encoder it
    was is recorded once a file by `hyperbridge.encoding.write_space`.

    Args:
        batch_size: scenes encoded together.
    """
    waiting = iter(scenes)
    while batch := list(islice(waiting, batch_size)):
        vectors = encoder.encode([what_it_says(scene) for scene in batch])
        for scene, vector in zip(batch, vectors.tolist(), strict=True):
            rounded = tuple(round(value, DIGITS) for value in vector)
            found = rounded if any(rounded) else None
            yield scene if found == scene.vector else scene.model_copy(update={"vector": found})


def what_it_says(scene: Scene) -> str:
    """The text of a scene, or the words of its meaning where it has none."""
    if scene.modalities is not None and scene.modalities.text:
        return scene.modalities.text
    return words_of_meaning(scene)


def words_of_meaning(scene: Scene) -> str:
    """Hyperlexeme, components, mode and context as plain words; the scene's name where it has no hyperlexeme."""
    parts = scene.components
    slots = (parts.agent, parts.act, parts.field, parts.tone, *parts.meta, scene.mode, scene.context)
    return " ".join([*(scene.hyperlexeme or (scene.scene,)), *(slot for slot in slots if slot)])
