"""A bundle is checked before anything of it is loaded, and a refusal says what was found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hyperbridge import HyperBridge, HyperBridgeError
from hyperbridge.modeling.base import Base
from hyperbridge.modeling.bundle import (
    BundleConfig,
    RegisterCard,
    load_config,
    load_register_card,
    register_folders,
    save_config,
    save_register_card,
)

BASE = Base(model="owner/name", revision="abc")


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def test_config_and_card_come_back_as_they_were_saved(tmp_path: Path) -> None:
    config, card = BundleConfig(base=BASE, system_prompt="Говори."), RegisterCard(style="поэтический", base=BASE)
    (tmp_path / "registers").mkdir()
    save_config(tmp_path, config)
    save_register_card(tmp_path, card)
    assert load_config(tmp_path) == config
    assert load_register_card(tmp_path, BASE) == card
    assert json.loads((tmp_path / "register.json").read_text(encoding="utf-8")) == {
        "style": "поэтический",
        "base": {"model": "owner/name", "revision": "abc"},
        "task": "speak",
    }


def test_registers_are_found_in_name_order_or_as_wanted(bundle: Path) -> None:
    (bundle / "registers" / "notes").mkdir()
    assert list(register_folders(bundle)) == ["body", "poet"]
    for wanted in (["poet"], ["поэтический"], "poet"):
        assert register_folders(bundle, wanted) == {"poet": bundle / "registers" / "poet"}


def test_a_missing_register_names_the_nearest(bundle: Path) -> None:
    with pytest.raises(
        HyperBridgeError, match=r"bundle: no register 'poett'; did you mean 'poet'\? \(known: body, poet"
    ):
        HyperBridge.from_pretrained(bundle, registers=["poett"])


def test_only_safetensors_are_loaded(bundle: Path) -> None:
    adapter = bundle / "registers/poet/adapter_model.safetensors"
    adapter.rename(adapter.with_suffix(".bin"))
    with pytest.raises(HyperBridgeError, match=r"poet: adapter_model\.bin is no safetensors file"):
        HyperBridge.from_pretrained(bundle)
    adapter.with_suffix(".bin").unlink()
    with pytest.raises(HyperBridgeError, match=r"adapter_model\.safetensors is missing; a register is a PEFT folder"):
        HyperBridge.from_pretrained(bundle)


def test_a_register_that_reaches_out_is_refused(bundle: Path, tmp_path: Path) -> None:
    adapter = bundle / "registers/poet/adapter_model.safetensors"
    adapter.rename(tmp_path / "elsewhere.safetensors")
    adapter.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(HyperBridgeError, match=r"a link that leads out of the bundle"):
        HyperBridge.from_pretrained(bundle)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}}, "names code to be loaded"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "names code to be loaded"),
        ({"megatron_config": {"a": 1}}, "names code to be loaded"),
        ({"peft_type": "IA3"}, "a register is a LoRA"),
        ({"modules_to_save": ["lm_head"]}, "changes the base's own weights"),
    ],
)
def test_an_adapter_config_that_is_more_than_a_lora_is_refused(
    bundle: Path, change: dict[str, object], why: str
) -> None:
    path = bundle / "registers/poet/adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(HyperBridgeError, match=why):
        HyperBridge.from_pretrained(bundle)


def test_another_tokenizer_on_the_same_weights_is_refused(bundle: Path, tiny_base: Path, tmp_path: Path) -> None:
    base = shutil.copytree(tiny_base, tmp_path / "base")
    path = base / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace("⟁", "⟂"), encoding="utf-8")
    with pytest.raises(HyperBridgeError, match="its tokenizer has another vocabulary"):
        HyperBridge.from_pretrained(bundle, base=str(base))


def test_a_register_of_another_base_is_refused_with_both_names(bundle: Path, tiny_base: Path, other_base: Path) -> None:
    with pytest.raises(
        HyperBridgeError,
        match=rf"was trained on another base: here {other_base}@\w{{12}} instead of {tiny_base}@\w{{12}}",
    ):
        HyperBridge.from_pretrained(bundle, base=str(other_base))


def test_a_base_replaced_in_its_place_is_noticed(
    bundle: Path, tiny_base: Path, other_base: Path, tmp_path: Path
) -> None:
    place = Path(shutil.copytree(tiny_base, tmp_path / "place"))
    assert HyperBridge.from_pretrained(bundle, base=str(place)).registers == ("body", "poet")
    shutil.copy(other_base / "model.safetensors", place)
    with pytest.raises(HyperBridgeError, match="was trained on another base"):
        HyperBridge.from_pretrained(bundle, base=str(place))


def test_a_base_that_has_gone_is_named(bundle: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"^/nowhere/tiny: no such base"):
        HyperBridge.from_pretrained(bundle, base="/nowhere/tiny")


def test_a_folder_has_no_revisions(bundle: Path) -> None:
    with pytest.raises(HyperBridgeError, match="bundle: a folder of this machine, which has no revision 'v2'"):
        HyperBridge.from_pretrained(bundle, revision="v2")


def test_what_is_no_bundle_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    for folder in (tiny_base, tmp_path):
        with pytest.raises(HyperBridgeError, match=r"not a HyperBridge: it needs config\.json and registers/<name>/"):
            HyperBridge.from_pretrained(folder)


def test_a_bundle_without_registers_is_refused(bundle: Path) -> None:
    shutil.rmtree(bundle / "registers")
    (bundle / "registers").mkdir()
    with pytest.raises(HyperBridgeError, match="bundle: no registers in this bundle"):
        HyperBridge.from_pretrained(bundle)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{", r"config\.json: Invalid JSON: "),
        ("config.json", "{}", r"config\.json: base: Field required"),
        ("registers/poet/register.json", '{"style": "поэтический"}', r"register\.json: base: Field required"),
    ],
)
def test_a_broken_file_of_a_bundle_is_named(bundle: Path, name: str, text: str, message: str) -> None:
    (bundle / name).write_text(text, encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=message):
        HyperBridge.from_pretrained(bundle)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("somebody/bundle", "somebody/bundle: the Hub cannot be reached, and the cache lacks it: "),
        ("no/such/folder", "no/such/folder: no such folder, and not a Hub id"),
        ("нет такой", "нет такой: no such folder, and not a Hub id"),
    ],
)
def test_a_bundle_that_is_nowhere_is_one_line(name: str, message: str) -> None:
    with pytest.raises(HyperBridgeError, match=message) as caught:
        HyperBridge.from_pretrained(name)
    assert "\n" not in str(caught.value)
