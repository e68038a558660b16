"""A base from nothing: it loads with plain transformers, never reads held-out works, and resumes bit by bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.packing import PackedBlocks
from hyperbridge.trainers.pretrain import is_held_out, pretrain, training_texts
from hyperbridge.trainers.recipe import PretrainRecipe

SENTENCE = "Над рекой стоял туман, и старик молча смотрел, как лодка уходит к другому берегу. "
BLOCKS_A_STEP = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training works, one that `split_of` calls test, one kept out by name, and chats of both kinds."""
    folder = tmp_path_factory.mktemp("pretraining") / "prose"
    folder.mkdir()
    for name, word in (("Сад", "крыльцо"), ("Река", "перевоз"), ("Мост", "отметина"), ("Лес", "берлога")):
        (folder / f"{name}.txt").write_text(f"{SENTENCE}{word.capitalize()} пустовало. " * 30, encoding="utf-8")
    chats = [
        {"scene": "туман", "text_human": "Белое съело доски.", "meta": {"source": "prose/Сад.txt"}},
        {"scene": "медведь", "text_human": "Спит берлога.", "meta": {"source": "prose/Лес.txt"}},
    ]
    lines = "".join(json.dumps(chat, ensure_ascii=False) + "\n" for chat in chats * 8)
    (folder.parent / "chats.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def recipe(data: Path, tmp_path: Path) -> PretrainRecipe:
    return recipe_for(data, tmp_path / "base")


def recipe_for(data: Path, output: Path) -> PretrainRecipe:
    return PretrainRecipe.model_validate(
        {
            "output_dir": str(output),
            "tokenizer": {"vocab_size": 360},
            "architecture": {
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "intermediate_size": 24,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                "head_dim": 8,
                "max_position_embeddings": 64,
            },
            "texts": {
                "inputs": [str(data)],
                "held_out": ["prose/Л*"],
                "chats": str(data.parent / "chats.jsonl"),
                "chat_share": 1.0,
            },
            "schedule": {
                "warmup_steps": 1,
                "stable_steps": 3,
                "decay_steps": 2,
                "block_size": 16,
                "micro_batch_size": BLOCKS_A_STEP,
                "gradient_accumulation_steps": 1,
                "torch_compile": False,
                "save_steps": 2,
            },
        }
    )


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Every block that a training run asks for, in order."""
    seen: list[list[int]] = []
    read = PackedBlocks.__getitem__

    def spy(self: PackedBlocks, index: int) -> dict[str, torch.Tensor]:
        block = read(self, index)
        seen.append(block["input_ids"].tolist())
        return block

    monkeypatch.setattr(PackedBlocks, "__getitem__", spy)
    return seen


def test_a_base_loads_with_plain_transformers_and_has_read_no_held_out_work(
    recipe: PretrainRecipe, blocks: list[list[int]]
) -> None:
    output = pretrain(recipe)
    tokenizer = AutoTokenizer.from_pretrained(output)
    model = AutoModelForCausalLM.from_pretrained(output)
    assert (model.config.model_type, model.dtype, model.config.use_cache) == ("qwen3", torch.bfloat16, True)
    assert model.config.vocab_size == len(tokenizer) == 360
    ids = tokenizer("Над рекой", return_tensors="pt")
    assert model.generate(**ids, max_new_tokens=4, do_sample=False).shape == (1, ids.input_ids.shape[1] + 4)
    read = [tokenizer.decode(block) for block in blocks]
    assert len(read) == 6 * BLOCKS_A_STEP
    assert [text for text in read[:8] if "<|im_start|>" in text] == []
    assert [text for text in read[8:] if "<|im_" not in text] == []
    assert [text for text in read if "отмет" in text or "берл" in text or "медв" in text] == []


def test_the_texts_are_those_of_training_works_only(data: Path, recipe: PretrainRecipe) -> None:
    texts = list(training_texts(recipe.texts.model_copy(update={"repeat": {"prose": 2}})))
    assert [("Перевоз" in text, "Крыльцо" in text) for text in texts] == [(True, False)] * 2 + [(False, True)] * 2
    assert is_held_out("prose/Мост.txt", [])
    assert is_held_out("prose/Лес.txt", ["prose/Л*"])
    assert not is_held_out("prose/Сад.txt", ["prose/Л*"])


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(recipe_for(data, tmp_path / "whole"))
    interrupted = recipe_for(data, tmp_path / "interrupted")
    read = PackedBlocks.__getitem__

    def power_cut(self: PackedBlocks, index: int) -> dict[str, torch.Tensor]:
        if index == 5 * BLOCKS_A_STEP:
            raise KeyboardInterrupt
        return read(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(PackedBlocks, "__getitem__", power_cut)
        with pytest.raises(KeyboardInterrupt):
            pretrain(interrupted)
    assert [path.name for path in (tmp_path / "interrupted" / "checkpoints").glob("checkpoint-4")] == ["checkpoint-4"]
    with pytest.raises(HyperBridgeError, match=r"interrupted: holds an unfinished run; continue it with --resume"):
        pretrain(interrupted)
    steps = []
    step = Trainer.training_step

    def count(self: Trainer, *args: Any, **kwargs: Any) -> Any:
        steps.append(self.state.global_step)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", count)
    pretrain(interrupted, resume=True)
    assert steps == [4, 5]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "interrupted")]
    assert weights[0] == weights[1]
    with pytest.raises(HyperBridgeError, match="interrupted: this base is finished; choose another output_dir"):
        pretrain(interrupted, resume=True)


def test_there_is_nothing_to_resume_where_nothing_was_started(recipe: PretrainRecipe) -> None:
    with pytest.raises(HyperBridgeError, match="base: no checkpoint to resume from; start without --resume"):
        pretrain(recipe, resume=True)


def test_a_recipe_without_texts_is_refused(recipe: PretrainRecipe) -> None:
    empty = recipe.model_copy(update={"texts": recipe.texts.model_copy(update={"inputs": []})})
    with pytest.raises(HyperBridgeError, match=r"texts\.inputs is empty; name the folders"):
        pretrain(empty)
    assert not Path(recipe.output_dir).exists()
