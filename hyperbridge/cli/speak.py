"""`hyperbridge speak BUNDLE SCENE`: say a scene in one register or in all."""

from __future__ import annotations

from typing import Annotated

import typer


def speak(
    bundle: Annotated[str, typer.Argument(help="Trained folder or Hub id.")],
    scene: Annotated[str, typer.Argument(help="жар+тишина+вход, a scene's prompt form, or its JSON.")],
    register: Annotated[
        list[str] | None,
        typer.Option("--register", "-r", help="Register; repeatable; 'base' is the bare base. Default: all."),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Expressions a register.")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes sampling repeatable.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", "-t", min=0.0, help="0 is greedy.")] = 0.7,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a Hub id.")] = None,
) -> None:
    """Say a scene; each register's voice under its name."""
    from rich.console import Console

    from hyperbridge.modeling.bridge import BASE_VOICE, HyperBridge, as_scene

    said = as_scene(scene)
    names = [name for name in register or [] if name != BASE_VOICE]
    bridge = HyperBridge.from_pretrained(bundle, registers=names or None, revision=revision)
    sampling = (
        {"temperature": temperature} if temperature > 0 else {"do_sample": False, "temperature": None, "top_p": None}
    )
    console = Console()
    console.print(said.prompt(), style="bold", markup=False)
    for name in register or bridge.registers:
        console.print(f"\n{name}", style="cyan", markup=False)
        for text in bridge.speak(said, name, num_return_sequences=count, seed=seed, **sampling):
            console.print(text, markup=False, highlight=False)
