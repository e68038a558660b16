"""`hyperbridge recipes`: the shipped recipes: listed, shown, copied, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from hyperbridge.trainers.estimate import Gpu
    from hyperbridge.trainers.recipe_check import Checked

app = typer.Typer(help="Shipped recipes: list, show, copy, check.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A shipped recipe: qwen3-8b/registers, with variants +qlora, +always.")]


@app.command("list")
def list_recipes() -> None:
    """Every base and what there is for it."""
    from rich.console import Console
    from rich.table import Table

    from hyperbridge.trainers.recipe_files import about, checkpoints, recipe_names, variant_names

    jobs: dict[str, list[str]] = {}
    for name in recipe_names():
        base, _, job = name.partition("/")
        jobs.setdefault(base, []).append(job)
    table = Table()
    for column in ("base", "licence", "recipes", "on the Hub"):
        table.add_column(column, overflow="fold")
    known = checkpoints()
    for base, names in jobs.items():
        found = known.get(base)
        table.add_row(base, found.licence if found else "", ", ".join(names), found.model if found else "")
    console = Console()
    console.print(table)
    console.print("A recipe is BASE/RECIPE, for example qwen3-8b/registers; variants, of all but graft and pretrain:")
    for variant in variant_names():
        console.print(f"  +{variant:<7} {about('variants', variant)}", highlight=False, soft_wrap=True)


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
    typer.echo(f"{output}: change it, then: {_runs(name, output)}")


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Recipes: shipped ones or files.")] = None,
    all_recipes: Annotated[
        bool, typer.Option("--all", help="Every shipped recipe, registers with +qlora too.")
    ] = False,
    gpu: Annotated[str | None, typer.Option("--gpu", help='A card: "RTX 4090", or its memory: 24GB.')] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a recipe key: key=value.")] = None,
) -> None:
    """Check recipes without weights: do they fit together, what memory and time they take, on which cards.

    Exit code 1 where something is wrong, or where a recipe does not fit the card of --gpu.
    """
    from rich.console import Console

    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.trainers.recipe_check import check_recipe, find_gpu

    wanted = [*(names or []), *(_every_recipe() if all_recipes else [])]
    if not wanted:
        raise HyperBridgeError("name a recipe (hyperbridge recipes list shows them), or give --all")
    card = find_gpu(gpu) if gpu else None
    console = Console()
    checked = []
    with console.status("") as status:
        for name in wanted:
            status.update(name)
            checked.append(check_recipe(name, overrides))
    if len(checked) == 1:
        _print_one(console, checked[0])
    else:
        _print_table(console, checked)
    fits = [card is None or _print_fit(console, one, card, str(gpu)) for one in checked]
    if not all(fits) or any(one.wrong for one in checked):
        raise typer.Exit(1)


def _runs(name: str, file: Path) -> str:
    """The command that runs a file made from a recipe."""
    job = name.partition("+")[0].rpartition("/")[2]
    module = {"graft": "graft", "pretrain": "pretrain"}.get(job)
    return (
        f"accelerate launch -m hyperbridge.trainers.{module} --config {file}" if module else f"hyperbridge train {file}"
    )


def _every_recipe() -> list[str]:
    from hyperbridge.trainers.recipe_check import WITHOUT_ADAPTERS
    from hyperbridge.trainers.recipe_files import checkpoints, recipe_names

    experts = {name for name, one in checkpoints().items() if "num_local_experts" in one.architecture}
    names = [name for name in recipe_names() if name.partition("/")[2] not in WITHOUT_ADAPTERS]
    bases = [name.removesuffix("/registers") for name in names if name.endswith("/registers")]
    return sorted([*names, *(f"{base}/registers+qlora" for base in bases if base not in experts)])


def _print_one(console: Console, checked: Checked) -> None:
    """A recipe with the parts of its memory."""
    from dataclasses import fields

    from rich.table import Table

    for note in checked.notes:
        console.print(f"✓ {note}", highlight=False, markup=False, soft_wrap=True)
    if checked.memory is not None:
        table = Table("at the peak", "GB", title_justify="left")
        table.columns[1].justify = "right"
        for part in fields(checked.memory):
            table.add_row(part.name, _gigabytes(getattr(checked.memory, part.name)))
        table.add_row("together", _gigabytes(checked.memory.total))
        console.print(table)
        console.print(f"fits: {_cards(checked)}", highlight=False, soft_wrap=True)
        if smallest := _smallest(checked):
            console.print(f"a first guess of the time on {smallest}: {_time(checked)}", highlight=False)
    _print_problems(console, checked)


def _print_table(console: Console, checked: list[Checked]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("recipe", "GB", "the smallest card of the table", "time on it", "")
    table.columns[0].overflow = "fold"
    table.columns[1].justify = "right"
    for one in checked:
        memory = _gigabytes(one.memory.total) if one.memory else "?"
        state = "wrong" if one.wrong else "in part" if one.unchecked else "checked"
        smallest = (_smallest(one) or "none alone") if one.memory else "not estimated"
        table.add_row(one.name, memory, smallest, _time(one), state)
    console.print(table)
    for one in checked:
        for line in one.wrong:
            console.print(Text(f"✗ {one.name}: {line}", "red"), soft_wrap=True)
    _print_unchecked(console, checked)


def _print_unchecked(console: Console, checked: Sequence[Checked]) -> None:
    """What could not be looked at, each reason once, whatever base it names."""
    from collections import Counter

    from rich.text import Text

    reasons = Counter(re.sub(r" of [\w.-]+/[\w.-]+", "", line) for one in checked for line in one.unchecked)
    for reason, count in reasons.items():
        console.print(Text(f"not checked, in {count} recipes: {reason}", "yellow"), soft_wrap=True)


def _print_problems(console: Console, checked: Checked) -> None:
    from rich.text import Text

    for line in checked.wrong:
        console.print(Text(f"✗ {line}", "red"), soft_wrap=True)
    for line in checked.unchecked:
        console.print(Text(f"not checked: {line}", "yellow"), soft_wrap=True)


def _print_fit(console: Console, checked: Checked, gpu: Gpu, named: str) -> bool:
    """Whether a recipe fits a card; where it does not, what to change."""
    from hyperbridge.trainers.recipe_check import advice

    estimate = checked.estimate
    if estimate is None:
        return True
    fits = estimate.fits(gpu)
    told = f"{checked.name}: {_gigabytes(estimate.memory.total)} GB "
    lines = [told + (f"fit {named}" if fits else f"do not fit {named}; try, from the top:")]
    lines += [] if fits else [f"  {line}" for line in advice(checked.name, estimate)]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return fits


def _smallest(checked: Checked) -> str | None:
    """The first card of the table, which is sorted by memory, that holds a recipe."""
    from hyperbridge.trainers.estimate import GPUS

    return next((name for name, gpu in GPUS.items() if checked.fits(gpu)), None)


def _cards(checked: Checked) -> str:
    from hyperbridge.trainers.estimate import GPUS

    return ", ".join(name for name, gpu in GPUS.items() if checked.fits(gpu)) or "no single card of the table"


def _time(checked: Checked) -> str:
    from hyperbridge.trainers.estimate import GPUS

    name = _smallest(checked)
    if name is None or checked.estimate is None:
        return ""
    minutes = 60 * checked.estimate.hours_on(GPUS[name])
    told = f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
    return f"about {told}" if minutes >= 1.5 else "a minute"


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.2f}" if number < 1e10 else f"{number / 1e9:.1f}"


def _as_yaml(name: str) -> str:
    import yaml

    from hyperbridge.trainers.recipe_files import read_recipe

    data: dict[str, Any] = read_recipe(name)
    body = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
    return f"# {name}. Shorter: a file with `extends: {name}` and the keys that are to differ.\n{body}"
