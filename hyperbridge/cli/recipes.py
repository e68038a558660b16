"""`hyperbridge recipes`: the shipped recipes: listed, shown, copied, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    """Print a recipe with everything it is made of, and what its files say of it."""
    from rich.console import Console
    from rich.syntax import Syntax

    from hyperbridge.trainers.recipe_text import recipe_text

    text = recipe_text(name)
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
    """Write a recipe with its comments to a file of your own, to be changed."""
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.jsonl import atomic_writer
    from hyperbridge.trainers.recipe_text import recipe_text

    if output.exists():
        raise HyperBridgeError(f"{output}: is there already; give -o another file")
    text = recipe_text(name)
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
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="So many cards, the base shared out over them.")] = 1,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a recipe key: key=value.")] = None,
) -> None:
    """Check recipes without weights: do they fit together, what memory and time they take, on which cards.

    With --gpus, memory is that of each card, and what cannot be shared out is whole on each.
    Exit code 1 where something is wrong, or where a recipe does not fit the card of --gpu.
    """
    from rich.console import Console

    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.trainers.estimate import find_gpu
    from hyperbridge.trainers.recipe_check import check_recipe

    wanted = [*(names or []), *(_every_recipe(overrides or []) if all_recipes else [])]
    if not wanted:
        raise HyperBridgeError("name a recipe (hyperbridge recipes list shows them), or give --all")
    card = find_gpu(gpu) if gpu else None
    console = Console()
    checked = []
    with console.status("") as status:
        for name in wanted:
            status.update(name)
            checked.append(check_recipe(name, overrides, gpus=gpus))
    if len(checked) == 1:
        _print_one(console, checked[0])
    else:
        _print_table(console, checked, gpus)
    fits = [card is None or _print_fit(console, one, card, str(gpu)) for one in checked]
    if not all(fits) or any(one.wrong for one in checked):
        raise typer.Exit(1)


def _runs(name: str, file: Path) -> str:
    """The command that runs a file made from a recipe."""
    from hyperbridge.trainers.recipe_files import kind_of, read_recipe

    kind = kind_of(read_recipe(name))
    if kind == "registers":
        return f"hyperbridge train {file}"
    return f"accelerate launch -m hyperbridge.trainers.{kind} --config {file}"


def _every_recipe(overrides: Sequence[str]) -> list[str]:
    """The shipped recipes, those whose kind has the sections that are overridden."""
    from hyperbridge.trainers.recipe_check import recipe_model
    from hyperbridge.trainers.recipe_files import checkpoints, recipe_names

    sections = {re.split("[.=]", one)[0] for one in overrides}
    names = [name for name in recipe_names() if sections <= set(recipe_model(name).model_fields)]
    experts = {name for name, one in checkpoints().items() if "num_local_experts" in one.architecture}
    bases = [name.removesuffix("/registers") for name in names if name.endswith("/registers")]
    return sorted([*names, *(f"{base}/registers+qlora" for base in bases if base not in experts)])


def _print_one(console: Console, checked: Checked) -> None:
    """A recipe with the parts of its memory."""
    from rich.table import Table

    for note in checked.notes:
        console.print(f"✓ {note}", highlight=False, markup=False, soft_wrap=True)
    if checked.estimate is not None:
        gpus = checked.estimate.gpus
        table = Table("at the peak" if gpus == 1 else f"at the peak, on each of {gpus}", "GB", title_justify="left")
        table.columns[1].justify = "right"
        for name, size in checked.estimate.memory.parts.items():
            table.add_row(name, _gigabytes(size))
        table.add_row("together", _gigabytes(checked.estimate.memory.total))
        console.print(table)
        console.print(f"fits: {_cards(checked)}", highlight=False, soft_wrap=True)
        if smallest := _smallest(checked):
            console.print(f"a first guess of the time on {smallest[0]}: {_time(smallest[1])}", highlight=False)
    _print_problems(console, checked)


def _print_table(console: Console, checked: list[Checked], gpus: int) -> None:
    from rich.table import Table
    from rich.text import Text

    of_the_table = "the smallest card of the table" if gpus == 1 else f"the smallest {gpus} cards of the table"
    table = Table("recipe", "GB" if gpus == 1 else "GB, each", of_the_table, "time on it", "")
    table.columns[0].overflow = "fold"
    table.columns[1].justify = "right"
    for one in checked:
        memory = _gigabytes(one.memory.total) if one.memory else "?"
        state = "wrong" if one.wrong else "in part" if one.unchecked else "checked"
        cards, time = ("not estimated", "") if one.estimate is None else ("none", "")
        if smallest := _smallest(one):
            cards, time = smallest[0], _time(smallest[1])
        table.add_row(one.name, memory, cards, time, state)
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
    each = f" on each of {estimate.gpus}" if estimate.gpus > 1 else ""
    told = f"{checked.name}: {_gigabytes(estimate.memory.total)} GB{each} "
    lines = [told + (f"fit {named}" if fits else f"do not fit {named}; try, from the top:")]
    lines += [] if fits else [f"  {line}" for line in advice(checked, gpu)]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return fits


def _smallest(checked: Checked) -> tuple[str, float] | None:
    """The first of the table's cards, which are sorted by memory, that hold a recipe, and the hours on them.

    Where none does, the smallest of the fewest that hold its base shared out.
    """
    from hyperbridge.trainers.estimate import GPUS
    from hyperbridge.trainers.recipe_check import several

    estimate = checked.estimate
    if estimate is None:
        return None
    for name, gpu in GPUS.items():
        if estimate.fits(gpu):
            return _counted(name, estimate.gpus), estimate.hours_on(gpu)
    shared = [(gpus, name) for name, gpu in GPUS.items() if (gpus := several(checked, gpu))]
    gpus, name = min(shared, key=lambda one: one[0], default=(0, ""))
    return (_counted(name, gpus), estimate.over(gpus).hours_on(GPUS[name])) if gpus else None


def _cards(checked: Checked) -> str:
    """The cards that hold a recipe; where none does alone, how many of which share out its base."""
    from hyperbridge.trainers.estimate import GPUS
    from hyperbridge.trainers.recipe_check import SHARED_BY, several

    gpus = checked.estimate.gpus if checked.estimate else 1
    if found := [_counted(name, gpus) for name, gpu in GPUS.items() if checked.fits(gpu)]:
        return ", ".join(found)
    none = "no single card of the table" if gpus == 1 else f"no {gpus} cards of the table"
    shared = [_counted(name, number) for name, gpu in GPUS.items() if (number := several(checked, gpu))]
    return f"{none}; the base shared out ({SHARED_BY}): {', '.join(shared)}" if shared else none


def _counted(name: str, gpus: int) -> str:
    return name if gpus == 1 else f"{gpus} x {name}"


def _time(hours: float) -> str:
    minutes = 60 * hours
    told = f"{minutes:.0f} min" if minutes < 90 else f"{hours:.1f} h"
    return f"about {told}" if minutes >= 1.5 else "a minute"


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.2f}" if number < 1e10 else f"{number / 1e9:.1f}"
