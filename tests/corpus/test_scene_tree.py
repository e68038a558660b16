"""Scene tree: chapters from headings or divisions, scenes from boundaries, links and nesting."""

from itertools import pairwise

from hyperbridge.corpus.scene_tree import (
    Chapter,
    SceneTree,
    build_tree,
    chapters_of,
    choose_boundaries,
    clean_title,
    find_chapters,
    node_id,
    openings,
)
from hyperbridge.corpus.segmentation import Passage
from hyperbridge.corpus.segmentation_ru import LAYOUT


def passages_of(text: str, *texts: str, kind: str = "prose") -> list[Passage]:
    """Passages at the places where their texts stand."""
    return [Passage("книга.txt", text.index(one), text.index(one) + len(one), one, kind) for one in texts]  # type: ignore[arg-type]


def tree_of(text: str, passages: list[Passage], boundaries: list[int]) -> SceneTree:
    return build_tree("книга.txt", "Книга", len(text), passages, find_chapters(text, passages, LAYOUT), boundaries)


BOOK = """МЕЛЬНИЦА

Часть первая

I
Возвращение

Иван сошёл с крыльца. Он долго смотрел на реку.

Вечером пришёл сосед.

II

Мельница стояла пустая.

Часть вторая

I

Прошло пять лет.
"""
PARTS = ("Иван сошёл с крыльца.", "Он долго смотрел на реку.", "Вечером пришёл сосед.")
PIECES = passages_of(BOOK, *PARTS, "Мельница стояла пустая.", "Прошло пять лет.")


def outline(tree: SceneTree, name: str) -> list:  # type: ignore[type-arg]
    node = tree.nodes[name]
    return [(node.kind, node.title), *(outline(tree, child) for child in node.children)]


def test_headings_nest_by_the_order_in_which_their_shapes_appear():
    found = [(chapter.title, chapter.depth) for chapter in find_chapters(BOOK, PIECES, LAYOUT)]
    assert found == [("Часть первая", 0), ("I Возвращение", 1), ("II", 1), ("Часть вторая", 0), ("I", 1)]


def test_tree_is_book_chapters_scenes_passages():
    tree = tree_of(BOOK, PIECES, [2])
    passage = [("passage", None)]
    assert outline(tree, next(iter(tree.nodes))) == [
        ("book", "Книга"),
        [
            ("chapter", "Часть первая"),
            [
                ("chapter", "I Возвращение"),
                [("scene", None), passage, passage],
                [("scene", None), passage],
            ],
            [("chapter", "II"), [("scene", None), passage]],
        ],
        [("chapter", "Часть вторая"), [("chapter", "I"), [("scene", None), passage]]],
    ]
    assert tree.path(tree.passages[1]) == ("Часть первая", "I Возвращение")


def test_next_leads_through_a_scene_and_from_its_end_into_the_scene_after_it():
    tree = tree_of(BOOK, PIECES, [2])
    passages = [tree.nodes[name] for name in tree.passages]
    assert [passage.next for passage in passages] == [*tree.passages[1:], None]
    first, second, third, *_ = passages
    assert first.parent == second.parent != third.parent
    scenes = [node for node in tree.nodes.values() if node.kind == "scene"]
    assert [scene.next for scene in scenes] == [scenes[1].id, scenes[2].id, scenes[3].id, None]
    assert scenes[0].children == [first.id, second.id]
    assert scenes[1].children == [third.id]


def test_spans_nest_and_siblings_are_in_order():
    tree = tree_of(BOOK, PIECES, [2])
    for node in tree.nodes.values():
        children = [tree.nodes[name] for name in node.children]
        assert all(node.start <= child.start and child.end <= node.end for child in children)
        assert all(one.end <= after.start for one, after in pairwise(children))
        assert all(child.parent == node.id for child in children)
    assert BOOK[tree.nodes[tree.passages[3]].start : tree.nodes[tree.passages[3]].end] == "Мельница стояла пустая."


def test_ids_come_from_source_and_offsets_alone():
    tree = tree_of(BOOK, PIECES, [2])
    other = tree_of(BOOK, PIECES, [1, 2])
    assert tree.passages == other.passages
    assert tree.passages[0] == node_id("книга.txt", "passage", PIECES[0].start, PIECES[0].end)
    assert node_id("книга.txt", "passage", 0, 5) != node_id("книга.txt", "scene", 0, 5)


def test_table_of_contents_and_footnote_numbers_make_no_chapters():
    contents, note = "Содержание\nГлава I\nГлава II\n\n", "1\nСердце моё (фр.).\n\n"
    text = f"{contents}Глава I\n\nСнег лежал в поле.\n\n{note}Глава II\n\nСнег сошёл.\n"
    pieces = passages_of(text, "Снег лежал в поле.", "Снег сошёл.")
    assert [chapter.title for chapter in find_chapters(text, pieces, LAYOUT)] == ["Глава I", "Глава II"]


def test_numbers_out_of_turn_are_no_headings():
    text = "I\n\nШёл дождь.\n\n147\n\nДождь не кончался.\n\nII\n\nНастало утро.\n"
    pieces = passages_of(text, "Шёл дождь.", "Дождь не кончался.", "Настало утро.")
    assert openings(text, pieces, find_chapters(text, pieces, LAYOUT), LAYOUT) == ["heading", "paragraph", "heading"]
    assert [chapter.title for chapter in find_chapters(text, pieces, LAYOUT)] == ["I", "II"]


def test_titles_between_poems_begin_scenes():
    text = "Река\n\nТечёт река,\nНе спит река.\n\nЛес\n\nСтоит сосна,\nМолчит она.\n"
    pieces = passages_of(text, "Течёт река,\nНе спит река.", "Стоит сосна,\nМолчит она.", kind="verse")
    tree = tree_of(text, pieces, [])
    assert [node.title for node in tree.nodes.values() if node.kind == "scene"] == ["Река", "Лес"]


def test_openings_tell_a_sentence_a_paragraph_a_break_and_a_heading():
    text = "Глава I\nШёл дождь. Ветер стих.\nПотом стемнело.\n* * *\nНастало утро.\n"
    pieces = passages_of(text, "Шёл дождь.", "Ветер стих.", "Потом стемнело.", "Настало утро.")
    assert openings(text, pieces, find_chapters(text, pieces, LAYOUT), LAYOUT) == [
        "heading",
        "sentence",
        "paragraph",
        "break",
    ]


def test_empty_lines_are_breaks_only_where_they_are_rare():
    lines = [f"Абзац номер {number}." for number in range(8)]
    rare = "\n".join(lines[:4]) + "\n\n" + "\n".join(lines[4:])
    assert openings(rare, passages_of(rare, *lines), [], LAYOUT)[4] == "break"
    usual = "\n\n".join(lines)
    assert openings(usual, passages_of(usual, *lines), [], LAYOUT)[4] == "paragraph"


def test_scene_divisions_of_an_act_overrule_boundaries_and_take_in_what_opens_the_act():
    text = "Комната. Входит Пётр. Пётр молчит. Входит Анна. Анна плачет."
    pieces = passages_of(text, "Комната.", "Входит Пётр.", "Пётр молчит.", "Входит Анна.", "Анна плачет.")
    act, end = Chapter("Действие I", 0, len(text), 0, "act"), len(text)
    scenes = [Chapter("Явление 1", 9, 34, 1, "scene"), Chapter("Явление 2", 35, end, 1, "scene")]
    tree = build_tree("пьеса.txt", None, end, pieces, [act, *scenes], [1, 2])
    found = [(node.title, len(node.children)) for node in tree.nodes.values() if node.kind == "scene"]
    assert found == [("Явление 1", 3), ("Явление 2", 2)]
    assert tree.path(tree.passages[0]) == ("Действие I",)


def test_chosen_boundaries_stand_out_among_the_scores_and_leave_no_short_scene():
    scores = [0.0, 0.0, 5.0, 6.0, 0.0, 0.0, 0.0, 4.0, 0.0]
    words = [50] * 10
    assert choose_boundaries(scores, words, deviations=0.5, min_words=100) == [4, 8]
    assert choose_boundaries(scores, words, deviations=0.5, min_words=50) == [3, 4, 8]
    assert choose_boundaries(scores, words, deviations=0.5, min_words=150) == [4]
    assert choose_boundaries(scores, words, deviations=9.0, min_words=50) == []


def test_two_good_boundaries_win_over_one_better_that_bars_both():
    scores = [-9.0, 5.0, 6.0, 5.0, -9.0, -9.0]
    assert choose_boundaries(scores, [10] * 7, deviations=0.0, min_words=20) == [2, 4]


def test_headings_always_open_a_scene_and_the_best_cut_between_them_is_found():
    scores = [0.0, 9.0, 0.0, 0.0, 0.0, 0.0]
    assert choose_boundaries(scores, [10] * 7, deviations=1.0, min_words=20, always=[0, 4]) == [0, 2, 4]


def test_titles_are_without_asterisks_note_marks_and_markup():
    titles = [
        "* * *",
        "***",
        "Лес*",
        "** Лес **",
        "# Лес",
        "Глава I [3]",
        "_Лес_\n1830",
        "[Глава  II],",
        "«Лес»",
        "",
        None,
    ]
    assert [clean_title(title) for title in titles] == [
        None,
        None,
        "Лес",
        "Лес",
        "Лес",
        "Глава I",
        "Лес 1830",
        "Глава II",
        "«Лес»",
        None,
        None,
    ]


def test_asterisks_are_the_title_of_no_chapter():
    pieces = passages_of(BOOK, *PARTS)
    tree = build_tree("книга.txt", "* Мельница *", len(BOOK), pieces, [Chapter("* * *", 0, len(BOOK), 0)], [])
    assert [(node.kind, node.title) for node in tree.nodes.values()][:2] == [("book", "Мельница"), ("chapter", None)]
    assert tree.path(tree.passages[0]) == ()


def test_chapters_are_sought_in_the_text_where_the_source_marks_none():
    marked = [Chapter(None, 33, 54, 0, "verse"), Chapter("Иван", 55, 80, 0, "speech")]
    assert [chapter.title for chapter in chapters_of(marked, BOOK, PIECES, LAYOUT)][:2] == [
        "Часть первая",
        "I Возвращение",
    ]
    own = [*marked, Chapter("Своя глава", 0, len(BOOK), 0)]
    assert chapters_of(own, BOOK, PIECES, LAYOUT) == own


def test_a_document_of_no_passages_is_a_book_alone():
    tree = build_tree("пусто.txt", None, 0, [], [], [])
    assert [node.kind for node in tree.nodes.values()] == ["book"]


def test_numerals_of_stanzas_left_out_are_a_heading_like_the_others():
    text = "I\n\nИван сошёл с крыльца.\n\nII. III\n\nОн долго смотрел на реку.\n\nIV\n\nВечером пришёл сосед.\n"
    found = find_chapters(text, passages_of(text, *PARTS), LAYOUT)
    assert [(chapter.title, chapter.depth) for chapter in found] == [("I", 0), ("II. III", 0), ("IV", 0)]
