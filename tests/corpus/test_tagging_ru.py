"""Our arithmetic gives slovnet's tags and trees, and a sentence the same ones whatever stands beside it."""

from __future__ import annotations

import pytest

from hyperbridge.corpus import tagging_ru
from hyperbridge.corpus.tagging_ru import Tagging, tag_all

SENTENCES = [
    text.split()
    for text in (
        "Дети ели кашу , а за окном шумели старые ели .",
        "Я",
        "— Куда ты , Прохор ? — спросила мать .",
        "В 1812 году сгорело 20 домов , XIX век только начинался ...",
        "Wi-Fi не ловит : ни в избе , ни на сеновале , ни у реки ☹",
        "Бежит по полю рыжая лиса , и следом снег ложится на леса .",
    )
]
LONG = [f"слово{number}" if number % 7 == 0 else "и" for number in range(700)]


def by_slovnet(sentences: list[list[str]]) -> list[tuple[list[tuple[str, dict[str, str]]], list[int], list[str]]]:
    tagged, trees = tagging_ru.tagger().map(sentences), tagging_ru.tree_parser().map(sentences)
    return [
        (
            [(token.pos, token.feats) for token in tags.tokens],
            [int(token.head_id) - 1 for token in tree.tokens],
            [token.rel for token in tree.tokens],
        )
        for tags, tree in zip(tagged, trees, strict=True)
    ]


def test_a_word_has_its_tag_its_head_and_its_relation() -> None:
    (found,) = tag_all([["Рыжая", "лиса", "бежит", "."]], tree=True)
    assert [tag.pos for tag in found.tags] == ["ADJ", "NOUN", "VERB", "PUNCT"]
    assert found.tags[1].feats["Case"] == "Nom"
    assert list(found.heads) == [1, 2, -1, 2]
    assert list(found.relations) == ["amod", "nsubj", "root", "punct"]


@pytest.mark.parametrize("sentences", [SENTENCES, [LONG, *SENTENCES, LONG[:300]]], ids=["short", "long"])
def test_tags_and_trees_are_those_of_slovnet(sentences: list[list[str]]) -> None:
    ours = [
        ([(tag.pos, dict(tag.feats)) for tag in found.tags], list(found.heads), list(found.relations))
        for found in tag_all(sentences, tree=True)
    ]
    assert ours == by_slovnet(sentences)


def test_a_sentence_gives_the_same_whatever_stands_beside_it() -> None:
    alone = [tag_all([sentence], tree=True)[0] for sentence in SENTENCES]
    assert tag_all(SENTENCES[::-1] * 40, tree=True) == alone[::-1] * 40


def test_without_a_tree_there_are_tags_alone() -> None:
    found = tag_all(SENTENCES, tree=False)
    assert [one.tags for one in found] == [one.tags for one in tag_all(SENTENCES, tree=True)]
    assert all(len(one.heads) == len(one.relations) == 0 for one in found)


def test_where_there_are_no_words_nothing_is_tagged() -> None:
    assert tag_all([], tree=True) == []
    assert tag_all([[], ["Снег"], []], tree=True)[::2] == [Tagging([], [], [])] * 2
