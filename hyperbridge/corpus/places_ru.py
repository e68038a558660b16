"""How much a Russian noun is like a place: what may be told of where something happens, and what only looks like it.

A preposition of place stands before many nouns that are none: parts of the body (`на руках`), persons (`у отца`),
stretches of time (`в тот миг`), states of mind (`с отчаяния`), set phrases (`на вид`). Persons are known by pymorphy,
the body, time and set phrases by lists, and states by a list and by their vectors: a noun nearer to the mean of states
than to those of places and of things is none. Of what is left the likeness decides: the cosine of the noun's vector
with the mean of a few places, less its cosine with whichever is nearest of the means of parts of the body, persons,
times and thoughts; all vectors are less their common mean, since raw cosines tell little. Cost: a vector for each new
noun.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from hyperbridge.corpus.content_ru import TIMES
from hyperbridge.corpus.parsing_ru import Token, lexicon
from hyperbridge.dictionary_ru import embedding

if TYPE_CHECKING:
    import numpy as np

_PLACES = lexicon(
    "дом комната лес поле улица двор река берег море город деревня сад дорога окно гора степь церковь изба небо земля "
    "стена площадь лодка угол дверь мост площадка остров пол печь"
)
_BODY = lexicon(
    "рука нога голова глаз лицо сердце плечо грудь палец губа спина волос душа колено рот ухо шея нос лоб щека бровь "
    "зуб язык горло живот брюхо бок висок локоть ладонь кулак пята пятка хвост лапа крыло очи око уста чело персты ум "
    "память борода ус усы глазок ручка ножка головка кровь слеза взор взгляд голос"
)
_SEASONS = lexicon(
    "месяц лето зима осень весна утро вечер ночь полдень полночь понедельник вторник среда четверг пятница суббота "
    "воскресенье рождество пасха январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь "
    "детство младенчество отрочество"
)
# Nouns in -ость are qualities, but for these.
_NO_QUALITY = lexicon("крепость окрестность местность поверхность плоскость полость кость пропасть")
_PERSONS = lexicon("мужик девушка старик мать отец солдат царь брат друг барин господин жена врач офицер")
_THOUGHTS = lexicon(
    "мысль чувство страх радость надежда горе сомнение мнение вопрос цель смысл дело причина слово правда счастье "
    "ответ помощь внимание случай состояние разговор"
)
# What something may be in, on, under or behind, and what one feels, thinks or is subject to.
_THINGS = lexicon(
    "куст телега сани мешок седло стол плетень воз лавка скамья шкаф корзина ветка костёр карман сундук подушка "
    "постель кровать диван кресло полка бочка ящик котёл камень бревно дрова трава снег песок пень мост карета "
    "подоконник ковёр гроб яма нора канава овраг туча туман дым огонь свеча"
)
_STATES = lexicon(
    "страх тоска гнев восторг отчаяние стыд горе радость любовь ненависть смятение ожидание мнение сомнение согласие "
    "смысл закон право власть болезнь жизнь бред надежда беда счастье воля неволя долг польза мера причина утешение "
    "внимание удивление ответ вопрос правда ложь привычка влияние отношение положение обстоятельство досада скука "
    "злоба ярость бешенство испуг ужас трепет смущение нетерпение раздумье изумление печаль раскаяние уныние упоение "
    "мечта дума мечтание размышление доброта простота"
)
_NEVER = TIMES | _SEASONS | _BODY | _STATES
# States that are where one is, too: `на войне`, `в плену`.
_NO_STATE = lexicon("война бой плен общество тепло страна восток запад север юг")
# A noun is a state where its cosine with places or things, less that with states, is below this.
_LEAST_SOLID = -0.05
# After which preposition a noun makes a set phrase and no place.
_PHRASES = {
    "в": lexicon("вид дело сила ход порядок лад обморок честь дух тягость гость гости путь опор опора состояние знак"),
    "на": lexicon("вид свет дело шаг дыба дыбы счёт счет лад вес весы слава здоровье ход"),
    "за": lexicon("счёт счет"),
    "из": lexicon("вид сила"),
    "под": lexicon("вид предлог"),
    "по": lexicon("обычай имя"),
}


def is_place(preposition: str, noun: Token) -> bool:
    """Whether a noun after a preposition of place may be told as where something happens."""
    if "anim" in noun.grammemes or noun.lemma in _NEVER:
        return False
    if noun.lemma.endswith("ость") and noun.lemma not in _NO_QUALITY:
        return False
    return noun.lemma not in _PHRASES.get(preposition, ()) and (noun.lemma in _NO_STATE or not _is_state(noun.lemma))


def place_likeness(lemma: str) -> float:
    """From about -0.7 (a part of the body) to 0.4 (a bridge); 0 for a word without a vector."""
    place, *others = _cosines(lemma)[:-2] or (0.0, 0.0)
    return place - max(others)


def _is_state(lemma: str) -> bool:
    """Whether a noun is nearer to states than to places and things; not so for a word without a vector."""
    place, *_, thing, state = _cosines(lemma) or (0.0, 0.0, 0.0)
    return max(place, thing) - state < _LEAST_SOLID


@lru_cache(maxsize=20_000)
def _cosines(lemma: str) -> tuple[float, ...]:
    """Of its vector with the means of places, what is none, things and states; empty for a word without one."""
    mean, centres = _centres()
    vector = _unit(lemma)
    if vector is None:
        return ()
    moved = vector - mean
    return tuple((centres @ moved / math.sqrt(moved @ moved)).tolist())


@lru_cache(maxsize=1)
def _centres() -> tuple[np.ndarray, np.ndarray]:
    """The common mean of places and of what is none, (300,), and the means of all kinds less it, (7, 300), length 1."""
    import numpy as np

    kinds = [_vectors(kind) for kind in (_PLACES, _BODY, _PERSONS, TIMES, _THOUGHTS)]
    mean: np.ndarray = np.concatenate(kinds).mean(0)
    kinds += [_vectors(_THINGS), _vectors(_STATES)]
    centres = np.stack([_scaled(vectors - mean).mean(0) for vectors in kinds])
    return mean, _scaled(centres)


def _vectors(words: frozenset[str]) -> np.ndarray:
    """(words that have one, 300)."""
    import numpy as np

    return np.stack([vector for word in sorted(words) if (vector := _unit(word)) is not None])


def _unit(word: str) -> np.ndarray | None:
    known = embedding()
    plain = word if word in known else word.replace("ё", "е")
    if plain not in known and plain.endswith("ие"):
        plain = plain[:-2] + "ье"  # `счастие` as `счастье`
    return _scaled(known[plain]) if plain in known else None


def _scaled(vectors: np.ndarray) -> np.ndarray:
    """The same, each of length 1."""
    import numpy as np

    scaled: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled
