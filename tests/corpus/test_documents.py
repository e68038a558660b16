"""Files are found in order and named by folder; encodings are detected or refused; new spelling moves divisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.corpus.documents import decode, find_files, named_after, read_documents

LINE = "Лодочник ждал на берегу, пока не погасла последняя звезда над тёмной водой."


def test_a_folder_gives_its_works_in_order_without_cards_and_hidden_files(tmp_path: Path) -> None:
    for name in ("б/а.TXT", "а.md", "б.fb2.gz", "README.md", ".скрытый/а.txt", "._а.txt", "рисунок.png", "а.tar.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    base = tmp_path.name
    assert [source for _, source in find_files([tmp_path])] == [f"{base}/а.md", f"{base}/б/а.TXT", f"{base}/б.fb2.gz"]
    assert [source for _, source in find_files([tmp_path / "а.md", "hf:user/tales"])] == [f"{base}/а.md"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("нет.txt", "no such file or folder"),
        ("а.pdf", "cannot read '.pdf' files; give"),
        ("", "no .* file in this folder"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "а.pdf").touch()
    with pytest.raises(HyperBridgeError, match=message):
        list(read_documents([tmp_path / name]))


@pytest.mark.parametrize(
    ("name", "title", "author"),
    [
        ("Анна_Речная__На_том_берегу.txt", "На том берегу", "Анна Речная"),
        ("Речная__Лодка.fb2.zip", "Лодка", "Речная"),
        ("переправа_2.jsonl.gz", "переправа_2", None),
        ("__Лодка.txt", "Лодка", None),
    ],
)
def test_title_and_author_come_from_the_file_name(name: str, title: str, author: str | None) -> None:
    assert named_after(Path(name)) == (title, author)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1251", "koi8_r", "cp866"])
def test_an_encoding_is_detected(encoding: str) -> None:
    text, found = decode(f"{LINE}\r\n{LINE}\r{LINE}".encode(encoding), "а.txt")
    assert text == f"{LINE}\n{LINE}\n{LINE}"
    assert found == encoding


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(HyperBridgeError, match=r"^а\.txt: not text in UTF-8 \(byte 0\)"):
        decode(b"\xff\x00\x81\x9d\x00", "а.txt")
    with pytest.raises(HyperBridgeError, match=r"^а\.txt: not utf-16 at byte 2"):
        decode(b"\xff\xfeA", "а.txt")


def test_old_spelling_is_changed_on_request_and_divisions_move_along(tmp_path: Path) -> None:
    book = "# Часть\n\n## Лѣсъ\n\nОнѣ шли изъ лѣсу.\n\n## Домъ\n\nЕя домъ былъ близко.\n"
    (tmp_path / "Рѣчная__Домъ.md").write_text(book, encoding="utf-8")
    (document,) = read_documents([tmp_path])
    assert document.text.startswith("Часть\n\nЛѣсъ\n\nОнѣ")
    (document,) = read_documents([tmp_path], old_spelling=True)
    assert document.text == "Часть\n\nЛес\n\nОни шли из лесу.\n\nДом\n\nЕе дом был близко."
    assert (document.title, document.author) == ("Дом", "Речная")
    assert [(each.title, document.text[each.start : each.end]) for each in document.divisions] == [
        ("Часть", document.text),
        ("Лес", "Лес\n\nОни шли из лесу."),
        ("Дом", "Дом\n\nЕе дом был близко."),
    ]
