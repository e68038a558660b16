"""Δ-formulas: stable patterns of meaning with a code and a name, `Δ02 = сжатие + жар + рост`.

A formula book is a JSON object from code to formula; a formula is `{"name": ..., "parts": [...]}` or the seed's
shorter `"сжатие + жар + рост"`. No torch here.
"""

from __future__ import annotations

import json
import os
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hyperbridge.errors import HyperBridgeError, first_problem
from hyperbridge.jsonl import open_for_reading

CODE = re.compile(r"Δ\d+")


class Formula(BaseModel):
    """A named sum of parts; a part may be another formula's code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: Annotated[tuple[str, ...], Field(min_length=2)]
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_sum(cls, data: Any) -> Any:
        return {"parts": [part.strip() for part in data.split("+")]} if isinstance(data, str) else data

    def __str__(self) -> str:
        return " + ".join(self.parts)


def load_formulas(path: str | os.PathLike[str]) -> dict[str, Formula]:
    """Read a formula book, code -> formula.

    Raises:
        HyperBridgeError: the file is missing or not such an object, or a code is not `Δ` with digits.
    """
    with open_for_reading(path) as file:
        try:
            book = TypeAdapter(dict[str, Formula]).validate_python(json.load(file))
        except ValidationError as error:
            raise HyperBridgeError(f"{os.fspath(path)}: {first_problem(error)}") from None
        except ValueError as error:
            raise HyperBridgeError(f"{os.fspath(path)}: not JSON: {error}") from None
    for code in book:
        if not CODE.fullmatch(code):
            raise HyperBridgeError(f"{os.fspath(path)}: {code!r} is not a Δ-code such as Δ41")
    return book
