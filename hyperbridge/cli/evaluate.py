"""`hyperbridge evaluate RECIPE`: the register matrix of a trained run, and unseen scenes said in every register."""

from __future__ import annotations

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
    """Write register_matrix.json and report.html into the run's folder, and print both as tables."""
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.evaluation.register_matrix import register_matrix
    from hyperbridge.evaluation.report import Section, save_samples, write_report
    from hyperbridge.modeling.bridge import HyperBridge
    from hyperbridge.trainers.preparation import load_pairs, of_style, scored_rows
    from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe

    loaded = load_recipe(recipe, RegisterRecipe, overrides)
    if loaded.data.test is None:
        raise HyperBridgeError(f"{recipe}: data.test is missing; evaluation needs expressions that were not trained on")
    book_scenes = _spread(_read_book(book), scenes) if book else []
    bridge = HyperBridge.from_pretrained(loaded.output_dir, dtype=loaded.base.dtype)
    pairs = load_pairs(loaded.data.test, loaded.data.scenes)
    held_out = {
        name: scored_rows(_spread(of_style(pairs, style), rows), bridge.tokenizer, loaded.system_prompt)
        for name, style in bridge.styles.items()
        if name in bridge.registers
    }
    matrix = register_matrix(bridge, held_out)
    sections = [Section("Unseen scenes", _say(bridge, _spread(_distinct(pairs), scenes), seed))]
    if book_scenes and book:
        sections.append(Section(f"Scenes of {book.name}", _say(bridge, book_scenes, seed)))
    output = Path(loaded.output_dir)
    matrix.save(output / "register_matrix.json")
    save_samples(output / "samples.json", sections[0])
    counts = ", ".join(f"{name} {len(own)}" for name, own in held_out.items())
    note = f"Base {loaded.base.model}, LoRA r={loaded.lora.r}; held-out expressions: {counts}."
    write_report(
        output / "report.html", title=output.name, matrix=matrix, styles=bridge.styles, sections=sections, note=note
    )
    _print(matrix, sections)
    print(f"{output / 'report.html'}\n{output / 'register_matrix.json'}")


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
