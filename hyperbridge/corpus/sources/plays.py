"""How a play reads as text, and plays written as JSON lines of boundaries, stage directions and speeches.

A prose speech is one paragraph, `Speaker. Words`; a verse speech has the SPEAKER on a line of its own, so that its
lines stay whole: this is how Russian editions print plays. Stage directions between speeches are blocks. A speech's
division holds its speaker; the words of a verse speech are also a division of their own. Cost: linear.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hyperbridge.corpus.documents import DivisionKind, Document, named_after
from hyperbridge.corpus.sources.text_builder import TextBuilder
from hyperbridge.errors import HyperBridgeError

# How deep a boundary of each level lies. Who is on stage (`configuration`) makes no scene.
_LEVELS: dict[str, tuple[int, DivisionKind]] = {
    "variant": (0, "part"),
    "act": (1, "act"),
    "tableau": (2, "scene"),
    "scene": (3, "scene"),
    "subscene": (4, "scene"),
}
_TYPES = {"boundary", "stage", "speech"}


def is_of_play(record: dict[str, Any]) -> bool:
    return record.get("type") in _TYPES


def read_play(records: Iterable[tuple[int, dict[str, Any]]], path: Path, source: str) -> Document:
    """One play from its records, numbered by line.

    Raises:
        HyperBridgeError: a record is of another type or lacks its text.
    """
    builder = TextBuilder()
    for number, record in records:
        if not _add_record(builder, record):
            raise HyperBridgeError(
                f"{path}:{number}: not a line of a play: give 'type' (boundary, stage or speech) and its 'text'"
            )
    text, divisions = builder.finish()
    title, author = named_after(path)
    return Document(source, text, title, author, divisions=divisions)


def begin_speech(builder: TextBuilder, speaker: str, direction: str, *, verse: bool) -> None:
    """Open a speech and write its speaker, with a direction that goes before the words.

    Args:
        speaker: the name as printed, with or without a full stop; may be "".
        direction: `тихо` or `(тихо)`; may be "".
    """
    speaker = speaker.strip().rstrip(".:").rstrip()
    begin = builder.block if verse else builder.line
    begin()
    builder.open("speech", speaker)
    builder.add(speaker.upper() if verse else speaker)
    if direction:
        builder.add(" ")
        add_direction(builder, direction)
    if verse:
        builder.line()
        builder.open("verse")
    elif speaker or direction:
        builder.add(". ")


def end_speech(builder: TextBuilder, *, verse: bool) -> None:
    if verse:
        builder.close()
    builder.close()
    (builder.block if verse else builder.line)()


def add_direction(builder: TextBuilder, text: str) -> None:
    """A stage direction within a speech, in brackets."""
    text = text.strip()
    builder.open("stage")
    builder.add(text if text.startswith(("(", "[")) else f"({text.rstrip('.')})")
    builder.close()


def add_stage(builder: TextBuilder, text: str) -> None:
    """A stage direction between speeches: a block of its own."""
    builder.block()
    builder.open("stage")
    builder.add(text)
    builder.close()
    builder.block()


def _add_record(builder: TextBuilder, record: dict[str, Any]) -> bool:
    """Write one record; False: it is not one of a play."""
    kind, text = record.get("type"), record.get("text")
    if kind == "boundary":
        _add_boundary(builder, record)
    elif kind == "stage" and isinstance(text, str):
        add_stage(builder, text)
    elif kind == "speech" and isinstance(text, str):
        _add_speech(builder, str(record.get("speaker") or ""), text, verse=bool(record.get("verse")))
    else:
        return False
    return True


def _add_boundary(builder: TextBuilder, record: dict[str, Any]) -> None:
    level = str(record.get("level"))
    if level not in _LEVELS:
        return
    title = str(record.get("act" if level == "act" else "scene") or "")
    depth, kind = _LEVELS[level]
    builder.open_at(depth, kind, title)
    builder.begin_title()
    builder.add(title)
    builder.end_title()


def _add_speech(builder: TextBuilder, speaker: str, text: str, *, verse: bool) -> None:
    begin_speech(builder, speaker, "", verse=verse)
    for line in text.split("\n"):
        builder.add(line)
        builder.line()
    end_speech(builder, verse=verse)
