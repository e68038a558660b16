"""New rows on SmolLM2-135M: where they start, what distillation makes of them, and what shorter texts save.

    python -m benchmarks.graft DATA [--merges 1500] [--minutes 60]

DATA holds folders prose and poetry of works. SmolLM2's tokenizer is extended by merges learned on the training works,
and the same held-out works are scored with rows that start at random, as the plain and as the weighted mean of their
constituents, and with rows distilled from the weighted ones, before any other training; the base with its own tokens
stands beside them. Generation is of the same text: every next token is the text's own, so both write the same
characters. Its seconds are those of one thread's processor time, so that other work on the machine does not count.
What is made lies in `runs/benchmarks/graft` and is used again; an interrupted distillation is continued.
Cost: a minute to extend, ten minutes of scoring on one core, and the distillation (`--steps`, `--minutes`): about 4 s
of one core for a step of 8 snippets, of which one epoch has 1,340.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bases import SMOLLM2, prepare
from benchmarks.contenders import SMOLLM2_WINDOW, Transformer, encode
from benchmarks.held_out import Group, Passage, find_held_out
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.report import machine
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import Base, Dtype, load_base, load_tokenizer
from hyperbridge.program import run_main
from hyperbridge.tokenizer.base_tokenizer import open_base
from hyperbridge.tokenizer.embeddings import Start
from hyperbridge.tokenizer.extending import extend
from hyperbridge.tokenizer.extension import FILE_NAME, Extension
from hyperbridge.trainers.extended_base import extend_model, new_rows
from hyperbridge.trainers.graft import FINISHED, graft, graft_texts, load_extended_tokenizer
from hyperbridge.trainers.graft_recipe import GraftRecipe, graft_recipe
from hyperbridge.trainers.recipe import PretrainingTexts
from hyperbridge.trainers.run_folder import CHECKPOINTS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FOLDERS = ("prose", "poetry")
STARTS: tuple[Start, ...] = ("random", "plain", "weighted")
DISTILLED = "distilled"
OWN = "base, its own tokens"
DTYPE: Dtype = "bfloat16"
# Of each passage that is generated: characters that are read, and that are written.
READ, WRITTEN = 300, 600
GENERATED_PASSAGES = 3
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Written:
    """What writing some text took."""

    characters: int
    tokens: int
    seconds: float


def settle(options: argparse.Namespace) -> GraftRecipe:
    """The recipe of the distilled arm: SmolLM2's shipped one on this run's texts and folders."""
    root = Path(options.folder)
    given = {
        "base.model": prepare(SMOLLM2, root.parent),
        "base.dtype": DTYPE,
        "extension": str(root / f"tokenizer-{options.merges}"),
        "output_dir": str(root / f"{DISTILLED}-{options.merges}"),
        "texts.inputs": [str(options.data / name) for name in FOLDERS],
        "distillation.max_steps": options.steps,
        "distillation.minutes": options.minutes,
        "distillation.batch_size": options.batch_size,
    }
    return graft_recipe("smollm2/graft", {key: value for key, value in given.items() if value is not None})


def extended_tokenizer(recipe: GraftRecipe, merges: int) -> tuple[Extension, PreTrainedTokenizerBase]:
    """SmolLM2's tokenizer with merges learned on the training works; made at the first call."""
    folder = Path(recipe.extension)
    if not (folder / FILE_NAME).exists():
        _tell(f"learning {merges} merges")
        extend(open_base(recipe.base.model), folder, texts=graft_texts(recipe.texts), merges=merges)
    extension = Extension.load(folder)
    return extension, load_extended_tokenizer(folder, extension)


def arms(
    recipe: GraftRecipe, extension: Extension, tokenizer: PreTrainedTokenizerBase, window: int
) -> Iterator[Transformer]:
    """The base and its grafts, each loaded when its turn comes; the distilled one is trained if it was not."""
    model, own = _base(recipe)
    yield _arm(OWN, model, own, SMOLLM2_WINDOW)
    for start in STARTS:
        model, _ = _base(recipe)
        rows = new_rows(model, extension, tokenizer, recipe.model_copy(update={"start": start}))
        last = extension.base_size + len(extension.tokens)
        extend_model(model, rows, first_new=extension.base_size, ids=last)
        yield _arm(start, model, tokenizer, window)
    output = Path(recipe.output_dir)
    if not (output / FINISHED).exists():
        graft(recipe, resume=(output / CHECKPOINTS).exists(), report=_tell)
    model, _ = load_base(Base(model=str(output)), dtype=DTYPE)
    yield _arm(DISTILLED, model, tokenizer, window)


def write(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, passages: Sequence[Passage]) -> Written:
    """Generate the passages' own text, token by token, as `generate` does; one thread's processor time."""
    from transformers import LogitsProcessorList

    characters = tokens = 0
    seconds = 0.0
    for passage in passages:
        read, text = passage.text[:READ], passage.text[READ : READ + WRITTEN]
        prompt, forced = [tokenizer.bos_token_id, *encode(tokenizer, read)], encode(tokenizer, text)
        started = time.process_time()
        model.generate(
            _ids(prompt),
            max_new_tokens=len(forced),
            do_sample=False,
            logits_processor=LogitsProcessorList([_Forced(forced, len(prompt))]),
        )
        seconds += time.process_time() - started
        characters += len(text)
        tokens += len(forced)
    return Written(characters, tokens, seconds)


class _Forced:
    """A logits processor that lets one token through: the text's next."""

    def __init__(self, ids: list[int], after: int) -> None:
        self._ids, self._after = ids, after

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores = scores.clone().fill_(float("-inf"))
        scores[:, self._ids[input_ids.shape[1] - self._after]] = 0.0
        return scores


def record(
    options: argparse.Namespace,
    recipe: GraftRecipe,
    groups: Sequence[Group],
    tokens: dict[str, tuple[int, int]],
    bits: dict[str, dict[str, float]],
    written: dict[str, Written],
) -> dict[str, Any]:
    """The JSON form; `texts` is what the card of the extended base takes."""
    words = {group.name: sum(len(_WORD.findall(passage.text)) for passage in group.passages) for group in groups}
    return {
        "measured_by": "python -m benchmarks.graft",
        "machine": machine(),
        "options": {key: str(value) for key, value in vars(options).items() if key not in ("output", "data")},
        "graft": json.loads((Path(recipe.output_dir) / FINISHED).read_text(encoding="utf-8")),
        "characters": {group.name: group.characters for group in groups},
        "bits_per_character": {
            arm: {name: round(value, 4) for name, value in found.items()} for arm, found in bits.items()
        },
        "texts": {
            group.name: {
                "tokens per word": _pair(*(count / words[group.name] for count in tokens[group.name])),
                "characters per token": _pair(*(group.characters / count for count in tokens[group.name])),
                "bits per character": _pair(bits[OWN][group.name], bits[DISTILLED][group.name]),
            }
            for group in groups
        },
        "generation": {
            name: {"characters": one.characters, "tokens": one.tokens, "processor_seconds": round(one.seconds, 2)}
            for name, one in written.items()
        },
    }


def print_tables(found: dict[str, Any]) -> None:
    from rich.console import Console

    from hyperbridge.cli.tables import print_table

    console = Console()
    names = list(found["texts"])
    rows = [(arm, *(f"{bits[name]:.3f}" for name in names)) for arm, bits in found["bits_per_character"].items()]
    print_table(console, "Bits per character of held-out works", ("rows", *names), rows, right=names)
    measures = list(found["texts"][names[0]])[:2]
    rows = [
        (name, *(f"{found['texts'][name][measure][side]:.2f}" for measure in measures for side in ("base", "extended")))
        for name in names
    ]
    columns = ("text", *(f"{measure}, {side}" for measure in measures for side in ("base", "extended")))
    print_table(console, "Tokens", columns, rows, right=columns[1:])
    rows = [
        (name, *(str(one[key]) for key in ("characters", "tokens", "processor_seconds")))
        for name, one in found["generation"].items()
    ]
    columns = ("model", "characters", "tokens", "seconds")
    print_table(console, "Writing the same text, one thread", columns, rows, right=columns[1:])
    console.print(found["machine"], soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    import torch

    options = _parse(arguments)
    torch.set_num_threads(1)
    recipe = settle(options)
    extension, tokenizer = extended_tokenizer(recipe, options.merges)
    held_out = find_held_out(PretrainingTexts(inputs=recipe.texts.inputs), options.characters)
    base_tokenizer = load_tokenizer(recipe.base.base())
    tokens = {group.name: (_count(base_tokenizer, group), _count(tokenizer, group)) for group in held_out.groups}
    before, after = (sum(counts) for counts in zip(*tokens.values(), strict=True))
    long = [passage for group in held_out.groups for passage in group.passages if len(passage.text) >= READ + WRITTEN]
    bits: dict[str, dict[str, float]] = {}
    written: dict[str, Written] = {}
    # A window of as much text as the base sees in its own.
    for arm in arms(recipe, extension, tokenizer, round(SMOLLM2_WINDOW * after / before)):
        _tell(f"{arm.name}: scoring")
        bits[arm.name] = {group.name: sum(arm.bits(group.passages)) / group.characters for group in held_out.groups}
        if arm.name in (OWN, DISTILLED):
            write(arm.model, arm.tokenizer, long[:1])  # warms up
            written[arm.name] = write(arm.model, arm.tokenizer, long[:GENERATED_PASSAGES])
    found = record(options, recipe, held_out.groups, tokens, bits, written)
    with atomic_writer(options.output) as file:
        json.dump(found, file, ensure_ascii=False, indent=1)
        file.write("\n")
    print_tables(found)
    print(options.output)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graft", description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA", help=f"folder that holds {' and '.join(FOLDERS)}")
    parser.add_argument("--merges", type=int, default=1500, help="new tokens")
    parser.add_argument("--steps", type=int, help="at most so many steps of distillation")
    parser.add_argument("--minutes", type=float, help="at most about so many minutes of it")
    parser.add_argument("--batch-size", type=int, help="snippets of a step")
    parser.add_argument("--characters", type=int, default=20_000, help="at most so many of prose, and of verse")
    parser.add_argument("--folder", default="runs/benchmarks/graft", metavar="DIR", help="for what is made")
    parser.add_argument("-o", "--output", default="runs/benchmarks/graft.json", metavar="FILE")
    options = parser.parse_args(arguments)
    missing = [name for name in FOLDERS if not (options.data / name).is_dir()]
    if missing:
        raise HyperBridgeError(f"{options.data}: has no folder {' nor '.join(missing)}; give one that holds both")
    return options


def _base(recipe: GraftRecipe) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    return load_base(recipe.base.base(), dtype=DTYPE)


def _arm(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, window: int) -> Transformer:
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(pad_token_id=tokenizer.pad_token_id)  # a text has no end of its own
    return Transformer(name, {}, model, tokenizer, tokenizer.bos_token_id, window)


def _count(tokenizer: PreTrainedTokenizerBase, group: Group) -> int:
    return sum(len(encode(tokenizer, passage.text)) for passage in group.passages)


def _pair(base: float, extended: float) -> dict[str, float]:
    return {"base": round(base, 4), "extended": round(extended, 4)}


def _ids(ids: list[int]) -> Any:
    import torch

    return torch.tensor([ids])


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_main(main)
