"""Russian sentences -> tokens with lemma, part of speech, features and dependencies.

Tags and trees are slovnet's small news models (tagging_ru.py), read from the data folder of the installed `natasha`
package; natasha itself is not imported, since it needs the dead pymorphy2. Lemmas are pymorphy3's: of its readings of
a word the one that agrees with slovnet's tag. Labelled attachment is .88 on news and .78 on fiction but .47 on verse
(github.com/natasha/slovnet), so for verse the tags are computed and no tree.

A capital is no lemma, but it tells a name: where a word stands inside a sentence with a capital, its reading as a name
wins, and a word that the sentences given together mostly write so is a name even if the dictionary has it as a common
word or not at all (`Оленин`: not the venison). Surnames in -ов, -ев, -ин, -ын are brought to their nominative.

Word frequencies come with the navec embedding (counts of 250,000 forms in 1.2 G words of news).
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any

from hyperbridge.corpus.tagging_ru import MORPH, SYNTAX, Tag, Tagging, tag_all
from hyperbridge.dictionary_ru import (
    EMBEDDING,
    TOTAL_WORDS,
    embedding,
    is_known,
    missing_package,
    model_file,
    readings,
)


def lexicon(words: str) -> frozenset[str]:
    """A word list, written with spaces between the words."""
    return frozenset(words.split())


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
_LEMMAS = {"деньга": "деньги", "застынуть": "застыть"}
# Forms of two verbs of which one is far commoner than the dictionary's order says.
_COMMONER = dict.fromkeys(("стою", "стоишь", "стоит", "стоим", "стоите", "стоят"), "стоять")
# Signs that are glued to a word: pictures, and a dash at its end.
_GLUED = re.compile(
    r"(?<=\w)(?=[\u2600-\u27bf\U0001f000-\U0001faff]|[-–—]$)|(?<=[\ufe0f\u2600-\u27bf\U0001f000-\U0001faff])(?=\w)"
)
# Marks after which a capital tells nothing, and words that faith and rank write with one.
_OPENING = frozenset('.!?…:«"“„(—–-*;')
_REVERED = lexicon("бог господь богородица аллах царь царица государь государыня император императрица князь граф")
_SURNAME = re.compile(r"(\w{2,}(?:[оеё]в|[иы]н))(а|у|ым|е|ой|ы|ых|ыми)?$")
NAMES = frozenset({"Name", "Surn", "Patr", "Geox", "Orgn"})
_PERSONS = NAMES - {"Geox", "Orgn"}
_WOMAN = frozenset({"NOUN", "femn", "sing"})
SUBJECTS = frozenset({"nsubj", "nsubj:pass"})
# How a word is written: small, with a capital, with one where it tells a name.
_SMALL, _CAPITAL, _NAMING = range(3)
_CASES = {
    "Nom": ("nomn",),
    "Gen": ("gent", "gen2"),
    "Dat": ("datv",),
    "Acc": ("accs",),
    "Ins": ("ablt",),
    "Loc": ("loct", "loc2"),
}
_NUMBERS = {"Sing": "sing", "Plur": "plur"}
_GENDERS = {"Masc": "masc", "Fem": "femn", "Neut": "neut"}
_RARE = 2000
# A name is written with a capital so many times as often as small.
_MOSTLY = 4


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
    feats: Mapping[str, str] = field(default_factory=dict)
    head: int = -1
    rel: str = ""
    known: bool = True


def check_installed() -> None:
    """Raise HyperBridgeError where a package or a model that reading Russian needs is missing."""
    for name in ("razdel", "slovnet", "navec", "pymorphy3", "pymorphy3_dicts_ru"):
        if importlib.util.find_spec(name) is None:
            raise missing_package(name)
    for path in (EMBEDDING, MORPH, SYNTAX):
        model_file(path)


def parse(sentences: Sequence[list[str]], *, tree: bool, yo: bool = True) -> list[list[Token]]:
    """Tokens of tokenised sentences.

    Args:
        tree: compute heads and relations.
        yo: whether the text is printed with ё; it decides where a form does not show it (`дети`: `ребёнок`).
    """
    sentences = [_unglued(words) for words in sentences]
    taggings = tag_all(sentences, tree=tree)
    reader = _Reader(_named(sentences), inside=tree, yo=yo)
    return [reader.sentence(words, tagging) for words, tagging in zip(sentences, taggings, strict=True)]


def parse_texts(texts: Sequence[Sequence[list[str]]], *, tree: bool, yo: bool = True) -> list[list[list[Token]]]:
    """Tokens of several texts, each given as its tokenised sentences; `parse` of all of them together."""
    parsed = iter(parse([words for text in texts for words in text], tree=tree, yo=yo))
    return [[next(parsed) for _ in text] for text in texts]


def writes_yo(text: str) -> bool:
    """Whether a text is printed with ё: there it is about every fifteenth of all е and ё."""
    return 40 * text.count("ё") > text.count("е")


def _unglued(words: list[str]) -> list[str]:
    """`права🙈`: two tokens."""
    if all(map(str.isalnum, words)) or not any(len(word) > 1 and _GLUED.search(word) for word in words):
        return words
    return [part for word in words for part in _GLUED.split(word) if part]


def _named(sentences: Sequence[list[str]]) -> frozenset[str]:
    """The words, in lower case, that are mostly written with a capital inside sentences, and twice at least."""
    written = Counter(chain.from_iterable(sentences))
    inside = Counter(
        word
        for words in sentences
        for before, word in pairwise(words)
        if word[0].isupper() and before[-1] not in _OPENING and not word.isupper()
    )
    mostly = (word.lower() for word, times in inside.items() if times > max(1, _MOSTLY * written[word.lower()]))
    return frozenset(mostly)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What is known of all sentences when one is read.

    Attributes:
        named: words, in lower case, that they mostly write with a capital.
        inside: whether a capital inside a sentence tells a name; in verse it may be that of a line.
        analysed: a word, its tag and whether it opens a sentence -> what `_analysed` gave.
    """

    named: frozenset[str]
    inside: bool
    yo: bool
    analysed: dict[tuple[str, Tag, bool, bool], tuple[str, frozenset[str], bool]] = field(default_factory=dict)

    def sentence(self, words: Sequence[str], tagging: Tagging) -> list[Token]:
        heads, relations = tagging.heads or [-1] * len(words), tagging.relations or [""] * len(words)
        tokens = []
        opens = True
        for word, tag, head, relation in zip(words, tagging.tags, heads, relations, strict=True):
            subject = relation in SUBJECTS
            key = word, tag, opens, subject
            if key not in self.analysed:
                self.analysed[key] = self._analysed(word, tag.pos, tag.feats, opens=opens, subject=subject)
            lemma, grammemes, known = self.analysed[key]
            tokens.append(Token(word, lemma, tag.pos, grammemes, tag.feats, head, relation, known))
            opens = word[-1] in _OPENING
        return tokens

    def _analysed(
        self, word: str, pos: str, feats: Mapping[str, str], *, opens: bool, subject: bool
    ) -> tuple[str, frozenset[str], bool]:
        form = word.lower()
        if "-" in form and pos not in {"PRON", "DET", "ADV"}:
            form = _PARTICLE.sub("", form)
        case, number, gender = feats.get("Case", ""), feats.get("Number", ""), feats.get("Gender", "")
        writing = self._writing(word, form, pos, opens)
        names = writing == _NAMING and pos in {"NOUN", "PROPN"}
        if subject and case != "Nom" and (case, number) != ("Gen", "Plur") and nominatives(form):
            # `Премьера состоялась`: what the tree makes a subject is a nominative, whatever the tagger took it for.
            case, number, gender = "Nom", "", "Fem" if nominatives(form) == {"femn"} else ""
        if names and (feats.get("Animacy") == "Anim" or _stem(form) in self.named):
            surname = _surname(form, woman=gender == "Fem" and _stem(form) not in self.named)
            if surname is not None:
                return surname
        verb_form = "Imp" if feats.get("Mood") == "Imp" else feats.get("VerbForm", "")
        lemma, grammemes, known = analyse(form, pos, case, number, verb_form, writing, self.yo, gender)
        if not names or pos != "PROPN":
            return lemma, grammemes, known
        if not known or "NOUN" not in grammemes:
            lemma = self._named_lemma(form, lemma)
        elif subject and not (NAMES & grammemes or nominatives(form)) and (case, number) == ("Nom", "Sing"):
            lemma, known = form, False  # `Франке рисовал`: no form of `франк`, for that would be no subject
        if self.inside and lemma not in _REVERED and not {form, lemma}.isdisjoint(self.named):
            grammemes |= {"NOUN", "Name"}
        return lemma, grammemes, known

    def _named_lemma(self, form: str, lemma: str) -> str:
        """Of the lemmas that a name the dictionary has not may have the one that the sentences have as a name."""
        nouns = (reading.normal_form for reading in readings(form) if "NOUN" in reading.tag.grammemes)
        return next((noun for noun in nouns if noun in self.named), form if form in self.named else lemma)

    def _writing(self, word: str, form: str, pos: str, opens: bool) -> int:
        if not word[0].isupper():
            return _SMALL
        if form in self.named or (pos == "PROPN" and _stem(form) in self.named):
            return _NAMING
        return _NAMING if self.inside and not opens else _CAPITAL


def _stem(form: str) -> str:
    """The nominative of what may be a man's surname."""
    found = _SURNAME.match(form)
    return found[1] if found else form


@lru_cache(maxsize=20_000)
def _surname(form: str, *, woman: bool) -> tuple[str, frozenset[str], bool] | None:
    """A surname that the dictionary has not, as `analyse` gives a word; None where the word is no such surname."""
    found = _SURNAME.match(form)
    if found is None:
        return None
    known = [reading for reading in readings(form) if is_known(reading)]
    if any(_PERSONS & reading.tag.grammemes or reading.normal_form == found[1] for reading in known):
        return None
    woman = found[2] == "ой" or (woman and found[2] in {"а", "у"})
    grammemes = frozenset({"NOUN", "anim", "Surn", "femn" if woman else "masc"})
    return found[1] + "а" * woman, grammemes, False


@lru_cache(maxsize=20_000)
def analyse(
    form: str, pos: str, case: str, number: str, verb_form: str, writing: int, yo: bool, gender: str = ""
) -> tuple[str, frozenset[str], bool]:
    """Lemma, grammemes and presence in the dictionary of the reading of a lower-case form that fits its tag best.

    A name is not read into a word that is written small. Of equal readings the one with the commoner lemma is taken
    (`спал`: спать, not спасть). A nominative that is not in the dictionary is its own lemma (`Твик`).

    Args:
        verb_form: UD's `VerbForm`, or `Imp` for an imperative.
        writing: 0 small, 1 with a capital, 2 with a capital that tells a name.
    """

    found = _readings(form)
    wanted = _Wanted.of(pos, case, number, verb_form, writing, gender)

    def fit(reading: Any) -> float:
        lemma = reading.normal_form
        commoner = 2.0 * (_COMMONER.get(form) == lemma) - 0.001 * rarity(lemma, lemma)
        return wanted.fit(reading.tag.grammemes) + float(reading.score) + commoner

    best = max(found, key=fit) if len(found) > 1 else found[0]
    known = is_known(best)
    lemma = _LEMMAS.get(best.normal_form, _lemma(best, pos))
    if pos == "PRON" and lemma == "весь":
        lemma = form if form in {"все", "всё"} else "все" if number == "Plur" else "всё"
    elif pos in {"NOUN", "PROPN"} and (case, number) == ("Nom", "Sing") and not known:
        lemma = form
    return _with_yo_of(form, lemma, yo), best.tag.grammemes, known


def _readings(form: str) -> Sequence[Any]:
    """The dictionary's readings of a lower-case form, an old `остановилася` read as `остановилась`."""
    found = readings(form)
    if form[-2:] == "ся" and not is_known(found[0]):
        modern = readings(f"{form[:-1]}ь")
        return modern if is_known(modern[0]) else found
    return found


def _lemma(reading: Any, pos: str) -> str:
    """A reading's dictionary form; a woman keeps her own (`Ивановна`, `супруга`), and so does a participle as noun."""
    grammemes = reading.tag.grammemes
    form = None
    if grammemes >= _WOMAN and "masc" in reading.normalized.tag.grammemes:
        form = reading.inflect({"nomn", "sing", "femn"})
    elif pos == "NOUN" and "PRTF" in grammemes:
        form = reading.inflect({"nomn", "sing", "masc"})
    return form.word if form is not None else reading.normal_form


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the tag of a word wants of its reading: pymorphy's grammemes, each feature with what it weighs."""

    kinds: frozenset[str]
    features: tuple[tuple[float, frozenset[str]], ...]
    name: float

    @classmethod
    @lru_cache(maxsize=5_000)
    def of(cls, pos: str, case: str, number: str, verb_form: str, writing: int, gender: str) -> _Wanted:
        expected = {"Inf": "INFN", "Conv": "GRND", "Fin": "VERB", "Imp": "VERB"}.get(verb_form, "")
        features = (
            (1.5, frozenset(_CASES.get(case, ()))),
            (1.0, frozenset({_NUMBERS.get(number, "")})),
            (0.5, frozenset({_GENDERS.get(gender, "")})),
            (0.5, frozenset({"impr"} if verb_form == "Imp" else ())),
            (1.0, frozenset({expected})),
        )
        noun = pos in {"NOUN", "PROPN"}
        name = -6.0 if writing == _SMALL else 2.0 * (pos == "PROPN") + 3.0 * (writing == _NAMING and noun)
        return cls(frozenset(_AGREES.get(pos, ())), features, name)

    def fit(self, grammemes: frozenset[str]) -> float:
        """How well a reading's grammemes go with the tag."""
        fit = 0.0 if self.kinds.isdisjoint(grammemes) else 4.0
        if not NAMES.isdisjoint(grammemes):
            fit += self.name
        return fit + sum(weight for weight, names in self.features if not names.isdisjoint(grammemes))


def _with_yo_of(form: str, lemma: str, yo: bool = True) -> str:
    """Keep the lemma's ё where the form has it in that place, write е where the form has е, and else follow `yo`."""
    if "ё" not in lemma:
        return lemma
    letters = []
    for place, char in enumerate(lemma):
        shown = form[place : place + 1]
        letters.append("е" if char == "ё" and (shown == "е" or (shown != "ё" and not yo)) else char)
    return "".join(letters)


@lru_cache(maxsize=20_000)
def nominatives(form: str) -> frozenset[str]:
    """What a lower-case form may be as a nominative noun: `masc`, `femn`, `neut` or `plur`; `тучи`: {`plur`}.

    Where the dictionary has not the word, its guesses count. Taggers take a subject after its verb for an object, so
    rules of agreement must not trust the tagged case.
    """
    found = _readings(form)
    known = [reading for reading in found if is_known(reading)] or found
    tags = [reading.tag for reading in known if reading.tag.POS == "NOUN"]
    named = [tag for tag in tags if tag.case == "nomn"]
    return frozenset("plur" if tag.number == "plur" else str(tag.gender or "") for tag in named)


@lru_cache(maxsize=20_000)
def agreeing(adjective: str, gender: str, number: str) -> str | None:
    """The nominative of an adjective or participle, given in any form, that goes with a noun; None if there is none."""
    wanted = {"nomn", number} | ({gender} if number == "sing" and gender else set())
    for reading in readings(adjective):
        if reading.tag.POS in {"ADJF", "PRTF"}:
            form = reading.inflect(wanted)
            if form is not None and not form.word.startswith("наи"):
                return _with_yo_of(adjective, form.word)
    return None


@lru_cache(maxsize=20_000)
def is_adjective(word: str) -> bool:
    """Whether the dictionary has this very word as an adjective."""
    return any(is_known(reading) and "ADJF" in reading.tag.grammemes for reading in readings(word))


@lru_cache(maxsize=20_000)
def is_name(word: str) -> bool:
    """Whether a word, in lower case, is first of all a person's name or a place in the dictionary."""
    reading = readings(word)[0]
    return is_known(reading) and not NAMES.isdisjoint(reading.tag.grammemes)


@lru_cache(maxsize=20_000)
def rarity(lemma: str, form: str) -> float:
    """Inverse document frequency: how many nats a word tells; what is rarer than 2000 uses counts as that rare."""
    vocabulary = embedding().vocab
    words = {word.replace("ё", "е") for word in (lemma, form)}
    count = sum(vocabulary.count(word) for word in words if word in vocabulary)
    return math.log(TOTAL_WORDS / max(count, _RARE))
