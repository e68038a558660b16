"""A recipe is refused at the door, in words that say which key, what was found, and what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.trainers.recipe import PretrainRecipe, RegisterRecipe, load_recipe, parse_size

RECIPE = """
output_dir: runs/test
base: {model: somebody/base}
data: {train: train.jsonl}
registers:
  poet: {style: поэтический}
training:
  epochs: 2
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(HyperBridgeError) as caught:
        load_recipe(path, RegisterRecipe, list(overrides))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_recipe_is_its_file_and_the_defaults(recipe: Path) -> None:
    loaded = load_recipe(recipe, RegisterRecipe)
    assert (loaded.output_dir, loaded.base.model, loaded.training.epochs) == ("runs/test", "somebody/base", 2)
    assert (loaded.registers["poet"].style, loaded.lora.r, loaded.base.load_in_4bit) == ("поэтический", 16, False)


def test_set_overrides_nested_keys_and_makes_sections(recipe: Path) -> None:
    loaded = load_recipe(
        recipe,
        RegisterRecipe,
        [
            "training.learning_rate=1e-4",
            "lora.target_modules=[q_proj, v_proj]",
            "registers.body.style=телесный",
            "system_prompt=коротко=ясно",
        ],
    )
    assert (loaded.training.epochs, loaded.training.learning_rate) == (2, 1e-4)
    assert loaded.lora.target_modules == ["q_proj", "v_proj"]
    assert {name: register.style for name, register in loaded.registers.items()} == {
        "poet": "поэтический",
        "body": "телесный",
    }
    assert loaded.system_prompt == "коротко=ясно"


def test_what_is_given_beside_a_recipe_goes_over_its_file_and_under_the_overrides(recipe: Path) -> None:
    given = {"training.epochs": 4, "training.seed": 4}
    loaded = load_recipe(recipe, RegisterRecipe, ["training.seed=5"], given=given)
    assert (loaded.training.epochs, loaded.training.seed) == (4, 5)
    with pytest.raises(HyperBridgeError, match=r"^output_dir\.name: 'output_dir' is not a section$"):
        load_recipe(recipe, RegisterRecipe, given={"output_dir.name": "x"})


def test_without_a_file_a_recipe_is_what_is_given_and_the_defaults() -> None:
    data = {"base.model": "somebody/base", "data.train": "train.jsonl", "registers": {"poet": {"style": "поэтический"}}}
    loaded = load_recipe(None, RegisterRecipe, given=data | {"output_dir": "runs/test"})
    assert (loaded.base.model, loaded.training.epochs) == ("somebody/base", 3)
    with pytest.raises(HyperBridgeError, match=r"^key 'output_dir' is missing$"):
        load_recipe(None, RegisterRecipe, given=data)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epohs=3", "unknown key 'training.epohs'; did you mean 'epochs'? (known: batch_size, bf16, co2_"),
        ("registers.poet.stile=x", "unknown key 'registers.poet.stile'; did you mean 'style'? (known: style, task)"),
        (
            "output=runs",
            "unknown key 'output'; did you mean 'output_dir'? (known: activation, base, data, lora, output_dir,",
        ),
        ("zzz=1", "unknown key 'zzz'; (known: activation, base, data, lora, output_dir, registers, system_prompt, tra"),
        ("training.epochs=много", "training.epochs: Input should be a valid number, unable to parse"),
        ("training.batch_size=0", "training.batch_size: Input should be greater than 0 (found '0')"),
        ("activation=scenes", "activation: Input should be 'scene' or 'always' (found 'scenes')"),
        ("activasion=scene", "unknown key 'activasion'; did you mean 'activation'?"),
        ("training.scene_cash=1GiB", "unknown key 'training.scene_cash'; did you mean 'scene_cache'?"),
        (
            "training.scene_cache=2 гига",
            'training.scene_cache: write a size as "2GiB", "500MB" or a number of bytes (found \'2 гига\')',
        ),
        ("training.scene_cache=-1", "training.scene_cache: Input should be greater than or equal to 0 (found '-1')"),
        ("training.early_stop=0", "training.early_stop: Input should be greater than 0 (found '0')"),
        ("training.early_stop=2", "training.early_stop needs data.validation and training.eval_per_epoch"),
        ("base.dtype=int8", "base.dtype: Input should be 'float32', 'bfloat16' or 'float16' (found 'int8')"),
        ("registers.body.style=поэтический", "two registers share the style поэтический"),
        ("registers.the poet.style=телесный", "register name 'the poet' must be a word of letters, digits and _"),
        ("registers.base.style=телесный", "register name 'base' is the bare base's own"),
        ("registers={}", "registers: Dictionary should have at least 1 item"),
        ("base=null", "base: Input should be"),
        ("output_dir.name=x", "--set 'output_dir.name=x': 'output_dir' is not a section"),
        ("training.epochs", "--set 'training.epochs': write key=value, for example training.epochs=5"),
        ("training.epochs=[", "--set 'training.epochs=[': the value is not YAML"),
    ],
)
def test_a_bad_key_or_value_is_explained(recipe: Path, override: str, message: str) -> None:
    assert message in refusal(recipe, override)


def test_registers_are_activated_by_the_scene_unless_asked_otherwise(recipe: Path) -> None:
    assert load_recipe(recipe, RegisterRecipe).activation == "scene"
    assert load_recipe(recipe, RegisterRecipe, ["activation=always"]).activation == "always"


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("2GiB", 2 * 1024**3),
        ("1.5 KiB", 1536),
        ("500MB", 500_000_000),
        ("1tb", 10**12),
        ("4096", 4096),
        ("0", 0),
    ],
)
def test_a_size_is_bytes_or_a_number_with_a_unit(recipe: Path, written: str, size: int) -> None:
    assert load_recipe(recipe, RegisterRecipe, [f"training.scene_cache={written}"]).training.scene_cache == size


@pytest.mark.parametrize("written", ["GiB", "2G", "2 GiB 3", "-1GiB", "1,5GiB", "много"])
def test_a_text_that_is_no_size_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="write a size as"):
        parse_size(written)


def test_an_early_stop_needs_something_to_watch(recipe: Path) -> None:
    watched = ["training.early_stop=2", "data.validation=validation.jsonl"]
    assert load_recipe(recipe, RegisterRecipe, watched).training.early_stop == 2
    assert load_recipe(recipe, RegisterRecipe).training.early_stop is None
    assert "training.early_stop needs data.validation and training.eval_per_epoch" in refusal(
        recipe, *watched, "training.eval_per_epoch=false"
    )


def test_a_mistyped_required_key_is_unknown_before_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.replace("output_dir", "output_dr"), encoding="utf-8")
    assert refusal(path).startswith(f"{path}: unknown key 'output_dr'; did you mean 'output_dir'?")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("output_dir: runs/test\nbase: {}\n", encoding="utf-8")
    assert refusal(path) == f"{path}: key 'base.model' is missing"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- 1\n", "a recipe is a mapping of keys, found list"),
        ("", "a recipe is a mapping of keys, found NoneType"),
        ("a: [1\n", "not YAML: while parsing a flow sequence"),
        ("style: поэтический\n", "not YAML: 'utf-8' codec can't decode byte"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content.encode("cp1251"))
    assert message in refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "нет.yaml: no such recipe file, nor a shipped recipe (hyperbridge recipes list" in refusal(
        tmp_path / "нет.yaml"
    )
    assert refusal(Path("nano-ru/register")).startswith(
        "nano-ru/register: no such recipe file, nor a shipped recipe; did you mean 'nano-ru/registers'?"
    )


@pytest.mark.parametrize("name", ["nano-ru/registers", "nano-ru/registers.yaml"])
def test_a_shipped_recipe_is_found_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load_recipe(name, RegisterRecipe)
    assert list(loaded.registers) == ["poet", "logician", "body", "philosopher", "archetype"]
    assert loaded.base.model == "hyperbridge:assets/nano-ru"


def test_a_file_goes_before_a_shipped_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nano-ru").mkdir()
    (tmp_path / "nano-ru" / "registers.yaml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert list(load_recipe("nano-ru/registers.yaml", RegisterRecipe).registers) == ["poet"]


def test_a_recipe_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"unknown key 'base'; .*known: architecture"):
        load_recipe("nano-ru/registers", PretrainRecipe)


def test_a_register_is_left_out_of_the_recipe_that_is_extended(recipe: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: recipe.yaml\nregisters: {poet: null, body: {style: телесный}}\n", encoding="utf-8")
    assert list(load_recipe(own, RegisterRecipe).registers) == ["body"]
    assert "registers" in refusal(recipe, "registers.poet=null")  # none is left
