"""Archetypes of tales against Propp's functions: codes become signs, signs archetypes, and controls are as many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperbridge.corpus.archetypes_ru import own_book
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.archetypes import Tale, evaluate_archetypes, read_tales, score_tales, sign_of

SIGNS = {function.sign for function in own_book().propp}
MAPPED = ["бегство", "битва", "возвращение", "дар", "путь", "свадьба"]


@pytest.mark.parametrize(
    ("code", "sign"),
    [
        ("A_xvii", "A"),
        ("a_6", "a"),
        ("d1_6", "D"),
        ("Dpre_1", "D"),
        ("Fneg", "F"),
        ("f1_9", "F"),
        ("Pr_1", "Pr"),
        ("Rs_2", "Rs"),
        ("KF1", "K"),
        ("W_w", "W"),
        ("w_1", "W"),
        ("depart", "↑"),
        ("return", "↓"),
    ],
)
def test_a_code_is_a_function_of_propps(code: str, sign: str) -> None:
    assert sign_of(code, SIGNS) == sign


def written(path: Path, *records: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records) + "\n", encoding="utf-8")
    return path


def test_a_tale_has_each_function_once_over_all_its_moves(tmp_path: Path) -> None:
    record = {"number": 7, "title_en": "Kite", "moves": [{"functions": ["depart", "H_1"]}, {"functions": ["depart"]}]}
    assert read_tales(written(tmp_path / "propp.jsonl", record)) == [Tale(7, "Kite", ("↑", "H"))]


@pytest.mark.parametrize("record", [{"number": 7}, {"number": 7, "moves": [{"functions": ["Z_1"]}]}, ["A"]])
def test_what_is_no_annotated_tale_is_one_line(tmp_path: Path, record: object) -> None:
    with pytest.raises(HyperBridgeError, match=r"propp\.jsonl:1: no tale with its functions"):
        read_tales(written(tmp_path / "propp.jsonl", record))


def test_scores_are_over_archetypes_and_over_functions() -> None:
    tale = Tale(1, "Kite", ("↑", "H", "T", "↓"))
    found = {1: {"путь", "битва", "дар"}, 2: {"свадьба"}, 3: {"свадьба", "путь"}, 4: {"свадьба", "путь", "дар"}}
    own, whole, chance, frequent, other = score_tales([tale], found, MAPPED)
    assert (own.name, own.right, own.found, own.wanted, own.heard, own.functions) == ("Kite", 2, 3, 4, 2, 4)
    assert (own.precision, own.recall, own.f1) == (2 / 3, 2 / 4, 4 / 7)
    assert whole.right == own.right
    assert (chance.found, frequent.found) == (3, 3)
    assert (frequent.right, other.right) == (1, 2 / 3)


def test_the_text_of_a_tale_is_read_and_tales_without_a_text_are_left_out(tmp_path: Path) -> None:
    moves = [{"functions": ["W"]}]
    gold = written(tmp_path / "propp.jsonl", *({"number": number, "moves": moves} for number in (3, 9)))
    tale = {"number": 3, "text": "Царевич женился на мельниковой дочери, и сыграли они весёлую свадьбу на весь мир."}
    first, *_ = evaluate_archetypes(gold, [written(tmp_path / "folk" / "сказки.jsonl", tale)])
    assert (first.right, first.found, first.heard, first.functions) == (1, 1, 1, 1)
    with pytest.raises(HyperBridgeError, match="none of its tales is among the texts"):
        evaluate_archetypes(gold, [written(tmp_path / "folk" / "другие.jsonl", {**tale, "number": 4})])
