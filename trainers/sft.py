"""Train registers as LoRA adapters on one frozen base, with TRL's SFT trainer.

    accelerate launch -m hyperbridge.trainers.sft --config recipes/nano-ru/registers.yaml
    hyperbridge train recipes/nano-ru/registers.yaml         # the same

The base is loaded once; each register in turn gets a fresh LoRA, its own expressions and its own schedule, and is
saved as a plain PEFT folder under `registers/<name>/`. The bundle's config.json is written last, so a folder that
has it is finished: it is never trained over. `--resume` keeps the finished registers and continues the one that was
interrupted from its last checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import load_base
from hyperbridge.modeling.bundle import (
    ADAPTER,
    CONFIG,
    REGISTERS,
    BundleConfig,
    RegisterCard,
    load_register_card,
    save_config,
    save_register_card,
)
from hyperbridge.trainers.launch import parse_arguments, run_main
from hyperbridge.trainers.memory import keep_freed_memory
from hyperbridge.trainers.preparation import Pair, Prepared, load_pairs, of_style, prepare
from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

Report = Callable[[str], None]
CHECKPOINTS = "checkpoints"
LOGS = "logs"


def train_registers(recipe: RegisterRecipe, *, resume: bool = False, report: Report = print) -> Path:
    """Train every register of a recipe; return the bundle's folder.

    Args:
        recipe: what to train.
        resume: go on with an unfinished run in `output_dir`.
        report: receives one line of plain text per event.

    Raises:
        HyperBridgeError: the run is finished or unfinished against what `resume` says, data are missing or bad, the
            base cannot be loaded, or the logger is not installed.
    """
    from transformers import set_seed

    keep_freed_memory()
    output = Path(recipe.output_dir)
    _check_output(output, resume)
    _check_logger(recipe.training.report_to)
    data = {name: _Split.load(recipe, register.style) for name, register in recipe.registers.items()}
    base = recipe.base.base().located()
    model, tokenizer = load_base(base, dtype=recipe.base.dtype, load_in_4bit=recipe.base.load_in_4bit)
    for name, register in recipe.registers.items():
        folder = output / REGISTERS / name
        if (folder / ADAPTER).exists():
            load_register_card(folder, base)
            report(f"{name}: trained already, kept")
            continue
        set_seed(recipe.training.seed)
        summary = _train_one(recipe, name, data[name], model, tokenizer, resume=resume, report=report)
        if _is_main_process():
            _save_register(output, name, RegisterCard(style=register.style, base=base), summary)
    if _is_main_process():
        save_config(output, BundleConfig(base=base, system_prompt=recipe.system_prompt))
        shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)
    return output


@dataclass(frozen=True, slots=True)
class _Split:
    """The pairs of one register: to train on, and (maybe) to watch the loss on."""

    train: list[Pair]
    validation: list[Pair]

    @classmethod
    def load(cls, recipe: RegisterRecipe, style: str) -> _Split:
        data = recipe.data
        train = of_style(load_pairs(data.train, data.scenes), style)
        watched = load_pairs(data.validation, data.scenes) if data.validation else []
        return cls(train, [pair for pair in watched if pair.style == style])

    def datasets(self, recipe: RegisterRecipe, tokenizer: PreTrainedTokenizerBase) -> tuple[Prepared, Prepared]:
        options: dict[str, Any] = {"max_length": recipe.training.max_length, "system_prompt": recipe.system_prompt}
        return prepare(self.train, tokenizer, **options), prepare(self.validation, tokenizer, **options)


def _train_one(
    recipe: RegisterRecipe,
    name: str,
    split: _Split,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    resume: bool,
    report: Report,
) -> dict[str, Any]:
    """Train one register from nothing or from its checkpoint; leave the base as it was."""
    train, validation = split.datasets(recipe, tokenizer)
    if not train.rows:
        raise HyperBridgeError(f"{name}: no row is left to train on ({dict(train.dropped)}); raise training.max_length")
    trainer = _trainer(recipe, name, base, tokenizer, train, validation)
    checkpoint = _last_checkpoint(Path(trainer.args.output_dir)) if resume else None
    report(f"{name}: {_counts(train)}{f', from {checkpoint}' if checkpoint else ''}")
    result = trainer.train(resume_from_checkpoint=checkpoint)
    model = trainer.accelerator.unwrap_model(trainer.model)
    staging = Path(trainer.args.output_dir) / "adapter"
    if _is_main_process():
        model.save_pretrained(staging, safe_serialization=True)
    model.unload()
    metrics: dict[str, float] = next((log for log in reversed(trainer.state.log_history) if "eval_loss" in log), {})
    held_out = f", held-out {metrics['eval_loss']:.3f}" if metrics else ""
    report(f"{name}: loss {result.training_loss:.3f}{held_out}")
    return {
        "rows": len(train.rows),
        "dropped": dict(train.dropped),
        "steps": result.global_step,
        "seconds": round(result.metrics["train_runtime"], 1),
        "train_loss": result.training_loss,
        "validation_loss": metrics.get("eval_loss"),
    }


def _trainer(
    recipe: RegisterRecipe,
    name: str,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Prepared,
    validation: Prepared,
) -> SFTTrainer:
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from transformers import PrinterCallback, ProgressCallback
    from transformers.integrations import TensorBoardCallback
    from trl import SFTTrainer

    from hyperbridge.trainers.progress import RegisterProgress

    lora = recipe.lora
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )
    watched: Dataset | None = Dataset.from_list(validation.rows) if validation.rows else None
    trainer = SFTTrainer(
        model=get_peft_model(base, config, adapter_name=name),
        args=_arguments(recipe, name, watched=watched is not None),
        train_dataset=Dataset.from_list(train.rows),
        eval_dataset=watched,
        processing_class=tokenizer,
        callbacks=[RegisterProgress(name)],
    )
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
    logger = trainer.pop_callback(TensorBoardCallback)
    if logger is not None:
        logger.logging_dir = str(Path(recipe.output_dir) / LOGS / name)
        trainer.add_callback(logger)
    return trainer


def _arguments(recipe: RegisterRecipe, name: str, *, watched: bool) -> SFTConfig:
    import torch
    from trl import SFTConfig

    training = recipe.training
    return SFTConfig(
        output_dir=str(Path(recipe.output_dir) / CHECKPOINTS / name),
        run_name=name,
        num_train_epochs=training.epochs,
        max_steps=training.max_steps,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        max_length=None,
        gradient_checkpointing=training.gradient_checkpointing,
        bf16=training.bf16,
        use_cpu=not torch.accelerator.is_available(),
        seed=training.seed,
        logging_steps=training.logging_steps,
        logging_nan_inf_filter=False,
        eval_strategy="epoch" if watched and training.eval_per_epoch else "no",
        save_strategy="steps" if training.save_steps else "no",
        save_steps=training.save_steps or 500,
        save_total_limit=2,
        report_to=training.report_to,
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def _save_register(output: Path, name: str, card: RegisterCard, summary: dict[str, Any]) -> None:
    """Move a finished adapter to its place; its folder appears whole or not at all."""
    staging = output / CHECKPOINTS / name / "adapter"
    adapter = staging / name
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": card.base.model, "revision": card.base.revision}
    with atomic_writer(adapter / "adapter_config.json") as file:
        json.dump(config, file, ensure_ascii=False, indent=2)
    with atomic_writer(adapter / "training.json") as file:
        json.dump(summary, file, ensure_ascii=False, indent=2)
    save_register_card(adapter, card)
    target = output / REGISTERS / name
    target.parent.mkdir(parents=True, exist_ok=True)
    (adapter / "README.md").unlink(missing_ok=True)
    adapter.rename(target)


def _check_output(output: Path, resume: bool) -> None:
    if (output / CONFIG).exists():
        raise HyperBridgeError(f"{output}: this run is finished; choose another output_dir or remove it")
    started = output.exists() and any(output.iterdir())
    if started and not resume:
        raise HyperBridgeError(f"{output}: holds an unfinished run; continue it with --resume or remove it")
    if resume and not started:
        raise HyperBridgeError(f"{output}: nothing to resume; start without --resume")


def _check_logger(name: str) -> None:
    if name != "none" and find_spec(name) is None:
        raise HyperBridgeError(f"training.report_to={name} needs {name}: pip install {name}")


def _last_checkpoint(folder: Path) -> str | None:
    from transformers.trainer_utils import get_last_checkpoint

    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


def _counts(prepared: Prepared) -> str:
    left_out = "".join(f", {count} left out ({reason})" for reason, count in prepared.dropped.items())
    return f"{len(prepared.rows)} expressions{left_out}"


def _is_main_process() -> bool:
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments("Train the registers of a recipe.", arguments)
    recipe = load_recipe(options.config, RegisterRecipe, options.set)
    train_registers(recipe, resume=options.resume, report=lambda line: print(line) if _is_main_process() else None)


if __name__ == "__main__":
    run_main(main)
