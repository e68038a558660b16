"""The chat template of an extended base: the base's own, that also tells which text the assistant says.

transformers masks the loss to what a template writes between `{% generation %}` and `{% endgeneration %}`; few bases
ship these. Here they are set without knowing the style: what a header is (`<|im_start|>assistant` and a line end) and
what ends a turn (`<|im_end|>`, `</s>`) is read off two renderings of the base's own template. Then every output inside
its loop over messages is passed through a macro that cuts it into what comes before, what is said, and what comes
after. What is said begins behind the header, where generation begins, and ends with the end of the turn; reasoning and
tool calls belong to it. No condition, order or space of the base's template changes, and the result is rendered
against it before it is returned.

Cost: milliseconds, once; rendering stays as fast. Source: transformers' chat templates (AssistantTracker).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hyperbridge.errors import HyperBridgeError

Message = dict[str, Any]
Span = tuple[int, int]
_Token = tuple[str, str, int]

_ASKED, _ANSWERED = "Вопрос", "Ответ"
_USER: Message = {"role": "user", "content": _ASKED}
_ASSISTANT: Message = {"role": "assistant", "content": _ANSWERED}
_TURNS = [_USER, _ASSISTANT, {**_USER, "content": "Дальше"}, {**_ASSISTANT, "content": "Конец"}]
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Find.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string", "description": "A word."}}},
    },
}
_CALL: Message = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {"type": "function", "id": "call00001", "function": {"name": "find", "arguments": {"word": "снег"}}}
    ],
}
_FOUND: Message = {"role": "tool", "name": "find", "tool_call_id": "call00001", "content": "42"}
# What bases call a token that fills, or one kept free; the first that is there pads. `<unk>` stands in no text of a
# tokenizer that spells unknown characters in bytes.
_PADDING = (
    r"<pad>|\[PAD\]|<\|pad\|>",
    r"<\|endoftext\|>",
    r"<\|finetune_right_pad_id\|>",
    r"<\|reserved_special_token_\d+\|>|\[control_\d+\]|<SPECIAL_\d+>|<unused\d+>",
    r"<unk>",
)

# What a turn says so far decides where an output is cut, so a header may come in several outputs.
_MACRO = """\
{%+ macro hb_hear(turn, text) -%}
    {%- set text = text | string -%}
    {%- set turn.before = text -%}
    {%- set turn.said = '' -%}
    {%- set turn.after = '' -%}
    {%- set turn.seen = turn.seen ~ text -%}
    {%- set at = turn.seen.find(HEADER) -%}
    {%- if turn.speaks and at >= 0 -%}
        {%- set begin = [0, at + HEADER | length - turn.seen | length + text | length] | max -%}
        {%- set said = text[begin:] -%}
        {%- set ended = said.rstrip().endswith(END) -%}
        {%- set turn.before = text[:begin] -%}
        {%- set turn.said = said.rstrip() if ended else said -%}
        {%- set turn.after = said[turn.said | length:] -%}
        {%- set turn.speaks = not ended -%}
    {%- endif -%}
{%- endmacro +%}"""
_TURN = "{% set hb_turn = namespace(speaks=LOOP['role'] == 'assistant', seen='', before='', said='', after='') %}"
_OUTPUT = (
    "{%LEFT set hb_heard = hb_hear(hb_turn, TEXT) %}{{ hb_turn.before }}"
    "{% if hb_turn.said %}{% generation %}{{ hb_turn.said }}{% endgeneration %}{% endif %}{{ hb_turn.after RIGHT}}"
)
_MARKER = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
_CLOSED_BY = {"block_begin": "block_end", "variable_begin": "variable_end"}
_OPENING = ("for", "if", "macro", "call", "filter", "with", "block", "generation")
# Their bodies are texts before they are outputs.
_CAPTURING = ("macro", "call", "filter", "set", "generation")


@dataclass(frozen=True, slots=True)
class ChatTokens:
    """What ends an assistant's turn (a base without a chat: its end of text) and what fills a batch."""

    eos_token: str
    pad_token: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a template: a tag and its words, an output and its expression, or text as it is written out.

    `trim` has the signs that strip spaces before and behind; `start` and `end` count characters of the template.
    """

    kind: Literal["tag", "output", "text"]
    start: int
    end: int
    text: str
    words: tuple[str, ...] = ()
    trim: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class _Style:
    """What surrounds an assistant's text: `header` opens its turn, `end` closes it; spaces behind `end` follow."""

    header: str
    end: str


def training_template(template: str, *, bos_token: str | None = None, eos_token: str | None = None) -> str:
    """The base's template with markers around what the assistant says, the end of its turn included.

    A template that has them comes back as it is. Every chat renders as before, byte for byte.

    Args:
        template: the base's `chat_template`.
        bos_token: as the tokenizer has it; templates write it.
        eos_token: as the tokenizer has it.

    Raises:
        HyperBridgeError: the template is no Jinja, renders no assistant, or writes nothing after its text.
    """
    tokens = {"bos_token": bos_token or "", "eos_token": eos_token or ""}
    style = _style_of(template, tokens)
    if _MARKER.search(template):
        return template
    marked = _marked(template, style)
    _prove(template, marked, style, tokens)
    return marked


def chat_tokens(
    template: str,
    vocabulary: Mapping[str, int],
    *,
    bos_token: str | None = None,
    eos_token: str | None = None,
    pad_token: str | None = None,
) -> ChatTokens:
    """The tokens a chat is trained with.

    `eos_token` is what ends an assistant's turn, so that generation stops there (Qwen's base stops at `<|endoftext|>`,
    Llama-3's at `<|end_of_text|>`). Padding is never the end: what masks padding out of the loss would mask the end as
    well, and the model would not learn to stop.

    Args:
        template: the base's `chat_template`.
        vocabulary: token -> id.
        bos_token: as the base has it.
        eos_token: as the base has it.
        pad_token: as the base has it; kept unless it is the end.

    Raises:
        HyperBridgeError: what ends a turn is not one token, or no token is free to pad with.
    """
    end = _style_of(template, {"bos_token": bos_token or "", "eos_token": eos_token or ""}).end
    if end not in vocabulary:
        raise HyperBridgeError(f"the chat template ends a turn with {end!r}, which is not one token of this base")
    free = [token for token in sorted(vocabulary, key=vocabulary.__getitem__) if token not in (end, bos_token)]
    named = (re.escape(pad_token),) if pad_token else ()
    for pattern in (*named, *_PADDING):
        for token in free:
            if re.fullmatch(pattern, token):
                return ChatTokens(eos_token=end, pad_token=token)
    raise HyperBridgeError(f"no token is free to pad with: name one other than {end!r} as pad_token")


def _style_of(template: str, tokens: Mapping[str, str]) -> _Style:
    asked = _must_render(template, [_USER], tokens)
    opening = _must_render(template, [_USER], tokens, prompt=True)[len(asked) :]
    answered = _must_render(template, [_USER, _ASSISTANT], tokens)
    if not answered.startswith(asked) or _ANSWERED not in answered[len(asked) :]:
        raise HyperBridgeError("the chat template does not write an assistant's text behind the user's")
    said = answered[len(asked) :]
    # A reasoning base opens its last turn with `<think>` and leaves it out of earlier ones.
    earlier = _must_render(template, _TURNS, tokens)
    header = _common([opening, said, earlier.removeprefix(asked)])
    end = said.rpartition(_ANSWERED)[2].strip()
    if opening and not header:
        raise HyperBridgeError(f"the chat template opens a turn to generate with {opening!r}, but no turn of a chat")
    if not end:
        raise HyperBridgeError("the chat template writes nothing behind an assistant's text: no end could be learned")
    return _Style(header, end)


def _common(texts: Sequence[str]) -> str:
    """The longest text that all of them begin with."""
    first, last = min(texts), max(texts)
    differ = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differ, len(first))]


def _must_render(template: str, chat: Sequence[Message], tokens: Mapping[str, str], *, prompt: bool = False) -> str:
    rendered, problem = _render(template, chat, tokens, prompt=prompt)
    if rendered is None:
        raise HyperBridgeError(f"the chat template cannot write a plain chat: {problem}")
    return rendered[0]


def _render(
    template: str,
    chat: Sequence[Message],
    tokens: Mapping[str, str],
    *,
    prompt: bool = False,
    tools: Sequence[dict[str, Any]] | None = None,
) -> tuple[tuple[str, list[Span]] | None, str]:
    """A chat and the spans of what is said in it, or None and why the template refuses the chat."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        texts, spans = render_jinja_template(
            [list(chat)],
            tools=list(tools) if tools else None,
            chat_template=template,
            return_assistant_tokens_mask=bool(_MARKER.search(template)),
            add_generation_prompt=prompt,
            **tokens,
        )
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        return None, str(error).splitlines()[0]
    return (texts[0], spans[0] if spans else []), ""


def _marked(template: str, style: _Style) -> str:
    """The template with every output of its message loops cut by the macro."""
    edits: list[tuple[int, int, str]] = []
    parts = list(_parts(template))
    for begin, end in _message_loops(template, parts):
        loop = parts[begin]
        following = parts[begin + 1].start if parts[begin + 1].kind != "text" else loop.end
        edits.append((loop.end, following, _TURN.replace("LOOP", loop.words[1])))
        edits.extend(_cut(part, parts[at + 1].start) for at, part in _outputs(parts, begin, end))
    for start, stop, text in sorted(edits, reverse=True):
        template = template[:start] + text + template[stop:]
    return _MACRO.replace("HEADER", _literal(style.header)).replace("END", _literal(style.end)) + template


def _cut(part: _Part, following: int) -> tuple[int, int, str]:
    """The edit for one output. Spaces behind a text that Jinja strips go, lest the new tags keep them."""
    text = _literal(part.text) if part.kind == "text" else f"({part.text})"
    left, right = part.trim
    code = _OUTPUT.replace("LEFT", left or "+").replace("RIGHT", right).replace("TEXT", text)
    return part.start, following if part.kind == "text" else part.end, code


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _message_loops(template: str, parts: Sequence[_Part]) -> Iterator[tuple[int, int]]:
    """Where the outermost loops over messages begin and end: they ask for the role and write something."""
    reached = -1
    for begin, end in sorted(_blocks(parts)):
        loop = parts[begin]
        if loop.words[0] != "for" or begin < reached:
            continue
        asks = rf"\b{re.escape(loop.words[1])}\s*(\.\s*role\b|\[\s*['\"]role['\"]\s*\])"
        if re.search(asks, template[loop.end : parts[end].start]) and _outputs(parts, begin, end):
            reached = end
            yield begin, end


def _outputs(parts: Sequence[_Part], begin: int, end: int) -> list[tuple[int, _Part]]:
    """What is written between two parts, but for the bodies of macros and the like, and for refusals."""
    captured = [(start, stop) for start, stop in _blocks(parts) if parts[start].words[0] in _CAPTURING]
    written = [at for at in range(begin + 1, end) if parts[at].kind != "tag" and not _raises(parts[at])]
    return [(at, parts[at]) for at in written if not any(start < at < stop for start, stop in captured)]


def _raises(part: _Part) -> bool:
    return part.kind == "output" and part.text.startswith("raise_exception(")


def _blocks(parts: Sequence[_Part]) -> list[tuple[int, int]]:
    """Where each tag with a body, and the tag that ends it, stand among the parts."""
    blocks: list[Span] = []
    open_tags: list[int] = []
    for at, part in enumerate(parts):
        if part.kind == "tag" and part.words[0].startswith("end"):
            blocks.append((open_tags.pop(), at))
        elif part.kind == "tag" and (part.words[0] in _OPENING or _is_block_set(part.words)):
            open_tags.append(at)
    return blocks


def _is_block_set(words: Sequence[str]) -> bool:
    return words[0] == "set" and ("=" not in words or words[2] == "|")


def _parts(template: str) -> Iterator[_Part]:
    """A template cut into tags, outputs and the texts between them as Jinja writes them, spaces stripped.

    Comments and stripped spaces lie between the parts.
    """
    tokens = _tokens(template)
    for kind, value, start in tokens:
        if kind == "data" and value:
            yield _Part("text", start, start + len(value), value)
        elif kind in _CLOSED_BY:
            *inner, (_, closed, at) = _through(tokens, _CLOSED_BY[kind])
            yield _part(kind, value, start, [text for _, text, _ in inner], closed, at)


def _through(tokens: Iterator[_Token], kind: str) -> list[_Token]:
    """The tokens up to the next of a kind, that one included."""
    found = []
    for token in tokens:
        found.append(token)
        if token[0] == kind:
            break
    return found


def _part(kind: str, opened: str, start: int, inner: Sequence[str], closed: str, at: int) -> _Part:
    if kind == "block_begin":
        return _Part("tag", start, at + len(closed), "", tuple(word for word in inner if not word.isspace()))
    sign = "-" if closed.startswith("-") else ""
    return _Part("output", start, at + len(sign) + 2, "".join(inner).strip(), trim=(opened[2:3], sign))


def _tokens(template: str) -> Iterator[_Token]:
    """Jinja's tokens with the place where each begins; what it leaves out is space."""
    from jinja2 import Environment

    at = 0
    for _, kind, value in Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False).lex(template):
        while not template.startswith(value, at):
            at += 1
        yield kind, value, at
        at += len(value)


def _prove(template: str, marked: str, style: _Style, tokens: Mapping[str, str]) -> None:
    """Render chats with both templates.

    Raises:
        HyperBridgeError: a chat differs, or an assistant's text or its end is not marked, or something else is.
    """
    system: Message = {"role": "system", "content": "Правило"}
    chats: list[tuple[list[Message], list[dict[str, Any]] | None]] = [
        ([_USER, _ASSISTANT], None),
        (_TURNS, None),
        ([system, *_TURNS], None),
        (_TURNS[:3], None),
        ([_USER, _CALL, _FOUND, _ASSISTANT], [_TOOL]),
    ]
    for chat, tools in chats:
        for prompt in (False, True):
            base, _ = _render(template, chat, tokens, prompt=prompt, tools=tools)
            own, problem = _render(marked, chat, tokens, prompt=prompt, tools=tools)
            if base is None:
                continue
            if own is None or own[0] != base[0]:
                raise HyperBridgeError(f"the chat template cannot be marked: a chat of {len(chat)} differs {problem}")
            _prove_spans(*own, chat, style)


def _prove_spans(text: str, spans: Sequence[Span], chat: Sequence[Message], style: _Style) -> None:
    turns = _turns(spans)
    said = [text[start:end].strip() for start, end in turns]
    own = [message["content"] for message in chat if message["role"] == "assistant"]
    others = [message["content"] for message in chat if message["role"] != "assistant"]
    # A template may leave out calls, or not know them and write empty turns one behind the other.
    counted = len(said) == len(own) or _CALL in chat
    ended = all(one.endswith(style.end) for one in said)
    headed = all(text[:start].endswith(style.header) for start, _ in turns)
    complete = all(any(content in one for one in said) for content in own)
    if not (counted and ended and headed and complete) or any(content in one for content in others for one in said):
        raise HyperBridgeError(
            f"the chat template cannot be marked: of {len(own)} assistant's turns {len(said)} are found, as {said}"
        )


def _turns(spans: Sequence[Span]) -> list[Span]:
    """Spans that touch are one turn."""
    turns: list[Span] = []
    for start, end in spans:
        if turns and turns[-1][1] == start:
            turns[-1] = (turns[-1][0], end)
        elif end > start:
            turns.append((start, end))
    return turns
