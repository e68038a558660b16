"""How long a trainer's steps take, and where that time goes: torch's operations, sorted into parts of a step.

An operation belongs to a part by its name and the shapes of its inputs: what is as wide as the vocabulary is the output
matrix and the loss, a product over the rank is a register's, any other batched product is attention. So the code that
is measured carries no marks, and TRL's is sorted in the same way. The floor is the floating-point operations of all
products at the speed of one large bfloat16 product, measured in the same process. A profiler costs time itself, most
where operations are small: shares are to be read, and times beside those without it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import TrainerCallback

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

VOCABULARY = "output matrix and loss"
REGISTERS = "registers' matrices"
BASE = "base's matrices"
ATTENTION = "attention"
OPTIMIZER = "clipping and optimizer"
COPIES = "copies and casts"
ELEMENTWISE = "norms, activations, sums"
PYTHON = "outside of operations"
PARTS = (BASE, VOCABULARY, ATTENTION, REGISTERS, ELEMENTWISE, COPIES, OPTIMIZER, PYTHON)
PRODUCTS = {"aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::baddbmm", "aten::baddbmm_"}
FUSED_ATTENTION = ("scaled_dot_product", "flash_attention", "efficient_attention")
MOVES = {"aten::copy_", "aten::cat", "aten::stack", "aten::index_select", "aten::clone", "aten::fill_", "aten::zero_"}
OPTIMIZING = ("_foreach", "_fused_adam", "linalg_vector_norm", "Optimizer")


def part_of(name: str, shapes: Sequence[Sequence[int]], *, rank: int, widths: Collection[int]) -> str:
    """The part of a step that an operation belongs to.

    Args:
        name: torch's, as `aten::mm`.
        shapes: of its inputs; empty for what is not a tensor.
        rank: of the registers.
        widths: of the output matrix, and of the pieces it is taken in.
    """
    tensors = [shape for shape in shapes if shape]
    if any(mark in name for mark in OPTIMIZING):
        return OPTIMIZER
    if any(width in shape for shape in tensors for width in widths):
        return VOCABULARY
    if name in PRODUCTS:
        if any(rank in shape[-2:] for shape in tensors):
            return REGISTERS
        return ATTENTION if "bmm" in name else BASE
    if any(mark in name for mark in FUSED_ATTENTION) or "softmax" in name:
        return ATTENTION
    return COPIES if name in MOVES else ELEMENTWISE


class StepClock(TrainerCallback):
    """Seconds from the end of the last warm-up step to the end of the last step, over all trainers it is given to.

    Args:
        warm_up: steps that do not count.
    """

    def __init__(self, warm_up: int) -> None:
        self.warm_up = warm_up
        self.seconds = 0.0
        self._started = self._ended = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._ended = time.perf_counter()
        if state.global_step == self.warm_up:
            self.begin()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.seconds += self._ended - self._started

    def begin(self) -> None:
        self._started = time.perf_counter()


class StepProfile(StepClock):
    """A clock that looks at what is computed meanwhile, for one trainer."""

    def __init__(self, warm_up: int) -> None:
        super().__init__(warm_up)
        self._profile = profile(activities=[ProfilerActivity.CPU], record_shapes=True, with_flops=True)

    def begin(self) -> None:
        self._profile.__enter__()
        super().begin()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        super().on_train_end(args, state, control, **kwargs)
        self._profile.__exit__(None, None, None)

    def parts(self, *, rank: int, widths: Collection[int]) -> dict[str, dict[str, float]]:
        """Part -> seconds, and floating-point operations of its products (those of fused attention are not counted)."""
        found: dict[str, dict[str, float]] = {part: {"seconds": 0.0, "flops": 0.0} for part in PARTS}
        for event in self._profile.key_averages(group_by_input_shape=True):
            part = found[part_of(event.key, event.input_shapes, rank=rank, widths=widths)]
            part["seconds"] += event.self_cpu_time_total / 1e6
            part["flops"] += event.flops or 0 if event.key in PRODUCTS else 0
        found[PYTHON]["seconds"] = max(0.0, self.seconds - sum(part["seconds"] for part in found.values()))
        return found


def product_speed(size: int = 2048, times: int = 10) -> float:
    """Floating-point operations a second of one large bfloat16 matrix product, the best of a few."""
    left, right = torch.randn(2, size, size).bfloat16()
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best
