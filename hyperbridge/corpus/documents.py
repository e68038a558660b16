"""Where text comes in: files and folders become documents, with their encoding detected or refused.

A document is one work: a `.txt` file, or one record of a `.jsonl` file with `text` or `sentences` (a collection of
tales, say). `source` names it by the path below the input it was found in, the input's own folder included, whether
the folder was given or the file: `poetry/Pushkin__Анчар.txt` keeps its genre, and its place in a split. Files come
in sorted order, whatever the file system says.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import open_for_reading

SUFFIXES = (".txt", ".jsonl")
# Tried when a file is not UTF-8: the single-byte encodings Cyrillic text is found in.
CYRILLIC_ENCODINGS = ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic")


@dataclass(frozen=True, slots=True)
class Document:
    """One work: `text` is decoded, with LF line ends; offsets of its scenes point into it."""

    source: str
    text: str
    title: str | None = None
    encoding: str = "utf-8"


def read_documents(inputs: Iterable[str | os.PathLike[str]]) -> Iterator[Document]:
    """Yield the documents of files and (recursively) folders.

    Raises:
        HyperBridgeError: an input is missing, has another suffix, cannot be decoded, or holds a bad record.
    """
    for path, source in find_files(inputs):
        if path.suffix == ".jsonl":
            yield from _read_records(path, source)
        else:
            text, encoding = decode(open_for_reading(path).read(), str(path))
            yield Document(source, text, path.stem, encoding)


def find_files(inputs: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[Path, str]]:
    """The readable files of the inputs, each with its source name, in a fixed order."""
    for given in inputs:
        root = Path(given)
        if root.is_dir():
            found = sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES and path.is_file())
            if not found:
                raise HyperBridgeError(f"{root}: no {' or '.join(SUFFIXES)} file in this folder")
            base = root.resolve().name
            yield from ((path, f"{base}/{path.relative_to(root).as_posix()}") for path in found)
        elif not root.exists():
            raise HyperBridgeError(f"{root}: no such file or folder")
        elif root.suffix not in SUFFIXES:
            raise HyperBridgeError(f"{root}: cannot read '{root.suffix}' files; give .txt or .jsonl, or a folder")
        else:
            yield root, f"{root.resolve().parent.name}/{root.name}"


def decode(raw: bytes, name: str) -> tuple[str, str]:
    """Decode bytes as UTF-8, UTF-16 with a mark, or a detected Cyrillic encoding; LF line ends.

    Raises:
        HyperBridgeError: none of them gives readable text.
    """
    encoding = _detect(raw, name)
    text = raw.decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _detect(raw: bytes, name: str) -> str:
    if raw.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        from charset_normalizer import from_bytes

        best = from_bytes(raw, cp_isolation=list(CYRILLIC_ENCODINGS)).best()
        if best is None or b"\x00" in raw:
            raise HyperBridgeError(
                f"{name}: not text in UTF-8 (byte {error.start}) nor in {', '.join(CYRILLIC_ENCODINGS)}; "
                "convert it to UTF-8, for example with iconv"
            ) from None
        return best.encoding
    return "utf-8"


def _read_records(path: Path, source: str) -> Iterator[Document]:
    with open_for_reading(path) as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                record = json.loads(raw)
                text = record["text"] if "text" in record else "\n".join(record["sentences"])
            except (ValueError, KeyError, TypeError):
                raise HyperBridgeError(
                    f"{path}:{number}: not a JSON object with 'text' or 'sentences'; scenes need no building"
                ) from None
            yield Document(f"{source}#{record.get('number', number)}", text, record.get("title"))
