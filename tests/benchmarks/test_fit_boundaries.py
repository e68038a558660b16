"""The weights of scene boundaries: a signal that tells gets its weight, the threshold is the best of those tried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fit_boundaries import Text, as_code, choose_threshold, examples, main, weights_by_penalty
from hyperbridge.corpus.boundaries_ru import PLAY, Settings, Unit, find_boundaries, traces_of
from hyperbridge.errors import HyperBridgeError

CASTS = (("анна", "пётр"), ("иван", "мария"), ("сторож", "солдат"), ("няня", "доктор"))


@pytest.fixture
def play() -> Text:
    """Four scenes of eight speeches, two speakers each."""
    spoken = [traces_of(Unit([], cast[number % 2])) for cast in CASTS for number in range(8)]
    units = [replace(unit, length=20) for unit in spoken]
    return Text(units, ["paragraph"] * len(units), [8, 16, 24])


def test_every_gap_between_paragraphs_is_an_example(play: Text) -> None:
    rows, labels = examples([play])
    assert len(rows) == 31
    assert labels.nonzero()[0].tolist() == [7, 15, 23]
    inside = Text(play.units, [*play.openings[:4], "sentence", *play.openings[5:]], play.boundaries)
    assert len(examples([inside])[0]) == 30


def test_the_signals_that_tell_get_weights_and_the_others_none(play: Text) -> None:
    fitted = list(weights_by_penalty([play]))
    assert fitted == list(weights_by_penalty([play]))
    assert fitted[0]["cast_moves"] > fitted[1]["cast_moves"] > 0.1
    for weights in fitted:
        assert weights["bias"] < 0
        assert not {"asks", "stage_after", "time_first", "break"} & weights.keys()


def test_the_threshold_is_the_one_that_finds_the_scenes(play: Text) -> None:
    settings, quality = choose_threshold(Settings(next(weights_by_penalty([play])), 9.0, 9.0, 900), [play])
    assert quality == 2.0
    assert find_boundaries(play.units, play.openings, settings) == play.boundaries
    assert settings.min_words <= 8 * 20


def test_settings_are_printed_as_the_code_that_makes_them() -> None:
    for settings in (PLAY, Settings({"bias": -7.05, "break": 4.0}, 1.0, float("-inf"), 150)):
        made: dict[str, object] = {"Settings": Settings}
        exec(as_code("FOUND", settings), made)
        assert made["FOUND"] == settings


def test_a_folder_without_plays_and_novels_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"neither plays .* nor novels .* below it"):
        main([str(tmp_path)])
