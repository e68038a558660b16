"""What the layout of Russian books looks like: sentence ends, headings, notes, dates, the spelling before 1918.

Sentences are razdel's (rules over punctuation and abbreviations; about 1 MB/s).
"""

from __future__ import annotations

import re
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


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of the sentences of a text, without the space around them."""
    return [(found.start, found.stop) for found in _razdel().sentenize(text)]


def words(sentence: str) -> list[str]:
    """The tokens of a sentence, punctuation included."""
    return [found.text for found in _razdel().tokenize(sentence)]


def _razdel() -> Any:
    try:
        import razdel
    except ImportError:
        raise missing_package("razdel") from None
    return razdel


LAYOUT = Layout(LETTERS, OLD_SPELLING, CHAPTER, CONTENTS, NOTES_HEADING, NOTE, DATE, sentences)
