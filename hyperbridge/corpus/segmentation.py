"""Documents -> passages: pieces of 1-4 prose sentences or 4-8 verse lines, each knowing where it was cut.

Lines are first told apart by layout alone: headings, tables of contents, notes, dates and foreign lines are dropped
with a reason; short lines that begin with a capital and mostly run on past their end are verse; the rest is prose,
one paragraph a line or hard-wrapped. Prose is cut greedily at sentence ends inside a paragraph; only runs of tiny
dialogue lines join across paragraphs. Verse is cut by dynamic programming over the lines of a poem, where stanza
breaks are free, sentence ends cheap and cuts inside a sentence dear. Cost: linear in the text; memory: one document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Literal

from hyperbridge.corpus.cleaning import clean
from hyperbridge.corpus.documents import Document
from hyperbridge.corpus.languages import Layout

Drop = Callable[[str], None]
Kind = Literal["prose", "verse"]

MIN_WORDS, ENOUGH_WORDS, MAX_WORDS, MAX_SENTENCES = 8, 18, 60, 4
MAX_SENTENCE_WORDS = 90
# As printed; ninety words have about 600. A line of signs alone is no passage, and its cost grows with its square.
MAX_CHARS = 3000
VERSE_LINE_CHARS, MIN_LINES, MAX_LINES = 75, 4, 8

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_ENDS_SENTENCE = re.compile(r"[.!?…][\"»”“)\]'’—–\s*\d-]*$")
_ENDS_CLAUSE = re.compile(r"[;:][\"»”)\s—–-]*$")
_ENDS_CLAUSE_OR_COMMA = re.compile(r"[;:,][\s—–-]*$")
_RUNS_ON = re.compile(r"[,;:\w][\s—–-]*$")
_BARE_END = re.compile(r"[\w\])»\"*]$")
_OPENING = " \t\"«„“(—–-…'*.["
_DIALOGUE = re.compile(r"(?:—|–|--?)\s*(?=[^\W\d_])")
_NUMBER = re.compile(r"[\W_\dIVXLC]+$")
_LINE_BREAK = re.compile(r"\n+(?!(?:—|–|--?)\s*[\"«…]?[^\W\d_a-zа-яё])")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `Document.text[start:end]` is it as printed, `text` is it cleaned."""

    source: str
    start: int
    end: int
    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    indent: int
    text: str


@dataclass(slots=True)
class _Block:
    """Lines of one kind with nothing dropped between them; `breaks`: the lines that come after a gap."""

    kind: Kind
    lines: list[_Line]
    breaks: set[int] = field(default_factory=set)


def segment(document: Document, layout: Layout, drop: Drop) -> Iterator[Passage]:
    """Yield the passages of a document in order; `drop` is called with the reason for every unit left out."""
    for block in _blocks(document.text, layout, drop):
        spans = _verse_spans(block) if block.kind == "verse" else _prose_spans(block, document.text, layout)
        for start, end in spans:
            if end - start > MAX_CHARS:
                drop(f"longer than {MAX_CHARS} characters")
                continue
            text = passage_text(document.text[start:end], block.kind)
            reason = _unfit(text, layout)
            if reason is None:
                yield Passage(document.source, start, end, text, block.kind)
            else:
                drop(reason)


def passage_text(raw: str, kind: Kind) -> str:
    """The cleaned text of a raw piece: verse keeps its lines, prose only the line breaks before dialogue."""
    text = clean(raw)
    return text if kind == "verse" else _LINE_BREAK.sub(" ", text).replace("\n\n", "\n")


def count_words(text: str) -> int:
    """Words as runs of letters; a hyphen inside joins, numbers do not count."""
    return len(_WORD.findall(text))


def _unfit(text: str, layout: Layout) -> str | None:
    words = count_words(text)
    if words < MIN_WORDS:
        return f"shorter than {MIN_WORDS} words"
    if words > MAX_SENTENCE_WORDS:
        return f"a sentence longer than {MAX_SENTENCE_WORDS} words"
    if len(layout.old_spelling.findall(text)) > 1:
        return "old spelling or a related language"
    return "another alphabet" if is_foreign(text, layout) else None


def _groups(text: str) -> list[list[_Line]]:
    """The non-empty lines of a text, without outer space, in groups that empty lines set apart."""
    groups: list[list[_Line]] = [[]]
    offset = 0
    for raw in text.split("\n"):
        stripped = raw.strip().strip("\ufeff")
        if stripped:
            start = offset + raw.index(stripped)
            groups[-1].append(_Line(start, start + len(stripped), len(raw) - len(raw.lstrip()), stripped))
        elif groups[-1]:
            groups.append([])
        offset += len(raw) + 1
    return groups if groups[-1] else groups[:-1]


def _blocks(text: str, layout: Layout, drop: Drop) -> Iterator[_Block]:
    """The text of the document: poems (all stanzas between two headings) and stretches of prose."""
    groups = _groups(text)
    verse_document = _is_verse([line for group in groups for line in group], share_of_ends=0.65)
    apparatus = _Apparatus(layout, verse_document)
    block: _Block | None = None
    for group in groups:
        for kind, lines in _pieces(group, apparatus.reasons(group), verse_document, drop):
            if block is not None and block.kind == kind and lines:
                block.breaks.add(len(block.lines))
                block.lines.extend(lines)
                continue
            if block is not None:
                yield block
            block = _Block(kind, lines) if lines else None
    if block is not None:
        yield block


def _pieces(
    group: list[_Line], reasons: list[str | None], verse_document: bool, drop: Drop
) -> Iterator[tuple[Kind, list[_Line]]]:
    """Runs of kept lines with their kind; a dropped line gives an empty piece, which ends a block."""
    run: list[_Line] = []
    for line, reason in zip(group, reasons, strict=True):
        if reason is None:
            run.append(line)
            continue
        drop(reason)
        yield from _kinds(run, verse_document)
        yield "prose", []
        run = []
    yield from _kinds(run, verse_document)


def _kinds(lines: list[_Line], verse_document: bool) -> Iterator[tuple[Kind, list[_Line]]]:
    """Tell verse from prose: a whole run in a book of verse, four lines or more in a book of prose."""
    if verse_document and lines:
        yield ("verse" if _is_verse(lines, share_of_ends=1.0) else "prose"), lines
        return
    prose: list[_Line] = []
    for verse, run in _verse_runs(lines):
        if not verse:
            prose.extend(run)
            continue
        if prose:
            yield "prose", prose
        yield "verse", run
        prose = []
    if prose:
        yield "prose", prose


def _verse_runs(lines: list[_Line]) -> Iterator[tuple[bool, list[_Line]]]:
    """Runs of lines of a book of prose, and whether each is verse."""
    for shaped, found in groupby(lines, _verse_shaped):
        run = list(found)
        yield shaped and len(run) >= MIN_LINES and _is_verse(run, share_of_ends=0.5), run


def _verse_shaped(line: _Line) -> bool:
    return len(line.text) <= 60 and _starts_high(line.text) and not _DIALOGUE.match(line.text)


def _is_verse(lines: list[_Line], share_of_ends: float) -> bool:
    """Short lines that mostly begin with a capital; at most `share_of_ends` of them end a sentence."""
    if not lines:
        return False
    short = sum(len(line.text) <= VERSE_LINE_CHARS for line in lines) / len(lines)
    high = sum(_starts_high(line.text) for line in lines) / len(lines)
    ends = sum(bool(_ENDS_SENTENCE.search(line.text)) for line in lines) / len(lines)
    return short >= 0.8 and high >= 0.6 and ends <= share_of_ends


def _starts_high(text: str) -> bool:
    return text.lstrip(_OPENING)[:1].isupper()


class _Apparatus:
    """Tells the lines of an edition from the lines of the work; remembers when it is inside notes or contents."""

    def __init__(self, layout: Layout, verse_document: bool) -> None:
        self.layout, self.verse_document = layout, verse_document
        self.in_notes = self.in_contents = False
        self.seen = 0

    def reasons(self, group: list[_Line]) -> list[str | None]:
        """For each line of a group: why it is not text, or None."""
        if self.in_contents and any(_ENDS_CLAUSE_OR_COMMA.search(line.text) for line in group):
            self.in_contents = False
        poem = self.verse_document or (len(group) >= MIN_LINES and _is_verse(group, share_of_ends=0.5))
        titles = len(group) == 1 or not (poem or _is_wrapped(group))
        return [
            self._reason(line, may_be_title=titles and not verse) for verse, run in _verse_runs(group) for line in run
        ]

    def _reason(self, line: _Line, may_be_title: bool) -> str | None:
        text, layout = line.text, self.layout
        self.seen += 1
        if layout.chapter.match(text):
            self.in_notes = self.in_contents = False
            return "heading"
        if layout.contents.match(text):
            self.in_contents = True
        elif layout.notes_heading.match(text):
            self.in_notes = True
        if self.in_contents:
            return "table of contents"
        if self.in_notes or layout.note.search(text):
            return "editor's note"
        if _NUMBER.match(text) or layout.date.match(text):
            return "number or date"
        if is_foreign(text, layout, share=0.3):
            return "another alphabet"
        return "heading" if self._is_heading(text, may_be_title) else None

    def _is_heading(self, text: str, may_be_title: bool) -> bool:
        words = text.split()
        if len(words) <= 12 and _is_in_capitals(text):
            return True
        if text.startswith("#") or (self.seen <= 6 and len(words) > 1 and _is_name(words)):
            return True
        bare = len(words) <= 9 and len(text) <= 60 and bool(_BARE_END.search(text)) and _starts_high(text)
        return bare and may_be_title and not _DIALOGUE.match(text)


def _is_in_capitals(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return len(letters) > 2 and all(char.isupper() for char in letters)


def _is_name(words: list[str]) -> bool:
    return len(words) <= 4 and all(word[:1].isupper() and not word.endswith((",", "!", "?")) for word in words)


def is_foreign(text: str, layout: Layout, share: float = 0.7) -> bool:
    """Whether less than `share` of the letters are of the language's script."""
    own = len(layout.letters.findall(text))
    # Letters are counted only where not even all characters would outnumber the language's own.
    return own < share * len(text) and own < share * sum(map(str.isalpha, text))


def _is_wrapped(lines: list[_Line]) -> bool:
    """Whether lines of prose were broken at a width: then many of them begin in mid-sentence, in lower case."""
    return len(lines) > 1 and sum(not _starts_high(line.text) for line in lines) >= 0.3 * len(lines)


def _prose_spans(block: _Block, text: str, layout: Layout) -> Iterator[tuple[int, int]]:
    """Cut paragraphs at sentence ends; runs of tiny dialogue lines join first."""
    talk: tuple[int, int] | None = None
    for start, end in _paragraphs(block):
        if _DIALOGUE.match(text, start) and count_words(text[start:end]) < ENOUGH_WORDS:
            talk = (talk[0] if talk else start, end)
            if count_words(text[slice(*talk)]) >= ENOUGH_WORDS:
                yield talk
                talk = None
            continue
        if talk:
            yield talk
            talk = None
        yield from _cut_paragraph(text, start, end, layout)
    if talk:
        yield talk


def _paragraphs(block: _Block) -> Iterator[tuple[int, int]]:
    """Spans of paragraphs: one a line, or hard-wrapped lines up to the next indent, or a line that runs on."""
    lines = block.lines
    wrapped = _is_wrapped(lines)
    margin = min(line.indent for line in lines)
    start = 0
    for number in range(1, len(lines) + 1):
        if number < len(lines) and number not in block.breaks:
            previous, line = lines[number - 1], lines[number]
            runs_on = bool(_RUNS_ON.search(previous.text))
            if not _DIALOGUE.match(line.text) and (runs_on or (wrapped and line.indent <= margin)):
                continue
        yield lines[start].start, lines[number - 1].end
        start = number


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    words: int
    sentences: int
    open_quotes: int

    def takes(self, words: int) -> bool:
        """Whether another sentence should still join: too few words so far, or in the middle of a quotation."""
        wanting = self.words < ENOUGH_WORDS and self.sentences < MAX_SENTENCES
        return self.words + words <= MAX_WORDS and (wanting or self.open_quotes > 0)


def _cut_paragraph(text: str, start: int, end: int, layout: Layout) -> Iterator[tuple[int, int]]:
    """Whole sentences until there are enough words; a short rest joins the piece before it."""
    pieces: list[_Piece] = []
    for first, last in layout.sentences(text[start:end]):
        sentence = text[start + first : start + last]
        words, quotes = count_words(sentence), sentence.count("«") - sentence.count("»")
        if pieces and pieces[-1].takes(words):
            piece = pieces[-1]
            piece.end, piece.words, piece.sentences = start + last, piece.words + words, piece.sentences + 1
            piece.open_quotes += quotes
        else:
            pieces.append(_Piece(start + first, start + last, words, 1, quotes))
    if len(pieces) > 1 and pieces[-1].words < ENOUGH_WORDS // 2 and pieces[-2].words + pieces[-1].words <= MAX_WORDS:
        rest = pieces.pop()
        pieces[-1].end = rest.end
    yield from ((piece.start, piece.end) for piece in pieces)


def _verse_spans(block: _Block) -> Iterator[tuple[int, int]]:
    """Cut a poem into stanzas or parts of stanzas at the least total cost."""
    lines, count = block.lines, len(block.lines)
    cost, cut = [0.0] + [float("inf")] * count, [0] * (count + 1)
    for stop in range(1, count + 1):
        for start in range(max(0, stop - MAX_LINES), stop):
            total = cost[start] + _piece_cost(block, start, stop)
            if total < cost[stop]:
                cost[stop], cut[stop] = total, start
    stops = [count]
    while stops[-1]:
        stops.append(cut[stops[-1]])
    for start, stop in pairwise(reversed(stops)):
        yield lines[start].start, lines[stop - 1].end


def _piece_cost(block: _Block, start: int, stop: int) -> float:
    """What is lost by making lines[start:stop] one passage: its size, the stanza breaks in it, the cut after it."""
    size = stop - start
    missing = {1: 5.0, 2: 2.5, 3: 1.0, 4: 0.0}.get(size, 0.6)
    crossed = 1.5 * sum(number in block.breaks for number in range(start + 1, stop))
    if stop == len(block.lines) or stop in block.breaks:
        return missing + crossed
    last = block.lines[stop - 1].text
    ending = 0.3 if _ENDS_SENTENCE.search(last) else 2.5 if _ENDS_CLAUSE.search(last) else 4.5
    return missing + crossed + ending
