"""New merges continue the base's BPE: reachable, the same in any order, and mostly inside of morphemes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer
from hyperbridge.tokenizer.merges import LLAMA_CPP_TEXT, Merge, firing, learn_merges, refused_by

ALPHABET = set("абвгдеж")
BASE = [("а", "б"), ("в", "г"), ("аб", "в")]


def bpe(word: str, merges: Sequence[Merge]) -> list[str]:
    """BPE as it is defined: of all the neighbours, the pair that comes first in the merges, the leftmost of it."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    cut = list(word)
    while found := [(ranks[pair], at) for at, pair in enumerate(pairwise(cut)) if pair in ranks]:
        at = min(found)[1]
        cut[at : at + 2] = ["".join(cut[at : at + 2])]
    return cut


def by_spelling(word: str, order: Sequence[str]) -> list[str]:
    """BPE by spelling, as SentencePiece and tiktoken have it: what two neighbours spell decides."""
    ranks = {piece: rank for rank, piece in enumerate(order)}
    cut = list(word)
    while found := [(ranks[a + b], at) for at, (a, b) in enumerate(pairwise(cut)) if a + b in ranks]:
        at = min(found)[1]
        cut[at : at + 2] = ["".join(cut[at : at + 2])]
    return cut


def learn(words: dict[str, int], **options) -> list[Merge]:
    vocabulary = ALPHABET | {"".join(pair) for pair in BASE}
    given = {"count": 99, "seams": None, "refused": lambda piece: False, **options}
    return learn_merges(words, pieces=lambda word: bpe(word, BASE), vocabulary=vocabulary, **given)


word_counts = st.dictionaries(st.text("абвгд", min_size=1, max_size=9), st.integers(1, 30), max_size=25)
any_seams = st.sampled_from(
    [None, lambda word: (), lambda word: (1, 3, 4), lambda word: (2,) if len(word) % 2 else None]
)


@given(word_counts, any_seams, st.integers(0, 5))
def test_every_piece_alone_is_one_token(words, seams, penalty) -> None:
    learned = learn(words, seams=seams, penalty=penalty)
    assert [bpe(a + b, BASE + learned) for a, b in learned] == [[a + b] for a, b in learned]


@given(word_counts, any_seams, st.text("абвгд", max_size=12))
def test_new_pieces_are_base_pieces_joined(words, seams, text) -> None:
    learned = learn(words, seams=seams)
    ends = [sum(map(len, bpe(text, BASE)[:at])) for at in range(len(text) + 1)]
    new_ends = [sum(map(len, bpe(text, BASE + learned)[:at])) for at in range(len(text) + 1)]
    assert set(new_ends) <= set(ends)


@given(word_counts, any_seams, st.text("абвгд", max_size=12))
def test_rules_by_pair_and_by_spelling_agree(words, seams, text) -> None:
    merges = BASE + learn(words, seams=seams)
    assert bpe(text, merges) == by_spelling(text, ["".join(pair) for pair in merges])


@given(word_counts, any_seams)
def test_the_order_of_the_words_does_not_matter(words, seams) -> None:
    assert learn(words, seams=seams) == learn(dict(reversed(words.items())), seams=seams)


def test_the_commonest_pair_comes_first() -> None:
    assert learn({"деж": 5, "де": 4, "жа": 3}) == [("д", "е"), ("де", "ж"), ("ж", "а")]


def test_a_tie_goes_by_the_text() -> None:
    assert learn({"же": 3, "де": 3, "еж": 3}) == [("д", "е"), ("е", "ж"), ("ж", "е")]


def test_what_the_base_joins_is_never_torn() -> None:
    assert learn({"бв": 9, "абв": 9}) == [("б", "в")]


def test_no_more_than_asked_for_and_none_that_is_rarer_than_the_fewest() -> None:
    words = {"де": 5, "же": 4, "ед": 2}
    assert learn(words, count=1) == [("д", "е")]
    assert learn(words, fewest=3) == [("д", "е"), ("ж", "е")]
    assert learn({}) == []


def test_a_word_votes_against_a_join_across_its_seam() -> None:
    words = {"деж": 4, "еж": 1}
    assert learn(words, count=1) == [("е", "ж")]
    assert learn(words, count=1, seams=lambda word: (len(word) - 1,)) == [("д", "е")]


def test_a_frequent_word_becomes_one_piece_over_its_seam_and_a_rare_one_does_not() -> None:
    words = {"де": 100, "жа": 1, "ед": 1}
    assert learn(words, seams=lambda word: (1,), penalty=1, fewest=1) == [("д", "е")]


def test_words_without_an_opinion_count_by_their_occurrences() -> None:
    assert learn({"де": 2, "жа": 9}, seams=lambda word: (1,) if word == "жа" else None) == [("д", "е")]


def test_a_word_that_no_text_has_votes_and_does_not_count() -> None:
    words = {"деж": 4, "дег": 0, "жег": 0}
    assert learn(words, count=1) == [("д", "е")]
    assert learn(words, count=1, seams=lambda word: (1,)) == [("е", "ж")]


def test_a_refused_piece_is_not_made_and_others_go_on() -> None:
    assert learn({"деж": 5, "де": 4}, refused=lambda piece: piece == "де") == [("е", "ж"), ("д", "еж")]


def test_the_end_of_a_piece_the_base_never_makes_is_not_learned() -> None:
    # `деж` is in the vocabulary and no merge makes it: by spelling, `де` and `ж` would.
    def pieces(word: str) -> list[str]:
        return bpe(word, BASE)

    vocabulary = ALPHABET | {"деж"} | {"".join(pair) for pair in BASE}
    learned = learn_merges(
        {"деа": 9, "ежа": 8, "жа": 5},
        pieces=pieces,
        vocabulary=vocabulary,
        count=9,
        seams=None,
        refused=lambda piece: False,
    )
    assert learned == [("ж", "а"), ("е", "а"), ("д", "еа"), ("е", "жа")]


def test_progress_counts_the_pieces() -> None:
    told: list[int] = []
    learn({"де": 5, "же": 4}, progress=told.append)
    assert told == [1, 2]


def test_what_fires_in_a_text_is_what_its_neighbours_spell() -> None:
    assert firing(["абвд", "ж"], lambda word: bpe(word, BASE)) == {"абвд"}
    assert firing(["деж"], lambda word: bpe(word, BASE)) == {"де", "еж", "деж"}


@given(word_counts, st.text("абвгд", min_size=1, max_size=8))
def test_a_text_nothing_fires_in_keeps_its_pieces(words, text) -> None:
    recognized = firing([text], lambda word: bpe(word, BASE))
    learned = learn(words, refused=recognized.__contains__)
    assert bpe(text, BASE + learned) == bpe(text, BASE)


def test_marks_and_the_text_of_llama_cpp_are_refused() -> None:
    class Base:
        def pretokens(self, text: str) -> list[str]:
            return text.split()

        def pieces(self, pretoken: str) -> list[str]:
            return list(pretoken)

        def surface(self, piece: str) -> str | None:
            return None if piece == "?" else piece.replace("▁", " ")

    refused = refused_by(Base())  # type: ignore[arg-type]
    assert [refused(piece) for piece in ("нещо", "Бъл", "да,", "«да", "да-да", "▁")] == [True] * 6
    assert [refused(piece) for piece in ("▁да", "да", "-да", "?")] == [False] * 4


def test_the_text_of_llama_cpp_gives_the_hash_published_for_qwen(qwen: BaseTokenizer) -> None:
    digest = sha256(str(qwen.ids(LLAMA_CPP_TEXT)).encode()).hexdigest()
    assert digest == "e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea"


def test_merges_of_its_own_words_leave_the_text_of_llama_cpp_as_it_was(qwen: BaseTokenizer) -> None:
    words = dict.fromkeys(qwen.pretokens("нещо на Български, за которое горят порог и ладонь"), 9)
    learned = learn_merges(
        words, pieces=qwen.pieces, vocabulary=qwen.vocab, count=99, seams=None, refused=refused_by(qwen)
    )
    extended = qwen.extended(learned, ())
    assert len(learned) > 5
    assert extended.encode(LLAMA_CPP_TEXT, add_special_tokens=False).ids == qwen.ids(LLAMA_CPP_TEXT)
    assert [extended.model.tokenize(a + b)[0].value for a, b in learned] == [a + b for a, b in learned]
