"""`hyperbridge evaluate`: the matrix and the page of a run, from scenes it has not seen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.sft import train_registers

BOOK = (
    "Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся туман.\n\n"
    "Вдова закрыла ставни, зажгла лампу и села к столу писать длинное письмо сыну.\n"
)


@pytest.fixture
def run(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "run"))


@pytest.fixture
def recipe(recipe_data: Any, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_data(tmp_path / "run"), allow_unicode=True), encoding="utf-8")
    return path


def test_a_run_gets_its_matrix_and_its_page(call, recipe: Path, run: Path) -> None:
    said = call("evaluate", recipe)
    assert said.code == 0
    matrix = json.loads((run / "register_matrix.json").read_text(encoding="utf-8"))
    assert matrix.keys() == {"base", "matrix"}
    assert matrix["base"].keys() == matrix["matrix"].keys() == {"body", "poet"}
    assert all(0 < bits < 20 for row in (matrix["base"], *matrix["matrix"].values()) for bits in row.values())
    assert all(f"{bits:.3f}" in said.out for bits in matrix["base"].values())
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<td>река+хлеб+молитва\nagent=паломник\nact=бросать корки</td>" in page
    assert said.out.splitlines()[-2:] == [str(run / "report.html"), str(run / "register_matrix.json")]


def test_evaluation_is_repeatable(call, recipe: Path, run: Path) -> None:
    call("evaluate", recipe)
    first = (run / "report.html").read_bytes(), (run / "register_matrix.json").read_bytes()
    call("evaluate", recipe)
    assert ((run / "report.html").read_bytes(), (run / "register_matrix.json").read_bytes()) == first


def test_a_book_is_said_too(call, recipe: Path, run: Path, tmp_path: Path) -> None:
    book = tmp_path / "книга.txt"
    book.write_bytes(BOOK.encode("cp1251"))
    said = call("evaluate", recipe, "--book", book, "--scenes", 2)
    assert said.code == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<h2>Scenes of книга.txt</h2>" in page
    assert page.split("Scenes of книга.txt")[1].count("<tr><td>") == 2


def test_a_run_that_is_not_there_is_one_line(call, recipe: Path, tmp_path: Path) -> None:
    assert call("evaluate", recipe).error.startswith(f"error: {tmp_path / 'run'}: ")


def test_a_recipe_without_test_data_is_one_line(call, recipe: Path, run: Path) -> None:
    assert call("evaluate", recipe, "--set", "data.test=null").error == (
        f"error: {recipe}: data.test is missing; evaluation needs expressions that were not trained on"
    )


@pytest.mark.parametrize(
    ("change", "other"),
    [("registers.poet=null", "poet (speak)"), ("registers.poet.task=interpret", "poet (speak)")],
)
def test_a_run_of_another_recipe_is_one_line(call, recipe: Path, run: Path, change: str, other: str) -> None:
    assert call("evaluate", recipe, "--set", change).error == (
        f"error: {run}: it holds {other}, which {recipe} does not name so; give the recipe that it was trained from"
    )


def test_a_run_that_speaks_is_not_taken_for_one_that_replies(call, recipe: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "replies.jsonl").write_text('{"message": "Кто там?", "reply": "Это я."}\n', encoding="utf-8")
    data = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    data["data"] |= {"test": None, "replies": dict.fromkeys(("train", "test"), str(tmp_path / "replies.jsonl"))}
    data["registers"] = {name: register | {"task": "reply"} for name, register in data["registers"].items()}
    recipe.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    assert "it holds body (speak), poet (speak), which" in call("evaluate", recipe).error


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [("нет.txt", None, "no such file or folder"), ("пусто.txt", "\n", "no scene could be cut")],
)
def test_a_book_without_scenes_is_one_line(
    call, recipe: Path, run: Path, tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert message in call("evaluate", recipe, "--book", tmp_path / name).error
    assert not (run / "report.html").exists()


@pytest.fixture(scope="module")
def translators(tmp_path_factory: pytest.TempPathFactory, recipe_data: Any) -> Path:
    """The recipe of a run with an interpreter and a synthesizer and no register."""
    folder = tmp_path_factory.mktemp("translators")
    reply = {"message": "Кто там?", "scenes": [{"scene": "мосттуман"}], "reply": "Это я, открой."}
    (folder / "replies.jsonl").write_text(json.dumps(reply, ensure_ascii=False) + "\n", encoding="utf-8")
    data = recipe_data(folder / "run", max_steps=120)
    data["data"]["replies"] = dict.fromkeys(("train", "test"), str(folder / "replies.jsonl"))
    data["registers"] = {
        "scene_interpreter": {"style": "интерпретатор", "task": "interpret"},
        "response_synthesizer": {"style": "синтезатор", "task": "reply"},
    }
    train_registers(RegisterRecipe.model_validate(data), report=lambda line: None)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


def test_an_interpreter_is_held_against_the_rules_and_chance(call, translators: Path) -> None:
    said = call("evaluate", translators, "--set", f"data.test={train_file(translators)}")
    assert said.code == 0
    path = translators.parent / "run/interpretation.json"
    assert said.out.splitlines()[-1] == str(path)
    told = json.loads(path.read_text(encoding="utf-8"))
    assert list(told) == ["interpreter", "rules", "another scene"]
    assert told["interpreter"]["f1"] > 0.9  # asked what it was taught
    assert told["rules"]["f1"] < told["interpreter"]["f1"]
    assert f"{told['rules']['f1']:.3f}" in said.out
    assert not (translators.parent / "run/report.html").exists()


def test_a_synthesizer_is_held_against_the_bare_base(call, translators: Path) -> None:
    lines = call("evaluate", translators).out.splitlines()
    bits = {line.split()[1]: float(line.split()[3]) for line in lines if "base" in line or "synthesizer" in line}
    assert bits["response_synthesizer"] < 0.75 * bits["base"]


def test_replies_that_were_not_trained_on_are_needed(call, translators: Path) -> None:
    assert call("evaluate", translators, "--set", "data.replies.test=null").error == (
        f"error: {translators}: data.replies.test is missing; evaluation needs expressions that were not trained on"
    )


def train_file(recipe: Path) -> str:
    return str(yaml.safe_load(recipe.read_text(encoding="utf-8"))["data"]["train"])
