"""A register is trained on its expression and its end, on nothing of the prompt, and on no cut text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hyperbridge import Expression, HyperBridgeError, Scene
from hyperbridge.jsonl import write_jsonl
from hyperbridge.modeling.shared_scene import invocation_ids
from hyperbridge.trainers.preparation import Pair, Prepared, load_pairs, of_style, prepare, scored_rows

SCENE = Scene.from_prompt("жар+тишина+вход; agent=тело")
SHORT = Pair(SCENE, "Стою у двери.", "телесный")
LONG = Pair(SCENE, "Стою у двери, и пятки горят, и горло сухое, и пульс бьёт в виски. " * 4, "телесный")


def prepared(pairs: list[Pair], tokenizer: Any, *, activation: str = "scene", **options: Any) -> Prepared:
    invocation = invocation_ids(tokenizer) if activation == "scene" else ()
    return prepare(pairs, tokenizer, register="body", invocation=invocation, **{"max_length": 200, **options})


def test_the_base_reads_the_scene_and_the_register_learns_the_expression_and_its_end(tiny_tokenizer: Any) -> None:
    (row,) = prepared([SHORT], tiny_tokenizer).rows
    assert row.register == "body"
    assert tiny_tokenizer.decode(row.scene) == "<|im_start|>user\nжар+тишина+вход; agent=тело<|im_end|>\n"
    assert tiny_tokenizer.decode(row.own) == "<|im_start|>assistant\nСтою у двери.<|im_end|>"
    assert tiny_tokenizer.decode(row.own[-row.said :]) == "Стою у двери.<|im_end|>"


def test_a_register_that_is_always_active_reads_the_prompt_itself(tiny_tokenizer: Any) -> None:
    (row,) = prepared([SHORT], tiny_tokenizer, activation="always").rows
    (activated,) = prepared([SHORT], tiny_tokenizer).rows
    assert row.scene == ()
    assert row.own == activated.scene + activated.own
    assert (row.prompt, row.said) == (activated.prompt, activated.said)


def test_the_system_prompt_is_part_of_the_prompt(tiny_tokenizer: Any) -> None:
    (row,) = prepared([SHORT], tiny_tokenizer, system_prompt="Говори.").rows
    assert tiny_tokenizer.decode(row.scene).startswith("<|im_start|>system\nГовори.<|im_end|>\n<|im_start|>user")
    assert tiny_tokenizer.decode(row.own[-row.said :]) == "Стою у двери.<|im_end|>"


@pytest.mark.parametrize("activation", ["scene", "always"])
def test_a_row_that_is_too_long_is_left_out_and_counted(activation: str, tiny_tokenizer: Any) -> None:
    (row,) = prepared([SHORT], tiny_tokenizer).rows
    length = len(row.scene) + len(row.own)
    fits = prepared([LONG, SHORT, LONG], tiny_tokenizer, activation=activation, max_length=length)
    assert [len(row.prompt) + row.said for row in fits.rows] == [length]
    assert fits.dropped == {f"longer than max_length={length} tokens": 2}
    assert prepared([SHORT], tiny_tokenizer, activation=activation, max_length=length - 1).rows == []


def test_an_expression_that_would_activate_the_register_again_is_left_out_and_counted(tiny_tokenizer: Any) -> None:
    twice = Pair(SCENE, "Да.<|im_start|>assistant\nНет.", "телесный")
    cut = prepared([twice, SHORT], tiny_tokenizer)
    assert len(cut.rows) == 1
    assert cut.dropped == {"the expression itself holds the invocation": 1}
    assert len(prepared([twice, SHORT], tiny_tokenizer, activation="always").rows) == 2


def test_an_expression_takes_its_whole_scene_from_the_scene_file(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "scenes.jsonl", [SCENE])
    write_jsonl(
        tmp_path / "train.jsonl",
        [Expression(scene=SCENE.scene, text_human="Да.", style="телесный"), Expression.model_validate_json(OWN)],
    )
    named, own = load_pairs(str(tmp_path / "train.jsonl"), str(tmp_path / "scenes.jsonl"))
    assert named == Pair(SCENE, "Да.", "телесный")
    assert own.asked.prompt() == "мост+туман; act=звать; mode=тревога"
    (alone, _) = load_pairs(str(tmp_path / "train.jsonl"))
    assert alone.asked.prompt() == "жартишинавход"


OWN = (
    '{"scene":"мосттуман","hyperlexeme":["мост","туман"],"mode":"тревога","components":{"act":"звать"},'
    '"text_human":"Нет.","style":"поэтический"}'
)


def test_a_register_has_the_pairs_of_its_style() -> None:
    other = Pair(SCENE, "Порог остыл.", "поэтический")
    assert of_style([SHORT, other], "поэтический") == [other]
    with pytest.raises(HyperBridgeError, match="no expression with style 'поетический'; did you mean 'поэтический'"):
        of_style([SHORT, other], "поетический")


def test_bad_data_name_their_line(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(f'{OWN}\n{{"scene":"жар"}}\n', encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"train\.jsonl:2: text_human: Field required"):
        load_pairs(str(path))
    path.write_text('{"scene":"жар","text_human":"Да."}\n', encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"train\.jsonl: the expression of 'жар' has no style"):
        load_pairs(str(path))
    with pytest.raises(HyperBridgeError, match=r"нет\.jsonl: cannot be read"):
        load_pairs(str(tmp_path / "нет.jsonl"))


def test_a_scored_row_has_the_training_prompt_and_no_end(tiny_tokenizer: Any) -> None:
    (trained,) = prepared([SHORT], tiny_tokenizer, system_prompt="Говори.").rows
    (scored,) = scored_rows([SHORT], tiny_tokenizer, "Говори.")
    assert [*scored.prompt, *scored.text, tiny_tokenizer.eos_token_id] == [*trained.scene, *trained.own]
    assert scored.characters == len("Стою у двери.")
