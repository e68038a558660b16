"""LoRA of many registers in one forward pass: rows sorted by register, two grouped matrix products a layer.

PEFT runs one adapter for all rows, or loops over adapters layer by layer (and refuses that in training). Here the A
and B matrices of all registers are stacked, (groups, r, in) and (groups, out, r), and the rows of a batch come sorted
by group, so the delta of a layer is two batched matrix products and no Python loop runs over adapters. Groups that
are not equally large are padded to the largest for these two products alone. Ranks that differ are padded with zeros,
a layer that a register does not adapt is zero, and the bare base is a group of zeros. The adapters stay PEFT's own
parameters, saved by PEFT; stacking them costs about 1 % of a training step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad

from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.bundle import BARE

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor, nn

Stack = tuple["Tensor", "Tensor", "Tensor"]  # A, B, scaling


@dataclass(frozen=True, slots=True)
class RowGroups:
    """Which register each row of a batch speaks in; rows of one register lie together.

    Attributes:
        names: register of each group, `BARE` for the bare base.
        sizes: rows of each group; 0 is allowed.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of_rows(cls, registers: Sequence[str]) -> RowGroups:
        """The groups of rows that are sorted by register already.

        Raises:
            ValueError: a register's rows are scattered.
        """
        names = tuple(dict.fromkeys(registers))
        sizes = tuple(registers.count(name) for name in names)
        if [name for name, size in zip(names, sizes, strict=True) for _ in range(size)] != list(registers):
            raise ValueError(f"rows of one register must lie together, got {registers}")
        return cls(names, sizes)

    def padding(self, device: torch.device | None = None) -> Padding | None:
        """How to lay the rows out in groups of equal size; None where they are so already."""
        if len(set(self.sizes)) == 1:
            return None
        largest = max(self.sizes)
        rows = torch.zeros(len(self.sizes), largest, dtype=torch.int64)
        kept: list[int] = []
        start = 0
        for group, size in enumerate(self.sizes):
            rows[group, :size] = torch.arange(start, start + size)
            kept.extend(range(group * largest, group * largest + size))
            start += size
        return Padding(rows.flatten().to(device), torch.tensor(kept, device=device))


@dataclass(frozen=True, slots=True)
class Padding:
    """`rows`: (groups * largest,) row in each place, 0 in the empty ones; `kept`: (rows,) place of each row."""

    rows: Tensor
    kept: Tensor


def grouped_lora(
    inputs: Tensor,
    down: Tensor,
    up: Tensor,
    scaling: Tensor,
    padding: Padding | None = None,
    onto: Tensor | None = None,
) -> Tensor:
    """s B A x, each group of rows with its own A, B and s.

    Args:
        inputs: (rows, tokens, in), rows sorted by group.
        down: A, (groups, r, in).
        up: B, (groups, out, r).
        scaling: s, (groups, 1, 1).
        padding: of groups that are not equally large.
        onto: (rows, tokens, out), what the result is added to, in place where that can be.

    Returns:
        (rows, tokens, out).
    """
    tokens = inputs.shape[1]
    groups = len(down)
    laid_out = inputs if padding is None else inputs.index_select(0, padding.rows)
    hidden = torch.bmm(laid_out.reshape(groups, -1, inputs.shape[-1]), down.transpose(1, 2)) * scaling
    if onto is not None and padding is None and onto.dtype == hidden.dtype and onto.is_contiguous():
        # One pass over the output instead of three; no product saves its output for the backward pass.
        onto.view(groups, -1, up.shape[1]).baddbmm_(hidden, up.transpose(1, 2))
        return onto
    output = torch.bmm(hidden, up.transpose(1, 2)).view(-1, tokens, up.shape[1])
    output = output if padding is None else output.index_select(0, padding.kept)
    return output if onto is None else onto + output.to(onto.dtype)


def lora_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """The LoRA layers PEFT put into a model, with their names."""
    from peft.tuners.lora import LoraLayer

    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module


class GroupedLora:
    """Makes the LoRA layers of a PEFT model speak for several registers at once, within `speaking` or once installed.

    Args:
        model: its adapters are the registers.
        frozen: the adapters never change, so that a stack is made once for each set of registers.
        seed: of the dropout masks. Each register draws its own, from the seed, its name, the turn and the layer, so a
            mask depends neither on the other registers nor on whether activations are recomputed.

    Attributes:
        asleep: PEFT itself answers, as outside of `speaking`, `silent` and `install`.
    """

    def __init__(self, model: PeftModel, *, frozen: bool = False, seed: int = 0) -> None:
        self._layers = []
        for name, layer in lora_layers(model):
            if len(getattr(layer, "lora_embedding_A", ())):
                raise HyperBridgeError(f"{name}: an embedding with LoRA; registers adapt linear layers only")
            self._layers.append(layer)
        self._names = tuple(model.peft_config)
        self._device = next(model.parameters()).device
        self._seed = seed
        self._turn = 0
        self._groups: RowGroups | None = None
        self._padded_for: RowGroups | None = None
        self._padding: Padding | None = None
        self._stacks: list[Stack | None] = []
        self._kept: dict[tuple[str, ...], list[Stack | None]] | None = {} if frozen else None
        self._forwards = [_Forward(self, index, layer) for index, layer in enumerate(self._layers)]
        self._installed = False
        self.asleep = True

    def install(self) -> None:
        """Answer for the LoRA layers until `remove`; without groups with the base alone."""
        self._take_over()
        self.asleep = False

    def remove(self) -> None:
        """Give the LoRA layers back to PEFT."""
        for layer in self._layers:
            layer.__dict__.pop("forward", None)
        self._installed, self.asleep = False, True
        self.silence()

    def _take_over(self) -> None:
        if not self._installed:
            for layer, forward in zip(self._layers, self._forwards, strict=True):
                layer.forward = forward
            self._installed = True

    def route(self, groups: RowGroups, *, turn: int = 0) -> None:
        """Stack the adapters of the groups for the forward passes to come; gradients flow back to each adapter."""
        unknown = set(groups.names) - {*self._names, BARE}
        if unknown:
            raise ValueError(f"no adapter named {', '.join(sorted(unknown))}; there are {', '.join(self._names)}")
        self._turn = turn
        if groups is not self._padded_for:
            self._padded_for, self._padding = groups, groups.padding(self._device)
        self._groups = groups
        kept = None if self._kept is None else self._kept.get(groups.names)
        if kept is None:
            kept = [_stack(layer, groups.names) for layer in self._layers]
            if self._kept is not None:
                kept = [_in_compute_dtype(stack, layer) for stack, layer in zip(kept, self._layers, strict=True)]
                self._kept[groups.names] = kept
        self._stacks = kept

    def silence(self) -> None:
        """The base alone, until the next `route`."""
        self._groups, self._stacks = None, []

    @contextmanager
    def speaking(self, groups: RowGroups) -> Iterator[None]:
        """Within the block, rows speak as `groups` says."""
        with self.silent():
            self.route(groups)
            yield

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Within the block, the base alone answers until something is routed."""
        self._take_over()
        asleep, self.asleep = self.asleep, False
        self.silence()
        try:
            yield
        finally:
            self.silence()
            self.asleep = asleep

    def add(self, output: Tensor, index: int, inputs: Tensor) -> Tensor:
        """The output of one base layer with what the adapters add to it."""
        if self._groups is None or (stack := self._stacks[index]) is None:
            return output
        if inputs.ndim != 3:
            raise HyperBridgeError(
                f"a LoRA layer got inputs of shape {tuple(inputs.shape)}, not (rows, tokens, width): experts route "
                "tokens, not rows; leave them out of lora.target_modules"
            )
        down, up, scaling = stack
        if not torch.is_autocast_enabled(inputs.device.type):
            inputs = inputs.to(down.dtype)
        else:
            dtype = torch.get_autocast_dtype(inputs.device.type)
            inputs, down, up = inputs.to(dtype), down.to(dtype), up.to(dtype)
        layer = self._layers[index]
        if layer.training:
            inputs = self._drop(layer, index, inputs)
        return grouped_lora(inputs, down, up, scaling.to(down.dtype), self._padding, output)

    def _drop(self, layer: Any, index: int, inputs: Tensor) -> Tensor:
        assert self._groups is not None
        rates = [_dropout_rate(layer, name) for name in self._groups.names]
        if not any(rates):
            return inputs
        parts = []
        for name, rate, part in zip(self._groups.names, rates, inputs.split(self._groups.sizes), strict=True):
            generator = torch.Generator(part.device).manual_seed(_seed_of(self._seed, self._turn, index, name))
            # Tokens vary slowest, so that padding for another register's longer row draws nothing different.
            shape = (part.shape[1], part.shape[0], part.shape[2])
            kept = torch.rand(shape, generator=generator, device=part.device).transpose(0, 1) >= rate
            parts.append(part * kept / (1 - rate))
        return torch.cat(parts)


class _Forward:
    """The forward of one LoRA layer: its base layer, and what the registers add; PEFT's own while the bank sleeps."""

    __slots__ = ("_bank", "_base", "_index", "_peft")

    def __init__(self, bank: GroupedLora, index: int, layer: Any) -> None:
        self._bank, self._index, self._base, self._peft = bank, index, layer.base_layer, layer.forward

    def __call__(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self._bank.asleep:
            return self._peft(inputs, *args, **kwargs)
        return self._bank.add(self._base(inputs, *args, **kwargs), self._index, inputs)


def _stack(layer: Any, names: Sequence[str]) -> Stack | None:
    """A, B and scaling of one layer, stacked; None where no group adapts the layer."""
    ranks = [layer.r.get(name, 0) for name in names]
    rank = max(ranks, default=0)
    if rank == 0:
        return None
    like = next(layer.lora_A[name].weight for name in names if name in layer.lora_A)
    down, up = [], []
    for name, own in zip(names, ranks, strict=True):
        if own == 0:
            down.append(like.new_zeros(rank, layer.in_features))
            up.append(like.new_zeros(layer.out_features, rank))
            continue
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        down.append(a if own == rank else pad(a, (0, 0, 0, rank - own)))
        up.append(b if own == rank else pad(b, (0, rank - own)))
    scaling = torch.tensor([layer.scaling.get(name, 0.0) for name in names], device=like.device).view(-1, 1, 1)
    if len(names) == 1:  # a view: switching to one register copies nothing
        return down[0].unsqueeze(0), up[0].unsqueeze(0), scaling
    return torch.stack(down), torch.stack(up), scaling


def _in_compute_dtype(stack: Stack | None, layer: Any) -> Stack | None:
    """A frozen stack in the dtype of the base layer, so that no layer casts back and forth for one token."""
    dtype = layer.base_layer.weight.dtype
    if stack is None or not dtype.is_floating_point:  # quantized: the layer's inputs say what it computes in
        return stack
    down, up, scaling = stack
    return down.to(dtype), up.to(dtype), scaling.to(dtype)


def _seed_of(*parts: object) -> int:
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")


def _dropout_rate(layer: Any, name: str) -> float:
    return float(getattr(dict(layer.lora_dropout.items()).get(name), "p", 0.0))
