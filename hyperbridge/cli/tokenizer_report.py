"""`hyperbridge tokenizer report DIR --text PATH...`: what an extended tokenizer gained over its base, and kept."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hyperbridge.cli.tables import print_table

if TYPE_CHECKING:
    from hyperbridge.corpus.languages import Layout
    from hyperbridge.scenes import Scene
    from hyperbridge.tokenizer.report import KindText

# Lines that are no passage: headings, notes, what is too short.
OTHER = "other"
_BLANK_LINES = re.compile(r"\n\s*\n")


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of `hyperbridge tokenizer extend`.")],
    text: Annotated[
        list[Path], typer.Option("--text", metavar="PATH", help="Texts to measure on, files or folders; repeatable.")
    ],
    scenes: Annotated[
        Path | None, typer.Option(help="Scenes, for what they save against their passages.", metavar="SCENES.jsonl")
    ] = None,
    morphemes: Annotated[Path | None, typer.Option(help="Gold words with their seams.", metavar="FILE")] = None,
    base: Annotated[str | None, typer.Option(help="Where the base is, if it has moved.", metavar="BASE")] = None,
    language: Annotated[str, typer.Option(help="Language of the texts, whose layout tells verse from prose.")] = "ru",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures as JSON too.")] = None,
    page: Annotated[Path | None, typer.Option("--page", help="Draw them as an HTML page too.")] = None,
) -> None:
    """Measure an extended tokenizer against its base: compression, whole units, what stayed the same, speed.

    Give texts that its merges were not learned from.
    """
    from rich.console import Console
    from rich.text import Text

    from hyperbridge.corpus.languages import find_language
    from hyperbridge.jsonl import atomic_writer
    from hyperbridge.tokenizer.report import measure, open_extended
    from hyperbridge.tokenizer.report_page import sheets, write_page

    _check_outputs(json_file, page)
    gold = _gold(morphemes) if morphemes else None
    with Console(stderr=True).status("opening the base") as status:
        opened = open_extended(folder, base)

        def tell(what: str) -> None:
            status.update(Text(what))

        texts = _texts(text, find_language(language).layout, tell)
        found = measure(opened, texts, scenes=_scenes(scenes), gold=gold, tell=tell)
    # Before anything is printed: a reader of the tables may close the pipe early.
    if json_file is not None:
        with atomic_writer(json_file) as file:
            file.write(found.to_json())
    if page is not None:
        write_page(page, found, f"Tokenizer {folder.resolve().name}")
    console = Console()
    for sheet in sheets(found):
        right = () if sheet.in_words else sheet.columns[1:]
        print_table(console, sheet.title, sheet.columns, sheet.rows, right=right)
    for written in filter(None, (json_file, page)):
        console.print(f"{written}", markup=False, highlight=False, soft_wrap=True)


def _check_outputs(*paths: Path | None) -> None:
    """Refuse before anything is measured what could not be written after it."""
    from hyperbridge.errors import HyperBridgeError

    for path in paths:
        if path is not None and path.is_dir():
            raise HyperBridgeError(f"{path}: is a folder; give the name of a file")


def _texts(paths: Sequence[Path], layout: Layout, tell: Callable[[str], None]) -> Iterator[KindText]:
    """The passages of documents, prose or verse by their layout, and what lies between them."""
    from hyperbridge.corpus.documents import read_documents
    from hyperbridge.corpus.segmentation import segment
    from hyperbridge.tokenizer.report import KindText

    for number, document in enumerate(read_documents(paths), start=1):
        tell(f"text {number}: {document.source}")
        end = 0
        for passage in segment(document, layout, drop=lambda reason: None):
            yield from (KindText(OTHER, text) for text in _paragraphs(document.text[end : passage.start]))
            yield KindText(passage.kind, passage.text)
            end = passage.end
        yield from (KindText(OTHER, text) for text in _paragraphs(document.text[end:]))


def _paragraphs(text: str) -> Iterator[str]:
    return (part for part in _BLANK_LINES.split(text) if part.strip())


def _scenes(path: Path | None) -> Iterator[Scene]:
    from hyperbridge.jsonl import read_jsonl
    from hyperbridge.scenes import Scene

    if path is not None:
        yield from read_jsonl(path, Scene, on_bad=lambda line: print(line, file=sys.stderr))


def _gold(path: Path) -> dict[str, tuple[int, ...]]:
    """The words of a file of seams, those of letters alone."""
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.tokenizer.morphemes import read_morphemes

    words = {word: seams for word, seams in read_morphemes(str(path)) if word.isalpha()}
    if not words:
        raise HyperBridgeError(f"{path}: no word in this file; write домами<tab>дом|ами, one a line")
    return words
