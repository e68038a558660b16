"""What passages feel, by the classifier that comes with the package and by the words that name finer emotions."""

from __future__ import annotations

from itertools import chain

import pytest

from hyperbridge.corpus.emotion_ru import EMOTIONS, Emotion, emotion_features, find_emotions
from hyperbridge.corpus.parsing_ru import Token, parse
from hyperbridge.corpus.segmentation_ru import sentences, words


def read(text: str) -> list[Token]:
    found = [words(text[start:end]) for start, end in sentences(text)]
    return list(chain.from_iterable(parse(found, tree=False)))


def emotion(text: str) -> Emotion | None:
    return find_emotions([read(text)])[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Она засмеялась от счастья и обняла всех, кто был рядом.", "радость"),
        ("Мать горько плакала над опустевшей колыбелью.", "грусть"),
        ("Он удивился, увидев на пороге незнакомого гостя.", "удивление"),
        ("Мальчик боялся темноты и прятался под одеялом.", "страх"),
        ("Барин разозлился, закричал и ударил кулаком по столу.", "гнев"),
    ],
)
def test_the_five_fitted_emotions(text: str, name: str) -> None:
    found = emotion(text)
    assert found is not None
    assert found.name == name
    assert 0 < found.confidence <= 1


def test_a_passage_may_be_neutral() -> None:
    assert emotion("Дом стоит на левом берегу реки, в трёх верстах от станции.") is None


def test_an_emotional_sentence_is_not_drowned_by_plain_ones() -> None:
    plain = "Обоз вышел на рассвете. До города оставалось две версты. Лошади шли шагом. "
    found = emotion(plain + "Ямщик испугался и задрожал от страха. " + plain)
    assert found is not None
    assert found.name == "страх"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Его томила тоска по родному дому.", "тоска"),
        ("Ей стало стыдно, и она опустила глаза.", "стыд"),
        ("Она с нежностью гладила его по голове.", "нежность"),
        ("Над озером лежал вечерний покой.", "покой"),
    ],
)
def test_a_word_names_a_finer_emotion(text: str, name: str) -> None:
    found = emotion(text)
    assert found is not None
    assert found.name == name
    assert found.confidence >= 0.5


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Мельник осерчал и прогнал работника со двора.", "гнев"),
        ("Кузнец опешил, увидев пустую избу.", "удивление"),
        ("Заяц оробел и спрятался за пень.", "страх"),
    ],
)
def test_a_plain_word_names_a_fitted_emotion_that_the_model_does_not_hear(text: str, name: str) -> None:
    assert emotion(text) == Emotion(name, 0.5)


def test_an_attribute_alone_is_half_a_word() -> None:
    assert emotion("На скатерти лежал нежный лепесток.") == Emotion("нежность", 0.25)
    assert emotion("Нежный лист ласково тронул щёку.") == Emotion("нежность", 0.62)


@pytest.mark.parametrize("text", ["В доме не было покоя.", "Старик жил без надежды.", "Он никакого стыда не знал."])
def test_a_negated_word_names_nothing(text: str) -> None:
    found = emotion(text)
    assert found is None or found.name in EMOTIONS


def test_what_is_hidden_is_there_all_the_same() -> None:
    found = emotion("Он не мог скрыть нежности.")
    assert found is not None
    assert found.name == "нежность"


def test_a_negation_ends_at_a_comma() -> None:
    assert "has стыд" in emotion_features(read("Не уходи, стыдно!"))
    assert "not стыд" in emotion_features(read("Ему не было стыдно."))


def test_a_name_is_no_emotion() -> None:
    found = emotion("Надежда Петровна поставила самовар.")
    assert found is None or found.name != "надежда"


def test_passages_are_read_in_order_and_an_empty_one_has_none() -> None:
    found = find_emotions([[], read("Мальчик боялся темноты."), []])
    assert [item is None for item in found] == [True, False, True]
    assert find_emotions([]) == []
