"""TRL's SFT trainer for all registers at once: one base, one forward pass, each register trained as if alone.

The prompt of a scene is computed once under the frozen base (modeling/shared_scene.py), the completions of all
registers in one batch (modeling/grouped_lora.py); the plan of steps and the micro-batches come from joint.py. What
this class adds to SFTTrainer is only which of those functions is called when: a parameter group, a gradient norm and
a learning-rate schedule for each register, its own held-out loss and early stop. A register that has no row in a step
gets no gradient, and AdamW passes it over as if the step had not been.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from trl import SFTTrainer

from hyperbridge.modeling.grouped_lora import GroupedLora, RowGroups, lora_layers
from hyperbridge.modeling.shared_scene import SceneStore, on_scenes, read_scenes
from hyperbridge.trainers.joint import JointSteps, Plan, collate
from hyperbridge.trainers.preparation import IGNORED, Row
from hyperbridge.trainers.sharding import any_process, average_gradients, is_shared_out

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor, nn
    from transformers import PreTrainedModel, TrainerControl
    from trl import SFTConfig


WATCH = "watch.json"
BEST = "best.safetensors"
# Of float32 logits whose loss is computed together, by device; a CPU's second-level cache holds about so many.
NUMBERS_AT_ONCE = {"cpu": 2**19}


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each row's expression, times the row's weight.

    Args:
        logits: (rows, tokens, vocabulary); the logits of a token predict the next one.
        labels: (rows, tokens) int64, IGNORED where no loss is.
        weights: (rows,) float32.

    Returns:
        The weighted sum over rows; (rows,) the summed loss of each row, without gradient.
    """
    # The labels move and the logits stay: slices of logits would be copied, and scattered back in the backward pass.
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    each = weights.float()[:, None].expand(labels.shape).flatten()
    loss, nats = _WeightedNats.apply(logits.flatten(0, 1), following.flatten(), each)
    return loss, nats.view(labels.shape).sum(dim=1)


class _WeightedNats(torch.autograd.Function):
    """Weighted sum of cross-entropies over labelled places, its gradient made on the way forward, a few at a time.

    The probabilities of a few places over a whole vocabulary fit a CPU's cache, and float32 logits of a batch never
    exist (Hsu et al., "Liger Kernel", 2024, does so in Triton; torch's own `linear_cross_entropy` wants the output
    matrix, which is not all that a base may do to its logits, and took twelve times as long on a CPU).
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        wanted = ctx.needs_input_grad[0]
        nats = torch.zeros(labels.shape, dtype=torch.float32, device=logits.device)
        gradient = torch.zeros_like(logits) if wanted else None
        at_once = max(1, NUMBERS_AT_ONCE.get(logits.device.type, 2**26) // logits.shape[-1])
        for places in (labels != IGNORED).nonzero().flatten().split(at_once):
            own = labels[places][:, None]
            log_shares = torch.log_softmax(logits[places].float(), dim=-1)
            nats[places] = -log_shares.gather(1, own).squeeze(1)
            if gradient is not None:
                shares = log_shares.exp_()
                shares.scatter_add_(1, own, torch.full_like(own, -1.0, dtype=shares.dtype))
                gradient[places] = shares.mul_(weights[places][:, None]).to(gradient.dtype)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(nats)
        return (nats * weights).sum(), nats

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None


def adapter_parameters(model: nn.Module, name: str) -> list[nn.Parameter]:
    """The A and B matrices of one register."""
    return [
        matrices[name].weight
        for _, layer in lora_layers(model)
        for matrices in (layer.lora_A, layer.lora_B)
        if name in matrices
    ]


def clip_by_register(parameters: Mapping[str, Sequence[nn.Parameter]], max_norm: float) -> dict[str, float]:
    """Clip the gradient of each register to `max_norm`; return the norms from before, of those that have one."""
    norms = {}
    for name, own in parameters.items():
        if any(parameter.grad is not None for parameter in own):
            norms[name] = float(torch.nn.utils.clip_grad_norm_(own, max_norm))
    return norms


def own_schedules(
    plan: Plan, registers: Sequence[str], optimizer: torch.optim.Optimizer, *, name: str, warmup_steps: float
) -> torch.optim.lr_scheduler.LambdaLR:
    """A schedule for each register, over its own steps; parameter group k belongs to register k.

    Args:
        plan: tells which joint steps are whose.
        registers: in the order of the optimizer's groups.
        optimizer: what is scheduled.
        name: of a transformers schedule (`cosine`, `linear`, `constant_with_warmup`, ...).
        warmup_steps: a number of steps, or below 1 a share of the register's own.
    """
    from transformers import get_scheduler

    def schedule(register: str) -> Any:
        own = plan.own_steps(register)
        total = own[-1]
        warmup = math.ceil(warmup_steps * total) if warmup_steps < 1 else int(warmup_steps)
        alone = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        factor = get_scheduler(name, alone, num_warmup_steps=warmup, num_training_steps=total).lr_lambdas[0]
        return lambda step: factor(own[min(step, len(own) - 1)])

    return torch.optim.lr_scheduler.LambdaLR(optimizer, [schedule(register) for register in registers])


@dataclass(slots=True)
class Watch:
    """Held-out losses of the registers, and which of them have stopped getting better.

    Attributes:
        patience: evaluations without a better loss after which a register stops; None never stops one.
        best, last: lowest and latest loss of each register.
        waited: evaluations since.
        weights: each register's matrices at its best loss, kept where a register may stop.
    """

    patience: int | None
    best: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    waited: dict[str, int] = field(default_factory=dict)
    weights: dict[str, list[Tensor]] = field(default_factory=dict)

    def note(self, register: str, loss: float, parameters: Sequence[nn.Parameter]) -> None:
        self.last[register] = loss
        if loss < self.best.get(register, float("inf")):
            self.best[register], self.waited[register] = loss, 0
            if self.patience is not None:
                self.weights[register] = [parameter.detach().clone() for parameter in parameters]
        else:
            self.waited[register] = self.waited.get(register, 0) + 1

    def kept_loss(self, register: str) -> float | None:
        """The held-out loss of the weights that will be saved."""
        return (self.best if self.patience is not None else self.last).get(register)

    def save(self, folder: Path) -> None:
        (folder / WATCH).write_text(
            json.dumps({"best": self.best, "last": self.last, "waited": self.waited}), encoding="utf-8"
        )
        if self.weights:
            save_file(
                {f"{name}.{i}": value for name, own in self.weights.items() for i, value in enumerate(own)},
                folder / BEST,
            )

    def load(self, folder: Path) -> None:
        state = json.loads((folder / WATCH).read_text(encoding="utf-8"))
        self.best, self.last, self.waited = state["best"], state["last"], state["waited"]
        if (folder / BEST).exists():
            kept = load_file(folder / BEST)
            self.weights = {name: [kept[f"{name}.{i}"] for i in range(_count(kept, name))] for name in self.best}

    @property
    def stopped(self) -> set[str]:
        patience = self.patience
        return set() if patience is None else {name for name, waited in self.waited.items() if waited >= patience}


def _count(kept: Mapping[str, Tensor], name: str) -> int:
    return sum(key.rpartition(".")[0] == name for key in kept)


class RegisterTrainer(SFTTrainer):
    """Trains every adapter of a PEFT model on its own rows.

    Args:
        model: a PEFT model with one LoRA for each register.
        rows: of all registers.
        plan: of the steps.
        watched: held-out rows; none are needed.
        scene_cache: bytes of scenes kept across steps and epochs; 0 reads them anew in each micro-batch.
        max_grad_norm: of each register.
        patience: evaluations without a better held-out loss after which a register stops; None: never.
        args, **kwargs: of SFTTrainer.
    """

    optimizer: torch.optim.Optimizer | None
    lr_scheduler: torch.optim.lr_scheduler.LRScheduler | None
    control: TrainerControl

    def __init__(
        self,
        *,
        model: PeftModel,
        rows: Sequence[Row],
        plan: Plan,
        watched: Sequence[Row] = (),
        scene_cache: int = 0,
        max_grad_norm: float = 1.0,
        patience: int | None = None,
        args: SFTConfig,
        **kwargs: Any,
    ) -> None:
        # Trainer refuses to save an optimizer over a base in shares; this one holds registers only, which are whole.
        self._shared_out = args.save_only_model = is_shared_out(model)
        super().__init__(model=model, args=args, **kwargs)
        self.args.save_only_model = False
        self.rows, self.plan, self.watched = rows, plan, watched
        self.registers = tuple(model.peft_config)
        self.parameters = {name: adapter_parameters(model, name) for name in self.registers}
        self.watch = Watch(patience)
        self.store = SceneStore(scene_cache, evict=False)
        self.own_norm = max_grad_norm
        self.model_accepts_loss_kwargs = True  # the weights of rows normalize the loss; Trainer must not divide it
        self._bank = GroupedLora(model, seed=self.args.seed)
        self._bank.install()
        self.last_watched = -1
        self._steps: JointSteps | None = None
        self._sums = torch.zeros(len(self.registers), 2, device=self.args.device)
        self._attention = self._base().config._attn_implementation
        if self.args.device.type == "cpu":
            # The backward pass of the fused kernel takes four times as long here as plain matrix products.
            self._base().set_attn_implementation("eager")
        _let_cache_be_read(model)
        self._set_trainable()

    def get_train_dataloader(self) -> DataLoader[Any]:
        self._steps = JointSteps(
            self.rows,
            self.plan,
            accumulation=self.args.gradient_accumulation_steps,
            rank=self.args.process_index,
            world_size=self.args.world_size,
            pad_token_id=self._pad_token_id,
        )
        self._steps.stopped = self.watch.stopped
        return DataLoader(self._steps, batch_size=1, collate_fn=_only)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            groups = [{"params": self.parameters[name]} for name in self.registers]
            self.optimizer = torch.optim.AdamW(groups, lr=self.args.learning_rate, weight_decay=self.args.weight_decay)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LambdaLR:
        if self.lr_scheduler is None:
            self.lr_scheduler = own_schedules(
                self.plan,
                self.registers,
                self.optimizer if optimizer is None else optimizer,
                name=str(self.args.lr_scheduler_type.value),
                warmup_steps=self.args.warmup_steps,
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        loss, summed = self._forward(model, inputs)
        self._sums += self._tally(inputs, summed)
        return loss * self.args.world_size  # processes' gradients are averaged; the weights are of the whole step

    def _forward(self, model: nn.Module, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        base = self._base()
        self._bank.silence()
        arguments: dict[str, Any] = {"attention_mask": inputs["own"].long(), "use_cache": False}
        if inputs["scenes"] != [()]:
            with self.accelerator.autocast():  # accelerate wraps the forward of the model it prepared, not the base's
                scenes = read_scenes(
                    base,
                    inputs["scenes"],
                    self.store,
                    pad_token_id=self._pad_token_id,
                    must_read=any_process if self._shared_out else bool,
                )
            dtype = torch.bfloat16 if self.args.bf16 else base.dtype
            arguments = on_scenes(base, scenes, inputs["scene_of_row"], inputs["own"], dtype=dtype)
        self._bank.route(RowGroups.of_rows(inputs["registers"]), turn=inputs["turn"])
        logits = model(input_ids=inputs["input_ids"], **arguments).logits
        return weighted_loss(logits, inputs["labels"], inputs["weights"])

    def _tally(self, inputs: dict[str, Any], summed: Tensor) -> Tensor:
        """(registers, 2): summed loss and number of tokens of each register's rows, but those at no weight."""
        said = (inputs["labels"] != IGNORED).sum(dim=1)
        counted = torch.stack([summed, said], dim=1) * (inputs["weights"] > 0)[:, None]
        places = torch.tensor([self.registers.index(name) for name in inputs["registers"]], device=counted.device)
        return torch.zeros_like(self._sums).index_add_(0, places, counted)

    def _means(self, sums: Tensor) -> dict[str, float]:
        """Loss a token of the registers that said any, from (registers, 2)."""
        return {
            name: loss / tokens for name, (loss, tokens) in zip(self.registers, sums.tolist(), strict=True) if tokens
        }

    def held_out_losses(self) -> dict[str, float]:
        """Mean loss of each register on its held-out rows, in nats a token."""
        sums = torch.zeros_like(self._sums)
        size = max(self.args.per_device_eval_batch_size, 1)
        rows = sorted(self.watched, key=lambda row: (row.scene, row.register))
        self.model.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                inputs = collate(part, [1.0] * len(part), pad_token_id=self._pad_token_id)
                inputs = self._prepare_inputs(inputs | {"turn": 0})
                sums += self._tally(inputs, self._forward(self.model, inputs)[1])
        self.model.train()
        return self._means(sums)

    def evaluate(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> dict[str, float]:
        losses = self.held_out_losses()
        self.last_watched = self.state.global_step
        for name, loss in losses.items():
            self.watch.note(name, loss, self.parameters[name])
        if self._steps is not None:
            self._steps.stopped = self.watch.stopped
            self.control.should_training_stop |= self.watch.stopped == set(self.registers)
        metrics = {f"{metric_key_prefix}_{name}_loss": loss for name, loss in losses.items()}
        metrics[f"{metric_key_prefix}_loss"] = sum(losses.values()) / len(losses)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs or "train_runtime" in logs:
            losses = self._mean_losses()
            logs |= {f"{name}_loss": loss for name, loss in losses.items()}
            if losses and "loss" in logs:  # Trainer's own figure is the sum over registers and steps
                logs["loss"] = sum(losses.values()) / len(losses)
        super().log(logs, start_time)

    def steps_taken(self, register: str) -> int:
        """Optimizer steps of one register; AdamW counts them."""
        state = self.optimizer.state if self.optimizer is not None else {}
        return int(state.get(self.parameters[register][0], {}).get("step", 0))

    def restore_best(self) -> None:
        """Give each register that may stop early the matrices of its best held-out loss."""
        for name, weights in self.watch.weights.items():
            with torch.no_grad():
                for parameter, value in zip(self.parameters[name], weights, strict=True):
                    parameter.copy_(value)

    def release(self) -> None:
        """Give the base back as it was, without adapters."""
        self._bank.remove()
        self._base().set_attn_implementation(self._attention)
        self.accelerator.unwrap_model(self.model).unload()

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        for name in self.watch.stopped:  # a row repeated at no weight gives zeros, which AdamW would take as a step
            for parameter in self.parameters[name]:
                parameter.grad = None
        if self._shared_out:
            average_gradients(self.parameters)
        norms = clip_by_register(self.parameters, self.own_norm)
        return torch.tensor(max(norms.values(), default=0.0))

    def adapter_state(self) -> dict[str, Tensor]:
        """The matrices of all registers, as PEFT's `save_pretrained` takes them; else it gathers a base in shares."""
        model = self.accelerator.unwrap_model(self.model)
        return {name: value for name, value in model.named_parameters() if ".lora_" in name}

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, self.adapter_state() if state_dict is None else state_dict)

    def _sync_replicated_trainable_parameters(self, model: nn.Module) -> None:
        """Nothing: Trainer would average after each backward pass, but not every register has rows in each process.

        The registers begin equal in all processes, by their seed or from a checkpoint; `_clip_grad_norm` averages.
        """

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self._set_trainable()
        self.watch.load(Path(resume_from_checkpoint))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.is_world_process_zero():
            self.watch.save(Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}")

    def _set_trainable(self) -> None:
        """All registers learn, in float32; PEFT would let only the active one, TRL halves the first on a 4-bit base."""
        for own in self.parameters.values():
            for parameter in own:
                parameter.data = parameter.data.float()
                parameter.requires_grad_(True)

    def _mean_losses(self) -> dict[str, float]:
        """Mean training loss of each register since the last call, over all processes."""
        sums = self.accelerator.reduce(self._sums, "sum")
        self._sums = torch.zeros_like(self._sums)
        return self._means(sums)

    def _base(self) -> PreTrainedModel:
        return self.accelerator.unwrap_model(self.model).get_base_model()

    @property
    def _pad_token_id(self) -> int:
        return int(self.processing_class.pad_token_id)


def _only(batch: list[Any]) -> Any:
    """A micro-batch comes made; the loader only carries it."""
    return batch[0]


def _let_cache_be_read(model: nn.Module) -> None:
    """Checkpointed layers drop a cache they could write to twice; ours is only read."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module._can_checkpoint_with_cache = True
