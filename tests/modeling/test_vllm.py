"""Ordinary registers in vLLM say what they say here, token for token; needs an environment of its own (3 GB)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from vllm_environment import build

from hyperbridge import HyperBridge
from hyperbridge.modeling.chat import prompt_ids
from hyperbridge.modeling.export import for_vllm
from hyperbridge.scenes import Scene
from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe
from hyperbridge.trainers.sft import train_registers

SCENES = ("жар+тишина+вход; agent=тело", "мост+туман+крик; agent=путница; act=идти на голос")
TOKENS = 24
# Runs there: adapters by name, prompts in, greedy tokens out.
PROGRAM = """
import json, sys
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest


def main():
    job = json.load(open(sys.argv[1]))
    model = LLM(job["base"], enable_lora=True, max_loras=2, max_lora_rank=16, enforce_eager=True, dtype="float32",
                max_model_len=512, skip_tokenizer_init=True)
    greedy = SamplingParams(temperature=0, max_tokens=job["tokens"], detokenize=False, ignore_eos=True)
    said = {}
    for number, (name, folder) in enumerate(job["adapters"].items(), start=1):
        given = [{"prompt_token_ids": ids} for ids in job["prompts"]]
        outputs = model.generate(given, greedy, lora_request=LoRARequest(name, number, folder))
        said[name] = [list(output.outputs[0].token_ids) for output in outputs]
    json.dump(said, open(job["out"], "w"))


if __name__ == "__main__":  # its engine is another process, which imports this file
    main()
"""


@pytest.mark.slow
def test_vllm_says_the_same_tokens(tmp_path: Path) -> None:
    python = build(Path(os.environ.get("HYPERBRIDGE_VLLM", Path(__file__).parents[2] / ".venv-vllm")))
    changes = [f"output_dir={tmp_path}/run", "training.max_steps=12", "training.epochs=1", "activation=always"]
    recipe = load_recipe("nano-ru/registers", RegisterRecipe, [*changes, "training.scene_cache=0"])
    train_registers(recipe, report=lambda line: None)
    assert "--lora-modules" in for_vllm(str(tmp_path / "run"), tmp_path / "adapters", ["poet", "body"])
    bridge = HyperBridge.from_pretrained(tmp_path / "run")
    prompts = [prompt_ids(bridge.tokenizer, Scene.from_prompt(scene)) for scene in SCENES]
    job = {
        "base": bridge.config.base.path(),
        "adapters": {name: str(tmp_path / "adapters" / name) for name in ("poet", "body")},
        "prompts": prompts,
        "tokens": TOKENS,
        "out": str(tmp_path / "said.json"),
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    (tmp_path / "serve.py").write_text(PROGRAM + "\n")
    alone = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    command = [str(python), str(tmp_path / "serve.py"), str(tmp_path / "job.json")]
    subprocess.run(command, check=True, env=os.environ | alone, cwd=tmp_path)
    there = json.loads((tmp_path / "said.json").read_text())
    for name, rows in there.items():
        for prompt, row in zip(prompts, rows, strict=True):
            assert row == _greedy(bridge, name, prompt)[: len(row)], name
            assert len(row) == TOKENS


def _greedy(bridge: HyperBridge, register: str, prompt: list[int]) -> list[int]:
    """What transformers' own loop says under the adapter, past an end as well."""
    import torch

    bridge.model.set_adapter(register)
    return bridge.model.generate(
        input_ids=torch.tensor([prompt]), do_sample=False, max_new_tokens=TOKENS, min_new_tokens=TOKENS
    )[0, len(prompt) :].tolist()
