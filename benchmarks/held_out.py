"""Passages of works that a base never read, by genre.

A work is kept out exactly where pretraining keeps it out (`is_held_out`): the tenth that `split_of` calls test, and
the works a recipe names, which are whole authors. The two are measured apart: a new work of a known author is easier
than a new author. A group's budget of characters is shared evenly among its works, short works giving all they have;
a long work gives one passage from its middle, so that title pages and endings weigh nothing.
A held-out work whose text is in the training texts under another name is left out, and reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath

from benchmarks.overlap import ALREADY_READ, shares_in_training
from hyperbridge.corpus.cleaning import clean
from hyperbridge.corpus.documents import read_documents
from hyperbridge.corpus.splits import is_named
from hyperbridge.errors import HyperBridgeError
from hyperbridge.trainers.pretrain import is_held_out, training_chats, training_texts
from hyperbridge.trainers.recipe import PretrainingTexts

NEW_WORKS = "new works"
NEW_AUTHORS = "new authors"
# Shorter passages would measure beginnings: a group of many works takes every k-th of them instead.
SHORTEST_PASSAGE = 1_500
# Read before a passage, not scored; more than any model's share of context.
CONTEXT_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Passage:
    """Text to be scored, after a context that is not."""

    source: str
    text: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """What is measured as one figure: the held-out works of a genre (their folder), of one kind."""

    genre: str
    kind: str
    works: int
    passages: list[Passage]

    @property
    def name(self) -> str:
        return f"{self.genre}, {self.kind}"

    @property
    def characters(self) -> int:
        return sum(len(passage.text) for passage in self.passages)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a base is measured on.

    Attributes:
        groups: the held-out works, by genre and kind.
        genres_without: genres that have no such work.
        already_read: works left out because the training texts contain them under another name, with the share found.
    """

    groups: list[Group]
    genres_without: list[str]
    already_read: dict[str, float]


def find_held_out(texts: PretrainingTexts, characters: int) -> HeldOut:
    """The works a base never read, cut to a budget.

    Args:
        texts: inputs and rules of the pretraining; the folders must be given as they were then, because a work is
            known by the path below them.
        characters: budget of a group.

    Raises:
        HyperBridgeError: nothing is held out, or the recipe's globs match no work: then the rule that kept works out
            was another one, and the model may have read these.
    """
    works, genres = _held_out_works(texts)
    if not works:
        raise HyperBridgeError("none of these texts is held out of training, so nothing can be measured on them")
    if texts.held_out and not any(is_named(source, texts.held_out) for source in works):
        raise HyperBridgeError(
            f"the recipe holds out {', '.join(texts.held_out)}, and no work here has such a name (genres here: "
            f"{', '.join(sorted(genres))}); give the folders as they were given to pretraining"
        )
    chats = (chat.text_human for chat in training_chats(texts))
    shares = shares_in_training(works, chain(training_texts(texts.model_copy(update={"repeat": {}})), chats))
    read = {source: share for source, share in shares.items() if share > ALREADY_READ}
    kept: defaultdict[tuple[str, str], list[Passage]] = defaultdict(list)
    for source in works.keys() - read.keys():
        kind = NEW_AUTHORS if is_named(source, texts.held_out) else NEW_WORKS
        kept[_genre(source), kind].append(Passage(source, works[source]))
    if not kept:
        raise HyperBridgeError("every held-out text is in the training texts under another name")
    groups = [
        Group(*key, len(found), passages_of(sorted(found, key=lambda work: work.source), characters))
        for key, found in sorted(kept.items())
    ]
    return HeldOut(groups, sorted(genres - {group.genre for group in groups}), read)


def passages_of(works: Sequence[Passage], budget: int) -> list[Passage]:
    """At most `budget` characters, taken evenly from whole works."""
    most = max(1, int(budget * len(works) / sum(min(len(work.text), SHORTEST_PASSAGE) for work in works)))
    chosen = _spread(works, most)
    share = even_share([len(work.text) for work in chosen], budget)
    return [_middle(work, share) for work in chosen]


def even_share(lengths: Sequence[int], budget: int) -> int:
    """The largest share such that taking min(length, share) of each keeps within the budget."""
    left = budget
    for taken, length in enumerate(ordered := sorted(lengths)):
        share = left // (len(ordered) - taken)
        if length > share:
            return share
        left -= length
    return max(ordered)


def _spread(works: Sequence[Passage], count: int) -> Sequence[Passage]:
    """`count` works at even distances."""
    return works if count >= len(works) else [works[index * len(works) // count] for index in range(count)]


def _middle(work: Passage, length: int) -> Passage:
    """`length` characters from the middle, from the start of a line to the end of a word."""
    text = work.text
    if len(text) <= length:
        return work
    start = text.find("\n", (len(text) - length) // 2) + 1
    if not 0 < start <= len(text) - length:
        start = 0
    end = max(text.rfind(" ", start, start + length), text.rfind("\n", start, start + length))
    return Passage(
        work.source,
        text[start : end if end > start else start + length],
        text[max(0, start - CONTEXT_CHARACTERS) : start],
    )


def _held_out_works(texts: PretrainingTexts) -> tuple[dict[str, str], set[str]]:
    """Source -> cleaned text of the held-out works, and the genres of all works."""
    works: dict[str, str] = {}
    genres: set[str] = set()
    for document in read_documents(texts.inputs):
        genres.add(_genre(document.source))
        if is_held_out(document.source, texts.held_out) and (text := clean(document.text)):
            works[document.source] = text
    return works, genres


def _genre(source: str) -> str:
    """The folder a work came from; a file given by itself is a genre of its own."""
    return PurePosixPath(source.split("#")[0]).parts[0]
