"""What an extension of a tokenizer is: learned merges, units, and what each new id stands for in the base.

New ids follow the base's last one: first the pieces of the merges, in the order they were learned, then the units'
tokens. Every new id has constituents, the base's ids of the same text, so that new ids can be read back as old ones
(`expand`) and a new embedding row has something to start from. Saved as `extension.json` beside the tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem

FILE_NAME = "extension.json"
Family = Literal["byte-level", "sentencepiece", "tekken", "character"]
UnitKind = Literal["hyperlexeme", "formula", "symbol"]


class Unit(BaseModel):
    """A text that is to be one token: a hyperlexeme, a formula's Δ-code or a symbol.

    `components` are the words it is made of (`жар`, `тишина`, `вход`; of a Δ-code its formula's), where known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    kind: UnitKind
    components: tuple[str, ...] = ()


class NewToken(BaseModel):
    """A new id: its text as the tokenizer decodes it, the base's ids of that text, and the unit or merge it is from.

    `merge` is the learned pair, in the alphabet of the base's vocabulary; a unit's token has None. A unit has two
    tokens where a leading space belongs to one of them. `text` of a piece that ends inside a character is None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    text: str | None = None
    constituents: tuple[int, ...]
    merge: tuple[str, str] | None = None
    unit: Unit | None = None


class Extension(BaseModel):
    """All that was added to one base tokenizer; `base_sha256` is the digest of the base's vocabulary and merges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    base_revision: str | None = None
    base_sha256: str
    family: Family
    base_size: int
    tokens: tuple[NewToken, ...]

    def expand(self, input_ids: Iterable[int]) -> list[int]:
        """The base's ids of the same text."""
        found: list[int] = []
        for one in input_ids:
            found.extend((one,) if one < self.base_size else self.tokens[one - self.base_size].constituents)
        return found

    def save(self, folder: Path) -> None:
        """Write `extension.json` into a folder."""
        (folder / FILE_NAME).write_text(self.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Extension:
        """The extension saved in a folder.

        Raises:
            HyperBridgeError: the file is missing or is no extension.
        """
        path = folder / FILE_NAME
        try:
            return Extension.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise HyperBridgeError(f"{path}: no such file; make one with `hyperbridge tokenizer extend`") from None
        except ValidationError as error:
            raise HyperBridgeError(f"{path}: {first_problem(error)}") from None
