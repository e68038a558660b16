"""Scenes and expressions become data sets that the Hub's own library reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hub_double import ENDPOINT, HubDouble
from huggingface_hub import DatasetCard
from typer.testing import CliRunner

from hyperbridge import HyperBridgeError
from hyperbridge.cli.main import app
from hyperbridge.model_cards.scenes_card import size_category

SCENES = [
    {
        "scene": "печьплачсвеча",
        "meta": {"emotion": "страх"},
        "tension": 0.75,
        "modalities": {"text": "Он шёл и плакал."},
    },
    {"scene": "мосттуман", "meta": {"emotion": "страх"}, "tension": 0.3, "modalities": {"text": "Туман."}},
]


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    path = tmp_path / "мои сцены.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in SCENES), encoding="utf-8")
    return path


def push(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["corpus", "push", *arguments])
    if result.exception:
        raise result.exception
    return result.stdout


def test_scenes_are_pushed_as_they_are_with_a_card(hub: HubDouble, scenes: Path) -> None:
    told = push(str(scenes), "owner/scenes", "--license", "cc0-1.0")
    files = hub.files("owner/scenes", kind="datasets")
    assert files["scenes.jsonl"] == scenes.read_bytes()
    card = DatasetCard(files["README.md"].decode())
    card.validate()
    assert (card.data.license, card.data.size_categories) == ("cc0-1.0", ["n<1K"])
    assert "| страх | 2 |" in card.text
    commit = hub.repositories["datasets", "owner/scenes"].refs["main"]
    assert f'load_dataset("owner/scenes", revision="{commit}")' in told
    assert f"{ENDPOINT}/datasets/owner/scenes\n" in told


def test_expressions_keep_the_card_that_was_made_with_them(hub: HubDouble, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"scene":"а","text_human":"б","style":"в"}\n', encoding="utf-8")
    (tmp_path / "README.md").write_text("---\nlicense: other\n---\n# Expressions\n")
    push(str(tmp_path), "owner/pairs", "--license", "mit")
    files = hub.files("owner/pairs", kind="datasets")
    assert sorted(files) == ["README.md", "train.jsonl"]
    assert DatasetCard(files["README.md"].decode()).data.license == "mit"


def test_a_dry_run_pushes_nothing(hub: HubDouble, scenes: Path) -> None:
    assert "# scenes" in push(str(scenes), "owner/scenes", "--dry-run")
    assert hub.repositories == {}


def test_scenes_without_passages_are_not_said_to_be_read(hub: HubDouble, tmp_path: Path) -> None:
    path = tmp_path / "made.jsonl"
    path.write_text('{"scene":"мосттуман","tension":0.75}\n', encoding="utf-8")
    card = push(str(path), "owner/scenes", "--dry-run")
    assert "1 **scenes**: a hyperlexeme" in card
    assert "corpus build" not in card
    assert "words of a passage" not in card
    assert "| tension | scenes |\n|---|---|\n| 0.7–0.8 | 1 |\n\n" in card


def test_what_is_no_data_is_refused(hub: HubDouble, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="make them with hyperbridge corpus pairs"):
        push(str(tmp_path), "owner/pairs")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n")
    with pytest.raises(HyperBridgeError, match=r"bad\.jsonl:1: scene"):
        push(str(bad), "owner/scenes")
    bad.write_text("")
    with pytest.raises(HyperBridgeError, match="no scenes in it"):
        push(str(bad), "owner/scenes")
    bad.write_text('{"scene":"а","text_human":"б","style":"в"}\n', encoding="utf-8")
    with pytest.raises(HyperBridgeError, match="expressions, not scenes; give the folder"):
        push(str(bad), "owner/scenes")


def test_sizes_have_the_hubs_names() -> None:
    assert [size_category(count) for count in (999, 1000, 250_000, 10**9)] == [
        "n<1K",
        "1K<n<10K",
        "100K<n<1M",
        "n>100M",
    ]
