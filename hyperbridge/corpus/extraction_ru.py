"""A parsed Russian passage -> its components, its hyperlexeme and how much of the passage they carry.

The clause that says most (a common noun as subject, a main verb, rare words) gives `agent` and `act`; a noun after a
preposition of place gives `field`; an attribute or an adverb of manner gives `tone`. In prose the subject is the
tree's; in verse, where trees are poor, it is the nearest nominative that agrees with the verb. The hyperlexeme is
the passage's rarest content lemmas, by word frequencies that do not depend on the corpus, so a passage always gives
the same scene. Cost: linear in the tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hyperbridge.corpus.parsing_ru import NAMES, Token, agreeing, is_adjective, lexicon, rarity

Sentence = Sequence[Token]

# Verbs that introduce speech or help another verb: they say little of what happens.
_WEAK_VERBS = lexicon(
    "быть мочь стать стало становиться хотеть хотеться сказать говорить отвечать ответить спросить спрашивать "
    "прибавить заметить проговорить произнести воскликнуть начать начинать продолжать казаться показаться "
    "являться иметь делать сделать бывать давать дать пойти прийти приходить идти мочься следовать стоять "
    "уметь желать сметь думать подумать знать видеть оказаться приходиться прийтись изволить"
)
_MODALS = lexicon("мочь хотеть стать начать начинать уметь желать сметь продолжать хотеться приходиться прийтись")
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
_PRONOUNS = {"я": 1.6, "мы": 1.6, "ты": 1.4, "вы": 1.3, "он": 1.0, "она": 1.0, "оно": 0.6, "они": 1.0}
_SKIPPED_BEFORE_NOUN = frozenset({"ADJ", "DET", "PRON", "NUM", "ADV", "PART"})
_OBLIQUE = frozenset({"Acc", "Gen", "Ins", "Dat", "Loc"})
_GENDERS = {"masc": "Masc", "femn": "Fem", "neut": "Neut"}


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a passage is about; `components` holds only the slots that were found."""

    hyperlexeme: tuple[str, ...]
    components: dict[str, str | tuple[str, ...]]
    density: float


@dataclass(frozen=True, slots=True)
class _Clause:
    sentence: int
    verb: int
    subject: int | None
    score: float


@dataclass(slots=True)
class _Draft:
    """The slots as they are filled, with the lemmas they carry."""

    slots: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)

    def put(self, slot: str, value: str, *tokens: Token) -> None:
        """Fill a slot with a value made of these tokens."""
        self.slots[slot] = value
        self.carried.update(token.lemma for token in tokens)


def extract(sentences: Sequence[Sentence], *, verse: bool) -> Extraction | str:
    """Components, hyperlexeme and density of a passage, or the reason it is no scene."""
    words = [token for sentence in sentences for token in sentence if token.text[0].isalpha()]
    if sum(not token.known for token in words) > 0.3 * len(words):
        return "mostly words that are not in the dictionary"
    draft = _Draft()
    clause = max(_clauses(sentences, verse), key=lambda clause: clause.score, default=None)
    if clause is not None:
        _fill_clause(draft, sentences[clause.sentence], clause)
    _fill_background(draft, sentences, clause)
    content = Counter(token.lemma for token in words if is_content(token))
    seams = _hyperlexeme(words, content, draft.carried)
    if len(seams) < 2:
        return "fewer than two content words"
    draft.carried.update(seam.lemma for seam in seams)
    spare = _spare_noun(words, draft.carried)
    if spare is not None:
        draft.slots["meta"] = (shown(spare),)
        draft.carried.add(spare.lemma)
    density = sum(lemma in draft.carried for lemma in content) / len(content)
    return Extraction(tuple(shown(seam) for seam in seams), draft.slots, round(density, 2))


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


def _clauses(sentences: Sequence[Sentence], verse: bool) -> Iterator[_Clause]:
    for number, sentence in enumerate(sentences):
        for place, token in enumerate(sentence):
            if not _is_predicate(token):
                continue
            subject = _agreeing_subject(sentence, place) if verse else _tree_subject(sentence, place)
            score = _subject_score(sentence, subject) + rarity(token.lemma, token.text.lower()) / 20 - 0.1 * number
            score += {"root": 1.0, "conj": 0.7}.get(token.rel, 0.0) - 1.2 * (token.lemma in _WEAK_VERBS)
            yield _Clause(number, place, subject, score)


def _is_predicate(token: Token) -> bool:
    if "VERB" in token.grammemes and token.pos in {"VERB", "AUX"}:
        return token.lemma != "быть"
    return "PRTS" in token.grammemes or ("INFN" in token.grammemes and token.rel == "root")


def _subject_score(sentence: Sentence, subject: int | None) -> float:
    if subject is None:
        return 0.0
    token = sentence[subject]
    if token.lemma in _PRONOUNS:
        return _PRONOUNS[token.lemma]
    if token.pos not in {"NOUN", "PROPN"}:
        return 0.2
    return 2.2 if is_proper(token) else 2.0 if token.lemma in _WEAK_NOUNS else 3.0


def _tree_subject(sentence: Sentence, verb: int) -> int | None:
    for place, token in enumerate(sentence):
        if token.head == verb and token.rel in {"nsubj", "nsubj:pass"} and token.pos in {"NOUN", "PROPN", "PRON"}:
            return place
    return None


def _agreeing_subject(sentence: Sentence, verb: int) -> int | None:
    """The nearest nominative noun or personal pronoun that agrees with the verb, one before it if as near."""
    near = range(max(0, verb - 7), min(len(sentence), verb + 8))
    found = [place for place in near if _may_be_subject(sentence[place], sentence[verb])]
    return min(found, key=lambda place: abs(place - verb) + 0.5 * (place > verb), default=None)


def _may_be_subject(token: Token, verb: Token) -> bool:
    if token.feats.get("Case") != "Nom":
        return False
    if token.lemma in _PRONOUNS:
        person = token.feats.get("Person", "3")
        return verb.feats.get("Person", person) == person and _same_number(token, verb)
    if token.pos not in {"NOUN", "PROPN"} or "NOUN" not in token.grammemes or verb.feats.get("Person", "3") != "3":
        return False
    gender = next((_GENDERS[name] for name in _GENDERS if name in token.grammemes), None)
    return _same_number(token, verb) and verb.feats.get("Gender", gender) == gender


def _same_number(token: Token, verb: Token) -> bool:
    return verb.feats.get("Number", "Sing") == token.feats.get("Number", "Sing")


def _fill_clause(draft: _Draft, sentence: Sentence, clause: _Clause) -> None:
    if clause.subject is not None:
        subject = sentence[clause.subject]
        draft.put("agent", shown(subject), subject)
    place = clause.verb
    if sentence[place].lemma in _MODALS:
        near = [*range(place + 1, place + 6), *range(place - 1, place - 5, -1)]
        place = next((at for at in near if 0 <= at < len(sentence) and "INFN" in sentence[at].grammemes), place)
    negated = any(_is_negated(sentence, at) for at in {clause.verb, place})
    verb = sentence[place]
    draft.put("act", f"не {verb.lemma}" if negated else verb.lemma, verb)


def _is_negated(sentence: Sentence, verb: int) -> bool:
    """`не пал`, but not `чуть не пал`."""
    before = [token.lemma for token in sentence[max(0, verb - 2) : verb]]
    return before[-1:] == ["не"] and before[:1] not in (["чуть"], ["едва"])


def _fill_background(draft: _Draft, sentences: Sequence[Sentence], clause: _Clause | None) -> None:
    """`field` and `tone`: chosen together, since one attribute must not serve both."""
    agent = draft.slots.get("agent")
    places = [item for item in _places(sentences, clause) if shown(item[1]) != agent]
    best = max(places, key=lambda item: item[0], default=None)
    background = best[1] if best else None
    tone = max(_tones(sentences, clause, agent), key=lambda item: item[0], default=None)
    if background is not None:
        quality = None if tone and tone[2] is background else _attribute(sentences, background)
        phrase = _phrase(quality, background) if quality else None
        if quality and phrase and len(phrase) <= 24:
            draft.put("field", phrase, quality, background)
        else:
            draft.put("field", background.lemma, background)
    if tone is not None:
        _, quality, noun = tone
        alone = noun is None or noun is background or shown(noun) == agent
        phrase = None if alone or noun is None else _phrase(quality, noun)
        if phrase and noun:
            draft.put("tone", phrase, quality, noun)
        else:
            draft.put("tone", _quality(quality), quality)


def _places(sentences: Sequence[Sentence], clause: _Clause | None) -> Iterator[tuple[float, Token]]:
    """Nouns that may be the background: after a preposition of place, or else an object of the verb."""
    for number, sentence in enumerate(sentences):
        near = 1.5 if clause is not None and clause.sentence == number else 0.0
        for place, token in enumerate(sentence):
            if token.lemma in _PLACES and token.pos == "ADP":
                noun = _noun_after(sentence, place)
                score = _PLACES[token.lemma] + near
            elif near and clause and token.pos == "NOUN" and token.feats.get("Case") in _OBLIQUE:
                noun, score = token, -0.1 * abs(place - clause.verb)
            else:
                continue
            if noun is not None and is_content(noun) and not is_proper(noun):
                yield score + rarity(noun.lemma, noun.text.lower()) / 10, noun


def _noun_after(sentence: Sentence, place: int) -> Token | None:
    for token in sentence[place + 1 : place + 5]:
        if token.pos in {"NOUN", "PROPN"}:
            return token
        if token.pos not in _SKIPPED_BEFORE_NOUN and "PRTF" not in token.grammemes:
            return None
    return None


def _tones(
    sentences: Sequence[Sentence], clause: _Clause | None, agent: object
) -> Iterator[tuple[float, Token, Token | None]]:
    """What colours the passage: (score, quality, the noun it belongs to or None for an adverb)."""
    for number, sentence in enumerate(sentences):
        near = 0.6 if clause is not None and clause.sentence == number else 0.0
        for place, token in enumerate(sentence):
            weight = near + rarity(token.lemma, token.text.lower()) / 8
            if _is_attribute(token) and place + 1 < len(sentence) and _agree(token, sentence[place + 1]):
                noun = sentence[place + 1]
                yield weight + 0.5 * ("Qual" in token.grammemes) + 0.5 * (shown(noun) == agent), token, noun
            elif "ADJS" in token.grammemes and is_content(token):
                yield weight, token, None
            elif is_manner(token):
                beside = clause is not None and clause.sentence == number and abs(clause.verb - place) <= 2
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
