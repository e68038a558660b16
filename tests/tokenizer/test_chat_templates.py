"""The base's template with markers: renders as before, and the mask is what the assistant says with its end."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from hyperbridge.errors import HyperBridgeError
from hyperbridge.tokenizer.chat_templates import chat_tokens, training_template

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INST = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
HEADERS = (
    "{%- for message in messages %}\n"
    "    {%- set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' %}\n"
    "    {%- if loop.first %}\n        {%- set content = bos_token + content %}\n    {%- endif %}\n"
    "    {{- content }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}\n{%- endif %}\n"
)
CONTROL = ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
CHAT = [
    {"role": "system", "content": "Говори кратко."},
    {"role": "user", "content": "Что за окном?"},
    {"role": "assistant", "content": "Снег ⟁ и свет."},
    {"role": "user", "content": "А потом?"},
    {"role": "assistant", "content": " Тишина.\n"},
]
CALL = {
    "role": "assistant",
    "content": "Ищу.",
    "tool_calls": [
        {"type": "function", "id": "find00001", "function": {"name": "find", "arguments": {"word": "снег"}}}
    ],
}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "find", "description": "Ищет.", "parameters": {"type": "object"}}}
]
CHATS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]] | None]] = {
    "turns": (CHAT, None),
    "no system": (CHAT[1:], None),
    "question last": (CHAT[:4], None),
    "thinking": ([CHAT[1], {**CHAT[2], "content": "<think>\nСмотрю.\n</think>\n\nСнег."}], None),
    "reasoning": ([CHAT[1], {**CHAT[2], "reasoning_content": "Смотрю."}, *CHAT[3:]], None),
    "the end's own text": ([CHAT[1], {**CHAT[2], "content": "Пишут <|im_end|> так."}], None),
    "tools": (
        [CHAT[1], CALL, {"role": "tool", "name": "find", "tool_call_id": "find00001", "content": "42"}, CHAT[2]],
        TOOLS,
    ),
}


def shipped(package: str, folder: str, pattern: str) -> list[Path]:
    found = importlib.util.find_spec(package)
    places = found.submodule_search_locations if found else None
    return sorted(Path(places[0], folder).glob(pattern)) if places else []


TRL = {
    path.stem: path
    for path in shipped("trl", "chat_templates", "*.jinja")
    if path.stem
    in {"qwen2_5", "qwen3", "qwen3_instruct_2507", "qwen3_5_think", "llama3", "llama3_1", "llama3_2", "lfm2", "gemma3"}
}


def render(template: str, chat: list[dict[str, Any]], **options: Any) -> str | None:
    """The text of a chat, or None where the template refuses it."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        told = {"bos_token": "<s>", "eos_token": "</s>"} | options
        return render_jinja_template([chat], chat_template=template, **told)[0][0]
    except TemplateError:
        return None


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte: every character has its own place in the mask."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(BPE({char: at for at, char in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True) for token in CONTROL])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def said(tokenizer: PreTrainedTokenizerFast, template: str, chat: list[dict[str, Any]], **options: Any) -> list[str]:
    """What the mask marks, one text for each stretch of tokens."""
    out = tokenizer.apply_chat_template(
        chat, chat_template=template, return_dict=True, return_assistant_tokens_mask=True, **options
    )
    stretches: list[list[int]] = [[]]
    for token, marked in zip(out["input_ids"], out["assistant_masks"], strict=True):
        if marked:
            stretches[-1].append(token)
        elif stretches[-1]:
            stretches.append([])
    return [tokenizer.decode(one) for one in stretches if one]


@pytest.mark.parametrize("name", sorted(TRL))
@pytest.mark.parametrize("chat", sorted(CHATS))
@pytest.mark.parametrize("prompt", [False, True])
def test_a_published_template_renders_every_chat_as_before(name: str, chat: str, prompt: bool) -> None:
    template = TRL[name].read_text(encoding="utf-8")
    messages, tools = CHATS[chat]

    own = training_template(template, bos_token="<s>", eos_token="</s>")

    for options in ({}, {"enable_thinking": False}):
        options = {"add_generation_prompt": prompt, "tools": tools, **options}
        assert render(own, messages, **options) == render(template, messages, **options)


@pytest.mark.skipif("qwen3" not in TRL, reason="TRL ships no templates")
@pytest.mark.parametrize(
    ("name", "end"), [("qwen2_5", "<|im_end|>"), ("qwen3_instruct_2507", "<|im_end|>"), ("llama3", "<|eot_id|>")]
)
def test_a_published_template_marks_what_the_assistant_says(
    tokenizer: PreTrainedTokenizerFast, name: str, end: str
) -> None:
    own = training_template(TRL[name].read_text(encoding="utf-8"), bos_token="<s>", eos_token="</s>")

    last = "Тишина." if name == "llama3" else " Тишина.\n"
    assert said(tokenizer, own, CHAT) == [f"Снег ⟁ и свет.{end}", f"{last}{end}"]
    assert said(tokenizer, own, CHAT[:4]) == [f"Снег ⟁ и свет.{end}"]
    assert said(tokenizer, own, CHAT[:2]) == []


@pytest.mark.skipif("qwen3" not in TRL, reason="TRL ships no templates")
def test_tool_calls_and_reasoning_are_said_and_tool_results_are_not(tokenizer: PreTrainedTokenizerFast) -> None:
    own = training_template(TRL["qwen3"].read_text(encoding="utf-8"))
    messages, tools = CHATS["tools"]

    called, answered = said(tokenizer, own, messages, tools=tools)

    assert called.endswith("</tool_call><|im_end|>")
    assert '<tool_call>\n{"name": "find"' in called
    assert answered == "<think>\n\n</think>\n\nСнег ⟁ и свет.<|im_end|>"


def test_chatml_is_marked_from_behind_the_header_to_the_end_of_the_turn(tokenizer: PreTrainedTokenizerFast) -> None:
    own = training_template(CHATML)

    assert said(tokenizer, own, CHAT) == ["Снег ⟁ и свет.<|im_end|>", " Тишина.\n<|im_end|>"]
    assert render(own, CHAT) == render(CHATML, CHAT)


def test_inst_style_has_no_header_and_keeps_the_spaces_that_generation_begins_with(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    own = training_template(INST, bos_token="<s>", eos_token="</s>")

    assert said(tokenizer, own, CHAT[1:3]) == [" Снег ⟁ и свет. </s>"]
    assert render(own, CHAT) == render(INST, CHAT)


def test_llama_headers_are_found_behind_the_beginning_of_the_text(tokenizer: PreTrainedTokenizerFast) -> None:
    own = training_template(HEADERS, bos_token="<s>")

    assert said(tokenizer, own, CHAT[2:3]) == ["Снег ⟁ и свет.<|eot_id|>"]
    assert render(own, CHAT) == render(HEADERS, CHAT)


def test_the_end_written_inside_a_text_does_not_end_the_turn(tokenizer: PreTrainedTokenizerFast) -> None:
    messages, _ = CHATS["the end's own text"]

    assert said(tokenizer, training_template(CHATML), messages) == ["Пишут <|im_end|> так.<|im_end|>"]


def test_a_template_with_markers_comes_back_as_it_is() -> None:
    marked = CHATML.replace("{{ message.content }}", "{% generation %}{{ message.content }}{% endgeneration %}")

    assert training_template(marked) == marked


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for message in messages %}", "Unexpected end of template"),
        ("{{ messages[0].content }}", "does not write an assistant's text"),
        ("{% for message in messages %}{{ message.content }}{% endfor %}", "no end could be learned"),
        (
            "{% macro turn(message) %}{{ message.role }}: {{ message.content }}</s>{% endmacro %}"
            "{% for one in messages %}{{ turn(one) }}{% endfor %}",
            "cannot be marked",
        ),
        ("{{ raise_exception('no chats') }}", "no chats"),
    ],
)
def test_what_cannot_be_marked_is_refused_in_one_line(template: str, reason: str) -> None:
    with pytest.raises(HyperBridgeError, match=reason) as refused:
        training_template(template)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("template", "tokens", "pad", "expected"),
    [
        (CHATML, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "<|endoftext|>", ("<|im_end|>", "<|endoftext|>")),
        (CHATML, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "<|im_end|>", ("<|im_end|>", "<|endoftext|>")),
        (
            HEADERS,
            ["<s>", "<|eot_id|>", "<|reserved_special_token_0|>"],
            None,
            ("<|eot_id|>", "<|reserved_special_token_0|>"),
        ),
        (INST, ["<unk>", "<s>", "</s>"], None, ("</s>", "<unk>")),
        (INST, ["<unk>", "<s>", "</s>", "[control_12]", "[control_13]"], "</s>", ("</s>", "[control_12]")),
        (INST, ["<unk>", "<s>", "</s>", "<pad>"], None, ("</s>", "<pad>")),
    ],
)
def test_the_end_of_a_turn_stops_generation_and_never_pads(
    template: str, tokens: list[str], pad: str | None, expected: tuple[str, str]
) -> None:
    vocabulary = {token: at for at, token in enumerate(tokens)}

    found = chat_tokens(template, vocabulary, bos_token="<s>", eos_token="</s>", pad_token=pad)

    assert (found.eos_token, found.pad_token) == expected


def test_a_base_without_the_end_or_without_a_free_token_is_refused() -> None:
    with pytest.raises(HyperBridgeError, match="not one token of this base"):
        chat_tokens(CHATML, {"a": 0})
    with pytest.raises(HyperBridgeError, match="no token is free to pad with"):
        chat_tokens(CHATML, {"<|im_end|>": 0, "a": 1})


def test_mistral_commons_own_templates() -> None:
    generator = pytest.importorskip(
        "mistral_common.integrations.chat_templates.template_generator", exc_type=ImportError
    )
    from mistral_common.tokens.tokenizers.base import TokenizerVersion

    for version, spm in (("v1", True), ("v2", True), ("v3", True), ("v7", True), ("v3", False), ("v7", False)):
        config = generator.TemplateConfig(version=TokenizerVersion(version), spm=spm)
        template = generator.build_chat_template(config)
        own = training_template(template, bos_token="<s>", eos_token="</s>")
        for messages, tools in CHATS.values():
            assert render(own, messages, tools=tools) == render(template, messages, tools=tools)
