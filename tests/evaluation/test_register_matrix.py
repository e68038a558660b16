"""The register matrix scores every register's rows under every adapter and under the bare base."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel

from hyperbridge.evaluation.register_matrix import RegisterMatrix, register_matrix
from hyperbridge.modeling.base import Base, load_base
from hyperbridge.modeling.scoring import ScoredRow, text_bits

HEADER = "<|im_start|>assistant\n"
MATRIX = RegisterMatrix(
    base={"body": 2.0, "poet": 3.0},
    matrix={"body": {"body": 1.5, "poet": 3.1}, "poet": {"body": 1.9, "poet": 2.4}},
)


def test_every_cell_is_what_plain_peft_scores(bridge: Any, tiny_bundle: Path, tiny_base: Path) -> None:
    header = bridge.tokenizer(HEADER).input_ids
    rows = {
        "body": [ScoredRow([5, 300, *header], [17, 600, 42], 6), ScoredRow([5, *header], [9], 2)],
        "poet": [ScoredRow([8, 9, *header], [700, 701], 5)],
    }
    found = register_matrix(bridge, rows)

    def cells(model: Any) -> dict[str, float]:
        return {
            name: round(math.fsum(text_bits(model, own)) / sum(row.characters for row in own), 4)
            for name, own in rows.items()
        }

    def bare() -> Any:
        return load_base(Base(model=str(tiny_base)))[0]

    assert found.base == pytest.approx(cells(bare()), abs=1e-4)
    assert list(found.matrix) == ["body", "poet"]
    for name, row in found.matrix.items():
        plain = PeftModel.from_pretrained(bare(), tiny_bundle / "registers" / name)
        assert row == pytest.approx(cells(plain), abs=1e-4)
    assert found.matrix["body"] != found.matrix["poet"] != found.base


def test_the_file_has_the_promised_shape(tmp_path: Path) -> None:
    MATRIX.save(tmp_path / "register_matrix.json")
    assert json.loads((tmp_path / "register_matrix.json").read_text(encoding="utf-8")) == {
        "base": {"body": 2.0, "poet": 3.0},
        "matrix": {"body": {"body": 1.5, "poet": 3.1}, "poet": {"body": 1.9, "poet": 2.4}},
    }


def test_the_gain_is_the_share_below_the_base_and_the_best_has_the_fewest_bits() -> None:
    assert (MATRIX.gain("body"), MATRIX.gain("poet")) == pytest.approx((0.25, 0.2))
    assert (MATRIX.best("body"), MATRIX.best("poet")) == ("body", "poet")
    stolen = RegisterMatrix(MATRIX.base, {"body": {"body": 1.5, "poet": 2.3}, "poet": {"body": 1.4, "poet": 2.4}})
    assert (stolen.best("body"), stolen.best("poet")) == ("poet", "body")
