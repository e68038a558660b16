"""What the layout of Russian books looks like: sentence ends, headings, notes, dates, the spelling before 1918.

Sentences and tokens are razdel's (rules over punctuation and abbreviations; about 1 MB/s). Tokens are remembered for
what stands between two spaces, and a word between plain marks is cut without razdel: the same tokens, five times as
fast.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from hyperbridge.corpus.languages import Layout
from hyperbridge.dictionary_ru import missing_package

_ORDINAL = r"(?:[IVXLC]+|\d+|[а-яё]+(?:ая|ый|ой|ое|ий|ья|ье|ья))"
_PART = "глава|часть|том|книга|песнь|песня|действие|явление|картина|раздел|статья|отдел|письмо|сцена"
_MONTH = "(?:январ|феврал|март|апрел|ма[йя]|июн|июл|август|сентябр|октябр|ноябр|декабр)[а-я]*"
_SEASON = "ночь|утро|вечер|весна|лето|осень|зима"
# Possessive (`++`, `*+`) where words follow words: a long line that is no date is not tried in every cut.
_DATE_WORD = rf"(?>\d++|(?:{_MONTH}|год[а-я]*|гг?|{_SEASON}|[А-ЯЁ][а-яё.-]++|и|с|до|после)(?![а-яё]))"

LETTERS = re.compile("[а-яёА-ЯЁ]")
OLD_SPELLING = re.compile(r"[ѣѳѵіїєґў]|[бвгджзклмнпрстфхцчшщ]ъ(?![а-яё])", re.IGNORECASE)
_MARKS = r"[^\w\s]*+(?:\s++[^\w\s]++(?=\s))*+"
CHAPTER = re.compile(rf"\W*(?:{_PART})\s+{_ORDINAL}\b{_MARKS}(?:\s++\S++){{0,8}}\s*$", re.IGNORECASE)
CONTENTS = re.compile(r"\W*(?:содержание|оглавление)\W*$", re.IGNORECASE)
NOTES_HEADING = re.compile(
    r"\W*(?:(?:авторские\s+)?примечани[ея](?:\s+к\s+.{1,30})?|комментари[ий]|сноски|другие редакции.{0,30})\W*$",
    re.IGNORECASE,
)
NOTE = re.compile(
    r"\((?:прим|итал?|фр|франц|англ|нем|лат|греч|польск|исп)\.|^\W*прим(?:еч)?\.|^\*+\s*\S.*\S$(?<![*])|^\[\d+\]"
    r"|https?://|www\.|\bOCR\b|^(?:источник|текст|издание|печатается|впервые)\s*(?:сверен|опубликован\w*|по|:)",
    re.IGNORECASE,
)
DATE = re.compile(rf"(?=.*\d{{4}}|(?>.*?\d).*\b{_MONTH})[\W_]*+(?:{_DATE_WORD}[\W_]*+){{1,8}}$")

_DASHES = r"‑–—−\-"
# Where razdel looks beyond a space: it joins what stands on both sides of a dash (`кто -то`), a point in a number, ...
_UNDECIDED = re.compile(rf"(?![{_DASHES}]+$)(?:[{_DASHES}_/\\].|.+[{_DASHES}_/\\]$)|[.,]\d|.*\d[.,]$", re.DOTALL)

# A word between two marks at most; most of a text is such, and razdel need not be asked.
_PLAIN = re.compile(rf"([«„“\"(]?)([а-яёА-ЯЁ]+(?:[{_DASHES}][а-яёА-ЯЁ]+)*)([,.;:!?…»”\")]?)")


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of the sentences of a text, without the space around them."""
    return [(found.start, found.stop) for found in _razdel().sentenize(text)]


def words(sentence: str) -> list[str]:
    """The tokens of a sentence, punctuation included."""
    found: list[str] = []
    for piece in sentence.split():
        tokens = _tokens(piece)
        if tokens is None:
            return [token.text for token in _razdel().tokenize(sentence)]
        found += tokens
    return found


def tokenise(text: str) -> list[list[str]]:
    """The tokens of each sentence of a text."""
    found = (words(text[start:end]) for start, end in sentences(text))
    return [tokens for tokens in found if tokens]


@lru_cache(maxsize=20_000)
def _tokens(piece: str) -> tuple[str, ...] | None:
    """The tokens of what stands between spaces; None where they depend on what is beyond the spaces."""
    plain = _PLAIN.fullmatch(piece)
    if plain:
        return tuple(filter(None, plain.groups()))
    if _UNDECIDED.match(piece):
        return None
    return tuple(token.text for token in _razdel().tokenize(piece))


def _razdel() -> Any:
    try:
        import razdel
    except ImportError:
        raise missing_package("razdel") from None
    return razdel


LAYOUT = Layout(LETTERS, OLD_SPELLING, CHAPTER, CONTENTS, NOTES_HEADING, NOTE, DATE, sentences)
