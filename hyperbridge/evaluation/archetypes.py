"""How well the archetypes of tales are found: against Propp's functions of the same tales.

Propp (1928, appendix III) wrote for some of Afanasyev's tales which functions they go through; the project's book of
archetypes says which archetypes a function is. A tale should show these archetypes and no others of those that are
functions at all: precision and recall over the archetypes of all tales, and the share of functions of which any
archetype is found. Controls, each with as many archetypes as were found: drawn at random, the most frequent of the
other tales; and what is found in the other tales themselves, which shows what of it is this tale's own. Cost: tagging
the tales. Few tales are annotated: with four of them a figure may be off by a fifth.
"""

from __future__ import annotations

import json
import random
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperbridge.corpus import parsing_ru
from hyperbridge.corpus.archetypes_ru import ArchetypeBook, own_book
from hyperbridge.corpus.documents import Document, read_input
from hyperbridge.corpus.segmentation import segment
from hyperbridge.corpus.segmentation_ru import LAYOUT, tokenise
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.boundaries import SEEDS
from hyperbridge.jsonl import read_utf8_lines

# Codes of the annotation that are words; the others begin with Propp's sign: `A_xvii`, `D1_3`, `Fneg`, `Pr_1`.
_WORDS = {"depart": "↑", "return": "↓"}
_SIGN = re.compile(r"Pr|Rs|Ex|[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Tale:
    """An annotated tale: its number in Afanasyev, its title, the signs of its functions, each once, in order."""

    number: int
    title: str
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArchetypeScore:
    """Archetypes of one tale or of all: how many are right, found and wanted; functions heard, and functions."""

    name: str
    right: float
    found: float
    wanted: int
    heard: float
    functions: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.wanted) if self.found + self.wanted else 0.0


def read_tales(path: Path) -> list[Tale]:
    """The annotated tales of a file, one a line: `number`, `moves` with their `functions`.

    Raises:
        HyperBridgeError: a line is no annotated tale, or has a function that Propp does not.
    """
    signs = {function.sign for function in own_book().propp}
    return [
        _tale(line, f"{path}:{number}", signs) for number, line in enumerate(read_utf8_lines(path), start=1) if line
    ]


def _tale(line: str, where: str, signs: set[str]) -> Tale:
    try:
        record: dict[str, Any] = json.loads(line)
        codes = [code for move in record["moves"] for code in move["functions"]]
        found = dict.fromkeys(sign_of(code, signs) for code in codes)
        return Tale(int(record["number"]), str(record.get("title_en", "")), tuple(found))
    except (ValueError, KeyError, TypeError) as error:
        raise HyperBridgeError(f"{where}: no tale with its functions ({error}); give number and moves") from None


def sign_of(code: str, signs: set[str]) -> str:
    """Propp's sign of a code: `A_xvii` is A, `d1_6` is D, `a_6` is a, `depart` is ↑.

    Raises:
        ValueError: no function begins so.
    """
    found = _SIGN.match(code)
    letters = _WORDS.get(code) or (found[0] if found else "")
    sign = letters if letters in signs else letters.upper()
    if sign not in signs:
        raise ValueError(f"no function of Propp's is written {code!r}")
    return sign


def archetypes_of_tale(document: Document) -> set[str]:
    """The strongest archetype of each passage."""
    tokenised = [tokenise(one.text.replace("\n", " ")) for one in segment(document, LAYOUT, lambda reason: None)]
    passages = parsing_ru.parse_texts(tokenised, tree=False)
    best = (next(iter(own_book().find(sentences)), None) for sentences in passages)
    return {archetype.name for archetype in best if archetype is not None}


def evaluate_archetypes(annotations: Path, tales: Iterable[Path]) -> list[ArchetypeScore]:
    """A score for each annotated tale whose text is there, for all of them, and for the controls.

    Args:
        annotations: the file that `read_tales` reads.
        tales: `.jsonl` files, a tale a line with its `number`.

    Raises:
        HyperBridgeError: the annotation is none, or no annotated tale has its text.
    """
    wanted = {tale.number: tale for tale in read_tales(annotations)}
    mapped = {name for function in own_book().propp for name in function.archetypes}
    found: dict[int, set[str]] = {}
    for path in sorted(tales):
        for document in read_input(path, path.name):
            number = document.source.rpartition("#")[2]
            if number.isdigit():
                found[int(number)] = archetypes_of_tale(document) & mapped
    judged = [wanted[number] for number in sorted(wanted.keys() & found.keys())]
    if not judged:
        raise HyperBridgeError(f"{annotations}: none of its tales is among the texts; give folk/*.jsonl with them")
    return score_tales(judged, found, sorted(mapped))


def score_tales(judged: Sequence[Tale], found: Mapping[int, set[str]], mapped: Sequence[str]) -> list[ArchetypeScore]:
    """The scores of `evaluate_archetypes`, from what is found in each tale, `found`, and all that could be."""
    sizes = [len(found[tale.number]) for tale in judged]
    others = {number: names for number, names in found.items() if number not in {tale.number for tale in judged}}
    frequent = [name for name, _ in Counter(name for names in others.values() for name in sorted(names)).most_common()]
    draws = [
        [
            set(random.Random(f"{seed} {tale.number}").sample(mapped, size))
            for tale, size in zip(judged, sizes, strict=True)
        ]
        for seed in range(SEEDS)
    ]
    single = [_score(tale.title, [tale], [found[tale.number]]) for tale in judged]
    whole = [
        _score("all", judged, [found[tale.number] for tale in judged]),
        _mean("random, as many", [_score("", judged, draw) for draw in draws]),
        _score("most frequent, as many", judged, [set(frequent[:size]) for size in sizes]),
    ]
    swapped = [_score("", judged, [names] * len(judged)) for names in others.values()]
    return [*single, *whole, *([_mean("another tale's", swapped)] if swapped else [])]


def _score(name: str, tales: Sequence[Tale], found: Sequence[set[str]]) -> ArchetypeScore:
    book = own_book()
    right = wanted = heard = 0
    for tale, names in zip(tales, found, strict=True):
        true = _archetypes(book, tale)
        right, wanted = right + len(true & names), wanted + len(true)
        heard += sum(bool(names.intersection(book.archetypes_of(sign))) for sign in tale.signs)
    functions = sum(len(tale.signs) for tale in tales)
    return ArchetypeScore(name, right, sum(map(len, found)), wanted, heard, functions)


def _archetypes(book: ArchetypeBook, tale: Tale) -> set[str]:
    return {name for sign in tale.signs for name in book.archetypes_of(sign)}


def _mean(name: str, scores: Sequence[ArchetypeScore]) -> ArchetypeScore:
    right, found, heard = (
        statistics.fmean(values) for values in zip(*((one.right, one.found, one.heard) for one in scores), strict=True)
    )
    return ArchetypeScore(name, right, found, scores[0].wanted, heard, scores[0].functions)
