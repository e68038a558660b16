"""A text file: one document, as it stands; its headings are for the stages after this one to find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hyperbridge.corpus.documents import Document, decode, named_after
from hyperbridge.corpus.sources.files import read_bytes


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the file as one document."""
    text, encoding = decode(read_bytes(path), str(path))
    title, author = named_after(path)
    yield Document(source, text, title, author, encoding)
