"""Expressions into training rows: the prompt is the scene, the loss is on the expression and its end alone.

An expression that only names its scene takes the rest from a scene file. A row longer than the limit is left out
and counted, never cut: a cut expression would teach a register to stop in mid-sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError, nearest
from hyperbridge.jsonl import read_jsonl
from hyperbridge.modeling.base import resolve_path
from hyperbridge.modeling.chat import completion_ids, prompt_ids
from hyperbridge.modeling.scoring import ScoredRow
from hyperbridge.scenes import Expression, Scene

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Pair:
    """A scene and its expression in the register whose seed name is `style`."""

    scene: Scene
    text: str
    style: str


@dataclass(slots=True)
class Prepared:
    """Rows of one register: `input_ids` and `labels` lists of equal length; and what was left out, by reason."""

    rows: list[dict[str, list[int]]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def load_pairs(expressions: str, scenes: str | None = None) -> list[Pair]:
    """Read an expression file, each record with its whole scene.

    Args:
        expressions: path of an expressions JSONL.
        scenes: path of a scenes JSONL; a record whose scene is in it takes the scene from there.

    Raises:
        HyperBridgeError: a file is missing, a line is bad, or a record has no `style`.
    """
    known = {scene.scene: scene for scene in read_jsonl(resolve_path(scenes), Scene, strict=True)} if scenes else {}
    pairs = []
    for record in read_jsonl(resolve_path(expressions), Expression, strict=True):
        if record.style is None:
            raise HyperBridgeError(f"{expressions}: the expression of '{record.scene}' has no style")
        pairs.append(Pair(known.get(record.scene) or record.scene_of(), record.text_human, record.style))
    return pairs


def of_style(pairs: Iterable[Pair], style: str) -> list[Pair]:
    """The pairs of one register.

    Raises:
        HyperBridgeError: there is none; the message names the styles that are there.
    """
    pairs = list(pairs)
    own = [pair for pair in pairs if pair.style == style]
    if not own:
        raise HyperBridgeError(f"no expression with style '{style}'; {nearest(style, {pair.style for pair in pairs})}")
    return own


def prepare(
    pairs: Iterable[Pair], tokenizer: PreTrainedTokenizerBase, *, max_length: int, system_prompt: str | None = None
) -> Prepared:
    """Tokenize pairs into rows of at most `max_length` tokens."""
    prepared = Prepared()
    for pair in pairs:
        prompt = prompt_ids(tokenizer, pair.scene, system_prompt)
        completion = completion_ids(tokenizer, pair.text)
        if len(prompt) + len(completion) > max_length:
            prepared.dropped[f"longer than max_length={max_length} tokens"] += 1
        else:
            prepared.rows.append({"input_ids": prompt + completion, "labels": [IGNORED] * len(prompt) + completion})
    return prepared


def scored_rows(
    pairs: Iterable[Pair], tokenizer: PreTrainedTokenizerBase, system_prompt: str | None = None
) -> list[ScoredRow]:
    """Tokenize pairs for scoring: the same prompt, the text without its end."""
    return [
        ScoredRow(
            prompt_ids(tokenizer, pair.scene, system_prompt), completion_ids(tokenizer, pair.text)[:-1], len(pair.text)
        )
        for pair in pairs
    ]
