"""A step's time is sorted by what the operations multiply; the clock leaves the warm-up out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import step_clock
from benchmarks.step_clock import StepClock, part_of


@pytest.mark.parametrize(
    ("name", "shapes", "part"),
    [
        ("aten::mm", [[544, 576], [576, 1536]], "base's matrices"),
        ("aten::mm", [[544, 576], [576, 49152]], "output matrix and loss"),
        ("aten::_log_softmax", [[10, 49152], [], []], "output matrix and loss"),
        ("aten::sub", [[1016, 32768], [1016, 1], []], "output matrix and loss"),
        ("aten::baddbmm_", [[4, 136, 1536], [4, 136, 16], [4, 16, 1536]], "registers' matrices"),
        ("aten::mm", [[1024, 16], [16, 576]], "registers' matrices"),
        ("aten::bmm", [[72, 68, 64], [72, 64, 128]], "attention"),
        ("aten::_softmax", [[8, 9, 68, 128], [], []], "attention"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu_backward", [[8, 9, 128, 64]], "attention"),
        ("aten::copy_", [[8, 68, 576], [8, 68, 576], []], "copies and casts"),
        ("aten::silu", [[8, 68, 1536]], "norms, activations, sums"),
        ("aten::_foreach_norm", [], "clipping and optimizer"),
    ],
)
def test_an_operation_belongs_to_the_part_that_its_shapes_tell(name, shapes, part) -> None:
    assert part_of(name, shapes, rank=16, widths={49152, 32768}) == part


def test_the_clock_counts_from_the_last_warm_up_step_to_the_last_step(monkeypatch) -> None:
    moments = iter([10.0, 10.5, 13.0, 17.0, 20.0, 20.0, 21.0])
    monkeypatch.setattr(step_clock.time, "perf_counter", lambda: next(moments))
    clock = StepClock(warm_up=1)
    told: Any = cast(Any, None)
    for steps in (3, 2):  # two trainers, one after the other
        for number in range(1, steps + 1):
            clock.on_step_end(told, cast(Any, SimpleNamespace(global_step=number)), told)
        clock.on_train_end(told, told, told)
    assert clock.seconds == (17.0 - 10.5) + (21.0 - 20.0)
