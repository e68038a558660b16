"""How fast text becomes scenes, beside the bare parser, and how much memory that takes as there is more to read.

    python -m benchmarks.reading BOOK.txt [--rounds 3]
    python -m benchmarks.reading FOLDER --memory-only
    python -m benchmarks.reading FOLDER [FILE ...] [--rounds 1]

Arms, each in a process of its own, in turn: `ours` reads everything into scenes with every field (no vectors);
`slovnet` tags and parses the same sentences with slovnet's morphology and syntax alone, in the order of the text, cut
and tokenised before the clock starts. Words are runs of letters in the passages that were read. Memory is the peak of a
process that reads a tenth, a half, and all: of one book its first part, of several files so many of them, the largest
first, so that each share holds the largest.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rounds import (
    Bars,
    Figures,
    Sheet,
    Spread,
    Stopwatch,
    answer,
    common_options,
    in_own_process,
    in_rounds,
    load_per_core,
    memory_peak,
    publish,
    require_idle,
    tell,
)
from hyperbridge.errors import HyperBridgeError
from hyperbridge.program import run_main

if TYPE_CHECKING:
    from hyperbridge.corpus.documents import Document
    from hyperbridge.corpus.segmentation import Passage

MODULE = "benchmarks.reading"
ARMS = ("ours", "slovnet")
SHARES = (0.1, 0.5, 1.0)


def measure(job: Figures) -> tuple[Figures, Stopwatch]:
    """Words and seconds of one arm over a share of the books."""
    from hyperbridge.corpus.building import build_scenes
    from hyperbridge.corpus.documents import Document
    from hyperbridge.corpus.languages import find_language
    from hyperbridge.corpus.segmentation import count_words, segment

    watch = Stopwatch()
    watch.imported()
    with watch("load"):
        language = find_language("ru")
        list(build_scenes([Document("warm.txt", "Старый рыбак вытащил лодку на песок, и поднялся туман.")]))
    figures = {"words": 0, "seconds": 0.0, "scenes": 0}
    for document in documents_of(job["books"], job["share"]):
        if job["arm"] == "ours":
            started = time.perf_counter()
            figures["scenes"] += sum(1 for _ in build_scenes([document]))
            figures["seconds"] += time.perf_counter() - started
        passages = list(segment(document, language.layout, lambda reason: None))
        figures["words"] += sum(count_words(passage.text) for passage in passages)
        if job["arm"] == "slovnet":
            figures["seconds"] += _bare(passages)
    return figures | {"peak": round(memory_peak())}, watch


def documents_of(books: Sequence[str], share: float) -> Iterator[Document]:
    """The first part of one book, or the documents of so many files, the largest first; one at a time.

    Raises:
        HyperBridgeError: a book is missing or cannot be read.
    """
    from hyperbridge.corpus.documents import find_files, read_input

    files = sorted(find_files(books), key=lambda found: (-found[0].stat().st_size, found[1]))
    if len(files) > 1:
        for path, source in files[: max(1, round(len(files) * share))]:
            yield from read_input(path, source)
        return
    for document in read_input(*files[0]):
        yield replace(document, text=document.text[: round(len(document.text) * share)], divisions=())


def _bare(passages: Sequence[Passage]) -> float:
    """Seconds of slovnet alone, in batches as large as the reader's."""
    from hyperbridge.corpus import segmentation_ru, tagging_ru
    from hyperbridge.corpus.building import BATCH

    cut = [segmentation_ru.tokenise(passage.text.replace("\n", " ")) for passage in passages]
    models = (tagging_ru.tagger(), tagging_ru.tree_parser())
    started = time.perf_counter()
    for start in range(0, len(cut), BATCH):
        batch = [sentence for found in cut[start : start + BATCH] for sentence in found]
        for model in models:
            deque(model.map(batch), maxlen=0)
    return time.perf_counter() - started


def main(arguments: list[str] | None = None) -> None:
    parser = common_options("reading", "Words a second of the reader, beside slovnet alone; its memory.")
    parser.add_argument("books", nargs="*", metavar="BOOK", help="a long text, or several files and folders")
    parser.add_argument("--memory-only", action="store_true", help="leave the speed out; a busy machine will do")
    options = parser.parse_args(arguments)
    if options.job:
        answer(*measure(json.loads(options.job)))
        return
    if not options.books:
        raise HyperBridgeError("no book: name a long text, or several files and folders")
    next(documents_of(options.books, 1.0))
    load = load_per_core()
    require_idle(load, force=options.force or options.memory_only)
    publish(options, load, *_run(options))


def _run(options: argparse.Namespace) -> tuple[Figures, str, list[Sheet], list[Bars]]:
    def one(arm: str, share: float) -> Figures:
        return in_own_process(MODULE, {"arm": arm, "share": share, "books": options.books})

    name = ", ".join(Path(book).stem for book in options.books[:4])
    if options.memory_only:
        results, sheet = _memory(name, {share: one("ours", share) for share in SHARES})
        return results, "Reading text into scenes", [sheet], []
    found = in_rounds(ARMS, options.rounds, lambda arm, number: one(arm, 1.0), tell)
    speeds = {arm: Spread.of([each["words"] / each["seconds"] for each in rounds]) for arm, rounds in found.items()}
    slower = Spread.of_ratios(*([each["seconds"] for each in found[arm]] for arm in ARMS))
    rows = [(arm, speed.text("{:.0f}")) for arm, speed in speeds.items()]
    partly = {share: one("ours", share) for share in SHARES if share < 1}
    memory, grown = _memory(name, partly | {1.0: found["ours"][0]})
    sheets = [Sheet(f"{name}: ours takes {slower.text()} times as long as slovnet", ("arm", "words/s"), rows), grown]
    results = {
        "words_per_second": {arm: speed.record() for arm, speed in speeds.items()},
        "times_as_long": slower.record(),
        **memory,
        "rounds": found,
    }
    return results, "Reading text into scenes", sheets, [Bars("Words a second", list(speeds.items()), unit="words/s")]


def _memory(name: str, measured: dict[float, Figures]) -> tuple[Figures, Sheet]:
    rows = [(f"{share:.0%}", str(each["words"]), str(each["peak"])) for share, each in measured.items()]
    sheet = Sheet(f"{name}: peak memory by how much of it is read", ("share", "words", "MB"), rows)
    return {"memory": {str(share): each for share, each in measured.items()}}, sheet


if __name__ == "__main__":
    run_main(main)
