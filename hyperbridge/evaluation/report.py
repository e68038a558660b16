"""A run as one page: the register matrix as a heat map, and scenes said side by side.

The page is self-contained (no script, no network) and every text in it is escaped: a generated expression cannot
become markup.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperbridge.evaluation.register_matrix import RegisterMatrix
from hyperbridge.jsonl import atomic_writer

TEMPLATE = "report.html.jinja"
# A cell this far below (or above) the bare base is fully green (or red).
FULL_COLOUR_AT = 0.25


@dataclass(frozen=True, slots=True)
class SaidScene:
    """A scene's prompt form, and what each register said: name -> text."""

    prompt: str
    voices: dict[str, str]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    scenes: Sequence[SaidScene]


def save_samples(path: str | Path, section: Section) -> None:
    """The scenes of a section as JSON, for the card of a bundle."""
    with atomic_writer(path) as file:
        json.dump(
            [{"scene": one.prompt, "voices": one.voices} for one in section.scenes], file, ensure_ascii=False, indent=2
        )
        file.write("\n")


def write_report(
    path: str | Path,
    *,
    title: str,
    matrix: RegisterMatrix,
    styles: dict[str, str],
    sections: Sequence[Section],
    note: str,
) -> None:
    """Render a run's report to an HTML file.

    Args:
        path: the file to write.
        title: the run's name.
        matrix: its register matrix.
        styles: register name -> the seed's name of it.
        sections: scenes said, under headings.
        note: one line on what was trained and measured.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("hyperbridge", "evaluation"), autoescape=True, trim_blocks=True)
    page = environment.get_template(TEMPLATE).render(
        title=title,
        matrix=matrix,
        styles=styles,
        sections=sections,
        note=note,
        machine=machine(),
        colour=cell_colour,
        names=list(matrix.matrix),
    )
    with atomic_writer(path) as file:
        file.write(page)


def cell_colour(value: float, base: float) -> str:
    """CSS background of a cell: green below the base, red above it, white at it."""
    share = max(-1.0, min(1.0, (value / base - 1.0) / FULL_COLOUR_AT))
    return f"hsl({140 if share < 0 else 5}, 65%, {100 - 42 * abs(share):.0f}%)"


def machine() -> str:
    """The processor, core count and library versions a figure was measured with."""
    import os

    import peft
    import torch
    import transformers
    import trl

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    versions = " · ".join(f"{module.__name__} {module.__version__}" for module in (torch, transformers, peft, trl))
    return f"{cpu}, {os.cpu_count()} cores · Python {platform.python_version()} · {versions}"
