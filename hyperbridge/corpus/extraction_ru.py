"""A parsed Russian passage -> its components, its hyperlexeme, how much of it they carry and how sure each slot is.

What the components are, in the order they are filled:

- `agent`, `act`: subject and predicate of one main clause. In every sentence the main clause is found first; of the
  sentences the one is taken that says most (a common noun as subject, a rare verb that is no verb of speaking) and is
  read most surely, earlier ones first. `act` is the verb's lemma with `не ` before it where it is negated; a modal
  gives way to its infinitive; a nominal predicate (`он врач`) gives an agent and no act. A subject that is not said
  gives no agent, and a pronoun stays a pronoun.
- `field`: where it happens, a content noun after a preposition of place, else an object of the predicate, with its
  attribute; of several the one in the main clause's sentence, then the rarest.
- `tone`: what colours it, an attribute, a short adjective or an adverb of manner; rare, near the act or the agent.
- `meta`: the rarest common noun that no other slot and no seam carries.

The hyperlexeme is the passage's three most telling lemmas (four where it has 18 content words or more), in the order
in which they first appear, so that the scene's name reads like the passage. Telling is the rarity of the lemma in a
fixed frequency list, so a passage gives the same scene in every corpus; nouns weigh more than adjectives and verbs
(of each at most one), what a slot carries weighs more, and proper names weigh half. Two seams never share a stem's
first four letters.

The main clause is found by two rankings: first of the words that may be the predicate, then of the words that may be
its subject, beside the option that it is not said. A word's score is the sum of the weights of its cues: its part of
speech, punctuation, conjunctions, agreement in number, gender and person, distance, and in prose the parser's tree.
In verse, half of which is misparsed, the tree is left out: with it a subject is found hardly more often. The
weights are those of a conditional logit, fitted on half of the sentences of three UD treebanks
(evaluation/components.py measures on the other half). The softmax share of the winner is the confidence of `act`;
times the subject's share it is that of `agent`. The confidences of `field`, `tone` and `meta` are fixed by rule, for
there is no gold to fit them on. Cost: linear in the tokens, but for verbs times nouns within a sentence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from hyperbridge.corpus.parsing_ru import NAMES, Token, agreeing, is_adjective, lexicon, nominatives, rarity

Sentence = Sequence[Token]

# Verbs that introduce speech or help another verb: they say little of what happens.
_WEAK_VERBS = lexicon(
    "быть мочь стать стало становиться хотеть хотеться сказать говорить отвечать ответить спросить спрашивать "
    "прибавить заметить проговорить произнести воскликнуть начать начинать продолжать казаться показаться "
    "являться иметь делать сделать бывать давать дать пойти прийти приходить идти мочься следовать стоять "
    "уметь желать сметь думать подумать знать видеть оказаться приходиться прийтись изволить"
)
# Verbs that give way to their infinitive: what is done is what one can, wants or begins to do.
MODALS = lexicon(
    "мочь смочь хотеть захотеть хотеться захотеться стать начать начинать уметь суметь желать пожелать сметь посметь "
    "продолжать продолжить приходиться прийтись удаться удаваться успеть успевать"
)
# Nouns of measure and manner: neither a background nor a part of a scene's name.
_WEAK_NOUNS = lexicon(
    "раз год день час минута время сторона образ отношение случай дело вещь часть род вид пора слово человек "
    "люди месяц неделя число конец начало место степень рубль верста качество течение помощь нужда сей тот г "
    "суть право особенность штука половина благородие велик"
)
_WEAK_ADJECTIVES = lexicon(
    "должный первый второй последний другой один самый целый такой весь некоторый многий остальной следующий "
    "подобный прочий известный настоящий данный нынешний собственный готовый всякий каждый третий нужный "
    "правый возможный"
)
_PLACES = {
    **dict.fromkeys(
        ("в", "во", "на", "под", "над", "за", "перед", "среди", "между", "у", "вокруг", "близ", "посреди"), 2.0
    ),
    **dict.fromkeys(
        ("по", "из", "к", "ко", "от", "через", "сквозь", "около", "из-за", "из-под", "с", "со", "мимо"), 1.0
    ),
}
_MEASURES = lexicon("много мало немного немало сколько несколько столько больше меньше более менее")
# Words that open a dependent clause, and those that only liken one thing to another.
_OPENERS = lexicon(
    "который что кто где когда если как чтобы куда чей пока хотя какой почему зачем откуда будто словно поскольку чем "
    "ибо сколько каков раз едва лишь"
)
_OPENER_TAGS = frozenset({"SCONJ", "ADV", "PRON", "DET"})
_LIKE = lexicon("как чем будто словно точно")
_RELATIVES = lexicon("который кто что")
_DASHES = frozenset("—–-")
_SUBJECTS = frozenset({"nsubj", "nsubj:pass"})
# pymorphy's part of speech -> what the word is as a predicate.
_VERB_KINDS = {
    "INFN": "infinitive",
    "GRND": "gerund",
    "PRTS": "short-participle",
    "PRTF": "participle",
    "VERB": "finite",
    "PRED": "predicative",
    "ADJS": "short-adjective",
    "COMP": "comparative",
}
_FINITE = frozenset({"finite", "imperative", "short-participle", "untagged", "be", "unknown"})
_VERBAL = _FINITE | {"infinitive", "gerund", "participle"}
_TAKES_INFINITIVE = frozenset({"predicative", "short-adjective", "comparative", "adjective", "quality", "adverb"})
_SELDOM_PREDICATES = frozenset({"particle", "cry", "sign", "adjective-oblique", "pronoun-oblique", "gerund"})
_DISTANCES = ("0", "1", "2", "3-4", "3-4", "5-8", "5-8", "5-8", "5-8", "9")
# What a verb may show, and what it may show beside a pronoun.
_SHOWN = frozenset({"1per", "2per", "3per", "sing", "plur", "masc", "femn", "neut"})
_PRONOUN_FORMS = {
    "я": lexicon("1per sing masc femn neut"),
    "ты": lexicon("2per sing masc femn neut"),
    "мы": lexicon("1per plur"),
    "вы": lexicon("2per plur"),
    "он": lexicon("3per sing masc"),
    "она": lexicon("3per sing femn"),
    "оно": lexicon("3per sing neut"),
    "они": lexicon("3per plur"),
}
_PRONOUNS = {"я": 1.6, "мы": 1.6, "ты": 1.4, "вы": 1.3, "он": 1.0, "она": 1.0, "оно": 0.6, "они": 1.0}
_SKIPPED_BEFORE_NOUN = frozenset({"ADJ", "DET", "PRON", "NUM", "ADV", "PART"})
_OBLIQUE = frozenset({"Acc", "Gen", "Ins", "Dat", "Loc"})
_GENDERS = {"masc": "Masc", "femn": "Fem", "neut": "Neut"}

# Confidences of the slots that no gold exists for, by the rule that fired: `в лесу`, `к лесу`, an object, ...
_PLACE_CONFIDENCE, _WAY_CONFIDENCE, _OBJECT_CONFIDENCE = 0.8, 0.6, 0.4
_QUALITY_CONFIDENCE, _ADVERB_CONFIDENCE, _META_CONFIDENCE = 0.7, 0.6, 0.5
# Weights of the cues, fitted as the docstring says, each as `cue:weight`; a cue that is not here weighs nothing.
_WEIGHTED_CUES = """
    ADJ-of-noun:-0.54 ADJ-of-verb:-0.44 ADV-of-noun:-0.1 ADV-of-verb:-0.49 DET-of-noun:-1.02 DET-of-verb:-1.5
    NOUN-of-noun:0.37 NUM-of-noun:-0.68 NUM-of-verb:-0.37 PROPN-of-noun:-0.46 PROPN-of-verb:-0.21 VERB-of-noun:0.58
    VERB-of-verb:0.95 X-of-noun:-0.29 X-of-verb:-0.06 adjective:-1.11 adjective-after-dash:-0.43 adjective-ins:-0.6
    adverb:-0.51 adverb-after-dash:-0.17 after-0-marks:0.21 after-1-marks:-1.67 after-2-marks:-1.69 after-noun:-0.34
    after-noun-1:0.56 after-noun-2:0.39 after-noun-3-4:-0.12 after-noun-5-8:-0.84 after-noun-9:-1.52 after-verb-1:1.02
    after-verb-2:0.29 after-verb-3-4:-0.11 after-verb-5-8:-1.09 after-verb-9:-1.74 after-verb-between:-1.24
    agreement--1-with-verb:-1.69 agreement-0-with-noun:0.27 agreement-0-with-verb:-0.21 agreement-1-with-verb:0.69
    be:-1.85 before-0-marks:1.58 before-1-marks:-0.24 before-2-marks:0.86 before-noun:-1.28 before-noun-1:0.06
    before-noun-2:0.24 before-noun-3-4:0.31 before-noun-5-8:0.41 before-noun-9:0.78 before-verb-1:0.15
    before-verb-2:-0.22 before-verb-3-4:0.44 before-verb-5-8:0.1 before-verb-9:-0.07 beside-0-verbs:-0.13
    beside-1-verbs:-0.17 beside-2-verbs:-0.8 between-marks:0.38 brackets-alone:-1.15 called:-0.23 case-Acc:0.17
    case-Acc-nominative:0.14 case-Gen:0.53 case-Gen-nominative:-0.12 case-Gen-oblique:0.74 case-Ins:0.49
    case-Ins-nominative:-0.12 case-Loc:-0.16 case-Loc-nominative:-0.17 case-Nom:0.35 case-Nom-nominative:1.35
    case-Nom-oblique:-1.63 case-None:-0.57 case-None-oblique:-0.78 caseless:-1.03 caseless-after-dash:-0.13
    caseless-before-dash:-0.2 comparative:-0.14 counted:0.43 counts:-0.51 dash-between:2.18 dependent-alone:-1.13
    finite:0.79 first-of-noun:0.28 first-of-verb:0.42 governed:-1.75 governed-adjective:-0.11
    governed-adjective-ins:-0.17 governed-caseless:-0.05 governed-noun-ins:-0.18 governed-number:-0.22
    governed-quality:-0.27 guess:-0.44 imperative:0.85 in-brackets:-1.76 infinitive:0.46 likened:-0.56
    nearest-of-noun:-0.36 nearest-of-verb:0.06 noun:0.43 noun-after-0-verbs:1.34 noun-after-1-verbs:-0.07
    noun-after-2-verbs:-1.34 noun-after-3-verbs:-1.04 noun-after-dash:0.54 noun-after-это:1.11 noun-at-dash:0.61
    noun-before-dash:-1.42 noun-dependent:-1.32 noun-first:0.65 noun-ins:0.42 noun-oblique:-0.39
    noun-oblique-after-dash:0.64 noun-oblique-before-dash:-0.91 number:0.36 number-after-dash:0.32 participle:-1.16
    personal-of-noun:1.82 personal-of-verb:1.41 predicative:1.44 pronoun:-1.05 pronoun-after-dash:0.42
    pronoun-of-noun:1.19 pronoun-of-verb:-0.41 quality:-0.09 quality-after-dash:-0.17 quality-before-dash:0.22
    relative-of-noun:-0.37 relative-of-verb:-0.06 remark:-2.3 short-adjective:1.99 short-adjective-after-dash:-0.62
    short-participle:1.25 tree-acl:-0.95 tree-acl-of-verb:-0.06 tree-advcl:-0.2 tree-advmod:-0.2
    tree-advmod-of-verb:0.17 tree-amod:0.87 tree-amod-of-noun:-0.55 tree-amod-of-verb:-0.53 tree-appos:-0.34
    tree-appos-of-noun:-1.1 tree-appos-of-verb:-1.34 tree-aux:-0.48 tree-ccomp:0.78 tree-children-0:-0.6
    tree-children-1:-0.68 tree-children-2:0.13 tree-children-3:0.51 tree-children-4:0.64 tree-conj:-0.88
    tree-conj-of-noun:-0.89 tree-conj-of-verb:-0.49 tree-cop:0.49 tree-csubj:-0.17 tree-det:-0.24 tree-det-of-noun:-0.31
    tree-det-of-verb:-0.26 tree-fixed:-0.12 tree-fixed-of-noun:0.26 tree-fixed-of-verb:-0.06 tree-flat:-0.29
    tree-flat-of-noun:-0.45 tree-flat-of-verb:-0.49 tree-foreign-subject-of-noun:0.7 tree-foreign-subject-of-verb:1.01
    tree-iobj:-0.14 tree-nmod:0.11 tree-nmod-of-noun:-0.53 tree-nmod-of-verb:-1.5 tree-none-of-verb:0.14
    tree-noun-root:0.33 tree-noun-under-root:1.09 tree-noun-with-subject:1 tree-nsubj:0.14 tree-nummod:-0.31
    tree-nummod-of-verb:-0.25 tree-obj:0.93 tree-obj-of-noun:-0.51 tree-obj-of-verb:-0.34 tree-obl:-0.07
    tree-obl-of-noun:-0.3 tree-orphan:0.23 tree-parataxis:0.5 tree-parataxis-of-noun:-0.3 tree-parataxis-of-verb:-0.12
    tree-root:1.01 tree-root-of-noun:1.39 tree-root-of-verb:1.13 tree-subject-of-noun:1.68 tree-subject-of-verb:1.85
    tree-verb-root:0.68 tree-verb-under-root:0.89 tree-verb-with-subject:-0.61 tree-xcomp:0.18 unknown:0.09 unsaid:0.94
    unsaid-1per:0.1 unsaid-2per:0.37 unsaid-3per:-0.59 unsaid-beside-0-agreeing:0.97 unsaid-beside-1-agreeing:0.29
    unsaid-beside-2-agreeing:-0.32 unsaid-in-tree:0.86 unsaid-neut:0.45 unsaid-of-adjective:0.41 unsaid-of-adverb:-0.18
    unsaid-of-finite:0.32 unsaid-of-imperative:0.84 unsaid-of-infinitive:0.65 unsaid-of-noun:0.47
    unsaid-of-noun-ins:-0.71 unsaid-of-noun-oblique:0.14 unsaid-of-number:-0.17 unsaid-of-particle:-0.38
    unsaid-of-predicative:0.38 unsaid-of-pronoun:-0.22 unsaid-of-pronoun-oblique:-0.94 unsaid-of-short-adjective:-0.34
    unsaid-of-short-participle:-0.22 unsaid-of-unknown:-0.1 unsaid-of-untagged:-0.23 unsaid-plur:-0.53 untagged:0.69
    verb-after-0-verbs:2.39 verb-after-1-verbs:0.29 verb-after-2-verbs:-0.59 verb-after-3-verbs:-0.98
    verb-after-это:-0.12 verb-at-dash:-0.29 verb-beside-1-agreeing:0.8 verb-beside-2-agreeing:1.01 verb-dependent:-1.9
    verb-first:0.5
"""
_WEIGHTS = {cue: float(weight) for cue, _, weight in (pair.rpartition(":") for pair in _WEIGHTED_CUES.split())}


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a passage is about.

    Attributes:
        components: the slots that were found and no others.
        density: share of the content lemmas that the slots and the hyperlexeme carry.
        confidence: how sure each of those slots is, 0..1.
    """

    hyperlexeme: tuple[str, ...]
    components: dict[str, str | tuple[str, ...]]
    density: float
    confidence: dict[str, float]


@dataclass(frozen=True, slots=True)
class Clause:
    """The main clause of a sentence: what its predicate does, who does it, and how sure the reading is (0..1).

    Attributes:
        predicate, subject, deed: places in the sentence; `deed` is the verb that gives the act, the predicate itself
            or the infinitive of a modal, and None where the predicate is nominal.
        certainty: share of the predicate, among all that might be it.
        subject_certainty: share of the subject (or of there being none), times the predicate's.
    """

    predicate: int
    subject: int | None
    deed: int | None
    certainty: float
    subject_certainty: float


@dataclass(frozen=True, slots=True)
class _Told:
    """The clause that stands for the passage, and the number of its sentence."""

    sentence: int
    clause: Clause


@dataclass(slots=True)
class _Draft:
    """The slots as they are filled, with the lemmas they carry and their confidence."""

    slots: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    confidence: dict[str, float] = field(default_factory=dict)

    def put(self, slot: str, value: str | tuple[str, ...], confidence: float, *tokens: Token) -> None:
        """Fill a slot with a value made of these tokens."""
        self.slots[slot] = value
        self.confidence[slot] = confidence
        self.carried.update(token.lemma for token in tokens)


def extract(sentences: Sequence[Sentence], *, verse: bool) -> Extraction | str:
    """Components, hyperlexeme and density of a passage, or the reason it is no scene."""
    words = [token for sentence in sentences for token in sentence if token.text[0].isalpha()]
    if sum(not token.known for token in words) > 0.3 * len(words):
        return "mostly words that are not in the dictionary"
    draft = _Draft()
    told = _tell(sentences, verse)
    if told is not None:
        _fill_clause(draft, sentences[told.sentence], told.clause)
    _fill_background(draft, sentences, told)
    content = Counter(token.lemma for token in words if is_content(token))
    seams = _hyperlexeme(words, content, draft.carried)
    if len(seams) < 2:
        return "fewer than two content words"
    draft.carried.update(seam.lemma for seam in seams)
    spare = _spare_noun(words, draft.carried)
    if spare is not None:
        draft.put("meta", (shown(spare),), _META_CONFIDENCE, spare)
    density = sum(lemma in draft.carried for lemma in content) / len(content)
    return Extraction(tuple(shown(seam) for seam in seams), draft.slots, round(density, 2), draft.confidence)


def is_content(token: Token) -> bool:
    """Whether a word has a meaning of its own: nouns, qualities, actions and manners, and no helpers."""
    if "Apro" in token.grammemes or not token.text[0].isalpha() or len(token.lemma) < 2:
        return False
    if token.pos in {"NOUN", "PROPN"}:
        return "NOUN" in token.grammemes and "Abbr" not in token.grammemes and token.lemma not in _WEAK_NOUNS
    if token.pos == "ADJ" or "ADJF" in token.grammemes:
        return token.lemma not in _WEAK_ADJECTIVES and "Anum" not in token.grammemes
    if token.pos == "VERB":
        return token.lemma not in _WEAK_VERBS
    return is_manner(token)


def is_manner(token: Token) -> bool:
    """An adverb made of a quality: `тихо`, `внезапно`."""
    if token.pos != "ADV" or len(token.lemma) < 5 or token.lemma[-1] not in "ое" or token.lemma in _NOT_MANNER:
        return False
    return any(is_adjective(token.lemma[:-1] + ending) for ending in ("ый", "ий", "ой"))


_NOT_MANNER = lexicon("много мало долго давно часто редко обычно именно особенно только можно нужно должно более менее")


def is_proper(token: Token) -> bool:
    """A name of a person or a place: written with a capital, and no common word of the dictionary."""
    return token.text[0].isupper() and (bool(NAMES & token.grammemes) or (token.pos == "PROPN" and not token.known))


def shown(token: Token) -> str:
    """The lemma as a reader expects it: names keep their capital."""
    return "-".join(part.capitalize() for part in token.lemma.split("-")) if is_proper(token) else token.lemma


def _tell(sentences: Sequence[Sentence], verse: bool) -> _Told | None:
    """The main clause that says most."""
    found = [(number, main_clause(sentence, verse=verse)) for number, sentence in enumerate(sentences)]
    told = [_Told(number, clause) for number, clause in found if clause is not None]
    return max(told, key=lambda one: _weight(sentences[one.sentence], one), default=None)


def _weight(sentence: Sentence, told: _Told) -> float:
    clause = told.clause
    weight = _subject_weight(sentence, clause.subject) + clause.certainty - 0.1 * told.sentence
    if clause.deed is None:
        return weight
    deed = sentence[clause.deed]
    return weight + 1.0 + rarity(deed.lemma, deed.text.lower()) / 20 - 1.2 * (deed.lemma in _WEAK_VERBS)


def _subject_weight(sentence: Sentence, subject: int | None) -> float:
    if subject is None:
        return 0.0
    token = sentence[subject]
    if token.lemma in _PRONOUNS:
        return _PRONOUNS[token.lemma]
    if token.pos not in {"NOUN", "PROPN"}:
        return 0.2
    return 2.2 if is_proper(token) else 2.0 if token.lemma in _WEAK_NOUNS else 3.0


def main_clause(sentence: Sentence, *, verse: bool) -> Clause | None:
    """The main clause of a sentence; None where nothing in it can be a predicate."""
    outline = _Outline(sentence, verse)
    places = [place for place in range(len(sentence)) if _may_be_predicate(outline, place)]
    if not places:
        return None
    best, certainty = _likeliest([_predicate_cues(outline, place) for place in places])
    predicate = places[best]
    subjects = [place for place in outline.nominals if place != predicate]
    straight = [place for place in subjects if _is_straight(outline, place, predicate)]
    leaders = (_nearest(outline, straight, predicate), min(straight, default=None))
    cues = [_subject_cues(outline, place, predicate, leaders) for place in subjects]
    best, share = _likeliest([_no_subject_cues(outline, predicate), *cues])
    subject = subjects[best - 1] if best else None
    return Clause(predicate, subject, _deed(outline, predicate), round(certainty, 3), round(certainty * share, 3))


def agent_and_act(sentence: Sentence, clause: Clause) -> dict[str, str]:
    """The two slots that a clause gives, those that it has."""
    slots = {}
    if clause.subject is not None:
        slots["agent"] = shown(sentence[clause.subject])
    if clause.deed is not None:
        negated = any(_is_negated(sentence, place) for place in (clause.predicate, clause.deed))
        slots["act"] = f"не {sentence[clause.deed].lemma}" if negated else sentence[clause.deed].lemma
    return slots


def _likeliest(options: Sequence[Sequence[str]]) -> tuple[int, float]:
    """The option whose cues weigh most, and its share of the probability (softmax)."""
    scores = [sum(_WEIGHTS.get(cue, 0.0) for cue in cues) for cues in options]
    best = max(range(len(scores)), key=scores.__getitem__)
    return best, 1.0 / sum(math.exp(score - scores[best]) for score in scores)


class _Outline:
    """A sentence with what the cues need of every place, gathered in one pass.

    Attributes:
        kinds: what a word may be as a predicate (`finite`, `noun`, ...), "" where it is none.
        marks, verbs: how many punctuation marks, how many finite verbs come before a place.
        dependent: whether the stretch between marks was opened by a conjunction or a relative word.
        brackets: depth of brackets.
        governed: whether a preposition waits for its noun.
        nominals: places of words that may be a subject.
        owners: predicate -> its subject in the parser's tree.
    """

    def __init__(self, sentence: Sentence, verse: bool) -> None:
        self.sentence = sentence
        self.relations = ["" if verse else token.rel for token in sentence]
        self.heads = [-1 if verse else token.head for token in sentence]
        self.kinds = [_kind_of_predicate(token) for token in sentence]
        self.marks: list[int] = []
        self.verbs: list[int] = []
        self.brackets: list[int] = []
        self.dependent: list[bool] = []
        self.governed: list[bool] = []
        self._walk()
        self.nominals = [place for place in range(len(sentence)) if _may_be_subject(self, place)]
        self.main_verbs = sum(
            kind in _FINITE and not dependent for kind, dependent in zip(self.kinds, self.dependent, strict=True)
        )
        self.dash = next((place for place, token in enumerate(sentence) if token.text in _DASHES and place), None)
        self.owners: dict[int, int] = {}
        self.children = Counter(self.heads)
        for place, relation in enumerate(self.relations):
            if relation in _SUBJECTS:
                self.owners.setdefault(self.heads[place], place)

    def _walk(self) -> None:
        marks = verbs = brackets = 0
        fresh, dependent, governed = True, False, False
        for token, kind in zip(self.sentence, self.kinds, strict=True):
            if token.pos == "PUNCT" or not token.text[0].isalnum():
                marks, fresh, dependent, governed = marks + 1, True, False, False
                brackets = max(0, brackets + (token.text == "(") - (token.text == ")"))
            else:
                dependent = dependent or (fresh and token.lemma in _OPENERS and token.pos in _OPENER_TAGS)
                fresh = fresh and token.pos in {"CCONJ", "ADP", "PART"}
                governed = governed or token.pos == "ADP"
            self.marks.append(marks)
            self.verbs.append(verbs)
            self.brackets.append(brackets)
            self.dependent.append(dependent)
            self.governed.append(governed)
            governed = governed and token.pos not in {"NOUN", "PROPN", "VERB", "PRON"}
            verbs += kind in _FINITE


def _kind_of_predicate(token: Token) -> str:
    grammemes = token.grammemes
    if not token.text[0].isalnum():
        return ""
    if token.lemma == "быть" and "VERB" in grammemes:
        return "be"
    names = [name for name in _VERB_KINDS if name in grammemes and (name != "PRTF" or token.pos == "VERB")]
    if not names:
        return _kind_of_nominal(token)
    if "impr" in grammemes:
        return "imperative"
    kind = _VERB_KINDS[names[0]]
    return "untagged" if kind == "finite" and token.pos not in {"VERB", "AUX"} else kind


def _kind_of_nominal(token: Token) -> str:
    case, pos = token.feats.get("Case"), token.pos
    if pos in {"VERB", "AUX"}:
        return "guess" if token.known else "unknown"
    if pos in {"NOUN", "PROPN", "X"}:
        return {"Nom": "noun", "Ins": "noun-ins", None: "caseless"}.get(case, "noun-oblique")
    if pos == "ADJ":
        return {"Nom": "adjective", "Ins": "adjective-ins", None: "quality"}.get(case, "adjective-oblique")
    if pos in {"PRON", "DET"}:
        return "pronoun" if case == "Nom" else "pronoun-oblique"
    return {"ADV": "adverb", "NUM": "number", "PART": "particle", "INTJ": "cry", "SYM": "sign"}.get(pos, "")


def _may_be_predicate(outline: _Outline, place: int) -> bool:
    kind = outline.kinds[place]
    return kind != "" and (outline.relations[place] == "root" or kind not in _SELDOM_PREDICATES)


def _predicate_cues(outline: _Outline, place: int) -> list[str]:
    kind = outline.kinds[place]
    group = "verb" if kind in _VERBAL else "noun"
    cues = [kind, f"{group}-after-{min(3, outline.verbs[place])}-verbs", *_tree_cues(outline, place, group)]
    cues += [f"{group}-dependent"] if outline.dependent[place] else []
    cues += ["in-brackets"] if outline.brackets[place] else []
    cues += [f"{group}-first"] if place == 0 else []
    cues += ["remark"] if group == "verb" and _is_remark(outline, place) else []
    before = outline.sentence[place - 1] if place else None
    cues += [f"{group}-at-dash"] if before is not None and before.text in _DASHES else []
    cues += [f"{group}-after-это"] if before is not None and before.lemma in {"это", "вот"} else []
    if group == "noun":
        cues.append(f"beside-{min(2, outline.main_verbs)}-verbs")
        cues += [f"governed-{kind}"] if outline.governed[place] else []
        if outline.dash is not None and outline.main_verbs == 0:
            cues.append(f"{kind}-{'before' if place < outline.dash else 'after'}-dash")
    elif kind in _FINITE:
        near = [at for at in outline.nominals if outline.marks[at] == outline.marks[place]]
        cues.append(f"verb-beside-{min(2, sum(_agreement(outline, at, place) > 0 for at in near))}-agreeing")
    return cues


def _is_remark(outline: _Outline, place: int) -> bool:
    """`— Ладно, — сказал он`: the verb opens what the author says between two pieces of speech."""
    at = place - 1
    while at > 1 and outline.sentence[at].pos in {"PART", "ADV"}:
        at -= 1
    return at > 0 and outline.sentence[at].text in _DASHES and outline.sentence[at - 1].pos == "PUNCT"


def _tree_cues(outline: _Outline, place: int, group: str) -> list[str]:
    relation, head = outline.relations[place], outline.heads[place]
    if not relation:
        return []
    cues = [f"tree-{relation.partition(':')[0]}", f"tree-children-{min(4, outline.children[place])}"]
    cues += [f"tree-{group}-root"] if relation == "root" else []
    cues += [f"tree-{group}-with-subject"] if place in outline.owners else []
    return cues + ([f"tree-{group}-under-root"] if head < 0 or outline.relations[head] == "root" else [])


def _may_be_subject(outline: _Outline, place: int) -> bool:
    token = outline.sentence[place]
    if not token.text[0].isalnum() or token.pos in {"ADP", "CCONJ", "SCONJ", "PART", "PUNCT"}:
        return outline.relations[place] in _SUBJECTS and token.text[0].isalpha()
    if outline.relations[place] in _SUBJECTS:
        return True
    if token.pos in {"NOUN", "PROPN", "PRON", "DET", "ADJ", "NUM", "X"}:
        nominative = token.feats.get("Case") in {"Nom", None} or "nomn" in token.grammemes
        return nominative or bool(nominatives(token.text.lower())) or _is_counted(outline, place)
    return "VERB" not in token.grammemes and bool(nominatives(token.text.lower()))


def _is_counted(outline: _Outline, place: int) -> bool:
    """`два языка`, `много людей`: the subject is what is counted."""
    before = outline.sentence[place - 1] if place else None
    counted = before is not None and (before.pos == "NUM" or before.lemma in _MEASURES)
    return counted and outline.sentence[place].feats.get("Case") == "Gen" and not outline.governed[place]


def _subject_cues(outline: _Outline, place: int, predicate: int, leaders: tuple[int | None, int | None]) -> list[str]:
    token, kind = outline.sentence[place], outline.kinds[predicate]
    group = "verb" if kind in _VERBAL else "noun"
    side = "after" if place > predicate else "before"
    agreement = _agreement(outline, place, predicate)
    cues = [f"tree-{_relation(outline, place, predicate)}-of-{group}", _case_cue(token)]
    cues.append(f"{_kind_of_subject(token)}-of-{group}")
    cues.append(f"agreement-{agreement}-with-{group}")
    cues.append(f"{side}-{group}-{_DISTANCES[min(9, abs(place - predicate))]}")
    cues.append(f"{side}-{min(2, abs(outline.marks[place] - outline.marks[predicate]))}-marks")
    between = abs(outline.verbs[place] - outline.verbs[predicate]) - (place > predicate and kind in _FINITE)
    cues += [f"{side}-verb-between"] if between > 0 else []
    cues += ["dependent-alone"] if outline.dependent[place] != outline.dependent[predicate] else []
    cues += ["brackets-alone"] if outline.brackets[place] != outline.brackets[predicate] else []
    cues += ["governed"] if outline.governed[place] else []
    cues += [
        f"{name}-of-{group}" for name, leader in zip(("nearest", "first"), leaders, strict=True) if leader == place
    ]
    return cues + _neighbour_cues(outline, place, predicate, group)


def _case_cue(token: Token) -> str:
    """What the tagger says of the case, and whether the dictionary knows the word as a nominative."""
    if token.pos not in {"NOUN", "PROPN"} or not token.known:
        return f"case-{token.feats.get('Case')}"
    return f"case-{token.feats.get('Case')}-{'nominative' if nominatives(token.text.lower()) else 'oblique'}"


def _neighbour_cues(outline: _Outline, place: int, predicate: int, group: str) -> list[str]:
    sentence, cues = outline.sentence, []
    before = sentence[place - 1] if place else None
    after = sentence[place + 1] if place + 1 < len(sentence) else None
    if (before is None or before.pos == "PUNCT") and (after is None or after.pos == "PUNCT"):
        second = outline.kinds[predicate] == "imperative" or "2per" in sentence[predicate].grammemes
        cues.append("called" if second else "between-marks")
    if before is not None:
        cues += ["likened"] if before.lemma in _LIKE else []
        cues += ["after-noun"] if before.pos in {"NOUN", "PROPN"} else []
        cues += ["counted"] if _is_counted(outline, place) else []
    if after is not None:
        cues += ["counts"] if _is_counted(outline, place + 1) else []
        cues += ["before-noun"] if sentence[place].pos in {"ADJ", "DET", "NUM"} and after.pos == "NOUN" else []
    if group == "noun" and outline.dash is not None and place < outline.dash < predicate:
        cues.append("dash-between")
    return cues


def _no_subject_cues(outline: _Outline, predicate: int) -> list[str]:
    token, kind = outline.sentence[predicate], outline.kinds[predicate]
    agreeing_ = sum(_agreement(outline, place, predicate) > 0 for place in outline.nominals if place != predicate)
    cues = ["unsaid", f"unsaid-of-{kind}", f"unsaid-beside-{min(2, agreeing_)}-agreeing"]
    cues += [f"unsaid-{name}" for name in ("1per", "2per", "3per", "neut", "plur") if name in token.grammemes]
    return cues + (["unsaid-in-tree"] if outline.relations[predicate] and predicate not in outline.owners else [])


def _relation(outline: _Outline, place: int, predicate: int) -> str:
    relation = outline.relations[place]
    if relation in _SUBJECTS:
        return "subject" if outline.heads[place] == predicate else "foreign-subject"
    return relation.partition(":")[0] or "none"


def _kind_of_subject(token: Token) -> str:
    if token.pos == "PRON":
        return "personal" if token.lemma in _PRONOUNS else "relative" if token.lemma in _RELATIVES else "pronoun"
    return token.pos


def _is_straight(outline: _Outline, place: int, predicate: int) -> bool:
    """A tagged nominative that no preposition governs and that does not clash with the predicate."""
    nominative = outline.sentence[place].feats.get("Case") == "Nom" and not outline.governed[place]
    return nominative and _agreement(outline, place, predicate) >= 0


def _nearest(outline: _Outline, places: Sequence[int], predicate: int) -> int | None:
    """The nearest place; a punctuation mark between counts as three words, and one before wins over one after."""

    def distance(place: int) -> float:
        marks = abs(outline.marks[place] - outline.marks[predicate])
        return 3 * marks + abs(place - predicate) + 0.5 * (place > predicate)

    return min(places, key=distance, default=None)


def _agreement(outline: _Outline, place: int, predicate: int) -> int:
    """Whether a subject goes with a verb in number, gender and person: 1 yes, 0 the verb does not show it, -1 no."""
    token, shows = outline.sentence[place], outline.sentence[predicate].grammemes & _SHOWN
    kind = outline.kinds[predicate]
    if not shows or kind not in _FINITE or _is_counted(outline, place):
        return 0
    if kind == "imperative":
        return 1 if token.lemma in {"ты", "вы"} else -1
    tagged = (token.feats.get(name, "") for name in ("Case", "Number", "Gender"))
    return 1 if any(shows <= form for form in _forms(token.text.lower(), token.lemma, *tagged)) else -1


@lru_cache(maxsize=50_000)
def _forms(word: str, lemma: str, case: str, number: str, gender: str) -> tuple[frozenset[str], ...]:
    """What a verb may show beside this subject, one set for every nominative the word may be."""
    if lemma in _PRONOUN_FORMS:
        return (_PRONOUN_FORMS[lemma],)
    tagged = "plur" if number == "Plur" else next((name for name, tag in _GENDERS.items() if tag == gender), "")
    forms = nominatives(word) | ({tagged} if case == "Nom" or not nominatives(word) else set())
    return tuple(
        frozenset({"3per", "plur"} if form == "plur" else {"3per", "sing", *([form] if form else _GENDERS)})
        for form in forms
    )


def _deed(outline: _Outline, predicate: int) -> int | None:
    """The verb that gives the act: the predicate, the infinitive of a modal, or none where the predicate is nominal."""
    kind = outline.kinds[predicate]
    if kind in _VERBAL and outline.sentence[predicate].lemma not in MODALS:
        return predicate
    if kind not in _VERBAL and kind not in _TAKES_INFINITIVE:
        return None
    near = [*range(predicate + 1, predicate + 6), *range(predicate - 1, predicate - 5, -1)]
    found = [at for at in near if 0 <= at < len(outline.kinds) and outline.kinds[at] == "infinitive"]
    owned = [at for at in found if outline.heads[at] == predicate]
    beside = [at for at in found if outline.marks[at] == outline.marks[predicate]]
    return next(iter(owned or beside), predicate if kind in _VERBAL else None)


def _fill_clause(draft: _Draft, sentence: Sentence, clause: Clause) -> None:
    slots = agent_and_act(sentence, clause)
    if clause.subject is not None:
        draft.put("agent", slots["agent"], clause.subject_certainty, sentence[clause.subject])
    if clause.deed is not None:
        draft.put("act", slots["act"], clause.certainty, sentence[clause.deed])


def _is_negated(sentence: Sentence, verb: int) -> bool:
    """`не пал`, but not `чуть не пал`."""
    before = [token.lemma for token in sentence[max(0, verb - 2) : verb]]
    return before[-1:] == ["не"] and before[:1] not in (["чуть"], ["едва"])


def _fill_background(draft: _Draft, sentences: Sequence[Sentence], told: _Told | None) -> None:
    """`field` and `tone`: chosen together, since one attribute must not serve both."""
    agent = draft.slots.get("agent")
    places = [item for item in _places(sentences, told) if shown(item[1]) != agent]
    best = max(places, key=lambda item: item[0], default=None)
    background, sure = best[1:] if best else (None, 0.0)
    tone = max(_tones(sentences, told, agent), key=lambda item: item[0], default=None)
    if background is not None:
        quality = None if tone and tone[2] is background else _attribute(sentences, background)
        phrase = _phrase(quality, background) if quality else None
        if quality and phrase and len(phrase) <= 24:
            draft.put("field", phrase, sure, quality, background)
        else:
            draft.put("field", background.lemma, sure, background)
    if tone is not None:
        _, quality, noun = tone
        sure = _ADVERB_CONFIDENCE if is_manner(quality) else _QUALITY_CONFIDENCE
        alone = noun is None or noun is background or shown(noun) == agent
        phrase = None if alone or noun is None else _phrase(quality, noun)
        if phrase and noun:
            draft.put("tone", phrase, sure, quality, noun)
        else:
            draft.put("tone", _quality(quality), sure, quality)


def _places(sentences: Sequence[Sentence], told: _Told | None) -> Iterator[tuple[float, Token, float]]:
    """Nouns that may be the background, as (score, noun, confidence): after a preposition of place, or an object."""
    for number, sentence in enumerate(sentences):
        near = 1.5 if told is not None and told.sentence == number else 0.0
        for place, token in enumerate(sentence):
            if token.lemma in _PLACES and token.pos == "ADP":
                noun, score = _noun_after(sentence, place), _PLACES[token.lemma] + near
                sure = _PLACE_CONFIDENCE if _PLACES[token.lemma] > 1 else _WAY_CONFIDENCE
            elif near and told and token.pos == "NOUN" and token.feats.get("Case") in _OBLIQUE:
                noun, score, sure = token, -0.1 * abs(place - told.clause.predicate), _OBJECT_CONFIDENCE
            else:
                continue
            if noun is not None and is_content(noun) and not is_proper(noun):
                yield score + rarity(noun.lemma, noun.text.lower()) / 10, noun, sure


def _noun_after(sentence: Sentence, place: int) -> Token | None:
    for token in sentence[place + 1 : place + 5]:
        if token.pos in {"NOUN", "PROPN"}:
            return token
        if token.pos not in _SKIPPED_BEFORE_NOUN and "PRTF" not in token.grammemes:
            return None
    return None


def _tones(
    sentences: Sequence[Sentence], told: _Told | None, agent: object
) -> Iterator[tuple[float, Token, Token | None]]:
    """What colours the passage: (score, quality, the noun it belongs to or None for an adverb)."""
    for number, sentence in enumerate(sentences):
        near = 0.6 if told is not None and told.sentence == number else 0.0
        for place, token in enumerate(sentence):
            weight = near + rarity(token.lemma, token.text.lower()) / 8
            if _is_attribute(token) and place + 1 < len(sentence) and _agree(token, sentence[place + 1]):
                noun = sentence[place + 1]
                yield weight + 0.5 * ("Qual" in token.grammemes) + 0.5 * (shown(noun) == agent), token, noun
            elif "ADJS" in token.grammemes and is_content(token):
                yield weight, token, None
            elif is_manner(token):
                beside = bool(near) and told is not None and abs(told.clause.predicate - place) <= 2
                yield weight + 0.7 * beside, token, None


def _is_attribute(token: Token) -> bool:
    return bool({"ADJF", "PRTF"} & token.grammemes) and is_content(token) and token.known and not is_proper(token)


def _agree(quality: Token, noun: Token) -> bool:
    same = all(quality.feats.get(key) == noun.feats.get(key) for key in ("Case", "Number"))
    return same and noun.pos == "NOUN" and "NOUN" in noun.grammemes and "Abbr" not in noun.grammemes


def _attribute(sentences: Sequence[Sentence], noun: Token) -> Token | None:
    """The attribute right before this very noun."""
    for sentence in sentences:
        for before, token in pairwise(sentence):
            if token is noun and _is_attribute(before) and _agree(before, token):
                return before
    return None


def _phrase(quality: Token, noun: Token) -> str | None:
    """`внутренним жаром` -> `внутренний жар`."""
    number = "plur" if "Pltm" in noun.grammemes else "sing"
    gender = next((name for name in _GENDERS if name in noun.grammemes), "")
    adjective = agreeing(quality.text.lower(), gender, number)
    return f"{adjective} {shown(noun)}" if adjective else None


def _quality(token: Token) -> str:
    """An adjective or participle alone, in its dictionary form; an adverb as it is."""
    if {"ADJF", "PRTF"} & token.grammemes:
        return agreeing(token.text.lower(), "masc", "sing") or token.lemma
    return token.lemma


def _hyperlexeme(words: Sequence[Token], content: Counter[str], carried: set[str]) -> list[Token]:
    """The most telling lemmas in order of appearance: three, two where there are no more, four in a rich passage."""
    first: dict[str, Token] = {}
    for token in words:
        if is_content(token) and not is_manner(token):
            first.setdefault(token.lemma, token)
    ranked = sorted(first.values(), key=lambda token: -_salience(token, content[token.lemma], carried))
    chosen: list[Token] = []
    room = {"verb": 1, "adjective": 1, "noun": 5}
    for token in ranked:
        kind = _kind(token)
        if len(chosen) == (4 if len(content) >= 18 else 3):
            break
        if room[kind] and token.lemma[:4] not in {other.lemma[:4] for other in chosen}:
            room[kind] -= 1
            chosen.append(token)
    order = list(first)
    return sorted(chosen, key=lambda token: order.index(token.lemma))


def _kind(token: Token) -> str:
    if token.pos in {"NOUN", "PROPN"}:
        return "noun"
    return "adjective" if {"ADJF", "ADJS", "COMP"} & token.grammemes else "verb"


def _salience(token: Token, uses: int, carried: set[str]) -> float:
    weight = {"noun": 1.0, "adjective": 0.78, "verb": 0.74}[_kind(token)]
    weight *= 0.5 if is_proper(token) else 1.0 if token.known else 0.6
    weight *= 1.15 if token.lemma in carried else 1.0
    return weight * rarity(token.lemma, token.text.lower()) * (1.1 if uses > 1 else 1.0)


def _spare_noun(words: Sequence[Token], carried: set[str]) -> Token | None:
    """The most telling common noun that nothing carries yet."""
    common = [token for token in words if token.pos == "NOUN" and token.known and is_content(token)]
    spare = [token for token in common if token.lemma not in carried and not is_proper(token)]
    return max(spare, key=lambda token: rarity(token.lemma, token.text.lower()), default=None)
