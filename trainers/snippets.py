"""Stretches of text in which every new token is read often enough, and the same text in the base's tokens.

Texts are cut into stretches of equal length, which come in a seeded order; a stretch is taken while one of its new
tokens has been in fewer stretches than wanted. As one stretch holds many new tokens, this needs a small part of the
passes that stretches of their own for each token would. A unit that the texts never hold (an invented word) is set
between the words of stretches already taken. Memory: four bytes a token of the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hyperbridge.tokenizer.extension import Extension

Ids = list[int]
# A shorter tail of a text says little about its tokens.
SHORTEST = 8
# Units set into one stretch: with more of them little text is left around each.
MOST_PLANTED = 4


@dataclass(frozen=True, slots=True)
class Snippet:
    """Ids of the extended tokenizer; `planted` are the places that hold a unit which the text does not have."""

    ids: tuple[int, ...]
    planted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Aligned:
    """A snippet as both tokenizers read it.

    Attributes:
        new: ids of the extended tokenizer.
        old: ids of the base for the same text.
        ends: for each place of `new`, the place in `old` where the same text ends.
    """

    new: Ids
    old: Ids
    ends: Ids


def align(ids: Iterable[int], extension: Extension) -> Aligned:
    """Expand ids, remembering where each ends."""
    new = list(ids)
    parts = [extension.expand([one]) for one in new]
    return Aligned(
        new, [one for part in parts for one in part], (np.cumsum([len(part) for part in parts]) - 1).tolist()
    )


def choose_snippets(
    texts: Iterable[Sequence[int]], *, first_new: int, length: int, per_token: int, seed: int, at_least: int = 0
) -> list[Snippet]:
    """Stretches of encoded texts that show each new token `per_token` times, or as often as the texts do.

    Args:
        texts: ids of the extended tokenizer, a text at a time.
        first_new: the lowest new id.
        length: tokens of a stretch.
        per_token: stretches that a new token is wanted in.
        seed: of their order.
        at_least: so many stretches are taken whatever they hold, where there are so many.
    """
    stretches = [stretch for text in texts for stretch in _cut(np.asarray(text, dtype=np.int32), length)]
    seen: dict[int, int] = {}
    chosen: list[Snippet] = []
    for index in np.random.default_rng(seed).permutation(len(stretches)):
        stretch = stretches[index]
        held = np.unique(stretch[stretch >= first_new]).tolist()
        if len(chosen) < at_least or any(seen.get(token, 0) < per_token for token in held):
            chosen.append(Snippet(tuple(stretch.tolist())))
            for token in held:
                seen[token] = seen.get(token, 0) + 1
    return chosen


def plant(
    snippets: Sequence[Snippet], tokens: Iterable[int], *, per_token: int, begins_word: Callable[[int], bool], seed: int
) -> list[Snippet]:
    """Snippets with tokens set into them that they do not have: each of `tokens` in `per_token` of them.

    Args:
        snippets: to set the tokens into, at most `MOST_PLANTED` into each; where there are too few, they come again.
        tokens: new ids.
        per_token: places of each.
        begins_word: whether a token begins a word, so that another may stand before it.
        seed: of the places.
    """
    rng = np.random.default_rng(seed)
    wanted: Ids = rng.permutation(np.repeat(np.array(list(tokens), dtype=np.int64), per_token)).tolist()
    if not snippets:
        return [Snippet((token,), (0,)) for token in dict.fromkeys(wanted)]
    hosts = max(len(snippets), -(-len(wanted) // MOST_PLANTED))
    parts = np.array_split(np.array(wanted, dtype=np.int64), hosts)
    return [_set_into(snippets[at % len(snippets)], part.tolist(), begins_word, rng) for at, part in enumerate(parts)]


def _cut(text: np.ndarray, length: int) -> list[np.ndarray]:
    parts = [text[start : start + length] for start in range(0, len(text), length)]
    return [part for part in parts if len(part) >= SHORTEST]


def _set_into(
    snippet: Snippet, tokens: Sequence[int], begins_word: Callable[[int], bool], rng: np.random.Generator
) -> Snippet:
    """The snippet with tokens between its words, at its end where it has none."""
    gaps = [place for place, one in enumerate(snippet.ids) if place and begins_word(one)] or [len(snippet.ids)]
    chosen = sorted(zip(rng.choice(gaps, len(tokens)).tolist(), tokens, strict=True))
    ids: Ids = []
    planted: Ids = []
    taken = 0
    for gap, token in chosen:
        ids.extend(snippet.ids[taken:gap])
        planted.append(len(ids))
        ids.append(token)
        taken = gap
    return Snippet((*ids, *snippet.ids[taken:]), tuple(planted))
