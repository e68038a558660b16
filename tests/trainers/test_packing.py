"""Blocks come in an order that is a function of the seed, and chats join only when their time has come."""

from __future__ import annotations

import numpy as np
import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.packing import PackedBlocks, token_stream

TEXTS = np.arange(0, 40, dtype=np.uint16)
CHATS = np.arange(1000, 1020, dtype=np.uint16)


def blocks(total: int = 24, *, chats_from: int = 24, chat_share: float = 0.5, seed: int = 3) -> list[list[int]]:
    packed = PackedBlocks(
        TEXTS, CHATS, block_size=4, total=total, chats_from=chats_from, chat_share=chat_share, seed=seed
    )
    return [packed[index]["input_ids"].tolist() for index in range(len(packed))]


def test_a_stream_puts_the_separator_after_every_text() -> None:
    assert token_stream([[1, 2], [], [3]], separator=9).tolist() == [1, 2, 9, 9, 3, 9]
    assert token_stream([[1, 2], [3]]).tolist() == [1, 2, 3]
    assert token_stream([]).tolist() == []


def test_a_round_gives_every_block_once_and_the_next_round_another_order() -> None:
    cut = [list(range(start, start + 4)) for start in range(0, 40, 4)]
    order = blocks(20)
    assert sorted(order[:10]) == cut
    assert sorted(order[10:]) == cut
    assert order[:10] != order[10:]


def test_the_order_is_a_function_of_the_seed() -> None:
    assert blocks(chats_from=8) == blocks(chats_from=8)
    assert blocks(chats_from=8) != blocks(chats_from=8, seed=4)
    assert blocks() != blocks(seed=4)


def test_chats_join_from_their_block_on_in_their_share() -> None:
    kinds = [block[0] >= 1000 for block in blocks(2000, chats_from=1000)]
    assert not any(kinds[:1000])
    assert 440 < sum(kinds[1000:]) < 560
    assert all(block[0] >= 1000 for block in blocks(24, chats_from=4, chat_share=1.0)[4:])


def test_the_labels_are_the_ids_themselves() -> None:
    packed = PackedBlocks(TEXTS, CHATS, block_size=4, total=2, chats_from=0, chat_share=0.0, seed=0)
    assert packed[1]["labels"].tolist() == packed[1]["input_ids"].tolist()


def test_a_run_without_chats_reads_texts_only() -> None:
    empty = np.zeros(0, dtype=np.uint16)
    packed = PackedBlocks(TEXTS, empty, block_size=4, total=10, chats_from=0, chat_share=1.0, seed=0)
    assert max(int(packed[index]["input_ids"].max()) for index in range(10)) == 39


def test_texts_shorter_than_a_block_are_refused() -> None:
    with pytest.raises(HyperBridgeError, match="the texts are 3 tokens, less than one block of 4"):
        PackedBlocks(TEXTS[:3], CHATS, block_size=4, total=2, chats_from=0, chat_share=0.0, seed=0)
