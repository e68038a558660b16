"""Held-out works that were read after all, under another name: a second edition, a tale inside a collection.

A work's name says nothing about its text, so texts are compared: of runs of eight words (letters only, ё as е) taken
from the work at equal distances, the share that stands somewhere in the training texts. Independent works share next
to none; quotations stay far below `ALREADY_READ`. Cost: one lookup a training word, about 5 s for 4 M words.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

WORDS = 8
STEP = 16
# A work with more of its runs in the training texts than this was read.
ALREADY_READ = 0.1

_WORD = re.compile(r"[^\W\d_]+")


def shares_in_training(works: dict[str, str], training: Iterable[str]) -> dict[str, float]:
    """The share of each work's word runs that the training texts contain: source -> 0..1.

    Args:
        works: source -> text.
        training: the training texts.
    """
    owners: defaultdict[str, set[str]] = defaultdict(set)
    taken: Counter[str] = Counter()
    for source, text in works.items():
        probes = set(_runs(text, STEP))
        taken[source] = len(probes)
        for probe in probes:
            owners[probe].add(source)
    seen = {run for text in training for run in _runs(text, 1) if run in owners}
    found = Counter(source for run in seen for source in owners[run])
    return {source: found[source] / taken[source] if taken[source] else 0.0 for source in works}


def _runs(text: str, step: int) -> Iterator[str]:
    words = _WORD.findall(text.lower().replace("ё", "е"))
    return (" ".join(words[start : start + WORDS]) for start in range(0, len(words) - WORDS + 1, step))
