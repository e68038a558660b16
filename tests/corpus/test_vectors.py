"""Every scene gets the vector of what it says, in batches that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hyperbridge.corpus.vectors import add_vectors, what_it_says
from hyperbridge.encoding import normalised
from hyperbridge.scenes import Scene

if TYPE_CHECKING:
    from hyperbridge.encoding import Vectors

TOLD = Scene.model_validate(
    {"scene": "жарвход", "hyperlexeme": ["жар", "вход"], "modalities": {"text": "Он шагнул в огонь."}, "своё": 1}
)
BARE = Scene.model_validate(
    {
        "scene": "мосттуман",
        "hyperlexeme": ["мост", "туман"],
        "components": {"agent": "путница", "act": "идти", "meta": ["порог", "голос"]},
        "mode": "ностальгия",
    }
)


class Lengths:
    """Encodes a text by its number of letters and of words; remembers its batches."""

    name, dimensions = "lengths", 2

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        self.batches.append(len(texts))
        return normalised(np.array([[len(text), len(text.split())] for text in texts], np.float32))


def test_a_scene_says_its_text_or_else_the_words_of_its_meaning() -> None:
    assert what_it_says(TOLD) == "Он шагнул в огонь."
    assert what_it_says(BARE) == "мост туман путница идти порог голос ностальгия"
    assert what_it_says(Scene(scene="Δ17")) == "Δ17"


def test_vectors_are_rounded_and_the_rest_of_the_scene_is_kept() -> None:
    (told,) = add_vectors([TOLD], Lengths())
    assert told.vector == (0.9762, 0.2169)
    assert told.model_copy(update={"vector": None}) == TOLD


def test_batches_keep_the_order_and_change_no_vector() -> None:
    encoder = Lengths()
    scenes = [TOLD, BARE, TOLD, BARE, BARE]
    two = list(add_vectors(scenes, encoder, batch_size=2))
    assert encoder.batches == [2, 2, 1]
    assert two == list(add_vectors(scenes, Lengths()))
    assert [scene.scene for scene in two] == [scene.scene for scene in scenes]


def test_a_scene_of_unknown_words_has_no_vector() -> None:
    class Nothing(Lengths):
        def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
            return np.zeros((len(texts), 2), np.float32)

    (scene,) = add_vectors([TOLD.model_copy(update={"vector": (1.0, 0.0)})], Nothing())
    assert scene.vector is None


def test_no_scenes_give_no_vectors() -> None:
    assert list(add_vectors([], Lengths())) == []
