"""What training takes in memory and time before anything is downloaded: what all estimates have in common.

Weights are counted by the shapes of the architecture without numbers; what a step needs besides is counted by
register_estimate.py and row_estimate.py, which run it in fake tensors. Over several GPUs the base is shared out
(sharding.py): each holds its share, and whole what FSDP2 gathers for the moment, two layers and the output matrix.
benchmarks/recipe_memory.py compares the memory with what runs take; sharing out is arithmetic.

The clock is arithmetic too: 2 operations a weight and token to read, 4 to learn through a frozen base (6 where
activations are recomputed), at a share of what the device's maker states, on N GPUs N times as many. It is a first
guess, not a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.trainers.recipe import BaseSection, parse_size

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

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
# Of a card's memory, what a screen and other processes leave.
USABLE = 0.95
# Layers that FSDP2 holds whole at a time: the one that computes, and the next, which is gathered meanwhile.
GATHERED_LAYERS = 2


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
class Memory:
    """Bytes at the peak on each GPU, by what they hold; a part that a recipe does not have is 0.

    Attributes:
        weights: of the base, or of a GPU's share of it.
        gathered: of a base in shares, what is whole for the moment.
        adapters: of all registers, with their copies stacked for the step.
        rows: of new tokens, in a graft.
        optimizer: two moments a parameter.
        activations: what the layers keep for the backward pass, and what it works with at the peak.
        logits: over the whole vocabulary, and their gradient.
        scenes: keys and values, those of the step and those kept across steps.
        writing: what an extended base takes beyond a step when it is put together.
        loading: what loading leaves behind; only on a CPU, in 4 bits.
        runtime: the libraries themselves.
    """

    weights: int
    gathered: int = 0
    adapters: int = 0
    rows: int = 0
    optimizer: int = 0
    activations: int = 0
    logits: int = 0
    scenes: int = 0
    writing: int = 0
    loading: int = 0
    runtime: int = 0

    @property
    def parts(self) -> dict[str, int]:
        """What there is of it, by name."""
        return {part.name: size for part in fields(self) if (size := getattr(self, part.name))}

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Weights:
    """A base's parameters, in numbers.

    Attributes:
        parameters: all.
        active: those that a token passes; fewer where experts share the work.
        linear: those that a 4-bit base packs.
        largest: of the linear layers, which is unpacked for its product.
        layer: one layer's.
        output: of the output matrix.
    """

    parameters: int
    active: int
    linear: int
    largest: int
    layer: int
    output: int

    def size(self, base: BaseSection) -> int:
        """Bytes as a recipe loads them."""
        number = SIZES[base.dtype]
        rest = self.parameters - self.linear
        return int(self.linear * (NF4_BYTES if base.load_in_4bit else number) + rest * number)

    def unpacked(self, base: BaseSection) -> int:
        """Bytes of the layer that a 4-bit base unpacks for its product; 0 where nothing is packed."""
        return self.largest * SIZES["bfloat16"] if base.load_in_4bit else 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run takes.

    Attributes:
        base: as the recipe loads it.
        weights: of the base.
        memory: of each GPU; of several, each holds a share of the base where it can.
        operations: of the whole run.
        batch: the largest micro-batch that goes through one GPU.
        gpus: how many there are.
        whole: why the base cannot be shared out over them; None where it can.
    """

    base: BaseSection
    weights: Weights
    memory: Memory
    operations: float
    batch: Any = field(repr=False)
    gpus: int = 1
    whole: str | None = None

    def over(self, gpus: int) -> Estimate:
        """The same run on so many GPUs, the base shared out over them where it can be; batches stay as they are."""
        if gpus == 1 or self.whole:
            return replace(self, gpus=gpus)
        number = SIZES[self.base.dtype]
        gathered = (GATHERED_LAYERS * self.weights.layer + self.weights.output) * number
        share = -(-self.weights.size(self.base) // gpus)
        memory = replace(self.memory, weights=share, gathered=gathered)
        return replace(self, memory=memory, gpus=gpus)

    def hours_on(self, gpu: Gpu) -> float:
        """A first guess of the run's length."""
        return self.operations / (gpu.speed * REACHED * self.gpus) / 3600

    def fits(self, gpu: Gpu) -> bool:
        return self.memory.total <= gpu.memory * USABLE

    @property
    def has_experts(self) -> bool:
        """A token passes a part of the base alone."""
        return self.weights.active < self.weights.parameters


def find_gpu(text: str) -> Gpu:
    """A card of the table by its name (`RTX 4090`), or any card of a size: `24GB`.

    Raises:
        HyperBridgeError: no such card, and no size.
    """
    named = [gpu for name, gpu in GPUS.items() if name.lower() == text.lower()]
    named = named or [gpu for name, gpu in GPUS.items() if name.lower().startswith(f"{text.lower()} ")]
    if len(named) == 1:
        return named[0]
    try:
        size = float(parse_size(text))
    except ValueError:
        raise HyperBridgeError(f"--gpu {text}: no such card; a size (24GB), or one of: {', '.join(GPUS)}") from None
    alike = [gpu for gpu in GPUS.values() if gpu.memory <= size]
    slowest = min((gpu.speed for gpu in alike if gpu.memory == max(one.memory for one in alike)), default=50e12)
    return Gpu(size, slowest)


def weigh(config: PretrainedConfig) -> Weights:
    """Count a base's parameters from its config, by its architecture with one and with two layers."""
    from hyperbridge.trainers.live_tensors import over_layers

    (one, idle_one), (two, idle_two) = (_weighed(config, layers) for layers in (1, 2))
    layers = int(config.num_hidden_layers)
    parameters = over_layers(one.parameters, two.parameters, layers)
    return Weights(
        parameters=parameters,
        active=parameters - over_layers(idle_one, idle_two, layers),
        linear=over_layers(one.linear, two.linear, layers),
        largest=two.largest,
        layer=two.parameters - one.parameters,
        output=two.output,
    )


def _weighed(config: PretrainedConfig, layers: int) -> tuple[Weights, int]:
    """A short base, and how many of its parameters do not read a token."""
    import torch
    from transformers import AutoModelForCausalLM

    from hyperbridge.trainers.live_tensors import with_layers

    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(with_layers(config, layers))
    output = base.get_output_embeddings()
    packed = [one.weight.numel() for one in base.modules() if isinstance(one, torch.nn.Linear) and one is not output]
    parameters = sum(value.numel() for value in base.parameters())
    found = Weights(parameters, parameters, sum(packed), max(packed), parameters, output.weight.numel())
    return found, _idle(config, base)


def _idle(config: PretrainedConfig, base: torch.nn.Module) -> int:
    """Parameters of the experts that do not read a token."""
    experts = sum(value.numel() for name, value in base.named_parameters() if ".experts." in name)
    return int(experts * (1 - config.num_experts_per_tok / config.num_local_experts)) if experts else 0
