"""What can be known of a recipe before anything is trained or downloaded: does it fit together, and on which cards.

Keys are checked as a run checks them; what else there is to check is told by the kind of recipe: registers
(register_check.py), a graft (graft_check.py), a base from nothing (pretrain_check.py). Cost: a few seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperbridge.trainers.checked import Checked
from hyperbridge.trainers.graft_check import check_graft, graft_advice
from hyperbridge.trainers.graft_recipe import GraftRecipe
from hyperbridge.trainers.pretrain_check import check_pretraining
from hyperbridge.trainers.recipe import PretrainRecipe, RegisterRecipe, Section, load_recipe
from hyperbridge.trainers.recipe_files import Kind, kind_of, read_recipe
from hyperbridge.trainers.register_check import check_registers, register_advice

if TYPE_CHECKING:
    from hyperbridge.trainers.estimate import Gpu

MODELS: dict[Kind, type[Section]] = {"registers": RegisterRecipe, "graft": GraftRecipe, "pretrain": PretrainRecipe}
# So many cards are tried where one does not hold a base.
SEVERAL = (2, 4, 8)
SHARED_BY = "recipes/accelerate/fsdp2.yaml"


def check_recipe(name: str, overrides: list[str] | None = None, *, device: str = "cuda", gpus: int = 1) -> Checked:
    """Check a recipe.

    Args:
        name: a shipped recipe or a file.
        overrides: `key=value`.
        device: `cuda`, or `cpu` for a run without a card.
        gpus: how many train together; the base is shared out over them where it can be.

    Raises:
        HyperBridgeError: the recipe is missing, or does not load.
    """
    checked = _check(name, load_recipe(name, recipe_model(name), overrides), device, gpus)
    if checked.estimate is not None and gpus > 1:
        checked.estimate = checked.estimate.over(gpus)
        checked.notes.append(_told_of_shares(checked.estimate.whole, gpus))
    return checked


def recipe_model(name: str) -> type[Section]:
    """The model of a recipe's keys."""
    return MODELS[kind_of(read_recipe(name))]


def advice(checked: Checked, gpu: Gpu) -> list[str]:
    """What to change where a recipe does not fit a card, the cheapest first."""
    recipe, found = checked.recipe, []
    if checked.estimate is not None and isinstance(recipe, RegisterRecipe):
        found = register_advice(checked.name, recipe, checked.estimate)
    elif isinstance(recipe, GraftRecipe):
        found = graft_advice(recipe)
    if gpus := several(checked, gpu):
        found.append(f"--gpus {gpus} (the base shared out over {gpus} such cards: {SHARED_BY})")
    return found or ["a smaller base, or a larger card"]


def several(checked: Checked, gpu: Gpu) -> int | None:
    """Over how many cards a base is to be shared out that does not fit as many as there are; None: not of `SEVERAL`."""
    estimate = checked.estimate
    if estimate is None or estimate.whole:
        return None
    return next((gpus for gpus in SEVERAL if gpus > estimate.gpus and estimate.over(gpus).fits(gpu)), None)


def _check(name: str, recipe: Section, device: str, gpus: int) -> Checked:
    """By the kind of recipe."""
    if isinstance(recipe, RegisterRecipe):
        return check_registers(name, recipe, device=device, gpus=gpus)
    if isinstance(recipe, GraftRecipe):
        return check_graft(name, recipe, device=device, gpus=gpus)
    assert isinstance(recipe, PretrainRecipe)
    return check_pretraining(name, recipe)


def _told_of_shares(whole: str | None, gpus: int) -> str:
    if whole:
        return f"{whole}: it is whole on each of {gpus}, and the time is divided (recipes/accelerate/ddp.yaml)"
    return f"the base is shared out over {gpus} GPUs ({SHARED_BY}); memory in shares and time are arithmetic"
