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
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import Base, load_base
from hyperbridge.program import run_main
from hyperbridge.tokenizer.extension import FILE_NAME, Extension
from hyperbridge.trainers import run_folder
from hyperbridge.trainers.extended_base import as_stored, extend_model, is_tied, new_rows, settle_ends
from hyperbridge.trainers.graft_recipe import GraftRecipe, GraftTexts
from hyperbridge.trainers.launch import Report, parse_arguments, print_once, processes
from hyperbridge.trainers.memory import keep_freed_memory
from hyperbridge.trainers.pretrain import training_texts
from hyperbridge.trainers.recipe import PretrainingTexts, load_recipe
from hyperbridge.trainers.row_trainer import planned_steps, row_optimizer, row_trainer, snippets_a_step
from hyperbridge.trainers.run_folder import CHECKPOINTS
from hyperbridge.trainers.sharding import refuse_shares
from hyperbridge.trainers.snippets import MOST_PLANTED, Snippet, choose_snippets, plant

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from hyperbridge.trainers.distillation import NewRows

FINISHED = "graft.json"
TOKENIZER_FILES = (
    *("tokenizer*", "tekken.json", "*.tiktoken", "vocab.json", "merges.txt"),
    *("special_tokens_map.json", "added_tokens.json", "chat_template*", FILE_NAME),
)


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
    refuse_shares("a graft")
    output = Path(recipe.output_dir)
    run_folder.refuse_finished(output, FINISHED, "extended base")
    run_folder.check_started(output, resume=resume)
    extension = Extension.load(Path(recipe.extension))
    tokenizer = load_extended_tokenizer(Path(recipe.extension), extension)
    check_belongs(extension, recipe.base.base())
    base = recipe.base.base().located()
    begun = run_folder.check_begun_on(output, base) if resume else {}
    untrained = recipe.distillation.max_steps == 0
    snippets = [] if untrained else find_snippets(recipe, extension, tokenizer, report)
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
    return training_texts(PretrainingTexts(**texts.model_dump()))


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
    steps = begun.get("steps") or planned_steps(recipe, student, snippets, batch)
    output = Path(recipe.output_dir)
    run_folder.note_begun(output, base, steps=steps)
    optimizer = row_optimizer(student.rows, model, extension.base_size, distillation.learning_rate)
    trainer = row_trainer(recipe, student, optimizer, snippets, batch, steps)
    checkpoint = run_folder.last_checkpoint(output) if begun else None
    if checkpoint:
        report(f"from {checkpoint}")
    result = trainer.train(resume_from_checkpoint=checkpoint)
    if not all(one.isfinite().all() for one in rows.parameters()):
        raise HyperBridgeError(f"{output}: the rows are not finite any more; lower distillation.learning_rate")
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    return {
        "steps": steps,
        "snippets": len(snippets),
        "snippets_read": min(len(snippets), steps * snippets_a_step(recipe)),
        "seconds": round(result.metrics["train_runtime"], 1),
        "loss": {"first": losses[0], "last": losses[-1]} if losses else None,
    }


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
    model = as_stored(recipe, base, trained_on)
    extend_model(model, rows.cpu(), first_new=extension.base_size, ids=_size(tokenizer))
    model.config.extended_from = base.model_dump(exclude_none=True)
    settle_ends(model, tokenizer)
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


def _size(tokenizer: PreTrainedTokenizerBase) -> int:
    return int(max(tokenizer.get_vocab().values())) + 1


def _encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    return ids


def _begins_word(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    return str(tokenizer.convert_ids_to_tokens(token)).startswith((" ", "Ġ", "▁"))


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments("Graft new tokens onto a base.", arguments)
    recipe = load_recipe(options.config, GraftRecipe, options.set)
    print_once(f"grafted: {graft(recipe, resume=options.resume, report=print_once)}")


if __name__ == "__main__":
    run_main(main)
