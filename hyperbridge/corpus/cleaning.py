"""Text as a language model should read it: layout and markup of an edition removed, words untouched.

Used for pretraining and for the passages of expressions. It keeps line breaks (verse needs them), joins the lines
of hard-wrapped prose, and is a function of the text alone. One pass over the text.
"""

from __future__ import annotations

import html
import re
import unicodedata

_MARKS = re.compile("[\u0300\u0301\u00ad\u200b\u200c\u200d\u2060\ufeff\x7f]")
_FOOTNOTE = re.compile(r"\[\d{1,3}\]|\{\d{1,3}\}|(?<=\w)\*+")
_SPACE = re.compile(r"[^\S\n]+")
_DASH = re.compile(r"(?<!\S)(?:--+|[-–])(?!\S)|(?<=[,.!?])--+|--+(?= )")
_BEFORE_POINT = re.compile(r"(?<=\w) (?=[,.!?;:](?:\s|$))")
_LETTERS = re.compile(r"[^\W\d_]")
_WRAP = re.compile(r"(?<=\S{1}[^\n]{59})\n(?=[а-яёa-z(])")


def clean(text: str) -> str:
    """Return text with one space between words, — for dashes, at most one blank line, and no edition marks."""
    text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFC", html.unescape(text))))
    text = _FOOTNOTE.sub("", _SPACE.sub(" ", text))
    text = _BEFORE_POINT.sub("", _DASH.sub("—", text))
    lines = (line.strip() for line in text.split("\n"))
    text = "\n".join(line if _LETTERS.search(line) else "" for line in lines)
    return re.sub(r"\n{3,}", "\n\n", _WRAP.sub(" ", text)).strip()
