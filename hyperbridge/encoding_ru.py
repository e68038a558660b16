"""Russian text -> vector without a download: a weighted mean of the navec vectors of its lemmas.

Smooth inverse frequency (Arora, Liang, Ma 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"): a word
of probability p weighs a / (a + p); the mean of running text and the directions that all of it shares are taken out.
Both are computed at loading from the vectors and counts of the 20,000 commonest words, so nothing is fitted on a corpus
and nothing else is shipped. navec: 250,000 forms, 300 dimensions, 1.2 G words of news (github.com/natasha/navec);
lemmas are pymorphy3's likeliest, so a scene's words meet the forms of its text. Order and unknown words are lost.

Cost: loading 0.7 s; then 0.8 ms a passage while its word forms are new and 0.07 ms once they were seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hyperbridge.dictionary_ru import TOTAL_WORDS, embedding, readings
from hyperbridge.encoding import normalised

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[Any, np.dtype[np.float32]]

_WORD = re.compile(r"[а-яёa-z]+(?:-[а-яёa-z]+)*")
# The weight of a word of probability p is _SMOOTH / (_SMOOTH + p).
_SMOOTH = 1e-4
_COMMON, _SHARED_DIRECTIONS = 20_000, 8


class NavecEncoder:
    """The embedded encoder; 300 dimensions."""

    name = "navec"
    dimensions = 300

    def __init__(self) -> None:
        import numpy as np

        navec = embedding()
        self._ids: dict[str, int] = navec.vocab.word_ids
        self._codes, self._indexes = navec.pq.codes, navec.pq.indexes
        counts = np.array(navec.vocab.counts, np.float64)
        self._weights = (_SMOOTH / (_SMOOTH + counts / TOTAL_WORDS)).astype(np.float32)
        self._id_of = lru_cache(maxsize=200_000)(self._find)
        self._fit(counts)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Vectors of texts, (texts, 300) float32; all zeros where no word is known. `query` makes no difference."""
        import numpy as np

        summed: Vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for number, text in enumerate(texts):
            ids = [found for word in _WORD.findall(text.lower()) if (found := self._id_of(word)) is not None]
            if ids:
                summed[number] = self._weights[ids] @ (self._vectors(ids) - self._mean)
        return normalised(summed - (summed @ self._shared.T) @ self._shared)

    def _fit(self, counts: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        """Set the mean of running text, (300,), and the directions its words share most, (8, 300)."""
        import numpy as np

        common = np.argsort(-counts, kind="stable")[:_COMMON]
        share, weight = counts[common] / TOTAL_WORDS, self._weights[common]
        vectors = self._vectors(common)
        self._mean = np.average(vectors, axis=0, weights=share * weight).astype(np.float32)
        away = vectors - self._mean
        spread = (away * (share * weight**2)[:, None]).T @ away
        self._shared = np.linalg.eigh(spread)[1][:, : -_SHARED_DIRECTIONS - 1 : -1].T.astype(np.float32)

    def _vectors(self, ids: Sequence[int] | np.ndarray[Any, Any]) -> Vectors:
        """The vectors of words, (ids, 300) float32, put together from their 100 quantised pieces."""
        import numpy as np

        pieces: Vectors = self._codes[np.arange(self._codes.shape[0]), self._indexes[ids]]
        return pieces.reshape(len(ids), self.dimensions)

    def _find(self, word: str) -> int | None:
        """The number of the lemma of a word in lower case, or of its form; None where both are unknown."""
        lemma = readings(word)[0].normal_form
        forms = (_with_ye(lemma), _with_ye(word))
        return next((self._ids[form] for form in forms if form in self._ids), None)


def _with_ye(word: str) -> str:
    """With е for ё: half of what is printed has no ё, and both spellings are one word."""
    return word.replace("ё", "е")
