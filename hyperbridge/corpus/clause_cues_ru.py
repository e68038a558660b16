"""What speaks for a word as the predicate of a Russian sentence, and for another as its subject: the cues.

A cue is a short name (`finite`, `after-verb-1`, `agreement--1-with-verb`) of a word's part of speech, punctuation,
conjunctions, agreement in number, gender and person, distance, and in prose its place in the parser's tree. In verse,
half of which is misparsed, the tree is left out: with it a subject is found hardly more often. clauses_ru.py weighs
the cues, benchmarks/fit_clauses.py fits their weights. Cost: linear in the tokens, but for verbs times nouns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from hyperbridge.corpus.content_ru import TIMES, Sentence
from hyperbridge.corpus.parsing_ru import SUBJECTS, Token, lexicon, nominatives

_MEASURES = lexicon("много мало немного немало сколько несколько столько больше меньше более менее")
# Words that open a dependent clause, and those that only liken one thing to another.
_OPENERS = lexicon(
    "который что кто где когда если как чтобы куда чей пока хотя какой почему зачем откуда будто словно поскольку чем "
    "ибо сколько каков раз едва лишь"
)
_OPENER_TAGS = frozenset({"SCONJ", "ADV", "PRON", "DET"})
_LIKE = lexicon("как чем будто словно точно")
_RELATIVES = lexicon("который кто что")
# What a list of subjects is made of, and how many words of it are looked through for its last `и`.
_AND, _QUALITIES, _NOMINALS = lexicon("и да"), frozenset({"ADJ", "DET"}), frozenset({"NOUN", "PROPN", "PRON"})
_LONGEST_LIST = 10
_DASHES = frozenset("—–-")
# How far from its participle a doer may stand where no tree ties it to it.
_NEAR_DOER = 3
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
# Verbs that give way to their infinitive: what is done is what one can, wants or begins to do.
MODALS = lexicon(
    "мочь смочь хотеть захотеть хотеться захотеться стать начать начинать уметь суметь желать пожелать сметь посметь "
    "продолжать продолжить приходиться прийтись удаться удаваться успеть успевать изволить"
)
# Verbs whose short participle takes an infinitive: `обязан прийти`.
_BINDING = lexicon("обязать вынудить принудить заставить")
# Verbs after whose passive the instrumental is what one becomes, not who did it: `избран старостой`.
_APPOINTING = lexicon(
    "назначить избрать выбрать признать назвать объявить сделать считать сочесть провозгласить наречь поставить "
    "произвести"
)
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
_GENDERS = {"masc": "Masc", "femn": "Fem", "neut": "Neut"}


class SentenceOutline:
    """A sentence with what the cues need of every place, gathered in one pass.

    Attributes:
        kinds: what a word may be as a predicate (`finite`, `noun`, ...), "" where it is none.
        marks, verbs: how many punctuation marks, how many finite verbs come before a place.
        dependent: whether the stretch between marks was opened by a conjunction or a relative word.
        brackets: depth of brackets.
        governed: whether a preposition waits for its noun.
        nominals: places of words that may be a subject.
        owners: predicate -> its subject in the parser's tree.
        agreements: (subject, predicate) -> what `_agreement` has found.
    """

    def __init__(self, sentence: Sentence, verse: bool) -> None:
        self.sentence, self.verse = sentence, verse
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
        self.agreements: dict[tuple[int, int], int] = {}
        self.owners: dict[int, int] = {}
        self.children = Counter(self.heads)
        for place, relation in enumerate(self.relations):
            if relation in SUBJECTS:
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


def predicate_options(outline: SentenceOutline) -> list[tuple[int, list[str]]]:
    """The places that may be the predicate, each with its cues."""
    places = (place for place in range(len(outline.sentence)) if _may_be_predicate(outline, place))
    return [(place, _predicate_cues(outline, place)) for place in places]


def subject_options(outline: SentenceOutline, predicate: int) -> list[tuple[int | None, list[str]]]:
    """That the predicate's subject is not said (None), and the places that may be it, each with its cues."""
    places = [place for place in outline.nominals if place != predicate]
    straight = [place for place in places if _is_straight(outline, place, predicate)]
    leaders = (_nearest(outline, straight, predicate), min(straight, default=None))
    takes = _takes_object(outline, predicate)
    said = [(place, _subject_cues(outline, place, predicate, leaders, takes)) for place in places]
    return [(None, _no_subject_cues(outline, predicate, takes)), *said]


def deed_of(outline: SentenceOutline, predicate: int) -> int | None:
    """The verb that gives the act: the predicate, the infinitive of a modal, or none where the predicate is nominal."""
    kind = outline.kinds[predicate]
    lemma = outline.sentence[predicate].lemma
    if kind in _VERBAL and lemma not in (_BINDING if kind == "short-participle" else MODALS):
        return predicate
    if kind not in _VERBAL and kind not in _TAKES_INFINITIVE:
        return None
    near = [*range(predicate + 1, predicate + 6), *range(predicate - 1, predicate - 5, -1)]
    found = [at for at in near if 0 <= at < len(outline.kinds) and outline.kinds[at] == "infinitive"]
    owned = [at for at in found if outline.heads[at] == predicate]
    beside = [at for at in found if outline.marks[at] == outline.marks[predicate]]
    return next(iter(owned or beside), predicate if kind in _VERBAL else None)


def agent_of(outline: SentenceOutline, predicate: int, subject: int | None) -> int | None:
    """Who acts: the subject; of a passive with a short participle whoever it is done by, if that is said."""
    deed = deed_of(outline, predicate)
    if outline.kinds[predicate] != "short-participle" or deed != predicate:
        return subject
    if outline.sentence[predicate].lemma in _APPOINTING:
        return None
    places = [place for place in range(len(outline.sentence)) if _may_be_doer(outline, place, predicate)]
    return _nearest(outline, places, predicate)


def _may_be_doer(outline: SentenceOutline, place: int, predicate: int) -> bool:
    token = outline.sentence[place]
    told = outline.relations[place] == "obl:agent" and outline.heads[place] == predicate
    if not (told or token.feats.get("Case") == "Ins") or outline.governed[place] or not _lives(token):
        return False
    near = abs(place - predicate) <= _NEAR_DOER and outline.marks[place] == outline.marks[predicate]
    return outline.heads[place] == predicate or near


def _kind_of_predicate(token: Token) -> str:
    if not token.text[0].isalnum():
        return ""
    if token.lemma == "быть" and "VERB" in token.grammemes:
        return "be"
    return _kind(token.pos, token.grammemes, token.feats.get("Case"), token.known)


@lru_cache(maxsize=20_000)
def _kind(pos: str, grammemes: frozenset[str], case: str | None, known: bool) -> str:
    names = [name for name in _VERB_KINDS if name in grammemes and (name != "PRTF" or pos == "VERB")]
    if not names:
        return _kind_of_nominal(pos, case, known)
    if "impr" in grammemes:
        return "imperative"
    kind = _VERB_KINDS[names[0]]
    return "untagged" if kind == "finite" and pos not in {"VERB", "AUX"} else kind


def _kind_of_nominal(pos: str, case: str | None, known: bool) -> str:
    if pos in {"VERB", "AUX"}:
        return "guess" if known else "unknown"
    if pos in {"NOUN", "PROPN", "X"}:
        return {"Nom": "noun", "Ins": "noun-ins", None: "caseless"}.get(case, "noun-oblique")
    if pos == "ADJ":
        return {"Nom": "adjective", "Ins": "adjective-ins", None: "quality"}.get(case, "adjective-oblique")
    if pos in {"PRON", "DET"}:
        return "pronoun" if case == "Nom" else "pronoun-oblique"
    return {"ADV": "adverb", "NUM": "number", "PART": "particle", "INTJ": "cry", "SYM": "sign"}.get(pos, "")


def _may_be_predicate(outline: SentenceOutline, place: int) -> bool:
    kind = outline.kinds[place]
    if kind == "pronoun-oblique" and place and outline.sentence[place - 1].lemma == "у":  # `у неё сын`
        return True
    return kind != "" and (outline.relations[place] == "root" or kind not in _SELDOM_PREDICATES)


def _predicate_cues(outline: SentenceOutline, place: int) -> list[str]:
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
            side = "before" if place < outline.dash else "after"
            cues += [f"{kind}-{side}-dash", f"nominal-{side}-dash"]
    elif kind in _FINITE:
        near = [at for at in outline.nominals if outline.marks[at] == outline.marks[place]]
        cues.append(f"verb-beside-{min(2, sum(_agreement(outline, at, place) > 0 for at in near))}-agreeing")
    return cues


def _is_remark(outline: SentenceOutline, place: int) -> bool:
    """`— Ладно, — сказал он`: the verb opens what the author says between two pieces of speech."""
    at = place - 1
    while at > 1 and outline.sentence[at].pos in {"PART", "ADV"}:
        at -= 1
    return at > 0 and outline.sentence[at].text in _DASHES and outline.sentence[at - 1].pos == "PUNCT"


def _tree_cues(outline: SentenceOutline, place: int, group: str) -> list[str]:
    relation, head = outline.relations[place], outline.heads[place]
    if not relation:
        return []
    cues = [f"tree-{relation.partition(':')[0]}", f"tree-children-{min(4, outline.children[place])}"]
    cues += [f"tree-{group}-root"] if relation == "root" else []
    cues += [f"tree-{group}-with-subject"] if place in outline.owners else []
    return cues + ([f"tree-{group}-under-root"] if head < 0 or outline.relations[head] == "root" else [])


def _may_be_subject(outline: SentenceOutline, place: int) -> bool:
    token = outline.sentence[place]
    if not token.text[0].isalnum() or token.pos in {"ADP", "CCONJ", "SCONJ", "PART", "PUNCT"}:
        return outline.relations[place] in SUBJECTS and token.text[0].isalpha()
    if outline.relations[place] in SUBJECTS:
        return True
    if token.pos in {"NOUN", "PROPN", "PRON", "DET", "ADJ", "NUM", "X"}:
        nominative = token.feats.get("Case") in {"Nom", None} or "nomn" in token.grammemes
        return nominative or bool(nominatives(token.text.lower())) or _is_counted(outline, place)
    return "VERB" not in token.grammemes and bool(nominatives(token.text.lower()))


def _is_counted(outline: SentenceOutline, place: int) -> bool:
    """`два языка`, `много людей`: the subject is what is counted."""
    before = outline.sentence[place - 1] if place else None
    counted = before is not None and (before.pos == "NUM" or before.lemma in _MEASURES)
    return counted and outline.sentence[place].feats.get("Case") == "Gen" and not outline.governed[place]


def _subject_cues(
    outline: SentenceOutline, place: int, predicate: int, leaders: tuple[int | None, int | None], takes: str
) -> list[str]:
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
    cues += ["stretch-of-time"] if token.lemma in TIMES else []
    cues += [
        f"{name}-of-{group}" for name, leader in zip(("nearest", "first"), leaders, strict=True) if leader == place
    ]
    return cues + _object_cues(outline, place, takes, side) + _neighbour_cues(outline, place, predicate, group)


def _object_cues(outline: SentenceOutline, place: int, takes: str, side: str) -> list[str]:
    """Whether the word is rather the object: alive or not, beside a verb that takes an object or not.

    In verse the order tells little of it: `Меня зовёт далёкий берег`.
    """
    token = outline.sentence[place]
    life = _life(token)
    if outline.verse:
        return [f"{life}-of-{takes}"]
    shape = "nominative" if nominatives(token.text.lower()) else "oblique"
    return [f"{life}-of-{takes}", f"{life}-{side}-{takes}", f"{token.feats.get('Case')}-{shape}-{life}-{takes}"]


def _takes_object(outline: SentenceOutline, predicate: int) -> str:
    deed = deed_of(outline, predicate)
    grammemes = outline.sentence[predicate if deed is None else deed].grammemes
    return next((name for name in ("PRTS", "tran", "intr") if name in grammemes), "other")


def _lives(token: Token) -> bool:
    noun = token.pos in {"NOUN", "PROPN"}
    return token.lemma in _PRONOUN_FORMS or (noun and "anim" in token.grammemes) or _is_unknown_name(token)


def _is_unknown_name(token: Token) -> bool:
    return token.pos == "PROPN" and not token.known


def _life(token: Token) -> str:
    if token.pos in {"PRON", "DET"}:
        return "pronoun"
    if "anim" in token.grammemes or _is_unknown_name(token):
        return "anim"
    return "inan" if "inan" in token.grammemes else "other"


def _case_cue(token: Token) -> str:
    """What the tagger says of the case, and whether the dictionary knows the word as a nominative."""
    if token.pos not in {"NOUN", "PROPN"} or not token.known:
        return f"case-{token.feats.get('Case')}"
    return f"case-{token.feats.get('Case')}-{'nominative' if nominatives(token.text.lower()) else 'oblique'}"


def _neighbour_cues(outline: SentenceOutline, place: int, predicate: int, group: str) -> list[str]:
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
    cues += [f"prev-{before.pos if before else 'none'}", f"next-{after.pos if after else 'none'}"]
    if before is not None and before.pos in {"ADJ", "DET"}:
        cues.append(f"quality-{before.feats.get('Case')}")
    if group == "noun" and outline.dash is not None and place < outline.dash < predicate:
        cues.append("dash-between")
    return cues


def _no_subject_cues(outline: SentenceOutline, predicate: int, takes: str) -> list[str]:
    token, kind = outline.sentence[predicate], outline.kinds[predicate]
    agreeing_ = sum(_agreement(outline, place, predicate) > 0 for place in outline.nominals if place != predicate)
    cues = ["unsaid", f"unsaid-of-{kind}", f"unsaid-beside-{min(2, agreeing_)}-agreeing"]
    cues += [f"unsaid-{name}" for name in ("1per", "2per", "3per", "neut", "plur") if name in token.grammemes]
    objects = any(
        token.feats.get("Case") == "Acc" and not governed
        for token, governed in zip(outline.sentence, outline.governed, strict=True)
    )
    cues.append(f"unsaid-{takes}-{'with' if objects else 'without'}-object")
    cues += (
        ["unsaid-after-dash"] if outline.dash is not None and outline.dash < predicate and not outline.verbs[-1] else []
    )
    cues.append(f"unsaid-{token.feats.get('Tense')}-{token.feats.get('Number')}")
    return cues + (["unsaid-in-tree"] if outline.relations[predicate] and predicate not in outline.owners else [])


def _relation(outline: SentenceOutline, place: int, predicate: int) -> str:
    relation = outline.relations[place]
    if relation in SUBJECTS:
        return "subject" if outline.heads[place] == predicate else "foreign-subject"
    return relation.partition(":")[0] or "none"


def _kind_of_subject(token: Token) -> str:
    if token.pos == "PRON":
        return "personal" if token.lemma in _PRONOUN_FORMS else "relative" if token.lemma in _RELATIVES else "pronoun"
    return token.pos


def _is_straight(outline: SentenceOutline, place: int, predicate: int) -> bool:
    """A tagged nominative that no preposition governs and that does not clash with the predicate."""
    nominative = outline.sentence[place].feats.get("Case") == "Nom" and not outline.governed[place]
    return nominative and _agreement(outline, place, predicate) >= 0


def _nearest(outline: SentenceOutline, places: Sequence[int], predicate: int) -> int | None:
    """The nearest place; a punctuation mark between counts as three words, and one before wins over one after."""

    def distance(place: int) -> float:
        marks = abs(outline.marks[place] - outline.marks[predicate])
        return 3 * marks + abs(place - predicate) + 0.5 * (place > predicate)

    return min(places, key=distance, default=None)


def _agreement(outline: SentenceOutline, place: int, predicate: int) -> int:
    """Whether a subject goes with a verb in number, gender and person: 1 yes, 0 the verb does not show it, -1 no."""
    known = outline.agreements.get((place, predicate))
    if known is None:
        known = outline.agreements[place, predicate] = _find_agreement(outline, place, predicate)
    return known


def _find_agreement(outline: SentenceOutline, place: int, predicate: int) -> int:
    token, shows = outline.sentence[place], outline.sentence[predicate].grammemes & _SHOWN
    kind = outline.kinds[predicate]
    if not shows or kind not in _FINITE or _is_counted(outline, place):
        return 0
    if kind == "imperative":
        return 1 if token.lemma in {"ты", "вы"} else -1
    tagged = (token.feats.get(name, "") for name in ("Case", "Number", "Gender"))
    if any(shows <= form for form in _forms(token.text.lower(), token.lemma, *tagged)):
        return 1
    return 1 if "plur" in shows and _is_joined(outline, place) else -1


def _is_joined(outline: SentenceOutline, place: int) -> bool:
    """`брат и сестра ушли`: the tree joins another word to this one, or a list goes on to `и` with a nominative."""
    after = range(place + 1, len(outline.sentence))
    if any(outline.heads[at] == place and outline.relations[at] == "conj" for at in after):
        return True
    listed = [outline.sentence[at] for at in after[:_LONGEST_LIST] if outline.sentence[at].pos not in _QUALITIES]
    joint = next((at for at, token in enumerate(listed) if token.text != "," and token.pos not in _NOMINALS), None)
    if joint is None or listed[joint].lemma not in _AND or joint + 1 == len(listed):
        return False
    last = listed[joint + 1]
    nominative = last.feats.get("Case") == "Nom" or bool(nominatives(last.text.lower()))
    return nominative and last.pos in _NOMINALS


@lru_cache(maxsize=20_000)
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
