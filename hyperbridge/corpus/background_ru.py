"""What surrounds the deed of a Russian passage: `field`, where it happens, and `tone`, what colours it.

- `field`: a content noun after a preposition of place in the case that makes it one, else an object that is itself like
  a place (`перешёл реку`), with its attribute; no person, stretch of time, part of the body or set phrase. Of several
  the one most like a place (places_ru), near the main clause, rare.
- `tone`: an attribute, a short adjective or an adverb of manner; rare, near the act or the agent.

Their confidences are fixed by the rule that fired, for there is no gold to fit them on. Cost: one pass over the tokens
for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hyperbridge.corpus.clauses_ru import ChosenClause, Clause
from hyperbridge.corpus.content_ru import Sentence, is_content, is_manner, is_proper, shown
from hyperbridge.corpus.parsing_ru import Token, agreeing, lexicon, rarity
from hyperbridge.corpus.places_ru import is_place, place_likeness

# How much it says of a place that a preposition and a case tell where, or which way, or that there is only an object.
_WHERE, _WAY, _OBJECT = 2.0, 1.0, -2.0
_PREPOSITIONS = {
    **dict.fromkeys((("в", "Loc"), ("во", "Loc"), ("на", "Loc")), _WHERE),
    **dict.fromkeys(((word, "Ins") for word in ("под", "над", "за", "перед", "между", "меж")), _WHERE),
    **dict.fromkeys(((word, "Gen") for word in ("у", "среди", "вокруг", "близ", "посреди", "возле", "около")), _WHERE),
    **dict.fromkeys(((word, "Acc") for word in ("в", "во", "на", "под", "за", "через", "сквозь")), _WAY),
    **dict.fromkeys(((word, "Dat") for word in ("по", "к", "ко")), _WAY),
    **dict.fromkeys(((word, "Gen") for word in ("из", "от", "из-за", "из-под", "с", "со", "мимо")), _WAY),
}
# Half of a noun's likeness to a place, from -0.7 to 0.4, outweighs which way the preposition points.
_LIKENESS = 4.0
# An object less like a place than this is no field.
_LIKE_PLACE = 0.1
_SAME_SENTENCE, _SAME_CLAUSE = 1.5, 4.5
_SKIPPED_BEFORE_NOUN = frozenset({"ADJ", "DET", "PRON", "NUM", "ADV", "PART"})
# Pronouns that a preposition governs itself (`на него тоску`), and the forms that rather say whose: `в его доме`.
_PERSONAL, _WHOSE = lexicon("я ты мы вы он она оно они себя"), lexicon("его ее её их")
# `Как дым в трубу`: what only likens tells of no place.
_LIKE = lexicon("как словно будто точно подобно")
_NUMBERS = frozenset({"sing", "plur"})
_GENDERS = ("masc", "femn", "neut")
# By the rule that fired: `в лесу`, `к лесу`, an object; an attribute, an adverb.
_PLACE_CONFIDENCE, _WAY_CONFIDENCE, _OBJECT_CONFIDENCE = 0.8, 0.6, 0.4
_QUALITY_CONFIDENCE, _ADVERB_CONFIDENCE = 0.7, 0.6
_LONGEST_PHRASE = 24


@dataclass(frozen=True, slots=True)
class Found:
    """What fills a slot: its value, how sure it is (0..1), and the tokens it is made of."""

    value: str
    confidence: float
    tokens: tuple[Token, ...]


def find_background(sentences: Sequence[Sentence], chosen: ChosenClause | None, agent: str | None) -> dict[str, Found]:
    """`field` and `tone`, those that are there: chosen together, since one attribute must not serve both."""
    places = [item for item in _places(sentences, chosen) if shown(item[1]) != agent]
    _, noun, sure = max(places, key=lambda item: item[0], default=(0.0, None, 0.0))
    tone = max(_tones(sentences, chosen, agent), key=lambda item: item[0], default=None)
    found = {}
    if noun is not None:
        found["field"] = _field(sentences, noun, sure, taken=tone is not None and tone[2] is noun)
    if tone is not None:
        _, quality, owner = tone
        found["tone"] = _tone(quality, None if owner is noun or (owner and shown(owner) == agent) else owner)
    return found


def _field(sentences: Sequence[Sentence], noun: Token, sure: float, *, taken: bool) -> Found:
    quality = None if taken else _attribute(sentences, noun)
    phrase = _phrase(quality, noun) if quality else None
    if quality and phrase and len(phrase) <= _LONGEST_PHRASE:
        return Found(phrase, sure, (quality, noun))
    return Found(noun.lemma, sure, (noun,))


def _tone(quality: Token, noun: Token | None) -> Found:
    sure = _ADVERB_CONFIDENCE if is_manner(quality) else _QUALITY_CONFIDENCE
    phrase = _phrase(quality, noun) if noun else None
    if phrase and noun:
        return Found(phrase, sure, (quality, noun))
    return Found(_quality(quality), sure, (quality,))


def _places(sentences: Sequence[Sentence], chosen: ChosenClause | None) -> Iterator[tuple[float, Token, float]]:
    """Nouns that may be the background, as (score, noun, confidence)."""
    for number, sentence in enumerate(sentences):
        clause = chosen.clause if chosen is not None and chosen.sentence == number else None
        for place, token in enumerate(sentence):
            found = _after_preposition(sentence, place) if token.pos == "ADP" else None
            if found is None and clause and _is_object(token) and sentence[place - 1].pos != "ADP":
                like_place = is_place("", token) and place_likeness(token.lemma) > _LIKE_PLACE
                found = (token, _OBJECT, _OBJECT_CONFIDENCE) if like_place else None
            if found is not None and found[0].pos == "NOUN" and is_content(found[0]) and not is_proper(found[0]):
                noun, weight, sure = found
                weight += _nearness(sentence, place, clause) + _LIKENESS * place_likeness(noun.lemma)
                yield weight + rarity(noun.lemma, noun.text.lower()) / 10, noun, sure


def _is_object(token: Token) -> bool:
    return token.feats.get("Case") == "Acc" or token.rel == "obj"


def _after_preposition(sentence: Sentence, place: int) -> tuple[Token, float, float] | None:
    """The noun after a preposition, how much the two say of a place, and how sure that is."""
    noun = None if _only_likens(sentence, place) else _noun_after(sentence, place)
    weight = _PREPOSITIONS.get((sentence[place].lemma, noun.feats.get("Case", "")), 0.0) if noun else 0.0
    if noun is None or not weight or not is_place(sentence[place].lemma, noun):
        return None
    return noun, weight, _PLACE_CONFIDENCE if weight == _WHERE else _WAY_CONFIDENCE


def _only_likens(sentence: Sentence, place: int) -> bool:
    """Whether the stretch between marks around a place likens (`как дым в трубу`) and tells nothing: it has no verb."""
    first = next((at + 1 for at in range(place, -1, -1) if sentence[at].pos == "PUNCT"), 0)
    last = next((at for at in range(place, len(sentence)) if sentence[at].pos == "PUNCT"), len(sentence))
    likens = any(token.lemma in _LIKE for token in sentence[first:place])
    return likens and not any("VERB" in token.grammemes for token in sentence[first:last])


def _nearness(sentence: Sentence, place: int, clause: Clause | None) -> float:
    """More in the sentence of the clause that is told, and more where no mark stands between."""
    if clause is None:
        return 0.0
    first, last = sorted((place, clause.predicate))
    apart = any(token.pos == "PUNCT" for token in sentence[first:last])
    return _SAME_SENTENCE if apart else _SAME_CLAUSE


def _noun_after(sentence: Sentence, place: int) -> Token | None:
    for token in sentence[place + 1 : place + 5]:
        if token.pos in {"NOUN", "PROPN"}:
            return token
        personal = token.lemma in _PERSONAL and token.text.lower() not in _WHOSE
        if personal or (token.pos not in _SKIPPED_BEFORE_NOUN and "PRTF" not in token.grammemes):
            return None
    return None


def _tones(
    sentences: Sequence[Sentence], chosen: ChosenClause | None, agent: object
) -> Iterator[tuple[float, Token, Token | None]]:
    """What colours the passage: (score, quality, the noun it belongs to or None for an adverb)."""
    for number, sentence in enumerate(sentences):
        clause = chosen.clause if chosen is not None and chosen.sentence == number else None
        near = 0.6 if clause else 0.0
        for place, token in enumerate(sentence):
            if not is_content(token):
                continue
            weight = near + rarity(token.lemma, token.text.lower()) / 8
            if _is_attribute(token) and place + 1 < len(sentence) and _agree(token, sentence[place + 1]):
                noun = sentence[place + 1]
                yield weight + 0.5 * ("Qual" in token.grammemes) + 0.5 * (shown(noun) == agent), token, noun
            elif "ADJS" in token.grammemes:
                yield weight, token, None
            elif is_manner(token):
                beside = clause is not None and abs(clause.predicate - place) <= 2
                yield weight + 0.7 * beside, token, None


def _is_attribute(token: Token) -> bool:
    return bool({"ADJF", "PRTF"} & token.grammemes) and is_content(token) and token.known and not is_proper(token)


def _agree(quality: Token, noun: Token) -> bool:
    same = all(quality.feats.get(key) == noun.feats.get(key) for key in ("Case", "Number"))
    # The tagger may give an instrument its participle's case: `двор, обсаженный тополями`.
    same = same and _NUMBERS & quality.grammemes == _NUMBERS & noun.grammemes
    return same and noun.pos == "NOUN" and "NOUN" in noun.grammemes and "Abbr" not in noun.grammemes


def _attribute(sentences: Sequence[Sentence], noun: Token) -> Token | None:
    """The attribute right before this very noun."""
    for sentence in sentences:
        for before, token in pairwise(sentence):
            if token is noun and _is_attribute(before) and _agree(before, token):
                return before
    return None


def _phrase(quality: Token, noun: Token) -> str | None:
    """`внутренним жаром` -> `внутренний жар`."""
    number = "plur" if "Pltm" in noun.grammemes else "sing"
    gender = next((name for name in _GENDERS if name in noun.grammemes), "")
    adjective = agreeing(quality.text.lower(), gender, number)
    return f"{adjective} {shown(noun)}" if adjective else None


def _quality(token: Token) -> str:
    """An adjective or participle alone, in its dictionary form; an adverb as it is."""
    if {"ADJF", "PRTF"} & token.grammemes:
        return agreeing(token.text.lower(), "masc", "sing") or token.lemma
    return token.lemma
