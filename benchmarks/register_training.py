"""How long four registers take to train: all at once on shared scenes, or one by one with TRL.

    python -m benchmarks.register_training                   # time and memory: two bases, three shapes
    python -m benchmarks.register_training --quality         # held-out loss of activated registers and ordinary LoRAs
    python -m benchmarks.register_training --profile         # where a step's time goes, and its floor

Every arm trains the same rows: each scene is said by all registers, prompt and expression have exactly the tokens that
the shape names (the prompt with its assistant header), r=16 on all linears, AdamW, no dropout, matrix products in
bfloat16. What is compared is the time of the same rows after a warm-up step (with `ours+kv` after a warm-up epoch,
which fills the store); importing, loading and building rows are itemised apart. An arm's memory is the peak of its
process; `ours` cuts a joint step into two forward passes, which keeps it below TRL's.

With `--quality` a round's number is its seed, and both sides are read by plain PEFT in float32.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import bases
from benchmarks.bases import BASES, DTYPES, chosen
from benchmarks.rounds import (
    FOLDER,
    Bars,
    Figures,
    Sheet,
    Spread,
    Stopwatch,
    answer,
    common_options,
    in_own_process,
    in_rounds,
    load_per_core,
    memory_now,
    positive,
    publish,
    require_idle,
    tell,
)
from hyperbridge.errors import HyperBridgeError
from hyperbridge.program import run_main
from hyperbridge.trainers.memory import keep_freed_memory

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

    from benchmarks.step_clock import StepClock
    from hyperbridge.trainers.preparation import Row
    from hyperbridge.trainers.recipe import RegisterRecipe

MODULE = "benchmarks.register_training"
REGISTERS = ("poet", "logician", "body", "philosopher")
SHAPES = ("64:64", "192:64", "256:32")
RANK = 16
PROFILED_STEPS = 1
PROFILED = ("trl", "trl-eager", "ours", "ours+kv")
WARM_UP = 1
EVERYTHING = 2**50


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train.

    Attributes:
        about: one line for the record.
        joint: RegisterTrainer; else TRL, one register after the other.
        checkpointing: activations are computed again in the backward pass.
        activated: TRL with PEFT's own aLoRA.
        parts: of a joint step.
        kept: scenes are kept, and the second epoch is what counts.
        best_batch: at the batch size that gives TRL most.
        plain_attention: with the attention that ours takes on the CPU, instead of TRL's default.
    """

    about: str
    joint: bool = False
    checkpointing: bool = False
    activated: bool = False
    parts: int = 2
    kept: bool = False
    best_batch: bool = False
    plain_attention: bool = False

    @property
    def peer(self) -> str:
        """The TRL arm whose memory is the measure."""
        return "trl+ckpt" if self.checkpointing else "trl"


ARMS = {
    "trl": Arm("TRL SFTTrainer, a LoRA at a time"),
    "trl+ckpt": Arm("the same with activation checkpointing", checkpointing=True),
    "trl-eager": Arm("the same with plain attention, as ours has on the CPU", plain_attention=True),
    "trl-best": Arm("TRL at its fastest batch size", best_batch=True),
    "peft-alora": Arm("TRL SFTTrainer with PEFT's aLoRA, one at a time", activated=True),
    "ours": Arm("RegisterTrainer, each scene read once a step", joint=True),
    "ours+ckpt": Arm("the same with activation checkpointing", joint=True, checkpointing=True),
    "ours+kv": Arm("RegisterTrainer, scenes kept from the epoch before", joint=True, kept=True),
    "ours-whole": Arm("RegisterTrainer, a joint step in one forward pass", joint=True, parts=1),
}


def measure_training(job: Figures) -> tuple[Figures, Stopwatch]:
    """The figures of one arm in this process; `job` names folder, dtype, arm, shape, batch_size, steps, registers."""
    import torch  # noqa: F401
    import trl  # noqa: F401
    from trl.trainer.utils import _CHUNKED_LOGPROB_CHUNK_SIZE

    from benchmarks.step_clock import StepClock, StepProfile, product_speed
    from hyperbridge.modeling.shared_scene import invocation_ids
    from hyperbridge.trainers import register_trainer  # noqa: F401

    keep_freed_memory()
    watch = Stopwatch()
    watch.imported()
    arm, names = ARMS[job["arm"]], REGISTERS[: job["registers"]]
    with watch("rows"):
        from hyperbridge.modeling.base import Base, load_tokenizer

        tokenizer = load_tokenizer(Base(model=job["folder"]))
        header = invocation_ids(tokenizer)
        prompt, completion = job["shape"]
        rows = bases.rows_of(
            bases.running_text(tokenizer),
            bases.chat_frame(tokenizer),
            header=len(header),
            registers=names,
            scenes=job["batch_size"] * (job["steps"] + (0 if arm.kept else WARM_UP)),
            prompt=prompt,
            completion=completion,
            end=tokenizer.eos_token_id,
        )
    warm_up = job["steps"] if arm.kept else WARM_UP
    clock = (StepProfile if job["profile"] else StepClock)(warm_up)
    timed = _joint(job, arm, rows, watch, clock) if arm.joint else _alone(job, arm, rows, header, watch, clock)
    if isinstance(clock, StepProfile):
        widths = {len(tokenizer), _CHUNKED_LOGPROB_CHUNK_SIZE, len(tokenizer) % _CHUNKED_LOGPROB_CHUNK_SIZE}
        timed |= {"parts": clock.parts(rank=RANK, widths=widths), "product_speed": product_speed()}
    count = job["batch_size"] * job["steps"] * len(names)
    return timed | {"seconds": clock.seconds, "rows": count, "tokens": count * sum(job["shape"])}, watch


def _joint(job: Figures, arm: Arm, rows: list[Row], watch: Stopwatch, clock: StepClock) -> Figures:
    from hyperbridge.trainers.joint import plan_steps
    from hyperbridge.trainers.register_trainer import RegisterTrainer

    with watch("load"):
        model, tokenizer = _with_adapters(job, REGISTERS, ())
    loaded = memory_now()
    with watch("trainer"), tempfile.TemporaryDirectory() as folder:
        plan = plan_steps(rows, batch_size=job["batch_size"], epochs=2 if arm.kept else 1)
        trainer = RegisterTrainer(
            model=model,
            rows=rows,
            plan=plan,
            scene_cache=EVERYTHING if arm.kept else 0,
            args=_config(
                folder,
                max_steps=len(plan.steps),
                per_device_train_batch_size=-(-job["batch_size"] // arm.parts),
                gradient_accumulation_steps=arm.parts,
                activation_checkpointing=arm.checkpointing,
            ),
            train_dataset=_dataset(rows),
            processing_class=tokenizer,
        )
    _train(trainer, clock)
    if arm.kept and (trainer.store.refused or len(trainer.store) != len({row.scene for row in rows})):
        raise HyperBridgeError("not every scene was kept, so the second epoch read some anew")
    return {"loaded_mb": round(loaded, 1), "kept_mb": round(trainer.store.bytes / 2**20, 1)}


def _alone(
    job: Figures, arm: Arm, rows: list[Row], header: Sequence[int], watch: Stopwatch, clock: StepClock
) -> Figures:
    from trl import SFTTrainer

    loaded = 0.0
    for name in REGISTERS[: job["registers"]]:
        with watch("load"):
            model, tokenizer = _with_adapters(job, (name,), header if arm.activated else ())
        if arm.plain_attention:
            model.get_base_model().set_attn_implementation("eager")
        loaded = loaded or memory_now()
        with watch("trainer"), tempfile.TemporaryDirectory() as folder:
            trainer = SFTTrainer(
                model=model,
                args=_config(
                    folder,
                    max_steps=job["steps"] + WARM_UP,
                    per_device_train_batch_size=job["batch_size"],
                    activation_checkpointing=arm.checkpointing,
                ),
                train_dataset=_dataset([row for row in rows if row.register == name]),
                processing_class=tokenizer,
            )
        _train(trainer, clock)
        del trainer, model
        gc.collect()
    return {"loaded_mb": round(loaded, 1)}


def _with_adapters(job: Figures, names: Sequence[str], header: Sequence[int]) -> tuple[PeftModel, Any]:
    """The base with a fresh LoRA for each name; with a header, PEFT's activated LoRAs."""
    from hyperbridge.trainers.recipe import LoraSection
    from hyperbridge.trainers.sft import fresh_adapters

    model, tokenizer = bases.load(job["folder"], job["dtype"])
    if not header:
        return fresh_adapters(model, LoraSection(r=RANK, alpha=2 * RANK), names, seed=0), tokenizer
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=RANK,
        lora_alpha=2 * RANK,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        alora_invocation_tokens=list(header),
    )
    return get_peft_model(model, config), tokenizer


def _config(folder: str, **options: Any) -> SFTConfig:
    """What all arms share, under what is their own."""
    import torch
    from trl import SFTConfig

    shared: dict[str, Any] = {
        "output_dir": folder,
        "learning_rate": 1e-3,
        "max_length": None,
        "bf16": True,
        "use_cpu": not torch.accelerator.is_available(),
        "seed": 0,
        "logging_strategy": "no",
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
    }
    return SFTConfig(**shared | options)


def _dataset(rows: Sequence[Row]) -> Any:
    """The rows as TRL takes them."""
    from datasets import Dataset

    from hyperbridge.trainers.preparation import IGNORED

    return Dataset.from_list(
        [
            {"input_ids": [*row.scene, *row.own], "labels": [IGNORED] * len(row.prompt) + [*row.own[-row.said :]]}
            for row in rows
        ]
    )


def _train(trainer: SFTTrainer, clock: StepClock) -> None:
    from transformers import PrinterCallback

    if trainer.model.is_activation_checkpointing:
        raise HyperBridgeError("checkpointing is on before training asks for it")
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(clock)
    trainer.train()
    if bool(trainer.model.is_activation_checkpointing) != bool(trainer.args.activation_checkpointing):
        raise HyperBridgeError("the trainer did not follow activation_checkpointing")


def run_training(options: argparse.Namespace) -> tuple[Figures, list[Sheet], list[Bars]]:
    """All bases and shapes; the record, the tables and the charts."""
    arms = chosen(options.arms, tuple(ARMS), "arm")
    results, sheets, bars = [], [], []
    for base in chosen(options.bases, BASES, "base"):
        folder = str(in_own_process(MODULE, {"part": "prepare", "base": base})["folder"])
        for shape in options.shapes:
            job = _job(folder, base, shape)
            probes = _probe_batches(job, options) if "trl-best" in arms else {}
            found = _measure_arms(job, arms, probes, options)
            name = f"{base}, prompt {shape[0]}, expression {shape[1]} tokens"
            summary = summarize(found)
            results.append({"base": base, "shape": shape, "trl_rows_a_second_by_batch_size": probes, "arms": summary})
            sheets.append(_sheet(name, summary))
            if "trl" in summary:
                speed = [(arm, Spread.of_record(one["speedup"])) for arm, one in summary.items()]
                bars.append(Bars(f"Speed against TRL: {name}", speed, mark=1.0))
    about = {arm: ARMS[arm].about for arm in arms}
    return {"arms": about, "results": results}, sheets, bars


def _job(folder: str, base: str, shape: list[int]) -> Figures:
    return {
        "part": "train",
        "folder": folder,
        "dtype": DTYPES[base],
        "shape": shape,
        "registers": len(REGISTERS),
        "profile": False,
    }


def run_profile(options: argparse.Namespace) -> tuple[Figures, list[Sheet], list[Bars]]:
    """Each arm's parts in ms a row, for each base and shape; an arm that trains one by one shows one register."""
    arms = chosen(options.arms or PROFILED, tuple(ARMS), "arm")
    results, sheets = [], []
    for base in chosen(options.bases, BASES, "base"):
        folder = str(in_own_process(MODULE, {"part": "prepare", "base": base})["folder"])
        for shape in options.shapes:
            found = {}
            for arm in arms:
                own = {"arm": arm, "profile": True, "registers": len(REGISTERS) if ARMS[arm].joint else 1}
                sizes = {"batch_size": options.batch_size, "steps": PROFILED_STEPS}
                found[arm] = in_own_process(MODULE, _job(folder, base, shape) | own | sizes)
                tell(f"{base}, {shape[0]}:{shape[1]}, {arm}: looked at")
            name = f"{base}, prompt {shape[0]}, expression {shape[1]} tokens: ms a row, under the profiler"
            results.append({"base": base, "shape": shape, "arms": found})
            sheets.append(_profile_sheet(name, found))
    return {"arms": {arm: ARMS[arm].about for arm in arms}, "results": results}, sheets, []


def _profile_sheet(title: str, found: dict[str, Figures]) -> Sheet:
    def a_row(one: Figures, seconds: float) -> str:
        return f"{1000 * seconds / one['rows']:.1f}"

    def share(one: Figures, part: str) -> str:
        seconds = one["parts"][part]["seconds"]
        return f"{a_row(one, seconds)} ({seconds / one['seconds']:.0%})"

    parts = next(iter(found.values()))["parts"]
    rows = [(part, *(share(one, part) for one in found.values())) for part in parts]
    flops = {arm: sum(part["flops"] for part in one["parts"].values()) for arm, one in found.items()}
    rows.append(("in all", *(a_row(one, one["seconds"]) for one in found.values())))
    rows.append(("products, GFLOP", *(f"{flops[arm] / one['rows'] / 1e9:.0f}" for arm, one in found.items())))
    floors = (a_row(one, flops[arm] / one["product_speed"]) for arm, one in found.items())
    rows.append(("floor: these at the speed of one large product", *floors))
    return Sheet(title, ("part", *found), rows)


def _probe_batches(job: Figures, options: argparse.Namespace) -> dict[int, float]:
    """Rows a second of one TRL register at each batch size, over about as many rows as a measurement has."""
    speeds = {}
    for size in options.best_of:
        steps = max(1, options.steps * options.batch_size // size)
        figures = in_own_process(MODULE, job | {"arm": "trl", "batch_size": size, "steps": steps, "registers": 1})
        speeds[size] = round(figures["rows"] / figures["seconds"], 3)
        tell(f"TRL, {size} rows a step: {speeds[size]:.2f} rows/s")
    return speeds


def _measure_arms(
    job: Figures, arms: Sequence[str], probes: dict[int, float], options: argparse.Namespace
) -> dict[str, list[Figures]]:
    def measure(arm: str, number: int) -> Figures:
        size = max(probes, key=probes.__getitem__) if ARMS[arm].best_batch else options.batch_size
        steps = max(1, round(options.steps * options.batch_size / size))
        done = in_own_process(MODULE, job | {"arm": arm, "batch_size": size, "steps": steps})
        tell(f"{arm}: {1000 * done['seconds'] / done['rows']:.0f} ms a row, {done['peak_mb']:.0f} MB")
        return done | {"batch_size": size, "steps": steps}

    return in_rounds(arms, options.rounds, measure, tell)


def summarize(found: dict[str, list[Figures]]) -> dict[str, Figures]:
    """Medians and spreads of each arm over rounds, and its ratios to TRL where TRL was measured.

    Times are compared a row, so an arm at another batch size is compared fairly.
    """
    summary: dict[str, Figures] = {}
    for arm, rounds in found.items():
        one: Figures = {
            "batch_size": rounds[0]["batch_size"],
            "seconds": Spread.of([each["seconds"] for each in rounds]).record(),
            "rows_per_second": Spread.of([each["rows"] / each["seconds"] for each in rounds]).record(),
            "tokens_per_second": Spread.of([each["tokens"] / each["seconds"] for each in rounds]).record(),
            "peak_mb": Spread.of([each["peak_mb"] for each in rounds]).record(),
            "above_loaded_mb": Spread.of([each["peak_mb"] - each["loaded_mb"] for each in rounds]).record(),
        }
        if "trl" in found:
            one["speedup"] = Spread.of_ratios(_seconds_a_row(found["trl"]), _seconds_a_row(rounds)).record()
        peer = found.get(ARMS[arm].peer)
        if peer:
            one["memory_ratio"] = Spread.of_ratios(_column(rounds, "peak_mb"), _column(peer, "peak_mb")).record()
        summary[arm] = one | {"rounds": rounds}
    return summary


def _column(rounds: Sequence[Figures], key: str) -> list[float]:
    return [float(one[key]) for one in rounds]


def _seconds_a_row(rounds: Sequence[Figures]) -> list[float]:
    return [one["seconds"] / one["rows"] for one in rounds]


def _sheet(title: str, summary: dict[str, Figures]) -> Sheet:
    columns = ("arm", "rows a step", "ms a row", "tokens/s", "speed", "peak MB", "memory", "load s")
    rows = []
    for arm, one in summary.items():
        apart = [each["apart"]["import"] + each["apart"]["load"] for each in one["rounds"]]
        rows.append(
            (
                arm,
                str(one["batch_size"]),
                Spread.of([1000 * value for value in _seconds_a_row(one["rounds"])]).text("{:.0f}"),
                f"{one['tokens_per_second']['median']:.0f}",
                Spread.of_record(one["speedup"]).text() if "speedup" in one else "",
                f"{one['peak_mb']['median']:.0f}",
                f"{one['memory_ratio']['median']:.2f}" if "memory_ratio" in one else "",
                f"{Spread.of(apart).median:.1f}",
            )
        )
    return Sheet(title, columns, rows)


def measure_quality(job: Figures) -> tuple[Figures, Stopwatch]:
    """Held-out loss of each register of a recipe, in nats a token, trained in one of the two ways."""
    import trl  # noqa: F401

    from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe

    keep_freed_memory()
    watch = Stopwatch()
    watch.imported()
    with tempfile.TemporaryDirectory() as folder:
        overrides = [*job["set"], f"training.seed={job['seed']}", f"output_dir={folder}/run", "activation=scene"]
        overrides.append("training.early_stop=null")  # both sides take all steps
        recipe = load_recipe(job["recipe"], RegisterRecipe, overrides)
        if recipe.data.validation is None:
            raise HyperBridgeError(f"{job['recipe']}: data.validation is needed: on it the loss is measured")
        with watch("train"):
            paths = _together(recipe) if job["arm"] == "ours" else _one_by_one(recipe, Path(folder))
        with watch("score"):
            losses = {name: _held_out_loss(recipe, name, path) for name, path in paths.items()}
    return {"losses": losses}, watch


def _together(recipe: RegisterRecipe) -> dict[str, Path]:
    from hyperbridge.modeling.bundle import register_folders
    from hyperbridge.trainers.sft import train_registers

    return register_folders(train_registers(recipe, report=lambda line: None))


def _one_by_one(recipe: RegisterRecipe, folder: Path) -> dict[str, Path]:
    """Ordinary LoRAs by plain TRL: each register the rows, the steps and the schedule it has in the joint run."""
    from transformers import PrinterCallback
    from trl import SFTTrainer

    from hyperbridge.modeling.base import load_base
    from hyperbridge.trainers.joint import plan_steps
    from hyperbridge.trainers.sft import fresh_adapters

    training, paths = recipe.training, {}
    for name in recipe.registers:
        model, tokenizer = load_base(recipe.base.base(), dtype=recipe.base.dtype)
        rows = _recipe_rows(recipe, name, tokenizer, recipe.data.train)
        batch = training.batch_size * training.gradient_accumulation_steps
        plan = plan_steps(rows, batch_size=batch, epochs=training.epochs, max_steps=training.max_steps)
        config = _config(
            str(folder / "trl"),
            max_steps=len(plan.steps),
            per_device_train_batch_size=training.batch_size,
            gradient_accumulation_steps=training.gradient_accumulation_steps,
            activation_checkpointing=training.gradient_checkpointing,
            learning_rate=training.learning_rate,
            lr_scheduler_type=training.lr_scheduler,
            warmup_steps=training.warmup_steps,
            weight_decay=training.weight_decay,
            max_grad_norm=training.max_grad_norm,
            bf16=training.bf16,
            seed=training.seed,
        )
        trainer = SFTTrainer(
            model=fresh_adapters(model, recipe.lora, (name,), seed=training.seed),
            args=config,
            train_dataset=_dataset(rows),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        if trainer.state.global_step != len(plan.steps):
            raise HyperBridgeError(f"TRL took {trainer.state.global_step} steps of {len(plan.steps)}")
        trainer.model.save_pretrained(folder)
        paths[name] = folder / name
    return paths


def _recipe_rows(recipe: RegisterRecipe, name: str, tokenizer: PreTrainedTokenizerBase, data: str) -> list[Row]:
    from hyperbridge.modeling.shared_scene import invocation_ids
    from hyperbridge.trainers.preparation import load_pairs, of_style, prepare

    return prepare(
        of_style(load_pairs(data, recipe.data.scenes), recipe.registers[name].style),
        tokenizer,
        register=name,
        invocation=invocation_ids(tokenizer),
        max_length=recipe.training.max_length,
        system_prompt=recipe.system_prompt,
    ).rows


def _held_out_loss(recipe: RegisterRecipe, name: str, folder: Path) -> float:
    """Mean loss on the validation expressions, in nats a token; plain PEFT reads the adapter, activated or not."""
    import torch
    from peft import PeftModel
    from torch.nn.functional import cross_entropy

    from hyperbridge.modeling.base import load_base

    base, tokenizer = load_base(recipe.base.base(), dtype="float32")
    model = PeftModel.from_pretrained(base, folder).eval()
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for row in _recipe_rows(recipe, name, tokenizer, str(recipe.data.validation)):
            logits = model(input_ids=torch.tensor([[*row.scene, *row.own]])).logits[0, -row.said - 1 : -1]
            total += float(cross_entropy(logits, torch.tensor(row.own[-row.said :]), reduction="sum"))
            tokens += row.said
    return total / tokens


def run_quality(options: argparse.Namespace) -> tuple[Figures, list[Sheet], list[Bars]]:
    """Both ways for each seed; the record, the table and the chart."""

    def measure(arm: str, number: int) -> Figures:
        job = {"part": "quality", "arm": arm, "seed": number, "recipe": options.recipe, "set": options.set}
        return in_own_process(MODULE, job)

    found = in_rounds(("trl", "ours"), options.rounds, measure, tell)
    names = list(found["trl"][0]["losses"])
    losses = {arm: {name: [one["losses"][name] for one in rounds] for name in names} for arm, rounds in found.items()}
    rows, bars = [], []
    record: Figures = {}
    for name in names:
        trl, ours = (Spread.of(losses[arm][name]) for arm in ("trl", "ours"))
        ratio = Spread.of_ratios(losses["ours"][name], losses["trl"][name])
        rows.append((name, trl.text("{:.4f}"), ours.text("{:.4f}"), f"{100 * (ratio.median - 1):+.2f} %"))
        bars += [(f"{name}, TRL", trl), (f"{name}, ours", ours)]
        record[name] = {
            "trl_lora": trl.record(),
            "ours_activated": ours.record(),
            "relative_difference": {key: value - 1 for key, value in ratio.record().items()},
        }
    columns = ("register", "LoRA by TRL, one by one", "activated, trained jointly", "difference")
    title = "Held-out loss, nats a token"
    return (
        {"held_out_nats_per_token": record, "measurements": found},
        [Sheet(title, columns, rows)],
        [Bars(title, bars, unit="nats")],
    )


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    if options.job:
        _answer(json.loads(options.job))
        return
    load = load_per_core()
    require_idle(load, force=options.force)
    run = run_quality if options.quality else run_profile if options.profile else run_training
    results, sheets, bars = run(options)
    publish(options, load, results, "Training registers", sheets, bars)


def _answer(job: Figures) -> None:
    if job["part"] == "prepare":
        answer({"folder": bases.prepare(job["base"], FOLDER)}, Stopwatch())
        return
    answer(*(measure_quality if job["part"] == "quality" else measure_training)(job))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    about = "Time and memory of training four registers, against TRL; --quality: their held-out loss."
    parser = common_options("register_training", about)
    parser.add_argument("--bases", nargs="+", metavar="NAME", help=f"of {', '.join(BASES)}")
    parser.add_argument("--shapes", nargs="+", type=shape_of, default=[shape_of(one) for one in SHAPES], metavar="P:C")
    parser.add_argument("--arms", nargs="+", metavar="NAME", help=f"of {', '.join(ARMS)}")
    parser.add_argument("--steps", type=positive, default=3, help="timed steps of each register")
    parser.add_argument("--batch-size", type=positive, default=8, help="rows of a register in a step")
    parser.add_argument(
        "--best-of", nargs="+", type=positive, default=[2, 4, 8, 16, 32], metavar="B", help="batch sizes of trl-best"
    )
    parser.add_argument("--quality", action="store_true", help="compare held-out losses instead; --rounds are seeds")
    parser.add_argument("--profile", action="store_true", help="sort a step's time into its parts instead")
    parser.add_argument("--recipe", default="nano-ru/registers", help="of --quality")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the recipe")
    options = parser.parse_args(arguments)
    if options.quality and options.profile:
        parser.error("--quality and --profile are two different questions: give one")
    for other in ("quality", "profile"):
        if getattr(options, other) and options.output == parser.get_default("output"):
            options.output = options.output.with_stem(f"register_training_{other}")
    return options


def shape_of(value: str) -> list[int]:
    """Prompt and expression tokens of `192:64`."""
    parts = value.split(":")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{value!r} is not PROMPT:EXPRESSION tokens, as 192:64")
    return [positive(part) for part in parts]


if __name__ == "__main__":
    run_main(main)
