"""`hyperbridge interpret BUNDLE TEXT`: a text into a scene by the bundle's interpreter adapter."""

from __future__ import annotations

from typing import Annotated

import typer


def interpret(
    bundle: Annotated[str, typer.Argument(help="A folder, or a Hub id (owner/name).")],
    text: Annotated[str, typer.Argument(help="A passage.")],
    number: Annotated[int, typer.Option("-n", min=1, help="How often to ask.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Whole scenes, one JSON object a line.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the sampling, where -n asks more than once.")] = 0,
) -> None:
    """Turn a text into scenes with a trained interpreter (`hyperbridge read` does it by rules)."""
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.modeling.bridge import HyperBridge

    scenes = HyperBridge.from_pretrained(bundle).interpret(text, num_return_sequences=number, seed=seed)
    if not scenes:
        raise HyperBridgeError(f"{bundle}: what its interpreter said is no scene; train it longer, or ask more (-n 8)")
    for scene in scenes:
        typer.echo(scene.to_json() if as_json else scene.prompt())
