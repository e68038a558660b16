"""Train a small base from nothing on a folder of texts: tokenizer, then a Qwen3-architecture model.

    accelerate launch -m hyperbridge.trainers.pretrain --config recipes/nano-ru/pretrain.yaml --set 'texts.inputs=[DIR]'

Warm-up, constant rate, linear decay (WSD); in the decay the scene chats join the texts, so that the base knows the
scene form while most of its tokens are plain language. Resume with --resume: the run continues as if it had not
stopped. Works `split_of` calls test, and those matching `held_out`, are never read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge.corpus.cleaning import clean
from hyperbridge.corpus.documents import read_documents
from hyperbridge.corpus.splits import split_of
from hyperbridge.errors import HyperBridgeError
from hyperbridge.formulas import load_formulas
from hyperbridge.jsonl import atomic_writer, read_jsonl
from hyperbridge.modeling.base import resolve_path
from hyperbridge.modeling.chat import messages
from hyperbridge.program import run_main
from hyperbridge.scenes import Expression
from hyperbridge.tokenizer.training import train_tokenizer
from hyperbridge.trainers import run_folder
from hyperbridge.trainers.launch import parse_arguments, processes
from hyperbridge.trainers.memory import keep_freed_memory
from hyperbridge.trainers.recipe import PretrainingTexts, PretrainRecipe, TokenizerSection, load_recipe

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


def pretrain(recipe: PretrainRecipe, *, resume: bool = False) -> Path:
    """Run a pretraining recipe; return the folder of the finished base.

    Raises:
        HyperBridgeError: the folder is finished already, there is nothing to resume, or nothing to read.
    """
    from transformers import AutoTokenizer, set_seed

    if not recipe.texts.inputs:
        raise HyperBridgeError("texts.inputs is empty; name the folders to read: --set 'texts.inputs=[DIR]'")
    keep_freed_memory()
    output = Path(recipe.output_dir)
    run_folder.refuse_finished(output, "model.safetensors", "base")
    set_seed(recipe.schedule.seed)
    if resume:
        checkpoint = _checkpoint_of(output)
        tokenizer = AutoTokenizer.from_pretrained(output)
    else:
        run_folder.check_started(output, resume=False)
        processes().wait_for_everyone()  # all have seen the folder as it was
        checkpoint = None
        tokenizer = _new_tokenizer(recipe)
        if processes().is_main_process:
            tokenizer.save_pretrained(output)
    trainer = _trainer(recipe, tokenizer, output)
    trainer.train(resume_from_checkpoint=checkpoint)
    if trainer.is_world_process_zero():
        _save_base(trainer, tokenizer, recipe, output)
    return output


def training_texts(texts: PretrainingTexts) -> Iterator[str]:
    """Cleaned training works, those of a folder named in `repeat` as often as it says."""
    for document in read_documents(texts.inputs):
        if not is_held_out(document.source, texts.held_out):
            for _ in range(texts.repeat.get(document.source.split("/")[0], 1)):
                yield clean(document.text)


def training_chats(texts: PretrainingTexts) -> list[Expression]:
    """The expressions that join in the decay, those of training sources only."""
    if texts.chats is None:
        return []
    return [
        expression
        for expression in read_jsonl(resolve_path(texts.chats), Expression, strict=True)
        if not is_held_out(expression.scene_of().meta.source or "", texts.held_out)
    ]


def is_held_out(source: str, held_out: list[str]) -> bool:
    return split_of(source, test=held_out) == "test"


def _new_tokenizer(recipe: PretrainRecipe) -> PreTrainedTokenizerBase:
    section: TokenizerSection = recipe.tokenizer
    codes = sorted(load_formulas(resolve_path(section.formulas))) if section.formulas else []
    return train_tokenizer(
        training_texts(recipe.texts), vocab_size=section.vocab_size, delta_codes=codes, symbols=list(section.symbols)
    )


def _trainer(recipe: PretrainRecipe, tokenizer: PreTrainedTokenizerBase, output: Path) -> Trainer:
    import torch
    from transformers import Trainer, TrainingArguments, get_wsd_schedule

    from hyperbridge.trainers.optimizers import MuonAdamW

    schedule = recipe.schedule
    model = _new_model(recipe, tokenizer)
    total_steps = schedule.warmup_steps + schedule.stable_steps + schedule.decay_steps
    optimizer = MuonAdamW(model, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    rate = get_wsd_schedule(
        optimizer,
        schedule.warmup_steps,
        schedule.decay_steps,
        num_stable_steps=schedule.stable_steps,
        decay_type="linear",
    )
    arguments = TrainingArguments(
        **run_folder.checkpointing(output, schedule.save_steps),
        max_steps=total_steps,
        per_device_train_batch_size=schedule.micro_batch_size,
        gradient_accumulation_steps=schedule.gradient_accumulation_steps,
        bf16=True,
        use_cpu=not torch.accelerator.is_available(),
        torch_compile=schedule.torch_compile,
        train_sampling_strategy="sequential",
        logging_steps=schedule.logging_steps,
        logging_nan_inf_filter=False,
        report_to="none",
        seed=schedule.seed,
    )
    return Trainer(
        model=model,
        args=arguments,
        train_dataset=_blocks(recipe, tokenizer, total_steps * arguments.world_size),
        processing_class=tokenizer,
        optimizers=(optimizer, rate),
    )


def _blocks(recipe: PretrainRecipe, tokenizer: PreTrainedTokenizerBase, steps: int) -> Any:
    from hyperbridge.trainers.packing import PackedBlocks

    schedule, texts = recipe.schedule, recipe.texts
    batch = schedule.micro_batch_size * schedule.gradient_accumulation_steps
    decay_share = schedule.decay_steps / (schedule.warmup_steps + schedule.stable_steps + schedule.decay_steps)
    return PackedBlocks(
        _text_stream(texts, tokenizer),
        _chat_stream(texts, tokenizer),
        block_size=schedule.block_size,
        total=steps * batch,
        chats_from=round(steps * (1 - decay_share)) * batch,
        chat_share=texts.chat_share,
        seed=schedule.seed,
    )


def _text_stream(texts: PretrainingTexts, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    from hyperbridge.trainers.packing import token_stream

    return token_stream((tokenizer(text).input_ids for text in training_texts(texts)), tokenizer.pad_token_id)


def _chat_stream(texts: PretrainingTexts, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Scene -> passage chats, training sources only, in a shuffled order."""
    import numpy as np

    from hyperbridge.trainers.packing import token_stream

    expressions = training_chats(texts)
    order = np.random.default_rng(0).permutation(len(expressions))
    chats = (messages(expressions[i].scene_of(), expressions[i].text_human) for i in order)
    return token_stream(tokenizer.apply_chat_template(chat, return_dict=False) for chat in chats)


def _new_model(recipe: PretrainRecipe, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        **recipe.architecture.model_dump(),
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=False,
    )
    model = Qwen3ForCausalLM(config)
    if not torch.accelerator.is_available():
        model.set_attn_implementation("eager")  # compiled, a tenth faster on the CPU than the fused kernel's backward
    return model


def _checkpoint_of(output: Path) -> str:
    found = run_folder.last_checkpoint(output)
    if found is None:
        raise HyperBridgeError(f"{output}: no checkpoint to resume from; start without --resume")
    return found


def _save_base(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, recipe: PretrainRecipe, output: Path) -> None:
    """Write the base in bfloat16, and beside it what it was trained on; the weights come last."""
    import torch

    model = trainer.accelerator.unwrap_model(trainer.model, keep_torch_compile=False)
    schedule = recipe.schedule
    batch = schedule.micro_batch_size * schedule.gradient_accumulation_steps * trainer.args.world_size
    trained = {
        "parameters": model.num_parameters(),
        "tokens": trainer.state.global_step * batch * schedule.block_size,
        "recipe": recipe.model_dump(exclude={"output_dir": True, "texts": {"inputs", "chats"}}),
    }
    with atomic_writer(output / "pretraining.json") as file:
        json.dump(trained, file, ensure_ascii=False, indent=2)
    tokenizer.save_pretrained(output)
    model.config.use_cache = True
    model.to(torch.bfloat16).save_pretrained(output)


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments("Train a small base from nothing.", arguments)
    pretrain(load_recipe(options.config, PretrainRecipe, options.set), resume=options.resume)


if __name__ == "__main__":
    run_main(main)
