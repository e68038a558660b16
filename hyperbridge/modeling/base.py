"""The frozen base: where it is loaded from, and the identity its registers are tied to.

A base is a Hub id (pinned to a commit) or a folder (pinned to the SHA-256 of its weight files, which the Hub knows of
its files as well, so a copy on disk and the repository it came from are told to be one). A register remembers the
identity it was trained on, and loading compares the two: LoRA weights fit any model of equal shape, so nothing else
would notice the wrong base. Hashing a folder reads its weights once, about 1 s per GB.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError, nearest
from hyperbridge.locations import PACKAGE_PREFIX, resolve_path

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WEIGHT_PATTERNS = ("*.safetensors", "*.gguf")
CODE_CONFIGS = ("config.json", "tokenizer_config.json")
Dtype = Literal["float32", "bfloat16", "float16"]


class Base(BaseModel):
    """A base as a recipe names it, and (once loaded) as it was found.

    `revision` is a branch, tag or commit of a Hub id; `sha256` the digest of a local folder's weight files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    revision: str | None = None
    sha256: str | None = None
    gguf_file: str | None = None

    def path(self) -> str:
        """The Hub id, or the folder with `hyperbridge:` resolved to the installed package."""
        return resolve_path(self.model)

    def located(self) -> Base:
        """This base with its identity filled in: a commit for a Hub id, a digest for a folder.

        Raises:
            HyperBridgeError: a folder without safetensors or GGUF weights, or a Hub id that cannot be reached.
        """
        folder = Path(self.path())
        if folder.is_dir():
            return self.model_copy(update={"sha256": weights_digest(folder), "revision": None})
        if self.model.startswith((PACKAGE_PREFIX, ".", "/")):
            raise HyperBridgeError(f"{self.model}: no such base; a base is a folder with config.json or a Hub id")
        commit = hub.resolve_commit(self.model, self.revision)
        return self.model_copy(update={"revision": commit, "sha256": published_digest(self.model, commit)})

    def differs_from(self, trained_on: Base) -> str | None:
        """Why a register trained on `trained_on` does not belong on this base; None where it does."""
        same = (self.model, self.revision) == (trained_on.model, trained_on.revision)
        if self.sha256 and trained_on.sha256:
            same = self.sha256 == trained_on.sha256
        return None if same else f"{_named(self)} instead of {_named(trained_on)}"


def load_base(
    base: Base,
    *,
    dtype: Dtype = "float32",
    load_in_4bit: bool = False,
    device: str | None = None,
    shares: int = 1,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base's model (in evaluation mode) and tokenizer; never code, never pickles.

    Args:
        base: what to load.
        dtype: of the weights, and of the matrix products of a 4-bit base.
        load_in_4bit: quantize to NF4 with double quantization while loading (bitsandbytes).
        device: `cpu`, `cuda:0`, ...; None takes the accelerator where there is one.
        shares: processes of this launch over which it is shared out (FSDP2); each loads its own share.

    Raises:
        HyperBridgeError: the base is missing or damaged, is to be 4-bit and in shares, is not safetensors (or GGUF), or
            has no usable chat template; no such dtype or device.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if load_in_4bit and shares > 1:
        raise HyperBridgeError(
            "a 4-bit base cannot be shared out over processes; leave load_in_4bit (the variant +qlora), or launch with "
            "recipes/accelerate/ddp.yaml"
        )
    if dtype not in get_args(Dtype):
        raise HyperBridgeError(f"no dtype '{dtype}' to load a base in; {nearest(dtype, get_args(Dtype))}")
    placement = _placement(shares, device)
    refuse_code(base)
    tokenizer = load_tokenizer(base)
    torch_dtype = getattr(torch, dtype)
    quantization = _nf4(torch_dtype) if load_in_4bit else None
    with _loading(base):
        model, found = AutoModelForCausalLM.from_pretrained(
            base.path(),
            dtype=torch_dtype,
            use_safetensors=None if base.gguf_file else True,
            quantization_config=quantization,
            output_loading_info=True,
            **placement,
            **_options(base),
        )
    if found["missing_keys"]:
        # transformers only warns, and fills the gap with random numbers.
        raise HyperBridgeError(f"base {base.model}: its weights lack {min(found['missing_keys'])}")
    if load_in_4bit:
        _keep_differentiable(model)
    return model.eval(), tokenizer


def load_tokenizer(base: Base) -> PreTrainedTokenizerBase:
    """Load a base's tokenizer, with a pad token that is not EOS.

    Raises:
        HyperBridgeError: the base is missing, or its tokenizer has no chat template, EOS or possible padding.
    """
    from transformers import AutoTokenizer

    with _loading(base):
        tokenizer = AutoTokenizer.from_pretrained(base.path(), **_options(base))
    _check_tokenizer(base, tokenizer)
    return tokenizer


def refuse_code(base: Base) -> None:
    """Refuse a base whose configs name classes of its own: its architecture must be one that transformers has.

    Raises:
        HyperBridgeError: a config has `auto_map`.
    """
    folder = Path(base.path())
    if not folder.is_dir():
        folder = hub.fetch(base.model, hub.resolve_commit(base.model, base.revision), CODE_CONFIGS)
    for name in CODE_CONFIGS:
        with _loading(base):
            config = json.loads((folder / name).read_bytes()) if (folder / name).is_file() else {}
        if isinstance(config, dict) and config.get("auto_map"):
            raise HyperBridgeError(f"base {base.model}: {name} names code to be loaded (auto_map); it is not run")


def default_device() -> str:
    """The current accelerator, or the CPU; under `accelerate launch`, this process's own."""
    import torch

    if not torch.accelerator.is_available():
        return "cpu"
    return f"{torch.accelerator.current_accelerator()}:{torch.accelerator.current_device_index()}"


def weights_digest(folder: Path) -> str:
    """SHA-256 over the weight files of a folder, in name order."""
    names = _weight_files(path.name for path in folder.iterdir())
    if not names:
        raise HyperBridgeError(f"{folder}: no safetensors or GGUF weights here; only those are loaded")
    digest = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def published_digest(repo_id: str, commit: str) -> str | None:
    """What `weights_digest` would give for a repository on the Hub, from its listing; None where it is out of reach."""
    try:
        known = hub.list_files(repo_id, commit).sha256
    except hub.HubUnreachable:
        return None
    names = _weight_files(path for path in known if "/" not in path)
    return hashlib.sha256(b"".join(bytes.fromhex(known[name]) for name in names)).hexdigest() if names else None


def vocabulary_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 over all tokens with their ids."""
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda one: (one[1], one[0]))
    return hashlib.sha256(json.dumps(tokens, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _weight_files(names: Iterable[str]) -> list[str]:
    """The weight files among names, in order; without the second copy that some repositories carry."""
    return sorted(name for name in names if hub.matching([name], WEIGHT_PATTERNS) and "consolidated" not in name)


def _keep_differentiable(model: PreTrainedModel) -> None:
    """Let 4-bit weights stay as they are on a CPU with AVX512-BF16.

    bitsandbytes repacks them there at the first reading, for a kernel that has no backward pass.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _nf4(compute_dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise HyperBridgeError("load_in_4bit needs bitsandbytes: pip install 'hyperbridge[qlora]'") from None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
        bnb_4bit_quant_storage=compute_dtype,
    )


@contextmanager
def _loading(base: Base) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise HyperBridgeError(f"base {base.model}: cannot be loaded: {' '.join(str(error).split())[:300]}") from None


def _placement(shares: int, device: str | None) -> dict[str, Any]:
    if shares == 1:
        return {"device_map": {"": _device_here(device) if device else default_device()}}
    from transformers.distributed import DistributedConfig

    return {"distributed_config": DistributedConfig(fsdp_size=shares)}


def _device_here(device: str) -> str:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        here = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
        why = " ".join(str(error).split())[:120]
        raise HyperBridgeError(f"device '{device}' is not here ({', '.join(here)} are): {why}") from None
    return device


def _options(base: Base) -> dict[str, Any]:
    return {key: value for key in ("revision", "gguf_file") if (value := getattr(base, key))}


def _check_tokenizer(base: Base, tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.chat_template:
        raise HyperBridgeError(f"base {base.model}: its tokenizer has no chat template, which the scene prompt needs")
    if tokenizer.eos_token_id is None:
        raise HyperBridgeError(f"base {base.model}: its tokenizer has no EOS token, so no register could learn to stop")
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        tokenizer.pad_token = _spare_token(tokenizer, base)


def _spare_token(tokenizer: PreTrainedTokenizerBase, base: Base) -> str:
    """A pad token that is not EOS: with the two equal, padding would mask the end of every expression."""
    for token in ("<|endoftext|>", "<|finetune_right_pad_id|>", "<pad>", "[PAD]", "<unk>", "[UNK]"):
        token_id = tokenizer.convert_tokens_to_ids(token)
        if token_id not in (None, tokenizer.unk_token_id, tokenizer.eos_token_id) or token == tokenizer.unk_token:
            return token
    raise HyperBridgeError(f"base {base.model}: no token can pad besides EOS; give its tokenizer a pad_token")


def _named(base: Base) -> str:
    return f"{base.model}@{(base.revision or base.sha256 or 'unpinned')[:12]}"
