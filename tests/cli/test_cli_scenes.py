"""`hyperbridge scenes`: good files pass, every bad line is named, and tables show scenes as they are."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "сцены.jsonl"
    path.write_text(
        '{"scene":"жартень","hyperlexeme":["жар","тень"],"meta":{"Δ":"Δ41"},"components":{"agent":"[bold]тело"},'
        '"tension":0.7}\n{"scene":"мост"}\n',
        encoding="utf-8",
    )
    return path


def test_a_good_file_is_valid(call, good: Path) -> None:
    said = call("scenes", "validate", good)
    assert (said.code, said.out, said.err) == (0, f"{good}: 2 scenes, 0 bad lines\n", "")


def test_every_bad_line_is_named_with_its_reason(call, good: Path) -> None:
    with good.open("ab") as file:
        file.write(b'{"scene":\n{"scene":"x","tension":7}\n' + '{"scene":"тень"}\n'.encode("cp1251"))
    said = call("scenes", "validate", good)
    assert (said.code, said.out) == (2, f"{good}: 2 scenes, 3 bad lines\n")
    lines = said.err.splitlines()
    assert [line.removeprefix(f"{good}:")[:3] for line in lines] == ["3: ", "4: ", "5: "]
    assert lines[1] == f"{good}:4: tension: Input should be less than or equal to 1 (found '7')"


def test_a_file_in_cp1251_is_bad_line_by_line(call, tmp_path: Path) -> None:
    path = tmp_path / "cp1251.jsonl"
    path.write_bytes('{"scene":"жар"}\n{"scene":"тень"}\n'.encode("cp1251"))
    said = call("scenes", "validate", path)
    assert (said.code, said.out) == (2, f"{path}: 0 scenes, 2 bad lines\n")
    assert [line.startswith(f"{path}:{number}: ") for number, line in enumerate(said.err.splitlines(), 1)] == [True] * 2


@pytest.mark.parametrize("verb", ["validate", "show"])
def test_a_missing_file_is_one_line(call, verb: str, tmp_path: Path) -> None:
    path = tmp_path / "нет.jsonl"
    assert call("scenes", verb, path).error == f"error: {path}: cannot be read: No such file or directory"


def test_scenes_are_shown_as_they_are(call, good: Path) -> None:
    said = call("scenes", "show", good)
    assert said.code == 0
    assert [line.split() for line in said.out.splitlines()] == [
        ["scene", "Δ", "agent", "act", "field", "tone", "register", "emotion", "tension"],
        ["жар+тень", "Δ41", "[bold]тело", "0.70"],
        ["мост"],
    ]
    assert call("scenes", "show", good, "--prompt").out == "жар+тень; Δ=Δ41; agent=[bold]тело; tension=0.7\nмост\n"
    assert call("scenes", "show", good, "--prompt", "-n", 1).out.count("\n") == 1


def test_a_bad_line_does_not_stop_the_show(call, good: Path) -> None:
    good.write_text("{\n" + good.read_text(encoding="utf-8"), encoding="utf-8")
    said = call("scenes", "show", good, "--prompt")
    assert said.out.count("\n") == 2
    assert said.err.startswith(f"{good}:1: ")
