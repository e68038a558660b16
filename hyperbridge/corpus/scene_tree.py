"""The tree of a document: book -> chapter -> scene -> passage, each node knowing its parent and what comes next.

A scene of the tree is a stretch of one place, time and cast, the field that its passages lie in. `next` leads through
a field passage by passage, and from its last passage on into the following field: scene -> field -> scene.

Chapters come from the document's divisions, or in plain text from the headings that stand between passages: a shape
of heading met inside another is deeper, as in reStructuredText. Scenes come from divisions of kind `scene` where a
chapter has any, else from boundaries between its passages, chosen from scores of the gaps: those that stand out among
the document's own and leave no scene too short, by dynamic programming over the whole document. Spans nest and
siblings are in order. Cost: passages times divisions; on novels 0.4 microseconds a word.
"""

from __future__ import annotations

import hashlib
import re
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby, pairwise
from typing import Literal, Protocol

from hyperbridge.corpus.languages import Layout, Opening

NodeKind = Literal["book", "chapter", "scene", "passage"]

CHAPTER_KINDS = ("part", "chapter", "act")
RARE_BLANKS = 0.2
MAX_TITLE_WORDS, MAX_TITLE_CHARS = 12, 80

# A number alone, or a list of them over stanzas that were left out: `XV. XVI. XVII`.
_NUMBER = re.compile(r"\W*(\d{1,3}|[IVXLC]+)(?:\W+(?:\d{1,3}|[IVXLC]+))*\W*$")
_BLANK = re.compile(r"\n[^\S\n]*\n")
_NUMBERS = re.compile(r"\b(\d+|[IVXLC]+)\b")
_BARE_END = re.compile(r"[\w\])»\"*]$")
# Asterisks set a title off or mark a note to it; `#` and `_` are a markup's.
_TITLE_MARKS = re.compile(r"\s*[*⁂#_]+\s*|\s*\[\d{1,3}\]|\s+")
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


class Piece(Protocol):
    """What the tree needs of a passage: its place in the text, and whether it is prose or verse."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def kind(self) -> str: ...


class DivisionLike(Protocol):
    """A part of the document's own structure: `text[start:end]`, its kind and title."""

    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Chapter:
    """A division found in plain text: from its heading to the next heading of its depth or above."""

    title: str | None
    start: int
    end: int
    depth: int
    kind: str = "chapter"


@dataclass(slots=True)
class Node:
    """A stretch of the document with its links, all by id.

    Attributes:
        title: None where it has none.
        next: passage -> the following passage of the book, in its own scene or the first of the scene after it;
            scene -> the following scene of the book, across chapters; chapter -> the following chapter beside it.
        children: in order; none for a passage.
    """

    id: str
    kind: NodeKind
    title: str | None
    start: int
    end: int
    parent: str | None = None
    next: str | None = None
    children: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SceneTree:
    """The nodes of a document by id, a node before its children; the first is the book.

    Attributes:
        source: of the document.
        passages: ids, one for each passage it was built of.
    """

    source: str
    nodes: dict[str, Node]
    passages: tuple[str, ...]

    def path(self, node_id: str) -> tuple[str, ...]:
        """The titles of the chapters around a node, outermost first."""
        titles: list[str] = []
        above = self.nodes[node_id].parent
        while above is not None:
            node = self.nodes[above]
            if node.kind == "chapter" and node.title:
                titles.append(node.title)
            above = node.parent
        return tuple(reversed(titles))


def clean_title(title: str | None) -> str | None:
    """A title in one line without asterisks, note marks and markup; None where no letter or number is left."""
    words = _TITLE_MARKS.sub(" ", title or "").strip(" ,;{}[]")
    return words if any(char.isalnum() for char in words) else None


def node_id(source: str, kind: NodeKind, start: int, end: int) -> str:
    """A short name that the same stretch of the same source always gets: twelve hexadecimal digits."""
    return hashlib.blake2b(f"{source}\n{kind}\n{start}\n{end}".encode(), digest_size=6).hexdigest()


def openings(text: str, passages: Sequence[Piece], divisions: Sequence[DivisionLike], layout: Layout) -> list[Opening]:
    """How each passage begins: inside a paragraph or stanza, with a new one, after a break, or where a division does.

    Asterisks and a title on its own are a break; an empty line is one where such lines are rare. In verse an empty
    line ends a stanza.
    """
    begun = sorted(division.start for division in divisions if division.kind in (*CHAPTER_KINDS, "scene"))
    gaps = list(_gaps(passages))
    blank = [bool(_BLANK.search(text, start, end)) for start, end in gaps]
    rare = sum(blank) <= RARE_BLANKS * sum("\n" in text[start:end] for start, end in gaps)
    found: list[Opening] = []
    for number, (start, end) in enumerate(gaps):
        shapes = {_shape(line, layout) for _, line in _lines(text, start, end)}
        verse = passages[number].kind == "verse"
        if bisect_right(begun, passages[number].start) > bisect_left(begun, start):
            found.append("heading")
        elif shapes & {"break", "title", "capitals"} or (blank[number] and rare and not verse):
            found.append("break")
        elif number == 0 or (blank[number] if verse else "\n" in text[start:end]):
            found.append("paragraph")
        else:
            found.append("sentence")
    return found


def _gaps(passages: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """What stands before each passage."""
    end = 0
    for passage in passages:
        yield end, max(end, passage.start)
        end = passage.end


def _shape(line: str, layout: Layout) -> str | None:
    """What a line between passages is: a kind of heading by its look, `break`, or None for a left-out line of text."""
    if not any(char.isalnum() for char in line):
        return "break" if set(line) & set("*⁂•#~=_") else None
    if layout.chapter.match(line):
        return re.findall(r"\w+", line.lower())[0]
    if number := _NUMBER.match(line):
        return "digits" if number[1].isdigit() else "numerals"
    if line.startswith("#"):
        return line[: len(line) - len(line.lstrip("#"))]
    words, letters = line.split(), [char for char in line if char.isalpha()]
    if len(words) > MAX_TITLE_WORDS or len(line) > MAX_TITLE_CHARS or not letters or letters[0].islower():
        return None
    if all(char.isupper() for char in letters) and max(map(len, words)) > 3:
        return "capitals"
    return "title" if _BARE_END.search(line) and line[0] not in "—–-" else None


def chapters_of(
    divisions: Sequence[DivisionLike], text: str, passages: Sequence[Piece], layout: Layout
) -> Sequence[DivisionLike]:
    """The source's own divisions, or the chapters found in the text where none of them is a chapter or a scene."""
    told = any(division.kind in (*CHAPTER_KINDS, "scene") for division in divisions)
    return divisions if told else find_chapters(text, passages, layout)


def find_chapters(text: str, passages: Sequence[Piece], layout: Layout) -> list[Chapter]:
    """The chapters of plain text by its headings, in order, outer ones first; those with no passage are left out.

    A shape of heading not met before is deeper than all before it. A free title names the chapter whose heading it
    follows; where titles stand between poems, each begins a scene. Before the first passage lines of capitals do not
    count: they are the title of the book.
    """
    headings = list(_headings(text, passages, layout))
    titled_poems = any(shape == "title" and start > passages[0].start for shape, _, start in headings)
    shapes: list[str] = []
    heads: list[tuple[int, str, int]] = []
    for shape, title, start in headings:
        if shape == "title" and not titled_poems:
            continue
        if shape not in shapes:
            shapes.append(shape)
        heads.append((shapes.index(shape), title, start))
    starts = [piece.start for piece in passages]
    last = passages[-1].end if passages else 0
    found = []
    for number, (depth, title, start) in enumerate(heads):
        end = next((after for level, _, after in heads[number + 1 :] if level <= depth), last)
        if bisect_left(starts, start) < bisect_left(starts, end):
            kind = "scene" if shapes[depth] == "title" else "chapter"
            found.append(Chapter(title, start, end, depth, kind))
    return found


def _headings(text: str, passages: Sequence[Piece], layout: Layout) -> Iterator[tuple[str, str, int]]:
    """(shape, title, offset) of the headings; numbers count where they go up by one or two or begin again."""
    counted: dict[str, int] = {}
    for number, (start, end) in enumerate(_gaps(passages)):
        among_poems = passages[max(0, number - 1)].kind == passages[number].kind == "verse"
        for shape, title, offset in _gap_headings(text, start, end, layout, among_poems):
            if number == 0 and shape == "capitals":
                continue
            values = _values(title) if shape in {"digits", "numerals"} else [1]
            if values[0] in (1, counted.get(shape, 0) + 1, counted.get(shape, 0) + 2):
                counted[shape] = values[-1]
                yield shape, title, offset


def _gap_headings(text: str, start: int, end: int, layout: Layout, among_poems: bool) -> list[tuple[str, str, int]]:
    """The headings between two passages. Digits with a line of text after them, left out too, number a footnote."""
    found: list[tuple[str, str, int]] = []
    nameless = False
    for offset, line in _lines(text, start, end):
        shape = _shape(line, layout)
        if shape in {"title", "capitals"} and nameless:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line}", found[-1][2])
            nameless = False
        elif shape is None:
            if found and found[-1][0] == "digits":
                found.pop()
            nameless = False
        elif shape != "break" and (shape != "title" or among_poems):
            found.append((shape, line, offset))
            nameless = shape not in {"title", "capitals"}
    return found


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    for raw in text[start:end].split("\n"):
        line = raw.strip()
        if line:
            yield start + raw.index(line), line
        start += len(raw) + 1


def _values(title: str) -> list[int]:
    """The numbers a heading begins with: [12] of `XII`, [15, 16] of `XV. XVI`."""
    numbers = _NUMBERS.findall(title)
    numbers = numbers if _NUMBER.match(title) else numbers[:1]
    return [int(number) if number.isdigit() else _roman(number) for number in numbers]


def _roman(number: str) -> int:
    digits = [_ROMAN[char] for char in number]
    return sum(-one if one < after else one for one, after in zip(digits, [*digits[1:], 0], strict=True))


def choose_boundaries(
    scores: Sequence[float],
    words: Sequence[int],
    *,
    deviations: float,
    level: float = float("-inf"),
    min_words: int,
    always: Sequence[int] = (),
) -> list[int]:
    """The units that open a scene, by the scores of the gaps: those that stand out, scenes long enough.

    What is maximised is the sum, over the chosen gaps, of how far the score is above the threshold.

    Args:
        scores: of each gap; `scores[number]` is of the gap before unit `number + 1`; minus infinity where there can
            be none.
        words: of each unit, one more than gaps.
        deviations: the threshold is so many standard deviations above the mean of the document's own scores,
        level: and no lower than this.
        min_words: no scene is shorter, but where `always` or the document itself is.
        always: units that open a scene whatever their score (a chapter begins).

    Returns:
        Indices of units in order; the first unit is among them only where `always` says so.
    """
    finite = [score for score in scores if score > float("-inf")]
    if not finite:
        return sorted(set(always))
    threshold = max(level, statistics.fmean(finite) + deviations * statistics.pstdev(finite))
    starts = sorted({0, *always})
    chosen = set(always)
    for start, stop in zip(starts, [*starts[1:], len(words)], strict=True):
        gains = [score - threshold for score in scores[start : stop - 1]]
        chosen.update(start + opened for opened in _best_cuts(gains, words[start:stop], min_words))
    return sorted(chosen)


def _best_cuts(gains: Sequence[float], words: Sequence[int], min_words: int) -> list[int]:
    """The units before which to cut for the greatest total gain, no piece shorter than `min_words`.

    `best[unit]` is (gain, last cut) of the best cutting of what is before `unit` whose last piece ends there or later.
    """
    before = [0, *accumulate(words)]
    best: list[tuple[float, int]] = [(0.0, 0)]
    previous = [0] * len(words)
    for unit in range(1, len(words)):
        latest = min(unit - 1, bisect_right(before, before[unit] - min_words) - 1)
        best.append(best[-1])
        if latest >= 0:
            gain, previous[unit] = best[latest]
            best[unit] = max(best[unit], (gain + gains[unit - 1], unit))
    latest = min(len(words) - 1, bisect_right(before, before[-1] - min_words) - 1)
    cuts = []
    cut = best[max(latest, 0)][1]
    while cut:
        cuts.append(cut)
        cut = previous[cut]
    return cuts[::-1]


def build_tree(
    source: str,
    title: str | None,
    length: int,
    passages: Sequence[Piece],
    divisions: Sequence[DivisionLike],
    boundaries: Sequence[int],
) -> SceneTree:
    """The tree of one document.

    Args:
        length: of the document's text, in characters.
        passages: in order, not overlapping.
        divisions: of the document, or those `find_chapters` found; parts, chapters and acts become chapters.
        boundaries: indices of the passages that open a scene. A chapter always opens one; in a chapter that has
            divisions of kind `scene`, these are its scenes and the boundaries are not used.
    """
    book = Node(node_id(source, "book", 0, length), "book", clean_title(title), 0, length)
    chapters = [division for division in divisions if division.kind in CHAPTER_KINDS]
    scenes = [division for division in divisions if division.kind == "scene"]
    leaves = _leaves(passages, chapters, scenes, set(boundaries))
    ids = tuple(node_id(source, "passage", leaf.start, leaf.end) for leaf in leaves)
    tree = SceneTree(source, {book.id: book}, ids)
    _grow(tree, book, leaves, 0)
    _link(tree)
    return tree


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A passage and where it hangs: the chapters around it, the scene division it is in, whether it opens a scene."""

    start: int
    end: int
    after: int
    chapters: tuple[DivisionLike, ...]
    scene: DivisionLike | None
    opens: bool


def _leaves(
    passages: Sequence[Piece], chapters: Sequence[DivisionLike], scenes: Sequence[DivisionLike], boundaries: set[int]
) -> list[_Leaf]:
    leaves: list[_Leaf] = []
    chapters = sorted(chapters, key=lambda chapter: (chapter.start, -chapter.end))
    scenes = sorted(scenes, key=lambda scene: scene.start)
    for number, piece in enumerate(passages):
        around = _around(chapters, piece.start)
        scene = _scene_at(scenes, around[-1] if around else None, piece.start)
        same = bool(leaves) and leaves[-1].chapters == around and leaves[-1].scene is scene
        opens = not same or (scene is None and number in boundaries)
        leaves.append(_Leaf(piece.start, piece.end, leaves[-1].end if leaves else 0, around, scene, opens))
    return leaves


def _around(chapters: Sequence[DivisionLike], offset: int) -> tuple[DivisionLike, ...]:
    """The chapters that hold an offset, outermost first, each inside the one before."""
    chain: list[DivisionLike] = []
    for chapter in chapters:
        if chapter.start <= offset < chapter.end and (not chain or chapter.end <= chain[-1].end):
            chain.append(chapter)
    return tuple(chain)


def _scene_at(scenes: Sequence[DivisionLike], chapter: DivisionLike | None, offset: int) -> DivisionLike | None:
    """The scene division of a chapter that an offset belongs to: the last begun, or the first for what opens it."""
    inside = [scene for scene in scenes if chapter is None or chapter.start <= scene.start < chapter.end]
    begun = [scene for scene in inside if scene.start <= offset]
    return begun[-1] if begun else inside[0] if inside else None


def _grow(tree: SceneTree, parent: Node, leaves: Sequence[_Leaf], depth: int) -> None:
    """Hang leaves below a node: those with a chapter of this depth below its node, the rest in scenes."""
    for chapter, group in groupby(
        leaves, key=lambda leaf: leaf.chapters[depth] if len(leaf.chapters) > depth else None
    ):
        inside = list(group)
        if chapter is not None:
            start = max(chapter.start, inside[0].after)
            node = _add(tree, parent, "chapter", chapter.title, start, inside[-1].end)
            _grow(tree, node, inside, depth + 1)
            continue
        firsts = [number for number, leaf in enumerate(inside) if leaf.opens or number == 0]
        for first, stop in pairwise([*firsts, len(inside)]):
            scene, division = inside[first:stop], inside[first].scene
            title = division.title if division else None
            node = _add(tree, parent, "scene", title, scene[0].start, scene[-1].end)
            for leaf in scene:
                _add(tree, node, "passage", None, leaf.start, leaf.end)


def _add(tree: SceneTree, parent: Node, kind: NodeKind, title: str | None, start: int, end: int) -> Node:
    node = Node(node_id(tree.source, kind, start, end), kind, clean_title(title), start, end, parent.id)
    tree.nodes[node.id] = node
    parent.children.append(node.id)
    return node


def _link(tree: SceneTree) -> None:
    """Set `next`: for chapters among the children of a node, for scenes and passages through the whole book."""
    for node in tree.nodes.values():
        _chain([child for name in node.children if (child := tree.nodes[name]).kind == "chapter"])
    for kind in ("scene", "passage"):
        _chain([node for node in tree.nodes.values() if node.kind == kind])


def _chain(nodes: Sequence[Node]) -> None:
    for node, after in pairwise(nodes):
        node.next = after.id
