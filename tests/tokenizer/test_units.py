"""Which texts become one token: the frequent hyperlexemes, codes and symbols, in the case they are written in."""

from __future__ import annotations

import pytest

from hyperbridge import Scene
from hyperbridge.formulas import Formula
from hyperbridge.tokenizer.extension import Unit
from hyperbridge.tokenizer.units import admit, formula_units, hyperlexeme_units, symbol_units, tokens_of


def scene(prompt: str) -> Scene:
    return Scene.from_prompt(prompt)


def test_the_budget_goes_to_the_most_frequent() -> None:
    scenes = [scene(line) for line in ("мост+крик", "жар+вход", "тень+свет", "жар+вход")]
    assert [unit.text for unit in hyperlexeme_units(scenes, budget=2)] == ["жарвход", "мосткрик"]


def test_a_hyperlexeme_keeps_its_words() -> None:
    (unit,) = hyperlexeme_units([scene("жар+тишина+вход")], budget=9)
    assert unit == Unit(text="жартишинавход", kind="hyperlexeme", components=("жар", "тишина", "вход"))


def test_two_seams_of_one_word_are_one_unit_with_the_likelier_seam() -> None:
    scenes = [scene(line) for line in ("пар+адом", "парад+ом", "парад+ом")]
    assert [unit.components for unit in hyperlexeme_units(scenes, budget=9)] == [("парад", "ом")]


def test_a_scene_that_its_hyperlexeme_does_not_spell_has_none() -> None:
    named = Scene(scene="Δ17", hyperlexeme=("жар", "вход"))
    assert hyperlexeme_units([named, Scene(scene="жар")], budget=9) == []


def test_capitals_are_units_of_their_own_when_asked_for() -> None:
    found = hyperlexeme_units([scene("жар+вход"), scene("Рим+дом")], budget=9, capitals=True)
    assert [unit.text for unit in found] == ["Римдом", "жарвход", "Жарвход"]
    assert found[2].components == ("жар", "вход")


def test_prompt_forms_are_units_of_their_own_when_asked_for() -> None:
    found = hyperlexeme_units([scene("жар+вход"), scene("a\\+b+дом")], budget=9, prompt_forms=True)
    assert [unit.text for unit in found] == ["a+bдом", "жарвход", "a\\+b+дом", "жар+вход"]
    assert found[3].components == ("жар", "вход")


def test_codes_come_by_number_with_what_they_sum() -> None:
    book = {"Δ10": Formula(parts=("жар", "рост")), "Δ2": Formula(parts=("Δ10", "память"))}
    assert [(unit.text, unit.components) for unit in formula_units(book)] == [
        ("Δ2", ("Δ10", "память")),
        ("Δ10", ("жар", "рост")),
    ]


def test_a_symbol_is_what_a_reader_sees_as_one() -> None:
    assert [unit.text for unit in symbol_units("⟁🜂, 👩‍👩‍👧 ❤️⟁")] == ["⟁", "🜂", "👩‍👩‍👧", "❤️"]


def test_only_a_hyperlexeme_takes_its_space_along_and_only_a_code_stands_alone() -> None:
    units = [Unit(text="жарвход", kind="hyperlexeme"), Unit(text="Δ4", kind="formula"), Unit(text="⟁", kind="symbol")]
    tokens = [token for unit in units for token in tokens_of(unit)]
    assert [(token.text, token.single_word) for token in tokens] == [
        ("жарвход", False),
        (" жарвход", False),
        ("Δ4", True),
        ("⟁", False),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("⟁", "symbol", "already a token of the base"),
        ("Δ", "symbol", "a letter, a digit or an ASCII mark is no symbol"),
        ("+", "symbol", "a letter, a digit or an ASCII mark is no symbol"),
        ("яд", "hyperlexeme", "shorter than 4 letters"),
        (" жарвход", "hyperlexeme", "begins or ends with a space"),
    ],
)
def test_what_cannot_be_a_unit_is_refused_with_the_reason(text: str, kind: str, reason: str) -> None:
    admitted, (refused,) = admit([Unit(text=text, kind=kind)], known={"⟁"})
    assert admitted == []
    assert refused.reason.startswith(reason)


def test_a_unit_is_asked_for_once() -> None:
    unit = Unit(text="⟁", kind="symbol")
    admitted, refused = admit([unit, unit], known=())
    assert (admitted, [one.reason for one in refused]) == ([unit], ["asked for twice"])
