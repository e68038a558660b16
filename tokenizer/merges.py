"""Continuing a base's BPE: new pieces are learned on its own segmentation of words, mostly inside of morphemes.

Every word starts as the pieces the base cuts it into; the pair of neighbours with the best score becomes a new piece
and is joined wherever it stands, then the next, as in BPE (Sennrich et al., arXiv 1508.07909). Without seams a pair
scores its occurrences. With them every distinct word votes too: for a join inside a morpheme, and three times as
loud against one across a seam. The vote is small beside the count of a frequent word, which may so become one token,
and it outweighs that of rare words, whose pieces words not yet seen are made of. MorphBPE (arXiv 2502.00894) forbids
joins across seams while learning; but at encoding there are no seams to see, and a merge fires in every word, so each
pair is judged here by all the words it would fire in. What the base itself joined across a seam cannot be undone.

New merges come after all of the base's, so new ids are base ids with neighbours joined. BPE inside a stretch whose
ends stay boundaries does not depend on what is around it; so a piece is made of the same two parts in every word, the
piece alone is one token (nothing unreachable is learned), and rules by pair (tokenizer.json) agree with rules by
spelling (SentencePiece, tiktoken). That needs a base that reaches its own pieces; ends of those that it does not reach
are not learned, since a rule by spelling could complete them.

Cost: proportional to the occurrences joined; 16,000 merges on 240,000 distinct words take about a minute and 0.2 GB.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer

Merge = tuple[str, str]

# What llama.cpp encodes to recognize a tokenizer by the SHA-256 of the ids: `chktxt` of convert_hf_to_gguf_update.py
# in ggml-org/llama.cpp (MIT). There is a zero-width joiner after the first of the two emoji.
LLAMA_CPP_TEXT = (
    "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n🚀 (normal) 😶\u200d🌫️ (multiple emojis concatenated) ✅ 🦙🦙 "
    "3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 កាន់តែពិសេសអាច😁 ?我想在apple工作1314151天～ ------"
    "======= нещо на Български ''''''```````\"\"\"\"......!!!!!!?????? I've been 'told he's there, 'RE you sure? "
    "'M not sure I'll make it, 'D you like some tea? We'Ve a'lL"
)

# The vote of a word against a join across a seam, in mean counts of a word: chosen on authors and words set aside for
# it, as what costs Qwen just under a twentieth of its compression (`benchmarks.morph_bpe --validation --penalties`).
PENALTY = 1.75
# A seam lost hurts boundary F1 (2 - F1) / F1 times as much as a cut inside a morpheme removed helps it: 3 at one half.
_SEAM_AGAINST_INSIDE = 3.0
# Scores are whole numbers of hundredths, so that no order of summing changes them.
_SCALE = 100
_SHIFT = 32


def learn_merges(
    words: Mapping[str, int],
    *,
    pieces: Callable[[str], Sequence[str]],
    vocabulary: Collection[str],
    count: int,
    seams: Callable[[str], Collection[int] | None] | None,
    refused: Callable[[str], bool],
    fewest: int = 2,
    penalty: float = PENALTY,
    progress: Callable[[int], None] | None = None,
) -> list[Merge]:
    """Learn pieces to be appended to a base's merges.

    Args:
        words: pretoken -> how often it stands in the texts; in the alphabet of the vocabulary, as all strings here.
        pieces: the base's segmentation of a pretoken.
        vocabulary: the base's pieces.
        count: how many to learn; fewer come back where the words give no more.
        seams: of a pretoken, the offsets that a join should not cross. A pretoken that is to be counted and to have
            no vote of its own has None: a capitalised or quoted form, say. None for all: plain BPE.
        refused: whether a piece must not be made.
        fewest: the lowest score of a piece, in occurrences.
        penalty: a word's vote against a join across a seam, in mean counts of a word that has seams; 0: no votes.
        progress: called with the number learned so far.

    Returns:
        (left, right) of every new piece, in order; each side is a base piece or an earlier new one. The same words
        give the same merges, whatever their order.
    """
    known = _Vocabulary(vocabulary, pieces)
    state = _Segmented(least=fewest * _SCALE)
    for cut, gains in _weighted(words, pieces, seams, penalty):
        state.add(cut, gains)
    learned: list[Merge] = []
    while len(learned) < count and (pair := state.best()) is not None:
        piece = "".join(pair)
        if piece in known or known.may_be_completed(piece) or refused(piece):
            continue
        state.join(*pair)
        learned.append(pair)
        if progress:
            progress(len(learned))
    return learned


def refused_by(base: BaseTokenizer) -> Callable[[str], bool]:
    """A rule for `refused`: a piece of more than letters, or one that would change the ids of llama.cpp's text.

    Letters may have a space or a hyphen before them, and a piece may end inside a character. Other marks stay by
    themselves, or a SentencePiece base, whose stretches hold the comma after a word, would learn words again with it.
    """
    recognized = firing(base.pretokens(LLAMA_CPP_TEXT), base.pieces)

    def refused(piece: str) -> bool:
        text = base.surface(piece)
        return piece in recognized or (text is not None and not text.removeprefix(" ").removeprefix("-").isalpha())

    return refused


def firing(pretokens: Sequence[str], pieces: Callable[[str], Sequence[str]]) -> frozenset[str]:
    """The pieces that would fire in a text first: all that two or more neighbouring base pieces spell in it.

    While none of them is learned, the ids of the text are the base's.
    """
    found: set[str] = set()
    for pretoken in set(pretokens):
        cut = pieces(pretoken)
        found.update("".join(cut[i:j]) for i in range(len(cut)) for j in range(i + 2, len(cut) + 1))
    return frozenset(found)


def _weighted(
    words: Mapping[str, int],
    pieces: Callable[[str], Sequence[str]],
    seams: Callable[[str], Collection[int] | None] | None,
    penalty: float,
) -> Iterator[tuple[Sequence[str], list[int]]]:
    """Every word that can be joined: its pieces, and what joining at each boundary between them is worth."""
    cuts = {word: cut for word in sorted(words) if len(cut := pieces(word)) > 1}
    known = {word: found for word in cuts if (found := seams(word)) is not None} if seams else {}
    counts = [words[word] for word in known if words[word]]
    against = penalty * fmean(counts) if counts else 0.0
    for word, cut in cuts.items():
        count = words[word]
        inside = across = round(count * _SCALE)
        if word in known:
            inside = round((count + against / _SEAM_AGAINST_INSIDE) * _SCALE)
            across = round((count - against) * _SCALE)
        yield cut, [across if at in known.get(word, ()) else inside for at in _boundaries(cut)]


def _boundaries(cut: Sequence[str]) -> Iterator[int]:
    at = 0
    for piece in cut[:-1]:
        at += len(piece)
        yield at


class _Segmented:
    """All words as pieces, with the score of every pair of neighbours and the words it stands in.

    A boundary keeps its gain for as long as it is one; a pair's score is the sum over the boundaries it stands at.
    Pieces are numbers inside, and a pair is one number, its key.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._words: list[list[int]] = []
        self._gains: list[list[int]] = []
        self._scores: defaultdict[int, int] = defaultdict(int)
        self._where: defaultdict[int, list[int]] = defaultdict(list)
        # (-score, piece, key): the best score first, ties by text. A score may have changed since it was pushed.
        self._heap: list[tuple[int, str, int]] | None = None
        # Joined or refused: they stay out.
        self._taken: set[int] = set()

    def add(self, cut: Sequence[str], gains: list[int]) -> None:
        """Add a word; `gains` has one entry for each boundary between its pieces."""
        at, word = len(self._words), [self._number(piece) for piece in cut]
        self._words.append(word)
        self._gains.append(gains)
        for key, gain in zip(_keys(word), gains, strict=True):
            self._scores[key] += gain
            self._where[key].append(at)

    def best(self) -> Merge | None:
        """Take out the pair with the best score; None where none reaches the least."""
        if self._heap is None:
            self._heap = [self._entry(key) for key, score in self._scores.items() if score >= self._least]
            heapq.heapify(self._heap)
        while self._heap:
            score, _, key = heapq.heappop(self._heap)
            now = self._scores.get(key, 0)
            if now == -score:
                del self._scores[key]
                self._taken.add(key)
                return self._names[key >> _SHIFT], self._names[key & ((1 << _SHIFT) - 1)]
            # A score that rose was pushed when it did.
            if self._least <= now < -score:
                heapq.heappush(self._heap, self._entry(key))
        return None

    def join(self, left: str, right: str) -> None:
        """Join a pair wherever it stands, from the left."""
        first, second, new = self._numbers[left], self._numbers[right], self._number(left + right)
        change: defaultdict[int, int] = defaultdict(int)
        for at in dict.fromkeys(self._where.pop(first << _SHIFT | second)):
            word, gains = self._words[at], self._gains[at]
            joined, left_gains = _joined(word, gains, first, second, new)
            if len(joined) == len(word):
                continue
            for key, gain in zip(_keys(word), gains, strict=True):
                change[key] -= gain
            for key, gain in zip(_keys(joined), left_gains, strict=True):
                change[key] += gain
                if key >> _SHIFT == new or key & ((1 << _SHIFT) - 1) == new:
                    self._where[key].append(at)
            self._words[at], self._gains[at] = joined, left_gains
        self._rescore(change)

    def _rescore(self, change: Mapping[int, int]) -> None:
        assert self._heap is not None
        for key, difference in change.items():
            if difference and key not in self._taken:
                self._scores[key] += difference
                if difference > 0 and self._scores[key] >= self._least:
                    heapq.heappush(self._heap, self._entry(key))

    def _entry(self, key: int) -> tuple[int, str, int]:
        text = self._names[key >> _SHIFT] + self._names[key & ((1 << _SHIFT) - 1)]
        return -self._scores[key], text, key

    def _number(self, piece: str) -> int:
        if piece not in self._numbers:
            self._numbers[piece] = len(self._names)
            self._names.append(piece)
        return self._numbers[piece]


def _keys(word: Sequence[int]) -> Iterator[int]:
    return (left << _SHIFT | right for left, right in pairwise(word))


def _joined(word: list[int], gains: list[int], first: int, second: int, new: int) -> tuple[list[int], list[int]]:
    """A word with a pair joined, and the gains of the boundaries that are left."""
    joined, kept = [word[0]], []
    for gain, piece in zip(gains, word[1:], strict=True):
        if piece == second and joined[-1] == first:
            joined[-1] = new
        else:
            joined.append(piece)
            kept.append(gain)
    return joined, kept


class _Vocabulary:
    """The base's pieces, and which of them a rule by spelling could make of new ones though the base does not."""

    def __init__(self, vocabulary: Collection[str], pieces: Callable[[str], Sequence[str]]) -> None:
        self._known = frozenset(vocabulary)
        self._pieces = pieces
        self._forward = sorted(self._known)
        self._backward = sorted(piece[::-1] for piece in self._known)

    def __contains__(self, piece: str) -> bool:
        return piece in self._known

    def may_be_completed(self, piece: str) -> bool:
        """Whether it begins or ends a piece that the base never makes of its spelling."""
        longer = [*_beginning(piece, self._forward), *(each[::-1] for each in _beginning(piece[::-1], self._backward))]
        return any(len(self._pieces(each)) != 1 for each in longer)


def _beginning(prefix: str, in_order: Sequence[str]) -> Iterator[str]:
    at = bisect_left(in_order, prefix)
    while at < len(in_order) and in_order[at].startswith(prefix):
        yield in_order[at]
        at += 1
