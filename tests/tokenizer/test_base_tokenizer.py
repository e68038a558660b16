"""A base is opened from what it is found as, and told apart by what it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from hyperbridge import HyperBridgeError
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer, open_base


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("qwen", "byte-level"),
        ("smollm2", "byte-level"),
        ("llama3", "byte-level"),
        ("tekken", "tekken"),
        ("mistral", "sentencepiece"),
        ("nano_ru", "character"),
    ],
)
def test_the_family_is_told_by_what_it_is(request: pytest.FixtureRequest, name: str, family: str) -> None:
    found: BaseTokenizer = request.getfixturevalue(name)
    assert found.family == family


def test_a_text_is_its_pretokens_and_they_are_the_bases_pieces(base: BaseTokenizer) -> None:
    text = "Он шагнул в молчание — и «ладонь» загорелась."
    pretokens = base.pretokens(text)
    assert "".join(base.surface(one) or "" for one in pretokens).lstrip(" ") == text
    ids = [token_id for one in pretokens for token_id in base.piece_ids(one)]
    assert ids == base.backend.encode(text, add_special_tokens=False).ids


def test_a_piece_is_spelled_and_read_back(base: BaseTokenizer) -> None:
    assert base.surface(base.spelled(" ладонь")) == " ладонь"


def test_a_piece_that_ends_inside_a_character_has_no_text(qwen: BaseTokenizer) -> None:
    assert qwen.surface(qwen.spelled("д")[:1]) is None


def test_ids_inside_a_text_have_neither_bos_nor_prefix(mistral: BaseTokenizer) -> None:
    pieces = [[mistral.backend.id_to_token(token_id) for token_id in mistral.ids(text)] for text in ("дом", " дом")]
    assert pieces == [["дом"], ["▁до", "м"]]


def test_the_digest_tells_vocabularies_apart(llama3_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(llama3_folder, tmp_path / "copy")
    first = open_base(str(tmp_path / "copy"))
    state = json.loads((tmp_path / "copy/tokenizer.json").read_text())
    state["model"]["merges"].pop()
    (tmp_path / "copy/tokenizer.json").write_text(json.dumps(state))
    assert first.sha256 == open_base(str(llama3_folder)).sha256
    assert first.sha256 != open_base(str(tmp_path / "copy")).sha256


def test_a_folder_of_a_sentencepiece_model_is_opened_with_it(
    installed_file: Callable[[str, str], Path], mistral: BaseTokenizer, tmp_path: Path
) -> None:
    shutil.copy(installed_file("mistral_common", "data/tokenizer.model.v1"), tmp_path / "tokenizer.model")
    found = open_base(str(tmp_path))
    assert (found.family, found.sha256) == ("sentencepiece", mistral.sha256)
    assert found.proto is not None


def saved(folder: Path, backend: Tokenizer) -> str:
    backend.save(str(folder / "tokenizer.json"))
    return str(folder)


def test_kinds_that_merges_cannot_be_appended_to_are_refused_with_the_reason(tmp_path: Path) -> None:
    wordpiece = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    with pytest.raises(HyperBridgeError, match="its model is WordPiece: it has no merges"):
        open_base(saved(tmp_path, wordpiece))
    with pytest.raises(HyperBridgeError, match="its model is Unigram: its pieces have probabilities and no merges"):
        open_base(saved(tmp_path, Tokenizer(models.Unigram([("а", -1.0)]))))
    endings = Tokenizer(models.BPE({"а</w>": 0}, [], end_of_word_suffix="</w>"))
    endings.decoder = decoders.ByteLevel()
    with pytest.raises(HyperBridgeError, match="marks the ends of words"):
        open_base(saved(tmp_path, endings))
    lossy = Tokenizer(models.BPE({"а": 0}, []))
    lossy.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(HyperBridgeError, match="spells neither bytes nor rare characters in bytes"):
        open_base(saved(tmp_path, lossy))


def test_a_missing_or_broken_source_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="no such folder or file"):
        open_base(str(tmp_path / "нет"))
    with pytest.raises(HyperBridgeError, match=r"no tokenizer here: none of tokenizer\.json"):
        open_base(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(HyperBridgeError, match=r"tokenizer\.json: not a tokenizer\.json"):
        open_base(str(tmp_path))
    (tmp_path / "tokenizer.model").write_bytes(b"\xff")
    with pytest.raises(HyperBridgeError, match=r"tokenizer\.model: not a SentencePiece model"):
        open_base(str(tmp_path / "tokenizer.model"))
    with pytest.raises(HyperBridgeError, match="only a Hub id has a revision"):
        open_base(str(tmp_path), revision="main")
    with pytest.raises(HyperBridgeError, match="not a Hub id"):
        open_base("not a hub id")


def test_a_file_of_ids_alone_is_opened_without_transformers() -> None:
    code = (
        "import sys; from hyperbridge.locations import resolve_path; "
        "from hyperbridge.tokenizer.base_tokenizer import open_base; "
        "open_base(str(resolve_path('hyperbridge:assets/nano-ru')) + '/tokenizer.json'); "
        "assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_settings_are_carried_without_what_would_hide_new_tokens(llama3: BaseTokenizer, tmp_path: Path) -> None:
    llama3.write(tmp_path, [], [])
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings == {
        "bos_token": "<|begin_of_text|>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|eot_id|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def test_a_chat_template_comes_out_ready_to_train_with(smollm2: BaseTokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    smollm2.write(tmp_path, [], [])
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    chat = [{"role": "user", "content": "жар"}, {"role": "assistant", "content": "Стою у двери."}]
    rendered = loaded.apply_chat_template(chat, tokenize=False)
    assert rendered.endswith("<|im_start|>user\nжар<|im_end|>\n<|im_start|>assistant\nСтою у двери.<|im_end|>\n")
    encoded = loaded.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    masked = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    assert loaded.decode([token_id for token_id, mask in masked if mask]) == "Стою у двери.<|im_end|>"
    assert (loaded.eos_token, loaded.pad_token) == ("<|im_end|>", "<|endoftext|>")
