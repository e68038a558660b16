"""How surprised a model or a register is by an expression, given its scene: negative log-likelihood of its text.

The end-of-turn token is left out: a base that was never told to stop would be charged for it, and every register
would look better than it is. Rows are sorted by length and batched; one forward pass a batch, no gradient. Registers
that are activated by the assistant header share what the base reads of a scene.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel

    from hyperbridge.modeling.registers import RegisterBank

NATS_TO_BITS = 1.0 / math.log(2.0)


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """Token ids of a prompt and of a text after it (no end token), and the text's length in characters."""

    prompt: list[int]
    text: list[int]
    characters: int


def text_bits(model: PreTrainedModel, rows: Sequence[ScoredRow], *, batch_size: int = 16) -> list[float]:
    """Bits of each row's text under a model, in the order of the rows."""
    return _in_batches(rows, batch_size, lambda batch: _model_bits(model, batch))


def register_bits(bank: RegisterBank, register: str, rows: Sequence[ScoredRow], *, batch_size: int = 16) -> list[float]:
    """Bits of each row's text under one register of a bank (or `BARE`), in the order of the rows.

    Raises:
        HyperBridgeError: a prompt lacks the register's invocation.
    """
    return _in_batches(rows, batch_size, lambda batch: _register_bits(bank, register, batch))


def _in_batches(
    rows: Sequence[ScoredRow], batch_size: int, bits_of: Callable[[Sequence[ScoredRow]], list[float]]
) -> list[float]:
    import torch

    order = sorted(range(len(rows)), key=lambda index: -len(rows[index].prompt) - len(rows[index].text))
    bits = [0.0] * len(rows)
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            for index, value in zip(batch, bits_of([rows[index] for index in batch]), strict=True):
                bits[index] = value
    return bits


def _model_bits(model: PreTrainedModel, rows: Sequence[ScoredRow]) -> list[float]:
    ids, own, labels = _padded([row.prompt + row.text for row in rows], rows, next(model.parameters()).device)
    return _bits(model(input_ids=ids, attention_mask=own.long()).logits, labels)


def _register_bits(bank: RegisterBank, register: str, rows: Sequence[ScoredRow]) -> list[float]:
    import torch

    from hyperbridge.modeling.grouped_lora import RowGroups
    from hyperbridge.modeling.shared_scene import on_scenes, read_scenes

    parts = [bank.cut(row.prompt, register) for row in rows]
    texts = [[*own, *row.text] for (_, own), row in zip(parts, rows, strict=True)]
    ids, own, labels = _padded(texts, rows, bank.base.device)
    groups = RowGroups((register,), (len(rows),))
    if not parts[0][0]:
        with bank.speaking(groups):
            return _bits(bank.base(input_ids=ids, attention_mask=own.long()).logits, labels)
    scenes = list(dict.fromkeys(scene for scene, _ in parts))
    with bank.reading():
        read = read_scenes(bank.base, scenes, bank.scenes)
    scene_of_row = torch.tensor([scenes.index(scene) for scene, _ in parts], device=ids.device)
    arguments = on_scenes(bank.base, read, scene_of_row, own, dtype=bank.base.dtype)
    with bank.speaking(groups):
        return _bits(bank.base(input_ids=ids, **arguments).logits, labels)


def _padded(
    sequences: Sequence[Sequence[int]], rows: Sequence[ScoredRow], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, where they are tokens, and labels, (rows, tokens) each; labels are -100 outside the rows' texts."""
    import torch

    length = max(map(len, sequences))

    def padded(values: Iterable[Sequence[int]], fill: int) -> Tensor:
        return torch.tensor([[*own, *[fill] * (length - len(own))] for own in values], device=device)

    labels = ([-100] * (len(ids) - len(row.text)) + list(row.text) for ids, row in zip(sequences, rows, strict=True))
    return padded(sequences, 0), padded(([1] * len(ids) for ids in sequences), 0).bool(), padded(labels, -100)


def _bits(logits: Tensor, labels: Tensor) -> list[float]:
    from torch.nn.functional import cross_entropy

    nats = cross_entropy(logits[:, :-1].float().transpose(1, 2), labels[:, 1:], ignore_index=-100, reduction="none")
    return (nats.sum(dim=1) * NATS_TO_BITS).tolist()
