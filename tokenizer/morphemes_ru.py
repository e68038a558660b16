"""Seams of Russian words by slovorez, a small convolutional model that marks the letters of a word (MIT).

The lemmas it was trained on have their seams from the dictionary in its wheel; other words are read by the model. A
word's letters are seen with what is padded after them, so every batch is padded alike: the seams of a word do not
depend on the words beside it. It is at home in lemmas: `benchmarks/morph_bpe.py` prints its boundary F1 on gold
lemmas and on inflected forms, which is lower. Cost: half a second to open, 0.3-1.5 ms a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from hyperbridge.errors import HyperBridgeError

_WORD = re.compile("[а-яё-]{2,64}")
_MODEL = "models/slovorez-test"
_BATCH = 512
# From eight on, more padding changes nothing.
_PADDING = 8


def open_slovorez() -> Callable[[Sequence[str]], list[tuple[int, ...]]]:
    """A function from words to their seams, in characters; a word of other letters has none. Answers are remembered.

    Raises:
        HyperBridgeError: slovorez or onnxruntime is not installed.
    """
    segment, known = _load(), dictionary()

    def many(words: Sequence[str]) -> list[tuple[int, ...]]:
        lower = [word.lower() for word in words]
        asked = sorted({word for word in lower if word not in known and _WORD.fullmatch(word)}, key=_by_length)
        for start in range(0, len(asked), _BATCH):
            known.update(segment(asked[start : start + _BATCH]))
        return [known.get(word, ()) for word in lower]

    return many


def dictionary() -> dict[str, tuple[int, ...]]:
    """The seams of the lemmas slovorez was trained and tested on.

    Raises:
        HyperBridgeError: as `open_slovorez`.
    """
    entries = json.loads((_folder() / "base_dict.json").read_text(encoding="utf-8"))
    return {word: _offsets(entry["morphemes"]) for word, entry in entries.items()}


def _load() -> Callable[[list[str]], dict[str, tuple[int, ...]]]:
    folder = _folder()
    import numpy as np
    from slovorez.core.engine import ModelResource
    from slovorez.core.process import SlovorezTokenizer

    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    letters = SlovorezTokenizer.from_config(config)
    model = ModelResource(str(folder / config["resources"]["weights"]), device="cpu")

    def segment(words: list[str]) -> dict[str, tuple[int, ...]]:
        scores = model.predict(np.pad(letters.encode_batch(words), ((0, 0), (0, _PADDING))))
        return {
            found["word"]: _offsets(found["morphemes"])
            for found in letters.decode_predictions_detail(words, scores, _MODEL)
        }

    return segment


def _offsets(morphemes: Sequence[Sequence[Any]]) -> tuple[int, ...]:
    return tuple(accumulate(len(text) for text, *_ in morphemes[:-1]))


def _folder() -> Path:
    try:
        import onnxruntime  # noqa: F401
        import slovorez
    except ImportError:
        raise HyperBridgeError(
            "seams by slovorez need its package: pip install slovorez onnxruntime; or give a file of seams instead"
        ) from None
    return Path(slovorez.__file__).parent / _MODEL


def _by_length(word: str) -> tuple[int, str]:
    return len(word), word
