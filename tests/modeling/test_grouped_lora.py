"""Rows of many registers in one pass get what each would get from PEFT alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from hyperbridge.modeling.bundle import BARE
from hyperbridge.modeling.grouped_lora import GroupedLora, RowGroups, grouped_lora, lora_layers

IDS = torch.tensor([[5, 300, 17, 600, 42], [8, 9, 10, 11, 12], [700, 3, 3, 250, 81], [64, 128, 256, 512, 4]])
SIZES = [(2, 2, 2), (3, 1, 2), (2, 0, 1), (4,)]


def operands(sizes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs, A, B and scaling of groups of rows: three tokens a row, width 4 to 5, rank 2."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    groups = len(sizes)
    scaling = torch.arange(1, groups + 1, dtype=torch.float64).view(-1, 1, 1) / 2
    return normal(sum(sizes), 3, 4), normal(groups, 2, 4), normal(groups, 5, 2), scaling


def group_by_group(inputs: Tensor, down: Tensor, up: Tensor, scaling: Tensor, sizes: tuple[int, ...]) -> Tensor:
    return torch.cat(
        [part @ a.T @ b.T * s for part, a, b, s in zip(inputs.split(sizes), down, up, scaling.flatten(), strict=True)]
    )


def groups_of(sizes: tuple[int, ...]) -> RowGroups:
    return RowGroups(tuple(f"register{index}" for index in range(len(sizes))), sizes)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_grouped_products_are_those_of_a_loop_over_groups(sizes: tuple[int, ...]) -> None:
    inputs, down, up, scaling = operands(sizes)
    ours = grouped_lora(inputs, down, up, scaling, groups_of(sizes).padding())
    loop = group_by_group(inputs, down, up, scaling, sizes)
    torch.testing.assert_close(ours, loop)
    wanted = torch.randn(loop.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for gradient, expected in zip(
        torch.autograd.grad(ours, (inputs, down, up), wanted),
        torch.autograd.grad(loop, (inputs, down, up), wanted),
        strict=True,
    ):
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_gradients_are_those_of_finite_differences(sizes: tuple[int, ...]) -> None:
    inputs, down, up, scaling = operands(sizes)
    padding = groups_of(sizes).padding()
    assert torch.autograd.gradcheck(lambda x, a, b: grouped_lora(x, a, b, scaling, padding), (inputs, down, up))


def test_rows_of_a_register_lie_together() -> None:
    assert RowGroups.of_rows(["body", "poet", "poet"]) == RowGroups(("body", "poet"), (1, 2))
    with pytest.raises(ValueError, match=r"rows of one register must lie together, got \['poet', 'body', 'poet'\]"):
        RowGroups.of_rows(["poet", "body", "poet"])


@pytest.fixture
def peft(tiny_base: Path) -> PeftModel:
    """Two registers that differ in rank, scaling and the layers they adapt."""
    return two_registers(tiny_base, dropout=0.0).eval()


def two_registers(base: Path, *, dropout: float) -> PeftModel:
    torch.manual_seed(0)

    def config(r: int, target_modules: list[str]) -> LoraConfig:
        return LoraConfig(
            r=r, lora_alpha=6, lora_dropout=dropout, target_modules=target_modules, init_lora_weights=False
        )

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), config(2, ["q_proj", "down_proj"]), adapter_name="poet"
    )
    model.add_adapter("body", config(3, ["q_proj", "v_proj"]))
    return model


def by_peft(model: PeftModel, name: str, ids: Tensor) -> Tensor:
    with torch.no_grad():
        if name == BARE:
            with model.disable_adapter():
                return model(ids).logits
        model.set_adapter(name)
        return model(ids).logits


@pytest.mark.parametrize(
    "registers",
    [
        ("poet", "poet", "body", "body"),
        ("poet", "body", "body", "body"),
        (BARE, "body", "poet", "poet"),
        ("body", BARE, BARE, BARE),
        ("poet",) * 4,
        (BARE,) * 4,
    ],
    ids=" ".join,
)
def test_each_row_speaks_as_with_peft_alone(registers: tuple[str, ...], peft: PeftModel) -> None:
    alone = torch.cat([by_peft(peft, name, IDS[index : index + 1]) for index, name in enumerate(registers)])
    with torch.no_grad(), GroupedLora(peft).speaking(RowGroups.of_rows(registers)):
        together = peft(IDS).logits
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    bare = by_peft(peft, BARE, IDS)
    spoken = [index for index, name in enumerate(registers) if name != BARE]
    assert all((alone[index] - bare[index]).abs().max() > 0.1 for index in spoken)


def test_a_group_may_be_empty(peft: PeftModel) -> None:
    with torch.no_grad(), GroupedLora(peft).speaking(RowGroups(("poet", "body"), (4, 0))):
        together = peft(IDS).logits
    torch.testing.assert_close(together, by_peft(peft, "poet", IDS), atol=1e-4, rtol=1e-4)


def test_gradients_reach_the_adapters_of_the_rows_and_no_others(peft: PeftModel) -> None:
    for name, parameter in peft.named_parameters():
        parameter.requires_grad_("lora_" in name)
    with GroupedLora(peft).speaking(RowGroups(("poet",), (4,))):
        peft(IDS).logits.sum().backward()
    moved = {name.split(".")[-2] for name, parameter in peft.named_parameters() if parameter.grad is not None}
    assert moved == {"poet"}


def test_an_adapter_that_is_not_there_is_refused(peft: PeftModel) -> None:
    with pytest.raises(ValueError, match="no adapter named prophet; there are poet, body"):
        GroupedLora(peft).route(RowGroups(("prophet",), (4,)))


def test_silence_is_the_base_and_removal_gives_peft_its_forward_back(peft: PeftModel) -> None:
    before = by_peft(peft, "poet", IDS)
    bank = GroupedLora(peft)
    bank.install()
    bank.route(RowGroups(("body",), (4,)))
    bank.silence()
    assert torch.equal(by_peft(peft, "poet", IDS), by_peft(peft, BARE, IDS))
    bank.remove()
    assert [name for name, layer in lora_layers(peft) if "forward" in vars(layer)] == []
    assert torch.equal(by_peft(peft, "poet", IDS), before)


def test_registers_that_never_change_are_stacked_once_and_speak_the_same(peft: PeftModel) -> None:
    bank = GroupedLora(peft, frozen=True)
    for sizes in ((1, 3), (3, 1)):
        registers = ["poet"] * sizes[0] + ["body"] * sizes[1]
        with torch.no_grad(), bank.speaking(RowGroups(("poet", "body"), sizes)):
            together = peft(IDS).logits
        alone = torch.cat([by_peft(peft, name, IDS[index : index + 1]) for index, name in enumerate(registers)])
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@contextmanager
def training(base: Path) -> Iterator[tuple[PeftModel, GroupedLora]]:
    model = two_registers(base, dropout=0.5).train()
    bank = GroupedLora(model, seed=7)
    bank.install()
    yield model, bank
    bank.remove()


def test_dropout_is_the_same_when_a_step_is_computed_again_and_another_in_the_next(tiny_base: Path) -> None:
    with training(tiny_base) as (model, bank), torch.no_grad():

        def logits(step: int) -> Tensor:
            bank.route(RowGroups(("poet",), (4,)), turn=step)
            return model(IDS).logits

        first = logits(1)
        assert torch.equal(logits(1), first)
        assert not torch.allclose(logits(2), first)


def test_a_registers_dropout_does_not_depend_on_the_others_in_the_batch(tiny_base: Path) -> None:
    with training(tiny_base) as (model, bank), torch.no_grad():
        bank.route(RowGroups(("poet",), (2,)), turn=1)
        alone = model(IDS[2:]).logits
        bank.route(RowGroups(("body", "poet"), (2, 2)), turn=1)
        together = model(IDS).logits[2:]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
