"""Graft new tokens onto a base: an extended base, which any program loads that loads the base.

    accelerate launch -m hyperbridge.trainers.graft --config smollm2/graft --set 'texts.inputs=[DIR]'
    hyperbridge tokenizer graft BASE EXTENSION -o EXTENDED --text DIR      # the same

The base's embedding matrices get a row for each new token and are padded to a multiple of 64; the rows start from
their constituents (hyperbridge.tokenizer.embeddings) and are trained by distillation while all else is frozen. The
row of every old id, and every other weight, is written as the base has it, bit by bit. Resume with --resume: the run
continues as if it had not stopped. `graft.json` is written last, so a folder that has it is finished.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperbridge.corpus.cleaning import clean
from hyperbridge.corpus.documents import read_documents
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import Base, Dtype, load_base
from hyperbridge.program import run_main
from hyperbridge.tokenizer.embeddings import Role, padded_size, start_rows
from hyperbridge.tokenizer.extension import FILE_NAME, Extension
from hyperbridge.trainers.graft_recipe import GraftRecipe, GraftTexts
from hyperbridge.trainers.launch import parse_arguments, processes
from hyperbridge.trainers.memory import keep_freed_memory
from hyperbridge.trainers.pretrain import is_held_out
from hyperbridge.trainers.recipe import load_recipe
from hyperbridge.trainers.snippets import MOST_PLANTED, Snippet, choose_snippets, plant

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

    from hyperbridge.trainers.distillation import Distillation, NewRows

Report = Callable[[str], None]
FINISHED = "graft.json"
CHECKPOINTS = "checkpoints"
BEGUN = "begun.json"
TOKENIZER_FILES = (
    "tokenizer*",
    "tekken.json",
    "*.tiktoken",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    FILE_NAME,
)
TIMED_STEPS = 3


def graft(recipe: GraftRecipe, *, resume: bool = False, report: Report = print) -> Path:
    """Run a graft recipe; return the folder of the extended base.

    Args:
        recipe: what to graft on what.
        resume: go on with an unfinished run in `output_dir`.
        report: receives one line of plain text per event.

    Raises:
        HyperBridgeError: the run is finished or unfinished against what `resume` says; the extension is missing, or
            is another base's; there are no texts; the base cannot be loaded, or its architecture carries no graft.
    """
    from transformers import set_seed

    keep_freed_memory()
    output = Path(recipe.output_dir)
    _check_output(output, resume)
    extension = Extension.load(Path(recipe.extension))
    tokenizer = load_extended_tokenizer(Path(recipe.extension), extension)
    check_belongs(extension, recipe.base.base())
    base = recipe.base.base().located()
    begun = _begun(output, base) if resume else {}
    snippets = [] if _untrained(recipe) else find_snippets(recipe, extension, tokenizer, report)
    model, _ = load_base(base, dtype=recipe.base.dtype, load_in_4bit=recipe.base.load_in_4bit)
    set_seed(recipe.distillation.seed)
    rows = new_rows(model, extension, tokenizer, recipe)
    summary: dict[str, Any] = {"steps": 0}
    if snippets:
        summary = _train(recipe, model, rows, extension, tokenizer, snippets, base, begun, report)
    if processes().is_main_process:
        _save(recipe, base, model, rows, extension, tokenizer, summary)
    processes().wait_for_everyone()
    return output


def load_extended_tokenizer(folder: Path, extension: Extension) -> PreTrainedTokenizerBase:
    """The tokenizer of an extension's folder.

    Raises:
        HyperBridgeError: it cannot be loaded, or lacks ids that `extension.json` tells of.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise HyperBridgeError(
            f"{folder}: its tokenizer cannot be loaded: {' '.join(str(error).split())[:200]}"
        ) from None
    if _size(tokenizer) < extension.base_size + len(extension.tokens):
        raise HyperBridgeError(
            f"{folder}: the tokenizer has {_size(tokenizer)} ids, and {FILE_NAME} tells of "
            f"{extension.base_size + len(extension.tokens)}; make the folder anew with `hyperbridge tokenizer extend`"
        )
    return tokenizer


def check_belongs(extension: Extension, base: Base) -> None:
    """Refuse an extension that was made from another tokenizer than the base's.

    Raises:
        HyperBridgeError: the digests of vocabulary and merges differ.
    """
    from hyperbridge.tokenizer.base_tokenizer import open_base

    source = str(Path(base.path()) / base.gguf_file) if base.gguf_file else base.path()
    found = open_base(source, base.revision).sha256
    if found != extension.base_sha256:
        raise HyperBridgeError(
            f"base {base.model}: its tokenizer ({found[:12]}) is not the one that was extended ({extension.base}, "
            f"{extension.base_sha256[:12]}); extend this base's own"
        )


def graft_texts(texts: GraftTexts) -> Iterator[str]:
    """Cleaned training works."""
    for document in read_documents(texts.inputs):
        if not is_held_out(document.source, texts.held_out):
            yield clean(document.text)


def find_snippets(
    recipe: GraftRecipe, extension: Extension, tokenizer: PreTrainedTokenizerBase, report: Report
) -> list[Snippet]:
    """Stretches of the recipe's texts that show the new tokens, with units set in that the texts do not hold.

    Raises:
        HyperBridgeError: there are no texts, or none of them holds a new token.
    """
    if not recipe.texts.inputs:
        raise HyperBridgeError(
            "no texts to learn the new rows from: name them (--text PATH; in a recipe texts.inputs), or train nothing "
            "(--steps 0; distillation.max_steps)"
        )
    from tqdm.auto import tqdm

    distillation = recipe.distillation
    per_token = distillation.snippets_per_token
    texts = tqdm(graft_texts(recipe.texts), desc="reading", unit=" texts", disable=not processes().is_main_process)
    units = [token.id for token in extension.tokens if token.unit is not None]
    snippets = choose_snippets(
        (_encoded(tokenizer, text) for text in texts),
        first_new=extension.base_size,
        length=distillation.snippet_tokens,
        per_token=per_token,
        seed=distillation.seed,
        at_least=len(units) * per_token // MOST_PLANTED,
    )
    read = {one for snippet in snippets for one in snippet.ids if one >= extension.base_size}
    unread = [one for one in units if one not in read]
    report(
        f"{len(extension.tokens)} new tokens: {len(read)} in {len(snippets)} snippets, {len(unread)} units set into "
        f"them, {len(extension.tokens) - len(read) - len(unread)} in no text (left as they start)"
    )
    if not read and not unread:
        raise HyperBridgeError(f"{', '.join(recipe.texts.inputs)}: no text here holds a new token; give other texts")
    begins = partial(_begins_word, tokenizer)
    return plant(snippets, unread, per_token=per_token, begins_word=begins, seed=distillation.seed)


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

    reading, predicting = model.get_input_embeddings().weight.detach(), _head(model).weight.detach()
    if is_tied(model):
        return NewRows(rows_of(reading, "both"), None)
    return NewRows(rows_of(reading, "reads"), rows_of(predicting, "predicts"))


def is_tied(model: PreTrainedModel) -> bool:
    """Whether one matrix both reads and predicts."""
    return model.get_input_embeddings().weight.data_ptr() == _head(model).weight.data_ptr()


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
    pairs = [(model.get_input_embeddings().weight, rows.reading)]
    if not tied:
        pairs.append((_head(model).weight, rows.predicting))
    with torch.no_grad():
        for matrix, new in pairs:
            after = first_new + len(new)
            matrix[first_new:after] = new.to(matrix)
            matrix[max(after, before) :] = matrix[:first_new].float().mean(dim=0).to(matrix)


def _train(
    recipe: GraftRecipe,
    model: PreTrainedModel,
    rows: NewRows,
    extension: Extension,
    tokenizer: PreTrainedTokenizerBase,
    snippets: list[Snippet],
    base: Base,
    begun: dict[str, Any],
    report: Report,
) -> dict[str, Any]:
    """Train the rows in place; what `graft.json` says of it."""
    from hyperbridge.trainers.distillation import Distillation, collate

    distillation = recipe.distillation
    student = Distillation(
        model, rows.to(model.device), first_new=extension.base_size, next_token_weight=distillation.next_token_weight
    )
    batch = partial(collate, extension=extension, begin=tokenizer.bos_token_id)
    steps = begun.get("steps") or _planned_steps(recipe, student, snippets, batch)
    output = Path(recipe.output_dir)
    _note_begun(output, base, steps)
    optimizer = _optimizer(student.rows, model, extension.base_size, distillation.learning_rate)
    trainer = _trainer(recipe, student, optimizer, snippets, batch, steps)
    checkpoint = _last_checkpoint(output / CHECKPOINTS) if begun else None
    if checkpoint:
        report(f"from {checkpoint}")
    result = trainer.train(resume_from_checkpoint=checkpoint)
    if not all(one.isfinite().all() for one in rows.parameters()):
        raise HyperBridgeError(f"{output}: the rows are not finite any more; lower distillation.learning_rate")
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    return {
        "steps": steps,
        "snippets": len(snippets),
        "snippets_read": min(len(snippets), steps * _snippets_a_step(recipe)),
        "seconds": round(result.metrics["train_runtime"], 1),
        "loss": {"first": losses[0], "last": losses[-1]} if losses else None,
    }


def _optimizer(rows: NewRows, model: PreTrainedModel, first_new: int, rate: float) -> Optimizer:
    """AdamW, whose step is a share of how far the old rows lie from their mean: bases differ tenfold in that."""
    from torch.optim import AdamW

    pairs = [(rows.reading, model.get_input_embeddings()), (rows.untied, _head(model))]
    groups = [
        {"params": [own], "lr": rate * float(module.weight.detach()[:first_new].float().std(dim=0).mean())}
        for own, module in pairs
        if own is not None
    ]
    return AdamW(groups, weight_decay=0.0)


def _trainer(
    recipe: GraftRecipe,
    student: Distillation,
    optimizer: Optimizer,
    snippets: Sequence[Snippet],
    batch: Callable[..., Any],
    steps: int,
) -> Trainer:
    import torch
    from transformers import PrinterCallback, ProgressCallback, Trainer, TrainingArguments

    from hyperbridge.trainers.progress import RegisterProgress

    distillation = recipe.distillation
    arguments = TrainingArguments(
        output_dir=str(Path(recipe.output_dir) / CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=distillation.batch_size,
        gradient_accumulation_steps=distillation.gradient_accumulation_steps,
        lr_scheduler_type=distillation.lr_scheduler,
        warmup_steps=distillation.warmup_steps,
        max_grad_norm=distillation.max_grad_norm,
        use_cpu=not torch.accelerator.is_available(),
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        save_strategy="steps" if distillation.save_steps else "no",
        save_steps=distillation.save_steps or 500,
        save_total_limit=2,
        logging_steps=distillation.logging_steps,
        logging_nan_inf_filter=False,
        ddp_find_unused_parameters=False,
        report_to="none",
        seed=distillation.seed,
    )
    needed = steps * _snippets_a_step(recipe)
    trainer = Trainer(
        model=student,
        args=arguments,
        train_dataset=[snippets[index] for index in _reading_order(len(snippets), needed, distillation.seed)],
        data_collator=batch,
        optimizers=(optimizer, None),
        callbacks=[RegisterProgress(f"{len(student.rows.reading)} rows")],
    )
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
    return trainer


def _snippets_a_step(recipe: GraftRecipe) -> int:
    distillation = recipe.distillation
    return distillation.batch_size * distillation.gradient_accumulation_steps * processes().num_processes


def _planned_steps(
    recipe: GraftRecipe, student: Distillation, snippets: Sequence[Snippet], batch: Callable[..., Any]
) -> int:
    """Steps of the whole run: the epochs', or fewer where `max_steps` or `minutes` end it sooner."""
    distillation = recipe.distillation
    steps = -(-len(snippets) * distillation.epochs // _snippets_a_step(recipe))
    if distillation.max_steps is not None:
        steps = min(steps, distillation.max_steps)
    if distillation.minutes is not None:
        seconds = _seconds_a_step(recipe, student, snippets, batch)
        steps = max(1, min(steps, int(60 * distillation.minutes / seconds)))
    return steps


def _seconds_a_step(
    recipe: GraftRecipe, student: Distillation, snippets: Sequence[Snippet], batch: Callable[..., Any]
) -> float:
    """Of a step, from a few passes that change nothing; the main process's clock is everybody's."""
    from accelerate.utils import broadcast_object_list

    size = recipe.distillation.batch_size
    inputs = {name: values.to(student.rows.reading.device) for name, values in batch(list(snippets[:size])).items()}
    student(**inputs)["loss"].backward()  # the first pass also warms up
    started = time.perf_counter()
    for _ in range(TIMED_STEPS):
        student(**inputs)["loss"].backward()
    student.zero_grad()
    seconds = [(time.perf_counter() - started) / TIMED_STEPS * recipe.distillation.gradient_accumulation_steps]
    return float(broadcast_object_list(seconds)[0])


def _reading_order(count: int, wanted: int, seed: int) -> list[int]:
    """Every snippet once in its own order, then again and again in other orders."""
    rng = np.random.default_rng(seed)
    rounds = [np.arange(count), *(rng.permutation(count) for _ in range(wanted // count))]
    found: list[int] = np.concatenate(rounds)[:wanted].tolist()
    return found


def _save(
    recipe: GraftRecipe,
    base: Base,
    trained_on: PreTrainedModel,
    rows: NewRows,
    extension: Extension,
    tokenizer: PreTrainedTokenizerBase,
    summary: dict[str, Any],
) -> None:
    """Write the extended base, and last what says that it is finished; drop the checkpoints."""
    from hyperbridge.model_cards.extended_base_card import write_extended_base_card

    output, extended = Path(recipe.output_dir), Path(recipe.extension)
    model = _as_stored(recipe, base, trained_on)
    extend_model(model, rows.cpu(), first_new=extension.base_size, ids=_size(tokenizer))
    model.config.extended_from = base.model_dump(exclude_none=True)
    _settle_ends(model, tokenizer)
    output.mkdir(parents=True, exist_ok=True)
    for pattern in TOKENIZER_FILES:
        for path in extended.glob(pattern):
            shutil.copyfile(path, output / path.name)
    model.save_pretrained(output)
    summary = {
        "base": base.model_dump(exclude_none=True),
        "new_tokens": len(extension.tokens),
        "rows": model.get_input_embeddings().num_embeddings,
        "tied": is_tied(model),
        "start": recipe.start,
        **summary,
        "distillation": recipe.distillation.model_dump(exclude_none=True),
    }
    with atomic_writer(output / FINISHED) as file:
        json.dump(summary, file, ensure_ascii=False, indent=2)
    write_extended_base_card(output)
    shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)


def _as_stored(recipe: GraftRecipe, base: Base, loaded: PreTrainedModel) -> PreTrainedModel:
    """The base in the type its weights are stored in, so that no old weight is rounded."""
    from transformers import AutoConfig

    dtype: Dtype = recipe.base.dtype
    if not base.gguf_file:
        stored = AutoConfig.from_pretrained(base.path(), revision=base.revision).dtype
        dtype = str(stored or "float32").removeprefix("torch.")  # type: ignore[assignment]
    if dtype != recipe.base.dtype or recipe.base.load_in_4bit:
        loaded, _ = load_base(base, dtype=dtype)
    return _without_quantization(loaded)


def _without_quantization(model: PreTrainedModel) -> PreTrainedModel:
    """A model read from GGUF is not quantized any more, and must not say that it is."""
    model.config.__dict__.pop("quantization_config", None)
    for name in ("hf_quantizer", "is_quantized", "quantization_method"):
        model.__dict__.pop(name, None)
    return model


def _settle_ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
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


def _head(model: PreTrainedModel) -> Any:
    return model.get_output_embeddings()


def _size(tokenizer: PreTrainedTokenizerBase) -> int:
    return int(max(tokenizer.get_vocab().values())) + 1


def _encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    return ids


def _begins_word(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    return str(tokenizer.convert_ids_to_tokens(token)).startswith((" ", "Ġ", "▁"))


def _untrained(recipe: GraftRecipe) -> bool:
    return recipe.distillation.max_steps == 0


def _note_begun(output: Path, base: Base, steps: int) -> None:
    """Remember which base a run begins on, and how long it is to be."""
    processes().wait_for_everyone()  # all have seen the folder as it was
    if processes().is_main_process:
        with atomic_writer(output / CHECKPOINTS / BEGUN) as file:
            json.dump({"base": base.model_dump(exclude_none=True), "steps": steps}, file, ensure_ascii=False)


def _begun(output: Path, base: Base) -> dict[str, Any]:
    path = output / CHECKPOINTS / BEGUN
    if not path.exists():
        return {}
    begun: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    difference = base.differs_from(Base.model_validate(begun["base"]))
    if difference:
        raise HyperBridgeError(f"{output}: this run was begun on another base: here {difference}")
    return begun


def _check_output(output: Path, resume: bool) -> None:
    if (output / FINISHED).exists():
        raise HyperBridgeError(f"{output}: this extended base is finished; choose another output_dir or remove it")
    started = output.exists() and any(output.iterdir())
    if started and not resume:
        raise HyperBridgeError(f"{output}: holds an unfinished run; continue it with --resume or remove it")
    if resume and not started:
        raise HyperBridgeError(f"{output}: nothing to resume; start without --resume")


def _last_checkpoint(folder: Path) -> str | None:
    from transformers.trainer_utils import get_last_checkpoint

    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments("Graft new tokens onto a base.", arguments)
    recipe = load_recipe(options.config, GraftRecipe, options.set)
    output = graft(
        recipe, resume=options.resume, report=lambda line: print(line) if processes().is_main_process else None
    )
    if processes().is_main_process:
        print(f"grafted: {output}")


if __name__ == "__main__":
    run_main(main)
