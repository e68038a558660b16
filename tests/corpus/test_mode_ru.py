"""Mode and context: what the passages around a scene say, and when they say nothing."""

from __future__ import annotations

from hyperbridge.corpus.mode_ru import Neighbour, Surroundings, surroundings

CHILDHOOD = [
    Neighbour(("няня", "сказка", "вечер", "читать", "зимний", "свеча"), 1),
    Neighbour(("мальчик", "игрушка", "угол", "прятать", "деревянный"), 1),
    Neighbour(("вспоминать", "давно", "прошлый", "память", "голос", "бабушка"), 2),
    Neighbour(("былой", "колыбель", "скрип", "прежний", "комната"), 2),
]


def test_theme_and_mood_of_the_neighbours() -> None:
    found = surroundings(CHILDHOOD)
    assert (found.mode, found.context) == ("ностальгия", "детство")
    assert 0.6 < found.confidence <= min(found.mode_confidence, found.context_confidence) <= 1.0


def test_nothing_is_said_where_nothing_stands_out() -> None:
    quiet = [Neighbour(("стакан", "тетрадь", "синий"), 1), Neighbour(("ложка", "сахар", "белый"), 1)]
    assert surroundings(quiet) == Surroundings(None, None, 0.0, 0.0)
    assert surroundings([]) == Surroundings(None, None, 0.0, 0.0)
    assert surroundings([]).confidence == 0.0


def test_one_neighbour_is_not_enough() -> None:
    assert surroundings([Neighbour(("няня", "сказка", "колыбель", "игрушка", "мальчик"), 1)]).context is None


def test_named_emotions_give_the_mode() -> None:
    plain = ("стена", "доска", "гвоздь", "серый", "молоток")
    sad = [Neighbour(plain, place, "грусть") for place in (1, 1, 2)]
    assert surroundings(sad).mode == "скорбь"
    assert surroundings([Neighbour(plain, place, "неведомое") for place in (1, 1, 2)]).mode is None


def test_near_neighbours_count_more() -> None:
    near = [Neighbour(one.lemmas, 1) for one in CHILDHOOD]
    far = [Neighbour(one.lemmas, 9) for one in CHILDHOOD]
    assert surroundings(near).context_confidence > surroundings(far).context_confidence


def test_yo_does_not_matter() -> None:
    window = [Neighbour(("ребёнок", "няня", "сказка"), 1), Neighbour(("игрушка", "мальчик"), 1)]
    assert surroundings(window).context == "детство"
