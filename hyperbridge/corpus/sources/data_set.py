"""Data sets of the `datasets` library: a folder written by `save_to_disk`, or `hf:name[:split][#column]` of the Hub.

A row is a document. The text is taken from the named column, else from `text`, else from the only column of strings;
`title` and `author` are taken if they are strings. Rows of the Hub are streamed, one by one; no code of a data set
is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from hyperbridge.corpus.documents import Document
from hyperbridge.corpus.sources.files import one_line
from hyperbridge.errors import HyperBridgeError, nearest

_NAME = re.compile(r"hf:(?P<name>[^:#]+)(?::(?P<split>[^:#]+))?(?:#(?P<column>.+))?")


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the rows of a saved data set, all of its splits.

    Raises:
        HyperBridgeError: the folder is damaged, or no column is the text.
    """
    import datasets

    with _told(f"{path}: a damaged data set"):
        loaded = datasets.load_from_disk(str(path))
    splits = dict(loaded) if isinstance(loaded, Mapping) else {"": loaded}
    for split, rows in splits.items():
        yield from _documents(rows, f"{source}:{split}" if split else source, str(path), None)


def read_from_hub(given: str) -> Iterator[Document]:
    """Yield the rows of `hf:name[:split][#column]`; without a split, of `train` or of the only one.

    Raises:
        HyperBridgeError: no such name, split or column, or no network.
    """
    import datasets

    found = _NAME.fullmatch(given)
    if found is None:
        raise HyperBridgeError(f"{given}: give hf:name[:split][#column], for example hf:user/tales:train#text")
    name, split, column = found["name"], found["split"], found["column"]
    with _told(f"{given}: cannot be loaded; check the name and the network"):
        splits = datasets.load_dataset(name, streaming=True)
    split = split or ("train" if "train" in splits or len(splits) != 1 else next(iter(splits)))
    if split not in splits:
        raise HyperBridgeError(f"{given}: no split '{split}': {nearest(split, splits)}")
    yield from _documents(splits[split], f"hf/{name}:{split}", given, column)


def _documents(rows: Any, source: str, given: str, column: str | None) -> Iterator[Document]:
    iterator = iter(rows)
    for number in count():
        with _told(f"{given}: cannot be read on"):
            row = next(iterator, None)
        if row is None:
            return
        column = column or _text_column(row, given)
        if not isinstance(row.get(column), str):
            raise HyperBridgeError(
                f"{given}: row {number} has no text in column '{column}' (columns: {', '.join(row)})"
            )
        title, author = (row[key] if isinstance(row.get(key), str) else None for key in ("title", "author"))
        text = row[column].replace("\r\n", "\n").replace("\r", "\n")
        yield Document(f"{source}#{number}", text, title, author)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Whatever the library fails with (network, Hub and formats each do in their own way) as one line."""
    try:
        yield
    except Exception as error:
        raise HyperBridgeError(f"{what}: {type(error).__name__}: {one_line(error)}") from None


def _text_column(row: Mapping[str, Any], given: str) -> str:
    strings = [key for key, value in row.items() if isinstance(value, str)]
    if "text" in strings or len(strings) == 1:
        return "text" if "text" in strings else strings[0]
    raise HyperBridgeError(f"{given}: which column is the text? Add #column (columns: {', '.join(row)})")
