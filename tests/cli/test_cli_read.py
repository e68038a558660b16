"""`hyperbridge read`: text in, scenes out, whatever Cyrillic encoding it came in."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

TEXT = "Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся туман.\n"


def test_a_text_becomes_scenes(call, tmp_path: Path) -> None:
    (tmp_path / "рыбак.txt").write_text(TEXT, encoding="utf-8")
    said = call("read", tmp_path / "рыбак.txt")
    assert (said.code, said.err) == (0, "")
    (scene,) = map(json.loads, said.out.splitlines())
    assert scene["span"] == {"source": "рыбак.txt", "start": 0, "end": 81}
    assert "".join(scene["hyperlexeme"]) == scene["scene"]
    (prompt,) = call("read", tmp_path / "рыбак.txt", "--prompt").out.splitlines()
    assert prompt.startswith("+".join(scene["hyperlexeme"]) + "; ")


def test_cp1251_is_read_with_a_note(call, tmp_path: Path) -> None:
    path = tmp_path / "рыбак.txt"
    path.write_text(TEXT, encoding="utf-8")
    expected = call("read", path).out
    path.write_bytes(TEXT.encode("cp1251"))
    said = call("read", path)
    assert (said.code, said.out, said.err) == (0, expected, f"{path}: read as cp1251\n")


def test_a_dash_is_standard_input(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    said = call("read", "-")
    assert said.code == 0
    assert json.loads(said.out)["span"]["source"] == "text"


def test_what_is_no_text_is_one_line(call, tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe\x00")
    assert call("read", path).error.startswith(f"error: {path}: not text in UTF-8 (byte 0) nor in cp1251, koi8_r")


def test_a_missing_file_and_another_language_are_one_line(call, tmp_path: Path) -> None:
    path = tmp_path / "нет.txt"
    assert call("read", path).error == f"error: {path}: cannot be read: No such file or directory"
    path.write_text(TEXT, encoding="utf-8")
    assert call("read", path, "--language", "de").error.startswith("error: no corpus rules for language 'de'")
