"""How fast registers speak: many in one batch, after a switch, and all on one scene; ours against PEFT.

    python -m benchmarks.register_generation                        # all three parts, two bases, float32
    python -m benchmarks.register_generation --part switch --dtype bfloat16

- requests: eight mixed requests (four registers, two scenes of 64 tokens), 32 new tokens each. Ours says them in one
  batch; PEFT one at a time, a register at a time, or in one batch with `adapter_names`.
- switch: time to the first token when another register takes over a live scene. Ours finds the scene in the bank;
  PEFT sets the adapter and reads the prompt again. Beside it, the bare switches: routing rows, and `set_adapter`.
- voices: one new scene in one to eight registers, ours in one batch, PEFT one by one.

Registers are fresh LoRAs (r=16, all linears, random B), the same matrices for every arm; decoding is greedy, with a
fixed number of tokens and no end. PEFT is measured with activated LoRAs, as ours are, and with ordinary ones, which
have less to do. Where both are activated their tokens are compared. Each process warms up on other scenes first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import bases
from benchmarks.bases import BASES, chosen
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
from hyperbridge.program import run_main
from hyperbridge.trainers.memory import keep_freed_memory

if TYPE_CHECKING:
    from peft import PeftModel

    from hyperbridge.modeling.registers import RegisterBank
    from hyperbridge.modeling.shared_scene import Ids

MODULE = "benchmarks.register_generation"
REGISTERS = tuple(f"register_{number}" for number in range(1, 9))
MIXED = REGISTERS[:4]
SCENES = 2
PROMPT = 64
NEW_TOKENS = 32
RANK = 16
DEVIATION = 0.02
LIVE = (64, 128, 512)
SWITCHES = 8
ROUTINGS = 500
OURS = "ours"

Call = tuple["Ids", str]  # a prompt, and the register that is to say it


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to say several requests with PEFT.

    Attributes:
        about: one line for the record.
        activated: its adapters are PEFT's aLoRAs.
        say: says calls, a tuple of tokens for each.
    """

    about: str
    activated: bool
    say: Callable[[PeftModel, Sequence[Call], int], list[list[int]]]


def one_by_one(model: PeftModel, calls: Sequence[Call], tokens: int) -> list[list[int]]:
    """Each request alone, in the order in which they come."""
    return [_say(model, [call], tokens)[0] for call in calls]


def by_register(model: PeftModel, calls: Sequence[Call], tokens: int) -> list[list[int]]:
    """The requests of one register in one batch."""
    said: dict[int, list[int]] = {}
    for register in dict.fromkeys(register for _, register in calls):
        places = [place for place, call in enumerate(calls) if call[1] == register]
        said |= zip(places, _say(model, [calls[place] for place in places], tokens), strict=True)
    return [said[place] for place in range(len(calls))]


def adapter_names(model: PeftModel, calls: Sequence[Call], tokens: int) -> list[list[int]]:
    """All requests in one batch, PEFT sorting the rows by adapter in every layer."""
    return _generate(model, calls, tokens, adapter_names=[register for _, register in calls])


PEERS = {
    f"PEFT {way}, {kind}": Peer(f"{say.__doc__ or ''} PEFT's {kind}s.", kind == "aLoRA", say)
    for kind in ("aLoRA", "LoRA")
    for way, say in (("one by one", one_by_one), ("by register", by_register), ("adapter_names", adapter_names))
}
ALONE = tuple(name for name, peer in PEERS.items() if peer.say is one_by_one)
PARTS = {"requests": (OURS, *PEERS), "switch": (OURS, *ALONE), "voices": (OURS, *ALONE)}


def _say(model: PeftModel, calls: Sequence[Call], tokens: int) -> list[list[int]]:
    """Requests of one register, with its adapter set."""
    model.set_adapter(calls[0][1], inference_mode=True)
    return _generate(model, calls, tokens)


def _generate(model: PeftModel, calls: Sequence[Call], tokens: int, **options: Any) -> list[list[int]]:
    """Prompts of one length with `generate`: no padding, no end."""
    import torch

    ids = torch.tensor([list(prompt) for prompt, _ in calls])
    with torch.inference_mode():
        said = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            do_sample=False,
            **options,
        )
    found: list[list[int]] = said[:, ids.shape[1] :].tolist()
    return found


def ours(bank: RegisterBank, calls: Sequence[Call], tokens: int, pad: int) -> list[list[int]]:
    """All requests in one batch of our own decoding."""
    from hyperbridge.modeling.generation import Request, Sampling, generate

    sampling = Sampling(do_sample=False, no_repeat_ngram_size=0, max_new_tokens=tokens)
    found: list[list[int]] = [[] for _ in calls]
    requests = [Request(prompt, register, sampling) for prompt, register in calls]
    for said in generate(bank, requests, eos_token_ids=[], pad_token_id=pad):
        found[said.row].append(said.token_id)
    return found


@dataclass(frozen=True, slots=True)
class Speaker:
    """One arm in this process: says calls, and forgets what it has read.

    Attributes:
        say: (calls, new tokens) -> tokens of each.
        forget: drop the scenes read so far.
        switch: the bare switch to the k-th of the mixtures an arm knows, without a forward pass.
    """

    say: Callable[[Sequence[Call], int], list[list[int]]]
    forget: Callable[[], None]
    switch: Callable[[int], None]


def speaker(arm: str, model: PeftModel, pad: int) -> Speaker:
    """An arm on a model with all registers."""
    if arm != OURS:
        say = PEERS[arm].say
        return Speaker(
            lambda calls, tokens: say(model, calls, tokens),
            lambda: None,
            lambda number: model.set_adapter(MIXED[number % len(MIXED)], inference_mode=True),
        )
    from hyperbridge.modeling.grouped_lora import GroupedLora, RowGroups
    from hyperbridge.modeling.registers import SCENES_KEPT, RegisterBank
    from hyperbridge.modeling.shared_scene import SceneStore

    bank = RegisterBank(model.eval())
    router = GroupedLora(model, frozen=True)
    mixtures = [RowGroups(MIXED, tuple(1 + (place == number) for place in range(len(MIXED)))) for number in range(4)]

    def forget() -> None:
        bank.scenes = SceneStore(SCENES_KEPT, evict=True)

    return Speaker(
        lambda calls, tokens: ours(bank, calls, tokens, pad),
        forget,
        lambda number: router.route(mixtures[number % len(mixtures)]),
    )


def with_registers(folder: str, dtype: Any, *, activated: bool) -> tuple[PeftModel, Any]:
    """A base with eight registers, ordinary or activated, their matrices always the same."""
    import torch
    from peft import LoraConfig, get_peft_model

    from hyperbridge.modeling.grouped_lora import lora_layers
    from hyperbridge.modeling.shared_scene import invocation_ids

    base, tokenizer = bases.load(folder, dtype)
    config = LoraConfig(
        r=RANK,
        lora_alpha=2 * RANK,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        alora_invocation_tokens=list(invocation_ids(tokenizer)) if activated else None,
        inference_mode=True,
    )
    torch.manual_seed(0)
    model = get_peft_model(base, config, adapter_name=REGISTERS[0])
    for name in REGISTERS[1:]:
        model.add_adapter(name, config)
    for name in REGISTERS:
        for _, layer in lora_layers(model):
            torch.nn.init.normal_(layer.lora_B[name].weight, std=DEVIATION)
    return model.eval(), tokenizer


def measure_generation(job: Figures) -> tuple[Figures, Stopwatch]:
    """The figures of one arm in this process; `job` names part, arm, folder, dtype and the new tokens."""
    import peft  # noqa: F401
    import torch  # noqa: F401
    import transformers  # noqa: F401

    from hyperbridge.modeling import generation  # noqa: F401

    keep_freed_memory()
    watch = Stopwatch()
    watch.imported()
    arm = job["arm"]
    with watch("load"):
        activated = arm == OURS or PEERS[arm].activated
        model, tokenizer = with_registers(job["folder"], job["dtype"], activated=activated)
        speaking = speaker(arm, model, tokenizer.pad_token_id)
    loaded = memory_now()
    frame, text = bases.chat_frame(tokenizer), bases.running_text(tokenizer)

    def prompt(length: int) -> Ids:
        return frame.prompt(text, length)

    part = {"requests": _requests, "switch": _switch, "voices": _voices}[job["part"]]
    return part(job, speaking, prompt, watch) | {"loaded_mb": round(loaded, 1)}, watch


def mixed_calls(prompts: Sequence[Ids], registers: Sequence[str]) -> list[Call]:
    """Every prompt in every register, as they would come: the registers take turns."""
    return [(prompt, register) for prompt in prompts for register in registers]


def _requests(job: Figures, speaking: Speaker, prompt: Callable[[int], Ids], watch: Stopwatch) -> Figures:
    with watch("warm up"):
        speaking.say(mixed_calls([prompt(PROMPT) for _ in range(SCENES)], MIXED), 2)
    calls = mixed_calls([prompt(PROMPT) for _ in range(SCENES)], MIXED)
    seconds, said = _timed(partial(speaking.say, calls, job["tokens"]))
    return {"seconds": seconds, "tokens": sum(map(len, said)), "said": said}


def _switch(job: Figures, speaking: Speaker, prompt: Callable[[int], Ids], watch: Stopwatch) -> Figures:
    """Milliseconds to the first token by prompt length, and those of the bare switch; medians over switches."""
    first = {}
    for length in LIVE:
        live = prompt(length)
        with watch("warm up"):
            for register in MIXED:
                speaking.say([(live, register)], 1)
        each = [_timed(partial(speaking.say, [(live, MIXED[n % len(MIXED)])], 1))[0] for n in range(SWITCHES)]
        first[str(length)] = 1000 * Spread.of(each).median
    for number in range(len(MIXED)):
        speaking.switch(number)
    bare = [_timed(partial(speaking.switch, number))[0] for number in range(ROUTINGS)]
    return {"first_token_ms": first, "bare_switch_ms": 1000 * Spread.of(bare).median}


def _voices(job: Figures, speaking: Speaker, prompt: Callable[[int], Ids], watch: Stopwatch) -> Figures:
    """Seconds by number of voices, each time on a scene never read."""
    with watch("warm up"):
        for count in (1, len(REGISTERS)):
            speaking.say(mixed_calls([prompt(PROMPT)], REGISTERS[:count]), 2)
    seconds = {}
    for count in range(1, len(REGISTERS) + 1):
        speaking.forget()
        calls = mixed_calls([prompt(PROMPT)], REGISTERS[:count])
        seconds[str(count)] = _timed(partial(speaking.say, calls, job["tokens"]))[0]
    return {"seconds": seconds}


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def same_tokens(said: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> float:
    """The share of tokens before the first difference of each row."""
    same = 0
    for one, two in zip(said, other, strict=True):
        pairs = zip(one, two, strict=True)
        same += next((place for place, (a, b) in enumerate(pairs) if a != b), len(one))
    return same / sum(map(len, said))


def requests_report(title: str, found: dict[str, list[Figures]]) -> tuple[Figures, Sheet, Bars]:
    """Throughput of each arm, and how much faster ours is."""
    reference = found[OURS]
    record: Figures = {}
    rows, bars = [], []
    for arm, rounds in found.items():
        speed = Spread.of([one["tokens"] / one["seconds"] for one in rounds])
        faster = Spread.of_ratios(_column(rounds, "seconds"), _column(reference, "seconds"))
        record[arm] = {
            "seconds": Spread.of(_column(rounds, "seconds")).record(),
            "tokens_per_second": speed.record(),
            "ours_faster": faster.record(),
            "peak_mb": Spread.of(_column(rounds, "peak_mb")).record(),
        }
        same = ""
        if arm == OURS or PEERS[arm].activated:
            record[arm]["same_tokens_as_ours"] = same_tokens(reference[0]["said"], rounds[0]["said"])
            same = f"{record[arm]['same_tokens_as_ours']:.0%}"
        rows.append((arm, speed.text("{:.1f}"), faster.text(), f"{record[arm]['peak_mb']['median']:.0f}", same))
        bars.append((arm, speed))
        record[arm]["rounds"] = [{key: value for key, value in one.items() if key != "said"} for one in rounds]
    columns = ("arm", "tokens/s", "ours is faster", "peak MB", "same tokens")
    return record, Sheet(title, columns, rows), Bars(title, bars, unit="tokens/s")


def switch_report(title: str, found: dict[str, list[Figures]]) -> tuple[Figures, Sheet, Bars]:
    """Milliseconds to the first token by prompt length, and of the bare switch."""
    record: Figures = {}
    rows, bars = [], []
    for arm, rounds in found.items():
        first = {str(length): [one["first_token_ms"][str(length)] for one in rounds] for length in LIVE}
        bare = Spread.of(_column(rounds, "bare_switch_ms"))
        faster = {
            length: Spread.of_ratios(own, [one["first_token_ms"][length] for one in found[OURS]])
            for length, own in first.items()
        }
        record[arm] = {
            "first_token_ms": {length: Spread.of(own).record() for length, own in first.items()},
            "ours_faster": {length: ratio.record() for length, ratio in faster.items()},
            "bare_switch_ms": bare.record(),
            "rounds": rounds,
        }
        cells = [f"{Spread.of(own).text('{:.1f}')}, {faster[length].median:.1f}x" for length, own in first.items()]
        rows.append((arm, *cells, bare.text("{:.3f}")))
        bars += [(f"{length} tokens, {arm}", Spread.of(own)) for length, own in first.items()]
    columns = ("arm", *(f"{length} tokens: ms, ours faster" for length in LIVE), "bare switch, ms")
    bars.sort(key=lambda bar: int(bar[0].split()[0]))
    return record, Sheet(title, columns, rows), Bars(title, bars, unit="ms")


def voices_report(title: str, found: dict[str, list[Figures]]) -> tuple[Figures, Sheet, Bars]:
    """Seconds by the number of voices."""
    record: Figures = {}
    counts = list(found[OURS][0]["seconds"])
    cells: dict[str, list[str]] = {count: [count] for count in counts}
    bars = []
    for arm, rounds in found.items():
        seconds = {count: [one["seconds"][count] for one in rounds] for count in counts}
        faster = {
            count: Spread.of_ratios(seconds[count], [one["seconds"][count] for one in found[OURS]]) for count in counts
        }
        record[arm] = {
            "seconds": {count: Spread.of(own).record() for count, own in seconds.items()},
            "ours_faster": {count: ratio.record() for count, ratio in faster.items()},
            "rounds": rounds,
        }
        for count, own in seconds.items():
            cells[count].append(
                f"{Spread.of(own).text()} s" + ("" if arm == OURS else f", {faster[count].median:.1f}x")
            )
            bars.append((f"{count} in {arm}", Spread.of(own)))
    bars.sort(key=lambda bar: int(bar[0].split()[0]))
    return record, Sheet(title, ("voices", *found), list(cells.values())), Bars(title, bars, unit="s")


REPORTS = {"requests": requests_report, "switch": switch_report, "voices": voices_report}
TITLES = {
    "requests": "Eight mixed requests",
    "switch": "First token after a switch on a live scene",
    "voices": "One scene in 1 to 8 voices (x: ours is faster)",
}


def run(options: argparse.Namespace) -> tuple[Figures, list[Sheet], list[Bars]]:
    """The wanted parts on each base and dtype; the record, the tables and the charts."""
    results, sheets, bars = [], [], []
    for base in chosen(options.bases, BASES, "base"):
        folder = in_own_process(MODULE, {"part": "prepare", "base": base})["folder"]
        for dtype in options.dtype:
            for part in [options.part] if options.part != "all" else list(PARTS):
                job = {"part": part, "folder": folder, "dtype": dtype, "tokens": options.tokens}
                found = in_rounds(PARTS[part], options.rounds, partial(_measure, job), tell)
                record, sheet, chart = REPORTS[part](f"{TITLES[part]}: {base}, {dtype}", found)
                results.append({"part": part, "base": base, "dtype": dtype, "arms": record})
                sheets.append(sheet)
                bars.append(chart)
    return {"arms": {name: peer.about for name, peer in PEERS.items()}, "results": results}, sheets, bars


def _measure(job: Figures, arm: str, number: int) -> Figures:
    return in_own_process(MODULE, job | {"arm": arm})


def _column(rounds: Sequence[Figures], key: str) -> list[float]:
    return [float(one[key]) for one in rounds]


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    if options.job:
        job = json.loads(options.job)
        if job["part"] == "prepare":
            answer({"folder": bases.prepare(job["base"], FOLDER)}, Stopwatch())
        else:
            answer(*measure_generation(job))
        return
    load = load_per_core()
    require_idle(load, force=options.force)
    results, sheets, bars = run(options)
    publish(options, load, results, "Registers speaking", sheets, bars)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    about = "Mixed batches, switches on a live scene, many voices of one scene; ours against PEFT."
    parser = common_options("register_generation", about)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all", help="what to measure")
    parser.add_argument("--bases", nargs="+", metavar="NAME", help=f"of {', '.join(BASES)}")
    parser.add_argument("--dtype", nargs="+", choices=("float32", "bfloat16"), default=["float32"], help="of the base")
    parser.add_argument("--tokens", type=positive, default=NEW_TOKENS, help="new tokens of a request")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_main(main)
