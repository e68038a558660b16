"""A `.jsonl` file: a document a line, or one play.

A record holds `text`, or `sentences`, which become lines; `title`, `author` and `number` are taken if they are there.
If the first record is a `boundary`, a `stage` direction or a `speech`, the file is a play. Scene lines are refused:
a scene is already built, and its passage alone has lost the place it was cut from. Memory: one record, or one play.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from hyperbridge.corpus.documents import Document
from hyperbridge.corpus.sources.files import read_lines
from hyperbridge.corpus.sources.plays import is_of_play, read_play
from hyperbridge.errors import HyperBridgeError

# JSON can spell half a character (\ud800), which no file can hold.
_HALF = re.compile("[\ud800-\udfff]")


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the documents of the file.

    Raises:
        HyperBridgeError: a line is no record; the message is `file:line: reason`.
    """
    records = _records(path)
    first = next(records, None)
    if first is None:
        return
    everything = chain([first], records)
    if is_of_play(first[1]):
        yield read_play(everything, path, source)
    else:
        for number, record in everything:
            yield _document(record, number, path, source)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, raw in enumerate(read_lines(path), start=1):
        if not raw.strip():
            continue
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError):
            raise _no_record(path, number) from None
        if not isinstance(record, dict):
            raise _no_record(path, number)
        yield number, _whole(record)


def _document(record: dict[str, Any], number: int, path: Path, source: str) -> Document:
    text, sentences = record.get("text"), record.get("sentences")
    if isinstance(sentences, list) and all(isinstance(each, str) for each in sentences) and not isinstance(text, str):
        text = "\n".join(sentences)
    if not isinstance(text, str):
        raise _no_record(path, number)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title, author = (value if isinstance(value, str) else None for value in (record.get("title"), record.get("author")))
    return Document(f"{source}#{record.get('number', number)}", text, title, author)


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    return {key: _whole_value(value) for key, value in record.items()}


def _whole_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole_value(each) if isinstance(each, str) else each for each in value]
    return _HALF.sub("\ufffd", value) if isinstance(value, str) else value


def _no_record(path: Path, number: int) -> HyperBridgeError:
    return HyperBridgeError(
        f"{path}:{number}: not a JSON object with 'text' or 'sentences', nor a line of a play; scenes need no building"
    )
