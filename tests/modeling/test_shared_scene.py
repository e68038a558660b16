"""A scene read once and laid under its rows is the scene read anew by each of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM, PreTrainedModel, Qwen3Config

from hyperbridge import HyperBridgeError, Scene
from hyperbridge.modeling.base import Base, load_tokenizer
from hyperbridge.modeling.chat import prompt_ids
from hyperbridge.modeling.shared_scene import (
    SceneKV,
    SceneStore,
    attention_over,
    invocation_ids,
    lay_beneath,
    read_scenes,
    require_full_attention,
    split_prompt,
)

LONG = (5, 300, 17, 600, 42, 8, 9)
SHORT = (700, 3, 250)
ONE = (81,)


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(tiny_base).eval()


def test_the_invocation_is_the_assistant_header_of_the_chat_template() -> None:
    tokenizer = load_tokenizer(Base(model="hyperbridge:assets/nano-ru"))
    assert tokenizer.decode(invocation_ids(tokenizer)) == "<|im_start|>assistant\n"


def test_without_a_header_it_is_what_every_prompt_ends_with(tiny_tokenizer: Any) -> None:
    inst = copy.deepcopy(tiny_tokenizer)
    inst.chat_template = (
        "{% for message in messages %}{{ '<|im_start|>' + message.content + '<|im_end|>' }}{% endfor %}"
    )
    assert inst.decode(invocation_ids(inst)) == "<|im_end|>"
    for asked in ("жар+тишина", "Кто там? ", "<|im_end|>", "а\n"):
        scene, own = split_prompt(prompt_ids(inst, asked), invocation_ids(inst))
        assert inst.decode(own) == "<|im_end|>"
        assert inst.decode(scene) == f"<|im_start|>{asked}"


def test_a_template_whose_prompts_end_with_nothing_of_its_own_is_refused(tiny_tokenizer: Any) -> None:
    plain = copy.deepcopy(tiny_tokenizer)
    plain.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    with pytest.raises(HyperBridgeError, match=r"ends a prompt with nothing of its own.*train with activation: always"):
        invocation_ids(plain)


def test_a_prompt_is_cut_before_its_last_invocation() -> None:
    assert split_prompt([1, 7, 8, 2, 7, 8, 3], (7, 8)) == ((1, 7, 8, 2), (7, 8, 3))
    assert split_prompt([7, 8], (7, 8)) == ((), (7, 8))


def test_the_prompt_of_a_scene_is_cut_at_its_end(tiny_tokenizer: Any) -> None:
    prompt = prompt_ids(tiny_tokenizer, Scene.from_prompt("жар+тишина+вход; agent=тело"))
    scene, own = split_prompt(prompt, invocation_ids(tiny_tokenizer))
    assert tiny_tokenizer.decode(scene) == "<|im_start|>user\nжар+тишина+вход; agent=тело<|im_end|>\n"
    assert tiny_tokenizer.decode(own) == "<|im_start|>assistant\n"


@pytest.mark.parametrize("prompt", [[], [7], [1, 2, 3], [8, 7]])
def test_a_prompt_without_an_invocation_is_refused(prompt: list[int]) -> None:
    with pytest.raises(HyperBridgeError, match=r"the prompt lacks the invocation \[7, 8\] that activates the register"):
        split_prompt(prompt, (7, 8))


def test_scenes_read_together_are_those_read_alone(base: PreTrainedModel) -> None:
    together = read_scenes(base, [SHORT, LONG, ONE, LONG])
    assert [scene.tokens for scene in together] == [3, 7, 1, 7]
    assert together[1] is together[3]
    for ids, scene in zip((SHORT, LONG, ONE), together, strict=False):
        (alone,) = read_scenes(base, [ids])
        torch.testing.assert_close(scene.states, alone.states, atol=1e-5, rtol=1e-5)


def test_reading_leaves_the_mode_of_the_base_as_it_was(base: PreTrainedModel) -> None:
    base.train()
    (scene,) = read_scenes(base, [LONG])
    assert base.training
    assert not scene.states.requires_grad
    base.eval()


# Which scene each row lies on, and its own tokens.
ROWS = [
    pytest.param([(LONG, (4, 20)), (SHORT, (4, 21, 22, 23)), (LONG, (4, 24, 25))], id="scenes and rows of any length"),
    pytest.param([(SHORT, (4, 20, 21)), (SHORT, (4, 22, 23))], id="one scene"),
    pytest.param([(ONE, (4,)), (LONG, (4,))], id="one token"),
]


@pytest.mark.parametrize("rows", ROWS)
def test_rows_on_a_scene_are_the_sequences_read_whole(
    rows: list[tuple[tuple[int, ...], tuple[int, ...]]], base: PreTrainedModel
) -> None:
    scenes = list(dict.fromkeys(scene for scene, _ in rows))
    beneath = lay_beneath(read_scenes(base, scenes), torch.tensor([scenes.index(scene) for scene, _ in rows]))
    length = max(len(own) for _, own in rows)
    ids = torch.tensor([[*own, *[0] * (length - len(own))] for _, own in rows])
    own = torch.tensor([[True] * len(own) + [False] * (length - len(own)) for _, own in rows])
    mask, positions = attention_over(beneath.lengths, beneath.width, own)
    with torch.no_grad():
        together = base(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=beneath.cache,
            use_cache=False,
        ).logits
        for place, (scene, said) in enumerate(rows):
            whole = base(torch.tensor([scene + said])).logits[0, len(scene) :]
            torch.testing.assert_close(together[place, : len(said)], whole, atol=1e-4, rtol=1e-4)


def test_a_row_sees_its_scene_and_its_own_tokens_before() -> None:
    mask, positions = attention_over(torch.tensor([1, 2]), 2, torch.tensor([[True, True, False], [True, True, True]]))
    assert mask[:, 0].int().tolist() == [
        [[0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 1]],
        [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]],
    ]
    assert positions.tolist() == [[1, 2, 2], [2, 3, 4]]


def scene_of(tokens: int) -> SceneKV:
    """32 bytes a token."""
    return SceneKV(torch.zeros(2, 1, 1, tokens, 4))


def test_a_store_that_evicts_drops_the_scene_used_longest_ago() -> None:
    store = SceneStore(100, evict=True)
    store.put((1,), scene_of(1))
    store.put((2,), scene_of(1))
    assert store.get((1,)) is not None
    store.put((3,), scene_of(2))
    assert (store.get((2,)), store.bytes, len(store), store.refused) == (None, 96, 2, 0)
    assert store.get((1,)) is not None


def test_a_store_that_is_full_refuses_and_counts() -> None:
    store = SceneStore(100, evict=False)
    for name in (1, 2, 3, 4):
        store.put((name,), scene_of(1))
    store.put((1,), scene_of(1))
    assert (store.get((4,)), store.bytes, len(store), store.refused) == (None, 96, 3, 1)
    assert store.get((1,)) is not None


@pytest.mark.parametrize("evict", [True, False])
def test_a_scene_larger_than_the_store_is_not_kept(evict: bool) -> None:
    store = SceneStore(100, evict=evict)
    store.put((1,), scene_of(4))
    assert (store.get((1,)), store.bytes, store.refused) == (None, 0, 1)


def test_a_scene_in_the_store_is_not_read_again(base: PreTrainedModel) -> None:
    store = SceneStore(10_000, evict=False)
    first = read_scenes(base, [LONG], store)
    second = read_scenes(base, [SHORT, LONG], store)
    assert second[1] is first[0]
    assert len(store) == 2


def test_a_sequence_longer_than_a_sliding_window_is_refused() -> None:
    sizes: dict[str, Any] = {
        "vocab_size": 16,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
    }
    model = MistralForCausalLM(MistralConfig(**sizes, sliding_window=8))
    require_full_attention(model, [3, 8])
    with pytest.raises(HyperBridgeError, match="9 tokens do not fit the base's sliding window of 8; shorten scenes"):
        require_full_attention(model, [9, 3])
    require_full_attention(MistralForCausalLM(MistralConfig(**sizes, sliding_window=None)), [9])


def test_a_base_whose_layers_all_see_everything_has_no_window(base: PreTrainedModel) -> None:
    assert isinstance(base.config, Qwen3Config)
    require_full_attention(base, [10_000])
