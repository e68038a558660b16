"""How much a Russian text goes in rhymed lines, told from its words alone: verse that is printed in one line is heard.

For each length of line, 6 to 13 syllables, the best way to cut the words into lines of that length (one or two
syllables more or fewer, as endings are) is found by dynamic programming. The end of a line earns its rhyme with a word
one, two or three lines before, and a mark after it, as far as marks there are more than chance. Stress is unknown, so
a rhyme is a common end in sound; inflection makes such ends in prose too, but not at even distances.
Cost: about 4 microseconds a word. Source: own work; the three weights below were chosen on verse and prose of the
authors that `benchmarks/fit_registers.py` reads.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from hyperbridge.corpus.parsing_ru import Token

# Syllables of a line with a masculine ending; a feminine one has one more.
LENGTHS = range(6, 14)
# What a rhyme is worth by the length of the common end, in sounds.
_WORTH = {2: 0.35, 3: 1.0, 4: 1.2}
# What a mark after a line is worth, beyond their share among words; what two syllables more, and a broken line, cost.
_MARK, _LONGER, _BREAK = 0.6, 0.5, 1.2
_VOWELS = frozenset("аеёиоуыэюя")
_MARKS = frozenset(',.!?—–-;:…«»"()')
_VOICELESS = str.maketrans("бвгджз", "пфктшс", "ъ")


# The end of a word: syllables up to it, the word, its sound, and whether a mark follows.
_End = tuple[int, str, str, bool]


def line_scores(words: Sequence[Token]) -> tuple[float, float]:
    """What the best length of line earns for a syllable, and what all lengths do on average; 0.04 and 0.1 are usual
    for the best in prose and in verse.

    Args:
        words: all tokens of the text, marks included.
    """
    ends = list(_ends(words))
    if not ends:
        return 0.0, 0.0
    worth = _rhymes(ends)
    share = sum(marked for *_, marked in ends) / len(ends)
    places, marks = [place for place, *_ in ends], [_MARK * (marked - share) for *_, marked in ends]
    # A longer line has fewer ends in the same text; by chance the sum grows with the root of their number.
    found = [_best_cut(places, worth[length], marks, length) * math.sqrt(length + 0.5) for length in LENGTHS]
    syllables = max(places[-1], LENGTHS[0])
    return max(found) / syllables, sum(found) / len(found) / syllables


def _ends(words: Sequence[Token]) -> Iterator[_End]:
    place = 0
    for number, token in enumerate(words):
        word = token.text.lower()
        syllables, sound = _heard(word)
        if syllables:
            place += syllables
            marked = number + 1 == len(words) or words[number + 1].text in _MARKS
            yield place, word, sound, marked


@lru_cache(maxsize=20_000)
def _heard(word: str) -> tuple[int, str]:
    """Syllables of a word, and its last four sounds as far as letters show them: `глаз` ends as `нас`."""
    syllables = sum(char in _VOWELS for char in word) if word[0].isalpha() else 0
    if word.endswith(("тся", "ться")):
        word = word.rpartition("т")[0] + "ца"
    elif word.endswith(("ого", "его")):
        word = word[:-2] + "во"
    stem = word.rstrip("бвгджзйклмнпрстфхцчшщъь")
    return syllables, (stem + word[len(stem) :].translate(_VOICELESS))[-4:]


def _rhymes(ends: Sequence[_End]) -> dict[int, list[float]]:
    """For each length of line what each word's best rhyme with an earlier one is worth as the end of such a line."""
    worth = {length: [0.0] * len(ends) for length in LENGTHS}
    alike: dict[str, list[_End]] = defaultdict(list)
    for number, end in enumerate(ends):
        place, word, sound, _ = end
        earlier = alike[sound[-2:]]
        for other_place, other_word, other_sound, _ in earlier:
            if other_word != word and (lengths := _lengths(place - other_place)):
                value = _worth(sound, other_sound)
                for length in lengths:
                    worth[length][number] = max(worth[length][number], value)
        earlier.append(end)
    return worth


@lru_cache(maxsize=4096)
def _lengths(distance: int) -> tuple[int, ...]:
    """The lengths of line of which one, two or three lines make a distance in syllables."""
    return tuple(length for length in LENGTHS if any(0 <= distance - lines * length <= lines for lines in (1, 2, 3)))


def _worth(first: str, second: str) -> float:
    return next(_WORTH[size] for size in (4, 3, 2) if first[-size:] == second[-size:])


def _best_cut(places: Sequence[int], worth: Sequence[float], marks: Sequence[float], length: int) -> float:
    """What the best cut into lines of a length earns; comparisons are spelled out, since this is the inner loop."""
    first = length + 2
    earned = [0.0] * (first + places[-1] + 1)
    best = 0.0
    for place, rhyme, mark in zip(places, worth, marks, strict=True):
        before = earned[place] - _LONGER
        if before < (feminine := earned[place + 1]):
            before = feminine
        if before < (masculine := earned[place + 2]):
            before = masculine
        if before < best - _BREAK:
            before = best - _BREAK
        now = earned[place + first] = before + rhyme + mark
        if now > best:
            best = now
    return best
