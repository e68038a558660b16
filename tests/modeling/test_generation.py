"""Many voices at once say what each would say alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from hyperbridge import HyperBridge, HyperBridgeError, Scene
from hyperbridge.modeling import shared_scene
from hyperbridge.modeling.bridge import Line
from hyperbridge.modeling.chat import prompt_ids
from hyperbridge.modeling.generation import Request, Sampling, generate

SCENES = ("жар+тишина+вход; agent=тело; act=шаг", "мост", "часы+пыль+письмо; agent=архивист; act=читать")
GREEDY = Sampling(do_sample=False, no_repeat_ngram_size=0, max_new_tokens=12)


@pytest.fixture(scope="module", params=["scene", "always"])
def bundle(request: Any, recipe_data: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hyperbridge.trainers.recipe import RegisterRecipe
    from hyperbridge.trainers.sft import train_registers

    data = recipe_data(tmp_path_factory.mktemp("bundles") / request.param, eval_per_epoch=False, max_steps=8)
    recipe = RegisterRecipe.model_validate(data | {"activation": request.param})
    return train_registers(recipe, report=lambda line: None)


def alone(bundle: Path, base: Path, tokenizer: Any, line: Line) -> list[int]:
    """The token ids plain PEFT gives for one line."""
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if line.register != "base":
        model = PeftModel.from_pretrained(model, bundle / "registers" / line.register)
    ids = torch.tensor([prompt_ids(tokenizer, Scene.from_prompt(str(line.scene)))])
    options = {
        "do_sample": False,
        "no_repeat_ngram_size": line.sampling.no_repeat_ngram_size,
        "repetition_penalty": line.sampling.repetition_penalty,
        "max_new_tokens": line.sampling.max_new_tokens,
    }
    rows = model.generate(ids, attention_mask=torch.ones_like(ids), temperature=None, top_p=None, **options)
    return rows[0, ids.shape[1] :].tolist()


def test_a_mixed_batch_is_plain_peft_one_by_one_token_for_token(bundle: Path, tiny_base: Path) -> None:
    bridge = HyperBridge.from_pretrained(bundle)
    lines = [
        Line(scene, register, GREEDY.model_copy(update={"max_new_tokens": length}))
        for scene, length in zip(SCENES, (12, 3, 7), strict=True)
        for register in ("poet", "base", "body")
    ]
    lines.append(Line(SCENES[0], "poet", Sampling(temperature=0, no_repeat_ngram_size=2, repetition_penalty=1.3)))
    requests = [
        Request(tuple(prompt_ids(bridge.tokenizer, Scene.from_prompt(line.scene))), line.register, line.sampling)
        for line in lines
    ]
    said: dict[int, list[int]] = {}
    for token in generate(bridge.bank, requests, eos_token_ids=[bridge.tokenizer.eos_token_id], pad_token_id=0):
        said.setdefault(token.row, []).append(token.token_id)
    for number, line in enumerate(lines):
        assert said[number] == alone(bundle, tiny_base, bridge.tokenizer, line), line


def test_a_scene_is_read_once_for_all_registers_and_again_for_none(
    bridge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read = shared_scene._read

    def count(model: Any, scenes: Any, pad: int) -> Any:
        reads.append(len(scenes))
        return read(model, scenes, pad)

    monkeypatch.setattr(shared_scene, "_read", count)
    said = bridge.speak("река+лёд", registers="all", num_return_sequences=2, do_sample=False, max_new_tokens=4)
    assert reads == [1]
    assert list(said) == ["body", "poet"]
    assert bridge.use("poet").speak("река+лёд", do_sample=False, max_new_tokens=4) == said["poet"][:1]
    assert bridge.use("base").speak("река+лёд", do_sample=False, max_new_tokens=4)
    assert reads == [1]
    assert bridge.speak("река+мёд", max_new_tokens=4)
    assert reads == [1, 1]


def test_what_a_row_says_depends_on_its_seed_and_not_on_its_neighbours(bridge: Any) -> None:
    hot = Sampling(temperature=1.5, max_new_tokens=10)
    lines = [Line(scene, register, hot, seed) for seed, scene in enumerate(SCENES) for register in ("poet", "body")]
    together = bridge.say(lines)
    assert together == [bridge.say([line])[0] for line in lines]
    assert bridge.say(reversed(lines)) == together[::-1]
    assert bridge.say([Line(SCENES[0], "poet", hot, 99)]) != together[:1]


def test_the_pieces_of_a_stream_join_to_the_texts(bridge: Any) -> None:
    lines = [Line(scene, "poet", Sampling(temperature=2.0, max_new_tokens=20), 5) for scene in SCENES]
    texts, ended = [""] * 3, []
    for piece in bridge.stream(lines):
        texts[piece.line] += piece.text
        ended += [piece.line] * piece.last
    assert texts == bridge.say(lines)
    assert sorted(ended) == [0, 1, 2]


def test_a_row_that_ends_frees_its_place(bridge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    forward = type(bridge.bank.base).forward

    def count(self: Any, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        rows.append(len(input_ids))
        return forward(self, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(type(bridge.bank.base), "forward", count)
    lines = [Line("мост", "poet", GREEDY.model_copy(update={"max_new_tokens": length})) for length in (1, 3, 3, 5)]
    requests = [
        Request(tuple(prompt_ids(bridge.tokenizer, Scene(scene="мост"))), "poet", line.sampling) for line in lines
    ]
    list(generate(bridge.bank, requests, eos_token_ids=[], pad_token_id=0))
    assert rows == [4, 3, 3, 1, 1]


def test_between_two_tokens_the_caller_may_train(bridge: Any) -> None:
    pieces = bridge.stream([Line("мост", "poet", GREEDY)])
    next(pieces)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_nothing_to_say_is_nothing_said(bridge: Any) -> None:
    assert bridge.say([]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temprature": 1.0}, "unknown sampling option 'temprature'; did you mean 'temperature'"),
        ({"top_p": 1.5}, "sampling: top_p: "),
        ({"max_new_tokens": 0}, "sampling: max_new_tokens: "),
    ],
)
def test_a_wrong_option_is_explained(bridge: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HyperBridgeError, match=message):
        bridge.speak("мост", "poet", **options)
    with pytest.raises(HyperBridgeError, match=r"give register \(one\) or registers \(several\), not both"):
        bridge.speak("мост", "poet", registers="all")
