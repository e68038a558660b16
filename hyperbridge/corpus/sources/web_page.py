"""An HTML page: its headings become divisions; scripts, menus, forms, notes and their marks are left out.

`Page` is also what an epub's chapters are read with. `<br>` ends a line, so verse keeps its lines; `<pre>` keeps
lines and indents, as old electronic libraries have whole books in it. Cost: about 30 MB/s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from hyperbridge.corpus.documents import Document, named_after
from hyperbridge.corpus.sources.files import read_bytes
from hyperbridge.corpus.sources.markup import decode_markup, local, parse_page
from hyperbridge.corpus.sources.text_builder import TextBuilder

_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_LEFT_OUT = {"script", "style", "nav", "noscript", "template", "svg", "math", "object", "iframe"}
_LEFT_OUT |= {"button", "select", "textarea", "audio", "video", "canvas"}
_LINES = {"p", "div", "li", "dt", "dd", "tr", "section", "article", "main", "header", "footer", "figcaption", "address"}
_BLOCKS = {"body", "blockquote", "hr", "ul", "ol", "dl", "table", "figure", "aside", "form", "center", "pre"}
_CELLS = {"td", "th"}
_MEANING = {"type", "epub:type", "role", "class"}
_NOTES = {"noteref", "backlink", "footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes"}


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the page as one document."""
    raw, encoding = decode_markup(read_bytes(path), str(path))
    page = parse_page(raw, str(path), lambda: Page(TextBuilder()))
    text, divisions = page.builder.finish()
    title, author = named_after(path)
    yield Document(source, text, page.title or title, page.author or author, encoding, divisions)


class Page:
    """A target of the parser that writes a page into a builder; `title` and `author` are the page's own."""

    def __init__(self, builder: TextBuilder) -> None:
        self.builder = builder
        self.author = ""
        self._title: list[str] = []
        self._left_out = 0
        self._in_title = False
        self._verbatim: list[str] | None = None
        self._breaks = 0

    @property
    def title(self) -> str:
        return " ".join("".join(self._title).split())

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = local(tag)
        if self._left_out or name in _LEFT_OUT or _is_note(attributes):
            self._left_out += 1
        elif name == "title":
            self._in_title = True
        elif name == "meta" and attributes.get("name", "").lower() == "author":
            self.author = " ".join(attributes.get("content", "").split())
        elif name == "br":
            self._break()
        elif name in _HEADINGS:
            self._flush()
            self.builder.open_at(_HEADINGS[name])
            self.builder.begin_title()
        else:
            self._edge(name)
            if name == "pre":
                self._verbatim = []

    def end(self, tag: str) -> None:
        name = local(tag)
        if self._left_out:
            self._left_out -= 1
        elif name == "title":
            self._in_title = False
        elif name in _HEADINGS:
            self._flush()
            self.builder.name(self.builder.end_title())
        elif name == "pre":
            self._flush()
            self._verbatim = None
        self._edge(name)

    def data(self, text: str) -> None:
        if self._left_out:
            return
        if self._in_title:
            self._title.append(text)
        elif self._verbatim is not None:
            self._verbatim.append(text)
        else:
            self._breaks = 0 if text.strip() else self._breaks
            self.builder.add(text)

    def close(self) -> TextBuilder:
        self._flush()
        return self.builder

    def _break(self) -> None:
        """One <br> ends a line, two in a row a block."""
        if self._verbatim is not None:
            self._verbatim.append("\n")
            return
        self._breaks += 1
        self.builder.line() if self._breaks == 1 else self.builder.block()

    def _edge(self, name: str) -> None:
        if name in _LINES:
            self.builder.line()
        elif name in _BLOCKS:
            self.builder.block()
        elif name in _CELLS:
            self.builder.add(" ")

    def _flush(self) -> None:
        if self._verbatim:
            self.builder.add_lines("".join(self._verbatim))
            self._verbatim = []


def _is_note(attributes: Mapping[str, str]) -> bool:
    """Whether it is a note, its mark or its way back: EPUB's structural semantics, DPUB-ARIA's roles, or its class."""
    told = {word for key, value in attributes.items() if local(key) in _MEANING for word in value.split()}
    return not _NOTES.isdisjoint(word.removeprefix("doc-") for word in told)
