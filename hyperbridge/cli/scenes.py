"""`hyperbridge scenes`: check a scene file, look at its scenes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check and show scene files (JSONL).", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="Scenes, one JSON object a line.", show_default=False)]


@app.command()
def validate(file: File) -> None:
    """Read every line; report each bad one as file:line: reason. Exit code 2 if there is any."""
    from hyperbridge.jsonl import BadLine, read_jsonl
    from hyperbridge.scenes import Scene

    bad: list[BadLine] = []

    def report(line: BadLine) -> None:
        bad.append(line)
        print(line, file=sys.stderr)

    good = sum(1 for _ in read_jsonl(file, Scene, on_bad=report))
    print(f"{file}: {good} scenes, {len(bad)} bad lines")
    if bad:
        raise typer.Exit(2)


@app.command()
def show(
    file: File,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many scenes.")] = 20,
    prompt: Annotated[bool, typer.Option("--prompt", help="Print the prompt form, one scene a line.")] = False,
) -> None:
    """Show the first scenes of a file as a table; bad lines are named on stderr."""
    from itertools import islice

    from rich.console import Console

    from hyperbridge.jsonl import read_jsonl
    from hyperbridge.scenes import Scene

    scenes = islice(read_jsonl(file, Scene, on_bad=lambda line: print(line, file=sys.stderr)), limit)
    if prompt:
        for scene in scenes:
            print(scene.prompt())
    else:
        Console().print(_table(list(scenes)))


def _table(scenes: list) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("scene", "Δ", "agent", "act", "field", "tone", "register", "emotion", "tension"):
        table.add_column(heading, overflow="fold")
    for scene in scenes:
        parts = scene.components
        table.add_row(
            *(
                Text(value or "")
                for value in (
                    "+".join(scene.hyperlexeme) or scene.scene,
                    scene.meta.delta,
                    parts.agent,
                    parts.act,
                    parts.field,
                    parts.tone,
                    scene.registers.primary or scene.meta.register_,
                    scene.meta.emotion,
                    "" if scene.tension is None else f"{scene.tension:.2f}",
                )
            )
        )
    return table
