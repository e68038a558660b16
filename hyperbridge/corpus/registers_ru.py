"""Which register a Russian passage speaks in: what its source says, or else what its words say.

A register given by the user wins, then a folder name in the source (`poetry/...`), then verse layout. Otherwise each
register is scored by the share of the passage's content words that are its marks, and the best one above its
threshold is taken; without one the passage is narrative. The marks are small open lists, meant to be read and
corrected; they are a first guess, not a classifier. Cost: one look-up a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from hyperbridge.corpus.extraction_ru import is_content
from hyperbridge.corpus.parsing_ru import Token, lexicon

POET, ARCHETYPE, PHILOSOPHER, LOGICIAN, BODY, NARRATOR = (
    "поэтический", "архетипический", "философский", "логический", "телесный", "повествовательный",
)  # fmt: skip

FOLDERS = {
    **dict.fromkeys(("poetry", "verse", "poems", "стихи", "поэзия"), POET),
    **dict.fromkeys(("folk", "sacred", "myth", "myths", "tales", "сказки", "мифы"), ARCHETYPE),
    **dict.fromkeys(("essay", "essays", "philosophy", "philosophy_theology", "эссе", "философия"), PHILOSOPHER),
    **dict.fromkeys(("legal", "logic", "science", "закон", "наука"), LOGICIAN),
    **dict.fromkeys(("body", "тело"), BODY),
}

_MARKS = {
    BODY: lexicon(
        "тело рука нога глаз око лицо голова губа плечо грудь палец кожа кровь пот дыхание щека лоб шея спина "
        "колено живот горло язык зуб волос ладонь пульс дрожь боль жар холод тепло озноб голод жажда "
        "усталость слеза кость рот нос ухо висок ресница веко кулак локоть рана запах вкус сон дышать дрожать "
        "вздрогнуть болеть гореть обнять обнимать целовать поцеловать касаться коснуться прикоснуться прижать "
        "прижаться чувствовать ощущать ощутить бледнеть побледнеть краснеть покраснеть вздохнуть глотать "
        "сжать сжимать дрожащий горячий холодный теплый тёплый мокрый тяжелый тяжёлый мягкий голый бледный "
        "босой усталый больной потный"
    ),
    LOGICIAN: lexicon(
        "следовательно поэтому вследствие итак ибо значит доказать доказывать доказательство причина "
        "следствие вывод заключение условие необходимый необходимость закон право правило определение "
        "определить основание если то рассуждение противоречие предположить предположение отношение сравнение "
        "явление количество величина соответствовать соответствие случай согласно обязанность факт вопрос "
        "решение"
    ),
    PHILOSOPHER: lexicon(
        "бытие жизнь смерть смысл истина разум душа дух вечность добро зло свобода воля сущность вера любовь "
        "совесть мир человечество человек люди бог природа судьба мысль сознание познание нравственный "
        "духовный вечный разумный бесконечный истинный страдание счастье благо"
    ),
    ARCHETYPE: lexicon(
        "царь царевич царевна царство король королевна богатырь молодец девица баба-яга змей чудище кощей "
        "иванушка лисичка кума избушка терем тридевятый тридесятый сказка чародей волшебный старуха старик "
        "дед баба господь бог пророк ангел жертва жертвенник завет клятва проклятие благословить заповедь "
        "небо земля огонь змий жить-поживать"
    ),
}  # fmt: skip
# Shares of content words from which a register is heard; abstract words are common, so theirs is higher.
_THRESHOLDS = {BODY: 0.22, LOGICIAN: 0.2, PHILOSOPHER: 0.3, ARCHETYPE: 0.2}
_ABSTRACT = ("ость", "ение", "ание", "ство", "изм", "ция")
_FORMULAS = ("жили-были", "жил-был", "жил да был", "жили да были", "жил себе", "в некотором царстве", "за тридевять",
             "долго ли, коротко ли", "ни в сказке сказать", "скоро сказка сказывается", "и сказал господь")  # fmt: skip
_INFERENCE = ("потому что", "так как", "если", "то есть", "из чего следует", "таким образом", "следует, что", "поэтому")


def classify(
    text: str, words: Sequence[Token], source: str, *, verse: bool, given: str | None = None
) -> tuple[str, tuple[str, ...]]:
    """The register of a passage, and the others that are heard in it, loudest first.

    Args:
        text: the cleaned passage.
        words: all its tokens.
        source: of its document; its folders may name a register.
        verse: whether it is laid out as verse.
        given: a register set by the user for the whole input.
    """
    scores = _scores(text.lower(), words)
    heard = sorted((name for name in scores if scores[name] >= 1.0), key=lambda name: -scores[name])
    hinted = given or _from_folder(source) or (POET if verse else None)
    primary = hinted or (heard[0] if heard else NARRATOR)
    return primary, tuple(name for name in heard if name != primary)[:2]


def _from_folder(source: str) -> str | None:
    folders = PurePosixPath(source.partition("#")[0]).parts[:-1]
    return next((FOLDERS[name.lower()] for name in reversed(folders) if name.lower() in FOLDERS), None)


def _scores(text: str, words: Sequence[Token]) -> dict[str, float]:
    """For each register how loud it is: 1.0 is the threshold from which it counts."""
    content = [token for token in words if is_content(token)] or list(words)
    total = max(len(content), 6)
    scores = {}
    for register, marks in _MARKS.items():
        found = sum(token.lemma in marks for token in words)
        if register == PHILOSOPHER:
            nouns = {token.lemma for token in words if token.pos == "NOUN"} - marks
            found += sum(noun.endswith(_ABSTRACT) for noun in nouns)
        elif register == LOGICIAN:
            found += sum(text.count(phrase) for phrase in _INFERENCE)
        elif register == ARCHETYPE:
            found += 3 * sum(phrase in text for phrase in _FORMULAS)
        scores[register] = found / total / _THRESHOLDS[register]
    return scores
