"""Registers are trained together on a base that stays as it was, into plain PEFT folders; a run can be continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hyperbridge import HyperBridge, HyperBridgeError, Scene
from hyperbridge.modeling.chat import prompt_ids
from hyperbridge.modeling.scoring import ScoredRow, register_bits, text_bits
from hyperbridge.trainers import sft
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.register_trainer import RegisterTrainer
from hyperbridge.trainers.sft import train_registers

RecipeData = Callable[..., dict[str, Any]]


def train(data: dict[str, Any], *, resume: bool = False) -> list[str]:
    """Train and return what was reported."""
    lines: list[str] = []
    train_registers(RegisterRecipe.model_validate(data), resume=resume, report=lines.append)
    return lines


@dataclass
class Watched:
    """A run of twelve steps a register, seen from inside."""

    output: Path
    bases: list[Any] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, float]] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    shown: str = ""

    def losses(self, register: str) -> list[float]:
        return [logs[f"{register}_loss"] for logs in self.logs if f"{register}_loss" in logs]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, recipe_data: RecipeData) -> Watched:
    run = Watched(tmp_path_factory.mktemp("watched") / "run")
    load, compute, release = sft.load_base, RegisterTrainer.compute_loss, RegisterTrainer.release

    def load_base(*args: Any, **kwargs: Any) -> Any:
        run.bases.append(load(*args, **kwargs))
        return run.bases[-1]

    def compute_loss(self: RegisterTrainer, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        run.batches.append(dict(inputs))
        return compute(self, model, inputs, *args, **kwargs)

    def note(self: RegisterTrainer) -> None:
        run.logs = list(self.state.log_history)
        release(self)

    with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as screen:
        patch.setattr(sft, "load_base", load_base)
        patch.setattr(RegisterTrainer, "compute_loss", compute_loss)
        patch.setattr(RegisterTrainer, "release", note)
        run.reported = train(recipe_data(run.output, max_steps=12, eval_per_epoch=False))
    run.shown = screen.getvalue()
    return run


def test_the_base_is_loaded_once_and_stays_as_it_was(watched: Watched, tiny_base: Path) -> None:
    assert len(watched.bases) == 1
    model = watched.bases[0][0]
    saved = load_file(tiny_base / "model.safetensors")
    held = {name: value for name, value in model.state_dict().items() if name in saved}
    assert held.keys() == saved.keys()
    assert [name for name, value in held.items() if not torch.equal(value, saved[name])] == []
    assert [name for name, _ in model.named_modules() if "lora" in name] == []


def test_one_run_trains_all_registers(watched: Watched) -> None:
    assert [batch["registers"] for batch in watched.batches] == [["body"] * 3 + ["poet"] * 3] * 12
    assert watched.shown.count("| 0/12 ") == 1
    assert "2 registers: 100%" in watched.shown


def test_the_loss_of_each_register_goes_down(watched: Watched) -> None:
    poet, body = watched.losses("poet"), watched.losses("body")
    assert (len(poet), len(body)) == (12, 12)
    assert [poet[0], body[0]] == pytest.approx([6.92, 7.00], abs=0.05)
    assert [poet[-1], body[-1]] == pytest.approx([5.47, 5.57], abs=0.2)
    means = [logs["loss"] for logs in watched.logs if "loss" in logs]
    assert means == pytest.approx([sum(pair) / 2 for pair in zip(poet, body, strict=True)])


def test_what_a_step_learns_is_expressions_and_their_ends(watched: Watched, tiny_tokenizer: Any) -> None:
    learned = {
        tiny_tokenizer.decode(labels[labels != -100]).strip() for batch in watched.batches for labels in batch["labels"]
    }
    assert "Порог остыл,\nа ладонь ещё помнит огонь.<|im_end|>" in learned
    assert "Шаг. Пятка горит, дышу ртом.<|im_end|>" in learned
    assert len(learned) == 12
    assert all(text.count("<|im_end|>") == 1 and "<|im_start|>" not in text for text in learned)
    padded = [batch["input_ids"][~batch["own"]] for batch in watched.batches]
    assert {int(token_id) for tokens in padded for token_id in tokens} == {tiny_tokenizer.pad_token_id}


def test_a_run_says_what_it_trained_on(watched: Watched) -> None:
    assert [line.partition(": loss")[0] for line in watched.reported] == [
        "poet: 6 expressions",
        "body: 6 expressions",
        "poet",
        "body",
    ]


def test_a_finished_run_is_a_bundle_and_nothing_else(tiny_bundle: Path) -> None:
    assert sorted(path.relative_to(tiny_bundle).as_posix() for path in tiny_bundle.rglob("*") if path.is_file()) == [
        "config.json",
        "recipe.json",
        "registers/body/adapter_config.json",
        "registers/body/adapter_model.safetensors",
        "registers/body/register.json",
        "registers/body/training.json",
        "registers/poet/adapter_config.json",
        "registers/poet/adapter_model.safetensors",
        "registers/poet/register.json",
        "registers/poet/training.json",
    ]
    summary = json.loads((tiny_bundle / "registers/poet/training.json").read_text(encoding="utf-8"))
    assert (summary["rows"], summary["dropped"], summary["steps"]) == (6, {}, 4)
    assert summary["validation_loss"] == pytest.approx(6.74, abs=0.05)


def test_an_adapter_names_the_base_of_the_recipe_and_no_other_path(tiny_bundle: Path, tiny_base: Path) -> None:
    text = (tiny_bundle / "registers/poet/adapter_config.json").read_text(encoding="utf-8")
    config = json.loads(text)
    assert (config["base_model_name_or_path"], config["revision"]) == (str(tiny_base), None)
    assert (config["r"], config["lora_alpha"], config["inference_mode"]) == (4, 8, True)
    assert "checkpoints" not in text
    assert str(tiny_bundle) not in text


def test_an_adapter_says_from_which_tokens_on_it_acts(
    tiny_bundle: Path, tiny_tokenizer: Any, tmp_path: Path, recipe_data: RecipeData
) -> None:
    def invocation(bundle: Path) -> list[int] | None:
        text = (bundle / "registers/body/adapter_config.json").read_text(encoding="utf-8")
        return json.loads(text)["alora_invocation_tokens"]

    assert tiny_tokenizer.decode(invocation(tiny_bundle)) == "<|im_start|>assistant\n"
    train(recipe_data(tmp_path / "run", max_steps=1, eval_per_epoch=False) | {"activation": "always"})
    assert invocation(tmp_path / "run") is None


@pytest.mark.parametrize("name", ["poet", "body"])
def test_a_register_loads_with_plain_peft_and_speaks_the_same(
    name: str, tiny_bundle: Path, tiny_base: Path, tiny_tokenizer: Any
) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_base).eval()
    bridge = HyperBridge.from_pretrained(tiny_bundle)
    rows = [ScoredRow(prompt_ids(tiny_tokenizer, Scene.from_prompt("жар+тишина+вход")), [300, 17, 600, 42], 4)]
    bare = text_bits(base, rows)
    plain = text_bits(PeftModel.from_pretrained(base, tiny_bundle / "registers" / name), rows)
    assert register_bits(bridge.bank, name, rows) == pytest.approx(plain, abs=1e-3)
    assert plain != pytest.approx(bare, abs=0.1)


def test_a_finished_run_is_not_trained_over(tiny_bundle: Path, recipe_data: RecipeData) -> None:
    for resume in (False, True):
        with pytest.raises(HyperBridgeError, match="tiny: this run is finished; choose another output_dir"):
            train(recipe_data(tiny_bundle), resume=resume)


def test_there_is_nothing_to_resume_where_nothing_was_started(tmp_path: Path, recipe_data: RecipeData) -> None:
    with pytest.raises(HyperBridgeError, match="run: nothing to resume; start without --resume"):
        train(recipe_data(tmp_path / "run"), resume=True)


@pytest.fixture
def interrupted(tmp_path: Path, recipe_data: RecipeData, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The recipe of a run that was cut in its fourth step, after the checkpoint of its second."""
    data = recipe_data(tmp_path / "run", save_steps=2)
    steps = iter(range(100))
    step = RegisterTrainer.training_step

    def power_cut(self: RegisterTrainer, *args: Any, **kwargs: Any) -> Any:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(RegisterTrainer, "training_step", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train(data)
    return data


def test_an_unfinished_run_is_not_trained_over_unasked(interrupted: dict[str, Any]) -> None:
    with pytest.raises(HyperBridgeError, match="run: holds an unfinished run; continue it with --resume or remove it"):
        train(interrupted)


def test_a_checkpoint_holds_all_registers(interrupted: dict[str, Any]) -> None:
    checkpoints = Path(interrupted["output_dir"]) / "checkpoints"
    assert [path.name for path in checkpoints.glob("checkpoint-*")] == ["checkpoint-2"]
    assert sorted(path.parent.name for path in checkpoints.glob("*/*/adapter_model.safetensors")) == ["body", "poet"]


def test_a_resumed_run_ends_with_the_adapters_of_an_uninterrupted_one(
    interrupted: dict[str, Any], tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    step = RegisterTrainer.training_step

    def count(self: RegisterTrainer, *args: Any, **kwargs: Any) -> Any:
        steps.append(self.state.global_step)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(RegisterTrainer, "training_step", count)
    reported = train(interrupted, resume=True)
    assert steps == [2, 3]
    assert reported[:2] == ["poet: 6 expressions", "body: 6 expressions"]
    assert reported[2].startswith("from ")
    assert reported[2].endswith("checkpoint-2")
    for name in ("poet", "body"):
        resumed, whole = (
            load_file(folder / "registers" / name / "adapter_model.safetensors")
            for folder in (Path(interrupted["output_dir"]), tiny_bundle)
        )
        assert resumed.keys() == whole.keys()
        assert [key for key in whole if not torch.equal(resumed[key], whole[key])] == []
        resumed, whole = (
            json.loads((folder / "registers" / name / "training.json").read_text(encoding="utf-8"))
            for folder in (Path(interrupted["output_dir"]), tiny_bundle)
        )
        assert resumed | {"seconds": 0} == whole | {"seconds": 0}
    assert not (Path(interrupted["output_dir"]) / "checkpoints").exists()


def test_a_run_is_not_resumed_on_another_base(interrupted: dict[str, Any], other_base: Path) -> None:
    interrupted["base"] = {"model": str(other_base)}
    with pytest.raises(HyperBridgeError, match="run: this run was begun on another base: here "):
        train(interrupted, resume=True)


def test_a_run_shorter_than_the_pause_between_logs_has_its_losses_too(tmp_path: Path, recipe_data: RecipeData) -> None:
    train(recipe_data(tmp_path / "run", max_steps=3, logging_steps=2))
    summary = json.loads((tmp_path / "run/registers/poet/training.json").read_text(encoding="utf-8"))
    assert summary["train_loss"] == pytest.approx(6.5, abs=0.4)
    train(recipe_data(tmp_path / "short", max_steps=1, logging_steps=10))
    summary = json.loads((tmp_path / "short/registers/poet/training.json").read_text(encoding="utf-8"))
    assert summary["train_loss"] == pytest.approx(6.92, abs=0.05)


def test_rows_left_out_are_reported(tmp_path: Path, recipe_data: RecipeData) -> None:
    data = recipe_data(tmp_path / "run", max_length=48, max_steps=1)
    del data["registers"]["body"], data["data"]["validation"]
    assert train(data)[0] == "poet: 3 expressions, 3 left out (longer than max_length=48 tokens)"
    summary = json.loads((tmp_path / "run/registers/poet/training.json").read_text(encoding="utf-8"))
    assert (summary["rows"], summary["dropped"]) == (3, {"longer than max_length=48 tokens": 3})
    assert summary["validation_loss"] is None


def test_a_register_without_a_row_is_an_error(tmp_path: Path, recipe_data: RecipeData) -> None:
    with pytest.raises(HyperBridgeError, match=r"poet: no row is left to train on .*; raise training\.max_length"):
        train(recipe_data(tmp_path / "run", max_length=10))
    assert not (tmp_path / "run").exists()  # so that the corrected recipe starts without --resume


def test_a_missing_style_fails_before_anything_is_trained(tmp_path: Path, recipe_data: RecipeData) -> None:
    data = recipe_data(tmp_path / "run")
    data["registers"]["logician"] = {"style": "логический"}
    with pytest.raises(
        HyperBridgeError, match=r"no expression with style 'логический'; .*known: поэтический, телесный"
    ):
        train(data)
    assert not (tmp_path / "run").exists()


def test_tensorboard_logs_stay_when_the_run_is_finished(tmp_path: Path, recipe_data: RecipeData) -> None:
    train(recipe_data(tmp_path / "run", report_to="tensorboard", max_steps=1))
    (events,) = (tmp_path / "run/logs").iterdir()
    assert events.name.startswith("events.out.tfevents.")
    written = events.read_bytes()
    tags = (b"train/loss", b"train/poet_loss", b"train/body_loss", b"eval/poet_loss", b"eval/body_loss")
    assert [tag for tag in tags if tag not in written] == []


def test_a_logger_that_is_not_installed_is_the_users_error(
    tmp_path: Path, recipe_data: RecipeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sft, "find_spec", lambda name: None)
    with pytest.raises(HyperBridgeError, match=r"training\.report_to=trackio needs trackio: pip install trackio"):
        train(recipe_data(tmp_path / "run", report_to="trackio"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "DeepSpeed ZeRO-3 .* take recipes/accelerate/fsdp2.yaml"),
        ({"FSDP_VERSION": "1"}, "fsdp_version: 1 is not there; leave fsdp_version: 2"),
        ({"FSDP_OFFLOAD_PARAMS": "true"}, "fsdp_offload_params: true is not there"),
        ({"FSDP_RESHARD_AFTER_FORWARD": "false"}, "fsdp_reshard_after_forward: false is not there"),
    ],
)
def test_shares_that_are_not_there_are_refused_before_any_work(
    recipe_data: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, str],
    said: str,
) -> None:
    for variable, value in {"ACCELERATE_USE_FSDP": "true", **asked}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(HyperBridgeError, match=said):
        train_registers(RegisterRecipe.model_validate(recipe_data(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_one_process_under_fsdp_holds_the_whole_base(
    recipe_data: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    run = train_registers(RegisterRecipe.model_validate(recipe_data(tmp_path / "run", max_steps=1)), report=len)
    assert (run / "config.json").exists()
