"""A register that leaves says elsewhere what it says here; one that cannot leave is told so before any work.

llama.cpp is built for the slow tests in an environment of its own (`llama_environment.py`; `HYPERBRIDGE_LLAMA` names
its folder).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from hub_double import HubDouble
from llama_environment import LlamaCpp, build, missing_compilers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from hyperbridge import HyperBridge, HyperBridgeError
from hyperbridge.modeling import export
from hyperbridge.modeling.chat import prompt_ids
from hyperbridge.scenes import Scene
from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe
from hyperbridge.trainers.sft import train_registers

GREEDY: dict[str, Any] = {"do_sample": False, "no_repeat_ngram_size": 0}
SCENE = "жар+тишина+вход; agent=тело"
SCENES = (
    SCENE,
    "мост+туман+крик; agent=путница; act=идти на голос",
    "часы+пыль+письмо; agent=архивист",
    "река+хлеб+молитва; act=бросать корки",
)
TOKENS = 24
# llama.cpp knows a tokenizer by a hash of those that are published, and these bases have one of their own: the model
# is converted without it, for ids in and ids out.
CONVERT = """
import sys

sys.path.insert(0, sys.argv.pop(1))
import convert_hf_to_gguf
from conversion import get_model_class


def ids_only(model):
    model._set_vocab_none()
    model.gguf_writer.add_vocab_size(model.hparams["vocab_size"])


for name in ("Qwen3ForCausalLM", "LlamaForCausalLM"):
    get_model_class(name).set_vocab = ids_only
convert_hf_to_gguf.main()
"""
# Runs there: models with and without a LoRA, prompts in, greedy tokens out. Keys and values are kept in float32, as
# here: llama.cpp's default of 16 bits turns near ties of a random model around.
SAY = """
import itertools, json, sys
from llama_cpp import GGML_TYPE_F32, Llama

job, said = json.load(open(sys.argv[1])), {}
for name, (model, lora) in job["models"].items():
    llama = Llama(model, lora_path=lora, n_ctx=512, type_k=GGML_TYPE_F32, type_v=GGML_TYPE_F32, verbose=False)
    said[name] = [list(itertools.islice(llama.generate(ids, temp=0), job["tokens"])) for ids in job["prompts"]]
json.dump(said, open(sys.argv[2], "w"))
"""


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


def converter(checkout: Path, program: str) -> Path:
    """A checkout whose converter is this program; the arguments are `FOLDER --base BASE --outfile FILE`."""
    (checkout / "convert_lora_to_gguf.py").write_text(f"import shutil, sys\n{program}\n")
    return checkout


def test_a_converter_that_fails_is_one_line_and_leaves_nothing(always: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    with pytest.raises(HyperBridgeError, match=r"no convert_lora_to_gguf\.py here"):
        export.to_gguf(str(always), "poet", out, llama_cpp=tmp_path)
    checkout = converter(tmp_path, "open(sys.argv[-1], 'w').write('half'); sys.exit('unknown architecture')")
    with pytest.raises(HyperBridgeError, match="failed: unknown architecture"):
        export.to_gguf(str(always), "poet", out, llama_cpp=checkout)
    assert [path.name for path in tmp_path.iterdir()] == ["convert_lora_to_gguf.py"]


def test_a_converter_gets_the_adapter_and_its_base(always: Path, tiny_base: Path, tmp_path: Path) -> None:
    checkout = converter(tmp_path, "open(sys.argv[-1], 'w').write(' '.join(sys.argv[1:]))")
    out = export.to_gguf(str(always), "поэтический", tmp_path / "new/out.gguf", llama_cpp=checkout)
    assert out.read_text() == f"{always}/registers/poet --base {tiny_base} --outfile {out}.part"
    with pytest.raises(HyperBridgeError, match="is there already; give -o another file"):
        export.to_gguf(str(always), "poet", out, llama_cpp=checkout)


def test_of_a_base_on_the_hub_only_the_config_is_fetched(
    always: Path, tiny_base: Path, hub: HubDouble, tmp_path: Path
) -> None:
    commit = hub.put("owner/base", {path.name: path.read_bytes() for path in tiny_base.iterdir()})
    hub.put("owner/base", {"config.json": b"{}"})  # later than the registers
    run = on_base(always, tmp_path / "run", {"model": "owner/base", "revision": commit})
    checkout = converter(tmp_path, "open(sys.argv[-1], 'w').write(sys.argv[3])")
    given = Path(export.to_gguf(run, "poet", tmp_path / "out.gguf", llama_cpp=checkout).read_text())
    assert [path.name for path in given.iterdir()] == ["config.json"]
    assert (given / "config.json").read_text() == (tiny_base / "config.json").read_text()


def test_a_gguf_base_tells_its_config_itself(always: Path, tmp_path: Path) -> None:
    write_gguf_header(tmp_path / "small.gguf")
    run = on_base(always, tmp_path / "run", {"model": str(tmp_path), "gguf_file": "small.gguf"})
    checkout = converter(tmp_path, "shutil.copyfile(f'{sys.argv[3]}/config.json', sys.argv[-1])")
    config = json.loads(export.to_gguf(run, "poet", tmp_path / "out.gguf", llama_cpp=checkout).read_text())
    assert (config["architectures"], config["num_attention_heads"]) == (["LlamaForCausalLM"], 9)


def test_a_scaling_that_llama_cpp_has_not_is_refused(always: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(always, tmp_path / "run"))
    path = run / "registers/poet/adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_rslora": True}))
    with pytest.raises(HyperBridgeError, match=r"poet: scaled by use_rslora, which llama\.cpp does not know"):
        export.to_gguf(str(run), "poet", tmp_path / "out.gguf", llama_cpp=tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_compilers()), reason=f"needs a C++ compiler and CMake: no {missing_compilers()}")
@pytest.mark.parametrize("family", ["nano-ru", "llama"])
def test_llama_cpp_says_the_same_tokens(family: str, recipe_data: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    llama = build(Path(os.environ.get("HYPERBRIDGE_LLAMA", Path(__file__).parents[2] / ".venv-llama")))
    recipe = nano_ru(tmp_path) if family == "nano-ru" else tiny_llama(tmp_path, recipe_data, tiny_tokenizer)
    run = str(train_registers(recipe, report=lambda line: None))
    bridge = HyperBridge.from_pretrained(run)
    lora = export.to_gguf(run, "poet", tmp_path / "poet.gguf", llama_cpp=llama.checkout)
    export.merge(run, "poet", tmp_path / "merged", dtype="float32")
    base, merged = (tmp_path / f"{name}-base.gguf" for name in ("bare", "merged"))
    convert_base(Path(bridge.config.base.path()), base, llama)
    convert_base(tmp_path / "merged", merged, llama)
    prompts = [prompt_ids(bridge.tokenizer, Scene.from_prompt(scene)) for scene in SCENES]
    models = {"lora": (str(base), str(lora)), "merged": (str(merged), None), "bare": (str(base), None)}
    there = said_by_llama_cpp({"models": models, "prompts": prompts, "tokens": TOKENS}, llama, tmp_path)
    bridge.model.set_adapter("poet")
    here = [greedy(bridge.model, prompt) for prompt in prompts]
    assert there["lora"] == here
    assert there["merged"] == here
    with bridge.model.disable_adapter():
        assert there["bare"] == [greedy(bridge.model, prompt) for prompt in prompts] != here


def nano_ru(folder: Path) -> RegisterRecipe:
    changes = [f"output_dir={folder}/run", "training.max_steps=12", "training.epochs=1", "activation=always"]
    return load_recipe("nano-ru/registers", RegisterRecipe, [*changes, "training.scene_cache=0"])


def tiny_llama(folder: Path, recipe_data: Any, tokenizer: Any) -> RegisterRecipe:
    """Two registers on a random Llama, whose queries and keys llama.cpp keeps in an order of its own."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(
        **sizes,
        vocab_size=len(tokenizer),
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "llama")
    tokenizer.save_pretrained(folder / "llama")
    data = recipe_data(folder / "run", max_steps=8) | {"activation": "always"}
    return RegisterRecipe.model_validate(data | {"base": {"model": str(folder / "llama")}})


def convert_base(folder: Path, output: Path, llama: LlamaCpp) -> None:
    program = output.with_suffix(".py")
    program.write_text(CONVERT)
    command = [sys.executable, str(program), str(llama.checkout), str(folder), "--outfile", str(output)]
    subprocess.run([*command, "--outtype", "f32"], check=True)


def said_by_llama_cpp(job: dict[str, Any], llama: LlamaCpp, folder: Path) -> dict[str, list[list[int]]]:
    (folder / "say.py").write_text(SAY)
    (folder / "job.json").write_text(json.dumps(job))
    command = [str(llama.python), str(folder / "say.py"), str(folder / "job.json"), str(folder / "said.json")]
    subprocess.run(command, check=True, env=os.environ | {"LLAMA_CPP_LIB_PATH": str(llama.library)})
    said: dict[str, list[list[int]]] = json.loads((folder / "said.json").read_text())
    return said


def greedy(model: Any, prompt: list[int]) -> list[int]:
    """The likeliest token, again and again, past an end as well."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(TOKENS):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def on_base(bundle: Path, copy: Path, base: dict[str, str]) -> str:
    """A copy of a bundle that names another base."""
    shutil.copytree(bundle, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"base": base}))
    return str(copy)


def write_gguf_header(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(256)
    writer.add_embedding_length(72)
    writer.add_feed_forward_length(96)
    writer.add_head_count(9)
    writer.add_head_count_kv(3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
