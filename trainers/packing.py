"""Token streams cut into blocks of equal length, in an order that is a function of the seed alone.

Texts and chats are two flat arrays of token ids. Block i of a run is a text block, or, from `chats_from` on and with
probability `chat_share`, a chat block; each stream is shuffled anew every time it has been used up. A run that stops
and resumes therefore sees exactly the blocks it would have seen. Cost: 2 bytes a token.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch.utils.data import Dataset

from hyperbridge.errors import HyperBridgeError


def token_stream(encoded: Iterable[list[int]], separator: int | None = None) -> np.ndarray:
    """Concatenate id lists into one uint16 array, each followed by `separator` where one is given."""
    tail = [] if separator is None else [separator]
    parts = [np.array(ids + tail, dtype=np.uint16) for ids in encoded]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint16)


class PackedBlocks(Dataset[dict[str, torch.Tensor]]):
    """`total` blocks; item i is `input_ids` and `labels`: (block_size,) int64.

    Raises:
        HyperBridgeError: the texts do not fill one block.
    """

    def __init__(
        self,
        texts: np.ndarray,
        chats: np.ndarray,
        *,
        block_size: int,
        total: int,
        chats_from: int,
        chat_share: float,
        seed: int,
    ) -> None:
        if len(texts) < block_size:
            raise HyperBridgeError(f"the texts are {len(texts)} tokens, less than one block of {block_size}; add texts")
        draw = np.random.default_rng(seed).random(total)
        is_chat = (np.arange(total) >= chats_from) & (draw < chat_share) & (len(chats) >= block_size)
        self._blocks = (_cut(texts, block_size), _cut(chats, block_size))
        self._kind = is_chat.astype(np.int8)
        self._index: np.ndarray = np.empty(total, dtype=np.int64)
        for kind, blocks in enumerate(self._blocks):
            wanted = np.flatnonzero(self._kind == kind)
            self._index[wanted] = _shuffled_rounds(len(blocks), len(wanted), seed + kind)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        block = self._blocks[self._kind[index]][self._index[index]]
        ids = torch.from_numpy(block.astype(np.int64))
        return {"input_ids": ids, "labels": ids}


def _cut(stream: np.ndarray, block_size: int) -> np.ndarray:
    count = len(stream) // block_size
    return stream[: count * block_size].reshape(count, block_size)


def _shuffled_rounds(count: int, wanted: int, seed: int) -> np.ndarray:
    """`wanted` indices below `count`: permutation after permutation."""
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(count) for _ in range(-(-wanted // count) if count else 0)]
    return np.concatenate(rounds)[:wanted] if rounds else np.zeros(0, dtype=np.int64)
