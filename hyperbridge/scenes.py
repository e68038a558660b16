"""Scenes and expressions: the records every other part passes around, and their one-line prompt form.

A record is read from and written to the user's JSONL exactly: only `scene` is required, keys keep their spelling
(`Δ`, `arch`), unknown keys survive, and what was not in the line is not written. Records are immutable; change one
with `model_copy(update=...)`.

The prompt form is what a model sees of a scene, in training and in generation alike:

    жар+тишина+вход; Δ=Δ41; agent=тело; act=шаг; field=тишина; tone=внутренний жар; meta=порог; emotion=страх

It carries the meaning of the scene and neither its voice (registers), its vector nor its provenance. A backslash
escapes what would otherwise separate, so any scene comes back from its prompt: `Scene.from_prompt(s.prompt()) ==
s.meaning()`. No torch here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hyperbridge.errors import HyperBridgeError

Unit = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True, protected_namespaces=())

    def to_json(self) -> str:
        """The record as one JSON line, with the keys it was given and no others."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)


class Components(_Record):
    """субъект + действие + фон + напряжение of a scene."""

    agent: str | None = None
    act: str | None = None
    field: str | None = None
    tone: str | None = None
    meta: tuple[str, ...] = ()


class Registers(_Record):
    """The registers a scene belongs to, by the seed's names (`поэтический`, ...)."""

    primary: str | None = None
    secondary: tuple[str, ...] = ()


class SceneMeta(_Record):
    delta: str | None = Field(default=None, alias="Δ")
    register_: str | None = Field(default=None, alias="register")
    emotion: str | None = None
    arch: str | None = None
    symbol: str | None = None
    source: str | None = None
    density: Unit | None = None


class Span(_Record):
    """Where a scene was cut: character offsets `start <= end` into the decoded text of `source`."""

    source: str
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class Modalities(_Record):
    text: str | None = None
    sound: str | None = None
    color: str | None = None
    gesture: str | None = None


class EchoLink(_Record):
    """An earlier scene that this one repeats: its id, how (`exact`, `near`, `scene`), the share of words, 0..1."""

    kind: str
    of: str
    similarity: Unit


class Scene(_Record):
    """The unit of meaning: a hyperlexeme with its components, formula, emotion, registers, tension, vector.

    What the corpus adds: `id`; `path`, the titles of the chapters around it; `parent`, the id of the stretch of one
    place, time and cast it belongs to; `next`, ids of what follows; `confidence`, how sure each field is; `needs_work`
    where the tension is below 0.4, and `amplifier`, the id of a tenser scene that may lift it; `resonance`, how many
    scenes of the corpus are linked to it, and `echo`, the one it repeats.

    Two shorter forms of the seeds load too: `{"core": ...}` for `scene`, and a bare hyperscene
    `{"text": ..., "sound": ..., "color": ..., "gesture": ...}`, whose keys become `modalities`.
    """

    scene: Annotated[str, Field(min_length=1)]
    vector: tuple[Finite, ...] | None = None
    meta: SceneMeta = SceneMeta()
    registers: Registers = Registers()
    tension: Unit | None = None
    trust: str | None = None
    components: Components = Components()
    mode: str | None = None
    context: str | None = None
    modalities: Modalities | None = None
    hyperlexeme: tuple[str, ...] = ()
    span: Span | None = None
    next: tuple[str, ...] = ()
    parent: str | None = None
    id: str | None = None
    path: tuple[str, ...] = ()
    confidence: dict[str, Unit] = {}
    needs_work: bool | None = None
    amplifier: str | None = None
    resonance: Annotated[int, Field(ge=0)] | None = None
    echo: EchoLink | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorter_forms(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "scene" in data:
            return data
        if "core" in data:
            return {"scene": data["core"], **data}
        if "text" in data and "modalities" not in data and data.keys() & {"sound", "color", "gesture"}:
            kept = {key: value for key, value in data.items() if key not in Modalities.model_fields}
            return {
                "scene": data["text"],
                "modalities": {key: data[key] for key in Modalities.model_fields if key in data},
                **kept,
            }
        return data

    def prompt(self) -> str:
        """The scene as one line for a model; see the module docstring."""
        head = "+".join(map(_escape, self._seams() or (self.scene,)))
        parts = [head]
        for key, value in self._meaning_fields():
            text = ",".join(map(_escape, value)) if isinstance(value, tuple) else _escape(value)
            parts.append(f"{key}={text}")
        return "; ".join(parts)

    @classmethod
    def from_prompt(cls, line: str, *, lenient: bool = False) -> Scene:
        """Read a prompt form back; a bare `жар+тишина+вход` is a prompt form too.

        Args:
            line: the prompt form.
            lenient: leave out parts that cannot be read, as a model may write them, instead of raising.

        Raises:
            HyperBridgeError: the head is empty; and unless lenient, a part has no `=`, or its key is unknown or
                repeated, or the tension is no number from 0 to 1.
        """
        head, *parts = _split(line, ";")
        seams = tuple(_unescape(piece) for piece in _split(head, "+"))
        if not all(seams):
            raise HyperBridgeError(f"scene prompt {line!r}: an empty hyperlexeme part; write жар+тишина+вход")
        data: dict[str, Any] = {"scene": "".join(seams)}
        if len(seams) > 1:
            data["hyperlexeme"] = seams
        seen: set[str] = set()
        for part in parts:
            try:
                _assign_part(data, part, seen)
            except HyperBridgeError:
                if not lenient:
                    raise
        return cls.model_validate(data)

    def meaning(self) -> Scene:
        """The part of the scene its prompt form carries."""
        data: dict[str, Any] = {"scene": self.scene}
        if self._seams():
            data["hyperlexeme"] = self.hyperlexeme
        for key, value in self._meaning_fields():
            _place(data, key, self.tension if key == "tension" else value)
        return Scene.model_validate(data)

    def _seams(self) -> tuple[str, ...]:
        """The hyperlexeme where it spells the scene; a scene named by a Δ-code keeps its hyperlexeme as a field."""
        pieces = self.hyperlexeme
        return pieces if len(pieces) > 1 and all(pieces) and "".join(pieces) == self.scene else ()

    def _meaning_fields(self) -> list[tuple[str, str | tuple[str, ...]]]:
        own = self.hyperlexeme if not self._seams() else ()
        values: dict[str, Any] = {
            "hyperlexeme": own,
            "Δ": self.meta.delta,
            **{key: getattr(self.components, key) for key in ("agent", "act", "field", "tone", "meta")},
            "emotion": self.meta.emotion,
            "arch": self.meta.arch,
            "symbol": self.meta.symbol,
            "mode": self.mode,
            "context": self.context,
            "tension": None if self.tension is None else repr(self.tension),
        }
        return [(key, value) for key, value in values.items() if value is not None and value != ()]


class Expression(_Record):
    """A scene said in one register: the training pair of a register LoRA.

    `style` is the seed's name of the register; `text_alt` is a symbol or emoji form of the same scene.
    """

    scene: Annotated[str, Field(min_length=1)]
    text_human: Annotated[str, Field(min_length=1)]
    components: Components = Components()
    text_alt: str | None = None
    style: str | None = None
    target: str | None = None

    def scene_of(self) -> Scene:
        """The scene this record says, as far as it carries it: its components and any other key a scene has."""
        extra = {key: value for key, value in (self.model_extra or {}).items() if key in Scene.model_fields}
        return Scene.model_validate({**extra, "scene": self.scene, "components": self.components})


class Reply(_Record):
    """A message, scenes from memory that resonate with it, and a reply: what a response synthesizer learns from."""

    message: Annotated[str, Field(min_length=1)]
    reply: Annotated[str, Field(min_length=1)]
    scenes: tuple[Scene, ...] = ()


_COMPONENT_KEYS = ("agent", "act", "field", "tone", "meta")
_META_KEYS = {"Δ": "Δ", "emotion": "emotion", "arch": "arch", "symbol": "symbol"}
_LIST_KEYS = ("hyperlexeme", "meta")
_PROMPT_KEYS = ("hyperlexeme", "Δ", *_COMPONENT_KEYS, "emotion", "arch", "symbol", "mode", "context", "tension")


def _assign_part(data: dict[str, Any], part: str, seen: set[str]) -> None:
    key, equals, raw = part.partition("=")
    key = key.strip()
    if not equals or key not in _PROMPT_KEYS or key in seen:
        what = "no '='" if not equals else f"a repeated key {key!r}" if key in seen else f"unknown key {key!r}"
        raise HyperBridgeError(f"scene prompt part {part!r}: {what}; known keys: {', '.join(_PROMPT_KEYS)}")
    seen.add(key)
    _assign(data, key, raw)


def _assign(data: dict[str, Any], key: str, raw: str) -> None:
    if key in _LIST_KEYS:
        _place(data, key, tuple(_unescape(piece) for piece in _split(raw, ",")))
    elif key == "tension":
        try:
            tension = float(raw)
        except ValueError:
            tension = -1.0
        if not 0.0 <= tension <= 1.0:
            raise HyperBridgeError(f"scene prompt part 'tension={raw}': a number from 0 to 1 is needed")
        _place(data, key, tension)
    else:
        _place(data, key, _unescape(raw))


def _place(data: dict[str, Any], key: str, value: Any) -> None:
    if key in _COMPONENT_KEYS:
        data.setdefault("components", {})[key] = value
    elif key in _META_KEYS:
        data.setdefault("meta", {})[key] = value
    else:
        data[key] = value


# What str.splitlines() treats as a line end, besides \n and \r.
_LINE_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_TO_ESCAPE = re.compile(r"[\\;,+]|(?<=<)\||^\s|\s$|[\r\n" + _LINE_ENDS + "]")
_NAMED = {"\n": "\\n", "\r": "\\r", **{char: f"\\u{ord(char):04x}" for char in _LINE_ENDS}}
_ESCAPED = re.compile(r"\\(?:u([0-9a-f]{4})|(.))", re.DOTALL)


def _escape(value: str) -> str:
    """Escape separators, line ends, outer spaces, and `<|`, which opens a chat model's control tokens."""
    return _TO_ESCAPE.sub(lambda match: _NAMED.get(match[0], "\\" + match[0]), value)


def _unescape(raw: str) -> str:
    """Undo `_escape` and drop the unescaped space around a value."""
    raw = raw.lstrip()
    stripped = raw.rstrip()
    if stripped.endswith("\\") and len(stripped) < len(raw) and _odd_backslashes(stripped):
        stripped += raw[len(stripped)]
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)) if m[1] else {"n": "\n", "r": "\r"}.get(m[2], m[2]), stripped)


def _odd_backslashes(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _split(text: str, separator: str) -> list[str]:
    """Split on unescaped separators; the pieces stay escaped."""
    pieces = [""]
    for token in re.findall(rf"\\.|[^\\{separator}]+|.", text, re.DOTALL):
        if token == separator:
            pieces.append("")
        else:
            pieces[-1] += token
    return pieces
