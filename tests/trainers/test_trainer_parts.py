"""Registers that are trained together share no gradient norm, no schedule, and no early stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from hyperbridge.jsonl import read_jsonl, write_jsonl
from hyperbridge.scenes import Expression
from hyperbridge.trainers.joint import Plan
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.register_trainer import RegisterTrainer, Watch, clip_by_register, own_schedules, weighted_loss
from hyperbridge.trainers.sft import train_registers

RecipeData = Callable[..., dict[str, Any]]


def parameter(*values: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float32))


def test_the_loss_is_each_rows_summed_nats_times_its_weight() -> None:
    """The logits of a token predict the next one; those of the last predict nothing."""
    last = [1 / 3, 1 / 3, 1 / 3]
    chances = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], last], [[0.2, 0.2, 0.6], [0.3, 0.3, 0.4], last]])
    logits = chances.log().requires_grad_()
    labels = torch.tensor([[-100, 1, 0], [-100, -100, 2]])
    loss, summed = weighted_loss(logits, labels, torch.tensor([0.5, 2.0]))
    nats = -torch.tensor([0.25 * 0.1, 0.4]).log()
    torch.testing.assert_close(summed, nats)
    torch.testing.assert_close(loss, 0.5 * nats[0] + 2.0 * nats[1])
    assert not summed.requires_grad
    loss.backward()
    # d loss / d logits = weight x (chances - one at the label), and nothing where there is no label
    wanted = torch.zeros(2, 3, 3)
    wanted[0, :2] = torch.tensor([[0.25, -0.375, 0.125], [-0.45, 0.4, 0.05]])
    wanted[1, 1] = torch.tensor([0.6, 0.6, -1.2])
    torch.testing.assert_close(logits.grad, wanted)


def test_a_row_at_no_weight_has_no_gradient() -> None:
    logits = torch.zeros(2, 2, 3, requires_grad=True)
    loss, summed = weighted_loss(logits, torch.tensor([[-100, 1], [-100, 2]]), torch.tensor([1.0, 0.0]))
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[1].abs().sum() == 0
    assert summed[1] > 1


@pytest.mark.parametrize("at_once", [1, 40, 10_000])
def test_the_loss_is_torchs_however_many_places_are_taken_at_once(monkeypatch, at_once: int) -> None:
    monkeypatch.setattr("hyperbridge.trainers.register_trainer.NUMBERS_AT_ONCE", {"cpu": at_once})
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 11, generator=generator, dtype=torch.float64).float().requires_grad_()
    labels = torch.randint(0, 11, (3, 5), generator=generator)
    labels[0, :3] = labels[2] = -100
    weights = torch.tensor([0.5, 2.0, 1.0])
    loss, _ = weighted_loss(logits, labels, weights)
    (3 * loss).backward()
    ours, logits.grad = logits.grad, None
    following = logits[:, :-1].transpose(1, 2)
    nats = torch.nn.functional.cross_entropy(following, labels[:, 1:], ignore_index=-100, reduction="none")
    theirs = (nats.sum(dim=1) * weights).sum()
    (3 * theirs).backward()
    torch.testing.assert_close(loss, theirs)
    torch.testing.assert_close(ours, logits.grad)


def test_each_register_is_clipped_to_its_own_norm() -> None:
    poet, body, silent = [parameter(0, 0), parameter(0)], [parameter(0, 0)], [parameter(0)]
    poet[0].grad, poet[1].grad = torch.tensor([0.0, 6.0]), torch.tensor([8.0])
    body[0].grad = torch.tensor([0.3, 0.4])
    norms = clip_by_register({"poet": poet, "body": body, "silent": silent}, 2.0)
    assert norms == pytest.approx({"poet": 10.0, "body": 0.5})
    assert poet[0].grad.tolist() == pytest.approx([0.0, 1.2])
    assert poet[1].grad.tolist() == pytest.approx([1.6])
    assert body[0].grad.tolist() == pytest.approx([0.3, 0.4])
    assert silent[0].grad is None


# The poet speaks in every step, the rare register in the second and the fifth.
PLAN = Plan(tuple({"poet": (0,)} | ({"rare": (1,)} if number in (1, 4) else {}) for number in range(6)), 6)


def rates(name: str, warmup_steps: float) -> dict[str, list[float]]:
    """The learning rate of each register at each step that is its own."""
    optimizer = torch.optim.SGD([{"params": [parameter(0)]}, {"params": [parameter(0)]}], lr=12.0)
    scheduler = own_schedules(PLAN, ("poet", "rare"), optimizer, name=name, warmup_steps=warmup_steps)
    found: dict[str, list[float]] = {"poet": [], "rare": []}
    for step in PLAN.steps:
        for register, rate in zip(found, scheduler.get_last_lr(), strict=True):
            if register in step:
                found[register].append(round(rate, 6))
        optimizer.step()
        scheduler.step()
    return found


def test_a_schedule_runs_over_a_registers_own_steps() -> None:
    assert rates("linear", 0) == {"poet": [12, 10, 8, 6, 4, 2], "rare": [12, 6]}


def test_a_warmup_below_one_is_a_share_of_a_registers_own_steps_and_else_a_number() -> None:
    assert rates("constant_with_warmup", 0.5) == {"poet": [0, 4, 8, 12, 12, 12], "rare": [0, 12]}
    assert rates("constant_with_warmup", 2) == {"poet": [0, 6, 12, 12, 12, 12], "rare": [0, 6]}


def watch_of(patience: int | None, *losses: float) -> tuple[Watch, torch.nn.Parameter]:
    """A watch that saw these losses of the poet, whose weight was 0, 1, 2, ..."""
    watch, weight = Watch(patience), parameter(0)
    for number, loss in enumerate(losses):
        with torch.no_grad():
            weight.fill_(number)
        watch.note("poet", loss, [weight])
    return watch, weight


@pytest.mark.parametrize(
    ("losses", "stopped"),
    [
        ((3.0, 2.0, 1.0), False),
        ((3.0, 4.0), False),
        ((3.0, 4.0, 5.0), True),
        ((3.0, 3.0, 3.0), True),
        ((3.0, 4.0, 2.0, 5.0), False),
    ],
    ids=str,
)
def test_a_register_stops_after_as_many_evaluations_without_a_better_loss_as_its_patience(
    losses: tuple[float, ...], stopped: bool
) -> None:
    assert watch_of(2, *losses)[0].stopped == ({"poet"} if stopped else set())
    assert watch_of(None, *losses)[0].stopped == set()


def test_registers_stop_one_by_one() -> None:
    watch = Watch(1)
    for poet, body in ((3.0, 3.0), (2.0, 4.0)):
        watch.note("poet", poet, [])
        watch.note("body", body, [])
    assert watch.stopped == {"body"}


def test_the_weights_of_the_best_loss_are_kept() -> None:
    watch, weight = watch_of(2, 3.0, 2.0, 4.0)
    assert [kept.tolist() for kept in watch.weights["poet"]] == [[1.0]]
    assert weight.tolist() == [2.0]
    assert watch.kept_loss("poet") == 2.0
    assert watch.kept_loss("body") is None


def test_without_patience_the_last_weights_and_their_loss_are_kept() -> None:
    watch, _ = watch_of(None, 3.0, 2.0, 4.0)
    assert watch.weights == {}
    assert watch.kept_loss("poet") == 4.0


def test_a_loss_that_is_not_a_number_is_no_better_loss() -> None:
    watch, _ = watch_of(1, float("nan"))
    assert watch.stopped == {"poet"}
    assert watch.weights == {}


@pytest.mark.parametrize("patience", [1, None])
def test_a_watch_goes_on_as_it_was_saved(patience: int | None, tmp_path: Path) -> None:
    watch, _ = watch_of(patience, 3.0, 2.0, 4.0)
    watch.save(tmp_path)
    loaded = Watch(patience)
    loaded.load(tmp_path)
    assert (loaded.best, loaded.last, loaded.waited) == (watch.best, watch.last, watch.waited)
    assert loaded.stopped == watch.stopped
    assert {name: [kept.tolist() for kept in own] for name, own in loaded.weights.items()} == (
        {"poet": [[1.0]]} if patience else {}
    )


@dataclass
class Run:
    """A finished run, seen from inside: what was logged, and a register's weights at each evaluation."""

    output: Path
    logs: list[dict[str, float]] = field(default_factory=list)
    weights: dict[str, list[list[Tensor]]] = field(default_factory=dict)

    def steps(self, key: str) -> list[float]:
        return [logs["step"] for logs in self.logs if key in logs]

    def losses(self, key: str) -> list[float]:
        return [logs[key] for logs in self.logs if key in logs]

    def adapter(self, name: str) -> dict[str, Tensor]:
        return load_file(self.output / "registers" / name / "adapter_model.safetensors")

    def summary(self, name: str) -> dict[str, Any]:
        return json.loads((self.output / "registers" / name / "training.json").read_text(encoding="utf-8"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    evaluate, release = RegisterTrainer.evaluate, RegisterTrainer.release

    def train(data: dict[str, Any], *, resume: bool = False) -> Run:
        run = Run(Path(data["output_dir"]))

        def note_weights(self: RegisterTrainer, *args: Any, **kwargs: Any) -> dict[str, float]:
            for name, own in self.parameters.items():
                run.weights.setdefault(name, []).append([value.detach().clone() for value in own])
            return evaluate(self, *args, **kwargs)

        def note_logs(self: RegisterTrainer) -> None:
            run.logs = list(self.state.log_history)
            release(self)

        monkeypatch.setattr(RegisterTrainer, "evaluate", note_weights)
        monkeypatch.setattr(RegisterTrainer, "release", note_logs)
        train_registers(RegisterRecipe.model_validate(data), resume=resume, report=lambda line: None)
        return run

    return train


# No expression says these, so a register that learns its own gets worse at them.
NEVER_SAID = "⟁ 🜂"


@pytest.fixture
def stopping(tmp_path: Path, recipe_data: RecipeData) -> Callable[..., dict[str, Any]]:
    """`stopping("body")`: a recipe whose `worse` registers are watched on what they never say, the others on what they
    learn; two steps an epoch."""

    def data(*worse: str, **training: Any) -> dict[str, Any]:
        data = recipe_data(
            tmp_path / "run",
            **{"max_steps": -1, "epochs": 5, "learning_rate": 0.03, "early_stop": 1, "batch_size": 3, **training},
        )
        styles = {data["registers"][name]["style"] for name in worse}
        watched = [
            record.model_copy(update={"text_human": NEVER_SAID}) if record.style in styles else record
            for record in read_jsonl(data["data"]["train"], Expression, strict=True)
        ]
        write_jsonl(tmp_path / "watched.jsonl", watched)
        data["data"]["validation"] = str(tmp_path / "watched.jsonl")
        return data

    return data


def test_a_register_that_gets_worse_stops_and_the_other_goes_on(
    stopping: Callable[..., dict[str, Any]], run: Callable[..., Run], tmp_path: Path
) -> None:
    stopped = run(stopping("body"))
    assert stopped.steps("body_loss") == [1, 2, 3, 4]
    assert stopped.steps("poet_loss") == list(range(1, 11))
    poet, body = stopped.losses("eval_poet_loss"), stopped.losses("eval_body_loss")
    assert poet == sorted(poet, reverse=True)
    assert body[1] > body[0]
    assert stopped.summary("body")["validation_loss"] == body[0]
    assert stopped.summary("poet")["validation_loss"] == poet[-1]

    # Its best weights were those after the first epoch; they are what is saved.
    short = stopping("body", epochs=1)
    short["output_dir"] = str(tmp_path / "short")
    after_one_epoch = run(short)
    assert stopped.adapter("body").keys() == after_one_epoch.adapter("body").keys()
    assert all(
        torch.equal(value, after_one_epoch.adapter("body")[key]) for key, value in stopped.adapter("body").items()
    )


def test_the_steps_of_a_summary_are_those_that_were_taken(
    stopping: Callable[..., dict[str, Any]], run: Callable[..., Run]
) -> None:
    stopped = run(stopping("body", epochs=4))
    assert (stopped.summary("body")["steps"], stopped.summary("poet")["steps"]) == (4, 8)


def test_a_run_ends_when_all_registers_have_stopped(
    stopping: Callable[..., dict[str, Any]], run: Callable[..., Run]
) -> None:
    ended = run(stopping("poet", "body"))
    assert ended.steps("poet_loss") == ended.steps("body_loss") == [1, 2, 3, 4]


def test_a_register_that_stopped_moves_no_more(
    stopping: Callable[..., dict[str, Any]], run: Callable[..., Run], tmp_path: Path
) -> None:
    data = stopping("poet", epochs=4)
    # The body has one step an epoch, so in the poet's other step nobody speaks once the poet has stopped.
    records = list(read_jsonl(data["data"]["train"], Expression, strict=True))
    kept = [record for record in records if record.style == "поэтический"]
    kept += [record for record in records if record.style == "телесный"][:2]
    write_jsonl(tmp_path / "few.jsonl", kept)
    data["data"]["train"] = str(tmp_path / "few.jsonl")
    weights = run(data).weights["poet"]
    assert len(weights) == 4
    assert not all(torch.equal(value, later) for value, later in zip(weights[0], weights[1], strict=True))
    for after in weights[2:]:
        assert all(torch.equal(value, later) for value, later in zip(weights[1], after, strict=True))


def test_a_resumed_run_leaves_stopped_registers_stopped(
    stopping: Callable[..., dict[str, Any]], run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stopping("body", save_steps=5)
    step = RegisterTrainer.training_step

    def power_cut(self: RegisterTrainer, *args: Any, **kwargs: Any) -> Tensor:
        if self.state.global_step == 5:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(RegisterTrainer, "training_step", power_cut)
        with pytest.raises(KeyboardInterrupt):
            run(data)
    resumed = run(data, resume=True)
    assert resumed.steps("body_loss") == [1, 2, 3, 4]
    assert resumed.steps("poet_loss") == list(range(1, 11))
