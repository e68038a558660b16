"""Train registers as LoRA adapters on one frozen base, all in one run.

    accelerate launch -m hyperbridge.trainers.sft --config recipes/nano-ru/registers.yaml
    hyperbridge train recipes/nano-ru/registers.yaml         # the same

The base is loaded once and carries one LoRA for each register; every register is trained as it would be alone (see
joint.py and register_trainer.py) and saved as a plain PEFT folder under `registers/<name>/`. The bundle's config.json
is written last, so a folder that has it is finished: it is never trained over. `--resume` continues an interrupted
run from its last checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.base import Base, load_base, vocabulary_digest
from hyperbridge.modeling.bundle import (
    CONFIG,
    REGISTERS,
    BundleConfig,
    RegisterCard,
    save_config,
    save_register_card,
)
from hyperbridge.modeling.shared_scene import Ids, invocation_ids
from hyperbridge.program import run_main
from hyperbridge.trainers import run_folder
from hyperbridge.trainers.emissions import check_country, measured_emissions
from hyperbridge.trainers.joint import Plan, plan_steps
from hyperbridge.trainers.launch import Report, parse_arguments, print_once, processes
from hyperbridge.trainers.memory import keep_freed_memory
from hyperbridge.trainers.preparation import IGNORED, Pair, Prepared, Row, pairs_of, prepare
from hyperbridge.trainers.recipe import LoraSection, RegisterRecipe, load_recipe
from hyperbridge.trainers.run_folder import CHECKPOINTS
from hyperbridge.trainers.sharding import shares_of_launch

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig

    from hyperbridge.trainers.register_trainer import RegisterTrainer

LOGS = "logs"
RECIPE = "recipe.json"  # as the run was trained: for the card


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
    shares = shares_of_launch()
    output = Path(recipe.output_dir)
    run_folder.refuse_finished(output, CONFIG, "run")
    run_folder.check_started(output, resume=resume)
    _check_logger(recipe.training.report_to)
    check_country(recipe.training.co2_country)
    pairs, watched_pairs = pairs_of(recipe, "train"), pairs_of(recipe, "validation")
    base = recipe.base.base().located()
    if resume:
        run_folder.check_begun_on(output, base)
    model, tokenizer = load_base(base, dtype=recipe.base.dtype, load_in_4bit=recipe.base.load_in_4bit, shares=shares)
    invocation = invocation_ids(tokenizer) if recipe.activation == "scene" else ()
    train = _prepared(pairs, recipe, tokenizer, invocation)
    watched = _prepared(watched_pairs, recipe, tokenizer, invocation)
    _require_rows(train)
    run_folder.note_begun(output, base)
    set_seed(recipe.training.seed)
    trainer = _trainer(recipe, model, tokenizer, train, watched)
    checkpoint = run_folder.last_checkpoint(output) if resume else None
    for name, prepared in train.items():
        report(f"{name}: {_counts(prepared)}")
    if checkpoint:
        report(f"from {checkpoint}")
    with measured_emissions(recipe.training.co2_country) as emitted:
        result = trainer.train(resume_from_checkpoint=checkpoint)
        if trainer.watched and trainer.last_watched != trainer.state.global_step:
            trainer.evaluate()
    trainer.restore_best()
    if trainer.store.capacity and trainer.store.refused:
        report(f"scene_cache is full: {len(trainer.store)} scenes are kept, the others were read anew")
    if processes().is_main_process:
        run = {"seconds": round(result.metrics["train_runtime"], 1), "device": _device_name(), **emitted}
        _save_bundle(recipe, base, trainer, train, invocation, run, report)
    trainer.accelerator.wait_for_everyone()
    trainer.release()
    return output


def _prepared(
    pairs: dict[str, list[Pair]], recipe: RegisterRecipe, tokenizer: PreTrainedTokenizerBase, invocation: Ids
) -> dict[str, Prepared]:
    return {
        name: prepare(
            own,
            tokenizer,
            register=name,
            invocation=invocation,
            max_length=recipe.training.max_length,
            system_prompt=recipe.system_prompt,
        )
        for name, own in pairs.items()
    }


def _require_rows(train: dict[str, Prepared]) -> None:
    for name, prepared in train.items():
        if not prepared.rows:
            raise HyperBridgeError(
                f"{name}: no row is left to train on ({dict(prepared.dropped)}); raise training.max_length"
            )


def _trainer(
    recipe: RegisterRecipe,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: dict[str, Prepared],
    watched: dict[str, Prepared],
) -> RegisterTrainer:
    from transformers import PrinterCallback, ProgressCallback
    from transformers.integrations import TensorBoardCallback

    from hyperbridge.trainers.progress import RegisterProgress
    from hyperbridge.trainers.register_trainer import RegisterTrainer

    training = recipe.training
    rows = [row for prepared in train.values() for row in prepared.rows]
    held_out = [row for prepared in watched.values() for row in prepared.rows]
    plan = plan_steps(
        rows,
        batch_size=training.batch_size * training.gradient_accumulation_steps * processes().num_processes,
        epochs=training.epochs,
        max_steps=training.max_steps,
        seed=training.seed,
    )
    trainer = RegisterTrainer(
        model=fresh_adapters(base, recipe.lora, tuple(recipe.registers), seed=training.seed),
        rows=rows,
        plan=plan,
        watched=held_out,
        scene_cache=training.scene_cache,
        max_grad_norm=training.max_grad_norm,
        patience=training.early_stop,
        args=_arguments(recipe, plan, watched=bool(held_out)),
        train_dataset=_as_dataset(rows),
        eval_dataset=_as_dataset(held_out) if held_out else None,
        processing_class=tokenizer,
        callbacks=[RegisterProgress(f"{len(recipe.registers)} registers")],
    )
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
    logger = trainer.pop_callback(TensorBoardCallback)
    if logger is not None:
        logger.logging_dir = str(Path(recipe.output_dir) / LOGS)
        trainer.add_callback(logger)
    return trainer


def fresh_adapters(base: PreTrainedModel, lora: LoraSection, names: Sequence[str], *, seed: int) -> PeftModel:
    """A base with one new LoRA for each name; each starts from the weights it would start from alone.

    The adapters are ordinary LoRAs here, whatever the activation: who reads what is up to the trainer, and the saved
    config says it.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    def config() -> LoraConfig:
        set_seed(seed)
        return LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.target_modules,
            task_type="CAUSAL_LM",
        )

    check_names(base, names)
    model = get_peft_model(base, config(), adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, config())
    return model


def check_names(base: PreTrainedModel, names: Sequence[str]) -> None:
    """Refuse register names that PEFT, which takes adapters apart by their names, would mix up with others.

    Raises:
        HyperBridgeError: a name is `default`, a module of the base, or an attribute of torch's ModuleDict.
    """
    from torch import nn

    taken = {part for name, _ in base.named_modules() for part in name.split(".")}
    taken |= {"default", *dir(nn.ModuleDict)}
    for name in names:
        if name in taken:
            raise HyperBridgeError(f"register name '{name}' is taken by PEFT or by the base; choose another")


def _as_dataset(rows: Sequence[Row]) -> Dataset:
    """The rows as SFTTrainer checks them; the trainer itself takes its micro-batches from the plan."""
    from datasets import Dataset

    return Dataset.from_list(
        [
            {
                "input_ids": row.scene + row.own,
                "labels": (IGNORED,) * len(row.prompt) + row.own[-row.said :],
            }
            for row in rows
        ]
    )


def _arguments(recipe: RegisterRecipe, plan: Plan, *, watched: bool) -> SFTConfig:
    import torch
    from trl import SFTConfig

    training = recipe.training
    return SFTConfig(
        **run_folder.checkpointing(Path(recipe.output_dir), training.save_steps),
        run_name=Path(recipe.output_dir).name,
        max_steps=len(plan.steps),
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        max_length=None,
        activation_checkpointing=training.gradient_checkpointing,
        bf16=training.bf16,
        use_cpu=not torch.accelerator.is_available(),
        seed=training.seed,
        logging_steps=training.logging_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if watched and training.eval_per_epoch else "no",
        eval_steps=plan.an_epoch,
        report_to=training.report_to,
        dataset_kwargs={"skip_prepare_dataset": True},
        ddp_find_unused_parameters=True,  # a register may have no row in a step
        router_aux_loss_coef=0.0,  # routers are frozen
    )


def _summary(trainer: RegisterTrainer, name: str, prepared: Prepared, run: dict[str, Any]) -> dict[str, Any]:
    """What a register's training.json says; `run` is the same for all of them: seconds, device, emissions."""
    key = f"{name}_loss"
    losses = [log[key] for log in trainer.state.log_history if key in log]
    return {
        "rows": len(prepared.rows),
        "dropped": dict(prepared.dropped),
        "steps": trainer.steps_taken(name),
        **run,
        "train_loss": sum(losses) / len(losses) if losses else None,
        "validation_loss": trainer.watch.kept_loss(name),
    }


def _device_name() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{processes().num_processes} x {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores"


def _save_bundle(
    recipe: RegisterRecipe,
    base: Base,
    trainer: RegisterTrainer,
    train: dict[str, Prepared],
    invocation: Ids,
    run: dict[str, Any],
    report: Report,
) -> None:
    """Write every register and, last, the config that says the run is finished; drop the checkpoints."""
    output = Path(recipe.output_dir)
    model = trainer.accelerator.unwrap_model(trainer.model)
    model.save_pretrained(output / CHECKPOINTS / "adapters", state_dict=trainer.adapter_state())
    for name, register in recipe.registers.items():
        summary = _summary(trainer, name, train[name], run)
        told = {"loss": summary["train_loss"], "held-out": summary["validation_loss"]}
        report(f"{name}: " + ", ".join(f"{what} {loss:.3f}" for what, loss in told.items() if loss is not None))
        _save_register(
            output, name, RegisterCard(style=register.style, base=base, task=register.task), summary, invocation
        )
    with atomic_writer(output / RECIPE) as file:
        file.write(recipe.model_dump_json(indent=2, exclude_none=True) + "\n")
    vocabulary = vocabulary_digest(trainer.processing_class)
    save_config(output, BundleConfig(base=base, system_prompt=recipe.system_prompt, vocabulary_sha256=vocabulary))
    shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)


def _save_register(output: Path, name: str, card: RegisterCard, summary: dict[str, Any], invocation: Ids) -> None:
    """Move a finished adapter to its place; its folder appears whole or not at all."""
    adapter = output / CHECKPOINTS / "adapters" / name
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": card.base.model, "revision": card.base.revision}
    if invocation:
        config["alora_invocation_tokens"] = list(invocation)
    with atomic_writer(adapter / "adapter_config.json") as file:
        json.dump(config, file, ensure_ascii=False, indent=2)
    with atomic_writer(adapter / "training.json") as file:
        json.dump(summary, file, ensure_ascii=False, indent=2)
    save_register_card(adapter, card)
    target = output / REGISTERS / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)  # left by a run that was cut while saving
    adapter.rename(target)


def _check_logger(name: str) -> None:
    if name != "none" and find_spec(name) is None:
        raise HyperBridgeError(f"training.report_to={name} needs {name}: pip install {name}")


def _counts(prepared: Prepared) -> str:
    left_out = "".join(f", {count} left out ({reason})" for reason, count in prepared.dropped.items())
    return f"{len(prepared.rows)} expressions{left_out}"


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments("Train the registers of a recipe.", arguments)
    recipe = load_recipe(options.config, RegisterRecipe, options.set)
    train_registers(recipe, resume=options.resume, report=print_once)


if __name__ == "__main__":
    run_main(main)
