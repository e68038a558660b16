"""`hyperbridge evaluate RECIPE`: what a trained run can do, on data it has not seen.

Of registers the matrix, and unseen scenes said by each; of an interpreter what it finds of the scenes in their texts;
of a synthesizer how much less it is surprised by replies than the bare base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hyperbridge.cli.train import Overrides

if TYPE_CHECKING:
    from hyperbridge.evaluation.register_matrix import RegisterMatrix
    from hyperbridge.evaluation.report import SaidScene, Section
    from hyperbridge.modeling.bridge import HyperBridge
    from hyperbridge.scenes import Scene
    from hyperbridge.trainers.preparation import Pair
    from hyperbridge.trainers.recipe import RegisterRecipe

Item = TypeVar("Item")


def evaluate(
    recipe: Annotated[str, typer.Argument(help="The recipe the run was trained from (file or shipped name).")],
    overrides: Overrides = None,
    scenes: Annotated[int, typer.Option("--scenes", min=0, help="Unseen scenes to say in every register.")] = 8,
    book: Annotated[
        Path | None, typer.Option("--book", help="Also cut this text into scenes and say some of them.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Held-out expressions a register, at most.")] = 300,
    seed: Annotated[int, typer.Option("--seed", help="Of the sampling.")] = 0,
) -> None:
    """Measure a run on what it was not trained on: tables here, and files in its folder."""
    from hyperbridge.modeling.bridge import HyperBridge
    from hyperbridge.trainers.preparation import pairs_of
    from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe

    loaded = load_recipe(recipe, RegisterRecipe, overrides)
    pairs = {name: _spread(own, rows) for name, own in pairs_of(loaded, "test").items()}
    _require_test(recipe, loaded, pairs)
    book_scenes = _spread(_read_book(book), scenes) if book else []
    _check_run(recipe, loaded)
    bridge = HyperBridge.from_pretrained(loaded.output_dir, dtype=loaded.base.dtype)
    written = []
    if bridge.registers:
        said = {"Unseen scenes": _spread(_unseen(loaded), scenes)} | (
            {f"Scenes of {book.name}": book_scenes} if book else {}
        )
        written += _registers(loaded, bridge, pairs, said, seed)
    for name, task in bridge.tasks.items():
        if task == "interpret":
            written.append(_interpreter(loaded, bridge, pairs[name]))
        elif task == "reply":
            _synthesizer(loaded, bridge, name, pairs[name])
    print(*written, sep="\n")


def _require_test(name: str, recipe: RegisterRecipe, pairs: Mapping[str, list[Pair]]) -> None:
    from hyperbridge.errors import HyperBridgeError

    for adapter, own in pairs.items():
        replies = recipe.registers[adapter].task == "reply"
        given = recipe.data.replies.test if replies and recipe.data.replies else recipe.data.test
        key = "data.replies.test" if replies else "data.test"
        if given is None:
            raise HyperBridgeError(f"{name}: {key} is missing; evaluation needs expressions that were not trained on")
        if not own:
            raise HyperBridgeError(f"{name}: {given} has no expression for {adapter}")


def _check_run(name: str, recipe: RegisterRecipe) -> None:
    """The run holds adapters of the recipe alone, each with its task; seen before the base is loaded."""
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.modeling.bundle import locate, read_register_card, register_folders

    folders = register_folders(locate(recipe.output_dir).folder)
    held = {adapter: read_register_card(folder).task for adapter, folder in folders.items()}
    asked = {adapter: register.task for adapter, register in recipe.registers.items()}
    other = [f"{adapter} ({task})" for adapter, task in held.items() if asked.get(adapter) != task]
    if other:
        raise HyperBridgeError(
            f"{recipe.output_dir}: it holds {', '.join(other)}, which {name} does not name so; "
            "give the recipe that it was trained from"
        )


def _unseen(recipe: RegisterRecipe) -> list[Scene]:
    from hyperbridge.trainers.preparation import load_pairs

    assert recipe.data.test is not None  # a register without test data was refused
    return _distinct(load_pairs(recipe.data.test, recipe.data.scenes))


def _registers(
    recipe: RegisterRecipe,
    bridge: HyperBridge,
    pairs: Mapping[str, list[Pair]],
    said: dict[str, list[Scene]],
    seed: int,
) -> list[Path]:
    """The register matrix, and scenes in every register: register_matrix.json, samples.json and report.html."""
    from hyperbridge.evaluation.register_matrix import register_matrix
    from hyperbridge.evaluation.report import Section, save_samples, write_report
    from hyperbridge.trainers.preparation import scored_rows

    held_out = {name: scored_rows(pairs[name], bridge.tokenizer, recipe.system_prompt) for name in bridge.registers}
    matrix = register_matrix(bridge, held_out)
    sections = [Section(title, _say(bridge, scenes, seed)) for title, scenes in said.items()]
    output = Path(recipe.output_dir)
    matrix.save(output / "register_matrix.json")
    save_samples(output / "samples.json", sections[0])
    counts = ", ".join(f"{name} {len(own)}" for name, own in held_out.items())
    note = f"Base {recipe.base.model}, LoRA r={recipe.lora.r}; held-out expressions: {counts}."
    write_report(
        output / "report.html", title=output.name, matrix=matrix, styles=bridge.styles, sections=sections, note=note
    )
    _print(matrix, sections)
    return [output / "report.html", output / "register_matrix.json"]


def _interpreter(recipe: RegisterRecipe, bridge: HyperBridge, pairs: list[Pair]) -> Path:
    """What an interpreter finds of the scenes in their texts, beside the rules and chance: interpretation.json."""
    from rich.console import Console
    from rich.table import Table

    from hyperbridge.evaluation.interpretation import FILE_NAME, SLOTS, interpretations, save
    from hyperbridge.scenes import Scene

    texts = [str(pair.asked) for pair in pairs]
    ways = {"interpreter": _first("interpreting", bridge.interpret), "rules": _first("reading", bridge.read)}
    found = interpretations(texts, [Scene.from_prompt(pair.said) for pair in pairs], ways)
    path = Path(recipe.output_dir) / FILE_NAME
    save(path, found)
    table = Table("", "scenes", "all", *SLOTS, title=f"F1 of the words of {len(texts)} scenes", title_justify="left")
    for way, one in found.items():
        slots = (f"{words.f1:.3f}" for words in one.slots.values())
        table.add_row(way, f"{one.scenes / one.texts:.0%}", f"{one.f1:.3f}", *slots)
    Console().print(table)
    return path


def _first(doing: str, read: Callable[[str], Iterable[Scene]]) -> Callable[[Sequence[str]], Iterator[Scene | None]]:
    """The first scene of each text, where one is found."""
    from rich.progress import track

    def each(texts: Sequence[str]) -> Iterator[Scene | None]:
        for text in track(texts, description=doing, transient=True):
            yield next(iter(read(text)), None)

    return each


def _synthesizer(recipe: RegisterRecipe, bridge: HyperBridge, name: str, pairs: list[Pair]) -> None:
    """How surprised a synthesizer and the bare base are by replies that neither has seen."""
    from rich.console import Console
    from rich.table import Table

    from hyperbridge.evaluation.register_matrix import bits_per_character
    from hyperbridge.modeling.bundle import BARE
    from hyperbridge.modeling.scoring import register_bits
    from hyperbridge.trainers.preparation import scored_rows

    rows = scored_rows(pairs, bridge.tokenizer, recipe.system_prompt)
    table = Table("bits per character", f"{len(rows)} replies", title="Replies", title_justify="left")
    for adapter in (BARE, name):
        table.add_row(adapter, f"{bits_per_character(register_bits(bridge.bank, adapter, rows), rows):.3f}")
    Console().print(table)


def _read_book(book: Path) -> list[Scene]:
    from hyperbridge.corpus.building import read_text
    from hyperbridge.corpus.documents import read_documents
    from hyperbridge.errors import HyperBridgeError

    found = [scene for document in read_documents([book]) for scene in read_text(document.text, source=document.source)]
    if not found:
        raise HyperBridgeError(f"{book}: no scene could be cut from this text")
    return found


def _distinct(pairs: list[Pair]) -> list[Scene]:
    scenes = [pair.asked for pair in pairs if not isinstance(pair.asked, str)]
    return list({scene.scene: scene for scene in scenes}.values())


def _spread(items: list[Item], count: int) -> list[Item]:
    """At most `count` items, at even distances."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _say(bridge: HyperBridge, scenes: list[Scene], seed: int) -> list[SaidScene]:
    from rich.progress import track

    from hyperbridge.evaluation.report import SaidScene

    return [
        SaidScene(scene.prompt(), {name: texts[0] for name, texts in said.items()})
        for number, scene in enumerate(track(scenes, description="speaking", transient=True))
        for said in (bridge.speak(scene, registers="all", seed=seed + number),)
    ]


def _print(matrix: RegisterMatrix, sections: list[Section]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    names = list(matrix.matrix)
    for section in sections:
        voices = Table(title=section.title, title_justify="left", show_lines=True)
        for heading in ("scene", *names):
            voices.add_column(heading, overflow="fold")
        for scene in section.scenes:
            head = scene.prompt.split(";")[0]
            voices.add_row(Text(head, style="bold"), *(Text(scene.voices[name]) for name in names))
        console.print(voices)
    bits = Table("bits per character", *names, title="Register matrix", title_justify="left")
    bits.add_row("bare base", *(f"{matrix.base[name]:.3f}" for name in names))
    for adapter in names:
        cells = (
            Text(f"{matrix.matrix[adapter][name]:.3f}", style="bold green" if matrix.best(name) == adapter else "")
            for name in names
        )
        bits.add_row(adapter, *cells)
    bits.add_row("own vs base", *(f"{-100 * matrix.gain(name):+.1f} %" for name in names))
    console.print(bits)
