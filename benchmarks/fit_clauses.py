"""Fit the weights by which the main clause of a Russian sentence is found, and print how well they do.

    python -m benchmarks.fit_clauses DATA/gold [-o FILE]

DATA/gold holds treebanks of Universal Dependencies (.conllu, in any folder under it). Only sentences of the part
`fitted` are looked at, those whose id has an even CRC-32 (hyperbridge/evaluation/components.py). Two conditional logits
are fitted: one tells the gold root from the other words that may be the predicate, one the gold subject (or that it is
not said) from the other words that may be the subject of that root. A sentence whose root or subject is no option, or
whose words cannot be laid over the gold ones, is left out. The likelihood, less an L2 penalty, has one optimum, found
by L-BFGS in double precision, so running it twice gives equal bytes. The figures are F1 by cross validation: each
quarter is read with weights of the other three. Cost: a minute, mostly parsing. Source: McFadden (1974),
"Conditional logit analysis of qualitative choice behavior".
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from unicodedata import normalize
from zlib import crc32

from hyperbridge.corpus.clause_cues_ru import SentenceOutline, predicate_options, subject_options
from hyperbridge.corpus.clauses_ru import MODEL, Sentence
from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.components import (
    SLOTS,
    GoldSentence,
    JudgedSentence,
    gold_subject,
    judge_sentence,
    read_and_parse,
    score_components,
)
from hyperbridge.program import run_main

_FOLDS = 4
# The penalty: by cross validation .2 to 1 read alike, more reads worse. A cue seen more seldom is not weighed.
_PENALTY, _RAREST = 0.3, 3
_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision: the cues of every option, and the number of the right one."""

    options: tuple[tuple[str, ...], ...]
    right: int


@dataclass(frozen=True, slots=True)
class Example:
    """A gold sentence with the reader's tokens of it."""

    gold: GoldSentence
    tokens: Sentence


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, write, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_clauses", description=__doc__.partition("\n")[0])
    parser.add_argument("gold", type=Path, help="folder that holds treebanks, .conllu")
    parser.add_argument("-o", "--output", type=Path, default=MODEL, help="file to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    examples = read_examples(options.gold)
    print(table(cross_validate(examples)))
    weights = fit_clauses(examples)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    about = "the sentences of UD Russian Taiga, GSD and Poetry (dev) whose id has an even CRC-32"
    written = {"fitted_on": about, "weights": weights}
    options.output.write_text(json.dumps(written, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(f"{options.output}: {len(weights)} weights, {len(examples)} sentences")


def read_examples(folder: Path) -> list[Example]:
    """The sentences of the part `fitted` of all treebanks under a folder.

    Raises:
        HyperBridgeError: there is no treebank, or one cannot be read.
    """
    paths = sorted(folder.rglob("*.conllu"))
    if not paths:
        raise HyperBridgeError(f"{folder}: no treebank (.conllu) under it; give the folder of the gold annotations")
    return [Example(gold, tokens) for gold, tokens in read_and_parse(paths) if gold.part == "fitted"]


def fit_clauses(examples: Sequence[Example]) -> dict[str, float]:
    """The weight of each cue, rounded, those that are not 0."""
    found = [choices_of(example) for example in examples]
    weights: dict[str, float] = {}
    for number in range(2):
        weights |= fit_choices([choices[number] for choices in found if len(choices) > number])
    return {cue: weight for cue, weight in sorted(weights.items()) if weight}


def cross_validate(examples: Sequence[Example]) -> list[JudgedSentence]:
    """The examples, each read with weights fitted on the quarters it is not in."""
    judged = []
    for fold in range(_FOLDS):
        weights = fit_clauses([example for example in examples if _fold(example) != fold])
        inside = (example for example in examples if _fold(example) == fold)
        judged += [judge_sentence(example.gold, example.tokens, weights) for example in inside]
    return judged


def choices_of(example: Example) -> list[Choice]:
    """The choice of the predicate and that of its subject, as far as the gold tree has what the reader may choose."""
    places = lay_over([word.text for word in example.gold.words], [token.text for token in example.tokens])
    root = next((number for number, word in enumerate(example.gold.words) if word.rel == "root"), None)
    predicate = places.get(root) if root is not None else None
    if predicate is None:
        return []
    outline = SentenceOutline(example.tokens, example.gold.verse)
    first = _choice(predicate_options(outline), predicate)
    subject = gold_subject(example.gold.words)
    if first is None or (subject is not None and subject not in places):
        return [first] if first else []
    second = _choice(subject_options(outline, predicate), None if subject is None else places[subject])
    return [first, second] if second else [first]


def lay_over(gold: Sequence[str], found: Sequence[str]) -> dict[int, int]:
    """Which of the found words holds the first letter of each gold word that has one; {} where the letters differ.

    Letters and digits are compared and nothing else: the reader's text is cleaned, so it has other dashes and quotes
    and no stress marks.
    """
    words = [_letters(word) for word in gold]
    holders = [number for number, word in enumerate(found) for _ in _letters(word)]
    if "".join(words) != "".join(map(_letters, found)):
        return {}
    starts = accumulate(map(len, words), initial=0)
    return {number: holders[start] for number, (word, start) in enumerate(zip(words, starts, strict=False)) if word}


def fit_choices(choices: Sequence[Choice]) -> dict[str, float]:
    """Weights of a conditional logit, by L-BFGS, for cues that are seen often enough."""
    import torch

    seen = Counter(cue for choice in choices for option in choice.options for cue in set(option))
    columns = {cue: number for number, cue in enumerate(sorted(cue for cue, times in seen.items() if times >= _RAREST))}
    rows, where, starts, right = _laid_out(choices, columns)
    places, ones = torch.tensor([rows, where]), torch.ones(len(rows), dtype=torch.float64)
    shape = (len(starts), len(columns))
    entries = torch.sparse_coo_tensor(places, ones, shape, check_invariants=True).coalesce()
    group, wanted = torch.tensor(starts), torch.tensor(right)
    weights = torch.zeros(len(columns), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weights], max_iter=300, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        scores = (entries @ weights.unsqueeze(1)).squeeze(1)
        empty = torch.zeros(len(choices), dtype=torch.float64)
        highest = empty.scatter_reduce(0, group, scores.detach(), "amax", include_self=False)
        sums = empty.index_add(0, group, (scores - highest[group]).exp())
        lost = (sums.log() + highest - scores[wanted]).sum() + _PENALTY / 2 * (weights**2).sum()
        lost.backward()
        return lost

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order
    try:
        search.step(loss)
    finally:
        torch.set_num_threads(threads)
    fitted = weights.detach().tolist()
    return {cue: round(fitted[number], _DIGITS) for cue, number in columns.items()}


def table(judged: Sequence[JudgedSentence]) -> str:
    """F1 of each slot by group, as a Markdown table."""
    rows = ["| group | sentences | agent F1 | act F1 |", "|---|---|---|---|"]
    groups = {group for one in judged for group in one.sentence.groups}
    for group in sorted(groups):
        members = [one for one in judged if group in one.sentence.groups]
        scores = score_components((one.gold, one.reader) for one in members)
        rows.append(f"| {group} | {len(members)} | " + " | ".join(f"{scores[slot].f1:.3f}" for slot in SLOTS) + " |")
    return "\n".join(rows)


def _letters(word: str) -> str:
    """Its letters and digits in lower case."""
    return "".join(filter(str.isalnum, normalize("NFC", word))).lower()


def _fold(example: Example) -> int:
    return crc32(example.gold.sent_id.encode()) // 2 % _FOLDS


def _choice(options: Sequence[tuple[int | None, Sequence[str]]], right: int | None) -> Choice | None:
    places = [place for place, _ in options]
    return Choice(tuple(tuple(cues) for _, cues in options), places.index(right)) if right in places else None


def _laid_out(
    choices: Sequence[Choice], columns: Mapping[str, int]
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Row and column of every cue, the choice that each row is an option of, and the row of each right option."""
    rows: list[int] = []
    where: list[int] = []
    groups: list[int] = []
    right: list[int] = []
    for number, choice in enumerate(choices):
        right.append(len(groups) + choice.right)
        for option in choice.options:
            kept = [columns[cue] for cue in option if cue in columns]
            rows += [len(groups)] * len(kept)
            where += kept
            groups.append(number)
    return rows, where, groups, right


if __name__ == "__main__":
    run_main(main)
