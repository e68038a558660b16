"""Tokens are razdel's, though razdel is asked for few of them."""

from __future__ import annotations

import pytest
import razdel
from hypothesis import given
from hypothesis import strategies as st

from hyperbridge.corpus.segmentation_ru import words


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("«Кто-то идёт!» — шепнул он.", ["«", "Кто-то", "идёт", "!", "»", "—", "шепнул", "он", "."]),
        ("Ждали... и дождались?!", ["Ждали", "...", "и", "дождались", "?!"]),
        ("Пуд стоил 2,5 рубля.", ["Пуд", "стоил", "2,5", "рубля", "."]),
        # What stands beyond a space decides: a dash between words joins, one between marks does not.
        ("какой -то вздор", ["какой", "-то", "вздор"]),
        ("Молчи! -то-то", ["Молчи", "!", "-", "то-то"]),
        ("", []),
    ],
)
def test_a_sentence_is_cut_into_words_and_marks(sentence: str, tokens: list[str]) -> None:
    assert words(sentence) == tokens


@given(st.text(alphabet="абЁё x5½Δ—–--..,,!?…/\\_«»\"'():;=\u00a0", max_size=30))
def test_the_tokens_are_those_of_razdel(sentence: str) -> None:
    assert words(sentence) == [token.text for token in razdel.tokenize(sentence)]
