"""A base with the rows of new tokens: before training, and as it is stored.

The rows start from their constituents (hyperbridge.tokenizer.embeddings), and the embedding matrices are padded to a
multiple of 64. The row of every old id, and every other weight, is as the base has it, bit by bit. Cost: a copy of the
base's two matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.base import Base, Dtype, load_base
from hyperbridge.tokenizer.embeddings import Role, padded_size, start_rows
from hyperbridge.tokenizer.extension import Extension
from hyperbridge.trainers.graft_recipe import GraftRecipe

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from hyperbridge.trainers.distillation import NewRows


def new_rows(
    model: PreTrainedModel, extension: Extension, tokenizer: PreTrainedTokenizerBase, recipe: GraftRecipe
) -> NewRows:
    """The rows before training.

    Raises:
        HyperBridgeError: the base has fewer rows than the extended tokenizer has old ids.
    """
    from hyperbridge.trainers.distillation import NewRows

    pieces = tokenizer.convert_ids_to_tokens(list(range(extension.base_size)))
    lengths = [len(piece or "") for piece in pieces]

    def rows_of(matrix: Tensor, role: Role) -> Tensor:
        if len(matrix) < extension.base_size:
            raise HyperBridgeError(
                f"base {recipe.base.model}: {len(matrix)} rows, and the tokenizer that was extended has "
                f"{extension.base_size} ids; this is another base's extension"
            )
        return start_rows(
            matrix[: extension.base_size],
            [token.constituents for token in extension.tokens],
            recipe.start,
            role=role,
            length_of=lengths.__getitem__,
            seed=recipe.distillation.seed,
        )

    reading, predicting = (matrix.detach() for matrix in matrices(model))
    if is_tied(model):
        return NewRows(rows_of(reading, "both"), None)
    return NewRows(rows_of(reading, "reads"), rows_of(predicting, "predicts"))


def is_tied(model: PreTrainedModel) -> bool:
    """Whether one matrix both reads and predicts."""
    reading, predicting = matrices(model)
    return reading.data_ptr() == predicting.data_ptr()


def matrices(model: PreTrainedModel) -> tuple[Tensor, Tensor]:
    """What reads and what predicts, (rows, hidden) each."""
    return model.get_input_embeddings().weight, model.get_output_embeddings().weight


def extend_model(model: PreTrainedModel, rows: NewRows, *, first_new: int, ids: int) -> None:
    """Give a model the rows of its new ids, in place; old rows stay as they are.

    Args:
        model: the base; rows beyond its ids are padding, which new ids may overwrite.
        rows: of the new ids.
        first_new: the first of them.
        ids: of the extended tokenizer; the matrices are padded beyond it with the mean of the old rows.
    """
    import torch

    tied = is_tied(model)
    before = model.get_input_embeddings().num_embeddings
    model.resize_token_embeddings(padded_size(max(before, ids)), mean_resizing=False)
    pairs = list(zip(matrices(model), (rows.reading, rows.predicting), strict=True))
    with torch.no_grad():
        for matrix, new in pairs[:1] if tied else pairs:
            after = first_new + len(new)
            matrix[first_new:after] = new.to(matrix)
            matrix[max(after, before) :] = matrix[:first_new].float().mean(dim=0).to(matrix)


def as_stored(recipe: GraftRecipe, base: Base, loaded: PreTrainedModel) -> PreTrainedModel:
    """The base in the type its weights are stored in, so that no old weight is rounded."""
    from transformers import AutoConfig

    dtype: Dtype = recipe.base.dtype
    if not base.gguf_file:
        stored = AutoConfig.from_pretrained(base.path(), revision=base.revision).dtype
        dtype = str(stored or "float32").removeprefix("torch.")  # type: ignore[assignment]
    if dtype != recipe.base.dtype or recipe.base.load_in_4bit:
        loaded, _ = load_base(base, dtype=dtype)
    return _without_quantization(loaded)


def settle_ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Tell configuration and generation the tokenizer's EOS and padding; other ends of the base stay."""
    ends = model.generation_config.eos_token_id
    ends = [ends] if isinstance(ends, int) else list(ends or [])
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ends:
        ends.insert(0, tokenizer.eos_token_id)
    for one in (model.config, model.generation_config):
        if tokenizer.pad_token_id is not None:
            one.pad_token_id = tokenizer.pad_token_id
    model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else ends


def _without_quantization(model: PreTrainedModel) -> PreTrainedModel:
    """A model read from GGUF is not quantized any more, and must not say that it is."""
    model.config.__dict__.pop("quantization_config", None)
    for name in ("hf_quantizer", "is_quantized", "quantization_method"):
        model.__dict__.pop(name, None)
    return model
