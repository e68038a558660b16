"""Text of a marked-up source as it is laid out in a document, with its divisions.

A reader adds words and says where lines, blocks and divisions begin and end. Space is written only before the next
word, and a division starts at its first word, so a division never begins or ends in space, and one without words is
left out. Cost: linear in the text.
"""

from __future__ import annotations

from dataclasses import dataclass

from hyperbridge.corpus.documents import Division, DivisionKind

# What may stand between two words, the stronger after the weaker.
_SPACES = ("", " ", "\n", "\n\n")
_GLUE, _SPACE, _LINE, _BLOCK = range(4)
_HOLDING = ("part", "chapter")


@dataclass(slots=True)
class _Open:
    kind: DivisionKind
    title: str
    depth: int
    level: int | None
    start: int | None = None
    end: int = 0


class TextBuilder:
    """Takes words, line ends, block ends and divisions in reading order; `finish` gives text and divisions."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._space = _GLUE
        self._divisions: list[_Open] = []
        self._open: list[_Open] = []
        self._title: list[str] | None = None

    def add(self, text: str) -> None:
        """Add running text; any white space in it counts as one space."""
        words = text.split()
        if text[:1].isspace():
            self._space = max(self._space, _SPACE)
        if words:
            self._write(" ".join(words))
            if text[-1:].isspace():
                self._space = max(self._space, _SPACE)

    def add_lines(self, text: str) -> None:
        """Add lines as they stand, their indents kept; an empty line ends a block."""
        for line in text.split("\n"):
            if line.strip():
                self.line()
                self._write(line.rstrip())
                self.line()
            else:
                self.block()

    def line(self) -> None:
        """What follows begins a new line."""
        self._space = max(self._space, _LINE)

    def block(self) -> None:
        """What follows begins after a blank line."""
        self._space = _BLOCK

    def open(self, kind: DivisionKind, title: str = "", *, level: int | None = None) -> None:
        """Begin a division inside those that are open; a chapter that gets chapters of its own becomes a part."""
        if kind in _HOLDING:
            for division in self._open:
                division.kind = "part" if division.kind == "chapter" else division.kind
        self._open.append(_Open(kind, title, len(self._open), level))
        self._divisions.append(self._open[-1])

    def close(self) -> None:
        """End the innermost open division."""
        self._open.pop().end = self._length

    def open_at(self, level: int, kind: DivisionKind = "chapter", title: str = "") -> None:
        """Begin a division as headings do: it ends the open ones of its own level or a deeper one."""
        while self._open and self._open[-1].level is not None and self._open[-1].level >= level:
            self.close()
        self.open(kind, title, level=level)

    def begin_title(self) -> None:
        """The words from here to `end_title` are a heading: a block of its own."""
        self.block()
        self._title = []

    def end_title(self) -> str:
        """The words of the heading, in one line."""
        title, self._title = " ".join(self._title or ()), None
        self.block()
        return title

    def name(self, title: str) -> None:
        """Give the innermost open division its title, unless it has one."""
        if self._open and not self._open[-1].title:
            self._open[-1].title = title

    def finish(self) -> tuple[str, tuple[Division, ...]]:
        """The text and its divisions in order of start, the outer before the inner."""
        while self._open:
            self.close()
        return "".join(self._parts), tuple(
            Division(each.kind, each.title, each.start, each.end, each.depth)
            for each in self._divisions
            if each.start is not None
        )

    def _write(self, text: str) -> None:
        if self._length:
            self._parts.append(_SPACES[self._space])
            self._length += len(_SPACES[self._space])
        self._space = _GLUE
        for division in reversed(self._open):
            if division.start is not None:
                break
            division.start = self._length
        self._parts.append(text)
        self._length += len(text)
        if self._title is not None:
            self._title.append(text)
