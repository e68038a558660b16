"""What an extension saves is what it loads, and new ids are read back as old ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.tokenizer.extension import Extension, NewToken, Unit

EXTENSION = Extension(
    base="owner/base",
    base_sha256="ab",
    family="byte-level",
    base_size=10,
    tokens=(
        NewToken(id=10, text=None, constituents=(3, 4), merge=("Ð", "¿Ð")),  # ends inside a character
        NewToken(
            id=11,
            text="жартишина",
            constituents=(5, 6, 7),
            unit=Unit(text="жартишина", kind="hyperlexeme", components=("жар", "тишина")),
        ),
    ),
)


def test_it_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    EXTENSION.save(tmp_path)
    assert Extension.load(tmp_path) == EXTENSION
    assert "жартишина" in (tmp_path / "extension.json").read_text(encoding="utf-8")


def test_new_ids_expand_to_their_constituents() -> None:
    assert EXTENSION.expand([1, 10, 2, 11]) == [1, 3, 4, 2, 5, 6, 7]


def test_what_is_no_extension_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="make one with `hyperbridge tokenizer extend`"):
        Extension.load(tmp_path)
    (tmp_path / "extension.json").write_bytes(b"\xff")
    with pytest.raises(HyperBridgeError, match=r"extension\.json: Invalid JSON"):
        Extension.load(tmp_path)
    with pytest.raises(HyperBridgeError, match=r"no such file; make one with"):
        Extension.load(tmp_path / "extension.json")  # a file, not its folder
    (tmp_path / "extension.json").write_text('{"base": "a"}')
    with pytest.raises(HyperBridgeError, match=r"extension\.json: base_sha256: Field required"):
        Extension.load(tmp_path)
