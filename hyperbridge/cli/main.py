"""The `hyperbridge` command: mounts the verbs, one file each, and turns a user's mistake into one line and exit 2.

Heavy imports happen inside the verbs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import hyperbridge
from hyperbridge.cli import (
    corpus,
    doctor,
    evaluate,
    export,
    interpret,
    push,
    read,
    recipes,
    scenes,
    speak,
    tokenizer,
    train,
)
from hyperbridge.errors import HyperBridgeError
from hyperbridge.program import hide_deprecations

app = typer.Typer(
    name="hyperbridge",
    help="Text -> scene -> text: scenes, and the registers that speak them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(scenes.app, name="scenes")
app.add_typer(corpus.app, name="corpus")
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(recipes.app, name="recipes")
app.command("train")(train.train)
app.command("speak")(speak.speak)
app.command("read")(read.read)
app.command("interpret")(interpret.interpret)
app.command("evaluate")(evaluate.evaluate)
app.command("doctor")(doctor.doctor)
app.command("export")(export.export)
app.command("push")(push.push)
app.command("pull")(push.pull)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(hyperbridge.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    hide_deprecations()
    try:
        app()
    except HyperBridgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
