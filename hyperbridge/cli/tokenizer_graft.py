"""`hyperbridge tokenizer graft BASE EXTENSION -o EXTENDED`: an extended tokenizer's rows on its base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hyperbridge.cli.train import Overrides
from hyperbridge.tokenizer.embeddings import STARTS


def graft(
    base: Annotated[str, typer.Argument(help="The base: a folder, a .gguf file or a Hub id.")],
    extension: Annotated[Path, typer.Argument(help="Folder of `hyperbridge tokenizer extend`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the extended base.")],
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="PATH", help="Texts to learn the rows from; repeatable.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="Recipe file, or the name of a shipped one (smollm2/graft).")
    ] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a Hub id.")] = None,
    start: Annotated[str | None, typer.Option("--start", help=f"How rows start: {', '.join(STARTS)}.")] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=0, help="At most so many steps; 0 leaves the rows as they start.")
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="At most about so many minutes.")] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an unfinished run.")] = False,
) -> None:
    """Give a base the rows of its extended tokenizer, and train those rows alone (needs --text, or --steps 0)."""
    from hyperbridge.trainers.graft import graft as run
    from hyperbridge.trainers.graft_recipe import graft_recipe

    given: dict[str, Any] = {
        "base.model": base,
        "base.revision": revision,
        "extension": str(extension),
        "output_dir": str(output),
        "texts.inputs": text,
        "start": start,
        "distillation.max_steps": steps,
        "distillation.minutes": minutes,
    }
    settled = graft_recipe(recipe, {key: value for key, value in given.items() if value is not None}, overrides or [])
    print(f"grafted: {run(settled, resume=resume)}")
