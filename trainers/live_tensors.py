"""Bytes that live in a step, counted without a number: an architecture's shapes go through the code that trains.

A base is built from its config alone, with a few of its layers, and its tensors are fake ones (shapes, no numbers).
Every tensor that an operation makes is counted from its making to its end, so that the most that lives at once is
found and nothing is guessed of an architecture. Cost: a second for a step of one layer; no weights are allocated.
"""

from __future__ import annotations

import weakref
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class LiveTensors(TorchDispatchMode):
    """Bytes of the tensors that operations make and that are still alive; those of `modules` are not counted.

    Attributes:
        now: alive.
        most: alive at once since `begin`.
    """

    def __init__(self, *modules: torch.nn.Module) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known = {_storage(value) for one in modules for value in [*one.parameters(), *one.buffers()]}

    def begin(self) -> int:
        """The most of the phase that ends here; the next begins."""
        most, self.most = self.most, self.now
        return most

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, torch.Tensor) and _storage(value) not in self._known:
                self._note(value.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def make_fake(model: torch.nn.Module) -> None:
    """Tensors of no device become fake ones of the CPU (in a FakeTensorMode); what was tied stays tied."""
    made: dict[int, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, value in module.named_parameters(recurse=False):
            fake = torch.empty(value.shape, dtype=value.dtype, device="cpu")
            made.setdefault(id(value), torch.nn.Parameter(fake, requires_grad=value.requires_grad))
            module._parameters[name] = made[id(value)]
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cpu")


def with_layers(config: PretrainedConfig, layers: int) -> PretrainedConfig:
    """The config of the same base with so many layers."""
    short = deepcopy(config)
    short.num_hidden_layers = layers
    if getattr(short, "layer_types", None):
        short.layer_types = short.layer_types[:layers]
    if getattr(short, "sliding_window", None):
        short.sliding_window = None  # longer rows are refused, so none is cut
    return short


def over_layers(one: int, two: int, layers: int) -> int:
    """A count for all layers, from those with one and with two."""
    return one + (layers - 1) * (two - one)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
