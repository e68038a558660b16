"""Which registers a Russian passage speaks in: a primary one, those heard beside it, and how sure that is.

A register given by the user wins, then a folder name in the source (`poetry/...`). Else a linear model of the content
decides among five, by what `register_traits_ru` sees. A passage is told together with its neighbours, its own words
counting most. Verse layout multiplies the odds of the poet. `телесный` is no class of the model: it is heard by its
share of words of the body. Cost: about 15 microseconds a word. Fitted and measured by `benchmarks/fit_registers.py`;
fit it again when the encoder or the parser changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from hyperbridge.corpus.content_ru import is_content
from hyperbridge.corpus.parsing_ru import Token, lexicon
from hyperbridge.corpus.register_traits_ru import features, find_traits
from hyperbridge.corpus.text_classifier import TextClassifier

POET, ARCHETYPE, PHILOSOPHER, LOGICIAN, BODY, NARRATOR = (
    "поэтический", "архетипический", "философский", "логический", "телесный", "повествовательный",
)  # fmt: skip
# The classes of the model, in the order of its columns.
CLASSES = (POET, PHILOSOPHER, ARCHETYPE, LOGICIAN, NARRATOR)
MODEL = Path(__file__).parents[1] / "assets" / "classifiers" / "registers_ru.safetensors"

FOLDERS = {
    **dict.fromkeys(("poetry", "verse", "poems", "стихи", "поэзия"), POET),
    **dict.fromkeys(("folk", "sacred", "myth", "myths", "tales", "сказки", "мифы"), ARCHETYPE),
    **dict.fromkeys(("essay", "essays", "philosophy", "philosophy_theology", "эссе", "философия"), PHILOSOPHER),
    **dict.fromkeys(("legal", "logic", "science", "закон", "наука"), LOGICIAN),
    **dict.fromkeys(("body", "тело"), BODY),
}

_BODY_WORDS = lexicon(
    "тело рука нога глаз око лицо голова губа плечо грудь палец кожа кровь пот дыхание щека лоб шея спина "
    "колено живот горло язык зуб волос ладонь пульс дрожь боль жар холод тепло озноб голод жажда "
    "усталость слеза кость рот нос ухо висок ресница веко кулак локоть рана запах вкус сон дышать дрожать "
    "вздрогнуть болеть гореть обнять обнимать целовать поцеловать касаться коснуться прикоснуться прижать "
    "прижаться чувствовать ощущать ощутить бледнеть побледнеть краснеть покраснеть вздохнуть глотать "
    "сжать сжимать дрожащий горячий холодный теплый тёплый мокрый тяжелый тяжёлый мягкий голый бледный "
    "босой усталый больной потный"
)
# Shares of words of the body among content words: heard from the first, primary from the second. Of 344 narrative
# passages of 60 words 0.6 % lie above 0.22, and none above 0.3.
BODY_HEARD, BODY_LOUD = 0.18, 0.3
# Words that are told together, three times those of a passage of the fit, and how much a word around a passage counts
# beside one of its own: more helps where a document keeps its register, and drowns a passage that leaves it.
TOLD_WORDS, AROUND = 180, 0.25
# A class is heard beside the primary one from this probability.
HEARD = 0.2
MOST_HEARD = 2
# How many times likelier verse layout is for verse than for prose. Segmentation finds it in over 0.85 of the passages
# of books of verse and in under 0.01 of those of prose; the odds stay below that, since laws and psalms have lines too.
LAYOUT_ODDS = 30.0

Method = Literal["given", "folder", "layout", "content"]


@dataclass(frozen=True, slots=True)
class ParsedPassage:
    """What the registers of a passage are told from.

    Attributes:
        words: all tokens of the passage, marks included.
        source: of its document; its folders may name a register.
        verse: whether it is laid out as verse.
        given: a register set by the user for the whole input.
    """

    words: Sequence[Token]
    source: str = ""
    verse: bool = False
    given: str | None = None


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers of a passage.

    Attributes:
        secondary: others that are heard, loudest first, two at most.
        confidence: 1.0 where a person named the register (`given`, `folder`); else the model's probability of the
            primary, verse layout counted in; for `телесный` the share of words of the body, doubled, 1 at most.
        method: what decided about the primary.
    """

    primary: str
    secondary: tuple[str, ...]
    confidence: float
    method: Method


def classify_all(passages: Sequence[ParsedPassage]) -> list[Registers]:
    """The registers of passages of one document, in order; a batch is read with one matrix product.

    A passage is told together with its neighbours; one without any is told alone.

    Raises:
        HyperBridgeError: the model file is missing or broken.
    """
    model = classifier()
    scales = model.about["rates"]
    seen = find_traits([passage.words for passage in passages])
    chances = model.probabilities([features(one, scales) for one in seen])
    chances = with_neighbours(chances, [sum(token.text[:1].isalpha() for token in one.words) for one in passages])
    return [_decide(passage, row) for passage, row in zip(passages, chances, strict=True)]


def with_neighbours(chances: np.ndarray, words: Sequence[int]) -> np.ndarray:
    """(passages, classes): each row's mean with those around it, up to TOLD_WORDS words in all, its own counting most.

    Args:
        chances: (passages, classes) of the passages alone, in the order of their document.
        words: of each passage, by which it counts in a mean.
    """
    found = np.empty_like(chances)
    counts = np.maximum(np.array(words, np.float32), 1)
    for number in range(len(chances)):
        told = _window(words, number)
        weights, own = counts[told].copy(), counts[number]
        around = weights.sum() - own
        weights *= AROUND * min(1.0, max(TOLD_WORDS - own, 0.0) / around) if around else 0.0
        weights[number - told.start] = own
        found[number] = weights @ chances[told] / weights.sum()
    return found


def _window(words: Sequence[int], number: int) -> slice:
    """The passages around one, as many before as after, until they hold TOLD_WORDS."""
    first, last, held = number, number + 1, words[number]
    while held < TOLD_WORDS and (first > 0 or last < len(words)):
        if first > 0:
            first -= 1
            held += words[first]
        if last < len(words):
            held += words[last]
            last += 1
    return slice(first, last)


def _decide(passage: ParsedPassage, row: np.ndarray) -> Registers:
    chances = dict(zip(CLASSES, (with_layout(row) if passage.verse else row).tolist(), strict=True))
    body = body_share(passage.words)
    folder = _from_folder(passage.source)
    method: Method = "content"
    if passage.given or folder:
        primary, confidence = passage.given or folder or "", 1.0
        method = "given" if passage.given else "folder"
    elif body >= BODY_LOUD and not passage.verse:
        primary, confidence = BODY, min(1.0, 2 * body)
    else:
        primary = max(chances, key=lambda name: chances[name])
        confidence = chances[primary]
        method = "layout" if passage.verse and primary == POET else "content"
    return Registers(primary, _heard(chances, body, primary), round(confidence, 3), method)


def _heard(chances: Mapping[str, float], body: float, primary: str) -> tuple[str, ...]:
    """The registers beside the primary one, by probability; the body, which has none, by how near it is to loud.

    The model knows no body and gives its words to others, so the body's share is taken off theirs.
    """
    loudness = {name: chance for name, chance in chances.items() if chance * (1 - body) >= HEARD}
    if body >= BODY_HEARD:
        loudness[BODY] = body / BODY_LOUD
    ranked = sorted(loudness, key=lambda name: -loudness[name])
    return tuple(name for name in ranked if name != primary)[:MOST_HEARD]


def with_layout(row: np.ndarray) -> np.ndarray:
    """Probabilities after verse layout was seen: the odds of the poet rise."""
    raised = row * np.where(np.array(CLASSES) == POET, LAYOUT_ODDS, 1.0)
    return raised / raised.sum()


def _from_folder(source: str) -> str | None:
    folders = PurePosixPath(source.partition("#")[0]).parts[:-1]
    return next((FOLDERS[name.lower()] for name in reversed(folders) if name.lower() in FOLDERS), None)


def body_share(words: Sequence[Token]) -> float:
    """Words of the body among the content words, 0..1; a passage counts as six content words at least."""
    named = sum(token.lemma in _BODY_WORDS for token in words)
    return min(1.0, named / max(sum(map(is_content, words)), 6)) if named else 0.0


@lru_cache(maxsize=1)
def classifier() -> TextClassifier:
    """The fitted model, loaded once."""
    return TextClassifier.load(MODEL)
