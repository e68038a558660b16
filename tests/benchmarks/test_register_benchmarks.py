"""What the register benchmarks compare: rows of exact length, all arms on the same, times a row."""

from __future__ import annotations

import argparse
from itertools import count
from typing import Any

import pytest

from benchmarks.bases import Frame, chosen, rows_of
from benchmarks.register_generation import mixed_calls, requests_report, same_tokens
from benchmarks.register_training import shape_of, summarize
from hyperbridge import HyperBridgeError

FRAME = Frame(before=(1,), after=(2, 3, 4))
HEADER = 2
END = 9


def test_rows_have_exactly_the_tokens_that_are_asked_for() -> None:
    rows = rows_of(
        count(100),
        FRAME,
        header=HEADER,
        registers=("poet", "body"),
        scenes=2,
        prompt=8,
        completion=5,
        end=END,
    )
    assert [row.register for row in rows] == ["poet", "body", "poet", "body"]
    assert all(len(row.prompt) == 8 and row.said == 5 and len(row.own) == HEADER + 5 for row in rows)
    assert rows[0].scene == (1, 100, 101, 102, 103, 2)
    assert rows[0].own == (3, 4, 104, 105, 106, 107, END)


def test_registers_share_a_scene_and_say_it_in_words_of_their_own() -> None:
    rows = rows_of(
        count(100), FRAME, header=HEADER, registers=("poet", "body"), scenes=3, prompt=8, completion=5, end=END
    )
    assert len({row.scene for row in rows}) == 3
    assert len({row.own for row in rows}) == 6


def test_a_prompt_that_the_template_alone_fills_is_refused() -> None:
    with pytest.raises(HyperBridgeError, match="4 tokens is too short: the chat template itself takes 4"):
        FRAME.prompt(count(), 4)


def test_arms_come_in_their_own_order_and_an_unknown_one_is_named() -> None:
    assert chosen(["ours", "trl"], ("trl", "ckpt", "ours"), "arm") == ["trl", "ours"]
    assert chosen(None, ("trl", "ours"), "arm") == ["trl", "ours"]
    with pytest.raises(HyperBridgeError, match="no arm named oursen; there are trl, ours"):
        chosen(["oursen"], ("trl", "ours"), "arm")


def test_a_shape_is_prompt_and_expression() -> None:
    assert shape_of("192:64") == [192, 64]
    for bad in ("192", "192:", "0:64", "1:2:3"):
        with pytest.raises(argparse.ArgumentTypeError):
            shape_of(bad)


def measured(seconds: float, rows: int, peak_mb: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "rows": rows,
        "tokens": rows * 10,
        "peak_mb": peak_mb,
        "loaded_mb": 100.0,
        "batch_size": 8,
    }


def test_speed_is_a_row_and_memory_against_the_same_checkpointing() -> None:
    summary = summarize(
        {
            "trl": [measured(8.0, 80, 1000.0), measured(10.0, 80, 1000.0)],
            "trl-best": [measured(12.0, 160, 2000.0), measured(12.0, 160, 2000.0)],
            "trl+ckpt": [measured(16.0, 80, 500.0), measured(16.0, 80, 500.0)],
            "ours+ckpt": [measured(3.0, 80, 600.0), measured(3.0, 80, 600.0)],
        }
    )
    assert summary["trl-best"]["speedup"]["median"] == 1.5
    assert summary["ours+ckpt"]["speedup"] == {"median": 3.0, "min": 2.6667, "max": 3.3333}
    assert summary["ours+ckpt"]["memory_ratio"]["median"] == 1.2
    assert summary["ours+ckpt"]["above_loaded_mb"]["median"] == 500.0
    assert summary["trl"]["tokens_per_second"]["median"] == 90.0


def test_mixed_requests_take_turns() -> None:
    assert mixed_calls([(1,), (2,)], ["a", "b"]) == [((1,), "a"), ((1,), "b"), ((2,), "a"), ((2,), "b")]


def test_tokens_are_the_same_up_to_the_first_difference() -> None:
    assert same_tokens([[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 2, 3, 4], [5, 0, 7, 8]]) == 5 / 8


def test_a_peer_that_takes_twice_as_long_is_half_as_fast() -> None:
    said = [[1, 2], [3, 4]]
    ours = {"seconds": 2.0, "tokens": 4, "said": said, "peak_mb": 500.0}
    record, sheet, _ = requests_report("title", {"ours": [ours], "PEFT one by one, LoRA": [ours | {"seconds": 4.0}]})
    assert record["PEFT one by one, LoRA"]["ours_faster"]["median"] == 2.0
    assert record["PEFT one by one, LoRA"]["tokens_per_second"]["median"] == 1.0
    assert "same_tokens_as_ours" not in record["PEFT one by one, LoRA"]
    assert sheet.rows[0][-1] == "100%"
