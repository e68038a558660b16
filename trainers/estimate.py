"""What a recipe takes in memory and time, before anything is downloaded: the architecture without its weights.

The base is built with one and with two layers from its config alone (fake tensors: shapes, no numbers), given the
recipe's adapters, and its largest micro-batch goes forward and backward through the very code that trains. Every
tensor is counted from its making to its end, so that the most that lives at once is found and nothing is guessed of an
architecture; the difference of the two counts is a layer. Weights and the optimizer are counted by their shapes. Cost:
one to three seconds a recipe; no weights are allocated. benchmarks/recipe_memory.py compares it with what runs take.

The clock is arithmetic: 2 operations a weight and token to read, 4 to learn through a frozen base (6 where
activations are recomputed), at a share of what the device's maker states. It is a first guess, not a measurement.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from hyperbridge.modeling.grouped_lora import GroupedLora, RowGroups
    from hyperbridge.trainers.recipe import LoraSection, RegisterRecipe

SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}
# Four bits a weight, a byte for each 64 of them, and a float32 for each 256 of those bytes (double quantization).
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# Python with its libraries; on a GPU its context and the kernels' work space, which are not measured here.
RUNTIME = {"cpu": 540 * 2**20, "cuda": 700 * 2**20}
# What the allocator holds over what lives. glibc leaves holes among the tensors of a step, more with every step of
# another length: in runs of three steps 30 to 40 % of the heap was free at the peak. CUDA's allocator splits blocks and
# rounds to 2 MiB; that is not measured here.
HELD = {"cpu": 1.5, "cuda": 1.1}
# Of the stated speed, what a fine-tuning step of short rows reaches; a guess.
REACHED = 0.3


@dataclass(frozen=True, slots=True)
class Gpu:
    """A card: bytes of memory, and dense bfloat16 operations a second as its maker states them."""

    memory: float
    speed: float


GPUS = {
    "RTX 3060 12GB": Gpu(12e9, 51e12),
    "RTX 4080 16GB": Gpu(16e9, 97e12),
    "RTX 3090 24GB": Gpu(24e9, 71e12),
    "RTX 4090 24GB": Gpu(24e9, 165e12),
    "A10G 24GB": Gpu(24e9, 70e12),
    "L4 24GB": Gpu(24e9, 121e12),
    "RTX 5090 32GB": Gpu(32e9, 210e12),
    "A100 40GB": Gpu(40e9, 312e12),
    "L40S 48GB": Gpu(48e9, 362e12),
    "A100 80GB": Gpu(80e9, 312e12),
    "H100 80GB": Gpu(80e9, 989e12),
    "H200 141GB": Gpu(141e9, 989e12),
}


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
class Memory:
    """Bytes at the peak of a training step, by what they hold.

    Attributes:
        weights: of the base.
        adapters: of all registers, with their copies stacked for the step.
        optimizer: two moments a parameter.
        activations: what the layers keep for the backward pass, and what it works with at the peak.
        logits: over the whole vocabulary, and their gradient.
        scenes: keys and values, those of the step and those kept across steps.
        loading: what loading leaves behind; only on a CPU, in 4 bits.
        runtime: the libraries themselves.
    """

    weights: int
    adapters: int
    optimizer: int
    activations: int
    logits: int
    scenes: int
    loading: int
    runtime: int

    @property
    def total(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))


@dataclass(frozen=True, slots=True)
class Counted:
    """An architecture under a recipe: parameters (numbers) and the step's tensors (bytes).

    Attributes:
        parameters: of the base.
        active: those that a token passes; fewer where experts share the work.
        linear: those that a 4-bit base packs.
        largest: of the linear layers, which is unpacked for its product.
        adapter: of all registers.
        targets: layers that are adapted.
        scenes: keys and values under the rows.
        stacked: the adapters' copies for the step.
        reading, forward, loss, backward: the most that lives while scenes are read, while rows go through the layers,
            from the output matrix to the loss, and on the way back.
        logits: the part of `loss` that its own phase makes.
    """

    parameters: int
    active: int
    linear: int
    largest: int
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
    one, two = (_step(_with_layers(config, layers), recipe, batch, device) for layers in (1, 2))
    layers = int(config.num_hidden_layers)

    def whole(what: str) -> int:
        first, second = getattr(one, what), getattr(two, what)
        return int(first + (layers - 1) * (second - first))

    found = Counted(**{part.name: whole(part.name) for part in fields(Counted)})
    return replace(found, largest=two.largest)


def estimate_memory(
    config: PretrainedConfig, recipe: RegisterRecipe, load: Load, device: str = "cuda"
) -> tuple[Memory, Counted]:
    """Bytes at the peak of a training step on one device, and what they are made of."""
    counted = count(config, recipe, load.batch, device)
    dtype = SIZES[recipe.base.dtype]
    rest = counted.parameters - counted.linear
    weights = counted.linear * (NF4_BYTES if recipe.base.load_in_4bit else dtype) + rest * dtype
    unpacked = counted.largest * SIZES["bfloat16"] if recipe.base.load_in_4bit else 0
    held = HELD[device]
    work = counted.peak - counted.stacked - counted.scenes - counted.logits + unpacked
    memory = Memory(
        weights=int(weights),
        adapters=int(4 * counted.adapter + counted.stacked * held),
        optimizer=2 * 4 * counted.adapter,
        activations=int(work * held),
        logits=int(counted.logits * held),
        scenes=int(counted.scenes * held) + _kept_scenes(config, recipe, load),
        loading=_left_by_loading(counted, recipe) if device == "cpu" else 0,
        runtime=RUNTIME[device],
    )
    return memory, counted


def estimate_seconds(counted: Counted, recipe: RegisterRecipe, load: Load, speed: float) -> float:
    """Seconds of the whole run at `speed` stated operations a second."""
    training = recipe.training
    learned = 6 if training.gradient_checkpointing else 4
    tokens = training.epochs * load.rows * load.own * (2 + learned) + training.epochs * load.scene_tokens * 2
    return counted.active * tokens / (speed * REACHED)


def adapted_layers(config: PretrainedConfig, lora: LoraSection) -> list[str]:
    """What PEFT adapts in one layer of a base: `q_proj`, `k_proj`, ...

    Raises:
        ValueError: nothing.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(_with_layers(config, 1))
        own = LoraConfig(r=lora.r, target_modules=lora.target_modules, task_type="CAUSAL_LM")
        adapted: Any = get_peft_model(model, own)
    named = adapted.get_base_model().named_modules()
    return [name.rpartition(".")[2] for name, module in named if hasattr(module, "lora_A")]


def _left_by_loading(counted: Counted, recipe: RegisterRecipe) -> int:
    """A 4-bit base on a CPU: the file stays mapped, and the heap keeps the places of what was packed, as float32."""
    if not recipe.base.load_in_4bit:
        return 0
    return counted.parameters * SIZES[recipe.base.dtype] + counted.linear * SIZES["float32"]


def _kept_scenes(config: PretrainedConfig, recipe: RegisterRecipe, load: Load) -> int:
    """Keys and values of the scenes that are kept across steps."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    number = 2 if recipe.training.bf16 else SIZES[recipe.base.dtype]
    token = 2 * heads * size * number * config.num_hidden_layers
    return int(min(recipe.training.scene_cache, load.scene_tokens * token))


def _with_layers(config: PretrainedConfig, layers: int) -> PretrainedConfig:
    from copy import deepcopy

    short = deepcopy(config)
    short.num_hidden_layers = layers
    if getattr(short, "layer_types", None):
        short.layer_types = short.layer_types[:layers]
    if getattr(short, "sliding_window", None):
        short.sliding_window = None  # longer rows are refused, so none is cut
    return short


def _step(config: PretrainedConfig, recipe: RegisterRecipe, batch: Batch, device: str) -> Counted:
    """A short base with its adapters, counted by shapes, and one training step of it in fake tensors."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    from hyperbridge.modeling.grouped_lora import GroupedLora, lora_layers

    model = _adapted(config, recipe, device)
    base = model.get_base_model()
    with FakeTensorMode(allow_non_fake_inputs=True):
        _make_fake(model)
        bank = GroupedLora(model)
        bank.install()
        targets = [layer for _, layer in lora_layers(model)]
        learned = sum(value.numel() for value in model.parameters() if value.requires_grad)
        packed = [one.weight.numel() for one in _linear_layers(base)]
        with _Live(model) as live:
            lived = _lived(live, base, bank, batch, recipe)
    parameters = sum(value.numel() for value in model.parameters()) - learned
    return Counted(
        parameters=parameters,
        active=parameters - _idle(config, base),
        linear=sum(packed),
        largest=max(packed),
        adapter=learned,
        targets=len(targets),
        **lived,
    )


def _lived(live: _Live, base: Any, bank: GroupedLora, batch: Batch, recipe: RegisterRecipe) -> dict[str, int]:
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


def _make_fake(model: torch.nn.Module) -> None:
    """Tensors of no device become fake ones of the CPU; what was tied stays tied."""
    made: dict[int, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, value in module.named_parameters(recurse=False):
            fake = torch.empty(value.shape, dtype=value.dtype, device="cpu")
            made.setdefault(id(value), torch.nn.Parameter(fake, requires_grad=value.requires_grad))
            module._parameters[name] = made[id(value)]
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cpu")


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


def _idle(config: PretrainedConfig, base: Any) -> int:
    """Parameters of the experts that do not read a token."""
    experts = sum(value.numel() for name, value in base.named_parameters() if ".experts." in name)
    return int(experts * (1 - config.num_experts_per_tok / config.num_local_experts)) if experts else 0


def _linear_layers(base: Any) -> list[torch.nn.Linear]:
    """What a 4-bit base packs; the output matrix stays as it is."""
    output = base.get_output_embeddings()
    named = [(name, one) for name, one in base.named_modules() if isinstance(one, torch.nn.Linear)]
    return [one for name, one in named if "lora_" not in name and one is not output]


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


class _Live(TorchDispatchMode):
    """Bytes of the tensors that operations make and that are still alive; those of `model` are not counted.

    Attributes:
        now: alive.
        most: alive at once since `begin`.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known = {_storage(value) for value in [*model.parameters(), *model.buffers()]}

    def begin(self) -> int:
        """The most of the phase that ends here; the next begins."""
        most, self.most = self.most, self.now
        return most

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, torch.Tensor) and _storage(value) not in self._known:
                self._note(value.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
