"""`hyperbridge tokenizer extend`: what it says, what it writes, and that a mistake is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

NANO = "hyperbridge:assets/nano-ru"


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    path = tmp_path / "scenes.jsonl"
    lines = [{"scene": "жмыховалтень", "hyperlexeme": ["жмых", "овал", "тень"]}] + [
        {"scene": "туманкрик", "hyperlexeme": ["туман", "крик"]}
    ] * 2
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in [*lines, "лишнее"]), encoding="utf-8")
    return path


@pytest.fixture
def formulas(tmp_path: Path) -> Path:
    path = tmp_path / "formulas.json"
    path.write_text('{"Δ93": "жар + рост"}', encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "книга.txt"
    path.write_text("Клубилась пыль над рекой; клубилась, клубилась мгла. " * 3, encoding="utf-8")
    return path


def test_it_writes_a_tokenizer_and_says_what_is_in_it(
    call, tmp_path: Path, scenes: Path, formulas: Path, corpus: Path
) -> None:
    output = tmp_path / "extended"
    said = call(
        *("tokenizer", "extend", NANO, "-o", output, "--corpus", corpus, "--merges", 20),
        *("--scenes", scenes, "--formulas", formulas, "--symbols", "🜔⟁"),
    )
    assert said.code == 0
    assert f"{scenes}:4: " in said.err
    for row in ("symbol      │     1 │   1", "formula     │     1 │   1", "hyperlexeme │     2 │   4"):
        assert row in said.out
    assert "already a token of the base │     1 │ ⟁" in said.out
    assert said.out.splitlines()[-1] == f"next: hyperbridge tokenizer graft {NANO} {output} -o EXTENDED --text PATH"
    extension = json.loads((output / "extension.json").read_text(encoding="utf-8"))
    texts = [token.get("text") for token in extension["tokens"]]
    assert texts[-6:-2] == ["🜔", "Δ93", "туманкрик", " туманкрик"]
    assert " клубилась" in texts


def test_the_budget_and_capitals_are_the_users(call, tmp_path: Path, scenes: Path) -> None:
    output = tmp_path / "extended"
    said = call("tokenizer", "extend", NANO, "-o", output, "--scenes", scenes, "--hyperlexemes", 1, "--capitals")
    assert said.code == 0
    texts = [token["text"] for token in json.loads((output / "extension.json").read_text())["tokens"]]
    assert texts == ["туманкрик", " туманкрик", "Туманкрик", " Туманкрик"]


def test_a_scene_as_models_read_it_begins_with_one_token(call, tmp_path: Path, scenes: Path) -> None:
    output = tmp_path / "extended"
    said = call("tokenizer", "extend", NANO, "-o", output, "--scenes", scenes, "--hyperlexemes", 1, "--prompt-forms")
    assert said.code == 0
    tokenizer = AutoTokenizer.from_pretrained(output)
    assert tokenizer.tokenize("туман+крик; agent=путник")[0] == "туман+крик"
    assert tokenizer.tokenize("туманкрик")[0] == "туманкрик"


def test_seams_come_from_a_file(call, tmp_path: Path, corpus: Path) -> None:
    seams = tmp_path / "seams.tsv"
    seams.write_text("клубилась\tклуб|и|л|а|сь\n", encoding="utf-8")
    output = tmp_path / "extended"
    said = call("tokenizer", "extend", NANO, "-o", output, "--corpus", corpus, "--merges", 5, "--morphemes", seams)
    assert said.code == 0


def test_an_earlier_output_is_replaced_only_when_told_so(call, tmp_path: Path, formulas: Path) -> None:
    order = ("tokenizer", "extend", NANO, "-o", tmp_path / "extended", "--formulas", formulas)
    assert call(*order).code == 0
    assert call(*order).error.endswith("/extended: exists already; give another -o, or --overwrite to replace it")
    assert call(*order, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to extend by: give --corpus, --scenes, --formulas or --symbols"),
        (("--merges", "9"), "--merges needs --corpus, the texts to learn from"),
        (("--symbols", "⟁", "--morphemes", "slovorez"), "--morphemes needs --corpus and --merges"),
        (("--symbols", "⟁", "--capitals"), "--hyperlexemes, --capitals and --prompt-forms need --scenes"),
        (("--corpus", "/нет/такого.txt"), "/нет/такого.txt: no such file or folder"),
        (("--scenes", "/нет/сцен.jsonl"), "/нет/сцен.jsonl: cannot be read: No such file or directory"),
        (("--symbols", "⟁", "--revision", "main"), f"{NANO}: is a path, and only a Hub id has a revision (main)"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    call, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    error = call("tokenizer", "extend", NANO, "-o", tmp_path / "extended", *options).error
    assert error.startswith(f"error: {said}")
    assert list(tmp_path.iterdir()) == []


def test_a_base_that_is_none_is_one_line(call, tmp_path: Path, formulas: Path) -> None:
    order = ("tokenizer", "extend", tmp_path / "нет", "-o", tmp_path / "extended", "--formulas", formulas)
    assert call(*order).error == f"error: {tmp_path}/нет: no such folder or file"
