"""Seams of words: the places between morphemes that learned merges should not cross.

Seams are offsets of characters in a word, from a file or from a model of the language (`slovorez`, for Russian).
A file is either JSON lines with `original` and `segmented`, or two columns with a tab between:

    {"original": "домами", "segmented": "дом|ами"}
    домами	дом|ами

Words are looked up in lower case; a word that the source does not know has no seams. Cost: the file in memory, about
200 bytes a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import open_for_reading

Offsets = tuple[int, ...]
SLOVOREZ = "slovorez"
_SEAM = "|"


@dataclass(frozen=True, slots=True)
class Seams:
    """The seams of words, one word or many at once; a model answers many in a fraction of the time.

    `lexicon` holds the words whose seams the source has as written down: they have a vote even where no text has them.
    """

    many: Callable[[Sequence[str]], Sequence[Offsets]]
    lexicon: Collection[str] = ()

    def __call__(self, word: str) -> Offsets:
        return self.many([word])[0]


def open_morphemes(source: str) -> Seams:
    """Where the seams of a word are.

    Args:
        source: a file as in the module's docstring, or `slovorez`.

    Raises:
        HyperBridgeError: there is no such file, a line of it is none of the two forms, or slovorez is not installed.
    """
    if source == SLOVOREZ and not Path(source).exists():
        from hyperbridge.tokenizer.morphemes_ru import dictionary, open_slovorez

        return Seams(open_slovorez(), dictionary().keys())
    known = dict(read_morphemes(source))
    return Seams(lambda words: [known.get(word.lower(), ()) for word in words], known.keys())


def with_lexicon(words: Mapping[str, int], seams: Seams, *, spelled: Callable[[str], str]) -> dict[str, int]:
    """Counted pretokens, and those of the lexicon that no text has, with a count of nought.

    Texts of one kind lack the words of others; with a lexicon the pieces fit those too.

    Args:
        words: pretoken -> how often it stands in the texts.
        seams: whose lexicon it is.
        spelled: a text in the alphabet of the vocabulary.
    """
    return {**dict.fromkeys((spelled(f" {word}") for word in seams.lexicon), 0), **words}


def seams_of_pretokens(
    seams: Seams,
    pretokens: Iterable[str],
    *,
    surface: Callable[[str], str | None],
    spelled: Callable[[str], str],
) -> Callable[[str], Collection[int] | None]:
    """The seams of pretokens as offsets in the alphabet of the vocabulary, for `learn_merges`.

    Only a word as it stands inside a sentence, after a space and in lower case, has them; its other forms (at the
    start of a line, in quotation marks, with a comma) have None, so that every word votes once.

    Args:
        seams: of words, in characters.
        pretokens: all that will be asked for.
        surface: the text of a string in the alphabet of the vocabulary; None: it is none.
        spelled: a text in the alphabet of the vocabulary.
    """
    words = {pretoken: word for pretoken in pretokens if (word := _plain_word(surface(pretoken) or ""))}
    found = zip(words.items(), seams.many(list(words.values())), strict=True)
    known = {pretoken: tuple(len(spelled(f" {word[:at]}")) for at in cuts) for (pretoken, word), cuts in found}
    return known.get


def _plain_word(text: str) -> str | None:
    word = text[1:]
    return word if text[:1] == " " and word.isalpha() and word == word.lower() else None


def read_morphemes(source: str) -> Iterator[tuple[str, Offsets]]:
    with open_for_reading(source) as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
                if line.strip():
                    yield _entry(line)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise HyperBridgeError(
                    f"{source}:{number}: no word with its seams; write домами<tab>дом|ами, or "
                    '{"original": "домами", "segmented": "дом|ами"}'
                ) from None


def _entry(line: str) -> tuple[str, Offsets]:
    if line.startswith("{"):
        record = json.loads(line)
        word, segmented = record["original"], record["segmented"]
    else:
        word, segmented = line.split("\t")
    # An ending without letters is written as an empty part.
    parts = [part for part in segmented.strip().split(_SEAM) if part]
    word = word.strip()
    if not parts or "".join(parts).lower() != word.lower():
        raise ValueError(segmented)
    return word.lower(), tuple(accumulate(map(len, parts[:-1])))
