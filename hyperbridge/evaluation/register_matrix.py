"""The register matrix: every register's held-out expressions under every adapter and under the bare base.

Row = adapter that speaks, column = register whose expressions are scored, cell = bits per character (see
modeling/scoring.py). A register has a voice of its own where the diagonal is the lowest of its column, and it has
learned something where the diagonal lies well below the base.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge.jsonl import atomic_writer
from hyperbridge.modeling.bundle import BARE
from hyperbridge.modeling.scoring import ScoredRow, register_bits

if TYPE_CHECKING:
    from hyperbridge.modeling.bridge import HyperBridge


@dataclass(frozen=True, slots=True)
class RegisterMatrix:
    """Bits per character: `base[register]` and `matrix[adapter][register]`."""

    base: dict[str, float]
    matrix: dict[str, dict[str, float]]

    def gain(self, register: str) -> float:
        """How far the own adapter is below the bare base, as a share of it."""
        return 1.0 - self.matrix[register][register] / self.base[register]

    def best(self, register: str) -> str:
        """The adapter with the fewest bits on a register."""
        return min(self.matrix, key=lambda adapter: self.matrix[adapter][register])

    def save(self, path: str | Path) -> None:
        with atomic_writer(path) as file:
            json.dump({"base": self.base, "matrix": self.matrix}, file, ensure_ascii=False, indent=2)
            file.write("\n")


def register_matrix(bridge: HyperBridge, rows: Mapping[str, Sequence[ScoredRow]]) -> RegisterMatrix:
    """Score the held-out rows of each register under each adapter of the bridge and under the base."""

    def scores(adapter: str) -> dict[str, float]:
        bank = bridge.bank
        return {register: bits_per_character(register_bits(bank, adapter, own), own) for register, own in rows.items()}

    return RegisterMatrix(base=scores(BARE), matrix={adapter: scores(adapter) for adapter in bridge.registers})


def bits_per_character(bits: Sequence[float], rows: Sequence[ScoredRow]) -> float:
    from hyperbridge.evaluation.bits import BitsPerCharacter

    result = BitsPerCharacter().compute(predictions=list(bits), references=[row.characters for row in rows])
    return round(float(result["bits_per_character"]), 4)
