"""`hyperbridge corpus eval`: what the reader finds, against people's annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def evaluate(
    gold: Annotated[Path, typer.Option("--gold", help="Folder with .conllu treebanks, cedr*.jsonl, drama/*.jsonl.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the figures as JSON too.")] = None,
) -> None:
    """Measure agent and act on treebanks, emotions on CEDR, and scene boundaries on plays with hidden structure."""
    import json

    from rich.console import Console

    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.jsonl import atomic_writer

    if not gold.is_dir():
        raise HyperBridgeError(f"{gold}: no such folder; give one with .conllu treebanks or plays as .jsonl")
    console, found = Console(), []
    with Console(stderr=True).status("reading and comparing"):
        for table in _tables(gold):
            found.append(table)
            print_table(console, table.title, table.columns, table.rows, right=table.columns[1:])
    if not found:
        raise HyperBridgeError(
            f"{gold}: neither .conllu treebanks nor cedr*.jsonl nor plays (drama/*.jsonl) below this folder"
        )
    if output is not None:
        with atomic_writer(output) as file:
            told = {one.title: [dict(zip(one.columns, row, strict=True)) for row in one.rows] for one in found}
            json.dump(told, file, ensure_ascii=False, indent=1)
        console.print(f"{output}", highlight=False, soft_wrap=True)


def _tables(gold: Path) -> Iterator[Table]:
    treebanks = sorted(gold.rglob("*.conllu"))
    if treebanks:
        yield _components(treebanks)
    emotions = sorted(gold.rglob("cedr*.jsonl"))
    if emotions:
        yield from _emotions(emotions[0])
    plays = sorted(gold.rglob("drama/*.jsonl"))
    if plays:
        yield from _boundaries(plays)


def _components(treebanks: Sequence[Path]) -> Table:
    from hyperbridge.evaluation.components import evaluate_components

    records = [record for record in evaluate_components(treebanks) if record["part"] == "held-out"]
    figures = ("precision", "recall", "f1")
    names = ("group", "sentences", "slot", "way")
    rows = [
        (*(str(record[name]) for name in names), *(f"{record[figure]:.3f}" for figure in figures)) for record in records
    ]
    columns = ("group", "sentences", "slot", "way", "precision", "recall", "F1")
    return Table("Components, sentences that no rule was fitted on", columns, rows)


def _emotions(path: Path) -> Iterator[Table]:
    from hyperbridge.evaluation.emotions import evaluate_emotions

    for way, scores in evaluate_emotions(path).items():
        rows = [
            (one.emotion, str(one.texts), *(f"{value:.3f}" for value in (one.precision, one.recall, one.f1)))
            for one in scores
        ]
        columns = ("emotion", "texts", "precision", "recall", "F1")
        yield Table(f"Emotions, the tenth of CEDR that nothing was fitted on, {way}", columns, rows)


def _boundaries(plays: Sequence[Path]) -> Iterator[Table]:
    from hyperbridge.evaluation.boundaries import evaluate_boundaries

    columns = ("way", "exact P", "exact R", "exact F1", "±1 P", "±1 R", "±1 F1", "WindowDiff", "Pk")
    for way, reports in evaluate_boundaries(plays).items():
        rows = [(name, *_figures(report)) for name, report in reports.items()]
        yield Table(f"Scene boundaries of plays that no setting was chosen on, {way}", columns, rows)


def _figures(report: BoundaryReport) -> tuple[str, ...]:
    scores = [value for score in (report.exact, report.near) for value in (score.precision, score.recall, score.f1)]
    return tuple(f"{value:.3f}" for value in (*scores, report.window_diff, report.pk))
