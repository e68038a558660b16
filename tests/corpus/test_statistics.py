"""What a scene file holds, counted; and the page that draws it, with every name escaped."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge.corpus.outline import TreeNode
from hyperbridge.corpus.statistics import NONE, Chart, CorpusStatistics, write_page
from hyperbridge.scenes import Scene


def scene(**fields: object) -> Scene:
    return Scene.model_validate({"scene": "водакамень", **fields})


@pytest.fixture
def counted() -> CorpusStatistics:
    return CorpusStatistics.of(
        [
            scene(
                registers={"primary": "телесный"},
                tension=0.39,
                meta={"emotion": "страх", "source": "проза/река.txt", "density": 1.0},
                modalities={"text": "Вода холодная, и пальцы не держат камень."},
                trust="anchor",
            ),
            scene(
                meta={"register": "телесный", "source": "проза/река.txt#2"},
                tension=1.0,
                modalities={"text": "слово " * 121},
                echo={"kind": "near", "of": "a", "similarity": 0.5},
            ),
            scene(span={"source": "лист.txt", "start": 0, "end": 4}, tension=0.0),
        ]
    )


def chart(statistics: CorpusStatistics, title: str) -> dict[str, int]:
    (found,) = [one for one in statistics.charts() if one.title == title]
    return {name: count for name, count in found.bars if count}


def test_scenes_words_and_echoes_are_counted(counted: CorpusStatistics) -> None:
    assert (counted.scenes, counted.words, counted.echoes) == (3, 7 + 121, 1)


@pytest.mark.parametrize(
    ("title", "bars"),
    [
        ("register", {"телесный": 2, NONE: 1}),
        ("emotion", {NONE: 2, "страх": 1}),
        ("trust", {NONE: 2, "anchor": 1}),
        ("tension", {"0.0–0.1": 1, "0.3–0.4": 1, "0.9–1.0": 1}),
        ("density", {"0.9–1.0": 1}),
        ("words of a passage", {"1–10": 2, "over 120": 1}),
        ("source", {"проза": 2, NONE: 1}),
    ],
)
def test_every_field_has_its_chart(counted: CorpusStatistics, title: str, bars: dict[str, int]) -> None:
    assert chart(counted, title) == bars


def test_a_field_that_no_scene_has_is_left_out(counted: CorpusStatistics) -> None:
    assert {"archetype", "mode", "context"}.isdisjoint(one.title for one in counted.charts())


def test_no_scenes_are_no_error(tmp_path: Path) -> None:
    statistics = CorpusStatistics.of([])
    write_page(tmp_path / "page.html", statistics, "пусто")
    assert Chart("source", ()) in list(statistics.charts())
    assert "0 scenes, 0 words" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_page_draws_without_a_script_and_escapes_every_name(tmp_path: Path) -> None:
    evil = "<script>алерт()</script>"
    statistics = CorpusStatistics.of([scene(registers={"primary": evil}, meta={"source": f'"{evil}/a.txt'})])
    write_page(tmp_path / "page.html", statistics, f"{evil}.jsonl")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;алерт()&lt;/script&gt;.jsonl" in page
    assert page.count("<svg") == page.count("</svg>") == len(list(statistics.charts()))
    assert "http" not in page


def test_the_nodes_of_a_tree_are_counted_by_kind_and_its_scenes_by_their_passages() -> None:
    sizes = [("book", 7), ("chapter", 7), ("scene", 1), ("scene", 3), ("scene", 3)]
    lines = [{"id": str(at), "kind": kind, "passages": size} for at, (kind, size) in enumerate(sizes)]
    span = {"source": "река.txt", "start": 0, "end": 9}
    counted = CorpusStatistics.of([], [TreeNode.model_validate({**line, "span": span}) for line in lines])
    assert counted.tree() == "1 book, 1 chapter, 3 scenes"
    assert chart(counted, "passages of a scene in the tree") == {"1": 1, "3–4": 2}
    assert CorpusStatistics.of([]).tree() == ""
