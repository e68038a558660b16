"""Which part of a data set a source belongs to: a whole work is in train, validation or test, never in two of them.

The part is read off the SHA-256 of the source's name, so it depends on nothing else: adding a book moves no other
book. A record of a collection (`tales.jsonl#12`) is a source of its own. Globs override the hash. Cost: one hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
TEST_SHARE = 0.10
VALIDATION_SHARE = 0.05


def split_of(
    source: str,
    seed: int = 0,
    *,
    test: Iterable[str] = (),
    validation: Iterable[str] = (),
) -> Split:
    """The split of a source.

    Args:
        source: the name a document carries, `poetry/Pushkin__Анчар.txt` or `folk/tales.jsonl#12`.
        seed: another seed draws another split.
        test: globs (`*Анчар*`, `folk/*`) of sources that are test whatever the hash says; they win over `validation`.
        validation: the same for validation.
    """
    if any(fnmatchcase(source, glob) for glob in test):
        return "test"
    if any(fnmatchcase(source, glob) for glob in validation):
        return "validation"
    draw = uniform(source, seed)
    if draw < TEST_SHARE:
        return "test"
    return "validation" if draw < TEST_SHARE + VALIDATION_SHARE else "train"


def uniform(key: str, seed: int = 0) -> float:
    """A number in [0, 1) that is a function of `key` and `seed`, the same on every machine."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
