"""A run's emissions are estimated for a country when asked, and not at all else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.emissions import check_country
from hyperbridge.trainers.recipe import RegisterRecipe
from hyperbridge.trainers.sft import train_registers


class Tracker:
    """CodeCarbon's tracker, as far as it is used."""

    def __init__(self, *, country_iso_code: str, save_to_file: bool, **kwargs: Any) -> None:
        assert (country_iso_code, save_to_file) == ("RUS", False)
        self.final_emissions_data = SimpleNamespace(energy_consumed=0.0)
        self.started = False

    def start(self) -> None:
        self.started = True

    def stop(self) -> float:
        assert self.started
        self.final_emissions_data.energy_consumed = 0.25
        return 0.1


@pytest.fixture
def codecarbon(monkeypatch: pytest.MonkeyPatch) -> None:
    known = SimpleNamespace(get=lambda alpha_3: {"RUS": "Russia"}.get(alpha_3))
    monkeypatch.setitem(sys.modules, "codecarbon", SimpleNamespace(OfflineEmissionsTracker=Tracker))
    monkeypatch.setitem(sys.modules, "pycountry", SimpleNamespace(countries=known))


@pytest.mark.usefixtures("codecarbon")
def test_a_register_tells_what_its_run_emitted(tmp_path: Path, recipe_data: Callable[..., dict[str, Any]]) -> None:
    recipe = recipe_data(tmp_path / "run", max_steps=1, co2_country="RUS")
    run = train_registers(RegisterRecipe.model_validate(recipe), report=len)
    told = json.loads((run / "registers/poet/training.json").read_text(encoding="utf-8"))
    assert (told["energy_kwh"], told["co2_grams"], told["country"]) == (0.25, 100.0, "RUS")


@pytest.mark.usefixtures("codecarbon")
def test_an_unknown_country_is_refused_before_any_work(
    tmp_path: Path, recipe_data: Callable[..., dict[str, Any]]
) -> None:
    recipe = RegisterRecipe.model_validate(recipe_data(tmp_path / "run", co2_country="Россия"))
    with pytest.raises(HyperBridgeError, match="no country 'Россия'; give its three letters, as in RUS"):
        train_registers(recipe)
    assert not (tmp_path / "run").exists()


def test_without_codecarbon_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    check_country(None)
    with pytest.raises(HyperBridgeError, match=r"needs CodeCarbon: pip install 'hyperbridge\[co2\]'"):
        check_country("RUS")


@pytest.mark.slow
def test_codecarbon_itself_measures_something(tmp_path: Path, recipe_data: Callable[..., dict[str, Any]]) -> None:
    pytest.importorskip("codecarbon")
    recipe = recipe_data(tmp_path / "run", max_steps=2, co2_country="RUS")
    run = train_registers(RegisterRecipe.model_validate(recipe), report=len)
    told = json.loads((run / "registers/poet/training.json").read_text(encoding="utf-8"))
    assert 0 < told["energy_kwh"] < 0.1
    assert 0 < told["co2_grams"] < 100
