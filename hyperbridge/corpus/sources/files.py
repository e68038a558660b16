"""Bytes of files, gzip and zip unpacked, with a limit: a small archive may unpack to more than a machine has.

Nothing is ever written to disk, so a name inside an archive cannot lead out of it.
"""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from hyperbridge.corpus.documents import PACKED
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import open_for_reading

# Of one unpacked file or archive member, in bytes; "War and Peace" with its notes takes 6 million.
MAX_BYTES = 256 * 2**20

_BROKEN = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked if its name ends in .gz.

    Raises:
        HyperBridgeError: it cannot be read or unpacked, or unpacks to more than MAX_BYTES.
    """
    with open_file(path) as file:
        return file.read() if not _is_packed(path) else _limited(file.read(MAX_BYTES + 1), str(path))


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, one by one, unpacked if its name ends in .gz; errors as `read_bytes`."""
    with open_file(path) as file:
        size = MAX_BYTES + 1 if _is_packed(path) else -1
        while line := file.readline(size):
            yield _limited(line, str(path)) if size > 0 else line


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    with open_for_reading(path) as raw:
        try:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if _is_packed(path) else raw
        except (OSError, EOFError, zlib.error) as error:
            raise HyperBridgeError(f"{path}: cannot be read: {one_line(error)}") from None


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive, which may itself be packed with gzip; whatever breaks in it names the file."""
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except _BROKEN as error:
            raise HyperBridgeError(f"{path}: not a whole zip archive: {one_line(error)}") from None


def read_member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """The bytes of a member of the archive at `path`.

    Raises:
        HyperBridgeError: there is no such member, or it unpacks to more than MAX_BYTES.
    """
    if name not in archive.namelist():
        raise HyperBridgeError(f"{path}: names {name!r}, which is not in the archive")
    with archive.open(name) as file:
        return _limited(file.read(MAX_BYTES + 1), f"{path}: {name}")


def one_line(error: object) -> str:
    """What an error of another library says, in one line."""
    return " ".join(str(error).split())[:300]


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(PACKED)


def _limited(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise HyperBridgeError(
            f"{one_line(name)}: unpacks to more than {MAX_BYTES >> 20} MiB; unpack and split it yourself"
        )
    return data
