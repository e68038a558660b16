"""The card of an extended base says what it is made of, and its metadata are valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from hyperbridge import HyperBridgeError
from hyperbridge.model_cards.extended_base_card import CardFigures, main, render_extended_base_card
from hyperbridge.tokenizer.extension import Extension, NewToken, Unit

FIGURES = {
    "measured_by": "python -m benchmarks.graft",
    "machine": "a test's",
    "texts": {
        "prose": {
            "tokens per word": {"base": 5.25, "extended": 2.5},
            "bits per character": {"base": 2.928, "extended": 3.1},
        },
        "verse": {
            "tokens per word": {"base": 6.0, "extended": 3.0},
            "bits per character": {"base": 3.45, "extended": 3.5},
        },
    },
    "generation": {"passed over": 1},
}


def extended_base(folder: Path, base: dict[str, str], *, steps: int = 40) -> Path:
    Extension(
        base=base["model"],
        base_sha256="0",
        family="byte-level",
        base_size=10,
        tokens=(
            NewToken(id=10, text="туман", constituents=(1, 2), merge=("ту", "ман")),
            NewToken(id=11, text="⟁", constituents=(3, 4), unit=Unit(text="⟁", kind="symbol")),
            NewToken(id=12, text="🜂", constituents=(5, 4), unit=Unit(text="🜂", kind="symbol")),
        ),
    ).save(folder)
    graft: dict[str, Any] = {"new_tokens": 3, "rows": 64, "tied": True, "start": "weighted", "steps": steps}
    graft |= {"seconds": 120.0} if steps else {}
    (folder / "graft.json").write_text(json.dumps({"base": base, **graft}), encoding="utf-8")
    return folder


@pytest.fixture
def on_hub(tmp_path: Path) -> Path:
    return extended_base(tmp_path, {"model": "somebody/small", "revision": "0123abcd", "sha256": "ef" * 32})


def test_the_card_names_the_base_and_counts_the_new_tokens(on_hub: Path) -> None:
    card = ModelCard(render_extended_base_card(on_hub, repo_id="me/small-ru", licence="apache-2.0"))
    assert (card.data.base_model, card.data.base_model_relation) == ("somebody/small", "finetune")
    assert (card.data.license, card.data.library_name) == ("apache-2.0", "transformers")
    assert 'from_pretrained("me/small-ru")' in card.text
    assert "| merge | 1 |\n| symbol | 2 |" in card.text
    assert "(tied weights). It took 2 minutes; its emissions were not measured." in card.text
    assert "revision `0123abcd`" in card.text
    assert "trained for 40 steps by token distillation" in card.text
    assert "Figures" not in card.text


def test_figures_are_in_the_table_and_in_the_metadata(on_hub: Path) -> None:
    card = ModelCard(render_extended_base_card(on_hub, CardFigures.model_validate(FIGURES)))
    assert "| text | tokens per word, base | extended | bits per character, base | extended |\n|---|" in card.text
    assert "| prose | 5.250 | 2.500 | 2.928 | 3.100 |\n| verse | 6.000 |" in card.text
    assert {(one.dataset_name, one.metric_type, one.metric_value) for one in card.data.eval_results} == {
        ("held-out works: prose", "tokens_per_word", 2.5),
        ("held-out works: prose", "bits_per_character", 3.1),
        ("held-out works: verse", "tokens_per_word", 3.0),
        ("held-out works: verse", "bits_per_character", 3.5),
    }


def test_a_path_of_this_machine_is_not_published(tmp_path: Path) -> None:
    folder = extended_base(tmp_path, {"model": "/home/me/bases/small", "sha256": "ef" * 32}, steps=0)
    text = render_extended_base_card(folder)
    assert "/home/me" not in text
    assert ModelCard(text).data.base_model is None
    assert "small with 3 new tokens" in text
    assert "were not trained" in text


def test_the_command_writes_the_readme(on_hub: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps(FIGURES), encoding="utf-8")
    main([str(on_hub), "--figures", str(figures), "--license", "mit"])
    assert ModelCard.load(on_hub / "README.md").data.license == "mit"
    assert "| prose | 5.250 |" in (on_hub / "README.md").read_text(encoding="utf-8")


def test_a_folder_that_is_no_finished_graft_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"graft\.json: cannot be read: .*; give a folder of a finished graft"):
        render_extended_base_card(tmp_path)


def test_figures_of_another_kind_are_refused_in_one_line(on_hub: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text('{"texts": {}}', encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"figures\.json: measured_by: Field required.*; give the JSON of"):
        CardFigures.read(figures)
    with pytest.raises(HyperBridgeError, match=r"none\.json: cannot be read"):
        CardFigures.read(tmp_path / "none.json")
