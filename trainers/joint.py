"""All registers in one run: which rows each optimizer step sees, and the tensors of a micro-batch.

Every register is trained as it would be alone: in each epoch its rows come in a shuffled order of scenes, in steps of
`batch_size` rows, with its own number of steps. The steps of all registers are then laid over one another, those of a
register with fewer rows evenly among the others. Registers share the order of scenes, so rows that speak the same
scene mostly meet in one step, where their prompt is computed once. A joint step is cut by scenes into one micro-batch
for each process and accumulation step. A row's weight is one over the tokens of its register in the whole joint step,
so that the weighted sum over micro-batches and processes is the sum of the registers' mean losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset

from hyperbridge.trainers.preparation import IGNORED, Row

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """The joint steps of a run.

    Attributes:
        steps: each maps a register to the indices of its rows in that step; most registers are in most steps.
        an_epoch: how many of them are one epoch.
    """

    steps: tuple[Mapping[str, tuple[int, ...]], ...]
    an_epoch: int

    def own_steps(self, register: str) -> list[int]:
        """How many steps the register has taken before each joint step, and (last) in all."""
        taken, counts = 0, []
        for step in self.steps:
            counts.append(taken)
            taken += register in step
        return [*counts, taken]


def plan_steps(rows: Sequence[Row], *, batch_size: int, epochs: float, max_steps: int = -1, seed: int = 0) -> Plan:
    """Lay the steps of all registers over one another.

    Args:
        rows: of all registers.
        batch_size: rows of a register in one of its steps; the last of an epoch may be smaller.
        epochs: passes over each register's rows; a part of a pass is allowed.
        max_steps: so many steps a register instead of `epochs`; -1 for none.
        seed: of the order of scenes.
    """
    by_register: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_register.setdefault(row.register, []).append(index)
    an_epoch = {name: -(-len(own) // batch_size) for name, own in by_register.items()}
    wanted = {name: max_steps if max_steps > 0 else math.ceil(count * epochs) for name, count in an_epoch.items()}
    slots = max(an_epoch.values())
    steps: list[dict[str, tuple[int, ...]]] = []
    taken = dict.fromkeys(by_register, 0)
    epoch = 0
    while any(taken[name] < wanted[name] for name in taken):
        order = _order_of_scenes(rows, seed + epoch)
        joint: list[dict[str, tuple[int, ...]]] = [{} for _ in range(slots)]
        for name, own in by_register.items():
            shuffled = sorted(own, key=order.__getitem__)
            for number in range(min(an_epoch[name], wanted[name] - taken[name])):
                part = shuffled[number * batch_size : (number + 1) * batch_size]
                joint[number * slots // an_epoch[name]][name] = tuple(part)
                taken[name] += 1
        steps.extend(step for step in joint if step)
        epoch += 1
    return Plan(tuple(steps), slots)


def _order_of_scenes(rows: Sequence[Row], seed: int) -> list[tuple[bytes, bytes]]:
    """A place for each row: rows of a scene together, scenes (and the rows of one) shuffled.

    A place is a hash of the seed and the row's own tokens, so that no register's order depends on which others there
    are. A scene is known by its prompt, which with activated registers ends before the header and else with the prompt.
    """
    key = str(seed).encode()

    def place(ids: Sequence[int]) -> bytes:
        return blake2b(np.asarray(ids, dtype=np.int64).tobytes(), digest_size=8, key=key).digest()

    prompts = [row.prompt for row in rows]
    places = {prompt: place(prompt) for prompt in set(prompts)}
    return [(places[prompt], place(row.own[-row.said :])) for prompt, row in zip(prompts, rows, strict=True)]


def shards(rows: Sequence[Row], indices: Iterable[int], count: int) -> list[list[int]]:
    """Cut a step into `count` parts of about equal numbers of rows, a scene in as few parts as can be."""
    by_scene: dict[tuple[int, ...], list[int]] = {}
    for index in indices:
        by_scene.setdefault(rows[index].prompt, []).append(index)
    ordered = [index for own in by_scene.values() for index in own]
    bounds = [len(ordered) * part // count for part in range(count + 1)]
    starts = np.cumsum([0, *map(len, by_scene.values())])
    # A border moves to the nearest scene's where that is close: less than half a part away.
    near = [int(starts[np.abs(starts - bound).argmin()]) for bound in bounds]
    slack = len(ordered) / count / 2
    bounds = [n if abs(n - bound) < slack else bound for n, bound in zip(near, bounds, strict=True)]
    return [ordered[start:end] for start, end in pairwise(bounds)]


def collate(rows: Sequence[Row], weights: Sequence[float], *, pad_token_id: int) -> dict[str, Any]:
    """A micro-batch, its rows sorted by register.

    Args:
        rows: at least one.
        weights: of each row's summed loss.
        pad_token_id: fills shorter rows on the right.

    Returns:
        `input_ids`, `labels`: (rows, tokens) int64, IGNORED where no loss is; `own`: (rows, tokens) bool, True at
        tokens; `weights`: (rows,) float32; `scene_of_row`: (rows,) int64, index into `scenes`, the distinct scenes'
        token ids; `registers`: name of each row.
    """
    order = sorted(range(len(rows)), key=lambda index: rows[index].register)
    rows = [rows[index] for index in order]
    length = max(len(row.own) for row in rows)
    scenes = {scene: place for place, scene in enumerate(dict.fromkeys(row.scene for row in rows))}

    def padded(values: Iterable[Sequence[int]], fill: int) -> Tensor:
        return torch.tensor([[*own, *[fill] * (length - len(own))] for own in values])

    return {
        "input_ids": padded((row.own for row in rows), pad_token_id),
        "labels": padded(([IGNORED] * (len(row.own) - row.said) + [*row.own[-row.said :]] for row in rows), IGNORED),
        "own": padded(([1] * len(row.own) for row in rows), 0).bool(),
        "weights": torch.tensor([weights[index] for index in order], dtype=torch.float32),
        "scene_of_row": torch.tensor([scenes[row.scene] for row in rows]),
        "scenes": list(scenes),
        "registers": [row.register for row in rows],
    }


class JointSteps(Dataset[dict[str, Any]]):
    """The micro-batches of one process, in order: item `step * accumulation + k` is part k of a joint step.

    `stopped` registers are left out. Where a part would be empty it repeats a row at no weight, so that every process
    takes every step.
    """

    def __init__(
        self, rows: Sequence[Row], plan: Plan, *, accumulation: int, rank: int, world_size: int, pad_token_id: int
    ) -> None:
        self.stopped: set[str] = set()
        self._rows, self._plan = rows, plan
        self._accumulation, self._rank, self._world_size = accumulation, rank, world_size
        self._pad_token_id = pad_token_id

    def __len__(self) -> int:
        return len(self._plan.steps) * self._accumulation

    def __getitem__(self, index: int) -> dict[str, Any]:
        number, part = divmod(index, self._accumulation)
        step = {name: own for name, own in self._plan.steps[number].items() if name not in self.stopped}
        tokens = {name: sum(self._rows[row].said for row in own) for name, own in step.items()}
        everything = [row for own in (step or self._plan.steps[number]).values() for row in own]
        parts = shards(self._rows, everything if step else [], self._accumulation * self._world_size)
        mine = [self._rows[row] for row in parts[self._rank * self._accumulation + part]]
        weights = [1.0 / tokens[row.register] for row in mine]
        if not mine:
            mine, weights = [self._rows[everything[0]]], [0.0]
        return {
            **collate(mine, weights, pad_token_id=self._pad_token_id),
            "turn": index * self._world_size + self._rank,
        }
