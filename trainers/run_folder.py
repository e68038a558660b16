"""The folder of a run: what may be written into it, which base the run was begun on, its checkpoints.

A run writes one file last, so a folder that has it is finished and never written over. Until then checkpoints and a
record of how the run was begun lie in `checkpoints/`, and the run is continued only where that is asked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import Base
from hyperbridge.trainers.launch import processes

CHECKPOINTS = "checkpoints"
BEGUN = "begun.json"


def refuse_finished(output: Path, last_file: str, made: str) -> None:
    """Refuse a folder that has the file which a run writes last; `made` is what the run makes, for the message.

    Raises:
        HyperBridgeError: the file is there.
    """
    if (output / last_file).exists():
        raise HyperBridgeError(f"{output}: this {made} is finished; choose another output_dir or remove it")


def check_started(output: Path, *, resume: bool) -> None:
    """Refuse to begin over an unfinished run, and to continue where nothing was begun.

    Raises:
        HyperBridgeError: the folder is not as `resume` says.
    """
    started = output.exists() and any(output.iterdir())
    if started and not resume:
        raise HyperBridgeError(f"{output}: holds an unfinished run; continue it with --resume or remove it")
    if resume and not started:
        raise HyperBridgeError(f"{output}: nothing to resume; start without --resume")


def note_begun(output: Path, base: Base, **settled: Any) -> None:
    """Remember which base a run begins on, and what else was settled at its beginning; all processes call it."""
    processes().wait_for_everyone()  # all have seen the folder as it was
    if processes().is_main_process:
        with atomic_writer(output / CHECKPOINTS / BEGUN) as file:
            json.dump({"base": base.model_dump(exclude_none=True), **settled}, file, ensure_ascii=False)


def check_begun_on(output: Path, base: Base) -> dict[str, Any]:
    """What was noted when a run was begun; nothing of one that was cut before.

    Raises:
        HyperBridgeError: it was begun on another base.
    """
    path = output / CHECKPOINTS / BEGUN
    if not path.exists():
        return {}
    begun: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    difference = base.differs_from(Base.model_validate(begun["base"]))
    if difference:
        raise HyperBridgeError(f"{output}: this run was begun on another base: here {difference}")
    return begun


def last_checkpoint(output: Path) -> str | None:
    """The folder of the checkpoint to continue from, where there is one."""
    from transformers.trainer_utils import get_last_checkpoint

    folder = output / CHECKPOINTS
    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


def checkpointing(output: Path, every: int) -> dict[str, Any]:
    """The training arguments that keep the last two checkpoints, `every` so many steps; 0 keeps none."""
    when = {"save_strategy": "steps", "save_steps": every} if every else {"save_strategy": "no"}
    return {"output_dir": str(output / CHECKPOINTS), "save_total_limit": 2, **when}
