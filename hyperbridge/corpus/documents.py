"""Where text comes in: files, folders and data sets become documents, with their encoding detected or refused.

A document is one work: a file, or one record of a `.jsonl` file or a data set (a collection of tales, say). `source`
names it by the path below the input it was found in, the input's own folder included, whether the folder was given
or the file: `poetry/Pushkin__Анчар.txt` keeps its genre, and its place in a split. Files come in sorted order,
whatever the file system says. Each format has its reader in `hyperbridge.corpus.sources`, imported when first needed;
any of them may be packed with gzip (`book.fb2.gz`).
"""

from __future__ import annotations

import codecs
import importlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Literal

from hyperbridge.errors import HyperBridgeError

# Suffix -> its reader; a longer suffix goes before a shorter one that it ends in.
_READERS = {
    ".fb2.zip": "fb2",
    ".txt": "plain",
    ".jsonl": "records",
    ".md": "markdown",
    ".html": "web_page",
    ".htm": "web_page",
    ".xhtml": "web_page",
    ".fb2": "fb2",
    ".epub": "epub",
    ".xml": "tei",
}
SUFFIXES = tuple(_READERS)
PACKED = ".gz"
# Tried when a file is not UTF-8: the single-byte encodings Cyrillic text is found in.
CYRILLIC_ENCODINGS = ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

DivisionKind = Literal["part", "chapter", "act", "scene", "speech", "stage", "verse"]


@dataclass(frozen=True, slots=True)
class Division:
    """A stretch of a document that its source marks: `Document.text[start:end]`, its own heading included.

    Attributes:
        kind: `part` holds chapters or other parts; `stage` is a stage direction; `verse` a poem or a stanza.
        title: the heading, or the speaker of a speech; "" where there is none.
        start, end: offsets into `Document.text`; start < end.
        depth: how many divisions it lies in.
    """

    kind: DivisionKind
    title: str
    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Document:
    """One work. All offsets, of divisions, passages and scenes, are into `text`: decoded, markup removed, LF line ends.

    Attributes:
        source: the name of the work, as in the module's docstring.
        text: paragraphs and lines of verse one a line, a blank line between blocks; a text file is as it stands.
        encoding: what the file was decoded as.
        divisions: what the source's markup tells, in order of start, properly nested; empty for plain text.
    """

    source: str
    text: str
    title: str | None = None
    author: str | None = None
    encoding: str = "utf-8"
    divisions: tuple[Division, ...] = ()


def read_documents(inputs: Iterable[str | os.PathLike[str]], *, old_spelling: bool = False) -> Iterator[Document]:
    """Yield the documents of files, (recursively) folders and data sets.

    Args:
        inputs: paths; folders written by `datasets.save_to_disk`; data sets of the Hub as `hf:name[:split][#column]`.
        old_spelling: turn Russian spelling of before 1918 into today's; offsets are into the text so changed.

    Raises:
        HyperBridgeError: an input is missing, has another suffix, cannot be decoded, or holds a bad record.
    """
    for path, source in find_inputs(inputs):
        yield from read_input(path, source, old_spelling=old_spelling)


def read_input(path: Path, source: str, *, old_spelling: bool = False) -> Iterator[Document]:
    """Yield the documents of one input that `find_inputs` found.

    Raises:
        HyperBridgeError: as `read_documents`.
    """
    if is_on_hub(path):
        found = _reader("data_set").read_from_hub(os.fspath(path))
    else:
        found = _reader(_READERS.get(suffix_of(path) or "", "data_set")).read(path, source)
    for document in found:
        yield _respelled(document) if old_spelling else document


def find_inputs(inputs: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[Path, str]]:
    """What `find_files` finds, and data sets of the Hub by their own names."""
    for given in inputs:
        if is_on_hub(given):
            yield Path(given), os.fspath(given)
        else:
            yield from find_files([given])


def find_files(inputs: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[Path, str]]:
    """The readable files of the inputs, each with its source name, in a fixed order.

    Hidden files and README.md, a folder's card, are no works; a data set of the Hub has no files here.
    """
    for given in inputs:
        root = Path(given)
        if is_on_hub(given):
            continue
        if root.is_dir():
            yield from _files_below(root)
        elif not root.exists():
            raise HyperBridgeError(f"{root}: no such file or folder")
        elif suffix_of(root) is None:
            known = ", ".join((*SUFFIXES, PACKED))
            raise HyperBridgeError(f"{root}: cannot read '{root.suffix}' files; give {known}, or a folder")
        else:
            yield root, f"{root.resolve().parent.name}/{root.name}"


def is_on_hub(given: str | os.PathLike[str]) -> bool:
    return os.fspath(given).startswith("hf:")


def suffix_of(path: Path) -> str | None:
    """The one of SUFFIXES that a file has, gzip's own aside; None: no reader for it."""
    name = path.name.lower().removesuffix(PACKED)
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


def named_after(path: Path) -> tuple[str, str | None]:
    """(title, author) from the file name, where the author is known only from `Author__Title.txt`."""
    stem = path.name[: -len(PACKED)] if path.name.lower().endswith(PACKED) else path.name
    stem = stem[: len(stem) - len(suffix_of(path) or "")]
    author, mark, title = stem.partition("__")
    return (title.replace("_", " ").strip(), author.replace("_", " ").strip() or None) if mark else (stem, None)


def decode(raw: bytes, name: str) -> tuple[str, str]:
    """Decode bytes as UTF-8, UTF-16 with a mark, or a detected Cyrillic encoding; LF line ends.

    Raises:
        HyperBridgeError: none of them gives readable text.
    """
    encoding = _detect(raw, name)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise HyperBridgeError(f"{name}: not {encoding} at byte {error.start}, though it begins so") from None
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _detect(raw: bytes, name: str) -> str:
    for mark, encoding in _MARKS.items():
        if raw.startswith(mark):
            return encoding
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


def _reader(name: str) -> ModuleType:
    return importlib.import_module(f"hyperbridge.corpus.sources.{name}")


def _files_below(root: Path) -> Iterator[tuple[Path, str]]:
    base = root.resolve().name
    if _is_saved_set(root):
        yield root, base
        return
    found = sorted(path for path in root.rglob("*") if _is_work(path.relative_to(root)) and path.is_file())
    if not found:
        raise HyperBridgeError(f"{root}: no {' or '.join(SUFFIXES)} file in this folder")
    yield from ((path, f"{base}/{path.relative_to(root).as_posix()}") for path in found)


def _is_saved_set(folder: Path) -> bool:
    """Whether `datasets.save_to_disk` wrote the folder."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "dataset_info.json").is_file() and (folder / "state.json").is_file()
    )


def _is_work(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return suffix_of(path) is not None and not hidden and path.name.lower() != "readme.md"


def _respelled(document: Document) -> Document:
    """The document in today's spelling: the text goes piece by piece, so that every division keeps its place."""
    from hyperbridge.corpus.old_spelling_ru import normalise_old_spelling as modern

    text, divisions = document.text, document.divisions
    cuts = sorted({0, len(text), *(at for division in divisions for at in (division.start, division.end))})
    pieces, moved, length = [], {0: 0}, 0
    for start, end in pairwise(cuts):
        pieces.append(modern(text[start:end]))
        moved[end] = length = length + len(pieces[-1])
    return replace(
        document,
        text="".join(pieces),
        title=document.title and modern(document.title),
        author=document.author and modern(document.author),
        divisions=tuple(
            replace(each, title=modern(each.title), start=moved[each.start], end=moved[each.end]) for each in divisions
        ),
    )
