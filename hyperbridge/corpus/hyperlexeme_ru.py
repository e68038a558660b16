"""The hyperlexeme of a Russian passage: its most telling lemmas, in the order in which they first appear.

Three lemmas, four where it has 18 content words or more. Telling is the rarity of the lemma in a fixed frequency list,
so a passage gives the same scene in every corpus; nouns weigh more than adjectives and verbs (of each at most one),
what a slot carries weighs more, and proper names weigh half. Two seams never share a stem's first four letters.
Cost: one sorting of the content lemmas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hyperbridge.corpus.content_ru import is_content, is_manner, is_proper
from hyperbridge.corpus.parsing_ru import Token, rarity

# From how many different content words on a passage has four seams.
_RICH = 18


def choose_seams(words: Sequence[Token], content: Counter[str], carried: set[str]) -> list[Token]:
    """The most telling lemmas in order of appearance: three, two where there are no more, four in a rich passage."""
    first: dict[str, Token] = {}
    for token in words:
        if is_content(token) and not is_manner(token):
            first.setdefault(token.lemma, token)
    ranked = sorted(first.values(), key=lambda token: -_salience(token, content[token.lemma], carried))
    chosen: list[Token] = []
    room = {"verb": 1, "adjective": 1, "noun": 5}
    for token in ranked:
        kind = _kind(token)
        if len(chosen) == (4 if len(content) >= _RICH else 3):
            break
        if room[kind] and token.lemma[:4] not in {other.lemma[:4] for other in chosen}:
            room[kind] -= 1
            chosen.append(token)
    order = list(first)
    return sorted(chosen, key=lambda token: order.index(token.lemma))


def _kind(token: Token) -> str:
    if token.pos in {"NOUN", "PROPN"}:
        return "noun"
    return "adjective" if {"ADJF", "ADJS", "COMP"} & token.grammemes else "verb"


def _salience(token: Token, uses: int, carried: set[str]) -> float:
    weight = {"noun": 1.0, "adjective": 0.78, "verb": 0.74}[_kind(token)]
    weight *= 0.5 if is_proper(token) else 1.0 if token.known else 0.6
    weight *= 1.15 if token.lemma in carried else 1.0
    return weight * rarity(token.lemma, token.text.lower()) * (1.1 if uses > 1 else 1.0)


def spare_noun(words: Sequence[Token], carried: set[str]) -> Token | None:
    """The most telling common noun that nothing carries yet."""
    common = [token for token in words if token.pos == "NOUN" and token.known and is_content(token)]
    spare = [token for token in common if token.lemma not in carried and not is_proper(token)]
    return max(spare, key=lambda token: rarity(token.lemma, token.text.lower()), default=None)
