"""What a trained HyperBridge is on disk, and the checks that loading it makes.

    config.json                 the base and its identity, the system prompt
    registers/<name>/           one plain PEFT LoRA each: adapter_config.json, adapter_model.safetensors
    registers/<name>/register.json   the seed's name of the register (`style`) and the base it was trained on

Each register folder loads with `peft.PeftModel.from_pretrained` alone. Only safetensors are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem, nearest
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import Base

CONFIG = "config.json"
REGISTER = "register.json"
ADAPTER = "adapter_model.safetensors"
REGISTERS = "registers"
BARE = "base"  # the voice of the base itself; no register is called so


class BundleConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Base
    system_prompt: str | None = None


class RegisterCard(BaseModel):
    """A register beside its adapter: the seed's name, and the base whose weights it was trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: str
    base: Base


_Config = TypeVar("_Config", bound=BaseModel)


def save_config(folder: Path, config: BundleConfig) -> None:
    _write(folder / CONFIG, config)


def save_register_card(folder: Path, card: RegisterCard) -> None:
    _write(folder / REGISTER, card)


def load_config(folder: Path) -> BundleConfig:
    """Read a bundle's config.

    Raises:
        HyperBridgeError: the folder is not a bundle.
    """
    if not (folder / CONFIG).is_file() or not (folder / REGISTERS).is_dir():
        raise HyperBridgeError(f"{folder}: not a HyperBridge: it needs {CONFIG} and {REGISTERS}/<name>/")
    return _read(folder / CONFIG, BundleConfig)


def register_folders(folder: Path, wanted: Iterable[str] | None = None) -> dict[str, Path]:
    """The register folders of a bundle: all in name order, or those wanted, by name or style.

    Raises:
        HyperBridgeError: a wanted register is missing, or a register has no safetensors.
    """
    found = {path.name: path for path in sorted((folder / REGISTERS).iterdir()) if (path / REGISTER).is_file()}
    if wanted is None:
        names = list(found)
    else:
        styles = {_read(path / REGISTER, RegisterCard).style: name for name, path in found.items()}
        names = list(dict.fromkeys(styles.get(name, name) for name in wanted))
    for name in names:
        if name not in found:
            raise HyperBridgeError(f"{folder}: no register '{name}'; {nearest(name, [*found, *styles])}")
        if not (found[name] / ADAPTER).is_file():
            others = ", ".join(path.name for path in found[name].glob("adapter_model.*")) or "no adapter"
            raise HyperBridgeError(f"{found[name]}: {ADAPTER} is missing (found {others}); only safetensors are loaded")
    return {name: found[name] for name in names}


def load_register_card(folder: Path, base: Base) -> RegisterCard:
    """Read a register's card and check that it belongs on `base`.

    Raises:
        HyperBridgeError: it was trained on another base.
    """
    card = _read(folder / REGISTER, RegisterCard)
    difference = base.differs_from(card.base)
    if difference:
        raise HyperBridgeError(f"{folder}: this register was trained on another base: here {difference}")
    return card


def _write(path: Path, config: BaseModel) -> None:
    with atomic_writer(path) as file:
        file.write(config.model_dump_json(indent=2, exclude_none=True) + "\n")


def _read(path: Path, model: type[_Config]) -> _Config:
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise HyperBridgeError(f"{path}: {first_problem(error)}") from None
