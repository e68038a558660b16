"""How the weights of clauses are fitted: whose words are laid over whose, and what a choice teaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fit_clauses import Choice, fit_choices, lay_over, main, read_examples
from hyperbridge.errors import HyperBridgeError

SENTENCE = """# sent_id = own-{number}
1	Садовник	садовник	NOUN	_	Case=Nom|Gender=Masc|Number=Sing	2	nsubj	_	_
2	поливал	поливать	VERB	_	Gender=Masc|Number=Sing|Tense=Past|VerbForm=Fin	0	root	_	_
3	розы	роза	NOUN	_	Case=Acc|Number=Plur	2	obj	_	SpaceAfter=No
4	.	.	PUNCT	_	_	2	punct	_	_
"""


def test_each_gold_word_lies_in_the_token_that_holds_its_first_letter() -> None:
    assert lay_over(["кто", "-", "то", "ушёл"], ["Кто-то", "ушёл"]) == {0: 0, 2: 0, 3: 1}
    assert lay_over(["дом", "стоит"], ["дом", "стоял"]) == {}


def test_other_dashes_quotes_and_stress_marks_do_not_part_the_words() -> None:
    assert lay_over(["``", "О́кунь", "''", "--", "рыба"], ["«", "Окунь", "»", "—", "рыба"]) == {1: 1, 4: 4}


def test_a_cue_of_the_right_options_weighs_more() -> None:
    weights = fit_choices([Choice((("good", "first"), ("bad",)), 0), Choice((("bad", "first"), ("good",)), 1)] * 5)
    assert weights["good"] > 0 > weights["bad"]
    assert weights["first"] == 0


def test_only_the_fitted_part_is_read_and_the_bytes_are_equal_twice(tmp_path: Path) -> None:
    text = "\n".join(SENTENCE.format(number=number) for number in range(12))
    (tmp_path / "ru_own-ud-dev.conllu").write_text(text, "utf-8")
    assert {example.gold.part for example in read_examples(tmp_path)} == {"fitted"}
    outputs = [tmp_path / "one.json", tmp_path / "two.json"]
    for output in outputs:
        main([str(tmp_path), "-o", str(output)])
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_a_folder_without_a_treebank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="no treebank"):
        read_examples(tmp_path)
