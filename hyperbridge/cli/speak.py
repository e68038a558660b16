"""`hyperbridge speak BUNDLE SCENE`: say a scene in some registers or in all, side by side as they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from hyperbridge.modeling.bridge import HyperBridge, Line

NARROWEST = 28  # columns a voice needs to be read
ALL = "all"


def speak(
    bundle: Annotated[str, typer.Argument(help="Trained folder or Hub id.")],
    scene: Annotated[str, typer.Argument(help="жар+тишина+вход, a scene's prompt form, or its JSON.")],
    registers: Annotated[
        list[str] | None,
        typer.Option(
            "--registers",
            "--register",
            "-r",
            metavar="NAME[,NAME...]",
            help="Registers, by name or style; repeatable; 'base' is the bare base, 'all' is the default.",
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Expressions a register.")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes sampling repeatable.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", "-t", min=0.0, help="0 is greedy.")] = 0.7,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a Hub id.")] = None,
) -> None:
    """Say a scene; the base reads it once, and all voices speak at the same time."""
    from rich.console import Console

    from hyperbridge.modeling.bridge import HyperBridge, Line, Sampling, as_scene
    from hyperbridge.modeling.bundle import BARE

    said = as_scene(scene)
    given = [name.strip() for option in registers or [ALL] for name in option.split(",")]
    wanted = None if ALL in given else [name for name in given if name != BARE]
    bridge = HyperBridge.from_pretrained(bundle, registers=wanted or None, revision=revision)
    names = [name for each in given for name in (bridge.registers if each == ALL else [bridge.name_of(each)])]
    sampling = Sampling.of(temperature=temperature)
    lines = [
        Line(said, name, sampling, None if seed is None else seed + number)
        for name in dict.fromkeys(names)
        for number in range(count)
    ]
    console = Console()
    console.print(said.prompt(), style="bold", markup=False, highlight=False)
    if console.is_terminal:
        _side_by_side(console, bridge, lines)
    else:
        _one_after_another(console, bridge, lines)


def _side_by_side(console: Console, bridge: HyperBridge, lines: Sequence[Line]) -> None:
    """A column for each voice, growing while it speaks."""
    from rich.live import Live

    texts = [""] * len(lines)
    with Live(console=console, refresh_per_second=12, vertical_overflow="visible") as live:
        for piece in bridge.stream(lines):
            texts[piece.line] += piece.text
            live.update(_columns(lines, texts, console.width))


def _columns(lines: Sequence[Line], texts: Sequence[str], width: int) -> RenderableType:
    """The texts under their registers' names, in as many columns as can be read, then in the next row of columns."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    voices: dict[str, list[str]] = {}
    for line, text in zip(lines, texts, strict=True):
        voices.setdefault(line.register, []).append(text)
    names = list(voices)
    across = max(1, min(len(names), width // NARROWEST))
    tables = []
    for start in range(0, len(names), across):
        part = names[start : start + across]
        table = Table(expand=True, box=None, padding=(0, 1), header_style="cyan")
        for name in part:
            table.add_column(name, ratio=1, overflow="fold")
        for row in zip(*(voices[name] for name in part), strict=True):
            table.add_row(*map(Text, row))
            table.add_row()
        tables.append(table)
    return Group(*tables)


def _one_after_another(console: Console, bridge: HyperBridge, lines: Sequence[Line]) -> None:
    """Each voice under its name: what a pipe or a file gets."""
    named = ""
    for line, text in zip(lines, bridge.say(lines), strict=True):
        if line.register != named:
            named = line.register
            console.print(f"\n{named}", style="cyan", markup=False)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
