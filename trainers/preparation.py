"""Pairs into training rows: the prompt is the scene, the loss is on the expression and its end alone.

With activated registers the row is cut at the invocation (see shared_scene.py): what lies before it the base reads,
once for all registers. An expression that only names its scene takes the rest from a scene file. A row longer than the
limit is left out and counted, never cut: a cut expression would teach a register to stop in mid-sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hyperbridge.errors import HyperBridgeError, nearest
from hyperbridge.jsonl import read_jsonl
from hyperbridge.modeling.base import resolve_path
from hyperbridge.modeling.chat import completion_ids, message_with_scenes, prompt_ids
from hyperbridge.modeling.scoring import ScoredRow
from hyperbridge.modeling.shared_scene import Ids, split_prompt
from hyperbridge.scenes import Expression, Reply, Scene

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from hyperbridge.trainers.recipe import RegisterRecipe

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Pair:
    """What is asked (a scene; of an interpreter a text) and what is said to it, by the register called `style`."""

    asked: Scene | str
    said: str
    style: str


@dataclass(frozen=True, slots=True)
class Row:
    """An expression in tokens.

    Attributes:
        register: that speaks it.
        scene: what the base reads, shared by the registers; empty where the register reads the prompt itself.
        own: what the register reads and says: the assistant header (or the whole prompt), then the expression.
        said: how many tokens at the end of `own` are the expression, its end-of-turn token included.
    """

    register: str
    scene: Ids
    own: Ids
    said: int

    @property
    def prompt(self) -> Ids:
        """All that comes before the expression, whoever reads it."""
        return self.scene + self.own[: len(self.own) - self.said]


@dataclass(slots=True)
class Prepared:
    """Rows of one register; and what was left out, by reason."""

    rows: list[Row] = field(default_factory=list)
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
        known = nearest(style, {pair.style for pair in pairs})
        raise HyperBridgeError(
            f"no expression with style '{style}'; {known}; registers: {{NAME: null}} leaves one out of a recipe"
        )
    return own


def interpretations(pairs: Iterable[Pair], style: str) -> list[Pair]:
    """The pairs the other way round: the text is asked with, its scene's prompt form is said."""
    return [Pair(pair.said, pair.asked.prompt(), style) for pair in pairs if isinstance(pair.asked, Scene)]


def load_replies(path: str, style: str) -> list[Pair]:
    """Read a file of replies: a message, the scenes it resonates with, and what was said to it.

    Raises:
        HyperBridgeError: the file is missing, or a line is bad.
    """
    records = read_jsonl(resolve_path(path), Reply, strict=True)
    return [Pair(message_with_scenes(record.message, record.scenes), record.reply, style) for record in records]


def pairs_of(recipe: RegisterRecipe, split: Literal["train", "validation", "test"]) -> dict[str, list[Pair]]:
    """What each adapter of a recipe learns from (or is watched on) in a split; empty where the recipe names no file.

    Raises:
        HyperBridgeError: a file is missing or bad, or a register has no expression to be trained on.
    """
    path = getattr(recipe.data, split)
    given = load_pairs(path, recipe.data.scenes) if path else []
    replies = getattr(recipe.data.replies, split, None)
    found: dict[str, list[Pair]] = {}
    for name, register in recipe.registers.items():
        if register.task == "interpret":
            found[name] = interpretations(given, register.style)
        elif register.task == "reply":
            found[name] = load_replies(replies, register.style) if replies else []
        elif split == "train":
            found[name] = of_style(given, register.style)
        else:
            found[name] = [pair for pair in given if pair.style == register.style]
    return found


def prepare(
    pairs: Iterable[Pair],
    tokenizer: PreTrainedTokenizerBase,
    *,
    register: str,
    invocation: Ids,
    max_length: int,
    system_prompt: str | None = None,
) -> Prepared:
    """Tokenize a register's pairs into rows of at most `max_length` tokens.

    Args:
        pairs: scenes and their expressions.
        tokenizer: of the base.
        register: name of the register.
        invocation: token ids that activate it; empty: it is active from the first token on.
        max_length: of prompt and expression together.
        system_prompt: opens the chat.
    """
    prepared = Prepared()
    for pair in pairs:
        prompt = prompt_ids(tokenizer, pair.asked, system_prompt)
        said = tuple(completion_ids(tokenizer, pair.said))
        if len(prompt) + len(said) > max_length:
            prepared.dropped[f"longer than max_length={max_length} tokens"] += 1
            continue
        scene, header = split_prompt(prompt, invocation) if invocation else ((), tuple(prompt))
        if invocation and split_prompt(prompt + list(said), invocation)[0] != scene:
            prepared.dropped["the expression itself holds the invocation"] += 1
            continue
        prepared.rows.append(Row(register, scene, header + said, len(said)))
    return prepared


def scored_rows(
    pairs: Iterable[Pair], tokenizer: PreTrainedTokenizerBase, system_prompt: str | None = None
) -> list[ScoredRow]:
    """Tokenize pairs for scoring: the same prompt, the text without its end."""
    return [
        ScoredRow(
            prompt_ids(tokenizer, pair.asked, system_prompt), completion_ids(tokenizer, pair.said)[:-1], len(pair.said)
        )
        for pair in pairs
    ]
