"""A base is known by its weights, loads from safetensors only, and never as something it is not."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hyperbridge import HyperBridgeError
from hyperbridge.modeling.base import Base, load_base, load_tokenizer, resolve_path


@pytest.fixture
def base(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny_base, tmp_path / "base"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_a_folder_is_known_by_its_weights(base: Path, tiny_base: Path, other_base: Path) -> None:
    here, there, other = (Base(model=str(folder)).located() for folder in (base, tiny_base, other_base))
    assert here.revision is None
    assert here.differs_from(there) is None
    difference = here.differs_from(other)
    assert difference == f"{base}@{here.sha256[:12]} instead of {other_base}@{other.sha256[:12]}"


@pytest.mark.parametrize(
    ("here", "difference"),
    [
        (Base(model="owner/name", revision="abc"), None),
        (Base(model="owner/name", revision="abd"), "owner/name@abd instead of owner/name@abc"),
        (Base(model="owner/other", revision="abc"), "owner/other@abc instead of owner/name@abc"),
        (Base(model="/base", sha256="0123456789abcdef"), "/base@0123456789ab instead of owner/name@abc"),
    ],
)
def test_a_hub_base_is_known_by_its_commit(here: Base, difference: str | None) -> None:
    assert here.differs_from(Base(model="owner/name", revision="abc")) == difference


def test_a_base_is_loaded_for_reading(tiny_base: Path) -> None:
    model, tokenizer = load_base(Base(model=str(tiny_base)), dtype="bfloat16")
    assert (model.dtype, model.training, len(tokenizer)) == (torch.bfloat16, False, 900)


def test_a_package_path_is_resolved() -> None:
    assert Path(resolve_path("hyperbridge:assets/core/scenes.jsonl")).is_file()
    assert resolve_path("owner/name") == "owner/name"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("./нет", "./нет: no such base; a base is a folder with config.json or a Hub id"),
        ("hyperbridge:assets/нет", "hyperbridge:assets/нет: no such base"),
        ("папка с пробелом", "папка с пробелом: no such folder, and not a Hub id"),
        ("somebody/base", "somebody/base: the Hub cannot be reached, and the cache lacks it: "),
    ],
)
def test_a_base_that_is_nowhere_is_one_line(model: str, message: str) -> None:
    with pytest.raises(HyperBridgeError, match=message) as caught:
        Base(model=model).located()
    assert "\n" not in str(caught.value)


def drop_a_weight(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})


def truncate(base: Path) -> None:
    path = base / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda base: (base / "model.safetensors").rename(base / "pytorch_model.bin"), "no file named model.safetenso"),
        (truncate, "cannot be loaded: Error while deserializing header"),
        (drop_a_weight, "its weights lack model.layers.1.mlp.up_proj.weight"),
        (
            lambda base: edit(base / "config.json", hidden_size=48),
            "cannot be loaded: You set `ignore_mismatched",
        ),
        (lambda base: (base / "chat_template.jinja").unlink(), "its tokenizer has no chat template, which the scene"),
        (lambda base: edit(base / "tokenizer_config.json", eos_token=None), "its tokenizer has no EOS token"),
        (lambda base: (base / "config.json").unlink(), "cannot be loaded: "),
    ],
)
def test_a_damaged_base_is_refused(base: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(base)
    with pytest.raises(HyperBridgeError, match=message) as caught:
        load_base(Base(model=str(base)))
    assert str(caught.value).startswith(f"base {base}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_of_pickles_has_no_identity(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    with pytest.raises(HyperBridgeError, match="no safetensors or GGUF weights here; only those are loaded"):
        Base(model=str(base)).located()


def test_no_code_of_a_base_is_run(base: Path) -> None:
    (base / "evil.py").write_text("raise SystemExit('the code ran')\n", encoding="utf-8")
    edit(base / "config.json", model_type="evil", auto_map={"AutoModelForCausalLM": "evil.Evil"})
    with pytest.raises(HyperBridgeError, match=r"names code to be loaded \(auto_map\)"):
        load_base(Base(model=str(base)))


def test_four_bits_without_bitsandbytes_say_what_to_install(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(HyperBridgeError, match=r"load_in_4bit needs bitsandbytes: pip install 'hyperbridge\[qlora\]'"):
        load_base(Base(model=str(base)), load_in_4bit=True)


@pytest.mark.parametrize("pad", ["<|im_end|>", None])
def test_padding_is_never_the_end(base: Path, pad: str | None) -> None:
    edit(base / "tokenizer_config.json", pad_token=pad)
    tokenizer = load_tokenizer(Base(model=str(base)))
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>")


def test_a_tokenizer_with_nothing_to_pad_with_is_refused(base: Path) -> None:
    edit(base / "tokenizer_config.json", pad_token=None)
    path = base / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace("<|endoftext|>", "<|text|>"), encoding="utf-8")
    with pytest.raises(HyperBridgeError, match="no token can pad besides EOS; give its tokenizer a pad_token"):
        load_tokenizer(Base(model=str(base)))


def test_a_damaged_config_is_one_line(base: Path) -> None:
    (base / "config.json").write_text("{")
    with pytest.raises(HyperBridgeError, match=r"base .*: cannot be loaded: Expecting property name"):
        load_base(Base(model=str(base)))


def test_a_four_bit_base_in_shares_is_refused_before_any_work() -> None:
    with pytest.raises(HyperBridgeError, match=r"a 4-bit base cannot be shared out .* \+qlora"):
        load_base(Base(model="nobody/nothing"), load_in_4bit=True, shares=2)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dtype": "float8"}, r"no dtype 'float8' to load a base in; did you mean 'float(16|32)'\?"),
        ({"device": "cuda:7"}, r"device 'cuda:7' is not here \(cpu.* are\): "),
        ({"device": "видеокарта"}, r"device 'видеокарта' is not here \(cpu.* are\): "),
    ],
)
def test_a_dtype_or_device_that_is_not_there_is_one_line(base: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(HyperBridgeError, match=message):
        load_base(Base(model=str(base)), **asked)
