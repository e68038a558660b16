"""`hyperbridge corpus` as a user calls it, and what holds for every scene file that it writes."""

from __future__ import annotations

import json
from itertools import groupby, pairwise, product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hyperbridge import HyperBridgeError, Scene
from hyperbridge.cli.corpus import app
from hyperbridge.corpus import tasks
from hyperbridge.corpus.outline import Outline, tree_path
from hyperbridge.jsonl import read_jsonl

BOOK = (
    "Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся туман.\n\n"
    "Вдова закрыла ставни, зажгла лампу и села к столу писать длинное письмо сыну.\n"
)


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_bytes(BOOK.encode("cp1251"))
    return path


def test_a_book_becomes_scenes_and_scenes_become_pairs(book: Path, tmp_path: Path) -> None:
    output = call("build", book, "-o", tmp_path / "scenes.jsonl", "--register", "телесный")
    assert "book.txt: read as cp1251" in output
    assert "2 scenes of 1 documents" in output
    scenes = list(read_jsonl(tmp_path / "scenes.jsonl", Scene, strict=True))
    assert [scene.registers.primary for scene in scenes] == ["телесный", "телесный"]
    output = call("pairs", tmp_path / "scenes.jsonl", "-o", tmp_path / "expressions", "--test", "*/book.txt")
    assert "register 'телесный' has no train source" in output
    assert "2 pairs" in output
    assert sorted(path.name for path in (tmp_path / "expressions").iterdir()) == [
        "README.md",
        "test.jsonl",
        "train.jsonl",
        "validation.jsonl",
    ]


def test_building_twice_gives_the_same_bytes(book: Path, tmp_path: Path) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        call("build", book, "-o", tmp_path / name)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert (tmp_path / "one.tree.jsonl").read_bytes() == (tmp_path / "two.tree.jsonl").read_bytes()


def test_an_output_is_not_overwritten_unasked(book: Path, tmp_path: Path) -> None:
    (tmp_path / "scenes.jsonl").write_text("прежнее", encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"exists already; .*--force"):
        call("build", book, "-o", tmp_path / "scenes.jsonl")
    assert (tmp_path / "scenes.jsonl").read_text(encoding="utf-8") == "прежнее"
    call("build", book, "-o", tmp_path / "scenes.jsonl", "--force")
    assert (tmp_path / "scenes.jsonl").read_bytes().count(b"\n") == 2


WHO = ("Старый мельник", "Молодой кузнец", "Слепая вдова", "Чужой солдат")
DEEDS = (
    "закрыл ставни и задул лампу",
    "вынес из дома медный котёл",
    "долго звал собаку из темноты",
    "спрятал под крыльцо отцовское письмо",
)
WHERE = (
    "а за рекой уже горели первые костры",
    "и никто в деревне не вышел ему навстречу",
    "и страшно закричал: «Беда, смерть, никогда сюда не входите!»",
    "и белый снег медленно засыпал старые следы у колодца, у сада, у дороги и у самого крыльца большого дома",
)
FICTION_BOOK = """<?xml version="1.0" encoding="utf-8"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><body><section><title><p>Мельница</p></title>
<p>{}</p></section></body></FictionBook>"""


@pytest.fixture(scope="module")
def long_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two books of four chapters; each of 64 paragraphs of its own says another thing, the first ten are in both."""
    folder = tmp_path_factory.mktemp("long") / "books"
    folder.mkdir()
    paragraphs = [f"{who} {deed}, {where}." for who, deed, where in product(WHO, DEEDS, WHERE)]
    for name, own in (("а.txt", paragraphs), ("б.txt", paragraphs[:10])):
        chapters = [own[start : start + 16] for start in range(0, len(own), 16)]
        heads = ("первая", "вторая", "третья", "четвёртая")
        text = "\n\n".join(
            f"Глава {head}\n\n" + "\n\n".join(chapter) for head, chapter in zip(heads, chapters, strict=False)
        )
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def long_scenes(long_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("built") / "scenes.jsonl"
    call("build", long_book, "-o", path)
    return path


@pytest.fixture
def scenes_by_source(long_scenes: Path) -> dict[str, list[Scene]]:
    scenes = read_jsonl(long_scenes, Scene, strict=True)
    return {source: list(own) for source, own in groupby(scenes, lambda scene: scene.meta.source or "")}


def test_next_leads_through_all_scenes_of_a_source_once_and_in_order(scenes_by_source: dict[str, list[Scene]]) -> None:
    assert {source: len(scenes) for source, scenes in scenes_by_source.items()} == {
        "books/а.txt": 64,
        "books/б.txt": 10,
    }
    for scenes in scenes_by_source.values():
        assert len({scene.id for scene in scenes}) == len(scenes)
        assert [scene.next for scene in scenes] == [*((scene.id,) for scene in scenes[1:]), ()]
        spans = [(scene.span.start, scene.span.end) for scene in scenes if scene.span]
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_the_scenes_of_a_parent_stand_together_and_in_one_chapter(scenes_by_source: dict[str, list[Scene]]) -> None:
    scenes = [scene for own in scenes_by_source.values() for scene in own]
    parents = [parent for parent, _ in groupby(scenes, lambda scene: scene.parent)]
    assert None not in parents
    assert len(set(parents)) == len(parents)
    assert len({(scene.parent, scene.path) for scene in scenes}) == len(parents)
    assert [path for path, _ in groupby(scenes, lambda scene: scene.path)] == [
        ("Глава первая",),
        ("Глава вторая",),
        ("Глава третья",),
        ("Глава четвёртая",),
        ("Глава первая",),
    ]


def test_a_weak_scene_needs_work_and_its_amplifier_is_a_tenser_scene(scenes_by_source: dict[str, list[Scene]]) -> None:
    scenes = {scene.id: scene for own in scenes_by_source.values() for scene in own}
    for scene in scenes.values():
        assert scene.tension is not None
        assert bool(scene.needs_work) == (scene.tension < 0.4)
        assert scene.needs_work or scene.amplifier is None
    lifted = [(scene, scenes[scene.amplifier]) for scene in scenes.values() if scene.amplifier]
    assert lifted
    for weak, strong in lifted:
        assert (strong.tension or 0.0) > (weak.tension or 0.0)
        assert strong.meta.source == weak.meta.source


def test_what_is_sure_is_between_none_and_all_and_told_of_fields_that_are_there(long_scenes: Path) -> None:
    for scene in read_jsonl(long_scenes, Scene, strict=True):
        assert scene.confidence
        assert all(0.0 <= value <= 1.0 for value in scene.confidence.values())
        assert scene.trust in {"anchor", "hypothesis", None}
        assert ("trust" in scene.confidence) == (scene.trust is not None)
        assert ("emotion" in scene.confidence) == (scene.meta.emotion is not None)


def test_an_echo_names_an_earlier_scene(long_scenes: Path) -> None:
    before: dict[str | None, Scene] = {}
    kinds: dict[str, int] = {}
    for scene in read_jsonl(long_scenes, Scene, strict=True):
        if scene.echo is not None:
            kinds[scene.echo.kind] = kinds.get(scene.echo.kind, 0) + 1
            assert scene.echo.of in before
            if scene.echo.kind == "exact":
                assert before[scene.echo.of].modalities == scene.modalities
        before[scene.id] = scene
    assert kinds["exact"] == 10


def test_two_workers_and_a_second_build_give_the_same_bytes(long_book: Path, long_scenes: Path, tmp_path: Path) -> None:
    call("build", long_book, "-o", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == long_scenes.read_bytes()
    pytest.importorskip("datatrove")
    call("build", long_book, "-o", tmp_path / "shared.jsonl", "--workers", 2)
    assert (tmp_path / "shared.jsonl").read_bytes() == long_scenes.read_bytes()
    assert tree_path(tmp_path / "shared.jsonl").read_bytes() == tree_path(long_scenes).read_bytes()


def test_an_interrupted_build_goes_on(
    long_book: Path, long_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, opened = tasks.read_input, []

    def power_cut(path, source, **options):
        opened.append(path.name)
        if len(opened) == 2:
            raise KeyboardInterrupt
        return read(path, source, **options)

    monkeypatch.setattr(tasks, "read_input", power_cut)
    arguments = ["build", str(long_book), "-o", str(tmp_path / "scenes.jsonl")]
    assert CliRunner().invoke(app, arguments).exit_code != 0
    assert [path.name for path in tmp_path.iterdir()] == ["scenes.jsonl.parts"]
    call(*arguments)
    assert opened == ["а.txt", "б.txt", "б.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scenes.jsonl", "scenes.tree.jsonl"]
    assert (tmp_path / "scenes.jsonl").read_bytes() == long_scenes.read_bytes()
    assert (tmp_path / "scenes.tree.jsonl").read_bytes() == tree_path(long_scenes).read_bytes()


def test_the_tree_beside_the_scenes_holds_their_books_chapters_and_scenes(long_scenes: Path) -> None:
    scenes = list(read_jsonl(long_scenes, Scene, strict=True))
    outline = Outline.beside(long_scenes)
    books = outline.children(None)
    assert [(book.span.source, book.passages) for book in books] == [("books/а.txt", 64), ("books/б.txt", 10)]
    assert [[chapter.title for chapter in outline.children(book.id)] for book in books] == [
        ["Глава первая", "Глава вторая", "Глава третья", "Глава четвёртая"],
        ["Глава первая"],
    ]
    for scene in scenes:
        chain = outline.chain(scene.parent)
        assert tuple(node.title for node in chain if node.kind == "chapter") == scene.path
        assert [node.kind for node in chain][-1] == "scene"
        assert all(node.span.start <= scene.span.start and scene.span.end <= node.span.end for node in chain)  # type: ignore[union-attr]
    stretches = [node for node in outline.nodes.values() if node.kind == "scene"]
    assert [node.id for node in stretches] == [parent for parent, _ in groupby(scenes, lambda scene: scene.parent)]
    assert sum(node.passages for node in stretches) == len(scenes)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    first, second = BOOK.strip().split("\n\n")
    (folder / "а.fb2").write_text(FICTION_BOOK.format(first), encoding="utf-8")
    (folder / "б.md").write_text(f"# Письмо\n\n{second}\n", encoding="utf-8")
    (folder / "в.txt").write_text("Дождь стучал по железной крыше, и мальчик считал тяжёлые капли.\n", encoding="utf-8")
    (folder / "README.md").write_text(f"# Полка\n\n{second}\n", encoding="utf-8")
    (folder / "г.pdf").write_bytes(b"%PDF")
    return folder


def test_a_folder_of_many_formats_is_one_corpus(shelf: Path, tmp_path: Path) -> None:
    assert "3 scenes of 3 documents" in call("build", shelf, "-o", tmp_path / "scenes.jsonl")
    scenes = list(read_jsonl(tmp_path / "scenes.jsonl", Scene, strict=True))
    assert [(scene.meta.source, scene.components.agent, scene.path) for scene in scenes] == [
        ("shelf/а.fb2", "рыбак", ("Мельница",)),
        ("shelf/б.md", "вдова", ("Письмо",)),
        ("shelf/в.txt", "дождь", ()),
    ]


def test_vectors_come_with_the_record_of_their_encoder(book: Path, tmp_path: Path) -> None:
    call("build", book, "-o", tmp_path / "scenes.jsonl", "--vectors", "navec")
    scenes = list(read_jsonl(tmp_path / "scenes.jsonl", Scene, strict=True))
    assert [len(scene.vector or ()) for scene in scenes] == [300, 300]
    space = json.loads((tmp_path / "scenes.jsonl.space.json").read_text(encoding="utf-8"))
    assert (space["encoder"], space["dimensions"]) == ("navec", 300)
    with pytest.raises(HyperBridgeError, match="navek"):
        call("build", book, "-o", tmp_path / "other.jsonl", "--vectors", "navek")


def test_old_spelling_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text(
        "Старый рыбакъ медленно вытащилъ лодку на мокрый песокъ, и надъ озеромъ поднялся бѣлый туманъ.",
        encoding="utf-8",
    )
    output = call("build", tmp_path / "old.txt", "-o", tmp_path / "none.jsonl")
    assert "0 scenes of 1 documents" in output
    assert "old spelling" in output
    call("build", tmp_path / "old.txt", "-o", tmp_path / "scenes.jsonl", "--old-spelling")
    (scene,) = read_jsonl(tmp_path / "scenes.jsonl", Scene, strict=True)
    assert scene.modalities is not None
    assert scene.modalities.text == (
        "Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся белый туман."
    )


def test_options_that_make_no_sense_are_one_line(book: Path, tmp_path: Path) -> None:
    (tmp_path / "пусто").mkdir()
    wrong = [
        ([book, "--slurm", "x"], r"^--slurm x: write NAME=VALUE$"),
        ([book, "--executor", "slrum"], r"^no executor 'slrum': did you mean 'slurm'.*$"),
        ([book, "--workers", 0], r"^--workers 0: at least 1 is needed$"),
        ([tmp_path / "пусто"], r"^.*пусто: no \.fb2\.zip or .* file in this folder$"),
    ]
    for arguments, message in wrong:
        with pytest.raises(HyperBridgeError, match=message):
            call("build", *arguments, "-o", tmp_path / "scenes.jsonl")
    assert not (tmp_path / "scenes.jsonl").exists()
    with pytest.raises(HyperBridgeError, match=r"^.*пусто: is a folder; give the -o of a file$"):
        call("build", book, "-o", tmp_path / "пусто", "--force")


def test_a_file_without_scenes_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "книга.txt"
    path.write_text("Это книга.\n" * 9, encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"^.*книга\.txt: no scene in this file; "):
        call("stats", path)
    with pytest.raises(HyperBridgeError, match=r"^.*no scene of source 'а'; there are no scenes$"):
        call("show", path, "--source", "а")
    with pytest.raises(HyperBridgeError, match=r"^.*книга\.txt: no pair of it; "):
        call("pairs", path, "-o", tmp_path / "пары")


def test_of_many_lines_that_are_no_scenes_the_first_are_told(tmp_path: Path) -> None:
    path = tmp_path / "scenes.jsonl"
    path.write_text("Это книга.\n" * 9 + '{"scene":"мост"}\n', encoding="utf-8")
    output = call("stats", path)
    assert output.count("warning: ") == 6
    assert f"warning: 4 more lines of {path} are no scenes\n" in output
    assert "1 scenes, " in output


def test_statistics_are_tables_and_a_page(long_scenes: Path, tmp_path: Path) -> None:
    output = call("stats", long_scenes, "--page", tmp_path / "page.html")
    for title in ("register", "trust", "tension", "words of a passage", "source"):
        assert f"\n{title}" in f"\n{output}"
    assert "74 scenes, " in output
    assert "The tree: 2 books, 5 chapters, " in output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "74 scenes" in page


def test_names_of_a_scene_file_are_never_markup(tmp_path: Path) -> None:
    evil = "<script>[red]алерт</script>"
    line = {"scene": "мост", "registers": {"primary": evil}, "meta": {"source": f"{evil[1:]}/a.txt"}}
    (tmp_path / "scenes.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    assert "[red]" in call("stats", tmp_path / "scenes.jsonl", "--page", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_source_is_shown_with_its_scenes(long_scenes: Path) -> None:
    output = call("show", long_scenes, "--source", "б.txt")
    assert output.count("Старый мельник") == 10
    assert call("show", long_scenes, "--source", "books/б.txt", "-n", 1).count("Старый мельник") == 1


def test_chapters_and_scenes_are_headings_of_what_is_shown(long_scenes: Path, tmp_path: Path) -> None:
    lines = call("show", long_scenes, "--source", "а.txt", "-n", 64).split("\n")
    assert lines[0] == "а (64 passages)"
    assert [line for line in lines if line.startswith("Глава")] == [
        f"Глава {name} (16 passages)" for name in ("первая", "вторая", "третья", "четвёртая")
    ]
    assert sum(line.startswith("  scene (") for line in lines) >= 4
    alone = tmp_path / "alone.jsonl"
    alone.write_bytes(long_scenes.read_bytes())
    assert "Глава вторая\n" in call("show", alone, "--source", "а.txt", "-n", 64)


def test_a_source_that_is_not_there_is_one_line(long_scenes: Path) -> None:
    with pytest.raises(
        HyperBridgeError, match=r"^.*no scene of source 'в\.txt'; there are books/а\.txt, books/б\.txt$"
    ):
        call("show", long_scenes, "--source", "в.txt")


def test_a_missing_file_and_another_language_are_one_line(book: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"^.*нет\.txt: no such file or folder$"):
        call("build", tmp_path / "нет.txt", "-o", tmp_path / "scenes.jsonl")
    with pytest.raises(HyperBridgeError, match="no corpus rules for language 'de'"):
        call("build", book, "-o", tmp_path / "scenes.jsonl", "--language", "de")
    assert not (tmp_path / "scenes.jsonl").exists()
