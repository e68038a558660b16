"""Texts that are to be one token: the frequent hyperlexemes of scenes, the Δ-codes of a formula book, symbols.

No merge can make them in every surrounding: a pre-tokenizer cuts `Δ41` into three and glues a bracket to the word after
it. So they are added tokens, matched in the raw text before all else, the longest first:

- hyperlexeme: two tokens, `w` and ` w`, found wherever the text stands (also before a case ending: `w` + `ом`); and
  when asked two more for the form with seams (`жар+вход`), in which models are given scenes;
- Δ-code: one token that touches no letter, digit or `_`: `Δ41` is found neither in `Δ412` nor inside a word;
- symbol: one token wherever it stands (`мир⟁дом`).

Case policy: a unit matches as its scene or book writes it, and hyperlexemes with a capital first letter as well when
asked; capitals are tokens of their own, since a tokenizer has to give back the case it read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hyperbridge.formulas import Formula
from hyperbridge.scenes import Scene
from hyperbridge.tokenizer.extension import Unit

SHORTEST_HYPERLEXEME = 4


@dataclass(frozen=True, slots=True)
class UnitToken:
    """One added token of a unit: its text, and whether it may not touch a letter, a digit or `_`."""

    text: str
    unit: Unit
    single_word: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A unit or a piece that got no id, and why."""

    text: str
    reason: str


def hyperlexeme_units(
    scenes: Iterable[Scene], *, budget: int, capitals: bool = False, prompt_forms: bool = False
) -> list[Unit]:
    """The most frequent hyperlexemes that spell their scene, at most `budget` of them; ties in order of the alphabet.

    Args:
        scenes: where to count.
        budget: hyperlexemes, not tokens: each has two, and two more with `capitals` and with `prompt_forms`.
        capitals: also with a capital first letter.
        prompt_forms: also as a scene's prompt form begins: `жар+вход`.
    """
    counts = Counter(scene.hyperlexeme for scene in scenes if _spells(scene))
    seams = sorted(counts, key=lambda one: (-counts[one], one))
    # Two seams can make one word; the likelier one says what it is made of.
    words = {"".join(one): one for one in reversed(seams)}
    frequent = [one for one in seams if words["".join(one)] == one][:budget]
    lower = [Unit(text="".join(one), kind="hyperlexeme", components=one) for one in frequent]
    return [*lower, *(_capitalized(lower) if capitals else ()), *(_prompt_forms(lower) if prompt_forms else ())]


def formula_units(book: Mapping[str, Formula]) -> list[Unit]:
    """The Δ-codes of a book; their components are what the formula sums."""
    return [Unit(text=code, kind="formula", components=book[code].parts) for code in sorted(book, key=_by_number)]


def symbol_units(symbols: str) -> list[Unit]:
    """One unit for each character as a reader sees it (`👩‍👩‍👧` is one); spaces and commas between are left out."""
    import regex

    seen = dict.fromkeys(regex.findall(r"\X", symbols))
    return [Unit(text=symbol, kind="symbol") for symbol in seen if symbol.strip(" ,\t\r\n")]


def tokens_of(unit: Unit) -> list[UnitToken]:
    """The added tokens of a unit, in the order of their ids."""
    texts = (unit.text, f" {unit.text}") if unit.kind == "hyperlexeme" else (unit.text,)
    return [UnitToken(text, unit, single_word=unit.kind == "formula") for text in texts]


def admit(units: Sequence[Unit], known: Collection[str]) -> tuple[list[Unit], list[Refusal]]:
    """Split units into those that can be tokens and those that cannot, with the reason.

    Args:
        units: what is asked for.
        known: texts that are tokens of the base as they stand.
    """
    admitted: dict[str, Unit] = {}
    refused = []
    for unit in units:
        reason = "asked for twice" if unit.text in admitted else _objection(unit, known)
        if reason:
            refused.append(Refusal(unit.text, reason))
        else:
            admitted[unit.text] = unit
    return list(admitted.values()), refused


def _objection(unit: Unit, known: Collection[str]) -> str | None:
    if unit.text != unit.text.strip() or not unit.text:
        return "begins or ends with a space"
    if unit.kind == "hyperlexeme" and len(unit.text) < SHORTEST_HYPERLEXEME:
        return f"shorter than {SHORTEST_HYPERLEXEME} letters: it would be found inside ordinary words"
    if unit.kind == "symbol" and (unit.text.isascii() or unit.text[0].isalnum()):
        return "a letter, a digit or an ASCII mark is no symbol: ordinary text is full of it"
    return "already a token of the base" if unit.text in known else None


def _spells(scene: Scene) -> bool:
    return len(scene.hyperlexeme) > 1 and all(scene.hyperlexeme) and "".join(scene.hyperlexeme) == scene.scene


def _capitalized(units: Sequence[Unit]) -> list[Unit]:
    capital = ((unit.text[0].upper() + unit.text[1:], unit) for unit in units)
    return [unit.model_copy(update={"text": text}) for text, unit in capital if text != unit.text]


def _prompt_forms(units: Sequence[Unit]) -> list[Unit]:
    heads = (Scene(scene=unit.text, hyperlexeme=unit.components).prompt() for unit in units)
    return [unit.model_copy(update={"text": head}) for unit, head in zip(units, heads, strict=True)]


def _by_number(code: str) -> tuple[int, str]:
    return int(code[1:]), code
