"""Byte-level BPE: its alphabet, and exact backends from the files that carry no `tokenizer.json`.

A piece is spelled with one printable character for each byte (GPT-2's table), so every text can be spelled. tiktoken
and tekken files list pieces by rank and no merges: the pair a piece is merged from is what BPE with the lower ranks
leaves of it (two parts, or no merge ever makes it). Whether a file of ranks looks a whole word up before merging
(`ignore_merges`) is a property of its family. Cost: 1-2 s for 150,000 ranks.

Sources: GPT-2's `bytes_to_unicode`; the regular expressions published with Qwen, Llama-3, SmolLM2; llama.cpp's
names of pre-tokenizers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import open_for_reading

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# As published with Qwen's tokenizer.
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# As published with Llama-3's: numbers in groups of three.
LLAMA3_WORDS = QWEN_WORDS.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
# Of tekken files that do not list theirs, by id; the ids up to their number are fillers.
# fmt: off
TEKKEN_CONTROL = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
    "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)
# fmt: on
_GGUF_CONTROL, _GGUF_USER_DEFINED = 3, 4


@lru_cache(maxsize=1)
def alphabet() -> dict[int, str]:
    """byte -> its character: printable Latin-1 stands for itself, the others follow from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}


def spell(raw: bytes) -> str:
    """Bytes in the alphabet of the vocabulary."""
    table = alphabet()
    return "".join(table[byte] for byte in raw)


def bytes_of(piece: str) -> bytes:
    """The bytes a piece spells; a token outside the alphabet (`<|im_end|>` in CJK, say) stands for its own UTF-8."""
    table = _characters()
    return bytes(table[char] for char in piece) if all(char in table for char in piece) else piece.encode()


def open_tiktoken(path: Path) -> Tokenizer:
    """The backend of a `.tiktoken` file of ranks with Qwen's words and control tokens.

    Raises:
        HyperBridgeError: the file is not one rank a line, or its ranks have holes.
    """
    ranks = _tiktoken_ranks(path)
    vocab = {spell(piece): rank for piece, rank in ranks.items()}
    backend = _backend(vocab, merges_of(ranks), words=QWEN_WORDS, normalizer="NFC")
    _add_control(backend, QWEN_CONTROL)
    return backend


def open_tekken(path: Path) -> Tokenizer:
    """The backend of a `tekken.json`: special tokens first, then the ranks up to its vocabulary's size.

    Raises:
        HyperBridgeError: it is not such a file.
    """
    from tokenizers.processors import TemplateProcessing

    told = _read_json(path)
    try:
        config, control = told["config"], _tekken_control(told)
        kept = told["vocab"][: config["default_vocab_size"] - len(control)]
        ranks = {base64.b64decode(entry["token_bytes"]): rank for rank, entry in enumerate(kept)}
        words = config["pattern"]
    except (KeyError, TypeError, ValueError) as error:
        raise HyperBridgeError(f"{path}: not a tekken.json: {type(error).__name__} {error}") from None
    vocab = {token: token_id for token_id, token in enumerate(control)}
    vocab |= {spell(piece): len(control) + rank for piece, rank in ranks.items()}
    backend = _backend(vocab, merges_of(ranks), words=words, ignore_merges=True)
    _add_control(backend, control)
    backend.post_processor = TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return backend


def open_gguf(path: Path) -> tuple[Tokenizer, dict[str, Any]]:
    """The backend of a GGUF file's byte-level tokenizer, and its settings as a `tokenizer_config.json` has them.

    Raises:
        HyperBridgeError: gguf is not installed, the file is none, or its tokenizer is of another kind.
    """
    told = _gguf_metadata(path)
    kind, pre = told.get("tokenizer.ggml.model"), told.get("tokenizer.ggml.pre", "default")
    if kind != "gpt2" or pre not in _GGUF_WORDS:
        raise HyperBridgeError(
            f"{path}: its tokenizer is {kind}/{pre}; read from GGUF are gpt2 with {', '.join(sorted(_GGUF_WORDS))}: "
            "give the folder or Hub id that it was made from"
        )
    tokens = told["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ", 1)) for pair in told["tokenizer.ggml.merges"]]
    backend = _backend({token: at for at, token in enumerate(tokens)}, merges, **_GGUF_WORDS[pre])
    types = dict(zip(tokens, told["tokenizer.ggml.token_type"], strict=True))
    _add_control(backend, [token for token in tokens if types[token] == _GGUF_CONTROL])
    backend.add_tokens([token for token in tokens if types[token] == _GGUF_USER_DEFINED])
    return backend, _gguf_settings(told, tokens)


def merges_of(ranks: Mapping[bytes, int]) -> list[tuple[str, str]]:
    """The merges that a vocabulary of ranks stands for, in order, spelled in the alphabet."""
    found = []
    for piece in sorted(ranks, key=ranks.__getitem__):
        parts = _parts_below(piece, ranks) if len(piece) > 1 else ()
        if len(parts) == 2:
            found.append((spell(parts[0]), spell(parts[1])))
    return found


def _parts_below(piece: bytes, ranks: Mapping[bytes, int]) -> Sequence[bytes]:
    """What BPE with the ranks below the piece's own leaves of it."""
    splits = [at for at in range(1, len(piece)) if piece[:at] in ranks and piece[at:] in ranks]
    if len(splits) == 1:  # no other merge can make it
        return piece[: splits[0]], piece[splits[0] :]
    own, parts = ranks[piece], [piece[at : at + 1] for at in range(len(piece))]
    while len(parts) > 2:
        rank, at = min((ranks.get(left + right, own), at) for at, (left, right) in enumerate(pairwise(parts)))
        if rank >= own:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _backend(
    vocab: dict[str, int],
    merges: list[Any],
    *,
    words: str,
    normalizer: str | None = None,
    ignore_merges: bool = False,
    single_digits: bool = False,
) -> Tokenizer:
    """A tokenizer that cuts text into `words` (a regular expression; "" is GPT-2's own) and spells them in bytes."""
    from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    cuts: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if single_digits else []
    cuts += [pre_tokenizers.Split(Regex(words), behavior="isolated")] if words else []
    cuts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not words))
    backend = Tokenizer(BPE(vocab, merges, ignore_merges=ignore_merges))
    backend.normalizer = normalizers.NFC() if normalizer == "NFC" else None
    backend.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    backend.decoder = decoders.ByteLevel()
    return backend


# llama.cpp's name of a pre-tokenizer -> how it cuts words.
_GGUF_WORDS: dict[str, dict[str, Any]] = {
    "gpt-2": {"words": ""},
    "smollm": {"words": "", "single_digits": True},
    "qwen2": {"words": QWEN_WORDS, "normalizer": "NFC"},
    "llama-bpe": {"words": LLAMA3_WORDS, "ignore_merges": True},
}


@lru_cache(maxsize=1)
def _characters() -> dict[str, int]:
    return {char: byte for byte, char in alphabet().items()}


def _add_control(backend: Tokenizer, tokens: Sequence[str]) -> None:
    from tokenizers import AddedToken

    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])


def _tiktoken_ranks(path: Path) -> dict[bytes, int]:
    ranks = {}
    with open_for_reading(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                piece, rank = line.split()
                ranks[base64.b64decode(piece, validate=True)] = int(rank)
            except (ValueError, binascii.Error):
                raise HyperBridgeError(f"{path}:{number}: not a base64 piece and its rank") from None
    if sorted(ranks.values()) != list(range(len(ranks))) or len(ranks) < 256:
        raise HyperBridgeError(f"{path}: its {len(ranks)} ranks are not 0, 1, 2, ... with all 256 bytes among them")
    return ranks


def _tekken_control(told: dict[str, Any]) -> list[str]:
    """The special tokens of a tekken file by id; old files leave the names to the reader, and the rest are fillers."""
    named = told.get("special_tokens")
    listed = [token["token_str"] for token in sorted(named, key=lambda one: one["rank"])] if named else TEKKEN_CONTROL
    count = told["config"]["default_num_special_tokens"]
    return [*listed, *(f"<SPECIAL_{at}>" for at in range(len(listed), count))]


def _gguf_metadata(path: Path) -> dict[str, Any]:
    try:
        from gguf import GGUFReader
    except ImportError:
        raise HyperBridgeError(f"{path}: reading it needs the package gguf: pip install gguf") from None
    open_for_reading(path).close()
    try:
        fields = GGUFReader(path).fields
    except (ValueError, IndexError) as error:
        raise HyperBridgeError(f"{path}: not a GGUF file: {error}") from None
    return {name: field.contents() for name, field in fields.items() if name.startswith("tokenizer.")}


def _gguf_settings(told: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    names = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    ids = {name: told.get(f"tokenizer.ggml.{key}_token_id") for name, key in names.items()}
    settings: dict[str, Any] = {f"{name}_token": tokens[at] for name, at in ids.items() if at is not None}
    template = told.get("tokenizer.chat_template")
    return settings | ({"chat_template": template} if template else {})


def _read_json(path: Path) -> dict[str, Any]:
    with open_for_reading(path) as file:
        try:
            told = json.load(file)
        except ValueError as error:
            raise HyperBridgeError(f"{path}: not JSON: {error}") from None
    if not isinstance(told, dict):
        raise HyperBridgeError(f"{path}: not a JSON object")
    return told
