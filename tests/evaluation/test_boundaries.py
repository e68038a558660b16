"""Boundary figures: matches are one to one, baselines know the count, a play loses its structure and nothing else."""

import json
from pathlib import Path

import pytest

from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.boundaries import (
    BoundaryScore,
    count_matches,
    even_boundaries,
    pk,
    random_boundaries,
    read_play,
    score_boundaries,
    window_diff,
)

PLAY = [
    {"type": "boundary", "level": "act", "act": "Действие первое", "scene": ""},
    {"type": "stage", "text": "Комната."},
    {"type": "boundary", "level": "scene", "act": "Действие первое", "scene": "Явление 1"},
    {"type": "speech", "speaker": "Анна", "verse": False, "text": "Кто там? (Прислушивается.) Тихо."},
    {"type": "boundary", "level": "configuration", "act": "", "scene": ""},
    {"type": "speech", "speaker": "Пётр", "verse": False, "text": "Это я."},
    {"type": "boundary", "level": "act", "act": "Действие второе", "scene": ""},
    {"type": "stage", "text": "Сад."},
    {"type": "boundary", "level": "scene", "act": "Действие второе", "scene": "Явление 1"},
    {"type": "speech", "speaker": "Анна", "verse": False, "text": "Вот и весна."},
    {"type": "boundary", "level": "scene", "act": "Действие второе", "scene": "Явление 2"},
    {"type": "speech", "speaker": "Иван", "verse": False, "text": "Пойдём домой."},
]


def written(folder: Path, records: list[dict[str, object]]) -> Path:
    path = folder / "пьеса.jsonl"
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf-8")
    return path


def test_a_boundary_is_matched_once():
    assert count_matches([4, 5, 6], [5], tolerance=1) == 1
    assert count_matches([4, 5, 9], [5, 6, 10], tolerance=1) == 3
    assert count_matches([4, 5, 9], [5, 6, 10], tolerance=0) == 1
    assert count_matches([], [5], tolerance=1) == 0


def test_scores_are_over_all_texts_together():
    texts = [([3, 7], [3, 8], 10), ([], [5, 6], 10)]
    assert score_boundaries(texts) == BoundaryScore(1 / 2, 1 / 4, 1 / 3)
    assert score_boundaries(texts, tolerance=1) == BoundaryScore(1.0, 1 / 2, 2 / 3)
    assert score_boundaries([([], [], 4)]) == BoundaryScore(0.0, 0.0, 0.0)


def test_window_errors_are_none_for_the_truth_and_grow_with_distance():
    true = [5, 10, 15]
    assert window_diff(true, true, 20) == 0.0
    assert pk(true, true, 20) == 0.0
    assert window_diff([6, 10, 15], true, 20) < window_diff([8, 12, 18], true, 20)
    assert pk([], true, 20) == pytest.approx(6 / 18)


def test_baselines_place_as_many_boundaries_as_they_are_told():
    assert even_boundaries(3, 20) == [5, 10, 15]
    places = random_boundaries(4, 10, seed=1)
    assert places == random_boundaries(4, 10, seed=1)
    assert len(set(places)) == 4
    assert all(0 < place < 10 for place in places)


def test_a_play_is_its_units_with_acts_and_scenes_hidden(tmp_path: Path):
    play = read_play(written(tmp_path, PLAY), directions=True)
    spoken = [set(unit.agents) for unit in play.units if not unit.stage]
    assert spoken == [{"анна"}, {"пётр"}, {"анна"}, {"иван"}]
    assert [unit.stage for unit in play.units] == [True, False, False, True, False, False]
    assert play.boundaries == [3, 5]


def test_without_directions_only_what_is_said_is_left(tmp_path: Path):
    play = read_play(written(tmp_path, PLAY), directions=False)
    assert [set(unit.agents) for unit in play.units] == [{"анна"}, {"пётр"}, {"анна"}, {"иван"}]
    assert (play.units[0].words, play.units[0].length) == (3, 5)  # `Кто там? Тихо.`, the direction cut out
    assert play.boundaries == [2, 3]


def test_a_line_that_is_no_record_of_a_play_is_refused(tmp_path: Path):
    path = written(tmp_path, [*PLAY[:2], {"type": "speech", "text": "Кто говорит?"}])
    with pytest.raises(HyperBridgeError, match=r"пьеса\.jsonl:3: not a record of a play"):
        read_play(path, directions=True)
