"""Many voices in one decoding loop: rows of any registers and scenes, sampled each in its own way.

Each distinct scene is read once by the base (or found in the store); every row starts from its keys and values with
the assistant header, and one forward pass a token serves all rows. A row that ends frees its place: its keys and
values are dropped from the batch. Sampling uses transformers' logits processors; every row draws from a generator of
its own, so what it says depends on its seed and not on its neighbours (up to rounding). Cost of a step: one pass of
the base over the live rows, and the LoRA of their registers (grouped_lora.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from transformers.cache_utils import Cache, CacheLayerMixin

from hyperbridge.errors import HyperBridgeError, first_problem, nearest
from hyperbridge.modeling.grouped_lora import RowGroups
from hyperbridge.modeling.shared_scene import (
    Ids,
    SceneKV,
    as_attention_takes_it,
    attention_over,
    read_scenes,
    require_full_attention,
)

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LogitsProcessorList

    from hyperbridge.modeling.registers import RegisterBank


class Sampling(BaseModel):
    """How a row picks its tokens; the names and meanings are those of `transformers.GenerationConfig`.

    Greedy where `do_sample` is false or the temperature is 0 or None. There is no repetition penalty by default: it
    would count the words of the scene as said already.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    do_sample: bool = True
    temperature: Annotated[float, Field(ge=0)] | None = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] | None = 0.9
    top_k: Annotated[int, Field(ge=0)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0)] = 1.0
    no_repeat_ngram_size: Annotated[int, Field(ge=0)] = 4
    max_new_tokens: Annotated[int, Field(gt=0)] = 96

    @classmethod
    def of(cls, **options: Any) -> Sampling:
        """Sampling from options, over the defaults.

        Raises:
            HyperBridgeError: an option is unknown (with the nearest valid one) or out of range.
        """
        unknown = next((name for name in options if name not in cls.model_fields), None)
        if unknown is not None:
            raise HyperBridgeError(f"unknown sampling option '{unknown}'; {nearest(unknown, cls.model_fields)}")
        try:
            return cls(**options)
        except ValidationError as error:
            raise HyperBridgeError(f"sampling: {first_problem(error)}") from None

    @property
    def greedy(self) -> bool:
        return not self.do_sample or not self.temperature


@dataclass(frozen=True, slots=True)
class Request:
    """One row to be said.

    Attributes:
        prompt: token ids, the assistant header at the end.
        register: that speaks; `BARE` is the base.
        sampling: how it picks tokens.
        seed: of its own random numbers; None draws one.
    """

    prompt: Ids
    register: str
    sampling: Sampling
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A token of a row: `row` counts the requests; `last` where the row ends with it."""

    row: int
    token_id: int
    last: bool


@torch.inference_mode()  # as a decorator it is off between two tokens, while the caller has the word
def generate(
    bank: RegisterBank, requests: Sequence[Request], *, eos_token_ids: Sequence[int], pad_token_id: int
) -> Iterator[Said]:
    """Say all requests in one batch, a token of each live row at a time.

    Args:
        bank: the base and its registers.
        requests: any mixture of scenes and registers.
        eos_token_ids: end a row.
        pad_token_id: fills shorter rows.

    Raises:
        HyperBridgeError: a prompt lacks the invocation of its register, or does not fit a sliding window.
    """
    if not requests:
        return
    order = sorted(range(len(requests)), key=lambda index: bank.place(requests[index].register))
    live = _Live.started(bank, [requests[index] for index in order], order, pad_token_id)
    ends = set(eos_token_ids)
    logits = live.read_own(bank, pad_token_id)
    while True:
        tokens = live.pick(logits)
        done = [live.advance(place, token, ends) for place, token in enumerate(tokens)]
        for row, token, last in zip(live.rows, tokens, done, strict=True):
            yield Said(row.number, token, last)
        if all(done):
            return
        if any(done):
            kept = [place for place, last in enumerate(done) if not last]
            live.keep(kept)
            tokens = [tokens[place] for place in kept]
        logits = live.step(bank, tokens)


@dataclass(slots=True)
class _Row:
    """A live row: which request it is, what it has read and said, and its random numbers."""

    number: int
    request: Request
    own: Ids
    ids: list[int]
    generator: torch.Generator
    processors: LogitsProcessorList
    said: int = 0


@dataclass(slots=True)
class _Live:
    """The rows still speaking, sorted by register, and the keys and values beneath them.

    `visible`: (rows, width) bool, the columns of the cache that hold tokens; `lengths`: (rows,) int64 tokens so far;
    `scenes`: width of the scenes beneath.
    """

    rows: list[_Row]
    groups: RowGroups
    cache: Cache
    visible: Tensor
    lengths: Tensor
    device: torch.device
    scenes: int

    @classmethod
    def started(cls, bank: RegisterBank, requests: Sequence[Request], numbers: Sequence[int], pad: int) -> _Live:
        parts = [bank.cut(request.prompt, request.register) for request in requests]
        distinct = list(dict.fromkeys(scene for scene, _ in parts if scene))
        with bank.reading():
            read = dict(zip(distinct, read_scenes(bank.base, distinct, bank.scenes, pad_token_id=pad), strict=True))
        width = max((scene.tokens for scene in read.values()), default=0)
        own = max(len(header) for _, header in parts)
        room = width + own + max(request.sampling.max_new_tokens for request in requests)
        require_full_attention(bank.base, [len(one.prompt) + one.sampling.max_new_tokens for one in requests])
        device = bank.base.device
        lengths = torch.tensor([len(scene) for scene, _ in parts], device=device)
        rows = [
            _Row(
                number,
                request,
                header,
                list(request.prompt),
                _generator(request, device),
                _processors(request.sampling),
            )
            for number, request, (_, header) in zip(numbers, requests, parts, strict=True)
        ]
        visible = torch.arange(width, device=device) >= width - lengths[:, None]
        cache = _cache([read.get(scene) for scene, _ in parts], bank.base, width, room)
        groups = _groups(rows, tuple(dict.fromkeys(request.register for request in requests)))
        return cls(rows, groups, cache, visible, lengths, device, width)

    def read_own(self, bank: RegisterBank, pad: int) -> Tensor:
        """Each row's own part of its prompt, padded on the left; returns (rows, vocabulary) logits after it."""
        length = max(len(row.own) for row in self.rows)
        ids = torch.tensor([[pad] * (length - len(row.own)) + [*row.own] for row in self.rows], device=self.device)
        own = torch.tensor([[0] * (length - len(row.own)) + [1] * len(row.own) for row in self.rows]).bool()
        own = own.to(self.device)
        mask, positions = attention_over(self.lengths, self.scenes, own)
        self.visible = torch.cat([self.visible, own], dim=1)
        self.lengths = self.lengths + own.sum(dim=1)
        return self._forward(bank, ids, mask, positions)

    def step(self, bank: RegisterBank, tokens: Sequence[int]) -> Tensor:
        """One token a row; returns (rows, vocabulary) logits after it."""
        ids = torch.tensor(tokens, device=self.device)[:, None]
        self.visible = torch.nn.functional.pad(self.visible, (0, 1), value=True)
        positions = self.lengths[:, None]
        self.lengths = self.lengths + 1
        return self._forward(bank, ids, self.visible[:, None, None], positions)

    def _forward(self, bank: RegisterBank, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        with bank.speaking(self.groups):
            output = bank.base(
                input_ids=ids,
                attention_mask=as_attention_takes_it(mask, bank.base, bank.base.dtype),
                position_ids=positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return output.logits[:, -1].float()

    def pick(self, logits: Tensor) -> list[int]:
        """Each row's next token."""
        return [_pick(row, logits[place : place + 1]) for place, row in enumerate(self.rows)]

    def advance(self, place: int, token: int, ends: set[int]) -> bool:
        """Note a row's token; whether the row ends with it."""
        row = self.rows[place]
        row.ids.append(token)
        row.said += 1
        return token in ends or row.said >= row.request.sampling.max_new_tokens

    def keep(self, places: Sequence[int]) -> None:
        """Drop the other rows."""
        index = torch.tensor(places, device=self.device)
        self.rows = [self.rows[place] for place in places]
        self.visible, self.lengths = self.visible[index], self.lengths[index]
        self.groups = _groups(self.rows, self.groups.names)
        for layer in self.cache.layers:
            layer.batch_select_indices(index)


def _groups(rows: Sequence[_Row], names: Sequence[str]) -> RowGroups:
    """Sizes of the groups that a batch began with, those without a row by now too: its stack then never changes."""
    speaking = [row.request.register for row in rows]
    return RowGroups(tuple(names), tuple(speaking.count(name) for name in names))


def _pick(row: _Row, logits: Tensor) -> int:
    if row.processors:
        logits = row.processors(torch.tensor([row.ids], device=logits.device), logits)
    if row.request.sampling.greedy:
        return int(logits.argmax())
    return int(torch.multinomial(logits.softmax(dim=-1)[0], 1, generator=row.generator))


def _generator(request: Request, device: torch.device) -> torch.Generator:
    seed = int(torch.randint(2**62, ())) if request.seed is None else request.seed
    return torch.Generator(device).manual_seed(seed)


def _processors(sampling: Sampling) -> LogitsProcessorList:
    """What transformers' `generate` would apply, in its order."""
    from transformers import (
        LogitsProcessorList,
        NoRepeatNGramLogitsProcessor,
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    found: list[Any] = []
    if sampling.repetition_penalty != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.no_repeat_ngram_size:
        found.append(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram_size))
    if not sampling.greedy:
        if sampling.temperature != 1.0:
            found.append(TemperatureLogitsWarper(float(sampling.temperature or 1.0)))
        if sampling.top_k:
            found.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p is not None and sampling.top_p < 1.0:
            found.append(TopPLogitsWarper(sampling.top_p))
    return LogitsProcessorList(found)


class _Room(CacheLayerMixin):
    """One layer's keys and values with room for what will be said: written in place, nothing is copied a token.

    Args:
        keys, values: (rows, kv_heads, room, head_dim).
        used: how many of the places are taken.
    """

    is_sliding = False
    is_croppable = False

    def __init__(self, keys: Tensor, values: Tensor, used: int) -> None:
        super().__init__()
        self.keys, self.values, self._used = keys, values, used
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        pass

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        start, self._used = self._used, self._used + key_states.shape[2]
        self.keys[:, :, start : self._used] = key_states
        self.values[:, :, start : self._used] = value_states
        return self.keys[:, :, : self._used], self.values[:, :, : self._used]

    def batch_select_indices(self, indices: Tensor) -> None:
        self.keys, self.values = self.keys[indices], self.values[indices]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._used + query_length, 0

    def get_seq_length(self) -> int:
        return self._used

    def get_max_length(self) -> int:
        return -1


def _cache(scenes: Sequence[SceneKV | None], base: Any, width: int, room: int) -> Cache:
    """The scenes beneath their rows, ending at `width`; None is a row without a scene."""
    like = next((scene.states for scene in scenes if scene is not None), None)
    if like is None:
        like = _empty_states(base)
    _, depth, heads, _, size = like.shape
    states = like.new_empty(2, depth, len(scenes), heads, room, size)
    for row, scene in enumerate(scenes):
        start = width - (0 if scene is None else scene.tokens)
        states[:, :, row, :, :start] = 0  # masked, yet nothing times a mask may be infinite
        if scene is not None:
            states[:, :, row, :, start:width] = scene.states
    layers: list[Any] = [_Room(states[0, layer], states[1, layer], width) for layer in range(depth)]
    return Cache(layers=layers)


def _empty_states(base: Any) -> Tensor:
    """Keys and values of no token, of the shape and dtype that the base makes."""
    config = base.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return torch.zeros(2, config.num_hidden_layers, heads, 0, width, dtype=base.dtype, device=base.device)
