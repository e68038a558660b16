"""What a base is measured on: only works it never read, evenly, and every token of them once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.contenders import windows
from benchmarks.held_out import Passage, even_share, find_held_out, passages_of
from benchmarks.overlap import shares_in_training
from benchmarks.rublimp import accuracy, read_pairs
from hyperbridge import HyperBridgeError
from hyperbridge.trainers.recipe import PretrainingTexts

RIVER = "Старый паром стоял у другого берега, и никто не помнил, когда он ходил в последний раз.\n"
STOVE = "К вечеру печь остыла, и в избе стало слышно, как за стеной возится и вздыхает корова.\n"


def folder_of(tmp_path: Path, **works: str) -> PretrainingTexts:
    folder = tmp_path / "prose"
    folder.mkdir()
    for name, text in works.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return PretrainingTexts(inputs=[str(folder)], held_out=["prose/Held_*"])


def test_held_out_works_come_by_genre_and_kind(tmp_path: Path) -> None:
    held_out = find_held_out(folder_of(tmp_path, Held_river=RIVER, Read_stove=STOVE), 1000)
    (group,) = held_out.groups
    assert (group.name, group.works, group.characters) == ("prose, new authors", 1, len(RIVER.strip()))
    assert group.passages[0].source == "prose/Held_river.txt"
    assert held_out.already_read == {}


def test_a_work_that_was_read_under_another_name_is_left_out(tmp_path: Path) -> None:
    texts = folder_of(tmp_path, Held_river=RIVER * 3, Held_stove=STOVE, Read_river=RIVER * 4)
    held_out = find_held_out(texts, 1000)
    assert held_out.already_read == {"prose/Held_river.txt": 1.0}
    assert [passage.source for passage in held_out.groups[0].passages] == ["prose/Held_stove.txt"]


def test_nothing_held_out_is_refused(tmp_path: Path) -> None:
    texts = folder_of(tmp_path, Read_stove=STOVE)
    with pytest.raises(HyperBridgeError, match="none of these texts is held out"):
        find_held_out(texts, 1000)


def test_texts_without_the_works_the_recipe_holds_out_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, Held_river=RIVER, **{f"Work_{number}": STOVE for number in range(40)})
    texts = PretrainingTexts(inputs=[str(tmp_path)], held_out=["novels/Held_*"])
    with pytest.raises(HyperBridgeError, match="as they were given to pretraining"):
        find_held_out(texts, 1000)


def test_a_budget_is_shared_evenly_and_short_works_give_all() -> None:
    assert even_share([100, 900, 900], 700) == 300
    works = [Passage("short", "аб " * 500), Passage("long", "где то там\n" * 2000), Passage("long too", "вот\n" * 5000)]
    passages = passages_of(works, 9000)
    assert [len(passage.text) for passage in passages] == pytest.approx([1500, 3750, 3750], abs=11)
    assert passages[1].context.endswith("там\n")
    assert passages[1].text.startswith("где")


def test_many_short_works_give_every_kth_of_them() -> None:
    works = [Passage(str(number), "ровно десять " * 10) for number in range(100)]
    assert [passage.source for passage in passages_of(works, 1300)] == [str(number) for number in range(0, 100, 10)]


def test_every_token_is_scored_once_after_a_quarter_of_a_window() -> None:
    text = list(range(1, 30))
    parts = list(windows([0], text, 8))
    assert [token for _, scored in parts for token in scored] == text
    assert parts[0] == ([0], [1, 2, 3, 4, 5, 6, 7])
    assert parts[1] == ([6, 7], [8, 9, 10, 11, 12, 13])
    assert all(len(context) + len(scored) <= 8 for context, scored in parts)


def test_quotations_count_by_their_share() -> None:
    words = " ".join("абвгдежзик"[number % 10] * (2 + number // 10) for number in range(40))
    works = {"quoting": words, "other": "И никто не помнил, когда он ходил в последний раз."}
    assert shares_in_training(works, [words.upper().split("КККК")[0]]) == {"quoting": pytest.approx(2 / 3), "other": 0}


def test_pairs_are_a_seeded_sample_and_a_tie_is_a_failure(tmp_path: Path) -> None:
    rows = "".join(f"{number},Дом стоит {number}.,Дом стоят {number}.\n" for number in range(50))
    (tmp_path / "number.csv").write_text("id,source_sentence,target_sentence\n" + rows, encoding="utf-8")
    first = read_pairs(tmp_path, 5, seed=1)["number"]
    assert first == read_pairs(tmp_path, 5, seed=1)["number"] != read_pairs(tmp_path, 5, seed=2)["number"]
    assert len({pair.grammatical.text for pair in first}) == 5
    assert accuracy([1.0, 2.0, 3.0, 3.0], [2.0, 2.0, 2.0, 4.0]) == 0.5


def test_the_record_of_a_run_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.nano_ru import main

    folder_of(tmp_path, Held_river=RIVER, Read_stove=STOVE * 3)
    (tmp_path / "number.csv").write_text("id,source_sentence,target_sentence\n7,Дом стоит.,Дом стоят.\n", "utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "output_dir: none\ntexts: {inputs: [], held_out: ['prose/Held_*']}\n"
        "schedule: {stable_steps: 1, decay_steps: 1, block_size: 16}\n",
        encoding="utf-8",
    )
    output = tmp_path / "record.json"
    given = ["--texts", str(tmp_path / "prose"), "--rublimp", str(tmp_path), "--recipe", str(recipe), "-o", str(output)]
    main([*given, "--no-smollm2"])
    record = json.loads(output.read_text(encoding="utf-8"))
    (row,) = record["bits_per_character"]
    assert row["nano-ru"] > 0 < row["5-gram"]
    assert record["rublimp"]["pairs"] == 1
    assert record["models"]["5-gram"]["documents"] == 1
    assert "prose, new authors" in capsys.readouterr().out
