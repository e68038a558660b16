"""The cards of bundles and registers say what an adapter does, what it learned from, and claim nothing nobody said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from hyperbridge.model_cards.bundle_card import BundleFacts, Licences, render_bundle_card, render_register_card

RECIPE: dict[str, Any] = {
    "activation": "always",
    "base": {"model": "somebody/base"},
    "data": {"train": "/home/me/expressions/train.jsonl", "replies": None},
    "lora": {"r": 8, "alpha": 16, "target_modules": ["q_proj", "v_proj"]},
    "training": {
        "epochs": 3.0,
        "max_steps": -1,
        "batch_size": 4,
        "gradient_accumulation_steps": 4,
        "learning_rate": 0.0002,
        "lr_scheduler": "cosine",
        "seed": 0,
    },
}
FACTS = BundleFacts("somebody/base", "0" * 40, {"poet": "поэтический"}, {"poet": "speak"}, RECIPE)


def card_of(facts: BundleFacts, licences: Licences | None = None) -> ModelCard:
    return ModelCard(render_bundle_card(facts, "me/voices", licences or Licences(), picture=False))


def test_how_it_was_trained_is_the_recipes_own() -> None:
    text = card_of(FACTS).text
    assert "Data: `train.jsonl`." in text
    assert "/home/me" not in text
    assert "LoRA rank 8, alpha 16, on q_proj, v_proj; 3 epochs,\n16 expressions of an adapter a step" in text
    assert "activated" not in text


def test_a_run_that_was_cut_short_says_its_steps() -> None:
    recipe = RECIPE | {"training": RECIPE["training"] | {"max_steps": 4}}
    text = card_of(replace(FACTS, recipe=recipe)).text
    assert "q_proj, v_proj; 4 steps," in text
    assert "epochs" not in text


def test_emissions_are_told_where_they_were_measured() -> None:
    run = {"rows": 9, "steps": 2, "validation_loss": None, "seconds": 120.0, "device": "1 x RTX 3090"}
    card = card_of(replace(FACTS, training={"poet": run}))
    assert "took 2.0 minutes on 1 x RTX 3090; its emissions were not measured." in card.text
    assert card.data.get("co2_eq_emissions") is None
    card = card_of(
        replace(FACTS, training={"poet": run | {"energy_kwh": 0.0123, "co2_grams": 4.567, "country": "RUS"}})
    )
    assert "it took 0.0123 kWh and emitted 4.57 g of CO2-equivalent by CodeCarbon's estimate for RUS." in card.text
    assert card.data["co2_eq_emissions"] == {
        "emissions": 4.57,
        "source": "CodeCarbon",
        "training_type": "fine-tuning",
        "geographical_location": "RUS",
        "hardware_used": "1 x RTX 3090",
    }


def test_no_licence_is_claimed_for_the_author() -> None:
    said_nothing = card_of(FACTS, Licences(base="llama3"))
    assert said_nothing.data.license == "other"
    assert "adapters not stated; base llama3; data not stated" in said_nothing.text
    assert card_of(FACTS, Licences(adapters="mit")).data.license == "mit"


@pytest.mark.parametrize(
    ("task", "says", "calls"),
    [
        ("speak", "(поэтический) says a scene", 'bridge.speak("жар+тишина+вход", register="poet")'),
        ("interpret", "(поэтический) turns a text into a scene", "bridge.interpret("),
        ("reply", "(поэтический) replies to a message", "bridge.reply("),
    ],
)
def test_a_card_shows_what_its_adapter_does(task: str, says: str, calls: str) -> None:
    facts = replace(FACTS, tasks={"poet": task}, samples=({"scene": "мост+туман", "voices": {}},))
    bundle, alone = card_of(facts).text, render_register_card(facts, "poet", "me/poet", Licences())
    called = {name for name in ("speak", "interpret", "reply") if f"bridge.{name}(" in bundle}
    assert calls in bundle
    assert called == {task}
    assert says in alone
    assert "## Said" not in alone


def test_a_register_alone_tells_the_system_prompt_it_needs() -> None:
    card = render_register_card(
        replace(FACTS, recipe=RECIPE | {"system_prompt": "Говори."}), "poet", "me/poet", Licences()
    )
    assert "under this system prompt:\n\n> Говори." in card
