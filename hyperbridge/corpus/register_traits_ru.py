"""What the registers of a Russian passage are told from: what it talks of, how it is built, and how it sounds.

Counted are lemmas and grammatical tags; rated are forms, marks, lengths, how sentences begin, rhymed lines and seven
vocabularies; the meaning is the encoder's vector of the lemmas. Names are left out, since they tell the author and not
the register, and so are line breaks: verse in one line is verse too.
Cost: about 15 microseconds a word. Measured by `benchmarks/fit_registers.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np

from hyperbridge.corpus.content_ru import is_proper
from hyperbridge.corpus.parsing_ru import Token, lexicon
from hyperbridge.corpus.rhyme_ru import line_scores
from hyperbridge.encoding import Encoder, load_encoder

_MARKS = frozenset(',.!?—–-;:…«»"()')
_FINAL, _DASHES = ".!?…", frozenset("—–-")
# Their lemmas are grammar, not subject: they stand in the tags as they are.
_FUNCTION = frozenset({"ADP", "CCONJ", "SCONJ", "PART", "PRON", "DET", "AUX"})
_FIRST, _SECOND = lexicon("я мой мы наш"), lexicon("ты твой вы ваш")
_COUNTED = frozenset({"VerbForm", "Tense", "Person", "Mood", "Case", "Number"})
_SUBJECTS = frozenset({"NOUN", "PROPN", "PRON"})

# Words that a kind of text likes whoever writes it, by knowledge of the language and not by counting: with few authors
# to fit on, they carry what counted words cannot. Small open lists, meant to be read and corrected; written without ё.
_VOCABULARY = {
    "law": lexicon(
        "статья закон законный законодательство законодательный право правовой правило обязанность обязать "
        "обязанный обязательство обязательный гражданин гражданский гражданство федерация федеральный "
        "государственный государство орган власть суд судебный судья судопроизводство порядок установить "
        "устанавливать установленный предусмотреть предусматривать предусмотренный кодекс договор сторона лицо "
        "юридический физический срок ответственность имущество имущественный собственность собственник владелец "
        "нарушение нарушить наказание штраф исполнение исполнять полномочие постановление указ акт документ "
        "требование основание осуществлять осуществление обеспечивать обеспечение допускаться допускать "
        "запрещаться запретить вправе пункт часть соответствие соответствующий изменение прекращение заявление "
        "заявитель субъект российский республика область выборы избирательный президент правительство совет "
        "комиссия процент размер сумма платеж налог преступление виновный ущерб вред возмещение компенсация "
        "применение применять действие действительный недействительный решение деятельность территория участник "
        "организация учреждение должностной свобода защита гарантировать личность порядочный муниципальный "
        "местный бюджет ведение назначать"
    ),
    "reasoning": lexicon(
        "следовательно поэтому вследствие итак ибо значит доказать доказывать доказательство доказываться причина "
        "следствие вывод вывести выводить заключение заключать условие необходимый необходимо необходимость "
        "определение определить определять основание если то рассуждение рассуждать противоречие противоречить "
        "предположить предположение предполагать отношение сравнение сравнить явление количество величина "
        "соответствовать случай факт вопрос решение теорема аксиома посылка тезис аргумент гипотеза метод понятие "
        "признак свойство логика логический суждение вытекать означать обозначать являться равный больший меньший "
        "число множество функция утверждение утверждать верный ложный истинный возможный невозможный опыт "
        "наблюдение измерить расчет пример общий частный допустить результат данные разница иначе лишь либо"
    ),
    "philosophy": lexicon(
        "бытие жизнь смерть смысл истина разум душа дух вечность добро зло свобода воля сущность вера любовь "
        "совесть мир человечество человек человеческий люди природа судьба мысль сознание познание нравственный "
        "нравственность духовный вечный разумный разумность бесконечный истинный страдание счастье благо учение "
        "религия религиозный христианство христианский церковь наука общество общественный цивилизация прогресс "
        "идея начало принцип идеал ценность история исторический народ культура искусство философия философ "
        "философский творчество личность познавать сущий божество божественный догмат богословие ложь насилие "
        "рабство заблуждение существо существование существовать цель стремление современный представление "
        "состоять отрицать необходимость чувство внутренний внешний"
    ),
    "tale": lexicon(
        "царь царевич царевна царство король королевна королевич богатырь молодец девица баба-яга змей чудище "
        "кощей иванушка иван лисичка лиса волк медведь кума избушка терем тридевятый тридесятый сказка чародей "
        "волшебный старуха старик старушка дед баба братец сестрица батюшка матушка добрый конь красный дурак "
        "купец солдат мужик черт поп барин сын дочь жениться свадьба палаты дворец меч чисто поле лес дремучий "
        "живая мертвая вода перстень золотой серебряный жар-птица утка рыба кот петух коза баран бык заяц ворон "
        "сокол орел хозяин мачеха падчерица жить поживать гость пир мед"
    ),
    "scripture": lexicon(
        "господь бог царь сын израиль израилев пророк скиния левит жертва жертвенник жертвоприношение священник "
        "колено завет потомок потомство род народ отец дом земля город раб рука слово ангел благословить "
        "проклятие проклятый клясться заповедь возжечь всесожжение ковчег гора пустыня агнец вол овца осел "
        "пастырь иерусалим иордан иуда моисей давид саул соломон фараон египет дщерь отрок муж жена родить "
        "умереть воцариться поразить истребить сей глас очи небо твердь тьма свет змий господень"
    ),
    "story": lexicon(
        "сказать спросить ответить отвечать говорить подумать думать комната дверь стол окно улыбнуться улыбка "
        "посмотреть смотреть взглянуть взгляд глядеть сидеть стоять войти выйти подойти встать улица вечер утро "
        "час минута день дом лошадь дорога квартира офицер доктор барыня голос вдруг казаться заметить вспомнить "
        "начать продолжать чай письмо хотеть лицо глаз голова рука пойти приехать уехать сударь господин знать "
        "видеть слышать услышать остановиться сестра мать тетка муж капитан корабль берег остров матрос ветер "
        "судно верста станция ямщик"
    ),
    "verse": lexicon(
        "мечта мечтать звезда луна заря грусть грустный тоска сердце тень весна роза ветер волна туман сон очи "
        "уста лира муза печаль печальный любовь душа нежный ночь ночной бледный темный тихий тишина сиять сияние "
        "блистать луч огонь пламень пламя небеса лазурь лазурный даль крыло песня песнь петь пора грудь слеза "
        "младой краса красота прекрасный милый дева друг томить томный забвенье мгновенье виденье волненье "
        "наслажденье вдохновенье безумный блаженство восторг страсть хладный злато закат цветок сад снег вьюга "
        "метель струна струя слава венец рок судьбина могила прах небесный святой вновь пусть как лишь едва ужели "
        "увы о над сквозь меж средь"
    ),
}
_LINES = ("lines", "lines of any length")
_BEGINNINGS = ("begins with и", "begins with verb", "begins with subject", "begins with a dash")
# Beside a group of length 1: the meaning, lines and a vocabulary tell much, one of fifty rates little.
_MEANING_WEIGHT, _RATE_WEIGHT = 3.0, 0.25
_WEIGHTS = dict.fromkeys(_LINES, 1.5) | dict.fromkeys(_VOCABULARY, 0.6) | dict.fromkeys(_BEGINNINGS, 0.8)


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What is seen in a passage, before it is scaled.

    Attributes:
        counted: lemmas and grammatical tags; each group is of length 1, so that none outweighs another.
        rates: shares and lengths by name; 0 where absent.
        meaning: (dimensions,) float32, the encoder's vector of the lemmas, of length 1.
    """

    counted: dict[str, float]
    rates: dict[str, float]
    meaning: np.ndarray


def find_traits(passages: Sequence[Sequence[Token]]) -> list[Traits]:
    """What the model sees in passages, each given as all its tokens, marks included."""
    lemmas = [[plain(token.lemma) for token in words if _is_common(token)] for words in passages]
    vectors = _encoder().encode([" ".join(dict.fromkeys(found)) for found in lemmas])
    return [
        Traits(_unit("l", found) | _unit("m", map(_tag, words)), _rates(words), vector)
        for found, words, vector in zip(lemmas, passages, vectors, strict=True)
    ]


def features(seen: Traits, scales: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The weighted features of a passage.

    Args:
        scales: name of a rate -> its mean and deviation over the texts of the fit; other rates are left out.
    """
    found = dict(seen.counted)
    for name, (mean, deviation) in scales.items():
        weight = _WEIGHTS.get(name, _RATE_WEIGHT)
        found[f"d {name}"] = weight * max(-3.0, min(3.0, (seen.rates.get(name, 0.0) - mean) / deviation))
    return found | dict(zip(_dimensions(len(seen.meaning)), (_MEANING_WEIGHT * seen.meaning).tolist(), strict=True))


@lru_cache(maxsize=1)
def _encoder() -> Encoder:
    return load_encoder("navec")


@lru_cache(maxsize=1)
def _dimensions(count: int) -> tuple[str, ...]:
    return tuple(f"e {number}" for number in range(count))


def _rates(words: Sequence[Token]) -> dict[str, float]:
    """Shares of forms, parts of speech and marks among the words, lengths, beginnings, lines, and the vocabularies."""
    spoken = [token for token in words if token.text[0].isalnum()]
    total = max(len(spoken), 1)
    counts = Counter(chain.from_iterable(map(_traits, spoken)))
    counts.update(f"mark {token.text}" for token in words if token.text in _MARKS)
    found = {name: count / total for name, count in counts.items()}
    ends = sum(token.text[0] in _FINAL for token in words)
    found["sentence length"] = math.log(total / max(ends, 1))
    found["word length"] = sum(len(token.text) for token in spoken) / total
    heard = Counter(chain.from_iterable(_vocabularies(token.lemma) for token in spoken))
    found.update({name: math.log1p(25 * heard[name] / total) for name in _VOCABULARY})
    return found | _beginnings(words) | dict(zip(_LINES, line_scores(words), strict=True))


def _beginnings(words: Sequence[Token]) -> dict[str, float]:
    """Shares of sentences by how they begin: scripture likes `и`, tales the verb, and talk has a dash."""
    found: Counter[str] = Counter()
    sentences, begins = 0, True
    for token in words:
        if token.text[0].isalnum():
            if begins:
                sentences += 1
                found["begins with и"] += token.lemma == "и"
                found["begins with verb"] += token.pos == "VERB"
                found["begins with subject"] += token.pos in _SUBJECTS
            begins = False
        elif token.text[0] in _FINAL:
            begins = True
        elif begins and token.text in _DASHES:
            found["begins with a dash"] += 1
    return {name: count / max(sentences, 1) for name, count in found.items()}


@lru_cache(maxsize=20_000)
def _vocabularies(lemma: str) -> tuple[str, ...]:
    return tuple(name for name, vocabulary in _VOCABULARY.items() if plain(lemma) in vocabulary)


def plain(lemma: str) -> str:
    """A lemma without ё, which half of the books do not print."""
    return lemma.replace("ё", "е")


def _unit(group: str, names: Iterable[str]) -> dict[str, float]:
    """Logarithmic counts of names, scaled to length 1."""
    values = {f"{group} {name}": 1 + math.log(count) for name, count in Counter(names).items()}
    length = math.sqrt(sum(value * value for value in values.values()))
    return {name: value / length for name, value in values.items()}


def _is_common(token: Token) -> bool:
    """A word that is no name: names tell the author and not the register."""
    return token.text[0].isalpha() and token.known and not is_proper(token)


def _tag(token: Token) -> str:
    """What the sentence is built of: a function word or a mark itself, else the form without the word."""
    if token.pos == "PUNCT":
        return token.text if token.text in _MARKS else "PUNCT"
    return plain(token.lemma) if token.pos in _FUNCTION else _form(token.pos, tuple(token.feats.items()))[0]


@lru_cache(maxsize=20_000)
def _form(pos: str, feats: tuple[tuple[str, str], ...]) -> tuple[str, tuple[str, ...]]:
    """The tag of a form without its word, and the names of what is counted of it."""
    form = dict(feats)
    if pos == "VERB":
        tag = "V" + "".join(form.get(name, "")[:4] for name in ("VerbForm", "Mood", "Tense", "Person", "Number"))
    elif pos in {"NOUN", "ADJ"}:
        tag = pos[0] + "".join(form.get(name, "")[:3] for name in ("Variant", "Degree", "Case", "Number"))
    else:
        # A capital makes the tagger see names, and verse has many; a name is a noun here.
        tag = "N" + form.get("Case", "") + form.get("Number", "")[:3] if pos == "PROPN" else pos
    return tag, ("NOUN" if pos == "PROPN" else pos, *(f"{name} {form[name]}" for name in form if name in _COUNTED))


def _traits(token: Token) -> Iterable[str]:
    yield from _form(token.pos, tuple(token.feats.items()))[1]
    if token.lemma in _FIRST:
        yield "first person"
    if token.lemma in _SECOND:
        yield "second person"
    if "ADJS" in token.grammemes or "PRTS" in token.grammemes:
        yield "short form"
    if not token.known:
        yield "unknown"
    if token.text[0].isdigit():
        yield "number"
