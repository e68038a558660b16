"""Registers for other engines: merged into a base of their own, as adapters that vLLM serves by name, or as GGUF.

Only a register that is active from the first token on (`activation: always`) can leave: an activated one reads the
scene through the bare base, which no merged weight and no other engine's LoRA does. That is said before any work.
A merge goes onto the 16- or 32-bit base, never onto a 4-bit one, whose rounding it would keep for good. llama.cpp's
converter reads of a base its config alone, so no weights are loaded or fetched for a GGUF.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.base import Base, Dtype, load_base
from hyperbridge.modeling.bundle import (
    ADAPTER,
    ADAPTER_CONFIG,
    CONFIG,
    load_config,
    load_register_card,
    locate,
    register_folders,
)
from hyperbridge.modeling.registers import attach_registers

CONVERTER = "convert_lora_to_gguf.py"


def merge(bundle: str, register: str, output: Path, *, dtype: Dtype = "bfloat16") -> Path:
    """Write a base with one register merged into its weights: a plain folder that any engine loads.

    Args:
        bundle: a folder or Hub id.
        register: its name or style.
        output: the new folder.
        dtype: of the weights; the base's own, in most cases.

    Raises:
        HyperBridgeError: the register is activated, does not belong on the base, or `output` is there.
    """
    found, folders = _leaving(bundle, [register])
    ((name, folder),) = folders.items()
    base = found.located()
    load_register_card(folder, base)
    with _new_folder(output) as unfinished:
        model, tokenizer = load_base(base, dtype=dtype)
        merged: Any = attach_registers(model, {name: folder}).merge_and_unload(safe_merge=True)
        merged.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
    return output


def for_vllm(bundle: str, output: Path, registers: list[str] | None = None) -> str:
    """Write adapters as vLLM loads them, one folder each; the command that serves them by name.

    Raises:
        HyperBridgeError: a register is activated, or `output` is there.
    """
    base, folders = _leaving(bundle, registers)
    ranks = [_adapter_config(folder)["r"] for folder in folders.values()]
    with _new_folder(output) as unfinished:
        for name, folder in folders.items():
            (unfinished / name).mkdir()
            for file in (ADAPTER, ADAPTER_CONFIG):
                shutil.copyfile(folder / file, unfinished / name / file)
    modules = [f"{name}={(output / name).as_posix()}" for name in folders]
    pinned = ["--revision", base.revision] if base.revision else []
    served = ["vllm", "serve", base.path(), *pinned, "--enable-lora", "--max-loras", str(len(folders))]
    return shlex.join([*served, "--max-lora-rank", str(_served_rank(max(ranks))), "--lora-modules", *modules])


def to_gguf(bundle: str, register: str, output: Path, *, llama_cpp: Path) -> Path:
    """Write a register as a GGUF LoRA with the converter of a llama.cpp checkout.

    Args:
        bundle: a folder or Hub id.
        register: its name or style.
        output: the new `.gguf` file.
        llama_cpp: the checkout; its converter runs in this Python.

    Raises:
        HyperBridgeError: the register is activated or scaled as llama.cpp does not scale, `output` is there, there is
            no converter, or it fails (with its last line).
    """
    base, folders = _leaving(bundle, [register])
    ((name, folder),) = folders.items()
    _check_scaling(name, folder)
    converter = llama_cpp / CONVERTER
    if not converter.is_file():
        raise HyperBridgeError(f"{llama_cpp}: no {CONVERTER} here; give --llama-cpp a checkout of llama.cpp")
    with _new_file(output) as unfinished, _config_folder(base) as configured:
        _convert([str(converter), str(folder), "--base", str(configured), "--outfile", str(unfinished)])
    return output


def _convert(command: list[str]) -> None:
    ran = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    if ran.returncode:
        last = (ran.stderr.strip() or ran.stdout.strip() or "no message").splitlines()[-1]
        raise HyperBridgeError(f"{CONVERTER} failed: {last}")


def _check_scaling(name: str, folder: Path) -> None:
    """llama.cpp multiplies by alpha / rank whatever the adapter's config says."""
    config = _adapter_config(folder)
    own = [key for key in ("use_rslora", "alpha_pattern") if config.get(key)]
    if own:
        raise HyperBridgeError(f"{name}: scaled by {own[0]}, which llama.cpp does not know; export it with --merge")


def _adapter_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    return config


@contextmanager
def _config_folder(base: Base) -> Iterator[Path]:
    """A folder with the base's config.json: its own, the Hub's at the pinned commit, or one told by a GGUF base."""
    folder = Path(base.path())
    if base.gguf_file:
        with tempfile.TemporaryDirectory() as written:
            _save_gguf_config(base, Path(written))
            yield Path(written)
    elif folder.is_dir():
        yield folder
    else:
        yield hub.fetch(base.model, hub.resolve_commit(base.model, base.revision), [CONFIG])


def _save_gguf_config(base: Base, folder: Path) -> None:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    config = AutoConfig.from_pretrained(base.path(), gguf_file=base.gguf_file, revision=base.revision or "main")
    config.architectures = [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[config.model_type]]  # a GGUF does not name its class
    config.save_pretrained(folder)


def _leaving(bundle: str, registers: list[str] | None) -> tuple[Base, dict[str, Path]]:
    """The base as the bundle names it, and the register folders, all of them ordinary LoRAs."""
    located = locate(bundle, None, registers)
    folders = register_folders(located.folder, registers)
    for name, folder in folders.items():
        if _adapter_config(folder).get("alora_invocation_tokens"):
            raise HyperBridgeError(
                f"{name}: an activated register (activation: scene) acts only from the end of the prompt on, which "
                "merged weights, vLLM and GGUF cannot do; train it with activation: always (recipe +always)"
            )
    return load_config(located.folder).base, folders


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """A folder that appears whole or not at all."""
    unfinished = _beside(output, "folder")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    yield unfinished
    unfinished.rename(output)


@contextmanager
def _new_file(output: Path) -> Iterator[Path]:
    """A file that appears whole or not at all."""
    unfinished = _beside(output, "file")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield unfinished
        unfinished.rename(output)
    finally:
        unfinished.unlink(missing_ok=True)


def _beside(output: Path, kind: str) -> Path:
    if output.exists():
        raise HyperBridgeError(f"{output}: is there already; give -o another {kind}")
    return output.with_name(output.name + ".part")


def _served_rank(rank: int) -> int:
    """The least rank that vLLM can be started with for adapters of this one."""
    return next((known for known in (8, 16, 32, 64, 128, 256, 320, 512) if known >= rank), rank)
