"""Every recipe that is shipped loads, opens with the command that runs it, and names only files that are there."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file

from hyperbridge.modeling.base import resolve_path
from hyperbridge.trainers.recipe import PretrainRecipe, RegisterRecipe, load_recipe

ROOT = Path(__file__).parents[1] / "recipes"
SHIPPED = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*.yaml"))
SETUPS = [name for name in SHIPPED if name.startswith("accelerate/")]
RECIPES = [name for name in SHIPPED if name not in SETUPS]


def test_the_walk_finds_the_recipes() -> None:
    assert {"nano-ru/registers.yaml", "nano-ru/pretrain.yaml"} <= set(RECIPES)
    assert "accelerate/cpu.yaml" in SETUPS


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_loads_under_its_model(name: str) -> None:
    model = PretrainRecipe if "pretrain" in name else RegisterRecipe
    assert load_recipe(ROOT / name, model).output_dir.startswith("runs/")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_opens_with_its_command(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    opening = " ".join(line.strip("# \\") for line in takewhile(lambda line: line.startswith("#"), lines))
    assert re.search(rf"accelerate launch [^#]*-m hyperbridge\.trainers\.\w+ --config recipes/{name}", opening)


@pytest.mark.parametrize("name", RECIPES)
def test_the_package_files_a_recipe_names_exist(name: str) -> None:
    def strings(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for inner in value.values() for text in strings(inner)]
        return [value] if isinstance(value, str) else []

    recipe = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    named = [text for text in strings(recipe) if text.startswith("hyperbridge:")]
    assert [text for text in named if not Path(resolve_path(text)).exists()] == []


@pytest.mark.parametrize("name", SETUPS)
def test_a_setup_loads_in_accelerate(name: str) -> None:
    assert load_config_from_file(str(ROOT / name)).num_processes == {"cpu": 1, "ddp": 2}[Path(name).stem]
