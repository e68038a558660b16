"""`hyperbridge recipes`: the shipped recipes: listed, shown, copied."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Shipped recipes: list, show, copy, check.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A shipped recipe: qwen3-8b/registers, with variants +qlora, +always.")]


@app.command("list")
def list_recipes() -> None:
    """Every base and what there is for it."""
    from rich.console import Console
    from rich.table import Table

    from hyperbridge.trainers.recipe_files import about, find_checkpoint, recipe_names, variant_names

    jobs: dict[str, list[str]] = {}
    for name in recipe_names():
        base, _, job = name.partition("/")
        jobs.setdefault(base, []).append(job)
    table = Table("base", "on the Hub", "licence", "recipes")
    for base, names in jobs.items():
        found = find_checkpoint(base)
        table.add_row(base, found.model if found else "", found.licence if found else "", ", ".join(names))
    console = Console()
    console.print(table)
    console.print("A recipe is BASE/RECIPE, for example qwen3-8b/registers; variants of registers:")
    for variant in variant_names():
        console.print(f"  +{variant}  {about('variants', variant)}", highlight=False)


@app.command()
def show(name: Name) -> None:
    """Print a recipe with everything it is made of."""
    from rich.console import Console
    from rich.syntax import Syntax

    text = _as_yaml(name)
    console = Console()
    if console.is_terminal:
        console.print(Syntax(text, "yaml", background_color="default", word_wrap=True))
    else:
        typer.echo(text, nl=False)


@app.command()
def copy(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="The new file.")],
) -> None:
    """Write a recipe to a file of your own, to be changed."""
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.jsonl import atomic_writer

    if output.exists():
        raise HyperBridgeError(f"{output}: is there already; give -o another file")
    text = _as_yaml(name)
    with atomic_writer(output) as file:
        file.write(text)
    typer.echo(f"{output}: change it, then: hyperbridge train {output}")


def _as_yaml(name: str) -> str:
    import yaml

    from hyperbridge.trainers.recipe_files import read_recipe

    data: dict[str, Any] = read_recipe(name)
    body = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
    return f"# {name}. Shorter: a file with `extends: {name}` and the keys that are to differ.\n{body}"
