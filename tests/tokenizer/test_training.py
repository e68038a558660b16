"""A tokenizer trained from nothing gives every text back, and knows the tokens of a scene and of a chat."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from hyperbridge import HyperBridgeError, Scene
from hyperbridge.modeling.chat import completion_ids, messages, prompt_ids
from hyperbridge.tokenizer.training import SCENE_KEYS, train_tokenizer

any_text = st.lists(
    st.text(max_size=8)
    | st.text("абвеёжизйъ АБВ\n\t\u00a0", max_size=8)
    | st.sampled_from(
        ["🕯️", "👩‍👩‍👧", "а\u0301", "\r\n", "\u00a0", "  жар", "Δ41", "Δ412", "; agent=", "user", "<0x41>", "日本", "⟁🜂"]
    ),
    max_size=6,
).map("".join)


@given(any_text)
def test_any_text_comes_back_exactly(tiny_tokenizer: Any, text: str) -> None:
    ids = tiny_tokenizer(text).input_ids
    assert tiny_tokenizer.decode(ids) == text
    assert all(0 <= token_id < 900 for token_id in ids)


def test_the_vocabulary_has_the_size_that_was_asked_for(tiny_tokenizer: Any) -> None:
    assert len(tiny_tokenizer) == 900
    assert sorted(tiny_tokenizer.get_vocab().values()) == list(range(900))


def test_a_symbol_that_the_texts_are_full_of_takes_one_id() -> None:
    tokenizer = train_tokenizer(["⟁ жар ⟁⟁ тень " * 9], vocab_size=296, symbols=["⟁"])
    assert len(tokenizer) == 296
    assert tokenizer.tokenize(" жар⟁⟁") == [" жар", "⟁", "⟁"]


@pytest.mark.parametrize(("vocab_size", "made"), [(100, 292), (5000, 305)])
def test_a_size_that_the_texts_cannot_make_is_refused(vocab_size: int, made: int) -> None:
    with pytest.raises(HyperBridgeError, match=f"{vocab_size} ids cannot be made: .* make it {made}"):
        train_tokenizer(["жар и тишина, вход"] * 5, vocab_size=vocab_size)


@pytest.mark.parametrize("token", [*(f"; {key}=" for key in SCENE_KEYS), "Δ4", "Δ41", "⟁", "🜂"])
def test_the_words_of_a_scene_are_single_tokens(tiny_tokenizer: Any, token: str) -> None:
    before, after = ("жар", "тень") if token.startswith(";") else ("=", "; tone=")
    assert tiny_tokenizer.tokenize(f"{before}{token}{after}").count(token) == 1


def test_a_code_is_not_found_inside_a_longer_one(tiny_tokenizer: Any) -> None:
    assert tiny_tokenizer.tokenize("Δ=Δ41; act=")[-2:] == ["Δ41", "; act="]
    assert {"Δ4", "Δ41"}.isdisjoint(tiny_tokenizer.tokenize("Δ412"))


def test_the_end_is_not_the_padding(tiny_tokenizer: Any) -> None:
    assert (tiny_tokenizer.eos_token, tiny_tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert tiny_tokenizer.eos_token_id != tiny_tokenizer.pad_token_id


def test_it_loads_as_it_was_saved(tiny_tokenizer: Any, tmp_path) -> None:
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "  Жар⟁ 🕯️\r\n; agent=тело; Δ=Δ41; tension=0.7\u00a0e\u0301"
    assert loaded(text).input_ids == tiny_tokenizer(text).input_ids
    assert loaded.decode(loaded(text).input_ids) == text
    assert loaded.chat_template == tiny_tokenizer.chat_template
    assert (loaded.eos_token, loaded.pad_token, len(loaded)) == ("<|im_end|>", "<|endoftext|>", 900)


def test_the_generation_mask_covers_the_expression_and_its_end(tiny_tokenizer: Any) -> None:
    chat = messages(Scene.from_prompt("жар+тишина+вход; agent=тело"), "Стою у двери.\nМолчу.", "Говори.")
    encoded = tiny_tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    masked = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    covered = [token_id for token_id, mask in masked if mask]
    assert tiny_tokenizer.decode(covered) == "Стою у двери.\nМолчу.<|im_end|>"


def test_the_template_is_chatml(tiny_tokenizer: Any) -> None:
    chat = messages(Scene(scene="жар"), "Да.", "Говори.")
    assert tiny_tokenizer.apply_chat_template(chat, tokenize=False) == (
        "<|im_start|>system\nГовори.<|im_end|>\n<|im_start|>user\nжар<|im_end|>\n<|im_start|>assistant\nДа.<|im_end|>\n"
    )


@given(any_text.filter(bool), st.sampled_from([None, "Говори."]))
def test_prompt_and_completion_are_the_whole_chat(tiny_tokenizer: Any, text: str, system: str | None) -> None:
    scene = Scene.from_prompt("жар+тишина+вход; agent=тело; Δ=Δ41")
    chat = tiny_tokenizer.apply_chat_template(messages(scene, text, system), return_dict=False)
    prompt, completion = prompt_ids(tiny_tokenizer, scene, system), completion_ids(tiny_tokenizer, text)
    assert completion[-1] == tiny_tokenizer.eos_token_id
    assert chat == [*prompt, *completion, *tiny_tokenizer("\n").input_ids]
