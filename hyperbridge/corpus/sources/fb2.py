"""FictionBook: sections become parts and chapters, poems and stanzas verse; title and author from the description.

Notes, comments, pictures and note marks are left out. `.fb2.zip` holds one book or more. Cost: about 25 MB/s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from hyperbridge.corpus.documents import Document, named_after, suffix_of
from hyperbridge.corpus.sources.files import open_zip, read_bytes, read_member
from hyperbridge.corpus.sources.markup import decode_markup, local, parse_xml
from hyperbridge.corpus.sources.text_builder import TextBuilder
from hyperbridge.errors import HyperBridgeError

_LINES = {"p", "v", "text-author", "date", "tr"}
_BLOCKS = {"body", "epigraph", "cite", "annotation", "empty-line", "subtitle", "table"}
_VERSE = {"poem", "stanza"}
_NAMES = {"first-name", "middle-name", "last-name", "nickname"}
_OF_EDITION = {"notes", "comments", "footnotes"}


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the book, or the books of an archive."""
    if suffix_of(path) != ".fb2.zip":
        yield document(read_bytes(path), path, source)
        return
    with open_zip(path) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith(".fb2"))
        if not names:
            raise HyperBridgeError(f"{path}: no .fb2 file in this archive")
        for name in names:
            yield document(read_member(archive, name, path), path, source if len(names) == 1 else f"{source}#{name}")


def document(raw: bytes, path: Path, source: str) -> Document:
    """A book from the bytes of a FictionBook file."""
    text, encoding = decode_markup(raw, str(path))
    book = parse_xml(_without_pictures(text), str(path), _Book())
    if not book.is_fb2:
        raise HyperBridgeError(f"{path}: not a FictionBook file: its root is <{book.root}>")
    words, divisions = book.builder.finish()
    title, author = named_after(path)
    return Document(source, words, book.title or title, ", ".join(book.authors) or author, encoding, divisions)


def _without_pictures(text: str) -> str:
    """The text without <binary> elements: a large picture is longer than the parser allows any text to be."""
    kept, start = [], 0
    while (at := text.find("<binary", start)) >= 0 and (end := text.find("</binary>", at)) >= 0:
        kept.append(text[start:at])
        start = end + len("</binary>")
    return "".join([*kept, text[start:]])


class _Book:
    """A target of the parser; `_inside` is the path of open tags."""

    def __init__(self) -> None:
        self.builder = TextBuilder()
        self.root = ""
        self._title: list[str] = []
        self.authors: list[str] = []
        self._inside: list[str] = []
        self._name: list[str] = []
        self._left_out = 0

    @property
    def title(self) -> str:
        return " ".join("".join(self._title).split())

    @property
    def is_fb2(self) -> bool:
        return self.root == "FictionBook"

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = local(tag)
        self.root = self.root or name
        if self._left_out or _is_left_out(name, attributes):
            self._left_out += 1
            return
        self._inside.append(name)
        if name == "section":
            self.builder.block()
            self.builder.open("chapter")
        elif name in _VERSE:
            self.builder.block()
            self.builder.open("verse")
        elif name == "title" and "body" in self._inside:
            self.builder.begin_title()
        else:
            self._edge(name)

    def end(self, tag: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        name = self._inside.pop()
        if name == "section" or name in _VERSE:
            self.builder.close()
            self.builder.block()
        elif name == "title" and "body" in self._inside:
            self._end_title()
        elif name == "author" and self._inside[-1:] == ["title-info"]:
            self.authors.append(" ".join(self._name))
            self._name = []
        else:
            self._edge(name)

    def data(self, text: str) -> None:
        if self._left_out:
            return
        if "body" in self._inside:
            self.builder.add(text)
        elif "title-info" in self._inside:
            if self._inside[-1] == "book-title":
                self._title.append(text)
            elif self._inside[-1] in _NAMES and "author" in self._inside:
                self._name.extend(text.split())

    def close(self) -> TextBuilder:
        return self.builder

    def _end_title(self) -> None:
        """A title names its section or poem; that of a body is the book's and names no division."""
        title = self.builder.end_title()
        if self._inside[-1] != "body":
            self.builder.name(title)

    def _edge(self, name: str) -> None:
        if name in _LINES:
            self.builder.line()
        elif name in _BLOCKS:
            self.builder.block()
        elif name in {"td", "th"}:
            self.builder.add(" ")


def _is_left_out(name: str, attributes: Mapping[str, str]) -> bool:
    if name == "body":
        return attributes.get("name", "").lower() in _OF_EDITION
    return name in {"binary", "stylesheet"} or (name == "a" and attributes.get("type") == "note")
