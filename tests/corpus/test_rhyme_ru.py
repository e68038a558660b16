"""Verse is heard in the words alone, and prose is not taken for it."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.parsing_ru import Token
from hyperbridge.corpus.rhyme_ru import line_scores
from hyperbridge.corpus.segmentation_ru import words

COUPLETS = (
    "Бежит по полю первый снег, и тише стал у речки бег, и клён роняет жёлтый лист, и ветер холоден и чист. "
    "А в доме тёплый свет горит, и мать с ребёнком говорит, и сказка старая жива, и сами ходят в ней слова."
)
CROSSED = (
    "Уходит поезд в чистом поле, горит далёкий огонёк. Мы попрощались поневоле, и путь наш долог и далёк. "
    "Звенит вагонное окошко, мелькают сосны у пути, и хочется ещё немножко с тобою рядом побрести."
)
PROSE = (
    "Утром хозяйка растопила печь и послала мальчика за водой, а сама села чинить сети. К полудню ветер стих, лодки "
    "вышли из залива, и на берегу остались только старики, которые спорили о цене соли и о том, скоро ли придёт зима."
)


def tokens(text: str) -> list[Token]:
    return [Token(word, word.lower(), "X", frozenset()) for word in words(text)]


@pytest.mark.parametrize("verse", [COUPLETS, CROSSED])
def test_verse_in_one_line_earns_far_more_than_prose(verse: str) -> None:
    assert line_scores(tokens(verse))[0] > 2 * line_scores(tokens(PROSE))[0]


def test_verse_whose_rhymes_are_taken_away_earns_less() -> None:
    unrhymed = COUPLETS.replace("бег", "шум").replace("чист", "свеж").replace("говорит", "поёт")
    assert line_scores(tokens(unrhymed))[0] < line_scores(tokens(COUPLETS))[0]


def test_a_word_does_not_rhyme_with_itself() -> None:
    repeated = "Он думал о былом и пел былом и ждал былом и спал былом"
    other = "Он думал о былом и пел потом и ждал притом и спал о том"
    assert line_scores(tokens(repeated))[0] < line_scores(tokens(other))[0]


def test_voiced_and_voiceless_ends_rhyme() -> None:
    assert line_scores(tokens("Сверкает глаз и слышен глас и ждёт нас сад и рад нам брат")) == line_scores(
        tokens("Сверкает глас и слышен глаз и ждёт нас сат и рат нам брад")
    )


@pytest.mark.parametrize("text", ["", "…", "1812", "в к с"])
def test_a_text_without_syllables_has_no_lines(text: str) -> None:
    assert line_scores(tokens(text)) == (0.0, 0.0)
