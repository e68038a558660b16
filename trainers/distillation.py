"""Rows of new tokens learned from the base itself: read the new token as if it were its constituents.

The base reads a text in its own tokens, and again in the extended ones. Wherever the same text ends in both, the last
hidden states should agree: their distance is the loss (Dobler et al., "Token Distillation", arXiv 2505.20133). The
rows that predict learn to predict the new tokens in the same texts. The base is held outside of the module: its
weights get no gradient and no optimizer state, and neither checkpoints nor DDP see them; what trains is (new tokens,
hidden), twice that where the base's matrices are untied. Cost of a step: a forward pass of the base, a forward pass
and half a backward one of the extended model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from hyperbridge.errors import HyperBridgeError
from hyperbridge.tokenizer.extension import Extension
from hyperbridge.trainers.snippets import Snippet, align

if TYPE_CHECKING:
    from transformers import PreTrainedModel

IGNORED = -100
# Positions whose logits are held at once: 128 of 150,000 tokens are 77 MB in float32.
LOGITS_AT_ONCE = 128


class NewRows(nn.Module):
    """The rows of new tokens in float32, (new tokens, hidden): to read with, and to predict with where untied."""

    def __init__(self, reading: Tensor, predicting: Tensor | None) -> None:
        super().__init__()
        self.reading = nn.Parameter(reading.detach().float().clone())
        self.untied = None if predicting is None else nn.Parameter(predicting.detach().float().clone())

    @property
    def predicting(self) -> Tensor:
        return self.reading if self.untied is None else self.untied


class Distillation(nn.Module):
    """The loss of new rows on a frozen base.

    Raises:
        HyperBridgeError: the base scales or shifts embeddings or logits, which rows alone cannot follow.
    """

    def __init__(self, base: PreTrainedModel, rows: NewRows, *, first_new: int, next_token_weight: float) -> None:
        super().__init__()
        check_plain(base)
        base.requires_grad_(False)
        self.rows = rows
        self._base = (base,)  # in a tuple, so that it is no submodule
        self._first_new = first_new
        self._next_token_weight = next_token_weight

    def forward(
        self, input_ids: Tensor, base_ids: Tensor, ends: Tensor, matched: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Losses of a batch; `loss` is the one to minimize.

        Args:
            input_ids: (batch, length) int64 of the extended tokenizer.
            base_ids: (batch, base length) int64, the same texts in the base's tokens.
            ends: (batch, length) int64, where in `base_ids` each token's text ends.
            matched: (batch, length) bool, places whose hidden states are compared.
            labels: (batch, length) int64, the token that follows each place, or -100.
        """
        (base,) = self._base
        with torch.no_grad():
            wanted = base.base_model(input_ids=base_ids, use_cache=False).last_hidden_state
        wanted = wanted.gather(1, ends[..., None].expand(-1, -1, wanted.shape[-1]))
        found = base.base_model(inputs_embeds=self.embed(input_ids), use_cache=False).last_hidden_state
        distance = relative_distance(found[matched], wanted[matched])
        told = labels != IGNORED
        surprise = self.surprise(found.detach()[told], labels[told])
        return {
            "loss": distance + self._next_token_weight * surprise,
            "distance": distance.detach(),
            "surprise": surprise.detach(),
        }

    def embed(self, input_ids: Tensor) -> Tensor:
        """(batch, length, hidden): old ids through the base's matrix, new ones through the trained rows."""
        is_new = input_ids >= self._first_new
        old = self._base[0].get_input_embeddings()(input_ids.masked_fill(is_new, 0))
        new = embedding((input_ids - self._first_new).clamp(min=0), self.rows.reading.to(old.dtype))
        return torch.where(is_new[..., None], new, old)

    def surprise(self, hidden: Tensor, labels: Tensor) -> Tensor:
        """Mean nats of the next tokens under the whole new vocabulary (0 of none); only the new rows get a gradient.

        Args:
            hidden: (positions, hidden), without gradient.
            labels: (positions,) int64.
        """
        head = self._base[0].get_output_embeddings().weight[: self._first_new]
        total, chosen = _old_logits(hidden, head, labels.masked_fill(labels >= self._first_new, 0))
        new = (hidden @ self.rows.predicting.to(hidden.dtype).T).float()
        own = new.gather(1, (labels - self._first_new).clamp(min=0)[:, None])[:, 0]
        total = torch.logaddexp(total, new.logsumexp(dim=1))
        return (total - torch.where(labels >= self._first_new, own, chosen)).sum() / max(len(labels), 1)


def relative_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared distance of hidden states, in units of the wanted ones' mean square."""
    found, wanted = found.float(), wanted.float()
    return (found - wanted).square().mean() / wanted.square().mean()


def collate(snippets: Sequence[Snippet], extension: Extension, begin: int | None) -> dict[str, Tensor]:
    """The arguments of `Distillation.forward`, padded on the right, where causal attention does not look.

    Args:
        snippets: a batch.
        extension: to read the snippets in the base's tokens.
        begin: the token that begins every text, where the base has one.
    """
    before = [] if begin is None else [begin]
    rows = [align([*before, *snippet.ids], extension) for snippet in snippets]
    length = max(len(row.new) for row in rows)
    matched, labels = [], []
    for row, snippet in zip(rows, snippets, strict=True):
        first = next((place for place, one in enumerate(row.new) if one >= extension.base_size), len(row.new))
        matched.append([first <= place < len(row.new) for place in range(length)])
        following = [*row.new[1:], IGNORED]
        for place in snippet.planted:
            if place + len(before):
                following[place + len(before) - 1] = IGNORED  # nobody would say it there
        labels.append(following)
    return {
        "input_ids": _padded([row.new for row in rows]),
        "base_ids": _padded([row.old for row in rows]),
        "ends": _padded([row.ends for row in rows]),
        "matched": torch.tensor(matched),
        "labels": _padded(labels, IGNORED),
    }


@torch.no_grad()
def check_plain(base: PreTrainedModel) -> None:
    """Refuse a base whose embeddings and logits are not plain products with its two matrices."""
    ids = torch.tensor([[1, 2, 3]], device=base.device)
    reading, head = base.get_input_embeddings(), base.get_output_embeddings()
    hidden = base.base_model(input_ids=ids, use_cache=False).last_hidden_state
    same_rows = torch.equal(reading(ids), reading.weight[ids])
    if not same_rows or not torch.allclose(base(ids).logits, hidden @ head.weight.T, rtol=0.05, atol=0.05):
        raise HyperBridgeError(
            f"{base.config.model_type}: this architecture scales its embeddings or logits; a graft needs plain ones "
            "(Llama, Mistral, Qwen and their like)"
        )


@torch.no_grad()
def _old_logits(hidden: Tensor, head: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(positions,) float32 each: the logarithm of the old tokens' summed weights, and the logit of each label."""
    parts = zip(hidden.split(LOGITS_AT_ONCE), labels.split(LOGITS_AT_ONCE), strict=True)
    found = [
        (logits.logsumexp(dim=1), logits.gather(1, own[:, None])[:, 0])
        for states, own in parts
        for logits in [(states @ head.T).float()]
    ]
    return torch.cat([total for total, _ in found]), torch.cat([chosen for _, chosen in found])


def _padded(rows: Sequence[Sequence[int]], fill: int = 0) -> Tensor:
    length = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (length - len(row))] for row in rows])
