"""The bridge speaks a scene in any form, in the register asked for, the same way plain transformers would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from hyperbridge import HyperBridge, HyperBridgeError, Scene
from hyperbridge.modeling.bridge import as_scene
from hyperbridge.modeling.chat import prompt_ids

SCENE = Scene.from_prompt("жар+тишина+вход; agent=тело; act=шаг")
GREEDY: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "no_repeat_ngram_size": 0}


def plain_generation(model: Any, tokenizer: Any, **options: Any) -> str:
    ids = torch.tensor([prompt_ids(tokenizer, SCENE)])
    rows = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, **GREEDY, **options)
    return str(tokenizer.decode(rows[0, ids.shape[1] :], skip_special_tokens=True)).strip()


def test_a_register_says_what_plain_peft_generates(bridge: Any, tiny_bundle: Path, tiny_base: Path) -> None:
    said = {name: bridge.speak(SCENE, name, max_new_tokens=12, **GREEDY)[0] for name in ("poet", "body")}
    for name in said:
        model = PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(tiny_base), tiny_bundle / "registers" / name
        )
        assert said[name] == plain_generation(model, bridge.tokenizer)
    assert said["poet"] != said["body"]


def test_the_base_voice_is_the_bare_base(bridge: Any, tiny_base: Path) -> None:
    bare = plain_generation(AutoModelForCausalLM.from_pretrained(tiny_base), bridge.tokenizer)
    assert bridge.speak(SCENE, "base", max_new_tokens=12, **GREEDY) == [bare]
    assert bridge.speak(SCENE, "poet", max_new_tokens=12, **GREEDY) != [bare]


def test_a_scene_may_be_an_object_json_or_its_prompt(bridge: Any) -> None:
    said = [bridge.speak(form, "poet", max_new_tokens=8, **GREEDY) for form in (SCENE, SCENE.to_json(), SCENE.prompt())]
    assert said[0] == said[1] == said[2]
    assert as_scene(' {"scene":"жар"} ') == as_scene("жар") == Scene(scene="жар")


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        ("", "an empty hyperlexeme part; write жар"),
        ("жар; agnt=тело", "unknown key 'agnt'"),
        ('{"scene":', "scene '{\"scene\":': Invalid JSON: "),
        ('{"scn":"жар"}', "scene: Field required"),
    ],
)
def test_a_scene_that_cannot_be_read_is_explained(bridge: Any, scene: str, message: str) -> None:
    with pytest.raises(HyperBridgeError, match=message):
        bridge.speak(scene, "poet")


def test_several_expressions_come_and_a_seed_repeats_them(bridge: Any) -> None:
    options = {"num_return_sequences": 3, "max_new_tokens": 8, "temperature": 1.0}
    first = bridge.speak(SCENE, "poet", seed=1, **options)
    assert len(set(first)) == 3
    assert bridge.speak(SCENE, "poet", seed=1, **options) == first
    assert bridge.speak(SCENE, "poet", seed=2, **options) != first


def test_an_expression_has_no_control_tokens_and_no_outer_space(bridge: Any) -> None:
    for text in bridge.speak(SCENE, "poet", seed=0, num_return_sequences=16, max_new_tokens=6, temperature=3.0):
        assert "<|" not in text
        assert text == text.strip()


def test_a_register_answers_to_its_name_and_to_its_style(bridge: Any) -> None:
    assert bridge.registers == ("body", "poet")
    assert bridge.styles == {"body": "телесный", "poet": "поэтический"}
    by_name, by_style = (bridge.speak(SCENE, name, max_new_tokens=8, **GREEDY) for name in ("poet", "поэтический"))
    assert by_name == by_style


def test_the_register_in_use_speaks_when_none_is_named(tiny_bundle: Path) -> None:
    bridge = HyperBridge.from_pretrained(tiny_bundle)
    said = {name: bridge.speak(SCENE, name, max_new_tokens=8, **GREEDY) for name in ("body", "poet", "base")}
    assert bridge.speak(SCENE, max_new_tokens=8, **GREEDY) == said["body"]
    assert bridge.use("поэтический").speak(SCENE, max_new_tokens=8, **GREEDY) == said["poet"]
    assert bridge.use("base").speak(SCENE, max_new_tokens=8, **GREEDY) == said["base"]


def test_an_unknown_register_is_named_with_the_nearest(bridge: Any) -> None:
    for call in (lambda: bridge.use("poett"), lambda: bridge.speak(SCENE, "poett")):
        with pytest.raises(HyperBridgeError, match=r"no register 'poett'; did you mean 'poet'\? \(known: base, body"):
            call()


def test_only_the_registers_asked_for_are_loaded(tiny_bundle: Path) -> None:
    bridge = HyperBridge.from_pretrained(tiny_bundle, registers=["poet"])
    assert bridge.registers == ("poet",)
    assert list(bridge.model.peft_config) == ["poet"]


def test_a_bundle_may_move(tiny_bundle: Path, tmp_path: Path, bridge: Any) -> None:
    moved = HyperBridge.from_pretrained(str(shutil.copytree(tiny_bundle, tmp_path / "moved")))
    assert moved.speak(SCENE, "poet", max_new_tokens=8, **GREEDY) == bridge.speak(
        SCENE, "poet", max_new_tokens=8, **GREEDY
    )


def test_text_is_read_into_scenes(bridge: Any) -> None:
    (scene,) = bridge.read(
        "Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся туман.", source="рассказ.txt"
    )
    assert scene.components.agent == "рыбак"
    assert (scene.span.source, scene.span.start, scene.span.end) == ("рассказ.txt", 0, 81)
    with pytest.raises(HyperBridgeError, match="no corpus rules for language 'de'"):
        bridge.read("Der Fischer schwieg.", language="de")
