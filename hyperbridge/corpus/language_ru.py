"""Russian as a language of the corpus: passages are tokenised, parsed in batches, extracted and given a register."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hyperbridge.corpus import extraction_ru, parsing_ru, registers_ru, segmentation_ru
from hyperbridge.corpus.languages import Language, Reading
from hyperbridge.corpus.segmentation import Passage

_LINE_START = re.compile(r"(?<=\n)(\W*)([^\W\d_]+)")
_AFTER_SENTENCE = re.compile(r"[.!?…][\"»”)\s—–-]*$")


def load() -> Language:
    """Russian, with its packages checked.

    Raises:
        HyperBridgeError: a package of the extra `russian` is not installed.
    """
    parsing_ru.check_installed()
    return Language("ru", segmentation_ru.LAYOUT, read)


def read(passages: Sequence[Passage], register: str | None) -> Iterator[Reading | str]:
    """For each passage its reading, or the reason it has none."""
    verse = [passage.kind == "verse" for passage in passages]
    tokenised = [_tokenise(passage) for passage in passages]
    yo = parsing_ru.writes_yo("".join(passage.text for passage in passages))
    parsed = {}
    for kind in (True, False):
        words = [sentence for number, found in enumerate(tokenised) if verse[number] == kind for sentence in found]
        parsed[kind] = iter(parsing_ru.parse(words, tree=not kind, yo=yo))
    for number, passage in enumerate(passages):
        sentences = [next(parsed[verse[number]]) for _ in tokenised[number]]
        yield _read_one(passage, sentences, register)


def _read_one(passage: Passage, sentences: list[list[parsing_ru.Token]], register: str | None) -> Reading | str:
    verse = passage.kind == "verse"
    found = extraction_ru.extract(sentences, verse=verse)
    if isinstance(found, str):
        return found
    words = [token for sentence in sentences for token in sentence]
    primary, secondary = registers_ru.classify(passage.text, words, passage.source, verse=verse, given=register)
    return Reading(found.hyperlexeme, found.components, found.density, primary, secondary)


def _tokenise(passage: Passage) -> list[list[str]]:
    text = (_as_prose(passage.text) if passage.kind == "verse" else passage.text).replace("\n", " ")
    tokenised = (segmentation_ru.words(text[start:end]) for start, end in segmentation_ru.sentences(text))
    return [words for words in tokenised if words]


def _as_prose(verse: str) -> str:
    """Verse with the capitals of its lines lowered where no sentence begins: taggers take them for names."""

    def lowered(match: re.Match[str]) -> str:
        word = match[2]
        if _AFTER_SENTENCE.search(verse, 0, match.start()) or parsing_ru.is_name(word.lower()):
            return match[0]
        return match[1] + word[0].lower() + word[1:]

    return _LINE_START.sub(lowered, verse)
