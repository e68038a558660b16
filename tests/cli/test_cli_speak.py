"""`hyperbridge speak`: a scene in every register or in those asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

SCENE = "жар+тишина+вход; agent=[bold]тело"


def test_every_register_speaks_under_its_name(call, tiny_bundle: Path) -> None:
    said = call("speak", tiny_bundle, SCENE, "--seed", 1)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[:3] == [SCENE, "", "body"]
    assert lines.count("poet") == 1


def test_a_seed_repeats_and_greedy_needs_none(call, tiny_bundle: Path) -> None:
    sampled = [call("speak", tiny_bundle, SCENE, "-r", "poet", "-n", 2, "--seed", seed).out for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]
    greedy = [call("speak", tiny_bundle, SCENE, "-r", "poet", "-r", "base", "-t", 0).out for _ in range(2)]
    assert greedy[0] == greedy[1]
    assert "\n\npoet\n" in greedy[0]
    assert "\n\nbase\n" in greedy[0]
    assert "body" not in greedy[0].splitlines()


def test_an_unknown_register_is_one_line(call, tiny_bundle: Path) -> None:
    assert call("speak", tiny_bundle, SCENE, "-r", "poett").error == (
        f"error: {tiny_bundle}: no register 'poett'; did you mean 'poet'? (known: body, poet, поэтический, телесный)"
    )
    misspelt = call("speak", tiny_bundle, SCENE, "-r", "паэтический").error
    assert "no register 'паэтический'; did you mean 'поэтический'?" in misspelt


def test_an_adapter_of_another_base_is_one_line(call, tiny_bundle: Path, other_base: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    config = bundle / "config.json"
    base = config.read_text(encoding="utf-8").split('"model": "')[1].split('"')[0]
    config.write_text(config.read_text(encoding="utf-8").replace(base, str(other_base)), encoding="utf-8")
    error = call("speak", bundle, SCENE).error
    assert error.startswith(f"error: {bundle}/registers/body: this register was trained on another base: here ")
    assert f"{other_base}@" in error
    assert f"{base}@" in error


@pytest.mark.parametrize("scene", ["", "жар; agnt=тело", '{"scene":'])
def test_a_bad_scene_is_one_line_before_anything_is_loaded(call, scene: str) -> None:
    assert call("speak", "/нет/бандла", scene).error.startswith("error: scene ")


def test_what_is_no_bundle_is_one_line(call, tmp_path: Path) -> None:
    assert call("speak", tmp_path, SCENE).error.startswith(f"error: {tmp_path}: not a HyperBridge: it needs ")
