"""A formula book reads both of its forms, and names what is wrong with it."""

from __future__ import annotations

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.formulas import load_formulas


def test_a_book_reads_the_named_and_the_short_form(tmp_path) -> None:
    path = tmp_path / "formulas.json"
    path.write_text(
        '{"Δ02": "сжатие + жар+ рост", "Δ5": {"name": "Дом", "parts": ["Δ02", "память"]}}', encoding="utf-8"
    )
    book = load_formulas(path)
    assert (str(book["Δ02"]), book["Δ02"].name) == ("сжатие + жар + рост", None)
    assert (book["Δ5"].parts, book["Δ5"].name) == (("Δ02", "память"), "Дом")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Δ02": "жар"}', r"Δ02\.parts: Tuple should have at least 2 items"),
        ('{"Δ02": {"parts": ["жар", "рост"], "nme": "Огонь"}}', r"Δ02\.nme: Extra inputs are not permitted"),
        ('{"D02": "жар + рост"}', "'D02' is not a Δ-code such as Δ41"),
        ('["жар + рост"]', "Input should be a valid dictionary"),
        ('{"Δ02": ', "not JSON: "),
    ],
)
def test_a_bad_book_is_named_with_its_reason(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "formulas.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=rf"formulas\.json: .*{message}"):
        load_formulas(path)


def test_a_missing_book_is_the_users_error(tmp_path) -> None:
    with pytest.raises(HyperBridgeError, match=r"нет\.json: cannot be read"):
        load_formulas(tmp_path / "нет.json")


def test_a_book_in_another_encoding_is_the_users_error(tmp_path) -> None:
    (tmp_path / "cp1251.json").write_bytes('{"Δ1": "жар + рост"}'.replace("Δ", "D").encode("cp1251"))
    with pytest.raises(HyperBridgeError, match=r"cp1251\.json: not JSON: "):
        load_formulas(tmp_path / "cp1251.json")
