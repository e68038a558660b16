"""Which clause of a sentence is the main one, who acts in it, and how sure the reading is."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.extraction_ru import Extraction, agent_and_act, extract, main_clause
from hyperbridge.corpus.parsing_ru import nominatives, parse
from hyperbridge.corpus.segmentation_ru import words


def slots(text: str, *, verse: bool = False) -> dict[str, str]:
    tokens = parse([words(text)], tree=not verse)[0]
    clause = main_clause(tokens, verse=verse)
    assert clause is not None
    return agent_and_act(tokens, clause)


@pytest.mark.parametrize(
    ("text", "agent", "act"),
    [
        ("Старый сторож запер ворота и ушёл домой.", "сторож", "запереть"),
        ("Когда стемнело, дети вернулись в деревню.", "ребёнок", "вернуться"),
        ("Девочка, которая жила у моря, собирала ракушки.", "девочка", "собирать"),
        ("Дом был построен за одно лето.", "дом", "построить"),
        ("Мы не хотели уезжать из города.", "мы", "не уезжать"),
        ("Отец должен починить крышу до зимы.", "отец", "починить"),
    ],
)
def test_prose_gives_subject_and_deed_of_the_main_clause(text: str, agent: str, act: str) -> None:
    assert slots(text) == {"agent": agent, "act": act}


@pytest.mark.parametrize(
    ("text", "agent", "act"),
    [
        ("И плачет осень за окном, и листья падают устало.", "осень", "плакать"),
        ("Над спящей рощей тихо всходит луна", "луна", "всходить"),
        ("Меня зовёт далёкий берег.", "берег", "звать"),
    ],
)
def test_verse_finds_the_subject_after_its_verb_without_a_tree(text: str, agent: str, act: str) -> None:
    assert slots(text, verse=True) == {"agent": agent, "act": act}


def test_a_subject_that_is_not_said_gives_no_agent() -> None:
    assert slots("Проснулся рано и долго смотрел в окно.") == {"act": "проснуться"}
    assert slots("Летишь над тёмною водой", verse=True) == {"act": "лететь"}


def test_one_who_is_called_is_no_agent() -> None:
    assert slots("Товарищ, открой мне ворота!", verse=True) == {"act": "открыть"}


def test_a_nominal_predicate_gives_an_agent_and_no_act() -> None:
    assert slots("Мой брат — инженер.") == {"agent": "брат"}
    assert slots("Эта книга очень скучная.") == {"agent": "книга"}


def test_a_predicative_gives_way_to_its_infinitive() -> None:
    assert slots("Нужно закрыть окно на ночь.") == {"act": "закрыть"}


def test_punctuation_alone_has_no_clause() -> None:
    assert main_clause(parse([["—", "…"]], tree=True)[0], verse=False) is None


def test_every_slot_has_a_confidence() -> None:
    text = "Старый рыбак медленно вытащил лодку на мокрый песок."
    found = extract(parse([words(text)], tree=True), verse=False)
    assert isinstance(found, Extraction)
    assert found.confidence.keys() == found.components.keys()
    assert all(0.0 < confidence <= 1.0 for confidence in found.confidence.values())
    assert found.confidence["agent"] <= found.confidence["act"]
    assert found.confidence["act"] > 0.9


def test_a_plain_clause_is_surer_than_a_tangled_one() -> None:
    plain = main_clause(parse([words("Кошка спит.")], tree=True)[0], verse=False)
    tangled = main_clause(
        parse([words("Тень, шум, и вдруг вода, небо, говорят, плывёт мимо.")], tree=True)[0], verse=False
    )
    assert plain is not None
    assert tangled is not None
    assert plain.subject_certainty > tangled.subject_certainty


@pytest.mark.parametrize(
    ("word", "forms"), [("тучи", {"plur"}), ("окно", {"neut"}), ("берег", {"masc"}), ("домом", set())]
)
def test_what_a_word_may_be_as_a_nominative(word: str, forms: set[str]) -> None:
    assert nominatives(word) == forms


@pytest.mark.parametrize(
    ("text", "word", "lemma"),
    [
        ("Ребёнок спал до утра.", "спал", "спать"),
        ("Потом приехал Дролль.", "Дролль", "дролль"),
        ("Все ушли.", "Все", "все"),
    ],
)
def test_lemmas_of_what_the_dictionary_has_twice_or_not_at_all(text: str, word: str, lemma: str) -> None:
    tokens = parse([words(text)], tree=False)[0]
    assert [token.lemma for token in tokens if token.text == word] == [lemma]


def test_sentences_without_a_word_are_parsed_to_nothing() -> None:
    assert parse([[], []], tree=True) == [[], []]
    assert [len(tokens) for tokens in parse([[], ["Вода", "стоит"]], tree=True)] == [0, 2]
