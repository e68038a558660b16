"""What a way of reading finds of the scenes: words of each slot, over all texts, beside chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hyperbridge import Scene
from hyperbridge.evaluation.interpretation import Interpretation, interpretations, save

BRIDGE = Scene.from_prompt("мост+туман; agent=путница; act=идти на голос; field=подвесной мост")
GARDEN = Scene.from_prompt("сад+снег; agent=Садовник; act=ждать; field=сад")


def test_half_a_slot_is_half_found() -> None:
    one = Interpretation()
    one.note(Scene.from_prompt("мост+вода; agent=путница; act=идти; field=мост"), BRIDGE)
    figures = {slot: (words.both, words.found, words.gold) for slot, words in one.slots.items()}
    assert figures == {
        "seams": (1, 2, 2),
        "agent": (1, 1, 1),
        "act": (1, 1, 3),
        "field": (1, 1, 2),
        "tone": (0, 0, 0),
        "meta": (0, 0, 0),
    }
    assert one.slots["act"].f1 == 0.5
    assert one.slots["tone"].f1 == 0.0
    assert one.f1 == pytest.approx(2 * 4 / (5 + 8))


def test_an_answer_that_is_no_scene_has_found_nothing() -> None:
    one = Interpretation()
    one.note(None, BRIDGE)
    assert (one.texts, one.scenes, one.f1, one.slots["agent"].gold) == (1, 0, 0.0, 1)


def test_case_does_not_matter() -> None:
    one = Interpretation()
    one.note(Scene.from_prompt("Сад+СНЕГ; agent=садовник"), GARDEN)
    assert (one.slots["seams"].f1, one.slots["agent"].f1) == (1.0, 1.0)


def test_ways_stand_beside_another_scene(tmp_path: Path) -> None:
    def right(texts: Sequence[str]) -> list[Scene | None]:
        assert list(texts) == ["о мосте", "о саде"]
        return [BRIDGE, GARDEN]

    found = interpretations(["о мосте", "о саде"], [BRIDGE, GARDEN], {"right": right})
    assert {name: round(one.f1, 3) for name, one in found.items()} == {"right": 1.0, "another scene": 0.0}
    save(tmp_path / "interpretation.json", found)
    told = json.loads((tmp_path / "interpretation.json").read_text(encoding="utf-8"))
    assert told["right"]["slots"]["field"] == {"both": 3, "found": 3, "gold": 3, "f1": 1.0}
    assert (told["another scene"]["texts"], told["another scene"]["f1"]) == (2, 0.0)
