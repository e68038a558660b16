"""SentencePiece BPE tokenizers (Mistral v1-v7, Llama-2 style): opened, and extended in both of their file forms.

A SentencePiece model joins any two neighbours whose text is a piece, best score first, leftmost among equals. The equal
`tokenizer.json` therefore lists every piece with all its splits, in the order of the scores. A new piece scores below
all old ones, so it joins only what the base leaves apart, and text without new pieces keeps its ids. Units are
USER_DEFINED pieces there and AddedTokens here; both are found from left to right, the longest first, before any merge.

The dummy prefix (`▁` before a text) is the hard part: `Prepend` would also put it behind every unit, so that
`мир⟁дом` came back as `мир⟁ дом`. It is written as a rule that looks at the beginning of the text alone, units are
matched in the prefixed text, and the rule leaves alone a text that *is* a unit, since AddedTokens pass through it too.

What SentencePiece has no means for, so that `tokenizer.model` and `tokenizer.json` differ:
- a Δ-code that touches a letter, a digit, `_` or a combining mark (`Δ41` in `Δ412`): `tokenizer.json` leaves it alone,
  `tokenizer.model` cuts it out, for a USER_DEFINED piece cannot look around;
- a text that is one unit and nothing else (or `▁` written by hand and one) has no `▁` before it in `tokenizer.json`;
- control tokens (`</s>`) are found in a text by `tokenizer.json` alone, as everywhere in transformers;
- where a base's own `tokenizer.json` puts `▁` in its pre-tokenizer, a unit at the very beginning of a text has no
  `▁` of its own.

Cost: opening 32,000 pieces takes less than a second; writing is linear in the pieces. Source: sentencepiece's
bpe_model.cc and sentencepiece#739 (a score is a merge priority).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hyperbridge.errors import HyperBridgeError
from hyperbridge.tokenizer.merges import Merge
from hyperbridge.tokenizer.units import UnitToken

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPACE = "▁"
_BEGINNING = r"\A(?=[\s\S])"
_OWN_SPACE = f"[ {SPACE}]"

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Prefix:
    """Where a backend puts the dummy prefix.

    Attributes:
        before: `text`: the beginning of a text; `segment`: also what follows an added token; `nothing`: the normalizer
            writes none, so added tokens may be matched in the text as it is.
        unless_spaced: not where a space stands there already.
    """

    before: Literal["text", "segment", "nothing"]
    unless_spaced: bool = False

    def finds_in_prefixed(self, special: bool) -> bool:
        """Whether an added token is matched after the prefix is written; what is matched before starts a segment."""
        return self.before == "text" or (self.before == "segment" and not special)


def open_sentencepiece(model_proto: bytes) -> Tokenizer:
    """A backend that gives SentencePiece's ids.

    Args:
        model_proto: content of a `tokenizer.model`.

    Raises:
        HyperBridgeError: the file is none, or of a kind that no backend can equal.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    model = _parse(model_proto)
    _refuse_unequal(model)
    kinds = model.SentencePiece
    vocab = {piece.piece: index for index, piece in enumerate(model.pieces)}
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type == kinds.NORMAL}
    trainer = model.trainer_spec
    backend = Tokenizer(
        BPE(vocab, _merges(scores), unk_token=trainer.unk_piece, fuse_unk=True, byte_fallback=trainer.byte_fallback)
    )
    prefixed = model.normalizer_spec.add_dummy_prefix
    matched = (kinds.CONTROL, kinds.UNKNOWN, kinds.USER_DEFINED)
    added = [
        {"content": piece.piece, "special": piece.type != kinds.USER_DEFINED}
        for piece in model.pieces
        if piece.type in matched
    ]
    prefix = _Prefix("text" if prefixed else "nothing")
    backend.normalizer = _normalizer(prefix, [], [])
    backend.decoder = _decoder(prefixed)
    _add(backend, prefix, added)
    if trainer.bos_id >= 0:
        backend.post_processor = _beginning_of_sequence(model.pieces[trainer.bos_id].piece, trainer.bos_id)
    return backend


def extend_backend(backend: Tokenizer, new_pieces: Sequence[Merge], units: Sequence[UnitToken]) -> Tokenizer:
    """A backend with new pieces and units, ids following the base's last one: pieces as learned, then units.

    Args:
        backend: the base's; it stays as it is.
        new_pieces: learned pairs of the base's alphabet, in order; both sides are pieces of the base or earlier ones.
        units: texts to be one token each; none is a token of the base.

    Raises:
        HyperBridgeError: a pair joins what is no piece, or a piece or a unit is there already.
    """
    from tokenizers import Tokenizer

    state = json.loads(backend.to_str())
    prefix, vocab, added = _prefix_of(backend), state["model"]["vocab"], state["added_tokens"]
    contents = [unit.text.replace(" ", SPACE if prefix.before != "nothing" else " ") for unit in units]
    vocab.update({token["content"]: token["id"] for token in added})
    _refuse_known(contents, vocab)
    pieces = _mergeable(vocab, added)
    joined = _joined(new_pieces, pieces, taken=[*vocab, *contents])
    state["model"]["merges"] = _continued(state["model"]["merges"], pieces, joined)
    vocab.update({piece: index for index, piece in enumerate([*joined, *contents], start=_size(backend))})

    state["added_tokens"] = []
    extended = Tokenizer.from_str(json.dumps(state, ensure_ascii=False))
    units_added = [
        {"content": content, "special": False, "single_word": unit.single_word}
        for content, unit in zip(contents, units, strict=True)
    ]
    _add(extended, prefix, [*added, *units_added])
    return extended


def extend_model(
    model_proto: bytes, backend: Tokenizer, new_pieces: Sequence[Merge], units: Sequence[UnitToken]
) -> bytes:
    """A `tokenizer.model` with the same new ids as `extend_backend`.

    Args:
        model_proto: the base's.
        backend: the base's; tokens that it has beyond the model (`<|im_end|>` of a chat model) come with it.
        new_pieces: learned pairs, in order; their scores fall from below the base's lowest.
        units: texts to be one token each.

    Raises:
        HyperBridgeError: the model is none, or not a BPE.
    """
    import numpy

    model = _parse(model_proto)
    kinds = model.SentencePiece
    added = backend.get_added_tokens_decoder()
    for index in range(len(model.pieces), _size(backend)):
        kind = kinds.USER_DEFINED if index in added and not added[index].special else kinds.CONTROL
        text = added[index].content if index in added else f"<unused_{index}>"
        model.pieces.add(piece=text, score=0, type=kind)
    score = numpy.float32(min(piece.score for piece in model.pieces))
    for left, right in new_pieces:
        score = numpy.nextafter(score, numpy.float32("-inf"))
        model.pieces.add(piece=left + right, score=float(score), type=kinds.NORMAL)
    for unit in units:
        model.pieces.add(piece=unit.text.replace(" ", SPACE), score=0, type=kinds.USER_DEFINED)
    model.trainer_spec.vocab_size = len(model.pieces)
    return model.SerializeToString()


def loading_config(base_config: Mapping[str, Any], model_proto: bytes | None = None) -> _Json:
    """The `tokenizer_config.json` with which transformers takes `tokenizer.json` as it is.

    A Llama class would build its own normalizer from vocabulary and merges, and token flags in the configuration
    would override those of `tokenizer.json`; both bring the prefix in behind units again.
    """
    config = {key: value for key, value in base_config.items() if key not in _REBUILDING}
    if model_proto is not None:
        model = _parse(model_proto)
        trainer = model.trainer_spec
        ids = {"bos_token": trainer.bos_id, "eos_token": trainer.eos_id, "unk_token": trainer.unk_id}
        config = {name: model.pieces[at].piece for name, at in ids.items() if at >= 0} | config
    return config | {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}


_REBUILDING = ("added_tokens_decoder", "add_prefix_space", "legacy", "sp_model_kwargs", "tokenizer_class", "use_fast")
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>\Z")


def is_byte(piece: str) -> bool:
    """Whether a piece stands for one byte: `<0xD0>`."""
    return _BYTE.match(piece) is not None


def _parse(model_proto: bytes) -> Any:
    """The message of a `tokenizer.model`; its classes are made at run time, so it has no type to name."""
    try:
        from google.protobuf.message import DecodeError
        from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]
    except ImportError:
        raise HyperBridgeError("a tokenizer.model needs two packages: pip install sentencepiece protobuf") from None

    model = ModelProto()
    try:
        model.ParseFromString(model_proto)
    except DecodeError:
        raise HyperBridgeError("not a SentencePiece model: the file does not parse as one") from None
    if not model.pieces:
        raise HyperBridgeError("not a SentencePiece model: it has no pieces")
    kind = model.trainer_spec.model_type
    if kind != model.trainer_spec.BPE:
        name = type(model.trainer_spec).ModelType.Name(kind)
        raise HyperBridgeError(
            f"a SentencePiece {name} model cannot be extended by merges: it has none and chooses among all splits by "
            "probability; give a base with a BPE tokenizer"
        )
    return model


def _refuse_unequal(model: Any) -> None:
    """Refuse what no `tokenizer.json` can equal."""
    spec = model.normalizer_spec
    reasons = {
        f"it rewrites text before cutting it ({spec.name})": spec.precompiled_charsmap,
        "it removes extra spaces": spec.remove_extra_whitespaces,
        "it leaves spaces as they are": not spec.escape_whitespaces,
        "it writes a space behind its word": model.trainer_spec.treat_whitespace_as_suffix,
        "it has UNUSED pieces, which are cut apart again after all merges": any(
            piece.type == model.SentencePiece.UNUSED for piece in model.pieces
        ),
    }
    for reason, found in reasons.items():
        if found:
            raise HyperBridgeError(f"this SentencePiece model has no tokenizer.json equal to it: {reason}")


def _merges(scores: Mapping[str, float]) -> list[Merge]:
    """Every split of every piece, best score first, and among equals as the leftmost neighbours would be joined."""
    ranked: list[tuple[float, bool, int, str, str]] = []
    for piece, score in scores.items():
        ranked.extend((-score, *_turn(left, right), left, right) for left, right in _splits(piece, scores))
    return [(left, right) for *_, left, right in sorted(ranked)]


def _splits(piece: str, known: Collection[str]) -> list[Merge]:
    halves = ((piece[:at], piece[at:]) for at in range(1, len(piece)))
    return [(left, right) for left, right in halves if left in known and right in known]


def _turn(left: str, right: str) -> tuple[bool, int]:
    """Where a split stands among those of its piece.

    In `x y z` with `x+y` and `y+z` the same piece, the leftmost pair is `x+y`, and `y` both begins and ends the piece.
    So the split that begins with such a `y` waits. Runs of one text (`aaa`) have it both ways: longer left part first.
    """
    piece = left + right
    waits = piece.endswith(left) and not piece.startswith(right)
    return waits, -len(left)


def _continued(merges: Sequence[Sequence[str]], pieces: Sequence[str], joined: Sequence[str]) -> list[Merge]:
    """The base's merges with those that new pieces bring: into an old piece at its rank, into new ones at the end."""
    new, known = set(joined), {*pieces, *joined}
    late: dict[str, list[Merge]] = {}
    for piece in pieces:
        brought = [pair for pair in _splits(piece, known) if new.intersection(pair)]
        if brought:
            late[piece] = brought
    last = {left + right: at for at, (left, right) in enumerate(merges)}
    continued: list[Merge] = []
    for at, (left, right) in enumerate(merges):
        continued.append((left, right))
        continued.extend(late.get(left + right, ()) if last[left + right] == at else ())
    for piece in joined:
        continued.extend(sorted(_splits(piece, known), key=lambda pair: _turn(*pair)))
    return continued


def _joined(new_pieces: Sequence[Merge], pieces: Collection[str], taken: Iterable[str]) -> list[str]:
    """The texts of the new pieces.

    Raises:
        HyperBridgeError: a side is no piece, or the text is one already.
    """
    known, seen, joined = set(pieces), set(taken), []
    for left, right in new_pieces:
        if left not in known or right not in known:
            raise HyperBridgeError(f"merge {left!r} + {right!r}: a side is no piece of the base and no earlier merge")
        if left + right in seen:
            raise HyperBridgeError(f"merge {left!r} + {right!r}: {left + right!r} is a token already")
        known.add(left + right)
        seen.add(left + right)
        joined.append(left + right)
    return joined


def _refuse_known(contents: Sequence[str], vocab: Collection[str]) -> None:
    for content in contents:
        if content in vocab or content.replace(" ", SPACE) in vocab:
            raise HyperBridgeError(f"unit {content!r} is a token of the base already; leave it out")


def _size(backend: Tokenizer) -> int:
    return max(backend.get_vocab(with_added_tokens=True).values()) + 1


def _mergeable(vocab: Iterable[str], added: Iterable[_Json]) -> list[str]:
    """The pieces that merges may join: no added tokens, no bytes."""
    taken = {token["content"] for token in added}
    return [piece for piece in vocab if piece not in taken and not is_byte(piece)]


def _add(backend: Tokenizer, prefix: _Prefix, tokens: Sequence[_Json]) -> None:
    """Add tokens in one batch, each found where the prefix stands already and none is written behind it."""
    from tokenizers import AddedToken

    if prefix.before != "nothing":
        special = [token["content"] for token in tokens if token["special"]] if prefix.before == "text" else []
        whole = [token["content"] for token in tokens if not token["special"]]
        backend.normalizer = _normalizer(prefix, special, whole)
        _leave_prefix_to_normalizer(backend)
    flags = ("special", "single_word", "lstrip", "rstrip")
    backend.add_tokens(
        [
            AddedToken(
                token["content"],
                normalized=prefix.finds_in_prefixed(token["special"]) or token.get("normalized", False),
                **{flag: token[flag] for flag in flags if flag in token},
            )
            for token in tokens
        ]
    )


def _prefix_of(backend: Tokenizer) -> _Prefix:
    """How a backend puts the dummy prefix, read from its normalizer and pre-tokenizer."""
    state = json.loads(backend.to_str())
    for step in _steps(state["normalizer"], "normalizers"):
        pattern = step.get("pattern", {}).get("Regex", "")
        if step["type"] == "Prepend":
            return _Prefix("segment")
        if pattern.startswith(_BEGINNING):
            every = [token["normalized"] for token in state["added_tokens"] if token["special"]]
            return _Prefix("text" if all(every) else "segment", unless_spaced=_OWN_SPACE in pattern)
    for step in _steps(state["pre_tokenizer"], "pretokenizers"):
        if step["type"] == "Metaspace" and step["prepend_scheme"] == "always":
            return _Prefix("segment", unless_spaced=True)
    return _Prefix("nothing")


def _steps(part: _Json | None, key: str) -> list[_Json]:
    if part is None:
        return []
    return part[key] if part["type"] == "Sequence" else [part]


def _normalizer(prefix: _Prefix, special: Sequence[str], whole: Sequence[str]) -> Any:
    """Spaces as `▁`, and one before a text unless it begins with a special token or is, as a whole, one of `whole`."""
    from tokenizers import Regex, normalizers

    spaces = normalizers.Replace(" ", SPACE)
    if prefix.before == "nothing":
        return spaces
    exempt = [_OWN_SPACE] if prefix.unless_spaced else []
    exempt += [_any_of(special)] if special else []
    exempt += [_any_of(whole) + r"\z"] if whole else []
    beginning = _BEGINNING + (f"(?!{'|'.join(exempt)})" if exempt else "")
    return normalizers.Sequence([normalizers.Replace(Regex(beginning), SPACE), spaces])


def _leave_prefix_to_normalizer(backend: Tokenizer) -> None:
    """A pre-tokenizer that only cuts, where it cut at all."""
    from tokenizers import pre_tokenizers

    cutting = isinstance(backend.pre_tokenizer, pre_tokenizers.Metaspace) and backend.pre_tokenizer.split
    backend.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, "never", split=True) if cutting else None


def _any_of(texts: Iterable[str]) -> str:
    """A regular expression for any of the texts, as a tree of letters: its cost does not grow with their number."""
    root: _Json = {}
    for text in texts:
        node = root
        for char in text:
            node = node.setdefault(char, {})
        node[""] = {}
    return _branches(root)


def _branches(node: _Json) -> str:
    chain = ""
    while len(node) == 1 and "" not in node:
        ((char, node),) = node.items()
        chain += re.escape(char)
    ways = [re.escape(char) + _branches(below) for char, below in node.items() if char]
    return chain + (f"(?:{'|'.join(ways)}){'?' if '' in node else ''}" if ways else "")


def _decoder(prefixed: bool) -> Any:
    from tokenizers import decoders

    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if prefixed else steps)


def _beginning_of_sequence(piece: str, index: int) -> Any:
    from tokenizers.processors import TemplateProcessing

    return TemplateProcessing(single=f"{piece} $A", pair=f"{piece} $A {piece} $B", special_tokens=[(piece, index)])
