"""Where the embedding rows of new tokens start: at random, or from the rows of what they are made of.

`random` draws from the normal distribution of the old rows (Hewitt, "Initializing new word embeddings", 2021).
`plain` takes the mean of the constituents' rows. `weighted` gives a long piece more than a short one, which could be
part of anything; and where rows predict, an early piece more than a late one, because the new token must rank where
its first piece was ranked; where they read, a late one more, because the base has gathered the word there. Cost: one
pass over the constituents; `random` adds a covariance, (hidden, hidden). `python -m benchmarks.graft` compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Start = Literal["weighted", "plain", "random"]
STARTS: tuple[Start, ...] = ("weighted", "plain", "random")
Role = Literal["reads", "predicts", "both"]
# What a piece weighs against the one before it, were they of equal length. Chosen on SmolLM2 and Russian prose, where
# 0.5, 0.7 and 1 differ by 1 % of the bits for rows of both roles.
FALL: dict[Role, float] = {"reads": 1 / 0.7, "predicts": 0.5, "both": 0.7}
# Tensor cores and their like want matrices of such a height.
PAD_TO = 64


def start_rows(
    old: Tensor,
    constituents: Sequence[Sequence[int]],
    start: Start,
    *,
    role: Role,
    length_of: Callable[[int], int],
    seed: int = 0,
) -> Tensor:
    """Rows to start new tokens with.

    Args:
        old: (old ids, hidden), the rows of the base's ids and no padding.
        constituents: for each new token, the base's ids of its text.
        start: how.
        role: what the matrix is for; tied ones are for both.
        length_of: the length of an old id's piece, in characters of the vocabulary's alphabet.
        seed: of `random`.

    Returns:
        (new tokens, hidden) float32, on the device of `old`.
    """
    if start == "random":
        return random_rows(old, len(constituents), seed)
    if start == "plain":
        return mean_rows(old, constituents, [[1.0] * len(one) for one in constituents])
    weights = [constituent_weights([length_of(i) for i in one], role) for one in constituents]
    return mean_rows(old, constituents, weights)


def random_rows(old: Tensor, count: int, seed: int = 0) -> Tensor:
    """(count, hidden) float32 rows drawn from the normal distribution with the old rows' mean and covariance."""
    import torch

    values = old.float().cpu()
    covariance = torch.cov(values.T).double()
    variances, axes = torch.linalg.eigh(covariance)  # Cholesky fails where rows do not span the space
    spread = (axes * variances.clamp(min=0).sqrt()).float()
    draw = torch.randn(count, values.shape[1], generator=torch.Generator().manual_seed(seed))
    return (values.mean(dim=0) + draw @ spread.T).to(old.device)


def mean_rows(old: Tensor, constituents: Sequence[Sequence[int]], weights: Sequence[Sequence[float]]) -> Tensor:
    """(new tokens, hidden) float32: of each token, the mean of its constituents' rows under their weights."""
    import torch
    from torch.nn.functional import embedding_bag

    ids = torch.tensor([one for token in constituents for one in token], device=old.device)
    shares = [weight / sum(token) for token in weights for weight in token]
    starts = torch.tensor([0, *map(len, constituents[:-1])], device=old.device).cumsum(0)
    kept, places = ids.unique(return_inverse=True)  # so that few rows are widened to float32
    return embedding_bag(
        places, old[kept].float(), starts, mode="sum", per_sample_weights=torch.tensor(shares, device=old.device)
    )


def constituent_weights(lengths: Sequence[int], role: Role) -> list[float]:
    """Weights of a token's constituents, from the lengths of their pieces in order; they need not sum to one."""
    return [max(length, 1) * FALL[role] ** place for place, length in enumerate(lengths)]


def padded_size(rows: int) -> int:
    """The number of rows that holds `rows` and is a multiple of `PAD_TO`."""
    return -(-rows // PAD_TO) * PAD_TO
