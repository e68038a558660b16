"""What registers take in memory and time, before anything is downloaded: one step of their training, in fake tensors.

The base is built with one and with two layers (live_tensors.py), given the recipe's adapters, and its largest
micro-batch goes forward and backward through the very code that trains; the difference of the two counts is a layer.
The optimizer is counted by its shapes. Cost: one to three seconds a recipe; no weights are allocated.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch

from hyperbridge.trainers.estimate import HELD, RUNTIME, SIZES, Estimate, Memory, Weights, weigh
from hyperbridge.trainers.live_tensors import LiveTensors, make_fake, over_layers, with_layers

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from hyperbridge.modeling.grouped_lora import GroupedLora, RowGroups
    from hyperbridge.trainers.recipe import LoraSection, RegisterRecipe


@dataclass(frozen=True, slots=True)
class Batch:
    """The largest micro-batch: rows and their padded length, distinct scenes under them and theirs (0: no scenes)."""

    rows: int
    tokens: int
    scenes: int
    scene_tokens: int


@dataclass(frozen=True, slots=True)
class Load:
    """What is trained on, in tokens.

    Attributes:
        rows: of all registers.
        own: mean of what a register reads and says.
        scene_tokens: of all distinct scenes that the base reads, together; 0 where registers read them.
        batch: the largest micro-batch.
    """

    rows: int
    own: float
    scene_tokens: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class Counted:
    """An architecture under a recipe: parameters (numbers) and the step's tensors (bytes).

    Attributes:
        adapter: parameters of all registers.
        targets: layers that are adapted.
        scenes: keys and values under the rows.
        stacked: the adapters' copies for the step.
        reading, forward, loss, backward: the most that lives while scenes are read, while rows go through the layers,
            from the output matrix to the loss, and on the way back.
        logits: the part of `loss` that its own phase makes.
    """

    adapter: int
    targets: int
    scenes: int
    stacked: int
    reading: int
    forward: int
    loss: int
    backward: int
    logits: int

    @property
    def peak(self) -> int:
        return max(self.reading, self.forward, self.loss, self.backward)


def count(config: PretrainedConfig, recipe: RegisterRecipe, batch: Batch, device: str = "cuda") -> Counted:
    """Count an architecture under a recipe.

    Args:
        config: of the base.
        recipe: its registers, their LoRA, the dtype, checkpointing.
        batch: that goes through.
        device: `cpu` keeps the weights of attention, as training there does.

    Raises:
        ValueError: the LoRA finds no layer to adapt.
    """
    one, two = (_step(with_layers(config, layers), recipe, batch, device) for layers in (1, 2))
    layers = int(config.num_hidden_layers)
    names = [part.name for part in fields(Counted)]
    return Counted(**{name: over_layers(getattr(one, name), getattr(two, name), layers) for name in names})


def estimate_registers(config: PretrainedConfig, recipe: RegisterRecipe, load: Load, device: str = "cuda") -> Estimate:
    """What registers take on one device that holds the whole base.

    Raises:
        ValueError: the LoRA finds no layer to adapt.
    """
    weights, counted = weigh(config), count(config, recipe, load.batch, device)
    held = HELD[device]
    work = counted.peak - counted.stacked - counted.scenes - counted.logits + weights.unpacked(recipe.base)
    memory = Memory(
        weights=weights.size(recipe.base),
        adapters=int(4 * counted.adapter + counted.stacked * held),
        optimizer=2 * 4 * counted.adapter,
        activations=int(work * held),
        logits=int(counted.logits * held),
        scenes=int(counted.scenes * held) + _kept_scenes(config, recipe, load),
        loading=_left_by_loading(weights, recipe) if device == "cpu" else 0,
        runtime=RUNTIME[device],
    )
    whole = "a 4-bit base cannot be shared out over GPUs" if recipe.base.load_in_4bit else None
    return Estimate(recipe.base, weights, memory, _operations(weights, recipe, load), load.batch, whole=whole)


def adapted_layers(config: PretrainedConfig, lora: LoraSection) -> list[str]:
    """What PEFT adapts in one layer of a base: `q_proj`, `k_proj`, ...

    Raises:
        ValueError: nothing.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(with_layers(config, 1))
        own = LoraConfig(r=lora.r, target_modules=lora.target_modules, task_type="CAUSAL_LM")
        adapted: Any = get_peft_model(model, own)
    named = adapted.get_base_model().named_modules()
    return [name.rpartition(".")[2] for name, module in named if hasattr(module, "lora_A")]


def _operations(weights: Weights, recipe: RegisterRecipe, load: Load) -> float:
    """Of the whole run."""
    training = recipe.training
    learned = 6 if training.gradient_checkpointing else 4
    tokens = training.epochs * load.rows * load.own * (2 + learned) + training.epochs * load.scene_tokens * 2
    return weights.active * tokens


def _left_by_loading(weights: Weights, recipe: RegisterRecipe) -> int:
    """A 4-bit base on a CPU: the file stays mapped, and the heap keeps the places of what was packed, as float32."""
    if not recipe.base.load_in_4bit:
        return 0
    return weights.parameters * SIZES[recipe.base.dtype] + weights.linear * SIZES["float32"]


def _kept_scenes(config: PretrainedConfig, recipe: RegisterRecipe, load: Load) -> int:
    """Keys and values of the scenes that are kept across steps."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    number = 2 if recipe.training.bf16 else SIZES[recipe.base.dtype]
    token = 2 * heads * size * number * config.num_hidden_layers
    return int(min(recipe.training.scene_cache, load.scene_tokens * token))


def _step(config: PretrainedConfig, recipe: RegisterRecipe, batch: Batch, device: str) -> Counted:
    """A short base with its adapters, and one training step of it in fake tensors."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    from hyperbridge.modeling.grouped_lora import GroupedLora, lora_layers

    model = _adapted(config, recipe, device)
    base = model.get_base_model()
    with FakeTensorMode(allow_non_fake_inputs=True):
        make_fake(model)
        bank = GroupedLora(model)
        bank.install()
        targets = [layer for _, layer in lora_layers(model)]
        learned = sum(value.numel() for value in model.parameters() if value.requires_grad)
        with LiveTensors(model) as live:
            lived = _lived(live, base, bank, batch, recipe)
    return Counted(adapter=learned, targets=len(targets), **lived)


def _lived(live: LiveTensors, base: Any, bank: GroupedLora, batch: Batch, recipe: RegisterRecipe) -> dict[str, int]:
    """The bytes of `Counted`, from one step forward and backward."""
    arguments = _beneath(base, batch, recipe)
    reading, scenes = live.begin(), live.now
    bank.route(_groups(recipe, batch.rows))
    stacked = live.now - scenes
    ids = torch.zeros(batch.rows, batch.tokens, dtype=torch.int64)
    with _autocast(recipe):
        hidden = base.base_model(input_ids=ids, **arguments)[0]
        before, forward = live.now, live.begin()
        logits = base.get_output_embeddings()(hidden)
    # accelerate gives what a model in mixed precision returns back in float32
    logits = logits.float() if recipe.training.bf16 else logits
    loss = _LikeTheLoss.apply(logits)
    del logits, hidden, arguments
    at_loss = live.begin()
    loss.backward()
    return {
        "scenes": scenes,
        "stacked": stacked,
        "reading": reading,
        "forward": forward,
        "loss": at_loss,
        "backward": live.begin(),
        "logits": at_loss - before,
    }


def _adapted(config: PretrainedConfig, recipe: RegisterRecipe, device: str) -> Any:
    """A base with the recipe's adapters, in training."""
    from transformers import AutoModelForCausalLM
    from transformers.modeling_layers import GradientCheckpointingLayer

    from hyperbridge.trainers.sft import fresh_adapters

    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(
            config,
            dtype=getattr(torch, recipe.base.dtype),
            attn_implementation="eager" if device == "cpu" else "sdpa",
        )
        model = fresh_adapters(base, recipe.lora, tuple(recipe.registers), seed=0)
    if recipe.training.gradient_checkpointing:
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        base.enable_input_require_grads()
        for module in base.modules():
            if isinstance(module, GradientCheckpointingLayer):
                module._can_checkpoint_with_cache = True  # as register_trainer.py lets them
    for name, value in model.named_parameters():
        value.requires_grad_("lora_" in name)
    return model.train()


def _beneath(base: Any, batch: Batch, recipe: RegisterRecipe) -> dict[str, Any]:
    """What a forward pass is given besides its tokens, after the scenes were read."""
    from hyperbridge.modeling.shared_scene import on_scenes, read_scenes

    own = torch.ones(batch.rows, batch.tokens, dtype=torch.bool)
    if not batch.scenes:
        return {"attention_mask": own.long(), "use_cache": False}
    with _autocast(recipe):
        scenes = read_scenes(base, [(each, *[0] * (batch.scene_tokens - 1)) for each in range(batch.scenes)])
    dtype = torch.bfloat16 if recipe.training.bf16 else base.dtype
    return on_scenes(base, scenes, torch.arange(batch.rows) % batch.scenes, own, dtype=dtype)


def _groups(recipe: RegisterRecipe, rows: int) -> RowGroups:
    """The rows shared out evenly among the registers."""
    from hyperbridge.modeling.grouped_lora import RowGroups

    names = tuple(recipe.registers)[:rows]
    sizes = tuple(rows // len(names) + (at < rows % len(names)) for at in range(len(names)))
    return RowGroups(names, sizes)


def _autocast(recipe: RegisterRecipe) -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.training.bf16)


class _LikeTheLoss(torch.autograd.Function):
    """Takes the memory of register_trainer.py's loss, which looks at labels that fake tensors do not have."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(torch.zeros_like(logits))
        return logits.new_zeros(())

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> torch.Tensor:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream
