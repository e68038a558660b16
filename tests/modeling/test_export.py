"""A register that leaves says elsewhere what it says here; one that cannot leave is told so before any work."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hyperbridge import HyperBridge, HyperBridgeError
from hyperbridge.modeling import export
from hyperbridge.modeling.chat import prompt_ids
from hyperbridge.scenes import Scene
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.sft import train_registers

GREEDY: dict[str, Any] = {"do_sample": False, "no_repeat_ngram_size": 0}
SCENE = "жар+тишина+вход; agent=тело"


@pytest.fixture(scope="module")
def always(tmp_path_factory: pytest.TempPathFactory, recipe_data: Callable[..., dict[str, Any]]) -> Path:
    """A run of ordinary LoRAs."""
    data = recipe_data(tmp_path_factory.mktemp("always") / "run", max_steps=8)
    return train_registers(RegisterRecipe.model_validate(data | {"activation": "always"}), report=lambda line: None)


def test_a_merged_register_says_what_it_said(always: Path, tmp_path: Path) -> None:
    export.merge(str(always), "поэтический", tmp_path / "merged", dtype="float32")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    ids = prompt_ids(tokenizer, Scene.from_prompt(SCENE))
    row = model.generate(torch.tensor([ids]), max_new_tokens=16, **GREEDY)[0]
    bridge = HyperBridge.from_pretrained(always)
    (said,) = bridge.speak(SCENE, register="poet", max_new_tokens=16, **GREEDY)
    assert tokenizer.decode(row[len(ids) :], skip_special_tokens=True).strip() == said
    assert said != bridge.speak(SCENE, register="base", max_new_tokens=16, **GREEDY)[0]


def test_vllm_gets_plain_folders_and_its_command(always: Path, tiny_base: Path, tmp_path: Path) -> None:
    command = shlex.split(export.for_vllm(str(always), tmp_path / "out"))
    assert command[:3] == ["vllm", "serve", str(tiny_base)]
    assert command[-5:] == [
        "--max-lora-rank",
        "8",
        "--lora-modules",
        f"body={tmp_path}/out/body",
        f"poet={tmp_path}/out/poet",
    ]
    assert sorted(path.name for path in (tmp_path / "out/poet").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


@pytest.mark.parametrize("way", ["merge", "vllm", "gguf"])
def test_an_activated_register_cannot_leave(tiny_bundle: Path, tmp_path: Path, way: str) -> None:
    ways: dict[str, Callable[[], object]] = {
        "merge": lambda: export.merge(str(tiny_bundle), "poet", tmp_path / "out"),
        "vllm": lambda: export.for_vllm(str(tiny_bundle), tmp_path / "out"),
        "gguf": lambda: export.to_gguf(str(tiny_bundle), "poet", tmp_path / "out.gguf", llama_cpp=tmp_path),
    }
    with pytest.raises(HyperBridgeError, match=r"an activated register .* train it with activation: always"):
        ways[way]()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_written_over(always: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="is there already"):
        export.merge(str(always), "poet", tmp_path)


def test_a_converter_that_fails_is_one_line(always: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"no convert_lora_to_gguf\.py here"):
        export.to_gguf(str(always), "poet", tmp_path / "out.gguf", llama_cpp=tmp_path)
    (tmp_path / "convert_lora_to_gguf.py").write_text("import sys\nsys.exit('unknown architecture')\n")
    with pytest.raises(HyperBridgeError, match="failed: unknown architecture"):
        export.to_gguf(str(always), "poet", tmp_path / "out.gguf", llama_cpp=tmp_path)


def test_a_converter_gets_the_adapter_and_its_base(always: Path, tiny_base: Path, tmp_path: Path) -> None:
    program = "import sys\nopen(sys.argv[-1], 'w').write(' '.join(sys.argv[1:]))\n"
    (tmp_path / "convert_lora_to_gguf.py").write_text(program)
    export.to_gguf(str(always), "poet", tmp_path / "out.gguf", llama_cpp=tmp_path)
    assert (
        tmp_path / "out.gguf"
    ).read_text() == f"{always}/registers/poet --base {tiny_base} --outfile {tmp_path}/out.gguf"
