"""Tension: what raises it, what the thresholds do, and which scene lifts a weak one."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.parsing_ru import parse
from hyperbridge.corpus.segmentation_ru import sentences, words
from hyperbridge.corpus.tension_ru import PARTS, Tension, propose_amplifier, tension_from, tension_of

CALM = "Утром сестра накрыла стол белой скатертью и принесла из кладовой варенье, сыр и свежий хлеб."
TENSE = "Бежать! Но куда? Вдруг раздался выстрел, враг ворвался в дом, и она закричала от ужаса."


def measured(text: str, *, verse: bool = False) -> Tension:
    parsed = parse([words(text[start:end]) for start, end in sentences(text)], tree=False)
    return tension_of(parsed, text, verse=verse)


def test_calm_needs_work_and_danger_is_resonant() -> None:
    calm, tense = measured(CALM), measured(TENSE)
    assert calm.needs_work
    assert not calm.resonant
    assert calm.value < 0.4
    assert tense.resonant
    assert not tense.needs_work
    assert tense.value >= 0.7


def test_the_parts_say_where_it_comes_from() -> None:
    parts = measured(TENSE).parts
    assert set(parts) == set(PARTS)
    assert parts["threat"] > 0.5
    assert parts["outcry"] > 0.5
    assert parts["suspense"] == 0.0


@pytest.mark.parametrize("part", list(PARTS))
def test_the_value_grows_with_each_part(part: str) -> None:
    low = dict.fromkeys(PARTS, 0.2)
    values = [tension_from({**low, part: amount}) for amount in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert values == sorted(values)
    assert len(set(values)) == 5


def test_the_ends_of_the_scale_and_the_sum_of_the_weights() -> None:
    assert tension_from(dict.fromkeys(PARTS, 0.0)) == 0.0
    assert tension_from(dict.fromkeys(PARTS, 1.0)) == 1.0
    assert sum(PARTS.values()) == pytest.approx(1.0)


def test_no_words_no_tension() -> None:
    empty = tension_of([], "", verse=False)
    assert (empty.value, empty.confidence, set(empty.parts)) == (0.0, 0.0, set(PARTS))


def test_the_same_passage_has_the_same_tension() -> None:
    assert measured(TENSE) == measured(TENSE)


def test_a_value_far_from_the_thresholds_is_surer() -> None:
    assert measured(TENSE).confidence > 0.9
    assert 0.5 <= measured("Старик молча смотрел на дорогу и ждал, но никто не приходил.").confidence < 1.0


def test_the_amplifier_shares_a_lemma_and_is_the_tensest() -> None:
    candidates = [
        ({"дом", "сад"}, 0.3),
        ({"дом", "огонь"}, 0.8),
        ({"море", "гроза"}, 0.9),
        ({"дом", "сад", "огонь"}, 0.8),
    ]
    assert propose_amplifier(({"дом", "сад", "скатерть"}, 0.2), candidates) == 3
    assert propose_amplifier(({"дом"}, 0.2), candidates) == 1


def test_no_amplifier_where_none_is_tenser_or_shares_a_lemma() -> None:
    assert propose_amplifier(({"дом"}, 0.3), [({"дом"}, 0.3), ({"море"}, 0.9)]) is None
    assert propose_amplifier(({"дом"}, 0.3), []) is None
