"""`hyperbridge push RUN ID` and `hyperbridge pull ID`: bundles to the Hub and from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hyperbridge.model_cards.bundle_card import Licences
    from hyperbridge.modeling.publishing import Staged, Stale

Registers = Annotated[
    list[str] | None, typer.Option("--register", "-r", help="A register's name or style; repeatable. All by default.")
]


def push(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    repo_id: Annotated[str, typer.Argument(metavar="ID", help="owner/name, or owner/name@branch.")],
    register: Annotated[
        str | None, typer.Option("--register", "-r", help="Publish this register alone, as a plain PEFT repository.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="ID", help="The base on the Hub, where it was a folder here.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Of a new repository.")] = False,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Of the commit.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the repository's other registers beside.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the repository's other registers.")] = False,
    licence: Annotated[str | None, typer.Option("--license", help="Of the adapters (apache-2.0, ...).")] = None,
    data_licence: Annotated[str | None, typer.Option("--data-license", help="Of the data, for the card.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files and the card, and push nothing.")] = False,
) -> None:
    """Publish a run on the Hub: every register with its card, or one of them alone."""
    from hyperbridge import hub
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.model_cards.bundle_card import Licences
    from hyperbridge.modeling import publishing

    if keep and remove:
        raise HyperBridgeError("give --keep or --remove, not both")
    name, branch = hub.parse_id(repo_id)
    stale: Stale = "keep" if keep else "remove" if remove else "refuse"
    with _staged(run, name, register, base, Licences(licence, None, data_licence)) as staged:
        _show(staged)
        if dry_run:
            typer.echo("\n" + (staged.folder / publishing.CARD).read_text(encoding="utf-8"))
            return
        to = publishing.Destination(name, branch, private or None, message)
        commit = publishing.push(staged, to, stale=stale)
    typer.echo(f"pushed: {hub.address(name)} at commit {commit}")
    if register is None:
        typer.echo(f'load it: HyperBridge.from_pretrained("{repo_id}"), or hyperbridge speak {repo_id} SCENE')
    else:
        typer.echo(f'load it: PeftModel.from_pretrained(base, "{name}", revision="{commit}")')


def pull(
    repo_id: Annotated[str, typer.Argument(metavar="ID", help="owner/name, or owner/name@revision.")],
    registers: Registers = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new folder for plain files; the Hub's cache by default.")
    ] = None,
) -> None:
    """Fetch a bundle, or some of its registers, and print the folder."""
    from hyperbridge.modeling.publishing import pull as fetch

    typer.echo(fetch(repo_id, registers=registers, output=output))


@contextmanager
def _staged(run: Path, name: str, register: str | None, base: str | None, licences: Licences) -> Iterator[Staged]:
    from hyperbridge.modeling.publishing import staged_bundle, staged_register

    if register is None:
        with staged_bundle(run, name, base=base, licences=licences) as staged:
            yield staged
    else:
        with staged_register(run, register, name, base=base, licences=licences) as staged:
            yield staged


def _show(staged: Staged) -> None:
    from rich.console import Console
    from rich.filesize import decimal

    sizes = staged.sizes()
    console = Console()
    for path, size in sizes.items():
        console.print(f"{decimal(size):>10}  {path}", highlight=False, soft_wrap=True)
    console.print(f"{decimal(sum(sizes.values())):>10}  in {len(sizes)} files", highlight=False)
