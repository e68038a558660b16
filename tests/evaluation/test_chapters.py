"""Chapter starts of novels: the headings are hidden, what is found is not told where they were."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from hyperbridge.corpus.boundaries_ru import PROSE
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.boundaries import held_out
from hyperbridge.evaluation.chapters import (
    Novel,
    best_gaps,
    evaluate_chapters,
    even_gaps,
    random_gaps,
    read_novel,
    read_novels,
)

WHO = ("Старый мельник", "Молодой кузнец", "Слепая вдова")
DEEDS = ("закрыл ставни и задул лампу", "вынес из дома медный котёл", "долго звал собаку из темноты")
WHERE = ("а за рекой уже горели первые костры.", "и никто в деревне не вышел ему навстречу.")
PARAGRAPHS = [f"{who} {deed}, {where}" for who, deed, where in product(WHO, DEEDS, WHERE)]


def written(path: Path, chapters: int = 6) -> Path:
    """A novel of three paragraphs a chapter."""
    parts = (f"Глава {at + 1}\n\n" + "\n\n".join(PARAGRAPHS[3 * at : 3 * at + 3]) for at in range(chapters))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts), encoding="utf-8")
    return path


@pytest.fixture
def novel(tmp_path: Path) -> Novel:
    found = read_novel(written(tmp_path / "мельница.txt"))
    assert found is not None
    return found


def test_a_novel_is_its_passages_with_headings_hidden(novel: Novel) -> None:
    assert len(novel.units) == 18
    assert novel.boundaries == [3, 6, 9, 12, 15]
    assert set(novel.openings) == {"paragraph"}
    assert novel.units[0].agents == {"мельник"}


def test_a_text_of_few_chapters_is_none(tmp_path: Path) -> None:
    assert read_novel(written(tmp_path / "повесть.txt", chapters=4)) is None


def test_baselines_place_what_they_are_told_between_paragraphs(novel: Novel) -> None:
    inside = Novel(novel.name, novel.units, [*novel.openings[:4], *["sentence"] * 8, *novel.openings[12:]], [])  # type: ignore[list-item]
    assert inside.gaps() == [1, 2, 3, 12, 13, 14, 15, 16, 17]
    assert set(random_gaps(inside, 9, seed=1)) == set(inside.gaps())
    assert random_gaps(novel, 4, seed=1) == random_gaps(novel, 4, seed=1)
    assert even_gaps(novel, 2, seed=0) == [6, 12]
    assert even_gaps(inside, 1, seed=0) == [12]


def test_the_best_gaps_have_the_highest_scores(novel: Novel) -> None:
    broken = Novel(novel.name, novel.units, [*novel.openings[:9], "break", *novel.openings[10:]], novel.boundaries)
    assert best_gaps(broken, 1, PROSE) == [9]
    assert len(best_gaps(broken, 5, PROSE)) == 5


def test_only_held_out_novels_are_judged(tmp_path: Path) -> None:
    names = [f"роман-{number}.txt" for number in range(6)]
    paths = [written(tmp_path / name) for name in names]
    out = [name for name in names if held_out(name)]
    assert [novel.name for novel in read_novels(paths, kept_out=True)] == out
    novels, starts, reports = evaluate_chapters(paths)
    assert (novels, starts) == (len(out), 5 * len(out))
    assert [name.partition(",")[0] for name in reports] == ["found", "random", "even", "the best", "random", "even"]


def test_no_novel_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="no held-out novel with 5 chapters or more among the files"):
        evaluate_chapters([written(tmp_path / "рассказ.txt", chapters=2)])
