"""Russian as a language of the corpus: passages are parsed in batches, and each field is read by its own module.

extraction_ru: components, hyperlexeme, density; registers_ru, emotion_ru, archetypes_ru, tension_ru: what their names
say; boundaries_ru and mode_ru: where scenes end and what surrounds a passage, when the whole document is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from hyperbridge.corpus import (
    archetypes_ru,
    boundaries_ru,
    emotion_ru,
    extraction_ru,
    mode_ru,
    parsing_ru,
    registers_ru,
    segmentation_ru,
    tension_ru,
)
from hyperbridge.corpus.languages import Language, Opening, Reading, Relation
from hyperbridge.corpus.segmentation import Passage

# How many passages to either side surround one, and among how many an amplifier is looked for.
SURROUNDINGS, AMPLIFIERS = 5, 25
# An emotion less sure than this is not said: the model was fitted on blogs and tweets, and what it takes for joy in
# books mostly is none (of six read by eye two were, at .56 and .96; four were not, at .45 to .62).
SURE_EMOTION = {emotion_ru.JOY: 0.65}
SURE_ANY = 0.4

_LINE_START = re.compile(r"(?<=\n)(\W*)([^\W\d_]+)")
_AFTER_SENTENCE = re.compile(r"[.!?…][\"»”)\s—–-]*$")


def load() -> Language:
    """Russian, with its packages checked.

    Raises:
        HyperBridgeError: a package of the extra `russian` is not installed.
    """
    parsing_ru.check_installed()
    return Language("ru", segmentation_ru.LAYOUT, read, relate)


def read(passages: Sequence[Passage], register: str | None) -> Iterator[Reading | str]:
    """For each passage its reading, or the reason it has none."""
    # One thread: sums in one order, so that every process makes the same bytes.
    with _thread_pools().limit(limits=1, user_api="blas"):
        parsed = _parsed(passages)
        words = [[token for sentence in sentences for token in sentence] for sentences in parsed]
        emotions = emotion_ru.find_emotions(words)
        registers = registers_ru.classify_all(
            [
                registers_ru.ParsedPassage(own, passage.source, passage.kind == "verse", register)
                for own, passage in zip(words, passages, strict=True)
            ]
        )
    for number, passage in enumerate(passages):
        verse = passage.kind == "verse"
        found = extraction_ru.extract(parsed[number], verse=verse)
        if isinstance(found, str):
            yield found
            continue
        archetype = next(iter(archetypes_ru.find_archetypes(parsed[number])), None)
        tension = tension_ru.tension_of(parsed[number], passage.text, verse=verse)
        yield _reading(found, registers[number], emotions[number], archetype, tension, parsed[number])


@lru_cache(maxsize=1)
def _thread_pools() -> Any:
    """The pools of threads of the libraries that are loaded; to find them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _reading(
    found: extraction_ru.Extraction,
    registers: registers_ru.Registers,
    emotion: emotion_ru.Emotion | None,
    archetype: archetypes_ru.Archetype | None,
    tension: tension_ru.Tension,
    sentences: Sequence[Sequence[parsing_ru.Token]],
) -> Reading:
    confidence = {**found.confidence, "register": registers.confidence, "tension": tension.confidence}
    if emotion is not None and emotion.confidence < SURE_EMOTION.get(emotion.name, SURE_ANY):
        emotion = None
    if emotion is not None:
        confidence["emotion"] = emotion.confidence
    if archetype is not None:
        confidence["arch"] = archetype.confidence
    traces = boundaries_ru.traces_of(boundaries_ru.Unit(sentences))
    return Reading(
        found.hyperlexeme,
        found.components,
        found.density,
        registers.primary,
        registers.secondary,
        emotion=emotion.name if emotion else None,
        archetype=archetype.name if archetype else None,
        symbol=archetype.symbol if archetype else None,
        tension=tension.value,
        confidence=confidence,
        lemmas=frozenset(traces.content),
        traces=traces,
    )


def relate(readings: Sequence[Reading], openings: Sequence[Opening]) -> list[Relation]:
    """What the passages of a document are to one another."""
    traces = [reading.traces for reading in readings]
    opened = set(boundaries_ru.find_boundaries(traces, openings, boundaries_ru.PROSE))
    # By their words alone: with the emotions that the model names, every fourth passage of a war story rejoiced.
    related = []
    for number, reading in enumerate(readings):
        near = _near(number, len(readings), SURROUNDINGS)
        around = mode_ru.surroundings(
            [mode_ru.Neighbour(readings[other].lemmas, abs(other - number)) for other in near]
        )
        sure = {"mode": around.mode_confidence, "context": around.context_confidence}
        needs_work = (reading.tension or 0.0) < tension_ru.WEAK
        related.append(
            Relation(
                number in opened,
                around.mode,
                around.context,
                needs_work,
                _amplifier(number, readings) if needs_work else None,
                {name: value for name, value in sure.items() if value},
            )
        )
    return related


def _near(number: int, count: int, distance: int) -> list[int]:
    """The numbers at most so far from a number, itself left out."""
    return [other for other in range(max(0, number - distance), min(count, number + distance + 1)) if other != number]


def _amplifier(number: int, readings: Sequence[Reading]) -> int | None:
    """The number of a tenser passage near it that shares a seam."""
    near = _near(number, len(readings), AMPLIFIERS)
    own = (readings[number].hyperlexeme, readings[number].tension or 0.0)
    chosen = tension_ru.propose_amplifier(own, [(readings[one].lemmas, readings[one].tension or 0.0) for one in near])
    return None if chosen is None else near[chosen]


def _parsed(passages: Sequence[Passage]) -> list[list[list[parsing_ru.Token]]]:
    """The parsed sentences of each passage: prose with trees, verse without."""
    yo = parsing_ru.writes_yo("".join(passage.text for passage in passages))
    parsed = {}
    for kind in ("verse", "prose"):
        texts = [tokenise(passage) for passage in passages if passage.kind == kind]
        parsed[kind] = iter(parsing_ru.parse_texts(texts, tree=kind == "prose", yo=yo))
    return [next(parsed[passage.kind]) for passage in passages]


def tokenise(passage: Passage) -> list[list[str]]:
    """The tokens of each sentence of a passage."""
    text = as_prose(passage.text) if passage.kind == "verse" else passage.text
    return segmentation_ru.tokenise(text.replace("\n", " "))


def as_prose(verse: str) -> str:
    """Verse with the capitals of its lines lowered where no sentence begins: taggers take them for names."""

    def lowered(match: re.Match[str]) -> str:
        word = match[2]
        if _AFTER_SENTENCE.search(verse, 0, match.start()) or parsing_ru.is_name(word.lower()):
            return match[0]
        return match[1] + word[0].lower() + word[1:]

    return _LINE_START.sub(lowered, verse)
