"""A base shared out over the processes of a launch (FSDP2), its registers whole on each of them.

    accelerate launch -q --config_file recipes/accelerate/fsdp2.yaml --num_processes 4 -m hyperbridge.trainers.sft ...

A launch with FSDP asks for it. accelerate would share out the registers as well, and after every process had loaded
the whole base; so it is told of plain processes, and transformers reads each process its own share of every layer
(`DistributedConfig`; Zhao et al., "PyTorch FSDP", 2023). A layer is gathered while it computes. Registers are added
afterwards, stay ordinary tensors, and their gradients are averaged here once a step.
Memory of weights: 1 / processes of the base, one layer and one register bank; cost: each layer is sent around once in
the forward and once in the backward pass.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import distributed

from hyperbridge.errors import HyperBridgeError
from hyperbridge.trainers.launch import processes

if TYPE_CHECKING:
    from torch import nn

ASKED = "ACCELERATE_USE_FSDP"
# What accelerate's FSDP can be asked to do and this cannot, and the value that asks for nothing.
PLAIN = {"FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": "false", "FSDP_RESHARD_AFTER_FORWARD": "true"}


def shares_of_launch() -> int:
    """Over how many processes the launch wants the base shared out; 1: each holds all of it.

    Call it before anything of accelerate's is made.

    Raises:
        HyperBridgeError: it wants DeepSpeed ZeRO-3, or a kind of FSDP that is not there.
    """
    if _zero3_asked():
        raise HyperBridgeError(
            "DeepSpeed ZeRO-3 shares the base out in a way that registers cannot be trained on; take "
            "recipes/accelerate/fsdp2.yaml, which does so too"
        )
    if not _fsdp_asked():
        return 1
    for variable, plain in PLAIN.items():
        if (value := os.environ.get(variable, plain).lower()) != plain:
            key = variable.lower()
            raise HyperBridgeError(f"{key}: {value} is not there; leave {key}: {plain} in the launch's --config_file")
    os.environ[ASKED] = "false"
    return processes().num_processes


def refuse_shares(what: str) -> None:
    """Refuse a launch that wants the base shared out, for work that needs the whole of it in each process.

    Raises:
        HyperBridgeError: it wants FSDP or DeepSpeed ZeRO-3.
    """
    if _fsdp_asked() or _zero3_asked():
        raise HyperBridgeError(f"{what} needs the whole base in each process; take recipes/accelerate/ddp.yaml")


def _fsdp_asked() -> bool:
    return os.environ.get(ASKED, "false").lower() == "true"


def _zero3_asked() -> bool:
    return os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"


def is_shared_out(model: nn.Module) -> bool:
    """Whether the base under a model lies in shares."""
    return bool(getattr(model, "is_distributed_loading_by_transformers", False))


def any_process(here: bool) -> bool:
    """Whether it holds in any process."""
    flag = torch.tensor(float(here), device=processes().device)
    distributed.all_reduce(flag)
    return bool(flag)


def average_gradients(parameters: Mapping[str, Sequence[nn.Parameter]]) -> None:
    """Average each register's gradient over the processes; one without rows in a process counts as zero there.

    A register without rows in any process is left without a gradient.
    """
    for own in parameters.values():
        if not any_process(any(parameter.grad is not None for parameter in own)):
            continue
        grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in own]
        joined = torch.cat([grad.flatten() for grad in grads])
        distributed.all_reduce(joined)
        joined /= distributed.get_world_size()
        for parameter, part in zip(own, joined.split([grad.numel() for grad in grads]), strict=True):
            parameter.grad = part.view_as(parameter)
