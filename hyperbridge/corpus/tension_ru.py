"""How tense a Russian passage is, 0..1: how much of it is threat, strong feeling, contrast, outcry and held breath.

Eight parts are counted, each a rate brought to 0..1 (see `PARTS`); their weighted sum is put on the scale of the
project by quantiles of a reading corpus. So the thresholds mean something: a quarter of literary passages is at or
above RESONANT 0.7, a quarter is below WEAK 0.4 and asks for rework or for an amplifier: a passage or formula that
shares a lemma with it and is tenser. The value grows with each part and with nothing else. Cost: one look-up a word.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from hyperbridge.corpus.parsing_ru import Token, lexicon

RESONANT, WEAK = 0.7, 0.4
Scored = tuple[Collection[str], float]

_THREAT = lexicon(
    "опасность опасный угроза угрожать грозить гроза беда несчастие несчастье бедствие погибель гибель гибнуть "
    "погибнуть погибать смерть умереть умирать помереть помирать убить убивать убийца убийство зарезать задушить "
    "застрелить казнь казнить палач труп покойник мертвый мертвец гроб могила кровь кровавый рана ранить раненый "
    "враг неприятель война бой битва сражение схватка борьба бороться биться драться драка напасть нападать ударить "
    "удар бить рубить стрелять выстрел пуля штык нож топор сабля меч разбойник злодей злой зло месть мстить "
    "отомстить погоня гнаться бежать убежать вырваться догнать схватить хватать душить пожар пламя гореть загореться "
    "буря вихрь гром молния взрыв падать упасть рухнуть обрушиться пропасть бездна тонуть утонуть яд отрава тюрьма "
    "плен цепь пытка мука мучить терзать рвать разорвать ломать сломать разбить проклятие проклятый проклинать "
    "преступление преступник измена предать обмануть обман змей ведьма черт дьявол бес чудовище "
    "ад гнать изгнать терять потерять погубить сгубить лишить лишиться отнять украсть ссора ссориться спор спорить "
    "ругать браниться брань сожрать пожрать растерзать задавить давить "
    "вцепиться кусать броситься швырнуть хлестнуть колотить прижать ружье пушка пистолет кинжал батарея атака штурм "
    "осада калека сломанный сломить перелом болезнь умирающий чума голод неволя жертва крушение страшилище"
)
_CHARGE = lexicon(
    "страх страшный страшно страшиться бояться испугаться пугать пугаться ужас ужасный ужасно ужаснуться жуткий жутко "
    "тревога тревожный тревожно беспокойство дрожь дрожать задрожать трепет трепетать вздрогнуть содрогнуться "
    "отчаяние отчаянный безнадежный горе горький горестный скорбь тоска тосковать мучение мучительный страдание "
    "страдать боль больно болеть рыдать рыдание плакать заплакать слеза слезы вопль вопить крик кричать закричать "
    "вскрикнуть стон стонать застонать гнев гневный ярость яростный бешенство бешеный злоба злобный злиться ненависть "
    "ненавидеть презирать презрение сердиться рассердиться ревность ревновать стыд стыдиться стыдно позор унижение "
    "обида обидеть раскаяние совесть вина безумие безумный безумно сумасшедший страсть страстный страстно любовь "
    "влюбленный восторг восторженный упоение блаженство волнение волноваться взволновать пылать пылкий жгучий "
    "бледный побледнеть бледнеть краснеть похолодеть замирать замереть задыхаться ненасытный жажда жаждать роковой "
    "судьба внезапный отвратительный омерзение несчастный жестокий жестоко неистовый исступление надежда сердце"
)
_CONTRAST = lexicon(
    "но а однако зато хотя вопреки напротив наоборот вдруг внезапно неожиданно мгновенно разом тотчас несмотря едва "
    "чуть только лишь уже наконец все-таки между иначе либо или"
)
_NEGATION = lexicon("не ни нет без никогда никто ничто ничего никакой нигде никуда некому нечего некуда")
_PRESSURE = lexicon(
    "надо нужно должный нельзя необходимо приходиться прийтись обязанный пусть пускай скорей скорее мочь невозможно "
    "непременно суждено довольно неужели разве ужели заставить принудить требовать приказать велеть молить умолять "
    "просить клясться поклясться решиться решить"
)
_SUSPENSE = lexicon(
    "ждать ожидать ожидание дожидаться замереть замирать застыть затаить притаиться прислушаться прислушиваться "
    "вслушиваться всматриваться вглядываться тишина тихо безмолвие безмолвный безмолвно молчание молчать неподвижный "
    "неподвижно оцепенеть медлить колебаться сомнение сомневаться предчувствие предчувствовать загадка тайна "
    "тайный таинственный неизвестность неизвестный неведомый тьма мрак мрачный темнота ночь полночь тень порог край"
)
# part -> (its words, the share of words at which it is full, its weight in the sum).
_RATES = {
    "threat": (_THREAT, 0.1, 0.28),
    "charge": (_CHARGE, 0.1, 0.28),
    "contrast": (_CONTRAST, 0.12, 0.08),
    "negation": (_NEGATION, 0.14, 0.06),
    "pressure": (_PRESSURE, 0.1, 0.06),
    "suspense": (_SUSPENSE, 0.08, 0.08),
}
_TELLING = frozenset().union(*(words for words, _, _ in _RATES.values()))
_SHAPES = {"outcry": 0.12, "brevity": 0.04}
PARTS: Mapping[str, float] = MappingProxyType({**{name: rate[2] for name, rate in _RATES.items()}, **_SHAPES})
"""Part -> weight: shares of words of threat, strong feeling, turn and contrast, negation, must and may not, waiting
and the dark; the share of sentences that cry out, ask or break off; how short the sentences are."""

_OUTCRY = re.compile(r"[!?…]|\.\.\.")
# Mean words of a sentence at which brevity is 1 and 0.
_SHORT, _LONG = {False: 4.0, True: 5.0}, {False: 24.0, True: 30.0}
# A passage has its rates over at least so many words: one word is no share.
_FEW_WORDS = 14
# Sum of the weighted parts -> value. Measured on 4200 passages, a third each of Afanasyev's tales, 19th-century prose
# and verse: 25 % of the sums are below 0.075, 25 % above 0.243, 1 % above 0.57, none above 0.73.
_SUMS = (0.0, 0.075, 0.243, 0.57, 0.73)
_VALUES = (0.0, WEAK, RESONANT, 0.95, 1.0)
# Standard error of a value is this over the square root of words; from the two halves of 3165 passages.
_ERROR = 0.67


@dataclass(frozen=True, slots=True)
class Tension:
    """The tension of a passage.

    Attributes:
        value: 0..1.
        parts: by name (see PARTS), each 0..1 before its weight.
        confidence: 0..1, how likely the value is on the right side of the nearest threshold.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.0

    @property
    def needs_work(self) -> bool:
        """Below 0.4: rework it or give it an amplifier."""
        return self.value < WEAK

    @property
    def resonant(self) -> bool:
        """From 0.7 on."""
        return self.value >= RESONANT


def tension_of(sentences: Sequence[Sequence[Token]], text: str, *, verse: bool) -> Tension:
    """The tension of a passage given as its tokens and its cleaned text; 0 where there is no word."""
    words = [token for sentence in sentences for token in sentence if token.text[0].isalpha()]
    if not words:
        return Tension(0.0, dict.fromkeys(PARTS, 0.0))
    parts = _rates(words)
    parts["outcry"] = min(1.0, len(_OUTCRY.findall(text)) / len(sentences))
    short, long = _SHORT[verse], _LONG[verse]
    parts["brevity"] = _unit((long - len(words) / len(sentences)) / (long - short))
    value = tension_from(parts)
    return Tension(round(value, 2), {name: round(part, 3) for name, part in parts.items()}, _confidence(value, words))


def tension_from(parts: Mapping[str, float]) -> float:
    """Parts, each 0..1, to the value on the scale, 0..1; grows with every part."""
    return _on_scale(sum(weight * parts[name] for name, weight in PARTS.items()))


def propose_amplifier(scene: Scored, candidates: Sequence[Scored]) -> int | None:
    """Which candidate may lift a scene that needs work: it shares a lemma and is tenser.

    Args:
        scene: its lemmas and its tension.
        candidates: other scenes of the text, or formulas, in the same form; the scene itself is not tenser than itself.

    Returns:
        The index of the tensest candidate that fits, of equals the one that shares most lemmas, then the first;
        None where no candidate fits.
    """
    lemmas, tension = set(scene[0]), scene[1]
    tenser = [(number, found, value) for number, (found, value) in enumerate(candidates) if value > tension]
    fit = [(value, shared, -number) for number, found, value in tenser if (shared := len(lemmas.intersection(found)))]
    return -max(fit)[2] if fit else None


def _rates(words: Sequence[Token]) -> dict[str, float]:
    lemmas = [token.lemma.replace("ё", "е") for token in words]
    total = max(len(lemmas), _FEW_WORDS)
    telling = [lemma for lemma in lemmas if lemma in _TELLING]
    parts = {
        name: _unit(sum(map(marks.__contains__, telling)) / total / full) for name, (marks, full, _) in _RATES.items()
    }
    commands = sum(token.feats.get("Mood") == "Imp" for token in words)
    parts["pressure"] = _unit(parts["pressure"] + commands / total / _RATES["pressure"][1])
    return parts


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def _on_scale(total: float) -> float:
    """Straight lines through the quantiles: sum of the parts -> tension."""
    place = min(bisect_right(_SUMS, total), len(_SUMS) - 1)
    (low, from_), (high, to) = list(pairwise(zip(_SUMS, _VALUES, strict=True)))[place - 1]
    return _unit(from_ + (total - low) / (high - low) * (to - from_))


def _confidence(value: float, words: Sequence[Token]) -> float:
    """Chance that the value is on the right side of the nearest threshold; the error falls as words grow."""
    distance = min(abs(value - WEAK), abs(value - RESONANT))
    return round(0.5 * (1.0 + math.erf(distance * math.sqrt(len(words)) / _ERROR / math.sqrt(2.0))), 2)
