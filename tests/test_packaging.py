"""One namespace however it is installed: from the repository, and as a wheel with all its data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
WHERE = """
import importlib
names = ["hyperbridge", "hyperbridge.scenes", "hyperbridge.cli.main", "hyperbridge.corpus.building",
         "hyperbridge.modeling.bridge", "hyperbridge.evaluation.report", "hyperbridge.tokenizer.training",
         "hyperbridge.trainers.recipe", "hyperbridge.recipes", "hyperbridge.model_cards"]
print(*(importlib.import_module(name).__file__ for name in names), sep="\\n")
"""


def python(code: str, *, cwd: Path, path: Path | None = None) -> list[str]:
    """Lines that a fresh interpreter prints for `code`, with `path` before the installed packages."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q"]
    source = folder / "source"
    for name in ("hyperbridge", "tokenizer", "trainers", "recipes", "model_cards"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source), "-w", str(folder)], check=True)
    (path,) = folder.glob("hyperbridge-*.whl")
    return ZipFile(path)


def test_the_wheel_holds_every_module_and_every_data_file(wheel: ZipFile) -> None:
    places = {"tokenizer": "hyperbridge/tokenizer", "trainers": "hyperbridge/trainers"}
    places |= {"recipes": "hyperbridge/recipes", "model_cards": "hyperbridge/model_cards", "hyperbridge": "hyperbridge"}
    expected = {
        f"{place}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, place in places.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {
        "hyperbridge/tokenizer/training.py",
        "hyperbridge/trainers/sft.py",
        "hyperbridge/recipes/nano-ru/registers.yaml",
        "hyperbridge/assets/core/scenes.jsonl",
        "hyperbridge/assets/nano-ru/model.safetensors",
        "hyperbridge/evaluation/report.html.jinja",
        "hyperbridge/py.typed",
    } <= held


def test_the_wheel_adds_one_name_to_site_packages_and_its_command(wheel: ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hyperbridge"}
    (points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "hyperbridge = hyperbridge.cli.main:main" in wheel.read(points).decode()


def test_the_wheel_runs_outside_the_repository(wheel: ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    files = python(WHERE, cwd=tmp_path, path=tmp_path / "site")
    assert len(files) == 10
    assert [file for file in files if not file.startswith(f"{tmp_path}/site/hyperbridge/")] == []
    code = (
        "from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe\n"
        "from hyperbridge.modeling.base import Base\n"
        "from hyperbridge.trainers.preparation import load_pairs\n"
        "recipe = load_recipe('nano-ru/registers', RegisterRecipe)\n"
        "print(recipe.base.base().path())\n"
        "print(len(load_pairs(recipe.data.train, recipe.data.scenes)) > 900)\n"
    )
    assert python(code, cwd=tmp_path, path=tmp_path / "site") == [
        f"{tmp_path}/site/hyperbridge/assets/nano-ru",
        "True",
    ]


@pytest.mark.parametrize("where", ["the root of the disk", "the repository"])
def test_an_editable_install_resolves_into_the_repository(where: str) -> None:
    files = python(WHERE, cwd=Path("/") if where == "the root of the disk" else ROOT)
    assert len(files) == 10
    assert [file for file in files if not file.startswith(f"{ROOT}/")] == []
    assert f"{ROOT}/tokenizer/training.py" in files
    assert f"{ROOT}/recipes/__init__.py" in files
