"""Which registers a Russian passage speaks in: a primary one, those heard beside it, and how sure that is.

A register given by the user wins, then a folder name in the source (`poetry/...`). Else a linear model of the content
decides among five. It sees the meaning (the encoder's vector of the lemmas), lemmas, grammatical tags, rates of forms
and marks, sentence length, rhyme by syllables and seven vocabularies; it sees no names and no line breaks, so verse in
one line is verse too. Verse layout multiplies the odds of the poet. `телесный` is no class of the model: it is heard by
its share of words of the body. Cost: about 15 microseconds a word. Fitted and measured by
`benchmarks/fit_registers.py`; fit it again when the encoder or the parser changes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from hyperbridge.corpus.extraction_ru import is_content, is_proper
from hyperbridge.corpus.parsing_ru import Token, lexicon
from hyperbridge.corpus.text_classifier import TextClassifier
from hyperbridge.encoding import Encoder, load_encoder

POET, ARCHETYPE, PHILOSOPHER, LOGICIAN, BODY, NARRATOR = (
    "поэтический", "архетипический", "философский", "логический", "телесный", "повествовательный",
)  # fmt: skip
# The classes of the model, in the order of its columns.
CLASSES = (POET, PHILOSOPHER, ARCHETYPE, LOGICIAN, NARRATOR)
MODEL = Path(__file__).parents[1] / "assets" / "classifiers" / "registers_ru.safetensors"

FOLDERS = {
    **dict.fromkeys(("poetry", "verse", "poems", "стихи", "поэзия"), POET),
    **dict.fromkeys(("folk", "sacred", "myth", "myths", "tales", "сказки", "мифы"), ARCHETYPE),
    **dict.fromkeys(("essay", "essays", "philosophy", "philosophy_theology", "эссе", "философия"), PHILOSOPHER),
    **dict.fromkeys(("legal", "logic", "science", "закон", "наука"), LOGICIAN),
    **dict.fromkeys(("body", "тело"), BODY),
}

_BODY_WORDS = lexicon(
    "тело рука нога глаз око лицо голова губа плечо грудь палец кожа кровь пот дыхание щека лоб шея спина "
    "колено живот горло язык зуб волос ладонь пульс дрожь боль жар холод тепло озноб голод жажда "
    "усталость слеза кость рот нос ухо висок ресница веко кулак локоть рана запах вкус сон дышать дрожать "
    "вздрогнуть болеть гореть обнять обнимать целовать поцеловать касаться коснуться прикоснуться прижать "
    "прижаться чувствовать ощущать ощутить бледнеть побледнеть краснеть покраснеть вздохнуть глотать "
    "сжать сжимать дрожащий горячий холодный теплый тёплый мокрый тяжелый тяжёлый мягкий голый бледный "
    "босой усталый больной потный"
)
# Shares of words of the body among content words: heard from the first, primary from the second. Of 344 narrative
# passages of 60 words 0.6 % lie above 0.22, and none above 0.3.
BODY_HEARD, BODY_LOUD = 0.18, 0.3
# Words of the passages that the model was fitted on.
FITTED_WORDS = 60
# A class is heard beside the primary one from this probability.
HEARD = 0.2
MOST_HEARD = 2
# How many times likelier verse layout is for verse than for prose. Segmentation finds it in over 0.85 of the passages
# of books of verse and in under 0.01 of those of prose; the odds stay below that, since laws and psalms have lines too.
LAYOUT_ODDS = 30.0

Method = Literal["given", "folder", "layout", "content"]


@dataclass(frozen=True, slots=True)
class ParsedPassage:
    """What the registers of a passage are told from.

    Attributes:
        words: all tokens of the passage, marks included.
        source: of its document; its folders may name a register.
        verse: whether it is laid out as verse.
        given: a register set by the user for the whole input.
    """

    words: Sequence[Token]
    source: str = ""
    verse: bool = False
    given: str | None = None


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers of a passage.

    Attributes:
        secondary: others that are heard, loudest first, two at most.
        confidence: 1.0 where a person named the register (`given`, `folder`); else the model's probability of the
            primary, verse layout counted in; for `телесный` the share of words of the body, doubled, 1 at most.
        method: what decided about the primary.
    """

    primary: str
    secondary: tuple[str, ...]
    confidence: float
    method: Method


def classify(
    text: str, words: Sequence[Token], source: str, *, verse: bool, given: str | None = None
) -> tuple[str, tuple[str, ...]]:
    """The register of a passage, and the others that are heard in it, loudest first; `classify_all` for one passage."""
    del text  # the words carry all of it
    (found,) = classify_all([ParsedPassage(words, source, verse, given)])
    return found.primary, found.secondary


def classify_all(passages: Sequence[ParsedPassage]) -> list[Registers]:
    """The registers of passages of one document, in order; a batch is read with one matrix product.

    A passage shorter than those that the model was fitted on is told together with its neighbours.

    Raises:
        HyperBridgeError: the model file is missing or broken.
    """
    model = classifier()
    scales = model.about["rates"]
    seen = find_traits([passage.words for passage in passages])
    chances = model.probabilities([features(one, scales) for one in seen])
    chances = _with_neighbours(chances, [sum(token.text[:1].isalpha() for token in one.words) for one in passages])
    return [_decide(passage, row) for passage, row in zip(passages, chances, strict=True)]


def _with_neighbours(chances: np.ndarray, words: Sequence[int]) -> np.ndarray:
    """(passages, classes): each row's mean with those of the passages around it, until these hold FITTED_WORDS.

    Args:
        chances: (passages, classes) of the passages alone.
        words: of each passage, by which it counts in a mean.
    """
    found = np.empty_like(chances)
    for number in range(len(chances)):
        first, last = number, number + 1
        while sum(words[first:last]) < FITTED_WORDS and (first > 0 or last < len(chances)):
            first, last = max(0, first - 1), min(len(chances), last + 1)
        found[number] = np.average(chances[first:last], axis=0, weights=np.maximum(words[first:last], 1))
    return found


def _decide(passage: ParsedPassage, row: np.ndarray) -> Registers:
    chances = dict(zip(CLASSES, (with_layout(row) if passage.verse else row).tolist(), strict=True))
    body = body_share(passage.words)
    folder = _from_folder(passage.source)
    method: Method = "content"
    if passage.given or folder:
        primary, confidence = passage.given or folder or "", 1.0
        method = "given" if passage.given else "folder"
    elif body >= BODY_LOUD and not passage.verse:
        primary, confidence = BODY, min(1.0, 2 * body)
    else:
        primary = max(chances, key=lambda name: chances[name])
        confidence = chances[primary]
        method = "layout" if passage.verse and primary == POET else "content"
    return Registers(primary, _heard(chances, body, primary), round(confidence, 3), method)


def _heard(chances: Mapping[str, float], body: float, primary: str) -> tuple[str, ...]:
    """The registers beside the primary one, by probability; the body, which has none, by how near it is to loud.

    The model knows no body and gives its words to others, so the body's share is taken off theirs.
    """
    loudness = {name: chance for name, chance in chances.items() if chance * (1 - body) >= HEARD}
    if body >= BODY_HEARD:
        loudness[BODY] = body / BODY_LOUD
    ranked = sorted(loudness, key=lambda name: -loudness[name])
    return tuple(name for name in ranked if name != primary)[:MOST_HEARD]


def with_layout(row: np.ndarray) -> np.ndarray:
    """Probabilities after verse layout was seen: the odds of the poet rise."""
    raised = row * np.where(np.array(CLASSES) == POET, LAYOUT_ODDS, 1.0)
    return raised / raised.sum()


def _from_folder(source: str) -> str | None:
    folders = PurePosixPath(source.partition("#")[0]).parts[:-1]
    return next((FOLDERS[name.lower()] for name in reversed(folders) if name.lower() in FOLDERS), None)


def body_share(words: Sequence[Token]) -> float:
    """Words of the body among the content words, 0..1; a passage counts as six content words at least."""
    content = sum(is_content(token) for token in words)
    return min(1.0, sum(token.lemma in _BODY_WORDS for token in words) / max(content, 6))


@lru_cache(maxsize=1)
def classifier() -> TextClassifier:
    """The fitted model, loaded once."""
    return TextClassifier.load(MODEL)


_VOWELS = frozenset("аеёиоуыэюя")
_MARKS = frozenset(',.!?—–-;:…«»"()')
# Their lemmas are grammar, not subject: they stand in the tags as they are.
_FUNCTION = frozenset({"ADP", "CCONJ", "SCONJ", "PART", "PRON", "DET", "AUX"})
_FIRST, _SECOND = lexicon("я мой мы наш"), lexicon("ты твой вы ваш")
_COUNTED = ("VerbForm", "Tense", "Person", "Mood", "Case", "Number")
# Syllables between the ends of lines that rhyme: from a short couplet to the outer lines of a quatrain.
RHYME_REACH = range(6, 29)

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
# Beside a group of length 1: a vocabulary and the meaning tell much, one of fifty rates little.
_VOCABULARY_WEIGHT, _RATE_WEIGHT, _MEANING_WEIGHT = 0.8, 0.13, 2.5


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
        weight = _VOCABULARY_WEIGHT if name in _VOCABULARY else _RATE_WEIGHT
        found[f"d {name}"] = weight * max(-3.0, min(3.0, (seen.rates.get(name, 0.0) - mean) / deviation))
    found.update(zip(_dimensions(len(seen.meaning)), (_MEANING_WEIGHT * seen.meaning).tolist(), strict=True))
    return found


@lru_cache(maxsize=1)
def _encoder() -> Encoder:
    return load_encoder("navec")


@lru_cache(maxsize=1)
def _dimensions(count: int) -> tuple[str, ...]:
    return tuple(f"e {number}" for number in range(count))


def _rates(words: Sequence[Token]) -> dict[str, float]:
    """Shares of forms, parts of speech and marks among the words, lengths, how much rhymes, and the vocabularies."""
    spoken = [token for token in words if token.text[0].isalnum()]
    total = max(len(spoken), 1)
    counts = Counter(name for token in spoken for name in _traits(token))
    counts.update(f"mark {token.text}" for token in words if token.text in _MARKS)
    found = {name: count / total for name, count in counts.items()}
    ends = sum(token.text[0] in ".!?…" for token in words)
    found["sentence length"] = math.log(total / max(ends, 1))
    found["word length"] = sum(len(token.text) for token in spoken) / total
    for name, vocabulary in _VOCABULARY.items():
        share = sum(plain(token.lemma) in vocabulary for token in spoken) / total
        found[name] = math.log1p(25 * share)
    return found | _rhyme(words, total)


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
    form = token.feats
    if token.pos == "PUNCT":
        return token.text if token.text in _MARKS else "PUNCT"
    if token.pos in _FUNCTION:
        return plain(token.lemma)
    if token.pos == "VERB":
        return "V" + "".join(form.get(name, "")[:4] for name in ("VerbForm", "Mood", "Tense", "Person", "Number"))
    if token.pos in {"NOUN", "ADJ"}:
        return token.pos[0] + "".join(form.get(name, "")[:3] for name in ("Variant", "Degree", "Case", "Number"))
    # A capital makes the tagger see names, and verse has many; a name is a noun here.
    return "N" + form.get("Case", "") + form.get("Number", "")[:3] if token.pos == "PROPN" else token.pos


def _traits(token: Token) -> Iterable[str]:
    yield "NOUN" if token.pos == "PROPN" else token.pos
    yield from (f"{name} {token.feats[name]}" for name in _COUNTED if name in token.feats)
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


def _rhyme(words: Sequence[Token], total: int) -> dict[str, float]:
    """Pairs of different words with the same last three letters as far apart, in syllables, as rhymes are.

    Inflection makes such pairs in prose too, so those whose words both stand before a mark are also counted apart, and
    so is what falls on the commonest three distances: verse repeats its own.
    """
    places: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    distances: Counter[int] = Counter()
    marked = syllables = 0
    for number, token in enumerate(words):
        word = token.text.lower()
        if not word[0].isalpha():
            continue
        syllables += sum(char in _VOWELS for char in word)
        before_mark = number + 1 == len(words) or words[number + 1].text in _MARKS
        for place, other, other_before_mark in places[word[-3:]]:
            if syllables - place in RHYME_REACH and other != word:
                distances[syllables - place] += 1
                marked += before_mark and other_before_mark
        places[word[-3:]].append((syllables, word, before_mark))
    commonest = sum(count for _, count in distances.most_common(3))
    return {
        "rhyme": distances.total() / total,
        "rhyme at marks": marked / total,
        "rhyme at three distances": commonest / total,
    }
