"""What is installed here and what is wrong with it: each check is a function that gives findings.

A finding says what was looked at, what was found and, where something is missing or broken, the command that mends
it. Nothing is changed and nothing is sent, except one question to the Hub: who owns the token, or without one whether
it answers. Cost: a few seconds, most of them importing torch.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hyperbridge.errors import HyperBridgeError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from packaging.requirements import Requirement

State = Literal["ok", "note", "wrong"]
LEAST_DISK = 20 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` keeps the main job from running, a `note` keeps something optional from it."""

    state: State
    what: str
    found: str
    mend: str | None = None


def examine() -> Iterator[Finding]:
    """All findings, as they are made."""
    yield Finding("ok", "Python", f"{platform.python_version()} at {sys.executable}, {platform.platform(terse=True)}")
    yield from _requirements()
    yield from _devices()
    yield _four_bits()
    yield _compiler()
    yield from _disks()
    yield from _hub()


def _requirements() -> Iterator[Finding]:
    """The package's own requirements, then those of its extras."""
    from packaging.requirements import Requirement

    missing: dict[str, list[str]] = {}
    met = 0
    for line in metadata.requires("hyperbridge") or []:
        requirement = Requirement(line)
        extra = _extra_of(requirement)
        problem = _problem(requirement)
        met += problem is None
        if problem is None:
            continue
        if extra is None:
            yield Finding(
                "wrong", requirement.name, problem, f"pip install '{requirement.name}{requirement.specifier}'"
            )
        else:
            missing.setdefault(extra, []).append(requirement.name)
    yield Finding("ok", "packages", f"{met} as required")
    for extra, names in sorted(missing.items()):
        if extra not in ("test", "lint"):
            mend = f"pip install 'hyperbridge[{extra}]'"
            yield Finding("note", f"extra {extra}", f"not installed: {', '.join(sorted(set(names)))}", mend)


def _extra_of(requirement: Requirement) -> str | None:
    found = re.search(r'extra == "([^"]+)"', str(requirement.marker or ""))
    return found[1] if found else None


def _problem(requirement: Requirement) -> str | None:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return "not installed"
    fits = requirement.specifier.contains(version, prereleases=True)
    return None if fits else f"{version} installed, {requirement.specifier} needed"


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("wrong", "torch", f"cannot be imported: {_line(error)}", "pip install --force-reinstall torch")
        return
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    for number in gpus:
        free, total = torch.cuda.mem_get_info(number)
        major, minor = torch.cuda.get_device_capability(number)
        told = f"{torch.cuda.get_device_name(number)}, {total / 1e9:.0f} GB ({free / 1e9:.0f} free), sm_{major}{minor}"
        bf16 = Finding("ok", f"GPU {number}", told)
        yield (
            bf16
            if major >= 8
            else Finding("note", f"GPU {number}", f"{told}: no bfloat16", "--set training.bf16=false")
        )
    if not gpus:
        yield _no_gpu(torch.__version__)


def _no_gpu(version: str) -> Finding:
    if shutil.which("nvidia-smi"):
        mend = "install the torch build for your driver: https://pytorch.org/get-started/locally"
        return Finding("wrong", "GPU", f"this machine has an NVIDIA driver, torch {version} does not see a GPU", mend)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("note", "GPU", f"none; torch {version} runs on {cores} CPU cores: small bases only")


def _four_bits() -> Finding:
    """Quantize and read back a small matrix: what QLoRA does to a base."""
    mend = "pip install 'hyperbridge[qlora]'"
    try:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        import bitsandbytes.functional as bnb

        values = torch.linspace(-1, 1, 4096, device=device).reshape(64, 64)
        packed, state = bnb.quantize_4bit(values, quant_type="nf4")
        worst = float((bnb.dequantize_4bit(packed, state) - values).abs().max())
    except ImportError:
        return Finding("note", "4-bit bases", "bitsandbytes is not installed (load_in_4bit, +qlora)", mend)
    except (OSError, RuntimeError, AttributeError) as error:  # what a missing or foreign library of it ends in
        return Finding("wrong", "4-bit bases", f"bitsandbytes fails: {_line(error)}", mend)
    return Finding("ok", "4-bit bases", f"bitsandbytes works on {device} (largest rounding {worst:.2f} of 1)")


def _compiler() -> Finding:
    found = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
    if found:
        return Finding("ok", "C++ compiler", found)
    mend = "apt install g++ (or --set schedule.torch_compile=false)"
    return Finding("note", "C++ compiler", "none: torch.compile cannot be used (pretraining)", mend)


def _disks() -> Iterator[Finding]:
    from huggingface_hub import constants

    for what, folder in (("disk here", Path.cwd()), ("disk of the Hub's cache", Path(constants.HF_HUB_CACHE))):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        told = f"{free / 1e9:.0f} GB free at {folder}"
        if not os.access(there, os.W_OK):
            yield Finding("wrong", what, f"{folder} cannot be written to", f"export HF_HOME=... or chown {there}")
        elif free < LEAST_DISK:
            yield Finding(
                "note", what, f"{told}: a 7B base takes 15", "hf cache prune, or export HF_HOME=/another/disk"
            )
        else:
            yield Finding("ok", what, told)


def _hub() -> Iterator[Finding]:
    from huggingface_hub import HfApi, constants, get_token

    from hyperbridge import hub

    if constants.is_offline_mode():
        yield Finding("note", "Hub", "HF_HUB_OFFLINE is set: only the cache is used", "unset HF_HUB_OFFLINE")
        return
    try:
        with hub.hub_errors(constants.ENDPOINT):
            owner = _owner(HfApi(), get_token())
    except hub.HubUnreachable as error:
        yield Finding("note", "Hub", str(error), "check the network, or export HF_ENDPOINT=...")
    except HyperBridgeError as error:
        if get_token():
            yield Finding("wrong", "Hub token", str(error), "hf auth login")
        else:
            yield Finding("note", "Hub", str(error), "export HF_ENDPOINT=..., or try again later")
    else:
        yield _signed_in(constants.ENDPOINT, owner)


def _owner(api: HfApi, token: str | None) -> dict[str, Any] | None:
    """Who owns the token; without one something is asked that needs none."""
    if token:
        return dict(api.whoami())
    next(iter(api.list_models(limit=1)), None)
    return None


def _signed_in(endpoint: str, owner: dict[str, Any] | None) -> Finding:
    """What a token may do, from the Hub's answer to whose it is."""
    if owner is None:
        found = f"{endpoint}, no token: public repositories can be read, nothing can be pushed"
        return Finding("note", "Hub", found, "hf auth login")
    token = owner.get("auth", {}).get("accessToken", {})
    role = token.get("role", "unknown")
    found = f"{endpoint} as {owner['name']}, token: {role}"
    if role == "write":
        return Finding("ok", "Hub", found)
    scoped = token.get("fineGrained", {}).get("scoped", [])
    may_write = [one["entity"].get("name", "?") for one in scoped if "repo.write" in one.get("permissions", [])]
    if may_write:
        return Finding("ok", "Hub", f"{found}, may write to {', '.join(may_write)}")
    return Finding("note", "Hub", found, "hf auth login, with a token that may write")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
