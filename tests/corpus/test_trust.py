"""Trust: short and supported is an anchor, long and alone a hypothesis."""

from __future__ import annotations

import pytest

from hyperbridge.corpus.trust import supports, trust_of


@pytest.mark.parametrize(
    ("n_seams", "support", "trust"),
    [
        (2, 1, "anchor"),
        (2, 0, None),
        (3, 0, None),
        (3, 1, None),
        (3, 2, "anchor"),
        (4, 0, "hypothesis"),
        (4, 1, "hypothesis"),
        (4, 2, None),
        (4, 20, "anchor"),
        (5, 3, "hypothesis"),
    ],
)
def test_short_and_supported_is_an_anchor_long_and_alone_a_hypothesis(
    n_seams: int, support: int, trust: str | None
) -> None:
    assert trust_of(n_seams, support)[0] == trust


def test_more_support_makes_an_anchor_surer() -> None:
    sure = [trust_of(2, support)[1] for support in (1, 3, 10)]
    assert sure == sorted(sure)
    assert 0.5 <= sure[0] < sure[-1] <= 1.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 seam"):
        trust_of(0, 1)


def test_support_is_other_passages_with_two_of_the_seams() -> None:
    passages = [
        {"жар", "тишина", "вход", "тело"},
        {"жар", "тишина", "печь"},
        {"жар", "хлеб"},
        {"вход", "тишина", "жар", "дверь"},
    ]
    seams = [("жар", "тишина", "вход"), ("тишина", "печь"), ("хлеб",), ("вход", "дверь")]
    assert supports(seams, passages) == [2, 0, 0, 0]
