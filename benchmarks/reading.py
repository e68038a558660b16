"""How fast text becomes scenes, beside the bare parser, and how much memory that takes as a book gets longer.

    python -m benchmarks.reading BOOK.txt [--rounds 3]

Arms, each in a process of its own, in turn: `ours` reads the book into scenes with every field (no vectors);
`slovnet` tags and parses the same sentences with slovnet's morphology and syntax alone, cut and tokenised before the
clock starts. Words are runs of letters in the passages that were read. Memory is the peak of a process that reads the
first tenth of the book, a half, and all of it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Sequence
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
from hyperbridge.trainers.launch import run_main

if TYPE_CHECKING:
    from hyperbridge.corpus.segmentation import Passage

MODULE = "benchmarks.reading"
ARMS = ("ours", "slovnet")
SHARES = (0.1, 0.5, 1.0)


def measure(job: Figures) -> tuple[Figures, Stopwatch]:
    """Words and seconds of one arm over a share of a book."""
    from hyperbridge.corpus.building import build_scenes
    from hyperbridge.corpus.documents import Document, read_documents
    from hyperbridge.corpus.languages import find_language
    from hyperbridge.corpus.segmentation import count_words, segment

    watch = Stopwatch()
    watch.imported()
    with watch("load"):
        (whole,) = read_documents([job["book"]])
        document = Document(whole.source, whole.text[: round(len(whole.text) * job["share"])], whole.title)
        language = find_language("ru")
        list(build_scenes([Document("warm.txt", "Старый рыбак вытащил лодку на песок, и поднялся туман.")]))
        passages = list(segment(document, language.layout, lambda reason: None))
    words = sum(count_words(passage.text) for passage in passages)
    if job["arm"] == "ours":
        started = time.perf_counter()
        made = sum(1 for _ in build_scenes([document]))
        seconds = time.perf_counter() - started
    else:
        made, seconds = 0, _bare(passages)
    return {"words": words, "seconds": seconds, "scenes": made, "peak": round(memory_peak())}, watch


def _bare(passages: Sequence[Passage]) -> float:
    """Seconds of slovnet alone, in batches as large as the reader's."""
    from hyperbridge.corpus import parsing_ru, segmentation_ru
    from hyperbridge.corpus.building import BATCH

    texts = [passage.text.replace("\n", " ") for passage in passages]
    cut = [[segmentation_ru.words(text[start:end]) for start, end in segmentation_ru.sentences(text)] for text in texts]
    models = (parsing_ru.tagger(), parsing_ru.tree_parser())
    started = time.perf_counter()
    for start in range(0, len(cut), BATCH):
        batch = [sentence for found in cut[start : start + BATCH] for sentence in found if sentence]
        for model in models:
            deque(model.map(batch), maxlen=0)
    return time.perf_counter() - started


def main(arguments: list[str] | None = None) -> None:
    parser = common_options("reading", "Words a second of the reader, beside slovnet alone; its memory.")
    parser.add_argument("book", type=Path, nargs="?", help="a long text, .txt")
    options = parser.parse_args(arguments)
    if options.job:
        answer(*measure(json.loads(options.job)))
        return
    if options.book is None or not options.book.is_file():
        raise HyperBridgeError(f"{options.book or 'no book'}: name a long text, a .txt file that is there")
    load = load_per_core()
    require_idle(load, force=options.force)
    publish(options, load, *_run(options))


def _run(options: argparse.Namespace) -> tuple[Figures, str, list[Sheet], list[Bars]]:
    def one(arm: str, share: float) -> Figures:
        return in_own_process(MODULE, {"arm": arm, "share": share, "book": str(options.book)})

    found = in_rounds(ARMS, options.rounds, lambda arm, number: one(arm, 1.0), tell)
    speeds = {arm: Spread.of([each["words"] / each["seconds"] for each in rounds]) for arm, rounds in found.items()}
    slower = Spread.of_ratios(*([each["seconds"] for each in found[arm]] for arm in ARMS))
    memory = {share: one("ours", share) for share in SHARES}
    rows = [(arm, speed.text("{:.0f}")) for arm, speed in speeds.items()]
    grown = [(f"{share:.0%}", str(each["words"]), str(each["peak"])) for share, each in memory.items()]
    sheets = [
        Sheet(f"{options.book.stem}: ours takes {slower.text()} times as long as slovnet", ("arm", "words/s"), rows),
        Sheet("Peak memory by how much of the book is read", ("share", "words", "MB"), grown),
    ]
    results = {
        "words_per_second": {arm: speed.record() for arm, speed in speeds.items()},
        "times_as_long": slower.record(),
        "memory": {str(share): each for share, each in memory.items()},
        "rounds": found,
    }
    return results, "Reading text into scenes", sheets, [Bars("Words a second", list(speeds.items()), unit="words/s")]


if __name__ == "__main__":
    run_main(main)
