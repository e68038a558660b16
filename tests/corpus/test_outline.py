"""The tree of a scene file: lines in reading order, found by id, by what they are in, and from any depth upwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.corpus.outline import Outline, TreeNode, tree_nodes, tree_path
from hyperbridge.corpus.scene_tree import Chapter, build_tree
from hyperbridge.corpus.segmentation import Passage
from hyperbridge.jsonl import read_jsonl, write_jsonl

TEXT = "Глава I\n\nСнег лежал. Снег таял.\n\nНастал вечер.\n\nГлава II\n\nСнег сошёл.\n"
PARTS = ("Снег лежал.", "Снег таял.", "Настал вечер.", "Снег сошёл.")


@pytest.fixture
def nodes() -> list[TreeNode]:
    pieces = [Passage("снег.txt", TEXT.index(one), TEXT.index(one) + len(one), one, "prose") for one in PARTS]
    second = TEXT.index("Глава II")
    chapters = [Chapter("Глава I", 0, second, 0), Chapter("Глава II", second, len(TEXT), 0)]
    return list(tree_nodes(build_tree("снег.txt", "Снег", len(TEXT), pieces, chapters, [2])))


def test_a_line_tells_kind_title_place_and_number_of_passages(nodes: list[TreeNode]) -> None:
    told = [(node.kind, node.title, TEXT[node.span.start : node.span.end], node.passages) for node in nodes]
    assert told == [
        ("book", "Снег", TEXT, 4),
        ("chapter", "Глава I", "Глава I\n\nСнег лежал. Снег таял.\n\nНастал вечер.", 3),
        ("scene", None, "Снег лежал. Снег таял.", 2),
        ("scene", None, "Настал вечер.", 1),
        ("chapter", "Глава II", "Глава II\n\nСнег сошёл.", 1),
        ("scene", None, "Снег сошёл.", 1),
    ]
    assert {node.span.source for node in nodes} == {"снег.txt"}


def test_lines_survive_their_file_and_say_nothing_of_what_is_not_there(nodes: list[TreeNode], tmp_path: Path) -> None:
    write_jsonl(tmp_path / "снег.tree.jsonl", nodes)
    assert list(read_jsonl(tmp_path / "снег.tree.jsonl", TreeNode, strict=True)) == nodes
    lines = (tmp_path / "снег.tree.jsonl").read_text(encoding="utf-8").split("\n")
    assert "parent" not in lines[0]
    assert "next" not in lines[0]
    assert '"title"' not in lines[2]


def test_a_node_knows_what_is_in_it_and_what_it_is_in(nodes: list[TreeNode]) -> None:
    outline = Outline.of(nodes)
    (book,) = outline.children(None)
    assert [node.title for node in outline.children(book.id)] == ["Глава I", "Глава II"]
    assert [node.kind for node in outline.chain(nodes[3].id)] == ["book", "chapter", "scene"]
    assert outline.chain("нет") == []
    assert outline.children(nodes[3].id) == ()


def test_next_leads_from_scene_to_scene_and_from_chapter_to_chapter(nodes: list[TreeNode]) -> None:
    book, first, one, two, second, three = nodes
    assert [node.next for node in nodes] == [None, second.id, two.id, three.id, None, None]
    assert (one.parent, two.parent, three.parent, first.parent) == (first.id, first.id, second.id, book.id)


def test_the_tree_lies_beside_the_scenes(nodes: list[TreeNode], tmp_path: Path) -> None:
    assert tree_path("data/scenes.jsonl") == Path("data/scenes.tree.jsonl")
    assert tree_path("scenes") == Path("scenes.tree.jsonl")
    assert Outline.beside(tmp_path / "scenes.jsonl").nodes == {}
    write_jsonl(tmp_path / "scenes.tree.jsonl", nodes)
    assert len(Outline.beside(tmp_path / "scenes.jsonl").nodes) == 6


def test_a_line_that_is_no_node_is_named(tmp_path: Path) -> None:
    (tmp_path / "scenes.tree.jsonl").write_text('{"id":"a","kind":"tome"}\n', encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"scenes\.tree\.jsonl:1: "):
        Outline.beside(tmp_path / "scenes.jsonl")
