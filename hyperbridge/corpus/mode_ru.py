"""The mode and the context of a scene: the mood and the theme of the Russian passages around it.

`mode` (the seeds: `ностальгия`) is the emotional profile of the neighbours: their emotions where something has named
them, and the words of each mood. `context` (`детство`) is the theme whose words stand out. A mood or theme is said
only where its words are more than chance would bring: against the share that these words have in literary Russian,
the different words found must be at least three, from two neighbours or more, and improbable (Poisson); otherwise
None. Near neighbours count more than far ones. Cost: one look-up for each different lemma of each neighbour.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hyperbridge.corpus.parsing_ru import lexicon

# Expected and found words are weighed by 1 / (1 + DECAY * (distance - 1)).
DECAY, MIN_WORDS, MIN_NEIGHBOURS, MIN_SURPRISE = 0.25, 3, 2, 3.0

_THEMES = {
    "детство": "детство ребенок дитя младенец мальчик девочка няня нянька игрушка кукла игра играть колыбель сказка "
    "мама мамаша маменька папа папенька папаша бабушка дедушка школа урок учитель гувернер шалость шалить",
    "война": "война бой сражение битва полк солдат офицер генерал штаб армия войско неприятель враг пушка ружье "
    "ядро пуля штык батарея атака отступление рана раненый командир капитан казак конница барабан знамя француз",
    "дорога": "дорога путь ехать поехать проехать карета коляска телега сани повозка кибитка ямщик кучер тройка лошадь "
    "станция верста странник путник вагон поезд вокзал пароход корабль парус плыть путешествие путешественник",
    "дом": "дом комната изба печь печка стол окно дверь диван кресло лампа свеча самовар чай обед ужин хозяйка хозяин "
    "кухня гостиная кабинет сени порог постель крыльцо двор семья спальня стена потолок ковер занавеска",
    "любовь": "любовь любить полюбить влюбиться влюбленный возлюбленная возлюбленный поцелуй целовать поцеловать "
    "милый страсть страстный ласка нежность нежный свидание объятие обнять ревность измена невеста жених красавица",
    "смерть": "смерть умереть умирать помереть покойник мертвый мертвец гроб могила похороны похоронить кладбище "
    "убить убийство гибель погибнуть труп кончина саван тлен вдова сирота крест панихида прах",
    "вера": "бог господь церковь храм молитва молиться икона образ поп священник монах монастырь святой ангел грех "
    "крест вера верить евангелие христос спаситель душа рай ад апостол обедня архиерей благодать божий алтарь",
    "природа": "лес поле река море небо солнце луна звезда ветер дождь снег трава цветок дерево туман облако "
    "туча роща сад луг озеро волна берег птица гора степь роса заря береза лист соловей весна осень",
    "город": "город улица площадь мост фонарь трактир лавка магазин извозчик дворец толпа тротуар театр бал "
    "набережная переулок столица вывеска дворник квартира кондитерская проспект контора гостиница рынок клуб",
    "труд": "работа работать труд трудиться мужик пахать соха косить коса сеять жать урожай сено скот рабочий "
    "фабрика завод мастер мастерская кузнец молот топор рубить барщина нива рожь пшеница молотить ремесло поденщик",
    "власть": "царь король государь престол трон двор указ закон министр князь боярин воевода губернатор чиновник суд "
    "судья начальник начальство приказ чин корона царство повеление империя император департамент канцелярия",
    "болезнь": "болезнь больной больница доктор врач лекарь лекарство лечить жар лихорадка боль болеть рана кашель "
    "чахотка холера тиф фельдшер пульс выздороветь бред слабость аптека рецепт операция палата",
    "деньги": "деньги рубль копейка долг платить заплатить купить продать купец богатство богатый бедный бедность "
    "цена торг торговать капитал процент вексель касса золото серебро тысяча прибыль наследство барыш нищий",
    "творчество": "поэт стих стихи песня петь музыка скрипка рояль картина художник писатель книга роман читать писать "
    "муза лира искусство театр актер сцена поэма звук голос певец струна рифма вдохновение журнал",
}
_MOODS = {
    "ностальгия": "вспоминать вспомнить воспоминание помнить память бывало былой прежний прошлый прошедший минувший "
    "давно давний старина юность молодость детство когда-то некогда невозвратный ушедший забытый старинный пройти",
    "тревога": "тревога тревожный тревожно беспокойство беспокоиться страх страшный страшно бояться ужас ужасный "
    "опасность опасный дрожать дрожь испуг испугаться вздрогнуть предчувствие жуткий угроза мрак темнота бледный",
    "скорбь": "горе горький скорбь скорбный печаль печальный тоска тосковать плакать заплакать слеза рыдать рыдание "
    "стон страдание страдать несчастный грусть грустный грустно отчаяние уныние унылый траур вздох потеря",
    "ликование": "радость радостный радостно веселье веселый весело смех смеяться засмеяться счастие счастье "
    "счастливый праздник ликовать торжество улыбка улыбаться восторг пир хохотать хохот шутка шутить плясать",
    "вражда": "гнев гневный злоба злобный злость злой сердиться рассердиться ненависть ненавидеть враг месть мстить "
    "ссора браниться брань ругать ругаться драка презрение обида ярость яростный бешенство проклятие",
    "нежность": "нежный нежность нежно ласка ласковый ласково милый любить любовь обнять целовать поцелуй поцеловать "
    "кроткий добрый голубчик душенька сердце прижать шептать гладить умиление трогательный заботливый",
    "ожидание": "ждать ожидать ожидание дожидаться надежда надеяться скоро завтра обещать прислушиваться вглядываться "
    "мечта мечтать нетерпение предстоять готовиться приготовить накануне наконец медлить долго час",
    "покой": "покой спокойный спокойно тишина тихий тихо мирный мир отдых отдыхать сон спать дремать дремота ленивый "
    "безмятежный вечер сумерки молчание задумчивый дремлющий уют уютный недвижный ясный прохлада",
    "изумление": "удивление удивиться удивляться удивительный изумление изумиться изумленный чудо чудный чудесный диво "
    "дивный странный странно необыкновенный неожиданный неожиданно вдруг поразить поразительный ахнуть",
    "торжественность": "слава славный великий величие торжество торжественный торжественно священный святой вечный "
    "вечность гимн клятва бессмертный бессмертие подвиг честь герой знамя державный величественный",
}
_OF_EMOTION = {
    "страх": "тревога", "тревога": "тревога", "грусть": "скорбь", "тоска": "скорбь", "печаль": "скорбь",
    "горе": "скорбь", "вина": "скорбь", "радость": "ликование", "восторг": "ликование", "счастье": "ликование",
    "гнев": "вражда", "злость": "вражда", "ненависть": "вражда", "нежность": "нежность", "любовь": "нежность",
    "ожидание": "ожидание", "надежда": "ожидание", "покой": "покой", "удивление": "изумление",
}  # fmt: skip
# An emotion that something else has named weighs as much as so many words of its mood.
_EMOTION_WORDS = 1.5
# Share of the different content lemmas of a passage that are words of the theme or mood: 4200 passages of 19th-century
# Russian, a third each of folk tales, prose and verse.
_THEME_RATES: Mapping[str, float] = {
    "детство": 0.0046,
    "война": 0.0058,
    "дорога": 0.0088,
    "дом": 0.0162,
    "любовь": 0.0074,
    "смерть": 0.0060,
    "вера": 0.0095,
    "природа": 0.0237,
    "город": 0.0056,
    "труд": 0.0080,
    "власть": 0.0067,
    "болезнь": 0.0030,
    "деньги": 0.0044,
    "творчество": 0.0094,
}
_MOOD_RATES: Mapping[str, float] = {
    "ностальгия": 0.0047,
    "тревога": 0.0059,
    "скорбь": 0.0067,
    "ликование": 0.0056,
    "вражда": 0.0028,
    "нежность": 0.0089,
    "ожидание": 0.0044,
    "покой": 0.0090,
    "изумление": 0.0026,
    "торжественность": 0.0040,
}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A passage near the scene: its content lemmas, how many passages away (1: next), its emotion if it is known."""

    lemmas: Collection[str]
    distance: int = 1
    emotion: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Mood and theme around a scene, None where unclear.

    Attributes:
        mode_confidence: 0..1; 0 where `mode` is None.
        context_confidence: the same for `context`.
    """

    mode: str | None
    context: str | None
    mode_confidence: float = 0.0
    context_confidence: float = 0.0

    @property
    def confidence(self) -> float:
        """Of the less sure of those that were said."""
        said = [value for value in (self.mode_confidence, self.context_confidence) if value]
        return min(said, default=0.0)


def surroundings(window: Sequence[Neighbour]) -> Surroundings:
    """The mode and the context that the neighbours of a scene give it; the scene itself may stand among them."""
    mode, sure_of_mode = _loudest(window, _MOOD_OF, _MOOD_RATES, _moods_named(window))
    context, sure_of_context = _loudest(window, _THEME_OF, _THEME_RATES, ())
    return Surroundings(mode, context, sure_of_mode, sure_of_context)


def _moods_named(window: Sequence[Neighbour]) -> list[tuple[str, int]]:
    """The moods that the neighbours' known emotions are, each with its neighbour's place in the window."""
    moods = ((_OF_EMOTION.get(neighbour.emotion or ""), place) for place, neighbour in enumerate(window))
    return [(mood, place) for mood, place in moods if mood is not None]


def _by_lemma(words: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = defaultdict(list)
    for name in words:
        for lemma in lexicon(words[name]):
            names[lemma].append(name)
    return {lemma: tuple(found) for lemma, found in names.items()}


_THEME_OF, _MOOD_OF = _by_lemma(_THEMES), _by_lemma(_MOODS)
_TELLING = _THEME_OF.keys() | _MOOD_OF.keys()


def _loudest(
    window: Sequence[Neighbour],
    names_of: Mapping[str, tuple[str, ...]],
    rates: Mapping[str, float],
    named: Iterable[tuple[str, int]],
) -> tuple[str | None, float]:
    """The theme or mood that stands out most, and how surely: by its surprise and its lead over the second."""
    found, words, places, total = _tally(window, names_of)
    for name, place in named:
        found[name] += _EMOTION_WORDS * _weight(window[place])
        words[name].add(f"({place})")
        places[name].add(place)
    scores = {
        name: _surprise(found[name], rates[name] * total)
        for name in found
        if len(words[name]) >= MIN_WORDS and len(places[name]) >= MIN_NEIGHBOURS
    }
    ranked = sorted(scores, key=lambda name: (-scores[name], name))
    if not ranked or scores[ranked[0]] < MIN_SURPRISE:
        return None, 0.0
    first, second = scores[ranked[0]], max((scores[name] for name in ranked[1:]), default=0.0)
    lead = (first - second) / first
    return ranked[0], round((1.0 - math.exp(-first / MIN_SURPRISE)) * (0.5 + 0.5 * lead), 2)


def _tally(
    window: Sequence[Neighbour], names_of: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, float], dict[str, set[str]], dict[str, set[int]], float]:
    """For each name its weighed words, its different words and its neighbours; then the weighed number of lemmas."""
    found: dict[str, float] = defaultdict(float)
    words: dict[str, set[str]] = defaultdict(set)
    places: dict[str, set[int]] = defaultdict(set)
    total = 0.0
    for place, neighbour in enumerate(window):
        (count, telling), weight = _telling(frozenset(neighbour.lemmas)), _weight(neighbour)
        total += weight * count
        for lemma in telling:
            for name in names_of.get(lemma, ()):
                found[name] += weight
                words[name].add(lemma)
                places[name].add(place)
    return found, words, places, total


@lru_cache(maxsize=256)
def _telling(lemmas: frozenset[str]) -> tuple[int, frozenset[str]]:
    """How many different lemmas, and those that are words of a theme or a mood; a passage is the neighbour of many."""
    plain = frozenset([lemma.replace("ё", "е") for lemma in lemmas])
    return len(plain), plain & _TELLING


def _weight(neighbour: Neighbour) -> float:
    return 1.0 / (1.0 + DECAY * max(0, neighbour.distance - 1))


def _surprise(found: float, expected: float) -> float:
    """Nats by which `found` is less likely than `expected` under a Poisson law; 0 where it is not more."""
    if found <= expected or expected <= 0.0:
        return 0.0
    return found * math.log(found / expected) - (found - expected)
