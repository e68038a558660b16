"""Archetypes: what a motif finds, what negation and counter-motifs keep out, and what a bad book says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hyperbridge.corpus.archetypes_ru import MIN_CONFIDENCE, Archetype, find_archetypes, load_archetypes, own_book
from hyperbridge.corpus.parsing_ru import parse
from hyperbridge.corpus.segmentation_ru import sentences, words
from hyperbridge.errors import HyperBridgeError


def found(text: str) -> list[Archetype]:
    return find_archetypes(parse([words(text[start:end]) for start, end in sentences(text)], tree=False))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Юноша принял постриг и вышел из храма другим человеком.", "инициация"),
        ("Она долго не решалась переступить порог старого дома.", "порог"),
        ("Мать отдала жизнь за своего ребёнка.", "жертва"),
        ("На третий день царевич воскрес и открыл глаза.", "возрождение"),
        ("Братья отправились в далёкий путь на рассвете.", "путь"),
        ("В зеркале стоял его двойник и усмехался.", "тень"),
        ("После войны солдат воротился домой.", "возвращение"),
        ("Старуха подарила девушке волшебное кольцо.", "дар"),
        ("Мошенник обманул доверчивого купца.", "обман"),
        ("Отец строго-настрого запретил открывать сундук.", "запрет"),
        ("Они поклялись никогда не говорить об этом.", "клятва"),
        ("Царевна превратилась в белую лебедь.", "превращение"),
        ("Беглец скрылся от погони в горах.", "бегство"),
        ("На площади сыграли весёлую свадьбу.", "свадьба"),
        ("Узник томился в тёмной темнице.", "плен"),
        ("Царь задал младшему сыну трудную задачу.", "испытание"),
    ],
)
def test_a_sure_motif_is_enough(text: str, name: str) -> None:
    assert name in {archetype.name for archetype in found(text)}


def test_an_archetype_comes_with_its_evidence_and_its_sign() -> None:
    (archetype,) = found("Юноша принял постриг и вышел из храма другим человеком.")
    assert archetype == Archetype("инициация", 0.75, ("принять постриг",), "⟁")


def test_the_best_comes_first_and_more_motifs_make_surer() -> None:
    archetypes = found("Он умер, и его похоронили на старом кладбище. Весной воротились домой его братья.")
    assert [archetype.name for archetype in archetypes][:2] == ["смерть", "возвращение"]
    assert archetypes[0].confidence > archetypes[1].confidence >= MIN_CONFIDENCE


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Витязь сел у костра и достал хлеб.", "герой"),
        ("Годы убили в нём прежнее чувство.", "смерть"),
        ("Денег нет, за неволю придётся идти пешком.", "плен"),
        ("Глас народа слышен по всему городу, и все его зовут правдой.", "зов"),
    ],
)
def test_a_title_or_a_figure_of_speech_is_not_enough(text: str, name: str) -> None:
    assert name not in {archetype.name for archetype in found(text)}


def test_a_title_beside_a_deed_is_enough() -> None:
    assert "герой" in {archetype.name for archetype in found("Храбрый витязь добыл победу.")}


def test_nothing_is_found_where_nothing_is() -> None:
    assert found("На столе лежала синяя тетрадь, рядом стоял стакан чая.") == []
    assert find_archetypes([]) == []


@pytest.mark.parametrize(
    "text",
    [
        "Нет, он не умер и не думал умирать.",
        "Письмо было до смерти скучным.",
        "Время было убито, мы убили время за картами.",
        "Он не мог обмануть старого друга.",
    ],
)
def test_negation_and_counter_motifs_keep_out(text: str) -> None:
    assert {"смерть", "обман"}.isdisjoint(archetype.name for archetype in found(text))


def test_a_name_is_no_word_but_a_name_of_the_tales_is_one() -> None:
    assert found("Я не видел здесь госпожу Любовь Александровну.") == []
    assert found("Баба-яга жила в лесу.")[0].name == "тень"


def test_almost_is_no_negation() -> None:
    assert [archetype.name for archetype in found("Старик чуть не умер от холода.")] == ["смерть"]


def test_a_motif_does_not_reach_across_sentences() -> None:
    assert found("Он долго держал письмо. Слово было забыто.") == []


def test_yo_does_not_matter() -> None:
    assert [archetype.name for archetype in found("Мертвец встал из гроба.")][:1] == ["смерть"]
    assert found("Ребёнок родился ночью.")[0].name == found("Ребенок родился ночью.")[0].name == "дитя"


def test_the_book_has_every_function_of_propp_and_one_sign_for_each_archetype() -> None:
    book = own_book()
    assert {function.number for function in book.propp} == set(range(1, 32))
    assert len({function.sign for function in book.propp}) == len(book.propp)
    assert len({entry.symbol for entry in book.archetypes.values()}) == len(book.archetypes) >= 16
    assert book.archetypes_of("W") == ("свадьба", "власть")
    assert book.archetypes_of("?") == ()


def test_no_word_stands_twice_in_the_same_list_of_an_archetype() -> None:
    for name, entry in own_book().archetypes.items():
        for patterns in (entry.sure, entry.likely, entry.hint, entry.counter):
            assert len(patterns) == len(set(patterns)), name


def book_with(**changes: Any) -> str:
    book = {
        "window": 3,
        "weights": {"sure": 0.75, "likely": 0.5, "hint": 0.25},
        "sets": {"вода": "река море"},
        "archetypes": {"путь": {"symbol": "→", "definition": "дорога", "sure": ["плыть > @вода"]}},
    }
    return json.dumps({**book, **changes}, ensure_ascii=False)


def entry(*patterns: str) -> dict[str, Any]:
    return {"путь": {"symbol": "→", "definition": "дорога", "sure": list(patterns)}}


def test_a_book_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    path.write_text(book_with(), encoding="utf-8")
    (archetype,) = load_archetypes(path).find(parse([words("Лодка плыла по широкому морю.")], tree=False))
    assert (archetype.name, archetype.evidence) == ("путь", ("плыть море",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Expecting"),
        (book_with(archetypes=entry("плыть > @озеро")), "names the set '@озеро'"),
        (book_with(archetypes=entry("плыть + ")), "empty"),
        (book_with(archetypes=entry("плыть||ехать")), "empty word"),
        (book_with(weights={"sure": 2.0, "likely": 0.5, "hint": 0.2}), "weights.sure"),
        (book_with(weights={"sure": 0.7}), "hint, likely is missing"),
        (book_with(colour="red"), "colour"),
        (book_with(propp=[{"number": 1, "sign": "β", "name": "отлучка", "archetypes": ["уход"]}]), "'уход'"),
        ('{"window": 1, "window": 2}', "stands twice"),
    ],
)
def test_a_bad_book_gives_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "book.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HyperBridgeError) as error:
        load_archetypes(path)
    message = str(error.value)
    assert says in message
    assert str(path) in message
    assert "\n" not in message
