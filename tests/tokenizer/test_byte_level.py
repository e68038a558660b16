"""Backends rebuilt from files of ranks give the ids of the published tokenizers."""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbridge import HyperBridgeError
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer
from hyperbridge.tokenizer.byte_level import (
    QWEN_WORDS,
    alphabet,
    bytes_of,
    merges_of,
    open_tekken,
    open_tiktoken,
    spell,
)
from hyperbridge.tokenizer.merges import LLAMA_CPP_TEXT


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("qwen", "e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea"),
        ("tekken", "63b97e4253352e6f357cc59ea5b583e3a680eaeaf2632188c2b952de2588485e"),
        ("smollm2", "855059429035d75a914d1eda9f10a876752e281a054a7a3d421ef0533e5b6249"),
    ],
)
def test_the_ids_of_the_recognized_text_are_the_published_ones(
    request: pytest.FixtureRequest, name: str, published: str
) -> None:
    base: BaseTokenizer = request.getfixturevalue(name)
    ids = base.backend.encode(LLAMA_CPP_TEXT).ids
    assert hashlib.sha256(str(ids).encode()).hexdigest() == published


def test_the_sizes_are_those_of_the_files(qwen: BaseTokenizer, tekken: BaseTokenizer, smollm2: BaseTokenizer) -> None:
    assert (qwen.size, len(qwen.state["model"]["merges"])) == (151_646, 151_387)
    assert (tekken.size, len(tekken.state["added_tokens"])) == (131_072, 1000)
    assert (smollm2.size, smollm2.settings["eos_token"]) == (49_152, "<|im_end|>")


@pytest.fixture(scope="session")
def qwen_of_tiktoken(installed_file: Callable[[str, str], Path]) -> Any:
    tiktoken = pytest.importorskip("tiktoken")
    lines = installed_file("dashscope", "resources/qwen.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in (line.split() for line in lines)}
    return tiktoken.Encoding("qwen", pat_str=QWEN_WORDS, mergeable_ranks=ranks, special_tokens={})


@given(text=st.text(max_size=40) | st.text("абвеёжзийъ «»АБВ-,.\n\t\u00a0", max_size=40))
def test_qwen_is_tiktoken_id_for_id(qwen: BaseTokenizer, qwen_of_tiktoken: Any, text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert qwen.backend.encode(text).ids == qwen_of_tiktoken.encode_ordinary(text)


@given(st.binary(max_size=20))
def test_every_byte_has_a_printable_character(raw: bytes) -> None:
    assert bytes_of(spell(raw)) == raw
    assert len(set(alphabet().values())) == 256
    assert spell(raw).isprintable()


def test_a_piece_is_merged_from_what_the_lower_ranks_leave_of_it() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)}
    ranks |= {b"bc": 256, b"ab": 257, b"abc": 258, b"abcd": 259, b"xyz": 260}
    assert merges_of(ranks) == [("b", "c"), ("a", "b"), ("a", "bc"), ("abc", "d")]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"IQ== 0\nnot a rank\n", ":2: not a base64 piece and its rank"), (b"IQ== 0\nIg== 2\n", "its 2 ranks are not 0")],
)
def test_a_broken_file_of_ranks_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "broken.tiktoken").write_bytes(content)
    with pytest.raises(HyperBridgeError, match=said):
        open_tiktoken(tmp_path / "broken.tiktoken")


@pytest.mark.parametrize(("told", "said"), [([], "not a JSON object"), ({"config": {}}, "not a tekken.json: KeyError")])
def test_a_json_that_is_no_tekken_is_refused(tmp_path: Path, told: object, said: str) -> None:
    (tmp_path / "tekken.json").write_text(json.dumps(told))
    with pytest.raises(HyperBridgeError, match=said):
        open_tekken(tmp_path / "tekken.json")
