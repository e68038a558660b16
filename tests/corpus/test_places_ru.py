"""What may be told of where something happens."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.background_ru import find_background
from hyperbridge.corpus.clauses_ru import choose_clause
from hyperbridge.corpus.parsing_ru import parse
from hyperbridge.corpus.places_ru import place_likeness
from hyperbridge.corpus.segmentation_ru import words


def field(text: str) -> str | None:
    parsed = parse([words(text)], tree=True)
    found = find_background(parsed, choose_clause(parsed, verse=False), None)
    return found["field"].value if "field" in found else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("В это мгновение в сарае заржала лошадь.", "сарай"),
        ("Ребёнок уснул на руках у матери в телеге.", "телега"),
        ("Внучка гостила у деда в деревне.", "деревня"),
        ("Сосед сделал на вид строгое лицо и вышел из избы.", "изба"),
        ("С досадой он бросил весло в реку.", "река"),
        ("Дети бежали с криком по берегу.", "берег"),
    ],
)
def test_a_field_is_a_place_and_no_person_time_body_or_phrase(text: str, expected: str) -> None:
    assert field(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "От скуки он считал ворон.",
        "Сестра пришла в отчаяние.",
        "Мельник был в раздумье.",
        "По мнению соседа, дождь скоро пройдёт.",
        "К счастию, никто не утонул.",
    ],
)
def test_what_one_feels_or_thinks_is_no_field(text: str) -> None:
    assert field(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Брат погиб на войне.", "война"), ("Старик сидел в телеге.", "телега"), ("Дети заснули в тишине.", "тишина")],
)
def test_what_one_can_be_in_is_a_field_though_it_is_no_place(text: str, expected: str) -> None:
    assert field(text) == expected


def test_no_place_is_no_field() -> None:
    assert field("У меня болит голова.") is None


def test_an_object_is_a_field_only_where_it_is_like_a_place() -> None:
    assert field("Пастух обошёл сад.") == "сад"
    assert field("Пастух почуял беду.") is None
    assert field("Пастух смотрел на звёзды и гнал стадо к реке.") == "река"


def test_a_bridge_is_more_like_a_place_than_a_doubt() -> None:
    assert place_likeness("мост") > 0.2 > -0.1 > place_likeness("подозрение")
    assert place_likeness("бргдж") == 0.0
