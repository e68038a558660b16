"""The backend gives SentencePiece's ids; the extended files give the base's ids and each other's."""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hyperbridge.errors import HyperBridgeError
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer
from hyperbridge.tokenizer.extension import Unit
from hyperbridge.tokenizer.sentencepiece_bpe import (
    extend_backend,
    extend_model,
    loading_config,
    open_sentencepiece,
)
from hyperbridge.tokenizer.units import UnitToken, tokens_of

sentencepiece = pytest.importorskip("sentencepiece", reason="the reference these tests compare with")
pytest.importorskip("sentencepiece.sentencepiece_model_pb2", reason="needs protobuf", exc_type=ImportError)

LINES = [
    "Снег лежит на реке, и река молчит под снегом.",
    "Тишина входит в дом, дом дышит жаром печи.",
    "Память о береге тише снега и дольше зимы.",
    "За окном ночь; в окне свет, в свете снег.",
    "for line in lines:\n    print(line)",
    "молчание, молчаливый, молчали, замолчать; снежный, снежинка, заснеженный",
]
TEXTS = [
    *LINES,
    "",
    " ",
    "   начало с пробелов и конец с ними   ",
    "мир ⟁ и 🜂, 👩‍👩‍👧 и е\u0301, \u00a0неразрывный\u2009тонкий",
    "строка\r\nстрока\n\n\tтаб   и    пробелы",
    "Ѣ, ѳ, 𝔘, 한글, <0x0A>, ▁черта, \x00",
    "аааааааааа -------- ........ !!!!!",
    "снегснегснег молчмолч",
]
UNITS = [
    Unit(text="жартишинавход", kind="hyperlexeme", components=("жар", "тишина", "вход")),
    Unit(text="снегтишина", kind="hyperlexeme", components=("снег", "тишина")),
    Unit(text="Δ41", kind="formula"),
    Unit(text="Δ412", kind="formula"),
    Unit(text="⟁", kind="symbol"),
    Unit(text="🜂", kind="symbol"),
]
SURROUNDINGS = ("{}", "вот {}", "«{}»", "({})", "[{}]", "раз\n{}\nдва", "раз-{}-два", "{}, {}.", "★{}★", "{}\u00a0{}")
WORD = re.compile(r"[\w\u0300-\u036f\u200c\u200d]")


def train(**options: Any) -> bytes:
    """A small model with the settings of Mistral's and Llama-2's."""
    model = io.BytesIO()
    settings_ = {
        "model_type": "bpe",
        "vocab_size": 400,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "allow_whitespace_only_pieces": True,
        "split_digits": True,
        "hard_vocab_limit": False,
        "minloglevel": 2,
    } | options
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(LINES * 3), model_writer=model, **settings_)
    return model.getvalue()


def mistral(name: str) -> bytes:
    found = importlib.util.find_spec("mistral_common")
    if found is None or not found.submodule_search_locations:
        pytest.skip("mistral-common is not installed")
    return (Path(found.submodule_search_locations[0]) / "data" / name).read_bytes()


MODELS = {
    "mistral v1": lambda: mistral("tokenizer.model.v1"),
    "mistral v2": lambda: mistral("mistral_instruct_tokenizer_240216.model.v2"),
    "mistral v3": lambda: mistral("mistral_instruct_tokenizer_240323.model.v3"),
    "mistral v7": lambda: mistral("mistral_instruct_tokenizer_241114.model.v7"),
    "control and user-defined": lambda: train(control_symbols=["<call>"], user_defined_symbols=["<mark>", "снег"]),
    "no dummy prefix": lambda: train(add_dummy_prefix=False),
    "no byte fallback": lambda: train(byte_fallback=False),
}


def reference(model: bytes) -> Any:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def ids(backend: Any, text: str) -> list[int]:
    return backend.encode(text, add_special_tokens=False).ids


def unit_tokens() -> list[UnitToken]:
    return [token for unit in UNITS for token in tokens_of(unit)]


@pytest.fixture
def small() -> bytes:
    return SMALL


@pytest.mark.parametrize("name", sorted(MODELS))
def test_ids_are_sentencepieces(name: str) -> None:
    model = MODELS[name]()
    backend, theirs = open_sentencepiece(model), reference(model)
    runs = [
        before + " " * length + after for length in range(1, 40) for before in ("", "а") for after in ("", "б", "\n")
    ]

    for text in [*TEXTS, "<mark> и<mark>снег", *runs]:
        assert ids(backend, text) == theirs.encode(text), text


SMALL = train()
ANY = open_sentencepiece(SMALL), reference(SMALL)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("аб ▁\n-=.с", max_size=60))
def test_ids_are_sentencepieces_on_any_text_without_control_tokens(text: str) -> None:
    assume(not re.search("</?s>|<unk>", text))
    backend, theirs = ANY
    assert ids(backend, text) == theirs.encode(text)
    assert backend.decode(ids(backend, text)) == theirs.decode(theirs.encode(text))


def test_control_pieces_are_found_in_a_text_and_begin_no_word() -> None:
    backend = open_sentencepiece(train(control_symbols=["<call>"]))

    assert backend.encode("<s><call> дом", add_special_tokens=False).tokens[:2] == ["<s>", "<call>"]
    assert backend.encode("дом").tokens[0] == "<s>"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model_type": "unigram", "vocab_size": 340}, "UNIGRAM model cannot be extended"),
        ({"normalization_rule_name": "nmt_nfkc"}, "rewrites text before cutting it"),
        ({"remove_extra_whitespaces": True}, "removes extra spaces"),
        ({"treat_whitespace_as_suffix": True}, "writes a space behind its word"),
    ],
)
def test_models_without_an_equal_tokenizer_json_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(HyperBridgeError, match=reason):
        open_sentencepiece(train(**options))


def test_a_model_with_unused_pieces_is_refused(small: bytes) -> None:
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    model = ModelProto.FromString(small)
    model.pieces[-40].type = model.SentencePiece.UNUSED
    with pytest.raises(HyperBridgeError, match="UNUSED pieces"):
        open_sentencepiece(model.SerializeToString())


@pytest.mark.parametrize("content", [b"", b"\xff\xfe no model", b"{}"])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(HyperBridgeError, match="not a SentencePiece model"):
        open_sentencepiece(content)


def test_new_ids_follow_the_bases_in_the_order_learned() -> None:
    model = train(vocab_size=330)
    base = open_sentencepiece(model)
    size = base.get_vocab_size()
    new = [(a, b) for a, b in [("▁", "с"), ("▁с", "н"), ("м", "о")] if a + b not in base.get_vocab()]
    extended = extend_backend(base, new, unit_tokens())
    theirs = reference(extend_model(model, base, new, unit_tokens()))

    contents = [a + b for a, b in new] + [token.text.replace(" ", "▁") for token in unit_tokens()]
    assert [extended.id_to_token(size + at) for at in range(len(contents))] == contents
    assert [theirs.id_to_piece(size + at) for at in range(len(contents))] == contents
    assert theirs.get_piece_size() == size + len(contents)


def random_pieces(base: Any, alphabet: str, count: int, seed: int) -> list[tuple[str, str]]:
    """Pieces built at random from an alphabet: borders, runs and pieces that overlap themselves are frequent."""
    chance, known = random.Random(seed), set(base.get_vocab())
    pool = [piece for piece in sorted(known) if set(piece) <= set(alphabet)]
    new: list[tuple[str, str]] = []
    for _ in range(count * 20):
        left, right = chance.choice(pool), chance.choice(pool)
        if len(new) < count and left + right not in known and len(left + right) < 9:
            known.add(left + right)
            pool.append(left + right)
            new.append((left, right))
    return new


@pytest.mark.parametrize("alphabet", ["а", "ас", "▁ас", "снег", "▁-.", "▁"])
def test_both_files_join_new_pieces_alike_even_those_that_overlap_themselves(small: bytes, alphabet: str) -> None:
    base, chance = open_sentencepiece(small), random.Random(7)
    for seed in range(4):
        new = random_pieces(base, alphabet, (6, 12, 40, 80)[seed], seed)
        extended, theirs = extend_backend(base, new, []), reference(extend_model(small, base, new, []))
        for _ in range(200):
            text = "".join(chance.choices(alphabet.replace("▁", " "), k=chance.randrange(1, 50)))
            assert ids(extended, text) == theirs.encode(text), (text, new)


def test_text_without_new_pieces_keeps_its_ids(small: bytes) -> None:
    base = open_sentencepiece(small)
    first = base.encode(LINES[0], add_special_tokens=False).tokens
    new = [pair for pair in itertools.pairwise(first) if not pair[1].startswith("▁") and pair[1] not in ".,"]
    extended = extend_backend(base, new, unit_tokens())
    pieces = [left + right for left, right in new]

    assert len(new) > 3
    assert len(ids(extended, LINES[0])) < len(first)
    for text in TEXTS:
        old, now = (backend.encode(text, add_special_tokens=False) for backend in (base, extended))
        if not any(symbol in text for symbol in "⟁🜂"):
            assert "".join(now.tokens) == "".join(old.tokens)
            assert now.ids == old.ids or set(pieces) & set(now.tokens)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_five_thousand_hyperlexemes_change_no_other_text(text: str) -> None:
    base, extended = MANY
    assert ids(extended, text) == ids(base, text)


def _many() -> tuple[Any, Any]:
    base, chance = ANY[0], random.Random(1)
    words = {"".join(chance.choices("абвгдежзиклмнопрстуя", k=12)) for _ in range(5000)}
    units = [token for word in sorted(words) for token in tokens_of(Unit(text=word, kind="hyperlexeme"))]
    return base, extend_backend(base, [], units)


MANY = _many()


@pytest.mark.parametrize("name", ["mistral v3", "control and user-defined", "no dummy prefix"])
def test_a_unit_is_one_token_in_every_surrounding(name: str) -> None:
    model = MODELS[name]()
    base = open_sentencepiece(model)
    extended = extend_backend(base, [], unit_tokens())
    theirs = reference(extend_model(model, base, [], unit_tokens()))

    for unit, surrounding in itertools.product(UNITS, SURROUNDINGS):
        text = surrounding.replace("{}", unit.text)
        found = extended.encode(text, add_special_tokens=False).tokens
        assert sum(token.strip(" ▁") == unit.text for token in found) == surrounding.count("{}"), (text, found)
        assert extended.decode(ids(extended, text)) == base.decode(ids(base, text)) == text
        assert text == unit.text or ids(extended, text) == theirs.encode(text), text


def test_symbols_stand_inside_words_and_codes_do_not(small: bytes) -> None:
    extended = extend_backend(open_sentencepiece(small), [], unit_tokens())

    tokens = {
        text: extended.encode(text, add_special_tokens=False).tokens for text in ("дом⟁дом", "Δ413", "хΔ41", "_Δ41")
    }
    assert "⟁" in tokens["дом⟁дом"]
    assert extended.decode(ids(extended, "дом⟁дом")) == "дом⟁дом"
    assert not {"Δ41"} & {token for text in ("Δ413", "хΔ41", "_Δ41") for token in tokens[text]}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([unit.text for unit in UNITS] + [" ", "  ", "\n", "снег", "дом ", "-", "(", "Δ4", "7", "ого"])
        | st.text(max_size=4),
        max_size=8,
    )
)
def test_the_two_files_differ_only_where_sentencepiece_has_no_means(parts: list[str]) -> None:
    text = "".join(parts)
    base, extended, theirs = BOTH
    found = ids(extended, text)

    assert extended.decode(found) == base.decode(ids(base, text)) or text[1:] in WHOLE
    code_touches = any(
        (text[hit.start() - 1 : hit.start()] and WORD.match(text[hit.start() - 1])) or WORD.match(text[hit.end() :])
        for hit in re.finditer("Δ412?", text)
    )
    if text not in WHOLE and not code_touches:
        assert found == theirs.encode(text)


WHOLE = {token.text.strip() for token in unit_tokens()}
BOTH = (
    ANY[0],
    extend_backend(ANY[0], [], unit_tokens()),
    reference(extend_model(SMALL, ANY[0], [], unit_tokens())),
)


def test_what_sentencepiece_has_no_means_for_is_counted() -> None:
    _, extended, theirs = BOTH
    texts = ["Δ413 снег", "хΔ41", "Δ41х", "снег Δ41е\u0301", "Δ41", "⟁", "жартишинавход", "Δ41 снег", "жар Δ412."]

    assert [text for text in texts if ids(extended, text) != theirs.encode(text)] == texts[:7]


LEGACY = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}]}
SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}


def in_style(backend: Any, normalizer: Any, scheme: str | None) -> Any:
    """The backend as a `tokenizer.json` of transformers writes the prefix."""
    from tokenizers import Tokenizer

    state = json.loads(backend.to_str())
    state["normalizer"] = normalizer
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
    state["pre_tokenizer"] = metaspace if scheme else None
    for token in state["added_tokens"]:
        token["normalized"] = False
    return Tokenizer.from_str(json.dumps(state))


@pytest.mark.parametrize(
    ("normalizer", "scheme"),
    [
        ({**LEGACY, "normalizers": [*LEGACY["normalizers"], SPACES]}, None),
        (None, "always"),
        (None, "first"),
        (SPACES, None),
    ],
    ids=["Prepend", "Metaspace always", "Metaspace first", "no prefix"],
)
def test_a_bases_own_tokenizer_json_keeps_its_ids_and_its_decoding(small: bytes, normalizer: Any, scheme: str) -> None:
    base = in_style(open_sentencepiece(small), normalizer, scheme)
    extended = extend_backend(base, [], unit_tokens())

    for text in [*TEXTS, "<s>дом", "<s> дом</s>снег", "дом</s>", "</s>"]:
        if "⟁" not in text:
            assert ids(extended, text) == ids(base, text), text
    for unit, surrounding in itertools.product(UNITS, SURROUNDINGS):
        text = surrounding.replace("{}", unit.text)
        found = extended.encode(text, add_special_tokens=False).tokens
        assert sum(token.strip(" ▁") == unit.text for token in found) == surrounding.count("{}"), (text, found)
        assert extended.decode(ids(extended, text)) == base.decode(ids(base, text)), text


@pytest.mark.parametrize(
    ("new", "units", "reason"),
    [
        ([("снег", "▁▁ничего")], [], "a side is no piece"),
        ([("<0xD0>", "<0xB0>")], [], "a side is no piece"),
        ([("<s>", "с")], [], "a side is no piece"),
        ([("ж", "ж"), ("ж", "ж")], [], "is a token already"),
        ([], [Unit(text="с", kind="symbol")], "is a token of the base already"),
    ],
)
def test_pieces_and_units_that_cannot_be_added_are_refused(small: bytes, new: Any, units: Any, reason: str) -> None:
    with pytest.raises(HyperBridgeError, match=reason):
        extend_backend(open_sentencepiece(small), new, [token for unit in units for token in tokens_of(unit)])


@pytest.mark.parametrize("model_type", [None, "llama", "gemma"])
def test_the_folder_loads_with_auto_tokenizer_and_gives_the_same_ids(
    tmp_path: Path, small: bytes, model_type: str | None
) -> None:
    from transformers import AutoTokenizer

    if model_type:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    flags = {"content": "<s>", "special": True, "normalized": False, "lstrip": False, "rstrip": False}
    base_config = {"tokenizer_class": "LlamaTokenizer", "legacy": True, "added_tokens_decoder": {"1": flags}}
    base_config |= {"chat_template": "{{ bos_token }}"}
    base = open_sentencepiece(small)
    new = random_pieces(base, "снегмолч", 30, 5)

    BaseTokenizer("small", "sentencepiece", base, base_config, proto=small).write(tmp_path, new, UNITS)

    loaded = AutoTokenizer.from_pretrained(tmp_path)
    extended = extend_backend(base, new, unit_tokens())
    for text in [*TEXTS, "<s>дом", "дом</s> дом", *(unit.text for unit in UNITS), " жартишинавход ⟁дом Δ412"]:
        assert loaded(text).input_ids == extended.encode(text).ids
        assert loaded.decode(ids(extended, text)) == extended.decode(ids(extended, text), skip_special_tokens=False)
    assert set(loaded.all_special_tokens) == {"<s>", "</s>", "<unk>"}
    assert loaded.chat_template == "{{ bos_token }}"
    assert reference((tmp_path / "tokenizer.model").read_bytes()).encode(LINES[0]) == ids(extended, LINES[0])


def test_tokens_the_chat_model_has_beyond_its_model_file_keep_their_ids(small: bytes) -> None:
    from tokenizers import AddedToken

    base = open_sentencepiece(small)
    size = base.get_vocab_size()
    base.add_tokens([AddedToken("<|im_end|>", special=True, normalized=False), AddedToken("<think>", normalized=False)])

    extended = extend_backend(base, [], unit_tokens())
    theirs = reference(extend_model(small, base, [], unit_tokens()))

    assert [extended.token_to_id(token) for token in ("<|im_end|>", "<think>")] == [size, size + 1]
    assert theirs.is_control(size)
    assert theirs.id_to_piece(size + 1) == "<think>"
    assert extended.token_to_id("▁жартишинавход") == theirs.piece_to_id("▁жартишинавход")


def test_the_configuration_names_the_models_own_tokens(small: bytes) -> None:
    assert loading_config({"model_max_length": 4096, "use_fast": False}, small) == {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": 4096,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
    }
