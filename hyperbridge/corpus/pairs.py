"""Scenes -> training pairs: expressions split by source, deduplicated, with a data card.

An expression is the passage a scene was cut from, said in the scene's register. It carries what the scene's prompt
needs (`hyperlexeme`, `meta`, `mode`, ...) as extra keys, so a pair is complete in itself even where scenes of the
same name differ: `expression.scene_of().prompt()` is the prompt. The scenes are read once, or twice with a cap.
Memory: eight bytes for every passage. Nothing of a source ever lies in two splits, and no text twice.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path
from typing import Any

from hyperbridge.corpus.building import text_digest
from hyperbridge.corpus.segmentation import count_words
from hyperbridge.corpus.splits import SPLITS, Split, split_of, uniform
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import BadLine, atomic_writer, read_jsonl
from hyperbridge.scenes import Expression, Scene

FEW_TEST_PAIRS = 20
_PROMPT_META = ("Δ", "emotion", "arch", "symbol")
_PROMPT_KEYS = ("mode", "context", "tension")


@dataclass(frozen=True, slots=True)
class PairOptions:
    """What becomes a pair, and where it goes.

    Attributes:
        min_words, max_words: length of a passage, in words.
        per_register: at most so many training pairs of a register, chosen by hash; None: all.
        seed: of the split and of the choice.
        test, validation: globs of sources that go there whatever the hash says.
    """

    min_words: int = 8
    max_words: int = 60
    per_register: int | None = None
    seed: int = 0
    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.min_words <= self.max_words:
            raise HyperBridgeError(
                f"min_words {self.min_words} and max_words {self.max_words}: need 0 < min_words <= max_words"
            )
        if self.per_register is not None and self.per_register < 1:
            raise HyperBridgeError(f"per_register {self.per_register}: give a number above 0, or none for all pairs")

    def split(self, source: str) -> Split:
        return split_of(source, self.seed, test=self.test, validation=self.validation)


@dataclass(slots=True)
class PairCounts:
    """What was written and what was left out; the figures of the data card.

    Attributes:
        pairs, sources: (register, split) -> pairs; (register, split) -> names of sources.
        dropped: reason -> scenes.
        words, characters: length -> pairs.
        bad_lines: lines of the scene file that are no scenes.
    """

    pairs: Counter[tuple[str, Split]] = field(default_factory=Counter)
    sources: dict[tuple[str, Split], set[str]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    words: Counter[int] = field(default_factory=Counter)
    characters: Counter[int] = field(default_factory=Counter)
    bad_lines: list[BadLine] = field(default_factory=list)

    def add(self, pair: Expression, source: str, split: Split) -> None:
        key = (pair.style or "", split)
        self.pairs[key] += 1
        self.sources.setdefault(key, set()).add(source)
        self.words[count_words(pair.text_human)] += 1
        self.characters[len(pair.text_human)] += 1

    @property
    def registers(self) -> list[str]:
        return sorted({register for register, _ in self.pairs})

    def warnings(self) -> list[str]:
        """What would make a training run or a measurement on these pairs impossible, each with its remedy."""
        found = []
        for register in self.registers:
            train, test = self.pairs[register, "train"], self.pairs[register, "test"]
            if not train:
                found.append(f"register '{register}' has no train source: add sources of it, or another --seed")
            if test < FEW_TEST_PAIRS:
                what = f"only {test} test pairs" if test else "no test source"
                found.append(
                    f"register '{register}' has {what}: add sources of it, or name one with --test SOURCE-GLOB"
                )
        return found


def write_pairs(
    scenes: str | os.PathLike[str], output: str | os.PathLike[str], options: PairOptions | None = None
) -> PairCounts:
    """Write train.jsonl, validation.jsonl, test.jsonl and README.md to a folder, each whole or not at all.

    Raises:
        HyperBridgeError: the scenes cannot be read, or the folder cannot be written.
    """
    options = options or PairOptions()
    kept = None if options.per_register is None else _within_cap(scenes, options, options.per_register)
    counts = PairCounts()
    folder = Path(output)
    with ExitStack() as stack:
        files = {split: stack.enter_context(atomic_writer(folder / f"{split}.jsonl")) for split in SPLITS}
        for pair, source in _pairs(scenes, options, counts):
            split = options.split(source)
            if kept is not None and split == "train" and text_digest(pair.text_human) not in kept:
                counts.dropped["over the cap of its register"] += 1
                continue
            files[split].write(pair.to_json() + "\n")
            counts.add(pair, source, split)
    from hyperbridge.corpus.data_card import data_card

    with atomic_writer(folder / "README.md") as card:
        card.write(data_card(counts, options))
    return counts


def expression_of(scene: Scene) -> Expression | str:
    """The scene's own passage as an expression of its register, or the reason there is none."""
    text = scene.modalities.text if scene.modalities else None
    register = scene.registers.primary or scene.meta.register_
    if not text:
        return "no passage text"
    if not register:
        return "no register"
    given = scene.model_dump(by_alias=True, exclude_unset=True)
    meta = {key: value for key, value in given.get("meta", {}).items() if key in (*_PROMPT_META, "source")}
    extra: dict[str, Any] = {key: given[key] for key in _PROMPT_KEYS if given.get(key) is not None}
    if scene.hyperlexeme:
        extra["hyperlexeme"] = scene.hyperlexeme
    source = _source(scene)
    if source:
        meta["source"] = source
    if meta:
        extra["meta"] = meta
    record = {"scene": scene.scene, "components": given.get("components", {}), "text_human": text, "style": register}
    return Expression.model_validate({**record, "target": "человек", **extra})


def _pairs(
    scenes: str | os.PathLike[str], options: PairOptions, counts: PairCounts
) -> Iterator[tuple[Expression, str]]:
    """The pairs of a scene file that are long and short enough and new, each with its source."""
    seen: set[bytes] = set()
    for scene in read_jsonl(scenes, Scene, on_bad=counts.bad_lines.append):
        pair = expression_of(scene)
        reason = pair if isinstance(pair, str) else _unfit(pair, options, seen)
        if isinstance(pair, str) or reason is not None:
            counts.dropped[str(reason)] += 1
            continue
        seen.add(text_digest(pair.text_human))
        yield pair, _source(scene) or Path(scenes).name


def _unfit(pair: Expression, options: PairOptions, seen: set[bytes]) -> str | None:
    words = count_words(pair.text_human)
    if words < options.min_words:
        return f"shorter than {options.min_words} words"
    if words > options.max_words:
        return f"longer than {options.max_words} words"
    return "exact repetition" if text_digest(pair.text_human) in seen else None


def _within_cap(scenes: str | os.PathLike[str], options: PairOptions, cap: int) -> set[bytes]:
    """Digests of the training pairs each register keeps: the lowest hashes, so that a choice does not hang on order."""
    drawn: dict[str, list[tuple[float, bytes]]] = {}
    for pair, source in _pairs(scenes, options, PairCounts()):
        if options.split(source) != "train":
            continue
        digest = text_digest(pair.text_human)
        drawn.setdefault(pair.style or "", []).append((uniform(digest.hex(), options.seed), digest))
    return {digest for draws in drawn.values() for _, digest in nsmallest(cap, draws)}


def _source(scene: Scene) -> str | None:
    return scene.meta.source or (scene.span.source if scene.span else None)
