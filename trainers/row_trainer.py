"""The trainer of new rows: how long it trains, in which order it reads, and how far a step goes.

A run is as long as its epochs, or shorter where `max_steps` or `minutes` end it sooner; for the latter a few steps that
change nothing are timed. The snippets come once in their own order, then again and again in seeded others. A step of
AdamW is a share of how far the base's old rows lie from their mean. Cost: that of distillation.py for each snippet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperbridge.trainers import run_folder
from hyperbridge.trainers.extended_base import matrices
from hyperbridge.trainers.graft_recipe import GraftRecipe
from hyperbridge.trainers.launch import processes
from hyperbridge.trainers.snippets import Snippet

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from transformers import PreTrainedModel, Trainer

    from hyperbridge.trainers.distillation import Distillation, NewRows

TIMED_STEPS = 3


def row_trainer(
    recipe: GraftRecipe,
    student: Distillation,
    optimizer: Optimizer,
    snippets: Sequence[Snippet],
    batch: Callable[..., Any],
    steps: int,
) -> Trainer:
    """A trainer of the student's rows; `batch` makes the student's arguments of a list of snippets."""
    import torch
    from transformers import PrinterCallback, ProgressCallback, Trainer, TrainingArguments

    from hyperbridge.trainers.progress import RegisterProgress

    distillation = recipe.distillation
    arguments = TrainingArguments(
        **run_folder.checkpointing(Path(recipe.output_dir), distillation.save_steps),
        max_steps=steps,
        per_device_train_batch_size=distillation.batch_size,
        gradient_accumulation_steps=distillation.gradient_accumulation_steps,
        lr_scheduler_type=distillation.lr_scheduler,
        warmup_steps=distillation.warmup_steps,
        max_grad_norm=distillation.max_grad_norm,
        use_cpu=not torch.accelerator.is_available(),
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        logging_steps=distillation.logging_steps,
        logging_nan_inf_filter=False,
        ddp_find_unused_parameters=False,
        report_to="none",
        seed=distillation.seed,
    )
    needed = steps * snippets_a_step(recipe)
    trainer = Trainer(
        model=student,
        args=arguments,
        train_dataset=[snippets[index] for index in _reading_order(len(snippets), needed, distillation.seed)],
        data_collator=batch,
        optimizers=(optimizer, None),
        callbacks=[RegisterProgress(f"{len(student.rows.reading)} rows")],
    )
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
    return trainer


def row_optimizer(rows: NewRows, model: PreTrainedModel, first_new: int, rate: float) -> Optimizer:
    """AdamW, whose step is a share of how far the old rows lie from their mean: bases differ tenfold in that."""
    from torch.optim import AdamW

    groups = [
        {"params": [own], "lr": rate * float(matrix.detach()[:first_new].float().std(dim=0).mean())}
        for own, matrix in zip((rows.reading, rows.untied), matrices(model), strict=True)
        if own is not None
    ]
    return AdamW(groups, weight_decay=0.0)


def planned_steps(
    recipe: GraftRecipe, student: Distillation, snippets: Sequence[Snippet], batch: Callable[..., Any]
) -> int:
    """Steps of the whole run: the epochs', or fewer where `max_steps` or `minutes` end it sooner."""
    distillation = recipe.distillation
    steps = -(-len(snippets) * distillation.epochs // snippets_a_step(recipe))
    if distillation.max_steps is not None:
        steps = min(steps, distillation.max_steps)
    if distillation.minutes is not None:
        seconds = _seconds_a_step(recipe, student, snippets, batch)
        steps = max(1, min(steps, int(60 * distillation.minutes / seconds)))
    return steps


def snippets_a_step(recipe: GraftRecipe) -> int:
    """Of all processes."""
    distillation = recipe.distillation
    return distillation.batch_size * distillation.gradient_accumulation_steps * processes().num_processes


def _seconds_a_step(
    recipe: GraftRecipe, student: Distillation, snippets: Sequence[Snippet], batch: Callable[..., Any]
) -> float:
    """Of a step, from a few passes that change nothing; the main process's clock is everybody's."""
    from accelerate.utils import broadcast_object_list

    size = recipe.distillation.batch_size
    inputs = {name: values.to(student.rows.reading.device) for name, values in batch(list(snippets[:size])).items()}
    student(**inputs)["loss"].backward()  # the first pass also warms up
    started = time.perf_counter()
    for _ in range(TIMED_STEPS):
        student(**inputs)["loss"].backward()
    student.zero_grad()
    seconds = [(time.perf_counter() - started) / TIMED_STEPS * recipe.distillation.gradient_accumulation_steps]
    return float(broadcast_object_list(seconds)[0])


def _reading_order(count: int, wanted: int, seed: int) -> list[int]:
    """Every snippet once in its own order, then again and again in other orders."""
    rng = np.random.default_rng(seed)
    rounds = [np.arange(count), *(rng.permutation(count) for _ in range(wanted // count))]
    found: list[int] = np.concatenate(rounds)[:wanted].tolist()
    return found
