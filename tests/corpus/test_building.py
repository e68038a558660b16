"""Texts become scenes: deterministic, counted, streaming, with clear refusals."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperbridge import HyperBridgeError, Scene
from hyperbridge.corpus import parsing_ru
from hyperbridge.corpus.building import DropCounts, build_scenes, read_text
from hyperbridge.corpus.documents import Division, Document, read_documents
from hyperbridge.corpus.scene_tree import SceneTree

FISHER = "Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся туман."
WIDOW = "Вдова закрыла ставни, зажгла лампу и села к столу писать длинное письмо сыну."


def test_a_scene_carries_its_passage_its_span_and_its_source() -> None:
    text = f"Глава первая\n\n{FISHER}\n"
    (scene,) = read_text(text, source="озеро.txt")
    assert scene.modalities is not None
    assert scene.modalities.text == FISHER
    assert scene.span is not None
    assert text[scene.span.start : scene.span.end] == FISHER
    assert scene.span.source == scene.meta.source == "озеро.txt"
    assert scene.meta.density is not None
    assert 0 < scene.meta.density <= 1
    assert Scene.model_validate_json(scene.to_json()) == scene


def test_every_drop_is_counted_by_stage_and_reason() -> None:
    drops = DropCounts()
    nonsense = "Глокая куздра штеко будланула бокра и курдячит бокрёнка шлямно и кудрато."
    documents = [
        Document("a", f"I\n\n{FISHER}\n\nДа.\n\n{FISHER}"),
        Document("b", f"{nonsense}\n\n{WIDOW}\n\n{FISHER}"),  # in another document it is a reserve
    ]
    scenes = list(build_scenes(documents, drops=drops))
    assert drops.dropped == {
        ("segmentation", "number or date"): 1,
        ("segmentation", "shorter than 8 words"): 1,
        ("deduplication", "exact repetition"): 1,
        ("extraction", "mostly words that are not in the dictionary"): 1,
    }
    assert (drops.documents, drops.scenes, len(scenes)) == (2, 3, 3)
    assert drops.registers.total() == 3


def test_a_document_gives_the_same_bytes_whatever_is_beside_it() -> None:
    first, second = (
        Document("a.txt", f"{FISHER}\n\n{WIDOW}"),
        Document("b.txt", "Дождь стучал по крыше, и мальчик считал капли."),
    )
    alone = [scene.to_json() for scene in build_scenes([first])]
    beside = [scene.to_json() for scene in build_scenes([second, first])]
    assert beside[-len(alone) :] == alone


def test_documents_are_drawn_one_by_one() -> None:
    drawn = []

    def endless():
        while True:
            drawn.append(len(drawn))
            yield Document(
                str(len(drawn)),
                f"{FISHER} {WIDOW} Вот и весь {len(drawn)}-й рассказ о доме над водой номер {'раз ' * len(drawn)}.",
            )

    scenes = build_scenes(endless())
    next(scenes)
    assert len(drawn) == 1


def test_the_tree_of_a_document_is_given_before_its_first_scene() -> None:
    given: list[SceneTree] = []
    texts = {
        "мельница.txt": "Старый мельник открыл тяжёлую дверь амбара и долго смотрел на пустые мешки.",
        "пусто.txt": "",
        "лес.txt": "Голодный волк вышел из тёмного леса и остановился перед занесённой снегом дорогой.",
    }
    scenes = build_scenes([Document(*each) for each in texts.items()], on_tree=given.append)
    told = [(scene.id, [tree.source for tree in given]) for scene in scenes]
    assert [sources for _, sources in told] == [["мельница.txt"], list(texts)]
    assert [tree.passages for tree in given] == [(told[0][0],), (), (told[1][0],)]


def test_a_language_without_rules_is_refused_at_the_call() -> None:
    with pytest.raises(HyperBridgeError, match=r"no corpus rules for language 'en': .*known: ru"):
        build_scenes([], language="en")


def test_a_missing_package_is_named(monkeypatch) -> None:
    monkeypatch.setattr(parsing_ru.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HyperBridgeError, match=r"razdel: pip install 'hyperbridge\[russian\]'"):
        build_scenes([])


def test_a_cp1251_file_is_read_and_a_folder_in_order(tmp_path) -> None:
    (tmp_path / "б.txt").write_bytes(WIDOW.encode("cp1251"))
    (tmp_path / "а.txt").write_text(FISHER, encoding="utf-8")
    documents = list(read_documents([tmp_path]))
    assert [(document.title, document.encoding) for document in documents] == [("а", "utf-8"), ("б", "cp1251")]
    assert [scene.components.agent for scene in build_scenes(documents)] == ["рыбак", "вдова"]


def test_the_dead_libraries_and_torch_stay_out() -> None:
    code = (
        "import sys; from hyperbridge.corpus.building import read_text; read_text(sys.argv[1]); "
        "print([name for name in ('natasha', 'pymorphy2', 'torch', 'pkg_resources') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, FISHER], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


PIECES = st.sampled_from(
    [FISHER, "Тень ", "не ", "быстро", ".", " — ", "\n", "\n\n", "Я ", "жар ", "!", "Москва ", "42 ", "во тьме "]
)


def test_a_character_without_a_name_is_read_past() -> None:
    assert [scene.components.agent for scene in read_text(f"{FISHER[:-1]} \U00017000 и туман\U00017000.")] == ["рыбак"]


@settings(max_examples=40, deadline=None)
@given(st.lists(PIECES | st.text(max_size=6), max_size=30).map("".join))
def test_no_text_breaks_the_reading(text: str) -> None:
    for scene in read_text(text):
        assert scene.scene == "".join(scene.hyperlexeme)
        assert Scene.from_prompt(scene.prompt()) == scene.meaning()


def test_headings_in_the_text_count_where_the_source_marks_verse_alone() -> None:
    text = f"Глава первая\n\n{FISHER}\n\nГлава вторая\n\n{WIDOW}\n"
    marked = Division("verse", "", 14, 40, 0)
    scenes = build_scenes([Document("книга.fb2", text, divisions=(marked,))])
    assert [scene.path for scene in scenes] == [("Глава первая",), ("Глава вторая",)]
