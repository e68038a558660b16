"""`hyperbridge corpus`: texts -> scenes (`build`), scenes -> expressions (`pairs`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from hyperbridge.corpus.building import DropCounts
    from hyperbridge.corpus.documents import Document
    from hyperbridge.corpus.pairs import PairCounts
    from hyperbridge.scenes import Scene

app = typer.Typer(help="Make scenes from texts, and training pairs from scenes.", no_args_is_help=True)


@app.command()
def build(
    inputs: Annotated[list[Path], typer.Argument(help="Files (.txt, .jsonl) or folders of them.", metavar="INPUT...")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The scene file to write, .jsonl.")],
    language: Annotated[str, typer.Option(help="Language of the texts.")] = "ru",
    register: Annotated[
        str | None, typer.Option(help="Register of all of it, e.g. поэтический; else told from folder and content.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Cut texts into scenes; what is left out is counted by reason."""
    from rich.console import Console

    from hyperbridge.corpus.building import DropCounts, build_scenes
    from hyperbridge.corpus.documents import find_files, read_documents
    from hyperbridge.jsonl import write_jsonl

    _refuse_existing(output, force)
    console = Console(stderr=True)
    total = sum(path.stat().st_size for path, _ in find_files(inputs))
    drops = DropCounts()
    with _progress(console) as progress:
        task = progress.add_task("reading", total=total)
        follow = _Follow(progress, task, console)
        documents = follow.documents(read_documents(inputs))
        write_jsonl(output, follow.scenes(build_scenes(documents, language=language, register=register, drops=drops)))
        progress.update(task, completed=total)
    _report_build(console, drops)
    console.print(f"{drops.scenes} scenes of {drops.documents} documents: {output}", highlight=False, soft_wrap=True)


@app.command()
def pairs(
    scenes: Annotated[Path, typer.Argument(help="A scene file written by `corpus build`.", metavar="SCENES.jsonl")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write.")],
    min_words: Annotated[int, typer.Option(help="Shortest passage, in words.")] = 8,
    max_words: Annotated[int, typer.Option(help="Longest passage, in words.")] = 60,
    per_register: Annotated[int | None, typer.Option(help="At most so many training pairs of a register.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Glob of sources for test; repeatable.")] = None,
    validation: Annotated[list[str] | None, typer.Option(help="Glob of sources for validation; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Pair every scene with its passage; split by source into train, validation and test."""
    from rich.console import Console

    from hyperbridge.corpus.pairs import PairOptions, write_pairs

    options = PairOptions(min_words, max_words, per_register, seed, tuple(test or ()), tuple(validation or ()))
    _refuse_existing(output / "train.jsonl", force)
    console = Console(stderr=True)
    counts = write_pairs(scenes, output, options)
    for bad in counts.bad_lines:
        console.print(f"warning: {bad}", markup=False, highlight=False, soft_wrap=True)
    _report_pairs(console, counts)
    for warning in counts.warnings():
        console.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{counts.pairs.total()} pairs: {output}", highlight=False, soft_wrap=True)


def _refuse_existing(path: Path, force: bool) -> None:
    from hyperbridge.errors import HyperBridgeError

    if path.exists() and not force:
        raise HyperBridgeError(f"{path}: exists already; give another -o, or --force to overwrite it")


class _Follow:
    """Moves the progress bar along documents and the scenes drawn from them; tells of odd encodings."""

    def __init__(self, progress: Progress, task: TaskID, console: Console) -> None:
        self.progress, self.task, self.console = progress, task, console
        self.before = self.size = 0
        self.length = 1

    def documents(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            self.before += self.size
            self.size = len(document.text.encode(document.encoding, "replace"))
            self.length = max(len(document.text), 1)
            self.progress.update(self.task, description=document.source[-40:], completed=self.before)
            if document.encoding not in {"utf-8", "utf-8-sig"}:
                line = f"{document.source}: read as {document.encoding}"
                self.console.print(line, markup=False, highlight=False, soft_wrap=True)
            yield document

    def scenes(self, scenes: Iterable[Scene]) -> Iterator[Scene]:
        for scene in scenes:
            if scene.span is not None:
                done = self.before + self.size * scene.span.end / self.length
                self.progress.update(self.task, completed=done)
            yield scene


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)
    return Progress(text, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console, transient=True)


def _report_build(console: Console, drops: DropCounts) -> None:
    rows = [(stage, reason, str(count)) for (stage, reason), count in sorted(drops.dropped.items())]
    _table(console, "Left out", ("stage", "reason", "units"), rows)
    registers = [(name, str(count)) for name, count in drops.registers.most_common()]
    _table(console, "Scenes", ("register", "scenes"), registers)


def _report_pairs(console: Console, counts: PairCounts) -> None:
    from hyperbridge.corpus.splits import SPLITS, Split

    def cell(register: str, part: Split) -> str:
        return f"{counts.pairs[register, part]} ({len(counts.sources.get((register, part), ()))})"

    dropped = [(reason, str(count)) for reason, count in sorted(counts.dropped.items())]
    _table(console, "Left out", ("reason", "scenes"), dropped)
    rows = [(register, *(cell(register, part) for part in SPLITS)) for register in counts.registers]
    _table(console, "Pairs (sources)", ("register", *SPLITS), rows)


def _table(console: Console, title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in head:
        table.add_column(name, justify="right" if name in {"units", "scenes"} else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    if rows:
        console.print(table)
