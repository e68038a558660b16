"""Where scenes change in Russian text: a score for every gap between two units, from place, time, agents and words.

A unit is a passage of prose, or a speech or a stage direction of a play. For each gap the signals compare a window of
units before it with one after it: who acts (names, speakers, who comes back after long or leaves for long), where
(nouns after prepositions of place, verbs of coming and going), when (a time word at the start, tense), whether the
words go on (TextTiling's cosine of content lemmas, weighted by their rarity in this document), whether a talk goes on.
A gap's score is a weighted sum. The weights are a logistic regression's, fitted on the hidden chapter breaks of 24
novels, since Russian has no scenes marked in prose, and for plays on the acts and scenes of half of RusDraCor
(`python -m benchmarks.fit_boundaries`).
Cost: linear in the tokens, 4-5 microseconds a word. Sources: Hearst, "TextTiling" (1997); Zehe et al., "Detecting
Scenes in Fiction" (2021).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from hyperbridge.corpus.content_ru import is_content, is_proper
from hyperbridge.corpus.languages import Opening
from hyperbridge.corpus.parsing_ru import Token, lexicon
from hyperbridge.corpus.scene_tree import choose_boundaries

_WINDOW_WORDS, _MIN_WINDOW, _MAX_WINDOW = 220, 4, 14
_LONG_AGO = 40
_START = 7

_TIME_ADVERBS = lexicon(
    "утром вечером ночью днем днём наутро назавтра вчера сегодня завтра накануне однажды весной весною летом осенью "
    "зимой зимою поутру ввечеру вскоре спустя прежде потом затем тем наконец между теперь когда"
)
_TIME_NOUNS = lexicon(
    "день утро вечер ночь час неделя месяц год минута время пора лето зима весна осень воскресенье понедельник вторник "
    "среда четверг пятница суббота январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь "
    "рассвет заря закат полдень полночь сумерки праздник пасха рождество святки пост обед ужин обедня вечерня сутки "
    "полчаса полгода четверть век мгновение"
)
_PLACE_NOUNS = lexicon(
    "комната дом улица сад лес поле дорога город деревня село изба двор площадь зал зала гостиная кабинет спальня "
    "столовая кухня передняя крыльцо дверь окно церковь монастырь лавка трактир гостиница станция вокзал вагон "
    "карета коляска берег река море озеро гора степь лагерь крепость тюрьма театр сцена декорация дворец палата хата "
    "хутор имение усадьба квартира контора суд школа гимназия больница кладбище мост набережная роща аллея беседка"
)
_COMING = lexicon(
    "входить войти вбегать вбежать появляться появиться показываться показаться являться явиться приходить "
    "прийти приехать приезжать вернуться возвращаться воротиться подойти подходить выходить выйти выбегать въехать "
    "въезжать вводить вносить подъехать"
)
_GOING = lexicon(
    "уходить уйти убегать убежать уехать уезжать удаляться удалиться отправиться отправляться скрыться скрываться "
    "уводить увести уносить исчезать исчезнуть расходиться разойтись проститься прощаться"
)
_GREETING = lexicon("здравствовать здравствуй здравствуйте кланяться поклон рекомендовать пожаловать")
_PARTING = lexicon("прощать прощай прощайте свидание ступать ступай поди подите пойти идти пора ехать поехать")
_HERALDS = lexicon("идти вот слышать стучать стук кто шаг")
_CAST = lexicon("те же один одна одни кроме прочие без")
_LINKS = lexicon("и а но да же ну нет то этот тот он она они оно так поэтому потому ли впрочем однако")
_DASHES = frozenset("—–-")
_STOPS = frozenset(".?!…:;")

Sentence = Sequence[Token]


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of text between two gaps.

    Attributes:
        sentences: its parsed sentences; a tree is not needed.
        speaker: who says it, in a play.
        stage: it is a stage direction.
    """

    sentences: Sequence[Sentence]
    speaker: str | None = None
    stage: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How scenes are found in one sort of text.

    Attributes:
        weights: of the signals; the sum is about the log-odds of a boundary.
        deviations: a boundary's score is at least so many standard deviations above the document's mean,
        level: and at least this.
        min_words: no scene is shorter.
    """

    weights: dict[str, float]
    deviations: float
    level: float
    min_words: int


PROSE = Settings(
    {
        "bias": -8.87,
        "new_share": 0.44,
        "gone_share": 0.21,
        "tense_shift": 1.02,
        "agents_shift_wide": 1.26,
        "place_shift": 0.83,
        "arrives": 0.46,
        "left_before": 0.17,
        "arrive_both": 0.29,
        "leave_both": 0.23,
        "cast_moves": -0.41,
        "long_after": 0.8,
        "long_before": -0.43,
        "place_first": 0.21,
        "time_first": 0.92,
        "talk_on": -2.14,
        "talk_ends": -0.31,
        "talk_starts": -1.88,
        "asks": -0.77,
        "linked": -0.9,
        "named_first": 0.48,
        "comes_after": 0.14,
        "comes_before": 0.18,
        "goes_after": 0.12,
        "greets_after": 0.99,
        "parts_before": 0.45,
        "heralds_before": -0.31,
        "words_shift": 3.48,
        "words_valley": 3.43,
        "break": 4.0,
    },
    deviations=1.0,
    level=float("-inf"),
    min_words=150,
)
"""Prose, for scenes of about 600 words. The weight of `break` is set, not fitted: asterisks are printed on purpose."""
PLAY = Settings(
    {
        "bias": -5.9,
        "new_share": 0.46,
        "gone_share": 1.17,
        "tense_shift": 0.27,
        "agents_shift": 0.69,
        "agents_shift_wide": -1.08,
        "arrives": 1.2,
        "arrives_soon": -0.26,
        "leaves": 0.19,
        "left_before": -0.14,
        "arrive_both": -0.98,
        "leave_both": -1.83,
        "cast_moves": 1.17,
        "long_after": 2.59,
        "long_before": 0.8,
        "place_first": -0.13,
        "time_first": 0.58,
        "talk_on": -1.33,
        "talk_ends": 1.13,
        "talk_starts": -1.02,
        "asks": -0.58,
        "linked": 0.13,
        "named_first": 1.46,
        "stage_after": 2.35,
        "stage_before": 0.2,
        "cast": 3.3,
        "comes_after": -1.59,
        "goes_before": 1.44,
        "comes_before": 0.23,
        "goes_after": -2.4,
        "greets_after": -0.66,
        "parts_before": 0.65,
        "heralds_before": -0.49,
        "words_shift": 0.23,
        "words_valley": 0.56,
    },
    deviations=0.0,
    level=-0.5,
    min_words=30,
)
"""Plays with speakers and stage directions."""
SPEECHES = Settings(
    {
        "bias": -3.65,
        "new_share": 0.26,
        "gone_share": 0.22,
        "agents_shift": 0.22,
        "agents_shift_wide": 0.15,
        "arrives": 0.31,
        "arrives_soon": 0.18,
        "leaves": 0.18,
        "left_before": 0.23,
        "arrive_both": 0.11,
        "cast_moves": 0.43,
        "long_after": 0.1,
        "long_before": 0.12,
        "asks": -0.15,
        "parts_before": 0.19,
    },
    deviations=0.5,
    level=float("-inf"),
    min_words=150,
)
"""Plays of which only the speeches and who says them are known."""


@dataclass(slots=True)
class Traces:
    """What a unit shows of its scene, each read off its tokens once; small beside the tokens.

    Attributes:
        length: of the unit in tokens, marks included; `words` are those with letters.
    """

    agents: frozenset[str]
    content: Counter[str]
    places: frozenset[str]
    words: int
    length: int
    talk: bool
    stage: bool
    asks: bool
    linked: bool
    named_first: bool
    time_first: bool
    place_first: bool
    cast: bool
    comes: bool
    goes: bool
    greets: bool
    parts: bool
    heralds: bool
    past: int
    present: int


def traces_of(unit: Unit) -> Traces:
    tokens = [token for sentence in unit.sentences for token in sentence if token.text[:1].isalpha()]
    first = unit.sentences[0] if unit.sentences else ()
    start = [token for token in first if token.text[:1].isalpha()][:_START]
    last = next((token.text for token in reversed(unit.sentences[-1]) if token.text[:1] in _STOPS), "") if first else ""
    lemmas = {token.lemma for token in tokens}
    return Traces(
        agents=frozenset([_name(unit.speaker)]) if unit.speaker else frozenset(_agents(tokens, unit.stage)),
        content=Counter(token.lemma for token in tokens if is_content(token)),
        places=frozenset(_places(unit.sentences)),
        words=len(tokens),
        length=sum(map(len, unit.sentences)),
        talk=unit.speaker is not None or (bool(first) and first[0].text[:1] in _DASHES),
        stage=unit.stage,
        asks=last[:1] == "?",
        linked=bool(start) and start[0].lemma in _LINKS,
        named_first=any(is_proper(token) and token.feats.get("Case") == "Nom" for token in start),
        time_first=any(token.lemma in _TIME_NOUNS or token.text.lower() in _TIME_ADVERBS for token in start),
        place_first=any(token.lemma in _PLACE_NOUNS for token in start),
        cast=unit.stage and any(token.text.lower() in _CAST for token in start[:3]),
        comes=bool(lemmas & _COMING),
        goes=bool(lemmas & _GOING),
        greets=bool({token.lemma for token in start} & _GREETING),
        parts=bool(lemmas & _PARTING),
        heralds=bool(unit.sentences) and any(token.lemma in _HERALDS for token in unit.sentences[-1]),
        past=sum(token.feats.get("Tense") == "Past" for token in tokens),
        present=sum(token.feats.get("Tense") in {"Pres", "Fut"} for token in tokens),
    )


def _name(speaker: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in speaker.lower()).split())


def _agents(tokens: Sequence[Token], stage: bool) -> Iterator[str]:
    """Names of persons, and common nouns of living beings where they act (in the nominative)."""
    for token in tokens:
        if token.pos == "PROPN" or (is_proper(token) and "Geox" not in token.grammemes):
            if "Geox" not in token.grammemes:
                yield token.lemma
        elif "anim" in token.grammemes and (stage or token.feats.get("Case") == "Nom") and "NOUN" in token.grammemes:
            yield token.lemma


def _places(sentences: Sequence[Sentence]) -> Iterator[str]:
    """Nouns of place, and nouns after a preposition that stand in the locative."""
    for sentence in sentences:
        for token in sentence:
            located = token.pos == "NOUN" and token.feats.get("Case") == "Loc" and token.lemma not in _TIME_NOUNS
            if located or token.lemma in _PLACE_NOUNS or "Geox" in token.grammemes:
                yield token.lemma


def gap_signals(evidence: Sequence[Traces], openings: Sequence[Opening]) -> list[dict[str, float]]:
    """The signals of each gap, by name, about 0..1 each; `[number]` is the gap before unit `number + 1`.

    Args:
        evidence: of each unit.
        openings: how each unit begins.
    """
    if len(evidence) < 2:
        return []
    mean = sum(item.words for item in evidence) / len(evidence)
    window = min(_MAX_WINDOW, max(_MIN_WINDOW, round(_WINDOW_WORDS / max(mean, 1.0))))
    ages = [_ages(evidence, step) for step in (1, -1)]
    likeness = _likeness(evidence, window)
    valley = _valleys(likeness)
    agents, places = [item.agents for item in evidence], [item.places for item in evidence]
    shifts = {
        "agents_shift": _shifts(agents, window),
        "agents_shift_wide": _shifts(agents, 2 * window),
        "place_shift": _shifts(places, window),
    }
    found = []
    for gap in range(1, len(evidence)):
        signals = _window_signals(evidence, gap, window)
        signals.update((name, values[gap - 1]) for name, values in shifts.items())
        signals.update(_age_signals(ages[0], ages[1], gap))
        signals.update(_edge_signals(evidence[gap - 1], evidence[gap]))
        signals["words_shift"], signals["words_valley"] = 1.0 - likeness[gap - 1], valley[gap - 1]
        signals["break"] = float(openings[gap] == "break")
        found.append(signals)
    return found


def _ages(evidence: Sequence[Traces], step: int) -> list[float]:
    """For each unit 0..1: how long ago (or, with step -1, how far ahead) its longest absent agent was last there."""
    last: dict[str, int] = {}
    ages = [0.0] * len(evidence)
    order = range(len(evidence)) if step == 1 else range(len(evidence) - 1, -1, -1)
    for count, number in enumerate(order):
        for agent in evidence[number].agents:
            away = min(_LONG_AGO, count - last[agent]) if agent in last else _LONG_AGO
            ages[number] = max(ages[number], math.log(away) / math.log(_LONG_AGO))
            last[agent] = count
    return ages


def _age_signals(since: Sequence[float], until: Sequence[float], gap: int) -> dict[str, float]:
    soon = since[gap + 1 : gap + 3]
    before = until[max(0, gap - 3) : gap - 1]
    return {
        "arrives": since[gap],
        "arrives_soon": max(soon, default=0.0),
        "leaves": until[gap - 1],
        "left_before": max(before, default=0.0),
        "arrive_both": min(since[gap : gap + 2]),
        "leave_both": min(until[max(0, gap - 2) : gap]),
        "cast_moves": max(since[gap : gap + 2]) * max(until[max(0, gap - 2) : gap]),
    }


def _window_signals(evidence: Sequence[Traces], gap: int, window: int) -> dict[str, float]:
    before, after = evidence[max(0, gap - 2 * window) : gap], evidence[gap : gap + 2 * window]
    return {
        "bias": 1.0,
        "new_share": _absent(after[:6], before),
        "gone_share": _absent(before[-6:], after),
        "tense_shift": abs(_past_share(before[-3:]) - _past_share(after[:3])),
    }


def _absent(near: Sequence[Traces], far: Sequence[Traces]) -> float:
    """Share of the agents on one side, near the gap, that are not there on the other."""
    here = set().union(*[item.agents for item in near])
    return len(here.difference(*[item.agents for item in far])) / len(here) if here else 0.0


def _shifts(members: Sequence[frozenset[str]], window: int) -> list[float]:
    """For each gap 1 - cosine of how often each member is there in the windows beside it; the windows slide."""
    before: Counter[str] = Counter()
    after = Counter(chain.from_iterable(members[:window]))
    found = []
    for gap in range(1, len(members)):
        moved = members[gap - 1]
        before.update(moved)
        _take(after, moved)
        if gap > window:
            _take(before, members[gap - 1 - window])
        after.update(*members[gap - 1 + window : gap + window])
        found.append(_shift(before, after))
    return found


def _take(counts: Counter[str], members: frozenset[str]) -> None:
    """Count members off, and leave no zeros."""
    for member in members:
        if counts[member] == 1:
            del counts[member]
        else:
            counts[member] -= 1


def _shift(before: Counter[str], after: Counter[str]) -> float:
    """1 - cosine of two counts; one half where a side shows nothing."""
    return 1.0 - _cosine(before, after) if before and after else 0.5


def _cosine(one: dict[str, float] | Counter[str], other: dict[str, float] | Counter[str]) -> float:
    shared = sum(count * other[key] for key, count in one.items() if key in other)
    if not shared:
        return 0.0
    lengths = sum(count * count for count in one.values()) * sum(count * count for count in other.values())
    return float(shared / math.sqrt(lengths))


def _past_share(items: Sequence[Traces]) -> float:
    past, present = sum(item.past for item in items), sum(item.present for item in items)
    return (past + 1) / (past + present + 2)


def _likeness(evidence: Sequence[Traces], window: int) -> list[float]:
    """For each gap: cosine of the content lemmas of the windows beside it, each weighted by its rarity here."""
    count = len(evidence)
    spread = Counter(lemma for item in evidence for lemma in item.content)
    weights = {lemma: math.log(count / found) for lemma, found in spread.items()}
    vectors = [{lemma: uses * weights[lemma] for lemma, uses in item.content.items()} for item in evidence]
    found = []
    for gap in range(1, count):
        left, right = _sum(vectors[max(0, gap - window) : gap]), _sum(vectors[gap : gap + window])
        found.append(_cosine(left, right))
    return found


def _sum(vectors: Sequence[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for vector in vectors:
        for lemma, weight in vector.items():
            total[lemma] = total.get(lemma, 0.0) + weight
    return total


def _valleys(likeness: Sequence[float]) -> list[float]:
    """TextTiling's depth of each gap: how far likeness climbs on both sides of it before it falls again."""
    rises = []
    for values in (likeness, likeness[::-1]):
        peaks: list[float] = []
        for number, value in enumerate(values):
            climbs = number > 0 and values[number - 1] >= value
            peaks.append(max(peaks[-1], values[number - 1]) if climbs else value)
        rises.append([peak - value for peak, value in zip(peaks, values, strict=True)])
    return [min(1.0, before + after) for before, after in zip(rises[0], rises[1][::-1], strict=True)]


def _edge_signals(before: Traces, after: Traces) -> dict[str, float]:
    flags = {
        "place_first": after.place_first,
        "time_first": after.time_first,
        "talk_on": before.talk and after.talk,
        "talk_ends": before.talk and not after.talk,
        "talk_starts": after.talk and not before.talk,
        "asks": before.asks,
        "linked": after.linked,
        "named_first": after.named_first,
        "stage_after": after.stage,
        "stage_before": before.stage,
        "cast": after.cast,
        "comes_after": after.comes,
        "goes_before": before.goes,
        "comes_before": before.comes,
        "goes_after": after.goes,
        "greets_after": after.greets,
        "parts_before": before.parts,
        "heralds_before": before.heralds,
    }
    sizes = {"long_after": min(1.0, after.words / 100), "long_before": min(1.0, before.words / 100)}
    return sizes | {name: float(flag) for name, flag in flags.items()}


def gap_scores(evidence: Sequence[Traces], openings: Sequence[Opening], settings: Settings) -> list[float]:
    """The score of each gap; minus infinity inside a paragraph, where no scene can begin."""
    scores = []
    for opening, signals in zip(openings[1:], gap_signals(evidence, openings), strict=True):
        total = sum(weight * signals[name] for name, weight in settings.weights.items())
        scores.append(float("-inf") if opening == "sentence" else total)
    return scores


def find_boundaries(evidence: Sequence[Traces], openings: Sequence[Opening], settings: Settings) -> list[int]:
    """The indices of the units that open a scene; the first unit, which always does, only under a heading.

    Args:
        evidence: of each unit of the document, in order.
        openings: how each unit begins.
        settings: for its sort of text.
    """
    return choose_boundaries(
        gap_scores(evidence, openings, settings),
        [item.length for item in evidence],
        deviations=settings.deviations,
        level=settings.level,
        min_words=settings.min_words,
        always=[number for number, opening in enumerate(openings) if opening == "heading"],
    )
