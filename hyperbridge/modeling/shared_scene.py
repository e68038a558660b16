"""One scene, read once: the keys and values of a prompt that every register shares.

With an activated LoRA the adapter acts only from the invocation on, that is from the assistant header of the chat
template, or from the end of the user's turn where it has none (PEFT's `alora_invocation_tokens`; Greenewald et al.,
"Activated LoRA", 2025). What lies before it is read by the frozen base alone, so its keys and values are the same for
every register: they are computed once, kept by content (the token ids; a store belongs to one base), and laid under the
rows that speak the scene. A row itself holds the invocation and what comes after it. Memory of a scene: 2 x layers x
kv_heads x tokens x head_dim numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad
from transformers.cache_utils import Cache, CacheLayerMixin

from hyperbridge.errors import HyperBridgeError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Ids = tuple[int, ...]
# What users ask with ends in all kinds of characters, and none of them may become a part of an invocation.
ASKED = ("жар", "тишина+вход; tension=0.7", "Кто там?", "a (b)", "⟁", "край ", "строка\n")


def invocation_ids(tokenizer: PreTrainedTokenizerBase) -> Ids:
    """Token ids that activate a register: the assistant header, or what closes the user's turn where there is none.

    The header is what the chat template adds to open the assistant's turn. Mistral's adds nothing; there every prompt
    ends with the same tokens all the same (`[/INST]`).

    Raises:
        HyperBridgeError: prompts have no end in common, so there is nothing to activate a register with.
    """
    closed, opened = (_chat_ids(tokenizer, ASKED[0], opened=opened) for opened in (False, True))
    if len(opened) > len(closed) and opened[: len(closed)] == closed:
        return opened[len(closed) :]
    ending = _common_end([_chat_ids(tokenizer, asked, opened=True) for asked in ASKED])
    if not ending:
        raise HyperBridgeError(
            "the chat template ends a prompt with nothing of its own, so nothing can activate a register; "
            "train with activation: always"
        )
    return ending


def _chat_ids(tokenizer: PreTrainedTokenizerBase, asked: str, *, opened: bool) -> Ids:
    chat = [{"role": "user", "content": asked}]
    return tuple(tokenizer.apply_chat_template(chat, add_generation_prompt=opened, return_dict=False))


def _common_end(prompts: Sequence[Ids]) -> Ids:
    """The tokens that all prompts end with."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(*map(reversed, prompts), strict=False))
    return tuple(column[0] for column in same)[::-1]


def split_prompt(prompt: Sequence[int], invocation: Sequence[int]) -> tuple[Ids, Ids]:
    """A prompt as what the base reads and what the register reads: cut before the last invocation, as PEFT does.

    Raises:
        HyperBridgeError: the invocation is not there; PEFT would silently speak with the bare base.
    """
    length = len(invocation)
    for start in range(len(prompt) - length, -1, -1):
        if tuple(prompt[start : start + length]) == tuple(invocation):
            return tuple(prompt[:start]), tuple(prompt[start:])
    raise HyperBridgeError(
        f"the prompt lacks the invocation {list(invocation)} that activates the register; build prompts with the "
        "base's own chat template"
    )


@dataclass(frozen=True, slots=True)
class SceneKV:
    """Keys and values of one scene: (2, layers, kv_heads, tokens, head_dim), in the base's compute dtype."""

    states: Tensor

    @property
    def tokens(self) -> int:
        return int(self.states.shape[3])

    @property
    def nbytes(self) -> int:
        return self.states.nbytes


class SceneStore:
    """Scenes already read, by their token ids, up to a number of bytes.

    Args:
        capacity: bytes; 0 keeps nothing.
        evict: make room by dropping the scene used longest ago (a conversation); otherwise a full store takes no more
            (epochs that come around in order would evict each scene just before its turn), and `refused` counts.
    """

    def __init__(self, capacity: int, *, evict: bool) -> None:
        self.capacity, self.evict = capacity, evict
        self.bytes = self.refused = 0
        self._scenes: OrderedDict[Ids, SceneKV] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scenes)

    def get(self, ids: Ids) -> SceneKV | None:
        found = self._scenes.get(ids)
        if found is not None:
            self._scenes.move_to_end(ids)
        return found

    def put(self, ids: Ids, scene: SceneKV) -> None:
        if ids in self._scenes:
            return
        while self.evict and self._scenes and self.bytes + scene.nbytes > self.capacity:
            self.bytes -= self._scenes.popitem(last=False)[1].nbytes
        if self.bytes + scene.nbytes > self.capacity:
            self.refused += 1
            return
        self._scenes[ids] = scene
        self.bytes += scene.nbytes


def read_scenes(
    model: PreTrainedModel,
    scenes: Sequence[Ids],
    store: SceneStore | None = None,
    *,
    pad_token_id: int = 0,
    must_read: Callable[[bool], bool] = bool,
) -> list[SceneKV]:
    """Keys and values of scenes under the bare base, those in the store from there, each other read once.

    Args:
        model: the base, its LoRA layers silent; in evaluation mode while it reads.
        scenes: token ids of each, at least one token.
        store: looks up and keeps.
        pad_token_id: fills shorter scenes on the left.
        must_read: whether to read, given whether a scene is not known. Where the base is shared out over processes they
            all read when one of them must.
    """
    known = {ids: found for ids in scenes if store is not None and (found := store.get(ids)) is not None}
    missing = [ids for ids in dict.fromkeys(scenes) if ids not in known]
    if must_read(bool(missing)):
        wanted = missing or scenes[:1]
        for ids, scene in zip(wanted, _read(model, wanted, pad_token_id), strict=True):
            known[ids] = scene
            if store is not None:
                store.put(ids, scene)
    return [known[ids] for ids in scenes]


def _read(model: PreTrainedModel, scenes: Sequence[Ids], pad_token_id: int) -> list[SceneKV]:
    """One forward pass without gradient, with the logits of one token only.

    Through the model's own door, for a base in shares opens its layers there.
    """
    length = max(map(len, scenes))
    ids = torch.tensor([[pad_token_id] * (length - len(scene)) + list(scene) for scene in scenes], device=model.device)
    mask = torch.tensor([[0] * (length - len(scene)) + [1] * len(scene) for scene in scenes], device=model.device)
    was_training = model.training
    model.eval()  # no dropout, and no checkpointing, which would drop the cache
    try:
        with torch.no_grad():
            states = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                use_cache=True,
                logits_to_keep=1,
            ).past_key_values
    finally:
        model.train(was_training)
    keys, values = ([getattr(layer, part) for layer in states.layers] for part in ("keys", "values"))
    stacked = torch.stack([torch.stack(keys), torch.stack(values)])
    return [SceneKV(stacked[:, :, row, :, length - len(scene) :].contiguous()) for row, scene in enumerate(scenes)]


class _Beneath(CacheLayerMixin):
    """One layer's keys and values of the scenes, laid before those of the rows; never written to.

    Since it only reads, a checkpointed layer may see it twice and still see the same.
    """

    is_sliding = False
    is_croppable = False

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        pass

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        keys, values = self.keys.to(key_states.dtype), self.values.to(value_states.dtype)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return int(self.keys.shape[-2])

    def get_max_length(self) -> int:
        return -1


@dataclass(frozen=True, slots=True)
class Beneath:
    """What lies under the rows of a batch.

    Attributes:
        cache: read-only keys and values, (rows, kv_heads, scene_tokens, head_dim) a layer, scenes padded on the left.
        lengths: (rows,) int64, tokens of each row's scene.
        width: scene_tokens, the padding included.
    """

    cache: Cache
    lengths: Tensor
    width: int


def lay_beneath(scenes: Sequence[SceneKV], scene_of_row: Tensor) -> Beneath:
    """The scenes of a batch under its rows; `scene_of_row`: (rows,) int64 index into `scenes`."""
    width = max(scene.tokens for scene in scenes)
    padded = torch.stack([pad(scene.states, (0, 0, width - scene.tokens, 0)) for scene in scenes], dim=2)
    keys, values = padded[0], padded[1]
    layers: list[Any] = [
        _Beneath(keys[layer].index_select(0, scene_of_row), values[layer].index_select(0, scene_of_row))
        for layer in range(len(keys))
    ]
    lengths = torch.tensor([scene.tokens for scene in scenes], device=scene_of_row.device)[scene_of_row]
    return Beneath(Cache(layers=layers), lengths, width)


def require_full_attention(model: PreTrainedModel, lengths: Sequence[int] | Tensor) -> None:
    """Refuse sequences that a sliding window would cut: the masks here are full.

    Args:
        model: the base.
        lengths: tokens of each row with its scene.

    Raises:
        HyperBridgeError: a layer's window is shorter than a row.
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    slides = "sliding_attention" in (getattr(config, "layer_types", None) or ["sliding_attention"])
    if window and slides and (tokens := int(max(lengths))) > window:
        raise HyperBridgeError(
            f"{tokens} tokens do not fit the base's sliding window of {window}; shorten scenes or expressions "
            "(training.max_length, max_new_tokens)"
        )


def attention_over(lengths: Tensor, width: int, own: Tensor) -> tuple[Tensor, Tensor]:
    """Mask and positions of rows that lie on their scenes.

    Args:
        lengths: (rows,) tokens of each row's scene.
        width: of the scenes with their padding.
        own: (rows, tokens) bool, True at the rows' own tokens; padding may lie on either side.

    Returns:
        (rows, 1, tokens, width + tokens) bool, True where a token may look; (rows, tokens) int64 positions.
    """
    rows, tokens = own.shape
    places = torch.arange(width, device=own.device)
    scene = (places >= width - lengths[:, None])[:, None, :].expand(rows, tokens, width)
    causal = torch.ones(tokens, tokens, dtype=torch.bool, device=own.device).tril()
    among = causal & own[:, None, :]
    # A padding token sees itself, so that no softmax is over nothing.
    among = among | torch.eye(tokens, dtype=torch.bool, device=own.device)
    positions = lengths[:, None] + (own.cumsum(1) - 1).clamp(min=0)
    return torch.cat([scene, among], dim=2)[:, None], positions


def as_attention_takes_it(mask: Tensor, model: PreTrainedModel, dtype: torch.dtype) -> Tensor:
    """A bool mask as the model's attention wants a 4-D one: the eager implementation adds it to its scores."""
    if model.config._attn_implementation != "eager":
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)


def on_scenes(
    model: PreTrainedModel, scenes: Sequence[SceneKV], scene_of_row: Tensor, own: Tensor, *, dtype: torch.dtype
) -> dict[str, Any]:
    """What a forward pass over rows is given so that they lie on their scenes.

    Args:
        model: the base.
        scenes: that were read.
        scene_of_row: (rows,) int64 index into `scenes`.
        own: (rows, tokens) bool, True at the rows' own tokens.
        dtype: of an additive mask.

    Raises:
        HyperBridgeError: scene and row together do not fit a sliding window.
    """
    beneath = lay_beneath(scenes, scene_of_row)
    require_full_attention(model, beneath.lengths + own.sum(dim=1))
    mask, positions = attention_over(beneath.lengths, beneath.width, own)
    return {
        "attention_mask": as_attention_takes_it(mask, model, dtype),
        "position_ids": positions,
        "past_key_values": beneath.cache,
        "use_cache": False,
    }
