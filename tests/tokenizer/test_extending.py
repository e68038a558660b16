"""What extending a tokenizer promises, on every family: old ids stay, units are whole, new ids can be expanded."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from hyperbridge import HyperBridgeError
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer
from hyperbridge.tokenizer.extending import count_words, extend, extension_of, reachable
from hyperbridge.tokenizer.extension import Extension, Unit

IdsOf = Callable[[Any, str], list[int]]

SYLLABLES = ("жар", "мост", "тень", "свет", "крик", "вход", "река", "хлеб", "дым", "камень", "голос", "порог", "соль")
HYPERLEXEMES = [
    Unit(text="".join(words), kind="hyperlexeme", components=words)
    for words in islice(product(SYLLABLES, SYLLABLES, SYLLABLES, ("ночь", "путь", "миг")), 5000)
]
UNITS = [
    Unit(text="жартишинавход", kind="hyperlexeme", components=("жар", "тишина", "вход")),
    *HYPERLEXEMES,
    Unit(text="Δ93", kind="formula"),
    Unit(text="Δ931", kind="formula"),
    Unit(text="🜔", kind="symbol"),
    Unit(text="👩‍👩‍👧", kind="symbol"),
]
SURROUNDINGS = (
    "{}",
    " {}",
    "слово {} слово",
    "«{}»",
    "({})",
    "[{}] и {{{}}}",
    '"{}"',
    "\n{}\n",
    "\r\n{}\r\n",
    "\t{}",
    "\u00a0{}\u00a0",
    "не-{}-то",
    "— {}: {}; {}, {}. {}! {}? {}…",
    "*{}* `{}` <{}>",
    "🜔{}🜔",
    "👩‍👩‍👧{}",
    "{} {}",
)
any_text = st.lists(
    st.text(max_size=8)
    | st.text("абвеёжзийъ АБВ\n\t\u00a0", max_size=8)
    | st.sampled_from(
        [
            "🕯️",
            "👩‍🚀",
            "а\u0301",
            "и\u0306",
            "\r\n",
            "\u00a0",
            "  дом",
            "Δ412",
            "日本",
            "мир-",
            "«тень»",
            "<|im_end|>",
            "x=1",
        ]
    ),
    max_size=6,
).map("".join)
text_with_units = st.lists(
    any_text | st.sampled_from(["жартишинавход", " жартишинавход", "Жарвход", "Δ93", "Δ931", "Δ9312", "🜔", "ом "]),
    max_size=6,
).map("".join)


@dataclass(frozen=True)
class Made:
    """An extended tokenizer as it lies in its folder, beside its base."""

    base: BaseTokenizer
    folder: Path
    backend: Tokenizer
    extension: Extension


def make(base: BaseTokenizer, folder: Path, **options: Any) -> Made:
    extend(base, folder, **options)
    return Made(base, folder, Tokenizer.from_file(str(folder / "tokenizer.json")), Extension.load(folder))


@pytest.fixture(scope="session")
def with_units(base: BaseTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(base, tmp_path_factory.mktemp(base.family) / "extended", units=UNITS)


@given(text=any_text)
def test_text_without_units_keeps_its_ids_beside_5000_hyperlexemes(with_units: Made, text: str) -> None:
    assume(not any(unit.text in text for unit in UNITS))
    assert with_units.backend.encode(text).ids == with_units.base.backend.encode(text).ids


@given(text=text_with_units)
def test_a_text_comes_back_as_the_base_gives_it_back(with_units: Made, ids_of: IdsOf, text: str) -> None:
    given_back = with_units.backend.decode(ids_of(with_units.backend, text))
    of_base = with_units.base.backend.decode(ids_of(with_units.base.backend, text))
    assert unicodedata.normalize("NFC", given_back) == unicodedata.normalize("NFC", of_base)


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
@pytest.mark.parametrize("text", ["жартишинавход", "жаржаржарночь", "Δ93", "Δ931", "🜔", "👩‍👩‍👧"])
def test_a_unit_is_one_token_in_every_surrounding(with_units: Made, ids_of: IdsOf, text: str, surrounding: str) -> None:
    written = surrounding.replace("{}", text)
    own = {token.id for token in with_units.extension.tokens if token.unit and token.unit.text == text}
    ids = ids_of(with_units.backend, written)
    assert sum(token_id in own for token_id in ids) == written.count(text)


@pytest.mark.parametrize("text", ["Δ9312", "мирΔ93", "Δ93мир", "7Δ93", "Δ93_"])
def test_a_code_is_not_found_inside_a_longer_one_or_a_word(with_units: Made, ids_of: IdsOf, text: str) -> None:
    assert ids_of(with_units.backend, text) == ids_of(with_units.base.backend, text)


def test_a_symbol_is_found_inside_a_word(with_units: Made, ids_of: IdsOf) -> None:
    tokens = [with_units.backend.id_to_token(one) for one in ids_of(with_units.backend, "мир🜔дом")]
    assert tokens.count("🜔") == 1


def test_a_hyperlexeme_takes_its_space_along_and_leaves_a_case_ending(with_units: Made, ids_of: IdsOf) -> None:
    new = [one for one in ids_of(with_units.backend, "у жартишинавходом") if one >= with_units.base.size]
    first = with_units.base.size
    assert [with_units.extension.tokens[one - first].text for one in new] == [" жартишинавход"]


def test_the_ids_follow_the_bases_and_say_what_they_stand_for(with_units: Made) -> None:
    base, tokens = with_units.base, with_units.extension.tokens
    assert [token.id for token in tokens] == list(range(base.size, base.size + 2 * 5001 + 4))
    assert with_units.backend.get_vocab_size() == len({*base.vocab, *base.added}) + len(tokens)
    assert tokens[1].text == " жартишинавход"
    assert with_units.extension.expand([3, tokens[1].id]) == [3, *base.ids(" жартишинавход")]
    assert tokens[0].unit == UNITS[0]


TEXTS = ("Он шагнул в молчание.\r\n", "«жартишинавход», Δ93 и Δ9312", "мир🜔дом  тень", "у жаржаржарночь", "в ладони")


def loaded_as(folder: Path, model_type: str | None) -> Any:
    """What AutoTokenizer makes of a folder beside a model of that type."""
    from transformers import AutoTokenizer

    config = folder / "config.json"
    if model_type:
        config.write_text(json.dumps({"model_type": model_type}))
    try:
        return AutoTokenizer.from_pretrained(folder)
    finally:
        config.unlink(missing_ok=True)


@pytest.mark.parametrize("model_type", [None, "qwen3", "llama"])
def test_autotokenizer_gives_the_same_ids_beside_any_model(with_units: Made, model_type: str | None) -> None:
    loaded = loaded_as(with_units.folder, model_type)
    assert [loaded(text).input_ids for text in TEXTS] == [with_units.backend.encode(text).ids for text in TEXTS]
    assert len(loaded) == with_units.base.size + len(with_units.extension.tokens)
    assert loaded.eos_token == with_units.base.settings["eos_token"]


def test_the_class_that_rebuilds_qwen2_from_its_vocabulary_keeps_every_id(qwen: BaseTokenizer, tmp_path: Path) -> None:
    qwen.write(tmp_path, pairs_of(qwen, " молчание", "ладони"), [*UNITS[:1], *UNITS[-4:]])
    backend = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    loaded = loaded_as(tmp_path, "qwen2")
    assert type(loaded).__name__ == "Qwen2Tokenizer"
    assert [loaded(text).input_ids for text in TEXTS] == [backend.encode(text).ids for text in TEXTS]


def pairs_of(base: BaseTokenizer, *words: str) -> list[tuple[str, str]]:
    """Merges that make words one token each, from left to right."""
    known, pairs = set(base.vocab), []
    for word in words:
        parts = base.pieces(base.spelled(word))
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            parts[:2] = ["".join(pair)]
            if parts[0] not in known:
                known.add(parts[0])
                pairs.append(pair)
    return pairs


@pytest.fixture(scope="session")
def with_merges(base: BaseTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Made:
    pairs, dropped = reachable(base, pairs_of(base, " молчание", " горбушка", "ладони"), [])
    assert not dropped
    folder = tmp_path_factory.mktemp("merges")
    base.write(folder, pairs, [])
    return Made(base, folder, Tokenizer.from_file(str(folder / "tokenizer.json")), extension_of(base, pairs, []))


words = st.lists(st.sampled_from(["молчание", " молчание", " горбушка", "ми", "ладони", " ", "я"])).map("".join)


@given(text=any_text | words)
def test_new_pieces_expand_to_the_bases_ids(with_merges: Made, text: str) -> None:
    ids, of_base = with_merges.backend.encode(text).ids, with_merges.base.backend.encode(text).ids
    assert with_merges.extension.expand(ids) == of_base
    assert with_merges.backend.decode(ids) == with_merges.base.backend.decode(of_base)


def test_a_learned_word_is_one_token(with_merges: Made, ids_of: IdsOf) -> None:
    ids = ids_of(with_merges.backend, "та горбушка, та")
    assert len(ids) == len(ids_of(with_merges.base.backend, "та, та")) + 1
    assert max(ids) >= with_merges.base.size


def test_a_piece_that_no_text_reaches_is_dropped_with_what_is_made_of_it(nano_ru: BaseTokenizer) -> None:
    units = [Unit(text="жмых", kind="hyperlexeme")]
    pairs = [("q", "w"), ("ж", "мых"), ("жмых", "q")]
    kept, dropped = reachable(nano_ru, pairs, units)
    assert kept == [("q", "w")]
    assert [(one.text, one.reason) for one in dropped] == [(text, "no text reaches it") for text in ("жмых", "жмыхq")]


def test_merges_are_learned_from_texts_without_their_units(nano_ru: BaseTokenizer, tmp_path: Path) -> None:
    texts = ["Клубилась Δ93 над рекой жмыховатень: клубилась, клубилась пыль. 🜔клубилась"] * 3
    units = [Unit(text="жмыховатень", kind="hyperlexeme"), Unit(text="Δ93", kind="formula")]
    done = extend(nano_ru, tmp_path / "extended", texts=texts, merges=50, units=units)
    learned = [token.text for token in done.extension.tokens if token.merge]
    assert " клубилась" in learned
    assert not [text for text in learned if text and ("жмых" in text or "93" in text)]
    backend = Tokenizer.from_file(str(tmp_path / "extended/tokenizer.json"))
    assert [backend.encode(token.text).ids for token in done.extension.tokens] == [
        [token.id] for token in done.extension.tokens
    ]


def test_two_runs_write_the_same_bytes(nano_ru: BaseTokenizer, tmp_path: Path) -> None:
    for name in ("first", "second"):
        extend(nano_ru, tmp_path / name, texts=["клубилась пыль, клубилась"] * 3, merges=9, units=UNITS[:5])
    written = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("first", "second")]
    assert written[0] == written[1]
    assert set(written[0]) >= {"tokenizer.json", "tokenizer_config.json", "extension.json", "chat_template.jinja"}


def test_words_are_counted_between_units(nano_ru: BaseTokenizer) -> None:
    words = count_words(nano_ru, ["мир Δ93 мир, жмыховатеньмир"], [Unit(text="жмыховатень", kind="hyperlexeme")])
    assert {word: words[word] for word in ("мир", " мир", " Δ")} == {"мир": 2, " мир": 1, " Δ": 1}
    assert not any("жмых" in word for word in words)


def test_what_a_decoder_would_not_give_back_is_refused(llama3: BaseTokenizer, tmp_path: Path) -> None:
    done = extend(llama3, tmp_path / "extended", units=[Unit(text="§", kind="symbol")])
    assert [one.reason for one in done.refused] == ["the base's decoder would not give it back"]


def test_a_folder_appears_complete_or_not_at_all(llama3: BaseTokenizer, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="no text to learn merges from"):
        extend(llama3, tmp_path / "extended", merges=5)
    assert list(tmp_path.iterdir()) == []
    extend(llama3, tmp_path / "extended", units=UNITS[-2:])
    with pytest.raises(HyperBridgeError, match="--overwrite to replace it"):
        extend(llama3, tmp_path / "extended", units=UNITS[-2:])
    extend(llama3, tmp_path / "extended", units=UNITS[-1:], overwrite=True)
    assert len(Extension.load(tmp_path / "extended").tokens) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["extended"]


def test_a_folder_of_something_else_is_never_overwritten(llama3: BaseTokenizer, tmp_path: Path) -> None:
    (tmp_path / "письмо.txt").write_text("важное")
    with pytest.raises(HyperBridgeError, match="is no extended tokenizer"):
        extend(llama3, tmp_path, units=UNITS[-1:], overwrite=True)
    assert (tmp_path / "письмо.txt").read_text() == "важное"
