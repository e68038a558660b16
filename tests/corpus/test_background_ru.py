"""What surrounds the deed: which nouns and qualities near it tell something."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.background_ru import find_background
from hyperbridge.corpus.clauses_ru import choose_clause
from hyperbridge.corpus.parsing_ru import parse
from hyperbridge.corpus.segmentation_ru import words


def background(text: str) -> dict[str, str]:
    parsed = parse([words(text)], tree=True)
    found = find_background(parsed, choose_clause(parsed, verse=False), None)
    return {slot: one.value for slot, one in found.items()}


@pytest.mark.parametrize("text", ["Голос его пропал, как вода в песке.", "Он исчез, словно камень в пруду."])
def test_what_only_likens_is_no_field(text: str) -> None:
    assert "field" not in background(text)


def test_a_clause_after_how_has_its_field() -> None:
    assert background("Пастух видел, как кони вошли в реку.")["field"] == "река"


def test_a_pronoun_takes_its_preposition_with_it_unless_it_says_whose() -> None:
    assert "field" not in background("Дождь нагнал на него тоску и дрожь.")
    assert background("Ветер гулял в его саду.")["field"] == "сад"


def test_a_participle_and_what_it_was_done_with_are_no_phrase() -> None:
    assert background("Он вышел на двор, обсаженный тополями.") == {"field": "двор"}
