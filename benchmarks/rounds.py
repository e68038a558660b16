"""Fair timing: every measurement in a process of its own, the arms of a comparison in turn, round by round.

A slow spell of the machine then falls on all arms alike, and no arm inherits another's memory or warm caches. Each
process answers with one JSON line on stdout; what it took to import and to load is itemised apart from what is
compared. Figures are medians over rounds with the lowest and the highest; a ratio is of the medians, its spread over
the rounds. A run does not start on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer

# A core that is half busy with something else.
BUSY = 0.5
FOLDER = Path("runs/benchmarks")
TEMPLATE = "rounds.html.jinja"
LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate")

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of a figure over rounds, its lowest and its highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    @classmethod
    def of_ratios(cls, over: Sequence[float], under: Sequence[float]) -> Spread:
        """The ratio of the medians, between the ratios of single rounds."""
        ratios = [one / other for one, other in zip(over, under, strict=True)]
        ratio = statistics.median(over) / statistics.median(under)
        return cls(ratio, min(ratio, *ratios), max(ratio, *ratios))

    @classmethod
    def of_record(cls, record: Figures) -> Spread:
        return cls(record["median"], record["min"], record["max"])

    def text(self, form: str = "{:.2f}") -> str:
        return f"{form.format(self.median)} ({form.format(self.low)}..{form.format(self.high)})"

    def record(self) -> dict[str, float]:
        return {"median": _short(self.median), "min": _short(self.low), "max": _short(self.high)}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table for the terminal and the page; the first column is the name of a row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Bars:
    """A chart of the page: (name, figure) from the top, `mark` is drawn as a line where it is given."""

    title: str
    bars: Sequence[tuple[str, Spread]]
    unit: str = "x"
    mark: float | None = None

    @property
    def largest(self) -> float:
        return max(spread.high for _, spread in self.bars)


@dataclass(slots=True)
class Stopwatch:
    """Seconds by part, for what is not compared: `with watch("load"): ...`."""

    seconds: dict[str, float] = field(default_factory=dict)

    def imported(self) -> None:
        """Note that all is imported: what has passed since this process began."""
        ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        self.seconds["import"] = up - ticks / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started


def load_per_core(load: float | None = None, cores: int | None = None) -> float:
    """The 1-minute load average over the cores."""
    return (os.getloadavg()[0] if load is None else load) / (cores or os.cpu_count() or 1)


def require_idle(load: float, *, force: bool) -> None:
    """Refuse to measure beside other work.

    Args:
        load: 1-minute load average per core.
        force: measure all the same.

    Raises:
        HyperBridgeError: the machine is busy.
    """
    if load > BUSY and not force:
        raise HyperBridgeError(
            f"the machine is busy: a load of {load:.2f} per core over the last minute, at most {BUSY} is fair; wait, "
            "or measure all the same with --force"
        )


def machine_facts() -> dict[str, Any]:
    """What figures depend on, without importing what is measured."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def facts_line(facts: dict[str, Any], threads: int | None) -> str:
    """The facts in one line."""
    versions = " · ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {threads or '?'} torch threads, {facts['memory_gb']} GB · "
        f"{facts['system']} · Python {facts['python']} · {versions}"
    )


def memory_now() -> float:
    """Resident memory of this process, in MB."""
    return _status("VmRSS")


def memory_peak() -> float:
    """The most resident memory this process has had, in MB (not what it was forked from had)."""
    return _status("VmHWM")


def in_own_process(module: str, job: Figures) -> Figures:
    """Run `python -m module --job JSON`; return the figures of its last line.

    Raises:
        HyperBridgeError: it failed; the message ends with its last words.
    """
    quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, "-m", module, "--job", json.dumps(job, ensure_ascii=False)]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        words = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise HyperBridgeError(f"{module}: a measurement failed (exit code {done.returncode}): {job}\n{words}")
    figures: Figures = json.loads(lines[-1])
    return figures


def answer(figures: Figures, watch: Stopwatch) -> None:
    """The figures of this process, with what is common to all, as the last line of stdout."""
    import torch

    common = {
        "apart": {part: round(seconds, 3) for part, seconds in watch.seconds.items()},
        "peak_mb": round(memory_peak(), 1),
        "torch_threads": torch.get_num_threads(),
    }
    print("\n" + json.dumps(figures | common, ensure_ascii=False), flush=True)


def in_rounds(
    arms: Sequence[str], rounds: int, measure: Callable[[str, int], Figures], tell: Callable[[str], None]
) -> dict[str, list[Figures]]:
    """Measure each arm once a round; every round begins with another arm.

    Args:
        arms: their names.
        rounds: how many.
        measure: an arm's figures in a round.
        tell: receives a line for each measurement.

    Returns:
        Arm -> its figures, by round.
    """
    found: dict[str, list[Figures]] = {arm: [] for arm in arms}
    for number in range(rounds):
        start = number % len(arms)
        for arm in [*arms[start:], *arms[:start]]:
            started = time.perf_counter()
            found[arm].append(measure(arm, number))
            tell(f"round {number + 1}/{rounds}, {arm}: {time.perf_counter() - started:.0f} s in all")
    return found


def common_options(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with what both benchmarks share."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--rounds", type=positive, default=3, help="how often each arm is measured")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine too")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER / f"{name}.json", metavar="FILE")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser


def positive(value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise argparse.ArgumentTypeError(f"{value!r} is not a positive whole number")
    return int(value)


def publish(
    options: argparse.Namespace,
    load: float,
    results: Figures,
    title: str,
    sheets: Sequence[Sheet],
    bars: Sequence[Bars],
) -> None:
    """Write the JSON and the page beside it, and print the tables."""
    facts, threads = machine_facts(), _threads(results)
    told = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    record = {
        "options": {key: value for key, value in told.items() if key not in ("job", "output")},
        "machine": facts | {"torch_threads": threads, "load_per_core_before": round(load, 2)},
        **results,
    }
    with atomic_writer(options.output) as file:
        json.dump(record, file, ensure_ascii=False, indent=1)
        file.write("\n")
    note = facts_line(facts, threads) + f" · load per core before the start {load:.2f}"
    write_page(options.output.with_suffix(".html"), title, note, sheets, bars)
    print_sheets(sheets)
    print(note)
    print(options.output)
    print(options.output.with_suffix(".html"))


def print_sheets(sheets: Sequence[Sheet]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.width = max(console.width, 120)
    for sheet in sheets:
        table = Table(*sheet.columns, title=sheet.title, title_justify="left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def write_page(path: Path, title: str, note: str, sheets: Sequence[Sheet], bars: Sequence[Bars]) -> None:
    """One self-contained page: charts in SVG, then the tables; no script, every text escaped."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    page = environment.get_template(TEMPLATE).render(title=title, note=note, sheets=sheets, charts=bars)
    with atomic_writer(path) as file:
        file.write(page)


def tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise HyperBridgeError(f"/proc/self/status has no {key}: memory is measured on Linux only")


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _threads(found: Any) -> int | None:
    """The torch threads that some measurement reports."""
    if isinstance(found, dict):
        if "torch_threads" in found:
            return int(found["torch_threads"])
        found = list(found.values())
    if isinstance(found, list):
        return next((threads for one in found if (threads := _threads(one)) is not None), None)
    return None
