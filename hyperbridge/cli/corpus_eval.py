"""`hyperbridge corpus eval`: what the reader finds, against people's annotations and the structure of books."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hyperbridge.cli.tables import print_table

if TYPE_CHECKING:
    from hyperbridge.evaluation.boundaries import BoundaryReport


@dataclass(frozen=True, slots=True)
class Table:
    """Figures under a heading; the first column names a row."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is measured: files of the folder by pattern, all of which it needs, and what makes its tables."""

    patterns: tuple[str, ...]
    tables: Callable[[Sequence[Sequence[Path]]], Iterator[Table]]


def evaluate(
    gold: Annotated[Path, typer.Option("--gold", help="Folder of annotations and texts, at any depth below it.")],
    only: Annotated[
        list[str] | None,
        typer.Option(help="Just this: components, emotions, plays, novels, archetypes or tension; repeatable."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the figures as JSON too.")] = None,
) -> None:
    """Measure the reader: agent and act, emotions, boundaries of scenes, archetypes, tension.

    Whatever the folder has files for: *.conllu treebanks, cedr*.jsonl, drama/*.jsonl, prose/*.txt,
    propp_functions*.jsonl with folk/*.jsonl.
    """
    from rich.console import Console

    from hyperbridge.errors import HyperBridgeError

    if not gold.is_dir():
        raise HyperBridgeError(f"{gold}: no such folder; give one with .conllu treebanks or plays as .jsonl")
    parts = _chosen(only or [])
    console = Console()
    found = []
    for table in _measured(gold, parts):
        found.append(table)
        print_table(console, table.title, table.columns, table.rows, right=table.columns[1:])
    if not found:
        wanted = "; ".join(f"{' with '.join(part.patterns)} ({name})" for name, part in parts.items())
        raise HyperBridgeError(f"{gold}: nothing to measure on below this folder; wanted is any of {wanted}")
    if output is not None:
        _write(output, found)
        console.print(f"{output}", highlight=False, soft_wrap=True)


def _measured(gold: Path, parts: Mapping[str, Part]) -> Iterator[Table]:
    """The tables of the parts that a folder has all files for, each when it is ready."""
    from rich.console import Console

    with Console(stderr=True).status("looking for files") as status:
        for name, part in parts.items():
            files = [sorted(gold.rglob(pattern)) for pattern in part.patterns]
            if all(files):
                status.update(f"{name}: reading and comparing")
                yield from part.tables(files)


def _write(output: Path, tables: Sequence[Table]) -> None:
    import json

    from hyperbridge.jsonl import atomic_writer

    told = {one.title: [dict(zip(one.columns, row, strict=True)) for row in one.rows] for one in tables}
    with atomic_writer(output) as file:
        json.dump(told, file, ensure_ascii=False, indent=1)


def _chosen(only: Sequence[str]) -> dict[str, Part]:
    """The parts of these names in their own order; all where none is named."""
    from hyperbridge.errors import HyperBridgeError, nearest

    unknown = next((name for name in only if name not in _PARTS), None)
    if unknown is not None:
        raise HyperBridgeError(f"--only {unknown}: {nearest(unknown, _PARTS)}")
    return {name: part for name, part in _PARTS.items() if not only or name in only}


def _components(files: Sequence[Sequence[Path]]) -> Iterator[Table]:
    from hyperbridge.evaluation.components import evaluate_components

    records = [record for record in evaluate_components(files[0]) if record["part"] == "held-out"]
    figures = ("precision", "recall", "f1")
    names = ("group", "sentences", "slot", "way")
    rows = [
        (*(str(record[name]) for name in names), *(f"{record[figure]:.3f}" for figure in figures)) for record in records
    ]
    columns = ("group", "sentences", "slot", "way", "precision", "recall", "F1")
    yield Table("Components, sentences that no rule was fitted on", columns, rows)


def _emotions(files: Sequence[Sequence[Path]]) -> Iterator[Table]:
    from hyperbridge.evaluation.emotions import evaluate_emotions

    for way, scores in evaluate_emotions(files[0][0]).items():
        rows = [
            (one.emotion, str(one.texts), *(f"{value:.3f}" for value in (one.precision, one.recall, one.f1)))
            for one in scores
        ]
        columns = ("emotion", "texts", "precision", "recall", "F1")
        yield Table(f"Emotions, the tenth of CEDR that nothing was fitted on, {way}", columns, rows)


_BOUNDARIES = ("way", "exact P", "exact R", "exact F1", "±1 P", "±1 R", "±1 F1", "WindowDiff", "Pk")


def _plays(files: Sequence[Sequence[Path]]) -> Iterator[Table]:
    from hyperbridge.evaluation.boundaries import evaluate_boundaries

    for way, reports in evaluate_boundaries(files[0]).items():
        rows = [(name, *_figures(report)) for name, report in reports.items()]
        yield Table(f"Scene boundaries of plays that no setting was chosen on, {way}", _BOUNDARIES, rows)


def _novels(files: Sequence[Sequence[Path]]) -> Iterator[Table]:
    from hyperbridge.evaluation.chapters import evaluate_chapters

    novels, starts, reports = evaluate_chapters(files[0])
    rows = [(name, *_figures(report)) for name, report in reports.items()]
    title = f"Scene boundaries at {starts} chapter starts of {novels} novels that no setting was chosen on"
    yield Table(f"{title}, headings hidden", _BOUNDARIES, rows)


def _figures(report: BoundaryReport) -> tuple[str, ...]:
    scores = [value for score in (report.exact, report.near) for value in (score.precision, score.recall, score.f1)]
    return tuple(f"{value:.3f}" for value in (*scores, report.window_diff, report.pk))


def _archetypes(files: Sequence[Sequence[Path]]) -> Iterator[Table]:
    from hyperbridge.evaluation.archetypes import evaluate_archetypes

    rows = [
        (
            one.name,
            f"{one.heard:.3g} of {one.functions}",
            f"{one.found:.3g} for {one.wanted}",
            *(f"{value:.3f}" for value in (one.precision, one.recall, one.f1)),
        )
        for one in evaluate_archetypes(files[0][0], files[1])
    ]
    columns = ("tale", "functions heard", "archetypes", "precision", "recall", "F1")
    yield Table("Archetypes of tales, against Propp's functions", columns, rows)


def _tension(files: Sequence[Sequence[Path]]) -> Iterator[Table]:
    from hyperbridge.evaluation.tension import evaluate_tension

    rows = [
        (one.emotion, str(one.texts), *(f"{value:.3f}" for value in (one.tension, one.outcry, one.shortness)))
        for one in evaluate_tension(files[0][0])
    ]
    columns = ("emotion", "texts", "tension", "outcry alone", "shortness alone")
    yield Table("Tension of texts with an emotion against texts with none, AUC", columns, rows)


_PARTS = {
    "components": Part(("*.conllu",), _components),
    "emotions": Part(("cedr*.jsonl",), _emotions),
    "plays": Part(("drama/*.jsonl",), _plays),
    "novels": Part(("prose/*.txt",), _novels),
    "archetypes": Part(("propp_functions*.jsonl", "folk/*.jsonl"), _archetypes),
    "tension": Part(("cedr*.jsonl",), _tension),
}
