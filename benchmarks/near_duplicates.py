"""How well echoes are found, and what finding them costs.

    python -m benchmarks.near_duplicates DATA                        about a minute
    python -m benchmarks.near_duplicates DATA --scale 1000000        and the cost of a large index, ten minutes

DATA is a file or folder of Russian text. Its passages are indexed; then each comes back once, edited in one of the
ways below. Recall is the share of edited passages that are linked to their original, precision the share of links
that lead to the original and not to another passage (a refrain counts as a mistake here). The large index is filled
with passages drawn word by word from the pairs of neighbouring words of DATA: none repeats another, so every near echo
in it is a false one. The fewer words DATA has, the more of them the drawn passages share by chance.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from hyperbridge.corpus.documents import read_documents
from hyperbridge.corpus.resonance import Echoes, normal_words
from hyperbridge.corpus.segmentation import segment
from hyperbridge.corpus.segmentation_ru import LAYOUT
from hyperbridge.program import run_main

Edit = Callable[[list[str], float, random.Random, list[str]], list[str]]

_SHARES = (0.05, 0.1, 0.2)
_PUNCTUATION = str.maketrans({",": "", ";": ",", ":": " —", "—": "-", "!": ".", "«": '"', "»": '"', "ё": "е", "Ё": "Е"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--passages", type=int, default=20_000, help="passages indexed and edited")
    parser.add_argument("--scale", type=int, default=0, help="passages of the large index; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    passages = different_passages(args.data)
    rng.shuffle(passages)
    passages = passages[: args.passages]
    print_quality(passages, rng)
    if args.scale:
        print_scale(passages, args.scale, rng)


def different_passages(data: list[Path]) -> list[str]:
    """The passages of the texts, each wording once."""
    found: dict[str, str] = {}
    for document in read_documents(data):
        for passage in segment(document, LAYOUT, lambda _: None):
            found.setdefault(" ".join(normal_words(passage.text)), passage.text)
    return list(found.values())


def print_quality(passages: list[str], rng: random.Random) -> None:
    echoes = Echoes()
    started = time.process_time()
    for number, text in enumerate(passages):
        echoes.add(str(number), text)
    cost = (time.process_time() - started) / len(passages)
    refrains = sum(echoes.echo_of(row).kind == "near" for row in range(len(echoes)))
    print(f"{len(passages)} passages: {cost * 1e6:.0f} us and {echoes.bytes_used() / len(echoes):.0f} bytes a passage")
    print(f"{refrains} near echoes among the passages themselves\n")
    print("| edit | passages | recall | precision |\n|---|---|---|---|")
    vocabulary = [word for text in passages[::10] for word in text.split()]
    ways = [(name, share) for name in EDITS for share in _SHARES] + [("punctuation and ё", 0.0)]
    results: dict[tuple[str, float], list[bool | None]] = defaultdict(list)
    for number, text in enumerate(passages):
        way = ways[number % len(ways)]
        echo = echoes.add(f"edited {number}", edited(text, *way, rng, vocabulary))
        results[way].append(None if echo.kind is None else echo.of == str(number))
    for name, share in ways:
        found = results[name, share]
        right, linked = found.count(True), len(found) - found.count(None)
        label = f"{name}, {share:.0%} of the words" if share else name
        print(f"| {label} | {len(found)} | {right / len(found):.3f} | {right / max(linked, 1):.3f} |")


def edited(text: str, name: str, share: float, rng: random.Random, vocabulary: list[str]) -> str:
    """The text with a share of its words changed in the named way; without a share only its punctuation."""
    if not share:
        return text.translate(_PUNCTUATION)
    return " ".join(EDITS[name](text.split(), share, rng, vocabulary))


def drop(words: list[str], share: float, rng: random.Random, vocabulary: list[str]) -> list[str]:
    return [word for word in words if rng.random() >= share]


def replace(words: list[str], share: float, rng: random.Random, vocabulary: list[str]) -> list[str]:
    return [rng.choice(vocabulary) if rng.random() < share else word for word in words]


def swap(words: list[str], share: float, rng: random.Random, vocabulary: list[str]) -> list[str]:
    """Neighbours change places; a swap moves two words."""
    words = list(words)
    for place in range(len(words) - 1):
        if rng.random() < share / 2:
            words[place], words[place + 1] = words[place + 1], words[place]
    return words


def mixed(words: list[str], share: float, rng: random.Random, vocabulary: list[str]) -> list[str]:
    """A third of the share each way, and other punctuation."""
    for edit in (drop, replace, swap):
        words = edit(words, share / 3, rng, vocabulary)
    return " ".join(words).translate(_PUNCTUATION).split()


EDITS: dict[str, Edit] = {"drop": drop, "replace": replace, "swap": swap, "mixed": mixed}


def print_scale(passages: list[str], count: int, rng: random.Random) -> None:
    echoes, false, started, step = Echoes(), 0, time.process_time(), max(count // 10, 1)
    drawing = 0.0
    before = _resident_bytes()
    print("\n| passages | us a passage | index, MB | process grew, MB | false echoes |\n|---|---|---|---|---|")
    drawn = drawn_passages(passages, count, rng)
    for number in range(1, count + 1):
        start = time.process_time()
        text = next(drawn)
        drawing += time.process_time() - start
        false += echoes.add(f"drawn/passage_{number}.txt:{number}-{number + 200}", text).kind is not None
        if number % step == 0:
            cost = (time.process_time() - started - drawing) / step * 1e6
            grown = (_resident_bytes() - before) / 1e6
            print(f"| {number} | {cost:.0f} | {echoes.bytes_used() / 1e6:.0f} | {grown:.0f} | {false} |", flush=True)
            started, drawing = time.process_time(), 0.0


def drawn_passages(passages: list[str], count: int, rng: random.Random) -> Iterator[str]:
    """Chains of words, each word one that follows the last somewhere in the passages; as long as the passages are."""
    followers: dict[str, list[str]] = defaultdict(list)
    for text in passages:
        words = normal_words(text)
        for word, after in pairwise(words):
            followers[word].append(after)
    words = list(followers)
    lengths = [len(normal_words(text)) for text in passages]
    for _ in range(count):
        chain = [rng.choice(words)]
        for _ in range(rng.choice(lengths) - 1):
            chain.append(rng.choice(followers.get(chain[-1]) or words))
        yield " ".join(chain)


def _resident_bytes() -> int:
    pages = re.split(r"\s+", Path("/proc/self/statm").read_text(encoding="ascii"))[1]
    return int(pages) * 4096


if __name__ == "__main__":
    run_main(main)
