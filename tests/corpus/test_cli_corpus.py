"""`hyperbridge corpus build` and `pairs`, as a user calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hyperbridge import HyperBridgeError, Scene
from hyperbridge.cli.corpus import app
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


def test_an_output_is_not_overwritten_unasked(book: Path, tmp_path: Path) -> None:
    (tmp_path / "scenes.jsonl").write_text("прежнее", encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"exists already; .*--force"):
        call("build", book, "-o", tmp_path / "scenes.jsonl")
    assert (tmp_path / "scenes.jsonl").read_text(encoding="utf-8") == "прежнее"
    call("build", book, "-o", tmp_path / "scenes.jsonl", "--force")
    assert (tmp_path / "scenes.jsonl").read_bytes().count(b"\n") == 2


def test_a_missing_file_and_another_language_are_one_line(book: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"^.*нет\.txt: no such file or folder$"):
        call("build", tmp_path / "нет.txt", "-o", tmp_path / "scenes.jsonl")
    with pytest.raises(HyperBridgeError, match="no corpus rules for language 'de'"):
        call("build", book, "-o", tmp_path / "scenes.jsonl", "--language", "de")
    assert not (tmp_path / "scenes.jsonl").exists()
