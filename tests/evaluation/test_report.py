"""The report is one page of its own, and no generated text can become markup in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hyperbridge.evaluation.register_matrix import RegisterMatrix
from hyperbridge.evaluation.report import SaidScene, Section, cell_colour, write_report

EVIL = '<script>alert("жар")</script>'
MATRIX = RegisterMatrix(
    base={"body": 2.0, "poet": 3.0},
    matrix={"body": {"body": 1.5, "poet": 3.1}, "poet": {"body": 1.9, "poet": 2.4}},
)


@pytest.fixture
def page(tmp_path: Path) -> str:
    write_report(
        tmp_path / "report.html",
        title=f"demo {EVIL}",
        matrix=MATRIX,
        styles={"body": "телесный", "poet": f"поэтический {EVIL}"},
        sections=[
            Section(f"Scenes {EVIL}", [SaidScene(f"жар+тень; agent={EVIL}", {"body": EVIL, "poet": "Тень.\nЖар."})])
        ],
        note=f"note {EVIL}",
    )
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_every_text_is_escaped(page: str) -> None:
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#34;жар&#34;)&lt;/script&gt;") == 9


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    assert re.findall(r"(?:src|href)\s*=|url\(|@import", page) == []


def test_the_page_shows_every_cell_and_marks_own_and_best(page: str) -> None:
    cells = re.findall(r'<td class="([^"]*)"[^>]*>([\d.]+)</td>', page)
    assert cells == [("own best", "1.500"), ("", "3.100"), ("", "1.900"), ("own best", "2.400")]
    assert "<td>2.000</td><td>3.000</td>" in page
    assert "<td>-25.0 %</td><td>-20.0 %</td>" in page
    assert "<td>Тень.\nЖар.</td>" in page


@pytest.mark.parametrize(
    ("value", "colour"),
    [
        (2.0, "hsl(5, 65%, 100%)"),
        (1.5, "hsl(140, 65%, 58%)"),
        (1.75, "hsl(140, 65%, 79%)"),
        (2.5, "hsl(5, 65%, 58%)"),
        (9.0, "hsl(5, 65%, 58%)"),
    ],
)
def test_green_is_below_the_base_and_red_above_it(value: float, colour: str) -> None:
    assert cell_colour(value, base=2.0) == colour
