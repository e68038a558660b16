"""A tokenizer from nothing: character BPE with byte fallback, scene tokens and a ChatML template.

Words keep their leading space and nothing is normalized, so decoding returns the text exactly; a character outside
the learned alphabet falls back to its UTF-8 bytes. The separators of a scene's prompt form (`; agent=`), Δ-codes and
symbols are single tokens; chat control tokens are the only special ones. Cost: one pass of the Rust BPE trainer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD = "<|endoftext|>"
START = "<|im_start|>"
END = "<|im_end|>"
ROLES = ("system", "user", "assistant")
SCENE_KEYS = (
    "hyperlexeme",
    "Δ",
    "agent",
    "act",
    "field",
    "tone",
    "meta",
    "emotion",
    "arch",
    "symbol",
    "mode",
    "context",
    "tension",
)

# Line ends; words with their space; single digits; runs of marks; other space.
_WORDS = r"\n| ?[\p{L}\p{M}]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|[^\S\n]+"

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{%- if message.role == 'assistant' %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{% generation %}{{- message.content + '<|im_end|>' }}{% endgeneration %}{{- '\\n' }}"
    "{%- else %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def train_tokenizer(
    texts: Iterable[str],
    *,
    vocab_size: int = 8192,
    delta_codes: Sequence[str] = (),
    symbols: Sequence[str] = (),
    alphabet_size: int = 220,
) -> PreTrainedTokenizerFast:
    """Learn a tokenizer of exactly `vocab_size` ids.

    Args:
        texts: training texts.
        vocab_size: all ids together: control and scene tokens, 256 bytes, alphabet and merges.
        delta_codes: Δ-codes to be single tokens; `Δ41` does not match inside `Δ412`.
        symbols: symbols to be single tokens wherever they stand.
        alphabet_size: most frequent characters that get ids; rarer ones are spelled in bytes.

    Raises:
        HyperBridgeError: `vocab_size` is too small for the fixed tokens and the alphabet, or the texts too few for it.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    words = pre_tokenizers.Split(Regex(_WORDS), behavior="isolated")
    added = [
        *(AddedToken(role, single_word=True, normalized=False) for role in ROLES),
        *(AddedToken(f"; {key}=", normalized=False) for key in SCENE_KEYS),
        *(AddedToken(code, single_word=True, normalized=False) for code in delta_codes),
        *(AddedToken(symbol, normalized=False) for symbol in symbols),
    ]
    control = [PAD, START, END]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    fixed = len(control) + len(bytes_) + len(added)

    # A symbol never reaches the BPE model, so nothing may be learned from it: it would take a second id.
    symbol = re.compile("|".join(map(re.escape, symbols)) or "(?!)")
    learned = Tokenizer(BPE())
    learned.pre_tokenizer = words
    learned.train_from_iterator(
        (symbol.sub("\n", text) for text in texts),
        BpeTrainer(
            vocab_size=max(0, vocab_size - fixed),
            limit_alphabet=alphabet_size,
            initial_alphabet=list("+=;Δ"),
            show_progress=False,
        ),
    )
    model = json.loads(learned.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
    vocab = {token: index for index, token in enumerate([*control, *bytes_, *pieces])}
    tokenizer = Tokenizer(BPE(vocab, [tuple(pair) for pair in model["merges"]], byte_fallback=True))
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(control)
    tokenizer.add_tokens(added)
    if tokenizer.get_vocab_size() != vocab_size:
        raise HyperBridgeError(
            f"a tokenizer of {vocab_size} ids cannot be made: {fixed} are fixed, and the alphabet and merges of these "
            f"texts make it {tokenizer.get_vocab_size()}; change tokenizer.vocab_size or add texts"
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
