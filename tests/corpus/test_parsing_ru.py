"""Tokens of a sentence: their lemmas, and which words are names."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.parsing_ru import Token, nominatives, parse
from hyperbridge.corpus.segmentation_ru import words


def tokens_of(*sentences: str, tree: bool = True) -> list[Token]:
    return [token for found in parse([words(text) for text in sentences], tree=tree) for token in found]


def lemmas(word: str, *sentences: str) -> set[str]:
    return {token.lemma for token in tokens_of(*sentences) if token.text == word}


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
        ("За ночь лужа застыла.", "застыла", "застыть"),
    ],
)
def test_lemmas_of_what_the_dictionary_has_twice_or_not_at_all(text: str, word: str, lemma: str) -> None:
    tokens = parse([words(text)], tree=False)[0]
    assert [token.lemma for token in tokens if token.text == word] == [lemma]


def test_sentences_without_a_word_are_parsed_to_nothing() -> None:
    assert parse([[], []], tree=True) == [[], []]
    assert [len(tokens) for tokens in parse([[], ["Вода", "стоит"]], tree=True)] == [0, 2]


def test_a_surname_that_is_also_a_form_of_a_common_word_is_a_name() -> None:
    text = ("Утром Оленин встал рано.", "Весь день Оленин молчал.", "Мы ждали Оленина у ворот.")
    assert lemmas("Оленин", *text) == {"оленин"}
    assert lemmas("Оленина", *text) == {"оленин"}
    names = [token for token in tokens_of(*text) if token.text.startswith("Оленин")]
    assert all("Surn" in token.grammemes for token in names)
    assert lemmas("оленина", "На столе лежала оленина.") == {"оленина"}


def test_a_surname_that_is_not_in_the_dictionary_is_brought_to_its_nominative() -> None:
    text = ("Утром Гулькин встал рано.", "Весь день Гулькин молчал.", "Мы ехали с Гулькиным в город.")
    assert lemmas("Гулькиным", *text) == {"гулькин"}


def test_a_common_word_that_the_text_mostly_writes_with_a_capital_is_a_name() -> None:
    text = (
        "Утром старая Улитка вышла во двор.",
        "Хорунжий позвал Улитку домой.",
        "Муж боялся Улитки.",
        "Добрая Улитка.",
    )
    found = [token for token in tokens_of(*text) if token.lemma == "улитка"]
    assert found
    assert all("Name" in token.grammemes for token in found if token.pos == "PROPN")
    assert not any("Name" in token.grammemes for token in tokens_of("По листу ползла улитка."))


@pytest.mark.parametrize(
    ("word", "text", "lemma"),
    [
        ("Каренину", "Все видели Каренину в театре.", "каренина"),
        ("Каренин", "Утром Каренин вернулся домой.", "каренин"),
        ("Ивановны", "Мы ждали Марью у Ольги Ивановны.", "ивановна"),
        ("Реджиной", "Мы ехали с Реджиной домой.", "реджина"),
        ("супругой", "Он гулял с супругой по саду.", "супруга"),
    ],
)
def test_a_woman_keeps_her_own_name_and_word(word: str, text: str, lemma: str) -> None:
    assert lemmas(word, text) == {lemma}


def test_a_name_that_is_a_subject_is_no_oblique_form_of_a_common_word() -> None:
    assert lemmas("Франке", "Потом Франке нарисовал дом.") == {"франке"}


def test_a_participle_that_is_a_noun_is_no_verb() -> None:
    assert lemmas("верующие", "В храме молились верующие.") == {"верующий"}


@pytest.mark.parametrize(("word", "lemma"), [("остановилася", "остановиться"), ("испугалася", "испугаться")])
def test_an_old_ending_of_a_verb_is_read_as_the_new_one(word: str, lemma: str) -> None:
    assert lemmas(word, f"Тройка {word} у крыльца.") == {lemma}


def test_god_and_the_tsar_stay_common_words() -> None:
    text = ("Все молились Богу.", "Люди просили Бога.", "Старик верил Богу.", "Солдат видел Бога.")
    assert not any("Name" in token.grammemes for token in tokens_of(*text))


@pytest.mark.parametrize("form", ["стою", "стоишь", "стоят"])
def test_standing_is_commoner_than_costing(form: str) -> None:
    assert lemmas(form, f"Теперь {form} у реки.") == {"стоять"}


def test_pictures_and_a_dash_glued_to_a_word_are_tokens_of_their_own() -> None:
    assert [token.text for token in parse([["весна🌷", "пришла", "домой-"]], tree=False)[0]] == [
        "весна",
        "🌷",
        "пришла",
        "домой",
        "-",
    ]
