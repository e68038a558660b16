"""A Markdown file: headings become divisions, markup goes, `title` and `author` come from the front matter.

Parsed by markdown-it (CommonMark, and footnotes, which are left out). Lines of a paragraph are joined, as Markdown
means them, unless they all begin with a capital: so verse is written by those who do not know of Markdown's line
breaks. Cost: about 15 MB/s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge.corpus.documents import Document, decode, named_after
from hyperbridge.corpus.sources.files import read_bytes
from hyperbridge.corpus.sources.text_builder import TextBuilder

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\s*---\n(.*?)\n(?:---|\.\.\.)(?:\n|$)", re.DOTALL)
_FIELD = re.compile(r"^(title|author):(.+)$", re.MULTILINE)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<[^<>]*>", re.DOTALL)
_OPENING = " \t\"'«„“(—–-….*_["
_BLOCKS = {"blockquote_open", "blockquote_close", "bullet_list_open", "bullet_list_close"}
_BLOCKS |= {"ordered_list_open", "ordered_list_close", "hr"}


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the file as one document."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.footnote import footnote_plugin

    raw, encoding = decode(read_bytes(path), str(path))
    front = _FRONT_MATTER.match(raw)
    fields = {key: value.strip(" \t\"'") for key, value in _FIELD.findall(front[1])} if front else {}
    builder = TextBuilder()
    tokens = MarkdownIt("commonmark").use(footnote_plugin).parse(raw[front.end() :] if front else raw)
    # The notes stand at the end, whatever their place in the file.
    for token in takewhile(lambda token: token.type != "footnote_block_open", tokens):
        _add_block(builder, token)
    text, divisions = builder.finish()
    title, author = named_after(path)
    yield Document(source, text, fields.get("title") or title, fields.get("author") or author, encoding, divisions)


def _add_block(builder: TextBuilder, token: Token) -> None:
    if token.type == "heading_open":
        builder.open_at(int(token.tag[1:]))
        builder.begin_title()
    elif token.type == "heading_close":
        builder.name(builder.end_title())
    elif token.type == "paragraph_close":
        builder.line()
    elif token.type in _BLOCKS:
        builder.block()
    elif token.type in {"fence", "code_block"}:
        builder.block()
        builder.add_lines(token.content)
        builder.block()
    elif token.type == "html_block":
        builder.add_lines(_TAG.sub("", token.content))
    elif token.type == "inline":
        _add_inline(builder, token)


def _add_inline(builder: TextBuilder, token: Token) -> None:
    verse = _is_verse(token.content)
    if verse:
        builder.block()
    for child in token.children or ():
        if child.type == "hardbreak" or (child.type == "softbreak" and verse):
            builder.line()
        elif child.type == "softbreak":
            builder.add(" ")
        elif child.type in {"text", "code_inline"}:
            builder.add(child.content)
    if verse:
        builder.block()


def _is_verse(content: str) -> bool:
    lines = content.split("\n")
    return len(lines) > 1 and all(line.lstrip(_OPENING)[:1].isupper() for line in lines)
