"""Russian sentences -> tokens with lemma, part of speech, features and dependencies.

Tags and trees are slovnet's small news models (numpy, about 24,000 tokens/s each on two cores), read from the data
folder of the installed `natasha` package; natasha itself is not imported, since it needs the dead pymorphy2. Lemmas
are pymorphy3's: of its readings of a word the one that agrees with slovnet's tag. Labelled attachment is .88 on news
and .78 on fiction but .47 on verse (github.com/natasha/slovnet), so for verse the tags are computed and no tree.

Word frequencies come with the navec embedding (counts of 250,000 forms in 1.2 G words of news).
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hyperbridge.dictionary_ru import EMBEDDING, TOTAL_WORDS, embedding, missing_package, model_file, readings

_MORPH, _SYNTAX = "model/slovnet_morph_news_v1.tar", "model/slovnet_syntax_news_v1.tar"
# slovnet's (UD) part of speech -> the pymorphy parts of speech that may stand for it.
_AGREES = {
    "NOUN": {"NOUN"},
    "PROPN": {"NOUN"},
    "VERB": {"VERB", "INFN", "GRND", "PRTF", "PRTS"},
    "AUX": {"VERB", "INFN"},
    "ADJ": {"ADJF", "ADJS", "PRTF", "PRTS", "COMP"},
    "DET": {"ADJF"},
    "PRON": {"NPRO", "ADJF"},
    "NUM": {"NUMR", "ADJF"},
    "ADV": {"ADVB", "COMP", "PRED", "ADJS"},
    "ADP": {"PREP"},
    "CCONJ": {"CONJ"},
    "SCONJ": {"CONJ"},
    "PART": {"PRCL"},
    "INTJ": {"INTJ"},
}
# Particles that cling to a word, and lemmas the dictionary gives a rare form of.
_PARTICLE = re.compile(r"(?<=\w\w)-(?:то|ка|де|с|таки)$")
_LEMMAS = {"деньга": "деньги"}
NAMES = frozenset({"Name", "Surn", "Patr", "Geox", "Orgn"})
_CASES = {"Nom": "nomn", "Gen": "gent", "Dat": "datv", "Acc": "accs", "Ins": "ablt", "Loc": "loct"}
_NUMBERS = {"Sing": "sing", "Plur": "plur"}
_GENDERS = {"Masc": "masc", "Fem": "femn", "Neut": "neut"}
_RARE = 2000


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a sentence.

    Attributes:
        lemma: dictionary form, lower case; ё as the word itself was written.
        grammemes: pymorphy's, of the reading that was chosen (`Name`, `Apro`, `inan`, ...).
        feats: slovnet's Universal Dependencies features.
        head: index of the head in the sentence, -1 for the root and where there is no tree.
        known: whether the word is in the dictionary.
    """

    text: str
    lemma: str
    pos: str
    grammemes: frozenset[str]
    feats: dict[str, str] = field(default_factory=dict)
    head: int = -1
    rel: str = ""
    known: bool = True


def lexicon(words: str) -> frozenset[str]:
    """A word list, written with spaces between the words."""
    return frozenset(words.split())


def check_installed() -> None:
    """Raise HyperBridgeError where a package or a model that reading Russian needs is missing."""
    for name in ("razdel", "slovnet", "navec", "pymorphy3", "pymorphy3_dicts_ru"):
        if importlib.util.find_spec(name) is None:
            raise missing_package(name)
    for path in (EMBEDDING, _MORPH, _SYNTAX):
        model_file(path)


def parse(sentences: Sequence[list[str]], *, tree: bool, yo: bool = True) -> list[list[Token]]:
    """Tokens of tokenised sentences.

    The models see the sentences by length, so that a batch has little padding: the same trees, 1.6 times as fast.

    Args:
        tree: compute heads and relations.
        yo: whether the text is printed with ё; it decides where a form does not show it (`дети`: `ребёнок`).
    """
    said = [number for number, words in enumerate(sentences) if words]  # the models fail on a batch of empty ones
    order = sorted(said, key=lambda number: len(sentences[number]))
    by_length = [sentences[number] for number in order]
    tagged = list(tagger().map(by_length))
    trees = list(tree_parser().map(by_length)) if tree else [None] * len(tagged)
    parsed = dict(zip(order, zip(tagged, trees, strict=True), strict=True))
    return [_sentence(*parsed[number], yo) if words else [] for number, words in enumerate(sentences)]


def writes_yo(text: str) -> bool:
    """Whether a text is printed with ё: there it is about every fifteenth of all е and ё."""
    return 40 * text.count("ё") > text.count("е")


def _sentence(tags: Any, nodes: Any, yo: bool) -> list[Token]:
    tokens = []
    for number, tag in enumerate(tags.tokens):
        feats = tag.feats or {}
        form = tag.text.lower() if tag.pos in {"PRON", "DET", "ADV"} else _PARTICLE.sub("", tag.text.lower())
        verb_form = "Imp" if feats.get("Mood") == "Imp" else feats.get("VerbForm", "")
        wanted = (feats.get("Case", ""), feats.get("Number", ""), verb_form)
        capital = tag.text[:1].isupper()
        lemma, grammemes, known = analyse(form, tag.pos, *wanted, capital, yo, feats.get("Gender", ""))
        node = nodes.tokens[number] if nodes else None
        head = int(node.head_id) - 1 if node else -1
        tokens.append(Token(tag.text, lemma, tag.pos, grammemes, feats, head, node.rel if node else "", known))
    return tokens


@lru_cache(maxsize=200_000)
def analyse(
    form: str, pos: str, case: str, number: str, verb_form: str, capital: bool, yo: bool, gender: str = ""
) -> tuple[str, frozenset[str], bool]:
    """Lemma, grammemes and presence in the dictionary of the reading of a lower-case form that fits its tag best.

    A name is not read into a word that is written small. Of equal readings the one with the commoner lemma is taken
    (`спал`: спать, not спасть). A nominative that is not in the dictionary is its own lemma (`Твик`).

    Args:
        verb_form: UD's `VerbForm`, or `Imp` for an imperative.
    """

    def fit(reading: Any) -> float:
        tagged = _fit(reading.tag, pos, case, number, verb_form, capital, gender) + float(reading.score)
        return tagged - 0.001 * rarity(reading.normal_form, reading.normal_form)

    best = max(readings(form), key=fit)
    lemma = _LEMMAS.get(best.normal_form, best.normal_form)
    if pos == "PRON" and lemma == "весь":
        lemma = form if form in {"все", "всё"} else "все" if number == "Plur" else "всё"
    elif pos in {"NOUN", "PROPN"} and (case, number) == ("Nom", "Sing") and not best.is_known:
        lemma = form
    return _with_yo_of(form, lemma, yo), frozenset(best.tag.grammemes), bool(best.is_known)


def _fit(tag: Any, pos: str, case: str, number: str, verb_form: str, capital: bool, gender: str) -> float:
    fit = 4.0 * (tag.POS in _AGREES.get(pos, ()))
    if NAMES & tag.grammemes:
        fit += 2.0 * (pos == "PROPN") if capital else -6.0
    fit += 1.5 * (bool(case) and tag.case in (_CASES.get(case), {"Gen": "gen2", "Loc": "loc2"}.get(case)))
    fit += 1.0 * (bool(number) and tag.number == _NUMBERS.get(number))
    fit += 0.5 * (bool(gender) and tag.gender == _GENDERS.get(gender))
    fit += 0.5 * (verb_form == "Imp" and tag.mood == "impr")
    expected = {"Inf": "INFN", "Conv": "GRND", "Fin": "VERB", "Imp": "VERB"}.get(verb_form)
    return fit + 1.0 * (expected is not None and expected == tag.POS)


def _with_yo_of(form: str, lemma: str, yo: bool = True) -> str:
    """Keep the lemma's ё where the form has it in that place, write е where the form has е, and else follow `yo`."""
    if "ё" not in lemma:
        return lemma
    letters = []
    for place, char in enumerate(lemma):
        shown = form[place : place + 1]
        letters.append("е" if char == "ё" and (shown == "е" or (shown != "ё" and not yo)) else char)
    return "".join(letters)


@lru_cache(maxsize=50_000)
def nominatives(form: str) -> frozenset[str]:
    """What a lower-case form may be as a nominative noun: `masc`, `femn`, `neut` or `plur`; `тучи`: {`plur`}.

    Taggers take a subject after its verb for an object, so rules of agreement must not trust the tagged case.
    """
    tags = [reading.tag for reading in readings(form) if reading.is_known and reading.tag.POS == "NOUN"]
    named = [tag for tag in tags if tag.case == "nomn"]
    return frozenset("plur" if tag.number == "plur" else str(tag.gender or "") for tag in named)


@lru_cache(maxsize=50_000)
def agreeing(adjective: str, gender: str, number: str) -> str | None:
    """The nominative of an adjective or participle, given in any form, that goes with a noun; None if there is none."""
    wanted = {"nomn", number} | ({gender} if number == "sing" and gender else set())
    for reading in readings(adjective):
        if reading.tag.POS in {"ADJF", "PRTF"}:
            form = reading.inflect(wanted)
            if form is not None and not form.word.startswith("наи"):
                return _with_yo_of(adjective, form.word)
    return None


@lru_cache(maxsize=50_000)
def is_adjective(word: str) -> bool:
    """Whether the dictionary has this very word as an adjective."""
    return any(reading.is_known and reading.tag.POS == "ADJF" for reading in readings(word))


@lru_cache(maxsize=50_000)
def is_name(word: str) -> bool:
    """Whether a word, in lower case, is first of all a person's name or a place in the dictionary."""
    reading = readings(word)[0]
    return bool(reading.is_known) and bool(NAMES & reading.tag.grammemes)


@lru_cache(maxsize=200_000)
def rarity(lemma: str, form: str) -> float:
    """Inverse document frequency: how many nats a word tells; what is rarer than 2000 uses counts as that rare."""
    vocabulary = embedding().vocab
    words = {word.replace("ё", "е") for word in (lemma, form)}
    count = sum(vocabulary.count(word) for word in words if word in vocabulary)
    return math.log(TOTAL_WORDS / max(count, _RARE))


def tagger() -> Any:
    """slovnet's model of parts of speech and features; `map` takes tokenised sentences."""
    return _model("Morph", _MORPH)


def tree_parser() -> Any:
    """slovnet's model of dependencies."""
    return _model("Syntax", _SYNTAX)


@lru_cache(maxsize=2)
def _model(kind: str, path: str) -> Any:
    try:
        import slovnet
    except ImportError:
        raise missing_package("slovnet") from None
    return getattr(slovnet, kind).load(model_file(path)).navec(embedding())
