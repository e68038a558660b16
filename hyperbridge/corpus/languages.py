"""The languages the corpus rules exist for: what a language must give the stages, and the registry that finds it.

Segmentation, building and pairs know nothing of any language; whatever does lives in modules that end in `_ru`.
A language without rules is refused here, before any text is read.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hyperbridge.errors import HyperBridgeError, nearest

if TYPE_CHECKING:
    from hyperbridge.corpus.segmentation import Passage

# How a passage begins: inside a paragraph, with a new one, after a break, under a heading.
Opening = Literal["sentence", "paragraph", "break", "heading"]

_MODULES = {"ru": "hyperbridge.corpus.language_ru"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What segmentation must know of a language to tell text from the apparatus of an edition.

    Attributes:
        letters: one letter of the language's own script.
        old_spelling: two of these in a passage mean a spelling the parser was not made for.
        chapter, contents, notes_heading: whole-line patterns of headings.
        note: a line that is an editor's or author's note.
        date: a line that is nothing but a date, a place and a date, or a number.
        sentences: text -> (start, end) of its sentences.
    """

    letters: re.Pattern[str]
    old_spelling: re.Pattern[str]
    chapter: re.Pattern[str]
    contents: re.Pattern[str]
    notes_heading: re.Pattern[str]
    note: re.Pattern[str]
    date: re.Pattern[str]
    sentences: Callable[[str], list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the rules found in a passage; `components` holds the slots that were found and no others.

    Attributes:
        emotion, archetype, symbol: None where there is none.
        tension: 0..1.
        confidence: how sure each field is, 0..1, by its name in a scene.
        lemmas: of all content words, by which passages of a document are related.
        traces: of place, time and agents, by which `Language.relate` finds where a scene ends.
    """

    hyperlexeme: tuple[str, ...]
    components: dict[str, str | tuple[str, ...]]
    density: float
    register: str
    secondary: tuple[str, ...] = ()
    emotion: str | None = None
    archetype: str | None = None
    symbol: str | None = None
    tension: float | None = None
    confidence: dict[str, float] = field(default_factory=dict)
    lemmas: frozenset[str] = frozenset()
    traces: Any = None


@dataclass(frozen=True, slots=True)
class Relation:
    """What a passage is to the others of its document.

    Attributes:
        opens: it opens a scene: place, time or agents change before it.
        mode, context: mood and theme of the passages around it, None where unclear.
        needs_work: its tension is too low to stand alone.
        amplifier: number of a tenser passage that may lift it, where it needs that.
        confidence: of mode and context.
    """

    opens: bool = False
    mode: str | None = None
    context: str | None = None
    needs_work: bool = False
    amplifier: int | None = None
    confidence: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Language:
    """Rules of one language.

    Attributes:
        read: passages of one document and the register given for it (or None) -> for each passage, in order, its
            Reading, or the reason it has none.
        relate: the readings of a document and how each passage begins (scene_tree.py) -> for each its Relation.
    """

    code: str
    layout: Layout
    read: Callable[[Sequence[Passage], str | None], Iterator[Reading | str]]
    relate: Callable[[Sequence[Reading], Sequence[Opening]], list[Relation]]


def find_language(code: str) -> Language:
    """The rules of a language, loaded.

    Raises:
        HyperBridgeError: there are no rules for it, or its packages are not installed.
    """
    if code not in _MODULES:
        raise HyperBridgeError(f"no corpus rules for language '{code}': {nearest(code, _MODULES)}")
    language = importlib.import_module(_MODULES[code]).load()
    assert isinstance(language, Language)
    return language
