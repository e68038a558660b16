"""Which part of a data set a source belongs to: a whole work is in train, validation or test, never in two of them.

The part is read off the SHA-256 of the file's name, so it depends on nothing else: adding a book moves no other
book, and a book lies in the same part whichever of its folders was given to read. A record of a collection
(`tales.jsonl#12`) is a source of its own. Globs override the hash. Cost: one hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
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
        test: globs (`Pushkin__*`, `folk/*`) of sources that are test whatever the hash says; they win over
            `validation`. A glob matches from any folder of the source on.
        validation: the same for validation.
    """
    if is_named(source, test):
        return "test"
    if is_named(source, validation):
        return "validation"
    draw = uniform(PurePosixPath(source).name, seed)
    if draw < TEST_SHARE:
        return "test"
    return "validation" if draw < TEST_SHARE + VALIDATION_SHARE else "train"


def is_named(source: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs matches the source, or its end from any folder on."""
    parts = PurePosixPath(source).parts
    tails = ["/".join(parts[start:]) for start in range(len(parts))]
    return any(fnmatchcase(tail, glob) for glob in globs for tail in tails)


def uniform(key: str, seed: int = 0) -> float:
    """A number in [0, 1) that is a function of `key` and `seed`, the same on every machine."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
