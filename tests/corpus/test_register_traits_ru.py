"""What the model of registers sees in a passage, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest

from hyperbridge.corpus.parsing_ru import parse
from hyperbridge.corpus.register_traits_ru import Traits, features, find_traits
from hyperbridge.corpus.segmentation_ru import sentences, words


def traits(text: str) -> Traits:
    found = parse([words(text[start:end]) for start, end in sentences(text)], tree=False)
    return find_traits([[token for sentence in found for token in sentence]])[0]


def test_names_are_not_counted() -> None:
    seen = traits("Капитан Онуфрий вошёл в комнату.")
    assert "l капитан" in seen.counted
    assert "l онуфрий" not in seen.counted


def test_both_spellings_of_yo_are_one_lemma() -> None:
    assert "l елка" in traits("Стоит ёлка.").counted.keys() & traits("Стоит елка.").counted.keys()


def test_beginnings_of_sentences_are_shares_of_sentences() -> None:
    seen = traits("И сказал старец слово. И умолк. Пошли все домой. Народ же дивился.")
    assert seen.rates["begins with и"] == pytest.approx(1 / 2)
    assert seen.rates["begins with verb"] == pytest.approx(1 / 4)
    assert seen.rates["begins with subject"] == pytest.approx(1 / 4)


def test_talk_begins_with_a_dash() -> None:
    assert traits("— Куда вы едете? — В город.").rates["begins with a dash"] == pytest.approx(1.0)
    assert "begins with a dash" not in traits("Лес — это дом.").rates


def test_features_scale_a_rate_by_its_mean_and_deviation_and_keep_it_within_three() -> None:
    seen = Traits({"l дом": 1.0}, {"word length": 6.0, "law": 100.0}, np.zeros(2, np.float32))
    found = features(seen, {"word length": (5.0, 2.0), "law": (0.0, 1.0), "tale": (0.0, 1.0)})
    assert found["d word length"] == pytest.approx(0.25 * 0.5)
    assert found["d law"] == pytest.approx(0.6 * 3)
    assert found["d tale"] == 0.0
    assert found["l дом"] == 1.0
    assert (found["e 0"], found["e 1"]) == (0.0, 0.0)


def test_an_empty_passage_has_traits_too() -> None:
    (seen,) = find_traits([[]])
    assert seen.counted == {}
    assert not seen.meaning.any()
