"""A source lies in one split, the same everywhere, whatever else is in the corpus."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hyperbridge.corpus.splits import SPLITS, split_of, uniform


@given(st.text(), st.integers(0, 5))
def test_every_source_has_one_split(source: str, seed: int) -> None:
    assert split_of(source, seed) in SPLITS
    assert split_of(source, seed) == split_of(source, seed)
    assert 0 <= uniform(source, seed) < 1


def test_the_split_is_the_same_on_every_machine() -> None:
    assert [split_of(f"poetry/{number}.txt") for number in range(8)] == [
        "train", "test", "train", "test", "train", "validation", "train", "train",
    ]  # fmt: skip
    assert round(uniform("0.txt"), 6) == 0.487841


def test_a_work_lies_in_one_split_whichever_folder_was_given() -> None:
    for number in range(50):
        assert split_of(f"{number}.txt") == split_of(f"poetry/{number}.txt") == split_of(f"text/poetry/{number}.txt")
    assert split_of("text/poetry/Анчар.txt", test=["poetry/Ан*"]) == "test"
    assert split_of("text/poetry/Анчар.txt", test=["oetry/Ан*"]) == split_of("Анчар.txt")


def test_about_a_tenth_is_test_and_a_twentieth_validation() -> None:
    parts = Counter(split_of(f"tales.jsonl#{number}") for number in range(4000))
    assert 350 < parts["test"] < 450
    assert 160 < parts["validation"] < 240


def test_globs_override_the_hash_and_test_wins() -> None:
    assert split_of("folk/сказка.txt", test=["folk/*"], validation=["*сказка*"]) == "test"
    assert split_of("folk/сказка.txt", validation=["*сказка*"]) == "validation"
    assert split_of("folk/сказка.txt", test=["FOLK/*"]) == split_of("folk/сказка.txt")
