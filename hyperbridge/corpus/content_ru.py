"""Which Russian words have a meaning of their own, which are names, and how a word is shown in a scene.

Content words are nouns, qualities, actions and manners; helpers are pronouns, prepositions, words of measure and verbs
that introduce speech or help another verb. The lists of weak words were made by hand. Cost: a few set look-ups a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from hyperbridge.corpus.parsing_ru import NAMES, Token, is_adjective, lexicon

Sentence = Sequence[Token]

# Verbs that introduce speech or help another verb: they say little of what happens.
WEAK_VERBS = lexicon(
    "быть мочь стать стало становиться хотеть хотеться сказать говорить отвечать ответить спросить спрашивать "
    "прибавить заметить проговорить произнести воскликнуть начать начинать продолжать казаться показаться "
    "являться иметь делать сделать бывать давать дать пойти прийти приходить идти мочься следовать стоять "
    "уметь желать сметь думать подумать знать видеть оказаться приходиться прийтись изволить"
)
# Nouns of measure and manner: neither a background nor a part of a scene's name.
WEAK_NOUNS = lexicon(
    "раз год день час минута время сторона образ отношение случай дело вещь часть род вид пора слово человек "
    "люди месяц неделя число конец начало место степень рубль верста качество течение помощь нужда сей тот г "
    "суть право особенность штука половина благородие велик"
)
_WEAK_ADJECTIVES = lexicon(
    "должный первый второй последний другой один самый целый такой весь некоторый многий остальной следующий "
    "подобный прочий известный настоящий данный нынешний собственный готовый всякий каждый третий нужный "
    "правый возможный"
)
_NOT_MANNER = lexicon("много мало долго давно часто редко обычно именно особенно только можно нужно должно более менее")
# Measures of time: they neither act nor are where anything is.
TIMES = lexicon(
    "раз час день минута минутка год время пора неделя век миг мгновение мгновенье секунда сутки столетие срок период "
    "момент"
)


def is_content(token: Token) -> bool:
    """Whether a word has a meaning of its own: nouns, qualities, actions and manners, and no helpers."""
    return token.text[0].isalpha() and _has_meaning(token.lemma, token.pos, token.grammemes)


@lru_cache(maxsize=20_000)
def _has_meaning(lemma: str, pos: str, grammemes: frozenset[str]) -> bool:
    if "Apro" in grammemes or len(lemma) < 2:
        return False
    if pos in {"NOUN", "PROPN"}:
        return "NOUN" in grammemes and "Abbr" not in grammemes and lemma not in WEAK_NOUNS
    if pos == "ADJ" or "ADJF" in grammemes:
        return lemma not in _WEAK_ADJECTIVES and "Anum" not in grammemes
    if pos == "VERB":
        return lemma not in WEAK_VERBS
    return pos == "ADV" and _tells_manner(lemma)


def is_manner(token: Token) -> bool:
    """An adverb made of a quality: `тихо`, `внезапно`."""
    return token.pos == "ADV" and _tells_manner(token.lemma)


@lru_cache(maxsize=20_000)
def _tells_manner(adverb: str) -> bool:
    if len(adverb) < 5 or adverb[-1] not in "ое" or adverb in _NOT_MANNER:
        return False
    return any(is_adjective(adverb[:-1] + ending) for ending in ("ый", "ий", "ой"))


def is_proper(token: Token) -> bool:
    """A name of a person or a place: written with a capital, and no common word of the dictionary."""
    return token.text[0].isupper() and (bool(NAMES & token.grammemes) or (token.pos == "PROPN" and not token.known))


def shown(token: Token) -> str:
    """The lemma as a reader expects it: names keep their capital."""
    return "-".join(part.capitalize() for part in token.lemma.split("-")) if is_proper(token) else token.lemma
