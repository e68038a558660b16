"""What a gold tree says of agent and act, and how readings are scored against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge.errors import HyperBridgeError
from hyperbridge.evaluation.components import (
    SlotScore,
    evaluate_components,
    evaluate_confidence,
    read_conllu,
    score_components,
    tree_slots,
)

GARDENER = """# sent_id = own-1
# genre = fiction
# text = Садовник поливал розы.
1	Садовник	садовник	NOUN	_	Case=Nom|Gender=Masc|Number=Sing	2	nsubj	_	_
2	поливал	поливать	VERB	_	Gender=Masc|Number=Sing|Tense=Past|VerbForm=Fin	0	root	_	_
3	розы	роза	NOUN	_	Case=Acc|Number=Plur	2	obj	_	SpaceAfter=No
4	.	.	PUNCT	_	_	2	punct	_	_
"""
HELPER = """# sent_id = own-2
1	Мы	мы	PRON	_	Case=Nom	3	nsubj	_	_
2	не	не	PART	_	_	3	advmod	_	<br/>
3	смогли	смочь	VERB	_	VerbForm=Fin	0	root	_	_
3.1	_	_	_	_	_	_	_	_	_
4	уснуть	уснуть	VERB	_	VerbForm=Inf	3	xcomp	_	_
"""
STATE = """# sent_id = own-3
1	Вечер	вечер	NOUN	_	Case=Nom	2	nsubj	_	_
2	холоден	холодный	ADJ	_	Variant=Short	0	root	_	_
"""
NEED = """# sent_id = own-4
1	Надо	надо	VERB	_	_	0	root	_	_
2	спешить	спешить	VERB	_	VerbForm=Inf	1	csubj	_	_
"""
PASSIVE = """# sent_id = own-5
1	Мост	мост	NOUN	_	Case=Nom	2	nsubj:pass	_	_
2	построен	построить	VERB	_	VerbForm=Part|Voice=Pass	0	root	_	_
3	солдатом	солдат	NOUN	_	Case=Ins	2	obl:agent	_	_
"""
MIDDLE = """# sent_id = own-6
1	Мост	мост	NOUN	_	Case=Nom	2	nsubj:pass	_	_
2	строится	строить	VERB	_	VerbForm=Fin|Voice=Pass	0	root	_	_
"""


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    path = tmp_path / "ru_own-ud-dev.conllu"
    path.write_text("\n".join((GARDENER, HELPER, STATE, NEED)), "utf-8")
    return path


def test_a_treebank_gives_its_sentences_with_text_genre_and_tree(treebank: Path) -> None:
    first, second, *rest = read_conllu(treebank)
    assert (first.sent_id, first.treebank, first.genre, first.text) == (
        "own-1",
        "ru_own",
        "fiction",
        "Садовник поливал розы.",
    )
    assert [(word.lemma, word.head, word.rel) for word in first.words[:2]] == [
        ("садовник", 1, "nsubj"),
        ("поливать", -1, "root"),
    ]
    assert second.text == "Мы не\nсмогли уснуть"
    assert len(second.words) == 4
    assert len(rest) == 2


def test_signs_that_a_treebank_escapes_are_read_plainly(tmp_path: Path) -> None:
    path = tmp_path / "ru_own-ud-dev.conllu"
    path.write_text(GARDENER.replace("розы\tроза", "роз&#39;ы\tроза"), "utf-8")
    (sentence,) = read_conllu(path)
    assert sentence.text == "Садовник поливал роз'ы."
    assert sentence.words[2].text == "роз'ы"


def test_a_sentence_is_verse_where_its_genre_or_treebank_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ru_poetry-ud-dev.conllu"
    path.write_text(STATE, "utf-8")
    assert read_conllu(path)[0].verse
    path = tmp_path / "ru_own-ud-dev.conllu"
    path.write_text(STATE, "utf-8")
    assert not read_conllu(path)[0].verse


def test_what_a_tree_says(treebank: Path) -> None:
    assert [tree_slots(sentence.words) for sentence in read_conllu(treebank)] == [
        {"agent": "садовник", "act": "поливать"},
        {"agent": "мы", "act": "уснуть"},
        {"agent": "вечер"},
        {"act": "спешить"},
    ]
    assert tree_slots([]) == {}


def test_of_a_passive_the_doer_is_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "ru_own-ud-dev.conllu"
    path.write_text("\n".join((PASSIVE, PASSIVE.replace("obl:agent", "obl"), MIDDLE)), "utf-8")
    assert [tree_slots(sentence.words) for sentence in read_conllu(path)] == [
        {"agent": "солдат", "act": "построить"},
        {"act": "построить"},
        {"agent": "мост", "act": "строиться"},
    ]


def test_a_slot_counts_where_one_side_has_it() -> None:
    scores = score_components(
        [
            ({"agent": "Ёлка", "act": "упасть"}, {"agent": "елка", "act": "не упасть"}),
            ({"agent": "кот"}, {"act": "спать"}),
            ({}, {"agent": "дом"}),
            ({}, {}),
        ]
    )
    assert scores == {"agent": SlotScore(gold=2, found=2, right=1), "act": SlotScore(gold=1, found=2, right=1)}
    assert (scores["act"].precision, scores["act"].recall, round(scores["act"].f1, 3)) == (0.5, 1.0, 0.667)
    assert score_components([])["act"].f1 == 0.0


@pytest.fixture
def plain_treebank(tmp_path: Path) -> Path:
    path = tmp_path / "ru_own-ud-dev.conllu"
    path.write_text("\n".join(GARDENER.replace("own-1", f"own-{number}") for number in range(8)), "utf-8")
    return path


def test_every_group_and_part_has_the_reader_beside_the_bare_tree(plain_treebank: Path) -> None:
    records = evaluate_components([plain_treebank])
    assert {record["group"] for record in records} == {"ru_own", "ru_own fiction", "prose"}
    assert {(record["way"], record["slot"], record["f1"]) for record in records} == {
        ("reader", "agent", 1.0),
        ("reader", "act", 1.0),
        ("tree", "agent", 1.0),
        ("tree", "act", 1.0),
    }
    sizes = {(record["group"], record["part"]): record["sentences"] for record in records}
    assert (sizes["prose", "fitted"], sizes["prose", "held-out"]) == (4, 4)


def test_confidence_is_judged_on_the_held_out_part(plain_treebank: Path) -> None:
    assert [
        (record["slot"], record["found"], record["precision"]) for record in evaluate_confidence([plain_treebank])
    ] == [
        ("act", 4, 1.0),
        ("agent", 4, 1.0),
    ]


def test_a_file_that_is_no_treebank_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "text.conllu"
    path.write_text("# sent_id = a\nпросто строка\n", "utf-8")
    with pytest.raises(HyperBridgeError, match=r"text\.conllu:2: 1 columns"):
        read_conllu(path)
    with pytest.raises(HyperBridgeError, match="no such treebank"):
        read_conllu(tmp_path / "none.conllu")
