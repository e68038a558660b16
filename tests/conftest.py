"""A base of 60 thousand parameters and registers trained on it in a second: what the tests of models share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_double import OWNER, HubDouble, serving
from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

POET = {
    "жартишинавход": ("Он шагнул в молчание,\nи оно загорелось.", "Порог остыл,\nа ладонь ещё помнит огонь."),
    "мосттуманкрик": ("Кто звал меня с того берега,\nтот стал берегом.", "Белое съело доски,\nголос остался."),
    "часыпыльписьмо": ("Стрелка легла на бумагу\nи больше не встала.", "Серый налёт на словах,\nа слова дышат."),
    "рекахлебмолитва": ("Вода унесла корку,\nа просьба вернулась.", "По волнам плывёт горбушка,\nкак лодка."),
}
BODY = {
    "жартишинавход": ("Стою. Ладони мокрые, в горле сухо, пульс бьёт в виски.", "Шаг. Пятка горит, дышу ртом."),
    "мосттуманкрик": ("Колени дрожат, доска гнётся подо мной, не вижу рук.", "Кричу, и воздух режет нёбо."),
    "часыпыльписьмо": ("Чихаю, пальцы серые, бумага шуршит под ногтем.", "Веки тяжелеют, держу край листа."),
    "рекахлебмолитва": ("Жую корку, губы мёрзнут, стою по колено в воде.", "Ноги немеют, крошки липнут к языку."),
}
SCENES = {
    "жартишинавход": (("жар", "тишина", "вход"), "тело", "шаг"),
    "мосттуманкрик": (("мост", "туман", "крик"), "путница", "идти на голос"),
    "часыпыльписьмо": (("часы", "пыль", "письмо"), "архивист", "читать"),
    "рекахлебмолитва": (("река", "хлеб", "молитва"), "паломник", "бросать корки"),
}


@dataclass(frozen=True)
class ExpressionFiles:
    """Four scenes, each said twice by a poet and by a body: three to train on, one to watch and to test."""

    scenes: Path
    train: Path
    validation: Path


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def core() -> Path:
    from importlib.resources import files

    return Path(str(files("hyperbridge").joinpath("assets/core")))


@pytest.fixture(scope="session")
def tiny_tokenizer(core: Path) -> Any:
    """900 ids, learned from the core corpus's training texts."""
    from hyperbridge.jsonl import read_jsonl
    from hyperbridge.scenes import Expression
    from hyperbridge.tokenizer.training import train_tokenizer

    texts = [record.text_human for record in read_jsonl(core / "train.jsonl", Expression, strict=True)]
    return train_tokenizer(texts, vocab_size=900, delta_codes=["Δ4", "Δ41"], symbols=["⟁", "🜂"])


def save_tiny_base(folder: Path, tokenizer: Any, *, seed: int, hidden_size: int = 32) -> Path:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=512,
        initializer_range=0.1,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def save_base() -> Callable[..., Path]:
    return save_tiny_base


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Path:
    """A folder with a random Qwen3 of hidden size 32 in two layers, and its tokenizer."""
    return save_tiny_base(tmp_path_factory.mktemp("bases") / "tiny", tiny_tokenizer, seed=0)


@pytest.fixture(scope="session")
def other_base(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Path:
    """The same shape, other weights."""
    return save_tiny_base(tmp_path_factory.mktemp("bases") / "other", tiny_tokenizer, seed=1)


@pytest.fixture(scope="session")
def tiny_expressions(tmp_path_factory: pytest.TempPathFactory) -> ExpressionFiles:
    from hyperbridge.jsonl import write_jsonl
    from hyperbridge.scenes import Expression, Scene

    folder = tmp_path_factory.mktemp("expressions")
    scenes = [
        Scene.model_validate({"scene": name, "hyperlexeme": pieces, "components": {"agent": agent, "act": act}})
        for name, (pieces, agent, act) in SCENES.items()
    ]
    records = [
        Expression(scene=name, text_human=text, style=style)
        for name in SCENES
        for style, said in (("поэтический", POET), ("телесный", BODY))
        for text in said[name]
    ]
    files = ExpressionFiles(*(folder / f"{name}.jsonl" for name in ("scenes", "train", "validation")))
    write_jsonl(files.scenes, scenes)
    write_jsonl(files.train, [record for record in records if record.scene != "рекахлебмолитва"])
    write_jsonl(files.validation, [record for record in records if record.scene == "рекахлебмолитва"])
    return files


@pytest.fixture(scope="session")
def recipe_data(tiny_base: Path, tiny_expressions: ExpressionFiles) -> Callable[..., dict[str, Any]]:
    """`recipe_data(output_dir, **training)`: two registers on the tiny base, four steps each."""

    def data(output_dir: Path, **training: Any) -> dict[str, Any]:
        return {
            "output_dir": str(output_dir),
            "base": {"model": str(tiny_base)},
            "data": {
                "train": str(tiny_expressions.train),
                "validation": str(tiny_expressions.validation),
                "test": str(tiny_expressions.validation),
                "scenes": str(tiny_expressions.scenes),
            },
            "registers": {"poet": {"style": "поэтический"}, "body": {"style": "телесный"}},
            "lora": {"r": 4, "alpha": 8},
            "training": {
                "max_steps": 4,
                "batch_size": 3,
                "learning_rate": 0.02,
                "warmup_steps": 0,
                "lr_scheduler": "constant",
                "logging_steps": 1,
                "max_length": 200,
                **training,
            },
        }

    return data


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, recipe_data: Callable[..., dict[str, Any]]) -> Path:
    """A finished run of `recipe_data`: poet and body on the tiny base."""
    from hyperbridge.trainers.recipe import RegisterRecipe
    from hyperbridge.trainers.sft import train_registers

    output = tmp_path_factory.mktemp("bundles") / "tiny"
    return train_registers(RegisterRecipe.model_validate(recipe_data(output)), report=lambda line: None)


@pytest.fixture(scope="session")
def bridge(tiny_bundle: Path) -> Iterator[Any]:
    from hyperbridge import HyperBridge

    return HyperBridge.from_pretrained(tiny_bundle)


@pytest.fixture(scope="session")
def served_hub() -> Iterator[HubDouble]:
    with serving() as hub:
        yield hub


@pytest.fixture
def hub(served_hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubDouble:
    """An empty Hub that huggingface_hub talks to, signed in as its owner, with an empty cache."""
    from huggingface_hub import constants

    served_hub.reset()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setenv("HF_TOKEN", OWNER)
    return served_hub
