"""`hyperbridge tokenizer`: extend a base's tokenizer, report what it gives, graft the new rows on the base."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperbridge.cli import tokenizer_graft, tokenizer_report
from hyperbridge.cli.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

    from hyperbridge.tokenizer.extending import Extended
    from hyperbridge.tokenizer.extension import Extension, Unit
    from hyperbridge.tokenizer.morphemes import Seams
    from hyperbridge.tokenizer.units import Refusal

app = typer.Typer(help="Extend a base's tokenizer, measure it, and give the base its rows.", no_args_is_help=True)

DEFAULT_MERGES = 8000
DEFAULT_HYPERLEXEMES = 1000
REASONS_SHOWN = 5


@app.command()
def extend(
    base: Annotated[str, typer.Argument(help="Folder, Hub id or tokenizer file of the base.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write.", show_default=False)],
    corpus: Annotated[
        list[Path] | None, typer.Option(help="Texts to learn merges from, files or folders; repeatable.")
    ] = None,
    merges: Annotated[
        int | None, typer.Option(min=0, help=f"New pieces to learn.  [default: {DEFAULT_MERGES} with --corpus]")
    ] = None,
    morphemes: Annotated[
        str | None, typer.Option(help="Keep merges off the seams of morphemes.", metavar="slovorez|FILE")
    ] = None,
    scenes: Annotated[
        Path | None, typer.Option(help="Scenes whose frequent hyperlexemes become tokens.", metavar="SCENES.jsonl")
    ] = None,
    hyperlexemes: Annotated[
        int | None, typer.Option(min=1, help=f"At most so many.  [default: {DEFAULT_HYPERLEXEMES}]")
    ] = None,
    capitals: Annotated[
        bool, typer.Option("--capitals", help="Hyperlexemes with a capital first letter as well.")
    ] = False,
    prompt_forms: Annotated[
        bool,
        typer.Option("--prompt-forms", help="Hyperlexemes with their seams (жар+вход) as well, as models read them."),
    ] = False,
    formulas: Annotated[Path | None, typer.Option(help="A formula book; its Δ-codes become tokens.")] = None,
    symbols: Annotated[str, typer.Option(help="Symbols that become tokens, for example ⟁🜂.", show_default=False)] = "",
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub id.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier output.")] = False,
) -> None:
    """Give a base's tokenizer new ids after its own: pieces learned from texts, hyperlexemes, Δ-codes, symbols.

    Old ids stay, and text without new units is read as before. The folder loads with AutoTokenizer alone.
    """
    from rich.console import Console

    from hyperbridge.formulas import load_formulas
    from hyperbridge.tokenizer.base_tokenizer import open_base
    from hyperbridge.tokenizer.extending import check_folder
    from hyperbridge.tokenizer.extending import extend as write_extended
    from hyperbridge.tokenizer.units import formula_units, symbol_units

    count = _merges_of(merges, corpus, morphemes)
    if scenes is None and (hyperlexemes is not None or capitals or prompt_forms):
        _refuse("--hyperlexemes, --capitals and --prompt-forms need --scenes, the scenes to count in")
    if not count and scenes is None and formulas is None and not symbols:
        _refuse("nothing to extend by: give --corpus, --scenes, --formulas or --symbols")
    check_folder(output, overwrite=overwrite)
    budget = hyperlexemes or DEFAULT_HYPERLEXEMES
    units = symbol_units(symbols) + (formula_units(load_formulas(formulas)) if formulas else [])
    if scenes:
        units += _hyperlexemes(scenes, budget=budget, capitals=capitals, prompt_forms=prompt_forms)
    seams = _seams(morphemes)
    console = Console(stderr=True)
    with console.status("opening the base"):
        opened = open_base(base, revision)
    with _progress(console, count) as (reading, learned):
        done = write_extended(
            opened,
            output,
            units=units,
            texts=reading(corpus or []),
            merges=count,
            seams=seams,
            overwrite=overwrite,
            progress=learned,
        )
    if opened.template_problem:
        console.print(f"chat template carried as it is: {opened.template_problem}", style="yellow", highlight=False)
    _report(Console(), done, output, base, asked=count)


app.command("report")(tokenizer_report.report)
app.command("graft")(tokenizer_graft.graft)


def _merges_of(merges: int | None, corpus: list[Path] | None, morphemes: str | None) -> int:
    count = (DEFAULT_MERGES if corpus else 0) if merges is None else merges
    if count and not corpus:
        _refuse("--merges needs --corpus, the texts to learn from")
    if morphemes and not count:
        _refuse("--morphemes needs --corpus and --merges: it says where merges may not cross")
    return count


def _refuse(message: str) -> None:
    from hyperbridge.errors import HyperBridgeError

    raise HyperBridgeError(message)


def _hyperlexemes(scenes: Path, **asked: Any) -> list[Unit]:
    from hyperbridge.jsonl import read_jsonl
    from hyperbridge.scenes import Scene
    from hyperbridge.tokenizer.units import hyperlexeme_units

    found = read_jsonl(scenes, Scene, on_bad=lambda line: print(line, file=sys.stderr))
    frequent = hyperlexeme_units(found, **asked)
    if not frequent:
        _refuse(f"{scenes}: no scene has a hyperlexeme of two or more words that spells it")
    return frequent


def _seams(morphemes: str | None) -> Seams | None:
    from hyperbridge.tokenizer.morphemes import open_morphemes

    return open_morphemes(morphemes) if morphemes else None


@contextmanager
def _progress(
    console: Console, merges: int
) -> Iterator[tuple[Callable[[Sequence[Path]], Iterator[str]], Callable[[int], None]]]:
    """Within the block: a reader of texts that shows what it reads, and a bar of the merges learned."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hyperbridge.corpus.documents import read_documents

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bars:
        task = bars.add_task("extending", total=merges or None)

        def reading(paths: Sequence[Path]) -> Iterator[str]:
            for document in read_documents(paths):
                bars.update(task, description=document.source[-40:])
                yield document.text
            bars.update(task, description="learning merges")

        yield reading, lambda learned: bars.update(task, completed=learned)


def _report(console: Console, done: Extended, output: Path, base: str, *, asked: int) -> None:
    extension = done.extension
    print_table(console, "New ids", ("kind", "texts", "ids", "from"), _kinds(extension), right=("texts", "ids", "from"))
    print_table(console, "Got no new id", ("why", "texts", "for example"), _reasons(done.refused), right=("texts",))
    sizes = [(path.name, f"{path.stat().st_size:,}") for path in sorted(output.iterdir())]
    print_table(console, str(output), ("file", "bytes"), sizes, right=("bytes",))
    learned = sum(token.merge is not None for token in extension.tokens)
    if learned < asked:
        console.print(f"the texts gave {learned} pieces of {asked}; give more of them", highlight=False)
    size = extension.base_size + len(extension.tokens)
    console.print(f"{extension.base_size} ids of the base + {len(extension.tokens)} = {size}", highlight=False)
    following = f"next: hyperbridge tokenizer graft {base} {output} -o EXTENDED --text PATH"
    console.print(following, markup=False, highlight=False, soft_wrap=True)


def _kinds(extension: Extension) -> list[tuple[str, ...]]:
    ids: dict[str, list[int]] = {}
    texts: dict[str, set[str]] = {}
    for token in extension.tokens:
        kind = token.unit.kind if token.unit else "merge"
        ids.setdefault(kind, []).append(token.id)
        texts.setdefault(kind, set()).add(token.unit.text if token.unit else str(token.id))
    return [(kind, str(len(texts[kind])), str(len(found)), str(min(found))) for kind, found in ids.items()]


def _reasons(refused: Sequence[Refusal]) -> list[tuple[str, ...]]:
    counts = Counter(one.reason for one in refused)
    examples = {
        reason: ", ".join([one.text for one in refused if one.reason == reason][:REASONS_SHOWN]) for reason in counts
    }
    return [(reason, str(count), examples[reason]) for reason, count in counts.most_common()]
