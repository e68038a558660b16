"""Every new token is read often enough, in as few stretches as do; units that no text holds are set into them."""

from __future__ import annotations

from collections import Counter

from hyperbridge.tokenizer.extension import Extension, NewToken, Unit
from hyperbridge.trainers.snippets import Snippet, align, choose_snippets, plant

FIRST = 100
EXTENSION = Extension(
    base="base",
    base_sha256="0",
    family="byte-level",
    base_size=FIRST,
    tokens=(
        NewToken(id=100, text="туман", constituents=(7, 8)),
        NewToken(id=101, text="жартишинавход", constituents=(7, 9, 4), unit=Unit(text="жартишинавход", kind="symbol")),
    ),
)


def choose(texts: list[list[int]], per_token: int, at_least: int = 0) -> list[Snippet]:
    return choose_snippets(texts, first_new=FIRST, length=10, per_token=per_token, seed=0, at_least=at_least)


def test_a_new_token_ends_where_its_last_constituent_ends() -> None:
    aligned = align([5, 100, 6, 101], EXTENSION)
    assert aligned.old == [5, 7, 8, 6, 7, 9, 4]
    assert aligned.ends == [0, 2, 3, 6]


def test_stretches_are_taken_until_each_token_was_read_often_enough() -> None:
    common, rare = [[1] * 9 + [100] for _ in range(50)], [[2] * 9 + [101]]
    chosen = choose([*common, *rare], per_token=3)
    assert Counter(snippet.ids[-1] for snippet in chosen) == {100: 3, 101: 1}


def test_text_without_a_new_token_is_left_out_unless_units_are_to_be_set_into_it() -> None:
    assert choose([[1] * 10] * 4, per_token=3) == []
    assert len(choose([[1] * 10] * 4, per_token=3, at_least=2)) == 2


def test_a_text_is_cut_into_stretches_and_a_short_tail_is_left_out() -> None:
    assert sorted(len(snippet.ids) for snippet in choose([[100] * 29, [100] * 17], per_token=9)) == [9, 10, 10, 10]


def test_the_order_is_the_seeds() -> None:
    texts = [[100, number] * 5 for number in range(30)]
    orders = [
        choose_snippets(texts, first_new=FIRST, length=10, per_token=30, seed=seed, at_least=0) for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_a_unit_stands_between_words_and_says_where() -> None:
    snippets = [Snippet((1, 50, 2, 51, 3))] * 6
    planted = plant(snippets, [101], per_token=6, begins_word=lambda one: one >= 50, seed=0)
    for snippet in planted:
        (place,) = snippet.planted
        assert snippet.ids[place] == 101
        assert snippet.ids[place + 1] in (50, 51)
        assert [one for one in snippet.ids if one != 101] == [1, 50, 2, 51, 3]
    assert {snippet.planted for snippet in planted} == {(1,), (3,)}


def test_every_unit_is_set_as_often_as_wanted() -> None:
    planted = plant([Snippet((1, 2, 3))] * 4, [100, 101], per_token=5, begins_word=lambda one: True, seed=0)
    held = Counter(snippet.ids[place] for snippet in planted for place in snippet.planted)
    assert held == {100: 5, 101: 5}


def test_few_stretches_come_again_rather_than_fill_up_with_units() -> None:
    planted = plant([Snippet((1, 2, 3))], [100, 101], per_token=6, begins_word=lambda one: True, seed=0)
    assert [len(snippet.planted) for snippet in planted] == [4, 4, 4]
    assert len(plant([Snippet((1, 2, 3))] * 5, [100], per_token=6, begins_word=lambda one: True, seed=0)) == 5


def test_with_no_text_at_all_a_unit_stands_alone() -> None:
    assert plant([], [101], per_token=5, begins_word=lambda one: True, seed=0) == [Snippet((101,), (0,))]


def test_nothing_is_set_where_nothing_is_wanted() -> None:
    snippets = [Snippet((1, 2))]
    assert plant(snippets, [], per_token=5, begins_word=lambda one: True, seed=0) == snippets
