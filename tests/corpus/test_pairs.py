"""Scenes become training pairs: complete in themselves, split by source, without repetitions."""

from __future__ import annotations

import json

import pytest

from hyperbridge import Expression, HyperBridgeError, Scene
from hyperbridge.corpus.pairs import PairOptions, expression_of, write_pairs
from hyperbridge.jsonl import read_jsonl, write_jsonl

TEXT = "Рыбак вытащил лодку на песок, и над озером поднялся туман"


def scene(source: str = "а.txt", text: str = TEXT, register: str | None = "поэтический", **more: object) -> Scene:
    record = {
        "scene": "рыбакпесоктуман",
        "meta": {"source": source, "density": 0.5, "Δ": "Δ7"},
        "components": {"agent": "рыбак", "act": "вытащить"},
        "modalities": {"text": text},
        "hyperlexeme": ["рыбак", "песок", "туман"],
    }
    return Scene.model_validate({**record, **({"registers": {"primary": register}} if register else {}), **more})


def texts(folder, split: str) -> list[str]:
    return [pair.text_human for pair in read_jsonl(folder / f"{split}.jsonl", Expression, strict=True)]


def test_an_expression_carries_what_the_prompt_needs() -> None:
    given = scene(mode="ожидание", tension=0.7, vector=[0.1], span={"source": "а.txt", "start": 3, "end": 60})
    pair = expression_of(given)
    assert isinstance(pair, Expression)
    assert json.loads(pair.to_json()) == {
        "scene": "рыбакпесоктуман",
        "components": {"agent": "рыбак", "act": "вытащить"},
        "text_human": TEXT,
        "style": "поэтический",
        "target": "человек",
        "mode": "ожидание",
        "tension": 0.7,
        "hyperlexeme": ["рыбак", "песок", "туман"],
        "meta": {"Δ": "Δ7", "source": "а.txt"},
    }
    assert Expression.model_validate_json(pair.to_json()).scene_of().prompt() == given.prompt()


def test_a_source_lies_in_one_split_and_a_glob_can_choose_it(tmp_path) -> None:
    many = [scene(f"книга{book}.txt", f"{TEXT} {book} глава {'и ' * part}") for book in "абв" for part in range(1, 6)]
    write_jsonl(tmp_path / "scenes.jsonl", many)
    counts = write_pairs(
        tmp_path / "scenes.jsonl", tmp_path / "out", PairOptions(test=("*б.txt",), validation=("*в*",))
    )
    assert all(" б глава" in text for text in texts(tmp_path / "out", "test"))
    assert [len(texts(tmp_path / "out", split)) for split in ("train", "validation", "test")] == [5, 5, 5]
    assert counts.pairs == {("поэтический", split): 5 for split in ("train", "validation", "test")}


def test_what_makes_no_pair_is_counted(tmp_path) -> None:
    write_jsonl(
        tmp_path / "scenes.jsonl",
        [
            scene(),
            scene("б.txt", TEXT.upper() + "!"),
            scene(text="Коротко"),
            scene(text=TEXT * 9),
            scene(register=None),
            scene(modalities={}),
        ],
    )
    with (tmp_path / "scenes.jsonl").open("a", encoding="utf-8") as file:
        file.write("{сломано}\n")
    counts = write_pairs(tmp_path / "scenes.jsonl", tmp_path / "out")
    assert counts.dropped == {
        "exact repetition": 1,
        "shorter than 8 words": 1,
        "longer than 60 words": 1,
        "no register": 1,
        "no passage text": 1,
    }
    assert [bad.line for bad in counts.bad_lines] == [7]
    assert counts.warnings() == [
        "register 'поэтический' has no test source: add sources of it, or name one with --test SOURCE-GLOB"
    ]


def test_a_cap_keeps_the_same_training_pairs_in_any_order_and_every_test_pair(tmp_path) -> None:
    many = [scene(f"{number}.txt", f"{TEXT} {'ещё ' * number}") for number in range(20)]
    for name, scenes in (("there", many), ("back", many[::-1])):
        write_jsonl(tmp_path / f"{name}.jsonl", scenes)
        counts = write_pairs(tmp_path / f"{name}.jsonl", tmp_path / name, PairOptions(per_register=6))
        assert counts.pairs["поэтический", "train"] == 6
        assert counts.pairs.total() + counts.dropped.total() == 20
        assert set(counts.dropped) == {"over the cap of its register"}
    for split in ("train", "validation", "test"):
        assert sorted(texts(tmp_path / "there", split)) == sorted(texts(tmp_path / "back", split))


def test_the_data_card_loads_the_splits_and_tells_the_counts(tmp_path) -> None:
    write_jsonl(tmp_path / "scenes.jsonl", [scene(), scene("б.txt", "Дождь " * 8, "телесный")])
    write_pairs(tmp_path / "scenes.jsonl", tmp_path / "out", PairOptions(test=("б.txt",)))
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage:\n- ru\nlicense: other\n")
    assert "  - split: train\n    path: train.jsonl\n  - split: test\n    path: test.jsonl\n" in card
    assert "| телесный | 0 (0) | 0 (0) | 1 (1) | 1 |" in card


@pytest.mark.parametrize("options", [{"min_words": 9, "max_words": 8}, {"min_words": 0}, {"per_register": 0}])
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(HyperBridgeError, match=r"need 0 < min_words|above 0"):
        PairOptions(**options)
