"""`hyperbridge read FILE`: cut text into scenes by the rules and print them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def read(
    file: Annotated[Path, typer.Argument(help="Text file; - reads standard input.", allow_dash=True)],
    language: Annotated[str, typer.Option("--language", help="Whose rules to use.")] = "ru",
    prompt: Annotated[bool, typer.Option("--prompt", help="Print the prompt form instead of JSON.")] = False,
) -> None:
    """Read text into scenes, one a line on standard output."""
    from hyperbridge.corpus.building import read_text
    from hyperbridge.corpus.documents import decode
    from hyperbridge.jsonl import open_for_reading

    raw = sys.stdin.buffer.read() if str(file) == "-" else open_for_reading(file).read()
    text, encoding = decode(raw, str(file))
    if encoding not in {"utf-8", "utf-8-sig"}:
        print(f"{file}: read as {encoding}", file=sys.stderr)
    for scene in read_text(text, source="text" if str(file) == "-" else file.name, language=language):
        print(scene.prompt() if prompt else scene.to_json())
