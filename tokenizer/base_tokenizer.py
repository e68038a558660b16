"""A base's tokenizer, opened exactly: a folder, a Hub id, a path of this package or a single file, of four families.

The family is told by what the tokenizer is, not by its name: byte-level BPE (Qwen, Llama-3, SmolLM2), tekken,
SentencePiece BPE (Mistral v1-v7, Llama-2), or BPE on characters with byte fallback (nano-ru). The backend gives the
original's ids. Extending it appends: pieces after its last id, then added tokens, so that every old id stays; all
added tokens also stand in the model's vocabulary, since libraries that rebuild a tokenizer (Qwen2Tokenizer of
transformers) number by position what they do not find there. Cost: 0.3-3 s to open.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError
from hyperbridge.locations import PACKAGE_PREFIX, resolve_path
from hyperbridge.tokenizer import byte_level
from hyperbridge.tokenizer.extension import Family, Unit
from hyperbridge.tokenizer.sentencepiece_bpe import (
    SPACE,
    extend_backend,
    extend_model,
    is_byte,
    loading_config,
    open_sentencepiece,
)
from hyperbridge.tokenizer.units import UnitToken, tokens_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SETTINGS = "tokenizer_config.json"
MODEL = "tokenizer.model"
SPECIAL_TOKENS = "special_tokens_map.json"
# Beside the tokenizer itself; what belongs to a model's weights is not ours to carry.
TEMPLATE = "chat_template.jinja"
CARRIED = (TEMPLATE, "generation_config.json")
HUB_FILES = ("tokenizer.json", "tokenizer.model*", "tekken*.json", "*.tiktoken", SETTINGS, SPECIAL_TOKENS, *CARRIED)
# Settings that say how a tokenizer was once loaded, or hold what tokenizer.json holds.
_STALE = frozenset(("added_tokens_decoder", "auto_map", "backend", "is_local", "local_files_only", "name_or_path"))
_STALE |= frozenset(("processor_class", "tokenizer_file", "use_fast", "vocab_file"))


@dataclass(frozen=True)
class BaseTokenizer:
    """A tokenizer as it was found.

    Attributes:
        source: as the user named it.
        family: what it is.
        backend: gives the original's ids.
        settings: its `tokenizer_config.json`.
        folder_files: name -> content of the other files that an extended tokenizer carries on.
        revision: the commit, of a Hub id.
        proto: the SentencePiece model, where there is one.
    """

    source: str
    family: Family
    backend: Tokenizer
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder_files: Mapping[str, bytes] = field(default_factory=dict)
    revision: str | None = None
    proto: bytes | None = None

    @cached_property
    def state(self) -> dict[str, Any]:
        """The backend as `tokenizer.json` has it; not to be changed."""
        state: dict[str, Any] = json.loads(self.backend.to_str())
        return state

    @cached_property
    def vocab(self) -> dict[str, int]:
        """The model's pieces, without added tokens."""
        added = {token["content"] for token in self.state["added_tokens"]}
        return {piece: at for piece, at in self.state["model"]["vocab"].items() if piece not in added}

    @cached_property
    def added(self) -> dict[str, int]:
        """The added tokens (control tokens are among them)."""
        return {token["content"]: token["id"] for token in self.state["added_tokens"]}

    @cached_property
    def size(self) -> int:
        """The first new id: the highest id and one."""
        return 1 + max(*self.vocab.values(), *self.added.values(), 0)

    @cached_property
    def sha256(self) -> str:
        """Digest of what gives the ids: pieces, merges, added tokens, and how text is cut."""
        kept = {key: self.state[key] for key in ("normalizer", "pre_tokenizer", "model", "added_tokens")}
        return hashlib.sha256(json.dumps(kept, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def pretokens(self, text: str) -> list[str]:
        """The stretches of a text that merges stay inside of, in the alphabet of the vocabulary.

        SentencePiece has none: a text is cut before every `▁` that follows something else.
        """
        if self.backend.normalizer is not None:
            text = self.backend.normalizer.normalize_str(text)
        if self.family == "sentencepiece":
            return _cut_at_spaces(text.replace(" ", SPACE))
        if self.backend.pre_tokenizer is None:
            return [text]
        return [piece for piece, _ in self.backend.pre_tokenizer.pre_tokenize_str(text)]

    def pieces(self, pretoken: str) -> list[str]:
        """The base's BPE of one pretoken."""
        return [token.value for token in self.backend.model.tokenize(pretoken)]

    def spelled(self, text: str) -> str:
        """A text in the alphabet of the vocabulary."""
        if self.family in ("byte-level", "tekken"):
            return byte_level.spell(text.encode())
        return text.replace(" ", SPACE) if self.family == "sentencepiece" else text

    def surface(self, piece: str) -> str | None:
        """The text of a piece; None where it begins or ends inside a UTF-8 character."""
        if self.family in ("byte-level", "tekken"):
            try:
                return byte_level.bytes_of(piece).decode()
            except UnicodeDecodeError:
                return None
        if is_byte(piece):
            return bytes([int(piece[3:5], 16)]).decode("ascii", "ignore") or None
        return piece.replace(SPACE, " ") if self.family == "sentencepiece" else piece

    def piece_ids(self, pretoken: str) -> list[int]:
        """The base's ids of one pretoken."""
        return [token.id for token in self.backend.model.tokenize(pretoken)]

    def ids(self, text: str) -> list[int]:
        """The base's ids of a stretch inside a text: no BOS, no dummy prefix."""
        if self.family == "sentencepiece":
            return [token_id for part in _cut_at_spaces(self.spelled(text)) for token_id in self.piece_ids(part)]
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def gives_back(self, text: str) -> bool:
        """Whether the decoder returns an added token of this text as it is; byte-level ones take `§` for a byte."""
        if self.family in ("byte-level", "tekken"):
            return byte_level.bytes_of(text) == text.encode()
        return not is_byte(text) and (self.family != "sentencepiece" or SPACE not in text)

    def unit_tokens(self, units: Sequence[Unit]) -> list[UnitToken]:
        """The added tokens of units, in the order of their ids; what is a token already gets no second id."""
        tokens = (token for unit in units for token in tokens_of(unit))
        space = SPACE if self.family == "sentencepiece" else " "
        known = self.vocab.keys() | self.added.keys()
        return [token for token in tokens if token.text.replace(" ", space) not in known]

    def extended(self, new_pieces: Sequence[tuple[str, str]], units: Sequence[Unit]) -> Tokenizer:
        """A backend with the pieces of merges, in order, and then the tokens of units, from `size` on."""
        tokens = self.unit_tokens(units)
        if self.family == "sentencepiece":
            return extend_backend(self.backend, new_pieces, tokens)
        from tokenizers import Tokenizer

        return Tokenizer.from_str(json.dumps(self._extended_state(new_pieces, tokens), ensure_ascii=False))

    def write(self, folder: Path, new_pieces: Sequence[tuple[str, str]], units: Sequence[Unit]) -> None:
        """Write the extended tokenizer's files, its settings and what the base carries into a folder.

        A SentencePiece base that has a model file gets an extended one beside `tokenizer.json`.
        """
        settings, files, _ = self._for_training
        if self.family == "sentencepiece":
            settings = loading_config(settings, self.proto)
        if self.proto is not None:
            files = {**files, MODEL: extend_model(self.proto, self.backend, new_pieces, self.unit_tokens(units))}
        told = json.dumps(settings, ensure_ascii=False, indent=2, sort_keys=True)
        for name, content in {**files, SETTINGS: f"{told}\n".encode()}.items():
            (folder / name).write_bytes(content)
        self.extended(new_pieces, units).save(str(folder / "tokenizer.json"), pretty=False)

    @property
    def template_problem(self) -> str | None:
        """Why the chat template is carried as it is, without marks of what is learned; None where it is marked."""
        return self._for_training[2]

    @cached_property
    def _for_training(self) -> tuple[dict[str, Any], dict[str, bytes], str | None]:
        """Settings and files: the base's, but its chat template marks what is learned, and its padding is not its end.

        A template that cannot be marked, or no plain text, is carried as it is; the third is the reason.
        """
        from hyperbridge.tokenizer.chat_templates import chat_tokens, training_template

        settings, files = _kept_settings(self.settings), dict(self.folder_files)
        template = files[TEMPLATE].decode() if TEMPLATE in files else settings.get("chat_template")
        if not isinstance(template, str):
            return settings, files, "the base has no chat template"
        names = {name: _content(settings.get(name)) for name in ("bos_token", "eos_token", "pad_token")}
        try:
            marked = training_template(template, bos_token=names["bos_token"], eos_token=names["eos_token"])
            found = chat_tokens(template, {**self.vocab, **self.added}, **names)
        except HyperBridgeError as error:
            return settings, files, str(error)
        settings |= {"eos_token": found.eos_token, "pad_token": found.pad_token}
        settings.pop("chat_template", None)
        return settings, {**files, TEMPLATE: marked.encode()}, None

    def _extended_state(self, new_pieces: Sequence[tuple[str, str]], tokens: Sequence[UnitToken]) -> dict[str, Any]:
        model = self.state["model"]
        vocab = {**model["vocab"], **self.added}
        vocab |= {left + right: self.size + at for at, (left, right) in enumerate(new_pieces)}
        first = self.size + len(new_pieces)
        added = [_added_token(first + at, token) for at, token in enumerate(tokens)]
        vocab |= {token["content"]: token["id"] for token in added}
        merges = [*model["merges"], *(list(pair) for pair in new_pieces)]
        return {
            **self.state,
            "model": {**model, "vocab": vocab, "merges": merges},
            "added_tokens": [*self.state["added_tokens"], *added],
        }


def open_base(source: str, revision: str | None = None) -> BaseTokenizer:
    """Open the tokenizer of a base.

    Args:
        source: a folder, a Hub id, a `hyperbridge:` path, or a single file: `tokenizer.json`, `tokenizer.model[.vN]`,
            `tekken.json`, `.tiktoken` with Qwen's words, `.gguf`.
        revision: of a Hub id.

    Raises:
        HyperBridgeError: there is none, it is damaged, or of a kind that merges cannot be appended to.
    """
    path = Path(resolve_path(source))
    commit = None
    if not path.exists():
        if source.startswith((PACKAGE_PREFIX, ".", "/")) or path.suffix in (".json", ".model", ".tiktoken", ".gguf"):
            raise HyperBridgeError(f"{source}: no such folder or file")
        commit = hub.resolve_commit(source, revision)
        path = hub.fetch(source, commit, HUB_FILES)
    elif revision is not None:
        raise HyperBridgeError(f"{source}: is a path, and only a Hub id has a revision ({revision})")
    return _open_folder(source, path, commit) if path.is_dir() else _open_file(source, path, {}, {}, None)


def family_of(state: Mapping[str, Any]) -> Family:
    """The family of a backend, told by its parts.

    Args:
        state: a `tokenizer.json`.

    Raises:
        HyperBridgeError: merges cannot be appended to it; why.
    """
    model = state.get("model") or {}
    kind = model.get("type") or ("BPE" if "merges" in model else "unknown")
    if kind != "BPE":
        reason = {"Unigram": "its pieces have probabilities and no merges", "WordPiece": "it has no merges"}
        raise HyperBridgeError(f"its model is {kind}: {reason.get(kind, 'only BPE can be extended by merges')}")
    if model.get("end_of_word_suffix") or model.get("continuing_subword_prefix") or model.get("dropout"):
        raise HyperBridgeError("its BPE marks the ends of words or drops merges at random; such a base is not extended")
    parts = json.dumps([state.get(key) for key in ("normalizer", "pre_tokenizer", "decoder")], ensure_ascii=False)
    if '"ByteLevel"' in parts:
        return "byte-level"
    if not model.get("byte_fallback"):
        raise HyperBridgeError("its BPE spells neither bytes nor rare characters in bytes: some texts would be lost")
    return "sentencepiece" if SPACE in parts else "character"


def _open_folder(source: str, folder: Path, commit: str | None) -> BaseTokenizer:
    settings = _settings_of(folder)
    carried = {name: (folder / name).read_bytes() for name in CARRIED if (folder / name).is_file()}
    patterns = ("tokenizer.json", "tokenizer.model*", "tekken*.json", "*.tiktoken", "*.gguf")
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    if not found:
        raise HyperBridgeError(f"{source}: no tokenizer here: none of {', '.join(patterns)}")
    return _open_file(source, found[0], settings, carried, commit)


def _open_file(
    source: str, path: Path, settings: Mapping[str, Any], carried: Mapping[str, bytes], commit: str | None
) -> BaseTokenizer:
    proto = None
    if path.suffix == ".gguf":
        backend, told = byte_level.open_gguf(path)
        family, settings = "byte-level", {**told, **settings}
    elif path.suffix == ".tiktoken":
        family, backend = "byte-level", byte_level.open_tiktoken(path)
        settings = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", **settings}
    elif path.suffix == ".json" and path.name.startswith("tekken"):
        family, backend = "tekken", byte_level.open_tekken(path)
        named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
        settings = {**named, **settings}
    elif path.suffix == ".json":
        family, backend = _open_json(source, path, rebuilt="tokenizer_class" in settings)
        proto = _model_beside(path) if family == "sentencepiece" else None
    else:
        family, proto = "sentencepiece", path.read_bytes()
        try:
            backend = open_sentencepiece(proto)
        except HyperBridgeError as error:
            raise HyperBridgeError(f"{path}: {error}") from None
        settings = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **settings}
    return BaseTokenizer(source, family, backend, settings, carried, commit, proto)


def _open_json(source: str, path: Path, *, rebuilt: bool) -> tuple[Family, Tokenizer]:
    """A `tokenizer.json`; where its folder names a class, as transformers rebuilds it, for those are its users' ids."""
    from tokenizers import Tokenizer

    try:
        text = path.read_text(encoding="utf-8")
        family = family_of(json.loads(text))
        if not rebuilt:
            return family, Tokenizer.from_str(text)
        from transformers import AutoTokenizer

        backend = AutoTokenizer.from_pretrained(path.parent, local_files_only=True).backend_tokenizer
        return family_of(json.loads(backend.to_str())), backend
    except HyperBridgeError as error:
        raise HyperBridgeError(f"{source}: {error}") from None
    except Exception as error:  # the library's own is a bare Exception
        raise HyperBridgeError(f"{path}: not a tokenizer.json: {str(error)[:200]}") from None


def _model_beside(path: Path) -> bytes | None:
    found = sorted(path.parent.glob("tokenizer.model*"))
    return found[0].read_bytes() if found else None


def _settings_of(folder: Path) -> dict[str, Any]:
    """The settings of a folder, with the named special tokens that older ones keep in a file of their own."""
    told: dict[str, Any] = {}
    for name in (SPECIAL_TOKENS, SETTINGS):
        if (folder / name).is_file():
            try:
                told |= {key: value for key, value in json.loads((folder / name).read_bytes()).items() if value}
            except (ValueError, AttributeError):
                raise HyperBridgeError(f"{folder / name}: not a JSON object") from None
    return told


def _kept_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key not in _STALE}
    # This class takes tokenizer.json as it is; others build their own from the vocabulary and lose parts of it.
    return {"clean_up_tokenization_spaces": False, **kept, "tokenizer_class": "PreTrainedTokenizerFast"}


def _content(token: Any) -> str | None:
    """The text of a named token; older settings have it in an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _added_token(token_id: int, token: UnitToken) -> dict[str, Any]:
    flags = dict.fromkeys(("lstrip", "rstrip", "normalized", "special"), False)
    return {"id": token_id, "content": token.text, "single_word": token.single_word, **flags}


def _cut_at_spaces(text: str) -> list[str]:
    """Cut before every `▁` that follows something else."""
    cuts = [0, *(at for at in range(1, len(text)) if text[at] == SPACE != text[at - 1]), len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if start < end]
