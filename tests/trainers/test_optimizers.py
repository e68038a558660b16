"""Muon and AdamW under one roof learn, and continue from a saved state as if they had not stopped."""

from __future__ import annotations

import copy

import torch
from torch import nn

from hyperbridge.trainers.optimizers import MuonAdamW


def toy() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(8, 6), nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 8))


def optimizer_of(model: nn.Module) -> MuonAdamW:
    return MuonAdamW(model, lr=0.02, weight_decay=0.01)


def step(model: nn.Module, optimizer: MuonAdamW) -> float:
    ids = torch.arange(8)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(ids), ids.roll(1))
    loss.backward()
    optimizer.step()
    return loss.item()


def test_it_lowers_a_loss() -> None:
    model = toy()
    optimizer = optimizer_of(model)
    losses = [step(model, optimizer) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


def test_hidden_matrices_go_to_muon_and_the_rest_to_adamw() -> None:
    model = toy()
    muon, adamw = optimizer_of(model).param_groups
    assert [parameter.shape for parameter in muon["params"]] == [(6, 6), (8, 6)]
    assert {parameter.ndim for parameter in adamw["params"]} == {1, 2}
    assert any(parameter is model[0].weight for parameter in adamw["params"])
    assert (muon["weight_decay"], adamw["weight_decay"]) == (0.01, 0.0)


def test_a_schedule_reaches_both_parts() -> None:
    model = toy()
    optimizer = optimizer_of(model)
    before = copy.deepcopy(model.state_dict())
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.0)
    step(model, optimizer)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_saved_state_gives_the_identical_next_step(tmp_path) -> None:
    model = toy()
    optimizer = optimizer_of(model)
    for _ in range(3):
        step(model, optimizer)
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    twin = copy.deepcopy(model)
    restored = optimizer_of(twin)
    restored.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    for each in (optimizer, restored):
        torch.optim.lr_scheduler.LambdaLR(each, lambda _: 0.5)
    for _ in range(2):
        assert step(model, optimizer) == step(twin, restored)
    for name, value in model.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name
