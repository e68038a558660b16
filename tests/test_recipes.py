"""Every recipe that is shipped loads, opens with the command that runs it, and names only files that are there."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from hyperbridge.modeling.base import resolve_path
from hyperbridge.trainers.graft_recipe import GraftRecipe
from hyperbridge.trainers.recipe import PretrainRecipe, RegisterRecipe, load_recipe
from hyperbridge.trainers.recipe_files import read_recipe, recipe_names, variant_names

ROOT = Path(__file__).parents[1] / "recipes"
SETUPS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("accelerate/*.yaml"))
RECIPES = recipe_names()
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.glob("*/*.yaml")
    if path.stem != "base" and path.parent.name not in ("accelerate", "variants")
)
MODELS = {"pretrain": PretrainRecipe, "graft": GraftRecipe}


def test_the_walk_finds_the_recipes() -> None:
    assert {"nano-ru/registers", "nano-ru/pretrain", "qwen3-8b/registers", "saiga-nemo-12b/registers"} <= set(RECIPES)
    assert {"accelerate/cpu.yaml", "accelerate/one_gpu.yaml"} <= set(SETUPS)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_loads_under_its_model(name: str) -> None:
    model = MODELS.get(name.partition("/")[2], RegisterRecipe)
    assert load_recipe(name, model).output_dir.startswith("runs/")


@pytest.mark.parametrize("variant", variant_names())
@pytest.mark.parametrize("name", [name for name in RECIPES if name.endswith("/registers")])
def test_a_recipe_takes_every_variant(name: str, variant: str) -> None:
    assert load_recipe(f"{name}+{variant}", RegisterRecipe).output_dir.endswith(f"-{variant}")


@pytest.mark.parametrize("name", FILES)
def test_a_recipe_opens_with_its_command(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    opening = " ".join(line.strip("# \\") for line in takewhile(lambda line: line.startswith("#"), lines))
    named = f"BASE/{Path(name).stem}" if name.startswith("jobs/") else f"recipes/{name}"
    assert re.search(rf"accelerate launch [^#]*-m hyperbridge\.trainers\.\w+ --config {named}", opening)


@pytest.mark.parametrize("name", RECIPES)
def test_the_package_files_a_recipe_names_exist(name: str) -> None:
    def strings(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for inner in value.values() for text in strings(inner)]
        return [value] if isinstance(value, str) else []

    named = [text for text in strings(read_recipe(name)) if text.startswith("hyperbridge:")]
    assert [text for text in named if not Path(resolve_path(text)).exists()] == []


@pytest.mark.parametrize("name", SETUPS)
def test_a_setup_loads_in_accelerate(name: str) -> None:
    assert load_config_from_file(str(ROOT / name)).num_processes == {"ddp": 2, "fsdp2": 2, "zero2": 2, "zero3": 2}.get(
        Path(name).stem, 1
    )
