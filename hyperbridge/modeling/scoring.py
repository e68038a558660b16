"""How surprised a model is by an expression, given its scene: negative log-likelihood of the expression's text.

The end-of-turn token is left out: a base that was never told to stop would be charged for it, and every register
would look better than it is. Rows are sorted by length and batched; one forward pass a batch, no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NATS_TO_BITS = 1.0 / math.log(2.0)


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """Token ids of a prompt and of a text after it (no end token), and the text's length in characters."""

    prompt: list[int]
    text: list[int]
    characters: int


def text_bits(model: PreTrainedModel, rows: Sequence[ScoredRow], *, batch_size: int = 16) -> list[float]:
    """Bits of each row's text under the model, in the order of the rows."""
    import torch

    order = sorted(range(len(rows)), key=lambda index: -len(rows[index].prompt) - len(rows[index].text))
    bits = [0.0] * len(rows)
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            for index, value in zip(batch, _batch_bits(model, [rows[index] for index in batch]), strict=True):
                bits[index] = value
    return bits


def _batch_bits(model: PreTrainedModel, rows: Sequence[ScoredRow]) -> list[float]:
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    sequences = [torch.tensor(row.prompt + row.text) for row in rows]
    labels = [torch.tensor([-100] * len(row.prompt) + row.text) for row in rows]
    mask = [torch.ones_like(sequence) for sequence in sequences]
    device = next(model.parameters()).device
    input_ids, label_ids, attention = (
        pad_sequence(part, batch_first=True, padding_value=value).to(device)
        for part, value in ((sequences, 0), (labels, -100), (mask, 0))
    )
    logits = model(input_ids=input_ids, attention_mask=attention).logits[:, :-1].float()
    nats = cross_entropy(logits.transpose(1, 2), label_ids[:, 1:], ignore_index=-100, reduction="none")
    return (nats.sum(dim=1) * NATS_TO_BITS).tolist()
