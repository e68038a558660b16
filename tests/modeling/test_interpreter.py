"""An interpreter turns text into scenes, a synthesizer replies to a message with scenes; both beside the registers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hyperbridge import HyperBridge, HyperBridgeError
from hyperbridge.modeling.bridge import parsed
from hyperbridge.scenes import Scene
from hyperbridge.trainers.preparation import Pair, pairs_of
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.sft import train_registers

SAID = "Стою. Ладони мокрые, в горле сухо, пульс бьёт в виски."


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, recipe_data: Callable[..., dict[str, Any]]) -> RegisterRecipe:
    folder = tmp_path_factory.mktemp("tasks")
    reply = {"message": "Кто там?", "scenes": [{"scene": "мосттуман", "hyperlexeme": ["мост", "туман"]}], "reply": "Я."}
    (folder / "replies.jsonl").write_text(json.dumps(reply, ensure_ascii=False) + "\n", encoding="utf-8")
    data = recipe_data(folder / "run", max_steps=120)
    data["data"]["replies"] = {"train": str(folder / "replies.jsonl")}
    data["registers"] = {
        "body": {"style": "телесный"},
        "scene_interpreter": {"style": "интерпретатор", "task": "interpret"},
        "response_synthesizer": {"style": "синтезатор", "task": "reply"},
    }
    return RegisterRecipe.model_validate(data)


@pytest.fixture(scope="module")
def taught(recipe: RegisterRecipe) -> HyperBridge:
    return HyperBridge.from_pretrained(train_registers(recipe, report=lambda line: None))


def test_an_interpreter_learns_from_all_styles_the_other_way_round(recipe: RegisterRecipe) -> None:
    pairs = pairs_of(recipe, "train")
    assert {pair.style for pair in pairs["body"]} == {"телесный"}
    assert len(pairs["scene_interpreter"]) == 2 * len(pairs["body"])
    assert Pair(SAID, "жар+тишина+вход; agent=тело; act=шаг", "интерпретатор") in pairs["scene_interpreter"]


def test_a_synthesizer_reads_the_message_and_its_scenes(recipe: RegisterRecipe) -> None:
    assert pairs_of(recipe, "train")["response_synthesizer"] == [Pair("Кто там?\nмост+туман", "Я.", "синтезатор")]


def test_the_bridge_knows_what_each_adapter_does(taught: HyperBridge) -> None:
    assert taught.registers == ("body",)
    assert taught.tasks["scene_interpreter"] == "interpret"
    assert set(taught.speak("мост+туман", registers="all", max_new_tokens=2)) == {"body"}


def test_a_text_it_was_taught_becomes_its_scene(taught: HyperBridge) -> None:
    (scene,) = taught.interpret(SAID)
    assert scene == Scene.from_prompt("жар+тишина+вход; agent=тело; act=шаг")


def test_a_message_it_was_taught_gets_its_reply(taught: HyperBridge) -> None:
    assert taught.reply("Кто там?", ["мост+туман"], do_sample=False) == ["Я."]


def test_what_is_no_scene_is_left_out() -> None:
    assert parsed("жар+тишина; agent=тело") is not None
    assert parsed("жар++тишина") is None
    assert parsed("") is None


def test_a_bundle_without_an_interpreter_says_so(bridge: HyperBridge) -> None:
    with pytest.raises(HyperBridgeError, match="no adapter of this bundle can interpret"):
        bridge.interpret("Он вошёл.")


def test_a_synthesizer_needs_replies(recipe_data: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    data = recipe_data(tmp_path)
    data["registers"] = {"one": {"style": "синтезатор", "task": "reply"}}
    with pytest.raises(ValueError, match=r"data\.replies\.train must name a file"):
        RegisterRecipe.model_validate(data)
