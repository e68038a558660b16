"""EPUB: the chapters of the spine in order, read as web pages into one text.

`META-INF/container.xml` names the package file, whose manifest and spine name the chapters. Headings become
divisions, and go on over files until the next heading of their rank; a file without headings is a chapter if the
table of contents names it, or if no heading came before it. Members are read in memory, never unpacked to disk, and
only those the package names; protected books are refused. Cost: about 20 MB/s of text.
Source: EPUB Open Container Format 3.3.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hyperbridge.corpus.documents import Document, named_after
from hyperbridge.corpus.sources.files import MAX_BYTES, open_zip, read_member
from hyperbridge.corpus.sources.markup import decode_markup, parse_page, tree
from hyperbridge.corpus.sources.text_builder import TextBuilder
from hyperbridge.corpus.sources.web_page import Page
from hyperbridge.errors import HyperBridgeError

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_HEADING = re.compile(r"<h[1-6][\s>]", re.IGNORECASE)
# Deeper than any heading: chapters that only their file, or the table of contents, sets apart.
_OF_A_FILE = 7


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the book as one document."""
    with open_zip(path) as archive:
        package = _package(archive, path)
        builder, encoding = TextBuilder(), "utf-8"
        titled, size = False, 0
        for name in package.chapters:
            raw = read_member(archive, name, path)
            size += len(raw)
            if size > MAX_BYTES:
                raise HyperBridgeError(f"{path}: unpacks to more than {MAX_BYTES >> 20} MiB; unpack and split it")
            text, encoding = decode_markup(raw, f"{path}: {name}")
            titled = _add_chapter(builder, text, f"{path}: {name}", package.labels.get(name), titled)
    words, divisions = builder.finish()
    title, author = named_after(path)
    yield Document(source, words, package.title or title, package.author or author, encoding, divisions)


@dataclass(frozen=True, slots=True)
class _Package:
    """What the package file says: `chapters` are members in reading order, `labels` their titles in the contents."""

    title: str
    author: str
    chapters: list[str]
    labels: dict[str, str]


def _add_chapter(builder: TextBuilder, text: str, name: str, label: str | None, titled: bool) -> bool:
    """Write a chapter; return whether a heading has been met by now."""
    builder.block()
    has_heading = bool(_HEADING.search(text))
    if not has_heading and (label or not titled):
        builder.open_at(_OF_A_FILE, title=label or "")
    parse_page(text, name, lambda: Page(builder))
    builder.block()
    return titled or has_heading


def _package(archive: zipfile.ZipFile, path: Path) -> _Package:
    container = _tree(archive, _CONTAINER, path)
    roots = [each.get("full-path") for each in container.iter("{*}rootfile") if each.get("full-path")]
    if not roots:
        raise HyperBridgeError(f"{path}: {_CONTAINER} names no package file")
    package = _tree(archive, roots[0], path)
    items = {each.get("id"): each for each in package.iter("{*}item")}
    spine = [items[each.get("idref")] for each in package.iter("{*}itemref") if each.get("idref") in items]
    spine = [item for item in spine if "nav" not in item.get("properties", "").split()]
    chapters = [_member(roots[0], item.get("href", ""), path) for item in spine]
    if not chapters:
        raise HyperBridgeError(f"{path}: {roots[0]} names no chapters")
    _refuse_protected(archive, path, chapters)
    labels = _labels(archive, path, roots[0], list(items.values()))
    authors = ", ".join(_words(each) for each in package.iter("{*}creator"))
    return _Package(next((_words(each) for each in package.iter("{*}title")), ""), authors, chapters, labels)


def _refuse_protected(archive: zipfile.ZipFile, path: Path, chapters: list[str]) -> None:
    """Fonts are often scrambled, which is harmless; a scrambled chapter means a protected book."""
    if _ENCRYPTION not in archive.namelist():
        return
    hidden = {unquote(each.get("URI", "")) for each in _tree(archive, _ENCRYPTION, path).iter("{*}CipherReference")}
    if not hidden.isdisjoint(chapters):
        raise HyperBridgeError(f"{path}: a protected book (DRM) cannot be read; give one without protection")


def _labels(archive: zipfile.ZipFile, path: Path, base: str, items: list[Any]) -> dict[str, str]:
    """File -> its title in the table of contents, EPUB 3's or 2's; a broken table is as good as none."""
    for item in items:
        navigation = "nav" in item.get("properties", "").split()
        if not (navigation or item.get("media-type") == "application/x-dtbncx+xml"):
            continue
        try:
            name = _member(base, item.get("href", ""), path)
            contents = _tree(archive, name, path)
            found = list(_links(contents) if navigation else _points(contents))
            return {_member(name, href, path): label for href, label in reversed(found) if label}
        except HyperBridgeError:
            continue
    return {}


def _links(contents: Any) -> Iterator[tuple[str, str]]:
    for nav in list(contents.iter("{*}nav"))[:1]:
        for link in nav.iter("{*}a"):
            yield link.get("href", ""), _words(link)


def _points(contents: Any) -> Iterator[tuple[str, str]]:
    for point in contents.iter("{*}navPoint"):
        content, label = point.find("{*}content"), point.find("{*}navLabel")
        if content is not None and label is not None:
            yield content.get("src", ""), _words(label)


def _member(base: str, href: str, path: Path) -> str:
    """The member that `href` means in the file `base`; it may not lead out of the archive."""
    name = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(href.partition("#")[0])))
    if name.startswith(("/", "../")) or name == ".." or not name.isprintable():
        raise HyperBridgeError(f"{path}: names {href!r}, which is not in the archive")
    return name


def _tree(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    where = f"{path}: {name}"
    return tree(decode_markup(read_member(archive, name, path), where)[0], where)


def _words(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())
