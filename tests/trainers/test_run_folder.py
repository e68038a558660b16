"""A run's folder: never written over when finished, continued only when asked for, and on the base it was begun on."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.modeling.base import Base
from hyperbridge.trainers import run_folder

BASE = Base(model="somebody/base", revision="a" * 40)


def refusal(output: Path, *, resume: bool) -> str:
    with pytest.raises(HyperBridgeError) as caught:
        run_folder.check_started(output, resume=resume)
    return str(caught.value)


def test_a_folder_with_the_last_file_is_finished(tmp_path: Path) -> None:
    run_folder.refuse_finished(tmp_path, "config.json", "run")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(HyperBridgeError) as caught:
        run_folder.refuse_finished(tmp_path, "config.json", "extended base")
    assert str(caught.value) == (f"{tmp_path}: this extended base is finished; choose another output_dir or remove it")


def test_a_run_is_begun_in_an_empty_folder_and_continued_in_a_full_one(tmp_path: Path) -> None:
    for empty in (tmp_path / "new", tmp_path):
        run_folder.check_started(empty, resume=False)
        assert refusal(empty, resume=True) == f"{empty}: nothing to resume; start without --resume"
    (tmp_path / "checkpoints").mkdir()
    run_folder.check_started(tmp_path, resume=True)
    assert refusal(tmp_path, resume=False) == (
        f"{tmp_path}: holds an unfinished run; continue it with --resume or remove it"
    )


def test_a_run_remembers_the_base_it_was_begun_on_and_what_was_settled(tmp_path: Path) -> None:
    assert run_folder.check_begun_on(tmp_path, BASE) == {}
    run_folder.note_begun(tmp_path, BASE, steps=7)
    assert run_folder.check_begun_on(tmp_path, BASE)["steps"] == 7
    with pytest.raises(HyperBridgeError, match=r"this run was begun on another base: here somebody/base@b{12} "):
        run_folder.check_begun_on(tmp_path, BASE.model_copy(update={"revision": "b" * 40}))


def test_the_last_checkpoint_is_that_of_the_highest_step(tmp_path: Path) -> None:
    assert run_folder.last_checkpoint(tmp_path) is None
    for step in (9, 10, 2):
        (tmp_path / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    assert run_folder.last_checkpoint(tmp_path) == str(tmp_path / "checkpoints" / "checkpoint-10")


def test_no_checkpoint_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    folder = {"output_dir": str(tmp_path / "checkpoints"), "save_total_limit": 2}
    assert run_folder.checkpointing(tmp_path, 0) == folder | {"save_strategy": "no"}
    assert run_folder.checkpointing(tmp_path, 30) == folder | {"save_strategy": "steps", "save_steps": 30}
