"""The emotion of a Russian passage: a fitted classifier for five emotions, and words that name these and finer ones.

The classifier (words, lemmas, beginnings of lemmas, pairs, smiles, and the lists below) reads each sentence by itself,
and a passage has what its strongest sentence has: read as a whole, four sentences hide what one of them feels. It was
fitted on CEDR, sentences of blogs, news and tweets, and not on fiction: `python -m benchmarks.fit_emotion` fits it and
prints how well it does. Cost: about 10 microseconds a word. Source: Sboev et al., "Data-Driven Model for Emotion
Detection in Russian Texts" (2021).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from hyperbridge.corpus.parsing_ru import NAMES, Token, lexicon
from hyperbridge.corpus.text_classifier import TextClassifier, features

JOY, SADNESS, SURPRISE, FEAR, ANGER = EMOTIONS = ("радость", "грусть", "удивление", "страх", "гнев")
MODEL = Path(__file__).parents[1] / "assets" / "classifiers" / "emotion_ru.safetensors"

# Words are written with е for ё, and looked up so.
_WORDS = {
    JOY: lexicon(
        "радость радостный радостно рад радоваться обрадоваться обрадовать порадовать порадоваться радовать отрада "
        "отрадный веселье веселый весело веселиться развеселить развеселиться повеселеть счастье счастливый "
        "счастливо счастлив ликовать ликование ликующий восторг восторженный восторженно восхищение восхищаться "
        "восхитительный блаженство блаженный наслаждение наслаждаться удовольствие смех смеяться засмеяться "
        "рассмеяться хохотать захохотать расхохотаться хохот улыбка улыбаться улыбнуться праздник торжествовать "
        "торжество смешной смешно забавный забавно шутить сиять прекрасный чудесный великолепный ура утеха тешить "
        "потеха резвиться довольный приятно приятный"
    ),
    SADNESS: lexicon(
        "грусть грустный грустно грустить загрустить печаль печальный печально печалиться опечалить опечалиться "
        "тоска тосковать тоскливый тоскливо горе горевать горестный горестно горький горько горечь скорбь скорбный "
        "скорбеть уныние унылый уныло унывать плакать заплакать плач плакаться рыдать зарыдать рыдание слеза "
        "слезный всплакнуть несчастный несчастье несчастливый отчаяние отчаянный отчаиваться кручина кручиниться "
        "страдание страдать мука мучение мучиться боль больно разлука утрата потеря одинокий одиноко одиночество "
        "безутешный жаль жалко жалость сожаление сожалеть увы мрачный хмурый разочарование разочаровать "
        "разочарованный расстроить расстроиться расстроенный обидно скучать скука скучный скучно стонать "
        "всхлипывать"
    ),
    SURPRISE: lexicon(
        "удивление удивиться удивляться удивить удивлять удивительный удивительно удивленный удивленно изумление "
        "изумиться изумляться изумить изумленный изумленно изумительный поразить поразиться поражать поражаться "
        "поразительный пораженный недоумение недоумевать недоуменный ошеломить ошеломленный неожиданно неожиданный "
        "неожиданность вдруг внезапно внезапный странный странно диво дивиться подивиться чудо чудный чудеса "
        "невероятный невероятно неужели неужто остолбенеть опешить оторопеть разинуть диковинный диковина потрясти "
        "шок сюрприз растеряться невиданный небывалый"
    ),
    FEAR: lexicon(
        "страх страшный страшно страшиться страшить устрашить бояться побояться боязнь боязливый боязливо испуг "
        "испугать испугаться испуганный испуганно пугать пугаться напугать напуганный перепугаться перепугать ужас "
        "ужасный ужасно ужаснуться ужасаться робкий робко робеть оробеть трепет трепетать опасаться опасение опаска "
        "трусить трус струсить жутко жуткий жуть паника кошмар кошмарный тревога тревожный тревожно тревожиться "
        "содрогаться содрогнуться леденеть оледенеть оцепенеть оцепенение дрожать задрожать дрожь"
    ),
    ANGER: lexicon(
        "гнев гневный гневно гневаться разгневаться разгневанный прогневать злость злой злиться зло злоба злобный "
        "злобно злить разозлить разозлиться обозлиться озлобленный ярость яростный яростно разъяриться разъяренный "
        "рассвирепеть свирепый свирепо бешенство бешеный взбеситься бесить взбесить беситься негодование негодовать "
        "негодующий возмущение возмущаться возмутиться возмутительный возмущенный раздражение раздражать раздражить "
        "раздраженный раздраженно досада досадный досадовать сердитый сердито сердиться рассердиться осерчать "
        "ненависть ненавидеть ненавистный проклятый проклинать проклятие ругать ругаться выругаться браниться "
        "бранить мерзавец негодяй подлец дурак скотина сволочь тварь гад подлый"
    ),
}
# A finer emotion, the fitted one that it is a shade of, and the words that name it.
_SHADES: dict[str, tuple[str | None, frozenset[str]]] = {
    "тоска": (SADNESS, lexicon("тоска тосковать тоскливый тоскливо кручина кручиниться истосковаться затосковать")),
    "отчаяние": (SADNESS, lexicon("отчаяние отчаиваться отчаяться отчаянно безнадежность безнадежный безысходность")),
    "жалость": (
        SADNESS,
        lexicon("жалость жалостливый жалостливо сострадание сострадать сжалиться сочувствие разжалобить"),
    ),
    "скука": (SADNESS, lexicon("скука скучный скучно скучать заскучать наскучить соскучиться")),
    "одиночество": (SADNESS, lexicon("одиночество одинокий одиноко")),
    "обида": (SADNESS, lexicon("обида обидно обидеться обижаться обиженный обиженно разобидеться")),
    "стыд": (
        None,
        lexicon(
            "стыд стыдно стыдиться устыдиться постыдиться пристыдить стыдливо стыдливый срам позор конфуз сконфузиться "
            "совестно застыдиться"
        ),
    ),
    "раскаяние": (None, lexicon("раскаяние раскаиваться раскаяться каяться покаяться покаяние угрызение")),
    "нежность": (
        JOY,
        lexicon("нежность нежный нежно ласка ласковый ласково ласкать приласкать умиление умилиться умиляться"),
    ),
    "любовь": (JOY, lexicon("любовь полюбить влюбиться влюбленный влюбляться возлюбить обожать обожание")),
    "восторг": (JOY, lexicon("восторг восторженный восторженно восторгаться ликование ликовать упоение")),
    "гордость": (JOY, lexicon("гордость гордиться возгордиться")),
    "благодарность": (JOY, lexicon("благодарность благодарный благодарно благодарить поблагодарить признательность")),
    "надежда": (None, lexicon("надежда надеяться понадеяться обнадежить обнадеживать упование уповать")),
    "ожидание": (None, lexicon("ожидание ждать ожидать дожидаться поджидать предвкушать предвкушение заждаться")),
    "покой": (
        None,
        lexicon(
            "покой покойно спокойный спокойно спокойствие успокоиться успокоение умиротворение безмятежный безмятежно "
            "безмятежность умиротворенный"
        ),
    ),
    "тревога": (
        FEAR,
        lexicon(
            "тревога тревожный тревожно тревожиться встревожиться встревоженный беспокойство беспокоиться "
            "забеспокоиться волнение волноваться взволноваться"
        ),
    ),
    "ужас": (FEAR, lexicon("ужас ужаснуться ужасаться кошмар оцепенеть оцепенение")),
    "ярость": (ANGER, lexicon("ярость яростный яростно разъяриться разъяренный бешенство взбеситься рассвирепеть")),
    "ненависть": (ANGER, lexicon("ненависть ненавидеть возненавидеть ненавистный")),
    "отвращение": (
        ANGER,
        lexicon(
            "отвращение отвратительный омерзение омерзительный гадливость брезгливость брезгливо противно тошнотворный"
        ),
    ),
    "презрение": (ANGER, lexicon("презрение презирать презрительный презрительно")),
    "досада": (ANGER, lexicon("досада досадный досадно досадовать раздосадовать")),
    "зависть": (ANGER, lexicon("зависть завидовать позавидовать завистливый завистливо")),
    "ревность": (ANGER, lexicon("ревность ревновать приревновать ревнивый ревниво")),
}
# A fitted emotion and the words that name it and little else: fiction says `рассердился` where the model hears nothing.
_PLAIN = {
    SADNESS: lexicon("грусть грустить печаль печалиться опечалиться горевать скорбь плакать заплакать рыдать зарыдать"),
    SURPRISE: lexicon(
        "удивление удивиться удивляться подивиться изумление изумиться изумляться недоумение недоумевать опешить"
    ),
    FEAR: lexicon("страх бояться испуг испугаться перепугаться оробеть струсить"),
    ANGER: lexicon(
        "гнев гневаться разгневаться сердиться рассердиться осерчать злиться разозлиться негодование негодовать"
    ),
}
# How much a word says by itself; an attribute colours what it stands by (`нежный румянец`) and names no feeling alone.
_NAMES_IT, _COLOURS_IT = 0.5, 0.25
_NEGATIONS = lexicon("не ни нет без никакой нельзя нечего")
# `Не мог скрыть радости` has the joy: what is hidden or held back is there; `не только страх` has the fear.
_HIDING = lexicon("скрыть скрывать таить утаить сдержать сдерживать подавить спрятать прятать только")
# How many words a negation reaches over, short of a punctuation mark.
_REACH = 3
_STEMS = (4, 5, 6)
_SMILE = re.compile(r"[:;=]-?[)(d]|[)(]{2}|[oо0]_+[oо0]")
# Three words by themselves say too little: a chance word decides.
_SHORTEST = 10
_SENTENCE_END = re.compile(r"[.!?…]+")


@dataclass(frozen=True, slots=True)
class Emotion:
    """What a passage feels.

    Attributes:
        name: a Russian noun: one of `EMOTIONS`, or a finer one whose word stands in the passage.
        confidence: 0..1. Of a fitted emotion the share of sentences with such a score that have it, measured by cross
            validation on CEDR; of one that n words name 1 - 0.5**n, where an attribute counts 0.75 and not 0.5, or
            the confidence of the fitted emotion that it is a shade of, whichever is more.
    """

    name: str
    confidence: float


def find_emotions(passages: Sequence[Sequence[Token]]) -> list[Emotion | None]:
    """For each passage its emotion, or None where nothing is there.

    A fitted emotion is there where the probability in the passage's strongest sentence reaches the emotion's
    threshold; the surest one names the passage. A finer emotion, or a fitted one that did not reach it, is there
    where one of its words stands with no negation before it. It takes the name over from the fitted emotion that it
    is a shade of, or where no fitted emotion is there.

    Args:
        passages: of each all its tokens, punctuation included, in order.
    """
    model = classifier()
    chances = passage_chances(model, passages)
    return [_choose(_passed(row, model), tokens) for row, tokens in zip(chances, passages, strict=True)]


def passage_chances(classifier: TextClassifier, passages: Sequence[Sequence[Token]]) -> np.ndarray:
    """(passages, 5) float32: for each of `EMOTIONS` the highest probability among the sentences of a passage."""
    sentences = [list(_sentences(tokens)) for tokens in passages]
    owners: np.ndarray = np.repeat(np.arange(len(passages)), [len(found) for found in sentences])
    chances = classifier.probabilities([emotion_features(sentence) for found in sentences for sentence in found])
    strongest: np.ndarray = np.zeros((len(passages), len(EMOTIONS)), np.float32)
    np.maximum.at(strongest, owners, chances)
    return strongest


def emotion_features(tokens: Sequence[Token]) -> list[str]:
    """What the classifier reads of a sentence: `features` of its words, stems, smiles, and the lists above."""
    words = [token for token in tokens if token.text[0].isalpha()]
    lemmas = [_plain(token.lemma) for token in words]
    found = features(" ".join([token.text for token in words]).lower().replace("ё", "е"), lemmas, pieces=(1, 0))
    for lemma in lemmas:
        found += _stems(lemma)
    found += _smiles(tokens)
    for _, lemma, negated in _named(tokens):
        found += [f"{'not' if negated else 'has'} {name}" for name in _NAMED[lemma]]
    return found


@lru_cache(maxsize=1)
def classifier() -> TextClassifier:
    """The shipped model, read once."""
    return TextClassifier.load(MODEL)


def _passed(chances: np.ndarray, classifier: TextClassifier) -> dict[str, float]:
    """The fitted emotions whose probability reaches their threshold."""
    judged = zip(classifier.labels, chances.tolist(), classifier.thresholds, strict=True)
    return {name: chance for name, chance, threshold in judged if chance >= threshold}


def _choose(fitted: Mapping[str, float], tokens: Sequence[Token]) -> Emotion | None:
    surest = max(fitted, key=lambda name: fitted[name], default=None)
    named = _named_emotions(tokens, fitted)
    taking = [name for name in named if surest is None or _fitted_of(name) == surest]
    name = max(taking, key=lambda name: (named[name], name in _SHADES), default=surest)
    return None if name is None else Emotion(name, round({**fitted, **named}[name], 2))


def _named_emotions(tokens: Sequence[Token], fitted: Mapping[str, float]) -> dict[str, float]:
    """The emotions whose words stand in the passage un-negated, with their confidence."""
    doubt: dict[str, float] = {}
    for token, lemma, negated in _named(tokens):
        says = _COLOURS_IT if "ADJF" in token.grammemes else _NAMES_IT
        for name in () if negated else _NAMING.get(lemma, ()):
            doubt[name] = doubt.get(name, 1.0) * (1.0 - says)
    return {name: max(1.0 - left, fitted.get(_fitted_of(name) or "", 0.0)) for name, left in doubt.items()}


def _fitted_of(name: str) -> str | None:
    """The fitted emotion that one is, or is a shade of."""
    return name if name in EMOTIONS else _SHADES[name][0]


def _named(tokens: Sequence[Token]) -> Iterator[tuple[Token, str, bool]]:
    """The words that name an emotion: token, lemma, whether a negation stands before it in reach; a name does not."""
    reach = 0
    for token in tokens:
        lemma = _plain(token.lemma)
        if lemma in _NEGATIONS:
            reach = _REACH + 1
        elif lemma in _HIDING or not token.text[0].isalnum():
            reach = 0
        if lemma in _NAMED and token.text[0].isalpha() and not NAMES & token.grammemes:
            yield token, lemma, 0 < reach <= _REACH
        reach -= 1


def _sentences(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """A passage cut after ends of sentences, where at least `_SHORTEST` tokens have come together.

    What closes a sentence (a quote, a smile) goes with it.
    """
    start = 0
    for place, (token, following) in enumerate(pairwise(tokens), start=1):
        long_enough = place - start >= _SHORTEST
        if long_enough and _SENTENCE_END.fullmatch(token.text) and following.text[0].isalnum():
            yield tokens[start:place]
            start = place
    if tokens:
        yield tokens[start:]


def _smiles(tokens: Sequence[Token]) -> list[str]:
    """Smiles; a bracket without its pair is half a smile.

    Not `!` and `…`: they make tweets glad, and are in every other line of a dialogue.
    """
    signs = "".join([token.text for token in tokens if not token.text.isalnum()]).lower()
    found = [f"m {smile}" for smile in _SMILE.findall(signs)]
    surplus = signs.count(")") - signs.count("(")
    return found + ["m )"] * (surplus > 0) + ["m ("] * (surplus < 0)


@lru_cache(maxsize=20_000)
def _stems(lemma: str) -> tuple[str, ...]:
    return tuple(f"s{length} {lemma[:length]}" for length in _STEMS if len(lemma) > length)


@lru_cache(maxsize=20_000)
def _plain(lemma: str) -> str:
    return lemma.lower().replace("ё", "е")


def _names_by_word(listed: Iterable[tuple[str, frozenset[str]]]) -> dict[str, tuple[str, ...]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, words in listed:
        for word in words:
            found[word].append(name)
    return {word: tuple(names) for word, names in found.items()}


_FINER = [(name, words) for name, (_, words) in _SHADES.items()]
# What the model was fitted with, and what names a passage by itself.
_NAMED = _names_by_word([*_WORDS.items(), *_FINER])
_NAMING = _names_by_word([*_PLAIN.items(), *_FINER])
