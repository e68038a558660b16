"""Which clause of a sentence is the main one, who acts in it, how sure that is, and which sentence a passage tells."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.clauses_ru import agent_and_act, choose_clause, main_clause
from hyperbridge.corpus.parsing_ru import parse
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


@pytest.mark.parametrize("verse", [False, True])
@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("Кедр — дерево.", "кедр"),
        ("Берлога — жилище медведя.", "берлога"),
        ("Глубина колодца — двадцать метров.", "глубина"),
        ("У меня сын — моряк.", "сын"),
    ],
)
def test_what_stands_before_a_dash_is_the_one_that_is_told_of(text: str, agent: str, verse: bool) -> None:
    assert slots(text, verse=verse) == {"agent": agent}


@pytest.mark.parametrize(
    ("text", "agent", "act"),
    [
        ("Лисица да заяц построили избу.", "лисица", "построить"),
        ("Волк, старая лиса и медведь жили в лесу.", "волк", "жить"),
    ],
)
def test_the_first_of_several_who_act_together_is_the_agent(text: str, agent: str, act: str) -> None:
    assert slots(text) == {"agent": agent, "act": act}


def test_a_predicative_gives_way_to_its_infinitive() -> None:
    assert slots("Нужно закрыть окно на ночь.") == {"act": "закрыть"}


def test_punctuation_alone_has_no_clause() -> None:
    assert main_clause(parse([["—", "…"]], tree=True)[0], verse=False) is None


def test_a_plain_clause_is_surer_than_a_tangled_one() -> None:
    plain = main_clause(parse([words("Кошка спит.")], tree=True)[0], verse=False)
    tangled = main_clause(
        parse([words("Тень, шум, и вдруг вода, небо, говорят, плывёт мимо.")], tree=True)[0], verse=False
    )
    assert plain is not None
    assert tangled is not None
    assert plain.subject_certainty > tangled.subject_certainty


def told(*sentences: str) -> dict[str, str]:
    parsed = parse([words(text) for text in sentences], tree=True)
    chosen = choose_clause(parsed, verse=False)
    assert chosen is not None
    return agent_and_act(parsed[chosen.sentence], chosen.clause)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Письмо было написано солдатом.", {"agent": "солдат", "act": "написать"}),
        ("Ворота заперты соседом на засов.", {"agent": "сосед", "act": "запереть"}),
        ("Дом был построен за одно лето.", {"act": "построить"}),
        ("Двор обнесён высоким забором.", {"act": "обнести"}),
        ("Кузнец был избран старостой.", {"act": "избрать"}),
        ("Мост строится второй год.", {"agent": "мост", "act": "строиться"}),
    ],
)
def test_of_a_passive_the_doer_is_the_agent_and_never_the_sufferer(text: str, expected: dict[str, str]) -> None:
    assert slots(text) == expected


def test_a_person_who_is_bound_to_a_deed_stays_the_agent() -> None:
    assert slots("Часовой был обязан охранять мост.") == {"agent": "часовой", "act": "охранять"}


def test_a_polite_helper_gives_way_to_its_deed() -> None:
    assert slots("Барин изволил уехать в город.") == {"agent": "барин", "act": "уехать"}


def test_a_thing_beside_a_verb_in_the_plural_is_its_object() -> None:
    assert slots("Дрова привезли утром.") == {"act": "привезти"}


def test_a_name_that_the_dictionary_has_not_may_be_the_agent() -> None:
    assert slots("Зинка осторожно погладила рыжего щенка.") == {"agent": "Зинка", "act": "погладить"}


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        (("Старику казалось странным это утро.", "Он запряг лошадь."), {"agent": "он", "act": "запрячь"}),
        (("Пришло время.", "Мальчик разбил кувшин."), {"agent": "мальчик", "act": "разбить"}),
        (("Прошёл год.", "Она вырастила яблоню."), {"agent": "она", "act": "вырастить"}),
        (("Сестра думала.", "Пёс грыз кость."), {"agent": "пёс", "act": "грызть"}),
    ],
)
def test_an_empty_clause_gives_way_to_one_in_which_something_is_done(
    sentences: tuple[str, ...], expected: dict[str, str]
) -> None:
    assert told(*sentences) == expected


def test_an_empty_clause_is_told_where_there_is_no_other() -> None:
    assert told("Сестра думала.") == {"agent": "сестра", "act": "думать"}
