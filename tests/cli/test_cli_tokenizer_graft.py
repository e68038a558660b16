"""`hyperbridge tokenizer graft`: makes an extended base, continues one, and says in one line why it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from hyperbridge.tokenizer.base_tokenizer import open_base
from hyperbridge.tokenizer.extending import extend
from hyperbridge.tokenizer.extension import Unit


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    folder = tmp_path_factory.mktemp("extensions") / "units"
    extend(open_base(str(tiny_base)), folder, units=[Unit(text="жартишинавход", kind="hyperlexeme")])
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "Река.txt"
    path.write_text("Над рекой стоял туман, и паромщик молча ждал. " * 20, encoding="utf-8")
    return path


def test_rows_are_grafted_and_trained(call, tiny_base: Path, extension: Path, text: Path, tmp_path: Path) -> None:
    output = tmp_path / "extended"
    said = call("tokenizer", "graft", tiny_base, extension, "-o", output, "--text", text, "--steps", 2)
    assert (said.code, said.out.splitlines()[-1]) == (0, f"grafted: {output}")
    assert "2 units set into them" in said.out.splitlines()[0]
    assert json.loads((output / "graft.json").read_text(encoding="utf-8"))["steps"] == 2
    error = call("tokenizer", "graft", tiny_base, extension, "-o", output, "--text", text).error
    assert error.startswith(f"error: {output}: this extended base is finished")
    assert AutoModelForCausalLM.from_pretrained(output).get_input_embeddings().num_embeddings == 960


def test_no_texts_are_needed_to_leave_rows_as_they_start(
    call, tiny_base: Path, extension: Path, tmp_path: Path
) -> None:
    output = tmp_path / "extended"
    options = ("--start", "random", "--steps", 0)
    assert call("tokenizer", "graft", tiny_base, extension, "-o", output, *options).code == 0
    assert json.loads((output / "graft.json").read_text(encoding="utf-8"))["start"] == "random"


def test_mistakes_are_one_line(call, tiny_base: Path, extension: Path, tmp_path: Path) -> None:
    output = tmp_path / "extended"
    without = call("tokenizer", "graft", tiny_base, extension, "-o", output).error
    assert without.startswith("error: no texts to learn the new rows from")
    missing = call("tokenizer", "graft", tiny_base, tmp_path / "no", "-o", output, "--steps", 0).error
    assert "extension.json: no such file" in missing
    start = call("tokenizer", "graft", tiny_base, extension, "-o", output, "--start", "middle").error
    assert "start: Input should be 'weighted', 'plain' or 'random'" in start
    recipe = call("tokenizer", "graft", tiny_base, extension, "-o", output, "--recipe", "smollm/graft").error
    assert recipe.startswith("error: smollm/graft: no such recipe file, nor a shipped recipe; did you mean 'smollm2-")
    assert not output.exists()
