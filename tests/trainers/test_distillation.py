"""New rows learn to be read as their constituents, and nothing but the new rows learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from hyperbridge import HyperBridgeError
from hyperbridge.tokenizer.extension import Extension, NewToken
from hyperbridge.trainers.distillation import IGNORED, Distillation, NewRows, check_plain, collate
from hyperbridge.trainers.snippets import Snippet

FIRST = 40
EXTENSION = Extension(
    base="base",
    base_sha256="0",
    family="byte-level",
    base_size=FIRST,
    tokens=tuple(NewToken(id=FIRST + at, text="й", constituents=(at + 1, at + 2, at + 3)) for at in range(3)),
)
SNIPPETS = [Snippet((5, 40, 6, 7, 41)), Snippet((8, 42, 9))]


def tiny_llama(*, tied: bool, vocab_size: int = FIRST) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.3,
        tie_word_embeddings=tied,
    )
    return LlamaForCausalLM(config).eval()


def student(base: Any, rows: NewRows, weight: float = 0.5) -> Distillation:
    return Distillation(base, rows, first_new=FIRST, next_token_weight=weight)


def test_a_batch_is_the_same_texts_in_both_vocabularies() -> None:
    batch = collate(SNIPPETS, EXTENSION, begin=0)
    assert batch["input_ids"].tolist() == [[0, 5, 40, 6, 7, 41], [0, 8, 42, 9, 0, 0]]
    assert batch["base_ids"].tolist() == [[0, 5, 1, 2, 3, 6, 7, 2, 3, 4], [0, 8, 3, 4, 5, 9, 0, 0, 0, 0]]
    assert batch["ends"].tolist() == [[0, 1, 4, 5, 6, 9], [0, 1, 4, 5, 0, 0]]
    assert batch["matched"].tolist() == [[False] * 2 + [True] * 4, [False, False, True, True, False, False]]
    assert batch["labels"].tolist() == [[5, 40, 6, 7, 41, IGNORED], [8, 42, 9, IGNORED, IGNORED, IGNORED]]


def test_a_unit_that_was_set_in_is_read_but_not_predicted() -> None:
    batch = collate([Snippet((5, 41, 6), planted=(1,))], EXTENSION, begin=None)
    assert batch["labels"].tolist() == [[IGNORED, 6, IGNORED]]
    assert batch["matched"].tolist() == [[False, True, True]]
    with_begin = collate([Snippet((41, 6), planted=(0,))], EXTENSION, begin=0)
    assert with_begin["labels"].tolist() == [[IGNORED, 6, IGNORED]]


def test_a_unit_alone_has_a_loss() -> None:
    losses = student(tiny_llama(tied=True), NewRows(torch.ones(3, 16), None))(
        **collate([Snippet((41,), (0,))], EXTENSION, None)
    )
    assert torch.isfinite(losses["loss"])
    assert losses["surprise"] == 0


@pytest.mark.parametrize("tied", [True, False])
def test_only_new_rows_have_gradients(tied: bool) -> None:
    base = tiny_llama(tied=tied)
    rows = NewRows(torch.ones(3, 16), None if tied else torch.zeros(3, 16))
    model = student(base, rows)
    model(**collate(SNIPPETS, EXTENSION, begin=0))["loss"].backward()
    assert {name for name, _ in model.named_parameters()} == {"rows.reading"} | (set() if tied else {"rows.untied"})
    assert {tuple(one.grad.shape) for one in model.parameters()} == {(3, 16)}
    assert all(one.grad.abs().sum(dim=1).min() > 0 for one in model.parameters())
    assert [name for name, one in base.named_parameters() if one.grad is not None or one.requires_grad] == []
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_the_surprise_is_that_of_the_model_with_the_rows_in_it() -> None:
    base, whole = tiny_llama(tied=True), tiny_llama(tied=True)
    new = torch.randn(3, 16, generator=torch.Generator().manual_seed(2))
    whole.resize_token_embeddings(FIRST + 3, mean_resizing=False)
    with torch.no_grad():
        whole.get_input_embeddings().weight[FIRST:] = new
    batch = collate(SNIPPETS, EXTENSION, begin=0)
    logits = whole(input_ids=batch["input_ids"]).logits
    expected = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), batch["labels"][:, :-1])
    found = student(base, NewRows(new, None))(**batch)
    assert found["surprise"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_lies_in_the_padding_of_a_base_does_not_matter() -> None:
    rows = NewRows(torch.ones(3, 16), torch.ones(3, 16))
    batch = collate(SNIPPETS, EXTENSION, begin=0)
    base = tiny_llama(tied=False, vocab_size=64)
    before = student(base, rows)(**batch)["loss"].item()
    with torch.no_grad():
        for module in (base.get_input_embeddings(), base.get_output_embeddings()):
            module.weight[FIRST:] = 100.0
    assert student(base, rows)(**batch)["loss"].item() == before


def test_a_row_learns_to_be_read_as_a_token_of_the_same_meaning() -> None:
    extension = EXTENSION.model_copy(update={"tokens": (NewToken(id=FIRST, text="й", constituents=(3,)),)})
    base = tiny_llama(tied=True)
    rows = NewRows(base.get_input_embeddings().weight.mean(dim=0, keepdim=True), None)
    model = student(base, rows, weight=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    batch = collate([Snippet((5, 40, 6, 7)), Snippet((40, 9, 40, 2))], extension, begin=0)
    distances = []
    for _ in range(150):
        losses = model(**batch)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        distances.append(losses["distance"].item())
    assert distances[-1] < distances[0] / 20
    similarity = torch.cosine_similarity(rows.reading[0], base.get_input_embeddings().weight[3], dim=0)
    assert similarity > 0.9


def test_an_architecture_that_scales_its_embeddings_is_refused() -> None:
    config = Gemma3TextConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    with pytest.raises(HyperBridgeError, match="gemma3_text: this architecture scales its embeddings or logits"):
        check_plain(Gemma3ForCausalLM(config).eval())
    check_plain(tiny_llama(tied=False))
