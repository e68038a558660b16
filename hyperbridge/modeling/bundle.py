"""What a trained HyperBridge is on disk, and the checks that loading it makes.

    config.json                 the base and its identity, the system prompt
    registers/<name>/           one plain PEFT LoRA each: adapter_config.json, adapter_model.safetensors
    registers/<name>/register.json   the seed's name of the register (`style`) and the base it was trained on

Each register folder loads with `peft.PeftModel.from_pretrained` alone. A bundle may come from anyone: only safetensors
are read, a config that names code of its own is refused, and so is a file that leads out of the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError, first_problem, nearest
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import Base, vocabulary_digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONFIG = "config.json"
REGISTER = "register.json"
ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
REGISTERS = "registers"
FORMULAS = "formulas.json"
BARE = "base"  # the voice of the base itself; no register is called so

# A register says scenes, an interpreter turns text into scenes, a synthesizer replies to a message with scenes.
Task = Literal["speak", "interpret", "reply"]


class BundleConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Base
    system_prompt: str | None = None
    vocabulary_sha256: str | None = None


class RegisterCard(BaseModel):
    """A register beside its adapter: the seed's name, the base whose weights it was trained on, and what it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: str
    base: Base
    task: Task = "speak"


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


@dataclass(frozen=True, slots=True)
class Located:
    """A bundle on this machine: its folder and, where it came from the Hub, the repository and commit."""

    folder: Path
    repo_id: str | None = None
    commit: str | None = None


def locate(name_or_path: str | Path, revision: str | None = None, registers: Iterable[str] | None = None) -> Located:
    """A folder as it is; of a bundle on the Hub (`owner/name`, `owner/name@revision`), only what is needed.

    Raises:
        HyperBridgeError: neither a folder nor a Hub id, no such revision or register, or a file that is not to be
            loaded.
    """
    if Path(name_or_path).is_dir():
        if revision is not None:
            raise HyperBridgeError(f"{name_or_path}: a folder of this machine, which has no revision '{revision}'")
        return Located(Path(name_or_path))
    repo_id, pinned = hub.parse_id(str(name_or_path))
    commit = hub.resolve_commit(repo_id, revision or pinned)
    folder = hub.fetch(repo_id, commit, [CONFIG, FORMULAS, f"{REGISTERS}/*/{REGISTER}"])
    if not (folder / REGISTERS).is_dir():
        raise HyperBridgeError(
            f"{repo_id}@{commit[:12]}: not a HyperBridge: it needs {CONFIG} and {REGISTERS}/<name>/ "
            "(a register published alone: PeftModel.from_pretrained)"
        )
    names = register_names(folder, registers, named=f"{repo_id}@{commit[:12]}")
    hub.fetch(repo_id, commit, [f"{REGISTERS}/{name}/adapter_*" for name in names])
    return Located(folder, repo_id, commit)


def register_names(folder: Path, wanted: Iterable[str] | None = None, *, named: str | None = None) -> list[str]:
    """The registers of a bundle: all in name order, or those wanted (several, or one), by name or style.

    Raises:
        HyperBridgeError: a wanted register is missing.
    """
    found = sorted(path.parent.name for path in (folder / REGISTERS).glob(f"*/{REGISTER}"))
    if wanted is None:
        return found
    styles = {read_register_card(folder / REGISTERS / name).style: name for name in found}
    asked = [wanted] if isinstance(wanted, str) else wanted
    names = list(dict.fromkeys(styles.get(name, name) for name in asked))
    for name in names:
        if name not in found:
            raise HyperBridgeError(f"{named or folder}: no register '{name}'; {nearest(name, [*found, *styles])}")
    return names


def register_folders(folder: Path, wanted: Iterable[str] | None = None) -> dict[str, Path]:
    """The register folders of a bundle: all in name order, or those wanted, by name or style.

    Raises:
        HyperBridgeError: a wanted register is missing, or one is not to be loaded (see `check_register`).
    """
    found = {name: folder / REGISTERS / name for name in register_names(folder, wanted)}
    for register in found.values():
        check_register(folder, register)
    return found


def check_register(bundle: Path, folder: Path) -> None:
    """Refuse a register that is not a LoRA in safetensors, or that reaches for code or for files of others.

    Raises:
        HyperBridgeError: a pickle, a link out of the bundle, a config that names code, no LoRA, or no adapter at all.
    """
    names = sorted(path.name for path in folder.iterdir())
    hub.refuse_pickles(str(folder), names)
    if ADAPTER not in names or ADAPTER_CONFIG not in names:
        raise HyperBridgeError(f"{folder}: {ADAPTER_CONFIG} or {ADAPTER} is missing; a register is a PEFT folder")
    for name in (ADAPTER, ADAPTER_CONFIG, REGISTER):
        _check_inside(bundle, folder / name)
    _check_adapter_config(folder / ADAPTER_CONFIG)


def _check_inside(bundle: Path, path: Path) -> None:
    """A file lies in its bundle, or (as the Hub's cache keeps it) among the blobs of its repository."""
    roots = [bundle.resolve()]
    if bundle.resolve().parent.name == "snapshots":
        roots.append(bundle.resolve().parents[1] / "blobs")
    if not any(path.resolve().is_relative_to(root) for root in roots):
        raise HyperBridgeError(f"{path}: a link that leads out of the bundle; it is not followed")


def _check_adapter_config(path: Path) -> None:
    """PEFT imports what `auto_mapping` and `megatron_config` name; a register needs neither, nor weights of its own."""
    try:
        config = json.loads(path.read_bytes())
        kind = config["peft_type"]
    except (ValueError, KeyError, TypeError):
        raise HyperBridgeError(f"{path}: not a PEFT config") from None
    for key in ("auto_map", "auto_mapping", "megatron_config"):
        if config.get(key):
            raise HyperBridgeError(f"{path}: it names code to be loaded ({key}); such registers are not loaded")
    if kind != "LORA":
        raise HyperBridgeError(f"{path}: peft_type is {kind}; a register is a LoRA")
    for key in ("modules_to_save", "trainable_token_indices"):
        if config.get(key):
            raise HyperBridgeError(f"{path}: it changes the base's own weights ({key}); a register is a LoRA alone")


def read_register_card(folder: Path) -> RegisterCard:
    """A register's card as it is.

    Raises:
        HyperBridgeError: it is missing or damaged.
    """
    return _read(folder / REGISTER, RegisterCard)


def load_register_card(folder: Path, base: Base) -> RegisterCard:
    """Read a register's card and check that it belongs on `base`.

    Raises:
        HyperBridgeError: it was trained on another base.
    """
    card = read_register_card(folder)
    difference = base.differs_from(card.base)
    if difference:
        raise HyperBridgeError(f"{folder}: this register was trained on another base: here {difference}")
    return card


def check_vocabulary(config: BundleConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """A base may carry the right weights and another tokenizer: then every scene would read as something else.

    Raises:
        HyperBridgeError: the tokenizer's vocabulary is not the one the registers were trained with.
    """
    if config.vocabulary_sha256 not in (None, vocabulary_digest(tokenizer)):
        raise HyperBridgeError(
            f"base {config.base.model}: its tokenizer has another vocabulary than the one these registers were "
            "trained with; take the base's own tokenizer files"
        )


def _write(path: Path, config: BaseModel) -> None:
    with atomic_writer(path) as file:
        file.write(config.model_dump_json(indent=2, exclude_none=True) + "\n")


def _read(path: Path, model: type[_Config]) -> _Config:
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise HyperBridgeError(f"{path}: {first_problem(error)}") from None
