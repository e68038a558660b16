"""JSON lines in and out: a streaming reader that names every bad line, and an atomic writer.

Lines are split on LF only and decoded one by one, so a broken line costs itself and nothing else; memory is one
line. The writer fills a temporary file beside the target and renames it over the target after fsync, so a reader
sees the old file or the whole new one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem

Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a record: where it is, and why."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


def read_jsonl(
    path: str | os.PathLike[str],
    model: type[Record],
    *,
    strict: bool = False,
    on_bad: Callable[[BadLine], None] | None = None,
) -> Iterator[Record]:
    """Yield the records of a UTF-8 JSONL file one by one.

    Args:
        path: the file; a byte order mark, CRLF ends and blank lines are accepted.
        model: `Scene`, `Expression` or another pydantic model.
        strict: raise at the first bad line instead of going on.
        on_bad: called with every bad line when not strict.

    Raises:
        HyperBridgeError: the file cannot be opened, or (strict) a line is bad; the message is `file:line: reason`.
    """
    with open_for_reading(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            try:
                yield model.model_validate_json(raw.rstrip())
            except ValidationError as error:
                bad = BadLine(os.fspath(path), number, _not_utf8(raw) or first_problem(error))
                if strict:
                    raise HyperBridgeError(str(bad)) from None
                if on_bad is not None:
                    on_bad(bad)


def write_jsonl(path: str | os.PathLike[str], records: Iterable[BaseModel]) -> int:
    """Write records one a line, Cyrillic unescaped, atomically; return how many were written."""
    count = 0
    with atomic_writer(path) as file:
        for record in records:
            file.write(record.model_dump_json(by_alias=True, exclude_unset=True) + "\n")
            count += 1
    return count


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[IO[str]]:
    """Open a temporary text file that replaces `path` when the block ends, and vanishes when it fails."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise HyperBridgeError(f"{target}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def open_for_reading(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file as bytes; a missing or unreadable one is the user's error, in one line."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise HyperBridgeError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from None


def read_utf8_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a UTF-8 file, split on LF only.

    Raises:
        HyperBridgeError: it cannot be opened, or a byte of it is not UTF-8.
    """
    with open_for_reading(path) as file:
        raw = file.read()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise HyperBridgeError(f"{os.fspath(path)}:{line}: not UTF-8 at byte {error.start}; convert the file") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _not_utf8(raw: bytes) -> str | None:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start}; convert the file, for example: iconv -f cp1251 -t utf-8"
    return None
