"""Which archetypes a Russian passage shows: motifs of words, looked up by lemma.

An archetype is a set of motifs in `assets/archetypes_ru.json`: single words, words side by side, words within a window,
a verb with its object; each is `sure`, `likely` or a `hint`, which is how often a reader who sees it would agree. What
is negated or matched by a counter-motif tells nothing. The motifs found in a passage, each counted once, are joined
as independent witnesses, 1 - (1 - w1)(1 - w2)..., and an archetype counts from 0.6 on: one sure motif, or a likely one
with another beside it. Propp's 31 functions of the wonder tale are mapped to the archetypes in the same file. Cost: a
look-up a word.

Source of the functions and their signs: V. Propp, Morphology of the Folktale (1928).
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, TypeAdapter, ValidationError, model_validator

from hyperbridge.corpus.parsing_ru import NAMES, Token, lexicon
from hyperbridge.errors import HyperBridgeError, first_problem
from hyperbridge.jsonl import open_for_reading

BOOK = Path(__file__).parent.parent / "assets" / "archetypes_ru.json"
MIN_CONFIDENCE = 0.6
# Negated by a word before it, or by one before its modal verb: `не вернулся`, `не мог вернуться`, `без клятвы`.
_NEGATIONS, _ALMOST = lexicon("не ни без нет"), lexicon("чуть едва")
_MODALS = lexicon("мочь хотеть сметь уметь успеть думать надо нужно должный")

Sentence = Sequence[Token]
Lemmas = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Archetype:
    """An archetype found in a passage.

    Attributes:
        confidence: 0.6..1, how likely a reader is to agree.
        evidence: the motifs that were found, as lemmas in the order of the text, strongest first.
        symbol: the archetype's sign, `⟁`.
    """

    name: str
    confidence: float
    evidence: tuple[str, ...]
    symbol: str


def find_archetypes(sentences: Sequence[Sentence]) -> list[Archetype]:
    """The archetypes of a passage by the project's own book, best first; empty where there are none."""
    return own_book().find(sentences)


@lru_cache(maxsize=1)
def own_book() -> ArchetypeBook:
    """The book that the project ships, read once."""
    return load_archetypes(BOOK)


def load_archetypes(path: str | os.PathLike[str]) -> ArchetypeBook:
    """Read a book of archetypes.

    Raises:
        HyperBridgeError: the file is missing, is not JSON or breaks a rule of the book; the message names the key.
    """
    with open_for_reading(path) as file:
        try:
            data = json.load(file, object_pairs_hook=_no_repeats)
            return TypeAdapter(ArchetypeBook).validate_python(data)
        except ValidationError as error:
            raise HyperBridgeError(f"{os.fspath(path)}: {first_problem(error)}") from None
        except ValueError as error:
            raise HyperBridgeError(f"{os.fspath(path)}: {error}") from None


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object; join the two")
        found[key] = value
    return found


Text = Annotated[str, Field(min_length=1)]
Strength = Literal["sure", "likely", "hint"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Motifs(_Strict):
    """One archetype of the book; the lists hold patterns, see `about` in the file."""

    symbol: Text
    definition: Text
    sure: tuple[Text, ...]
    likely: tuple[Text, ...] = ()
    hint: tuple[Text, ...] = ()
    counter: tuple[Text, ...] = ()


class ProppFunction(_Strict):
    """A function of the wonder tale: Propp's number and sign (`β`, `A`, `↑`), its name, the archetypes it is."""

    number: Annotated[int, Field(ge=1, le=31)]
    sign: Text
    name: Text
    archetypes: Annotated[tuple[str, ...], Field(min_length=1)]


class ArchetypeBook(_Strict):
    """The archetypes with their motifs, and Propp's functions; `window` is in tokens."""

    about: tuple[str, ...] = ()
    window: Annotated[int, Field(ge=1, le=20)]
    weights: dict[Strength, Annotated[float, Field(gt=0.0, lt=1.0)]]
    sets: dict[str, Text] = {}
    archetypes: Annotated[dict[str, Motifs], Field(min_length=1)]
    propp: tuple[ProppFunction, ...] = ()
    _index: dict[str, list[_Motif]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _compile(self) -> Self:
        missing = {"sure", "likely", "hint"} - self.weights.keys()
        if missing:
            raise ValueError(f"weights: {', '.join(sorted(missing))} is missing")
        unknown = {name for function in self.propp for name in function.archetypes} - self.archetypes.keys()
        if unknown:
            raise ValueError(f"propp: no archetype is called {sorted(unknown)[0]!r}")
        index = defaultdict(list)
        for motif in self._motifs():
            for lemma in motif.parts[0].groups[0]:
                index[lemma].append(motif)
        self._index = dict(index)
        return self

    def _motifs(self) -> Iterator[_Motif]:
        sets = {name: _plain(words).split() for name, words in self.sets.items()}
        for name, entry in self.archetypes.items():
            for pattern in entry.counter:
                yield _Motif(name, 0.0, _read_pattern(pattern, sets, name))
            for strength, weight in self.weights.items():
                for pattern in getattr(entry, strength):
                    yield _Motif(name, weight, _read_pattern(pattern, sets, name))

    def find(self, sentences: Sequence[Sentence]) -> list[Archetype]:
        """The archetypes of a passage, best first; empty where there are none."""
        heard: dict[str, list[_Finding]] = defaultdict(list)
        for sentence in sentences:
            for finding in self._findings(sentence):
                heard[finding.motif.archetype].append(finding)
        found = (self._join(name, findings) for name, findings in heard.items())
        return sorted((one for one in found if one is not None), key=lambda one: (-one.confidence, one.name))

    def archetypes_of(self, sign: str) -> tuple[str, ...]:
        """The archetypes that a function of Propp's is; empty for an unknown sign."""
        return next((function.archetypes for function in self.propp if function.sign == sign), ())

    def _findings(self, sentence: Sentence) -> list[_Finding]:
        """What is found in a sentence, without what the counter-motifs cover; a person's name (`Любовь`) is no word."""
        lemmas = ["" if _is_name(token) else _plain(token.lemma) for token in sentence]
        index = self._index  # pydantic looks a private attribute up for longer than a dictionary its key
        findings: list[_Finding] = []
        covered: set[tuple[str, int]] = set()
        for start, lemma in enumerate(lemmas):
            for motif in index.get(lemma, ()):
                places = _match(motif, start, sentence, lemmas, self.window)
                if places is None:
                    continue
                if motif.weight:
                    findings.append(_Finding(motif, tuple(lemmas[place] for place in sorted(places)), places))
                else:
                    covered.update((motif.archetype, place) for place in places)
        return [one for one in findings if not any((one.motif.archetype, place) in covered for place in one.places)]

    def _join(self, name: str, findings: Sequence[_Finding]) -> Archetype | None:
        """Each motif once, and none whose words a stronger one has used already."""
        doubt, evidence = 1.0, []
        motifs: set[int] = set()
        used: set[str] = set()
        for finding in sorted(findings, key=lambda one: (-one.motif.weight, -len(one.lemmas))):
            if id(finding.motif) in motifs or used.issuperset(finding.lemmas):
                continue
            motifs.add(id(finding.motif))
            used.update(finding.lemmas)
            doubt *= 1.0 - finding.motif.weight
            evidence.append(" ".join(finding.lemmas))
        confidence = round(1.0 - doubt, 2)
        if confidence < MIN_CONFIDENCE:
            return None
        return Archetype(name, confidence, tuple(evidence), self.archetypes[name].symbol)


@dataclass(frozen=True, slots=True)
class _Part:
    """Words that follow each other: for each place its lemmas, and whether such a lemma must be an imperative."""

    groups: tuple[Mapping[str, bool], ...]
    negated: bool
    is_object: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Motif:
    """A pattern of an archetype; weight 0 marks a counter-motif."""

    archetype: str
    weight: float
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    motif: _Motif
    lemmas: Lemmas
    places: frozenset[int]


def _read_pattern(pattern: str, sets: Mapping[str, Sequence[str]], archetype: str) -> tuple[_Part, ...]:
    """`не ходить! + лес|поле` as parts; raises ValueError where it cannot be read."""
    where = f"archetypes.{archetype}: the pattern {pattern!r}"
    parts = []
    for piece in _plain(pattern).replace(" > ", " + >").split(" + "):
        words = piece.removeprefix(">").split()
        negated = words[:1] == ["не"]
        groups = tuple(_read_group(word, sets, where) for word in words[negated:])
        if not groups:
            raise ValueError(f"{where} has an empty part; write `a + b`, `a > b` or `a b`")
        parts.append(_Part(groups, negated, piece.startswith(">")))
    return tuple(parts)


def _read_group(word: str, sets: Mapping[str, Sequence[str]], where: str) -> dict[str, bool]:
    lemmas: dict[str, bool] = {}
    for name in word.split("|"):
        if name.startswith("@") and name[1:] not in sets:
            raise ValueError(f"{where} names the set {name!r}, which is not among `sets`")
        if not name.strip("!+>@"):
            raise ValueError(f"{where} has an empty word; write `a|b` without spaces")
        members = sets[name[1:]] if name.startswith("@") else [name.removesuffix("!")]
        lemmas.update(dict.fromkeys(members, name.endswith("!")))
    return lemmas


def _is_name(token: Token) -> bool:
    """A person's name, but not one of the tales, `Иван-царевич`."""
    return token.pos == "PROPN" and "-" not in token.lemma and bool(NAMES & token.grammemes)


@lru_cache(maxsize=20_000)
def _plain(text: str) -> str:
    return text.lower().replace("ё", "е")


def _match(motif: _Motif, start: int, sentence: Sentence, lemmas: Sequence[str], window: int) -> frozenset[int] | None:
    """The places of a motif whose first word is at `start`; None where the rest of it is not near."""
    places = _match_part(motif.parts[0], start, sentence, lemmas, countering=not motif.weight)
    for part in motif.parts[1:]:
        if places is None:
            return None
        places = _near(part, start, places, sentence, lemmas, window, countering=not motif.weight)
    return places


def _near(
    part: _Part, start: int, taken: frozenset[int], sentence: Sentence, lemmas: Sequence[str], window: int, *,
    countering: bool,
) -> frozenset[int] | None:  # fmt: skip
    """`taken` with the places of the nearest free match of a part around `start`, what follows before what precedes."""
    first = part.groups[0]
    for distance in range(1, window + 1):
        for place in (start + distance, start - distance):
            if 0 <= place < len(lemmas) and lemmas[place] in first:
                found = _match_part(part, place, sentence, lemmas, countering=countering)
                if found is not None and not found & taken:
                    return taken | found
    return None


def _match_part(
    part: _Part, start: int, sentence: Sentence, lemmas: Sequence[str], *, countering: bool
) -> frozenset[int] | None:
    end = start + len(part.groups)
    if end > len(lemmas):
        return None
    for place, group in enumerate(part.groups, start):
        if lemmas[place] not in group:
            return None
        if group[lemmas[place]] and sentence[place].feats.get("Mood") != "Imp":
            return None
    if part.is_object and sentence[start].feats.get("Case") == "Nom":
        return None
    if part.negated != _is_negated(lemmas, start) and not (countering and not part.negated):
        return None
    return frozenset(range(start, end))


def _is_negated(lemmas: Sequence[str], place: int) -> bool:
    """`не пал`, `не мог пасть`, but not `чуть не пал`."""
    if place > 1 and lemmas[place - 1] in _MODALS:
        place -= 1
    if not place or lemmas[place - 1] not in _NEGATIONS:
        return False
    return place < 2 or lemmas[place - 2] not in _ALMOST
