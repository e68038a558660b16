"""How far a scene can be relied on: its trust, with a confidence. No rule of a language.

Trust follows the seeds: a short
scene that is well supported is an `anchor`, a long one that is weakly supported a `hypothesis`, the rest is neither.
Short is the number of seams; support is the number of other passages that hold at least two of them, a near duplicate
among them (building.py counts those of the same document). Cost of the support: the postings of the seams, which are
the rarest lemmas there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Literal

Trust = Literal["anchor", "hypothesis"]

# A scene's reliability is the mean of its brevity and its support; the bounds between the three kinds.
ANCHOR, HYPOTHESIS = 0.6, 0.4
_BREVITY = {1: 1.0, 2: 1.0, 3: 0.8, 4: 0.4}
_SUPPORT_HALF = 2.0
_RANGE = 0.4


def trust_of(n_seams: int, support: int) -> tuple[Trust | None, float]:
    """What a scene is worth as a node, and how surely.

    The reliability is the mean of brevity (2 seams 1, 3 seams 0.8, 4 seams 0.4, more 0) and support s / (s + 2):
    from 0.6 on an anchor, below 0.4 a hypothesis. A scene of three seams is an anchor from two other passages on, one
    of four seams a hypothesis until a second passage supports it.

    Args:
        n_seams: lemmas of the hyperlexeme.
        support: other passages in which it recurs, see `supports`.

    Returns:
        `anchor`, `hypothesis` or None, and the confidence, 0.5..1, which grows with the distance from the nearest
        bound.

    Raises:
        ValueError: no seams, or a negative support.
    """
    if n_seams < 1 or support < 0:
        raise ValueError(f"trust needs at least 1 seam and a support of at least 0, got {n_seams} and {support}")
    reliability = (_BREVITY.get(n_seams, 0.0) + support / (support + _SUPPORT_HALF)) / 2
    distance = min(abs(reliability - ANCHOR), abs(reliability - HYPOTHESIS))
    confidence = round(0.5 + 0.5 * min(1.0, distance / _RANGE), 2)
    if reliability >= ANCHOR:
        return "anchor", confidence
    return ("hypothesis", confidence) if reliability < HYPOTHESIS else (None, confidence)


def supports(seams: Sequence[Collection[str]], passages: Sequence[Collection[str]]) -> list[int]:
    """For each scene the number of other passages with at least two of its seams; with one seam, with that one.

    Args:
        seams: of scene i, cut from passage i.
        passages: of passage i all its content lemmas.
    """
    postings: dict[str, list[int]] = defaultdict(list)
    wanted = {seam for scene in seams for seam in scene}
    for number, lemmas in enumerate(passages):
        for lemma in wanted.intersection(lemmas):
            postings[lemma].append(number)
    return [_support(number, set(scene), postings) for number, scene in enumerate(seams)]


def _support(number: int, seams: set[str], postings: dict[str, list[int]]) -> int:
    shared = Counter(passage for seam in seams for passage in postings.get(seam, ()))
    needed = min(2, len(seams))
    return sum(count >= needed for passage, count in shared.items() if passage != number)
