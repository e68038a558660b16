"""Measuring fairly: arms in turn, medians with their spread, and never beside other work."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rounds import Bars, Sheet, Spread, Stopwatch, in_rounds, load_per_core, require_idle, write_page
from hyperbridge import HyperBridgeError


def test_a_figure_is_the_median_with_the_lowest_and_the_highest() -> None:
    assert Spread.of([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)
    assert Spread.of([3.0, 1.0, 10.0]).text("{:.0f}") == "3 (1..10)"


def test_a_ratio_is_of_the_medians_between_those_of_single_rounds() -> None:
    assert Spread.of_ratios([8.0, 10.0, 12.0], [4.0, 2.0, 5.0]) == Spread(2.5, 2.0, 5.0)


def test_a_busy_machine_is_refused_unless_forced() -> None:
    assert load_per_core(load=1.4, cores=2) == 0.7
    require_idle(0.5, force=False)
    require_idle(0.7, force=True)
    with pytest.raises(HyperBridgeError, match=r"a load of 0\.70 per core .* --force"):
        require_idle(0.7, force=False)


def test_arms_take_turns_and_each_begins_a_round() -> None:
    order: list[tuple[int, str]] = []

    def measure(arm: str, number: int) -> dict[str, int]:
        order.append((number, arm))
        return {"round": number}

    found = in_rounds(["a", "b"], 2, measure, lambda line: None)
    assert order == [(0, "a"), (0, "b"), (1, "b"), (1, "a")]
    assert found == {"a": [{"round": 0}, {"round": 1}], "b": [{"round": 0}, {"round": 1}]}


def test_parts_of_one_name_add_up() -> None:
    watch = Stopwatch()
    with watch("load"):
        pass
    once = watch.seconds["load"]
    with watch("load"):
        pass
    assert list(watch.seconds) == ["load"]
    assert watch.seconds["load"] > once


def test_the_page_stands_alone_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    sheet = Sheet("<b>table</b>", ("arm", "speed"), [("ours", "2.00")])
    write_page(path, "title", "note", [sheet], [Bars("chart", [("ours", Spread(2.0, 1.0, 4.0))], mark=1.0)])
    page = path.read_text(encoding="utf-8")
    assert "&lt;b&gt;table&lt;/b&gt;" in page
    assert 'width="260.0"' in page
    assert "<script" not in page
    assert "http" not in page
