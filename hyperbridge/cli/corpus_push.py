"""`hyperbridge corpus push`: scenes or expressions to the Hub, as a data set with its card."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hyperbridge.corpus.statistics import CorpusStatistics
    from hyperbridge.model_cards.scenes_card import CountTable

SCENES, CARD = "scenes.jsonl", "README.md"
# Fields that the card counts, in its order.
LENGTHS = "words of a passage"
COUNTED = ("register", "emotion", "archetype", "tension", LENGTHS)


def push(
    path: Annotated[Path, typer.Argument(help="A scenes file, or a folder that `corpus pairs` wrote.")],
    repo_id: Annotated[str, typer.Argument(metavar="ID", help="owner/name, or owner/name@branch.")],
    private: Annotated[bool, typer.Option("--private", help="Of a new repository.")] = False,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Of the commit.")] = None,
    licence: Annotated[str | None, typer.Option("--license", help="Of the texts (cc0-1.0, ...).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files and the card, and push nothing.")] = False,
) -> None:
    """Publish scenes, or training pairs, as a data set that `datasets.load_dataset` reads."""
    from hyperbridge import hub

    name, branch = hub.parse_id(repo_id)
    with tempfile.TemporaryDirectory(prefix="hyperbridge-push-") as made:
        staged = Path(made)
        if path.is_dir():
            _stage_pairs(path, staged, licence)
        else:
            _stage_scenes(path, staged, name, licence)
        for file in sorted(staged.iterdir()):
            typer.echo(f"{file.stat().st_size:>12,} B  {file.name}")
        if dry_run:
            typer.echo("\n" + (staged / CARD).read_text(encoding="utf-8"))
            return
        commit = hub.publish(
            staged,
            name,
            message=message or f"{path.name} of hyperbridge",
            private=private or None,
            revision=branch,
            parent=hub.head(name, branch, "dataset"),
            repo_type="dataset",
        )
    typer.echo(f'pushed: {hub.address(name, "dataset")}\nload it: datasets.load_dataset("{name}", revision="{commit}")')


def _stage_scenes(path: Path, staged: Path, name: str, licence: str | None) -> None:
    """The scenes as they are (a bad line is named), and a card of what was counted in them."""
    from hyperbridge.corpus.statistics import CorpusStatistics
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.jsonl import read_jsonl
    from hyperbridge.model_cards.scenes_card import render_scenes_card
    from hyperbridge.scenes import Scene

    counted = CorpusStatistics.of(read_jsonl(path, Scene, strict=True))
    first = next(read_jsonl(path, Scene), None)
    if first is None:
        raise HyperBridgeError(f"{path}: no scenes in it; make them with hyperbridge corpus build")
    if "text_human" in (first.model_extra or {}):
        raise HyperBridgeError(f"{path}: expressions, not scenes; give the folder that hyperbridge corpus pairs wrote")
    shutil.copyfile(path, staged / SCENES)
    card = render_scenes_card(
        name,
        scenes=counted.scenes,
        words=counted.words,
        tables=_tables(counted),
        example=first.to_json(),
        licence=licence,
    )
    (staged / CARD).write_text(card, encoding="utf-8")


def _tables(counted: CorpusStatistics) -> list[CountTable]:
    """What the card counts: no value that no scene has, and no lengths where scenes have no passage."""
    from hyperbridge.model_cards.scenes_card import CountTable

    shown = [title for title in COUNTED if counted.words or title != LENGTHS]
    return [
        CountTable(chart.title, [(value, count) for value, count in chart.bars if count])
        for chart in counted.charts()
        if chart.title in shown
    ]


def _stage_pairs(folder: Path, staged: Path, licence: str | None) -> None:
    """The expressions of a folder and the card that `corpus pairs` wrote beside them, with the licence where given."""
    from huggingface_hub import DatasetCard

    from hyperbridge.errors import HyperBridgeError

    files = sorted(folder.glob("*.jsonl"))
    if not files or not (folder / CARD).is_file():
        raise HyperBridgeError(f"{folder}: no expressions with a {CARD} here; make them with hyperbridge corpus pairs")
    for file in files:
        shutil.copyfile(file, staged / file.name)
    card = DatasetCard((folder / CARD).read_text(encoding="utf-8"))
    if licence:
        card.data["license"] = licence
    (staged / CARD).write_text(str(card), encoding="utf-8")
