"""Tensors are counted from their making to their end, by their bytes; those that were there before are not."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from hyperbridge.trainers.live_tensors import LiveTensors, make_fake, over_layers


def test_what_lives_at_once_is_counted_phase_by_phase() -> None:
    layer = torch.nn.Linear(4, 6, bias=False)
    with FakeTensorMode(allow_non_fake_inputs=True):
        make_fake(layer)
        with LiveTensors(layer) as live:
            read = torch.zeros(2, 4)
            said = layer(read)
            assert live.now == 4 * (2 * 4 + 2 * 6)
            del read, said
            assert live.now == 0
            assert live.begin() == 80
            kept = torch.zeros(3)
            assert (live.now, live.begin()) == (12, 12)
            del kept


def test_a_view_is_no_tensor_of_its_own() -> None:
    with LiveTensors() as live:
        whole = torch.zeros(8, dtype=torch.bfloat16)
        part = whole[:4].view(2, 2)
        assert live.now == 16
        del whole
        assert live.now == 16
        del part
    assert live.now == 0


def test_tied_weights_stay_tied() -> None:
    with torch.device("meta"):
        model = torch.nn.ModuleList([torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)])
        model[1].weight = model[0].weight
    with FakeTensorMode():
        make_fake(model)
    assert model[1].weight is model[0].weight


def test_all_layers_are_counted_from_two() -> None:
    assert over_layers(one=10, two=13, layers=5) == 22
