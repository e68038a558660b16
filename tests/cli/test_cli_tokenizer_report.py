"""`hyperbridge tokenizer report`: tables, JSON and a page of an extended tokenizer, and one line for a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperbridge.tokenizer.base_tokenizer import open_base
from hyperbridge.tokenizer.extending import extend
from hyperbridge.tokenizer.extension import Unit

NANO = "hyperbridge:assets/nano-ru"
PROSE = (
    "Над рекой стоял густой туман, и паромщик молча ждал на берегу последнюю телегу.\n"
    "Лошадь фыркнула, вошла по колено в холодную воду и остановилась, глядя на огонь.\n"
)
VERSE = "Стоял туман густой стеной,\nПаромщик ждал и лодку гнал,\nА за рекой, за той рекой\nОгонь последний догорал.\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report") / "extended"
    units = [Unit(text="туманкрик", kind="hyperlexeme", components=("туман", "крик"))]
    extend(open_base(NANO), target, units=units, texts=[PROSE] * 3, merges=20)
    return target


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "Река.txt"
    path.write_text(f"ГЛАВА ПЕРВАЯ\n\n{PROSE}\n{VERSE}\n{PROSE}", encoding="utf-8")
    return path


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    path = tmp_path / "scenes.jsonl"
    scene = {"scene": "туманкрик", "hyperlexeme": ["туман", "крик"], "modalities": {"text": "Из тумана донёсся крик."}}
    path.write_text(json.dumps(scene, ensure_ascii=False) + "\n[]\n", encoding="utf-8")
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.tsv"
    path.write_text("паромщик\tпаром|щик\nпо-своему\tпо|-|сво|ему\n", encoding="utf-8")
    return path


def test_it_prints_tables_and_writes_json_and_a_page(
    call, folder: Path, text: Path, scenes: Path, gold: Path, tmp_path: Path
) -> None:
    told, page = tmp_path / "report.json", tmp_path / "report.html"
    said = call(
        *("tokenizer", "report", folder, "--text", text, "--scenes", scenes, "--morphemes", gold),
        *("--json", told, "--page", page),
    )
    assert said.code == 0
    assert f"{scenes}:2: " in said.err
    assert said.out.splitlines()[-2:] == [str(told), str(page)]
    for title in ("Compression", "Promises", "Units that are one token", "Economy of scenes", "Speed"):
        assert title in said.out
    found = json.loads(told.read_text(encoding="utf-8"))
    assert {kind: counts["texts"] for kind, counts in found["counts"].items()} == {
        "prose": 4,
        "verse": 1,
        "other": 1,
        "scenes": 1,
    }
    assert found["boundaries"]["base"]["words"] == 1
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_mistake_is_one_line(call, folder: Path, text: Path, tmp_path: Path) -> None:
    empty = tmp_path / "пусто.txt"
    empty.write_text("\n \n")
    order = ("tokenizer", "report", folder, "--text")
    assert call("tokenizer", "report", tmp_path, "--text", text).error == (
        f"error: {tmp_path}/extension.json: no such file; make one with `hyperbridge tokenizer extend`"
    )
    assert call(*order, empty).error == "error: no text to measure on: the files given with --text are empty"
    assert call(*order, text, "--base", "/нет").error == (
        f"error: {folder}: its base cannot be opened: /нет: no such folder or file"
    )
    assert call(*order, tmp_path / "нет.txt").error == f"error: {tmp_path}/нет.txt: no such file or folder"
    assert call(*order, text, "--page", tmp_path).error == (f"error: {tmp_path}: is a folder; give the name of a file")


def test_gold_words_are_needed_where_they_are_asked_for(call, folder: Path, text: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.tsv"
    order = ("tokenizer", "report", folder, "--text", text, "--morphemes", gold)
    gold.write_text("\n")
    assert call(*order).error == f"error: {gold}: no word in this file; write домами<tab>дом|ами, one a line"
    gold.write_text("паромщик\n")
    assert call(*order).error.startswith(f"error: {gold}:1: no word with its seams")
