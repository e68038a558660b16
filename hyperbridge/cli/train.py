"""`hyperbridge train RECIPE`: train the registers of a recipe, or preview the tokens they would be trained on."""

from __future__ import annotations

from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a recipe key; repeatable.")
]


def train(
    recipe: Annotated[str, typer.Argument(help="Recipe file, or the name of a shipped one (nano-ru/registers).")],
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an unfinished run.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what would be trained on, and train nothing.")
    ] = False,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows a register to preview.")] = 2,
) -> None:
    """Train the registers of a recipe (the same as accelerate launch -m hyperbridge.trainers.sft)."""
    from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe

    loaded = load_recipe(recipe, RegisterRecipe, overrides)
    if preview:
        from rich.console import Console

        from hyperbridge.trainers.preview import preview_recipe

        console = Console()
        for line in preview_recipe(loaded, rows=rows):
            console.print(line, soft_wrap=True)
        return
    from hyperbridge.trainers.sft import train_registers

    print(f"trained: {train_registers(loaded, resume=resume)}")
