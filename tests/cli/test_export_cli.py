"""`hyperbridge export`: one way out at a time, and the command that goes on from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def ordinary(tiny_bundle: Path, tmp_path: Path) -> Path:
    """The registers without what activates them late."""
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "ordinary"))
    config = bundle / "registers/poet/adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"alora_invocation_tokens": None}))
    return bundle


@pytest.mark.parametrize("ways", [(), ("--vllm", "--gguf", "poet")], ids=["none", "two"])
def test_one_way_out_at_a_time(call, tiny_bundle: Path, tmp_path: Path, ways: tuple[str, ...]) -> None:
    said = call("export", tiny_bundle, "-o", tmp_path / "out", *ways)
    assert said.error == "error: give one of --merge REGISTER, --vllm, --gguf REGISTER"


def test_a_gguf_comes_with_its_command(call, ordinary: Path, tmp_path: Path) -> None:
    (tmp_path / "convert_lora_to_gguf.py").write_text("import sys\nopen(sys.argv[-1], 'w').close()\n")
    out = tmp_path / "my poet.gguf"
    said = call("export", ordinary, "--gguf", "poet", "-o", out, "--llama-cpp", tmp_path)
    converted = f"python {tmp_path}/convert_hf_to_gguf.py BASE --outfile BASE.gguf"
    assert said.out == f"llama-server -m BASE.gguf --lora '{out}'  # BASE.gguf: {converted}\n"
    assert out.is_file()


def test_an_activated_register_is_told_in_one_line(call, tiny_bundle: Path, tmp_path: Path) -> None:
    said = call("export", tiny_bundle, "--gguf", "poet", "-o", tmp_path / "poet.gguf")
    assert said.error.startswith(
        "error: poet: an activated register (activation: scene) acts only from the end of the prompt"
    )
