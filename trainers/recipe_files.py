"""Where recipes come from: a YAML file, a shipped file, or a shipped base and job put together.

    nano-ru/registers           recipes/nano-ru/registers.yaml
    qwen3-8b/registers+qlora    recipes/: qwen3/base.yaml (size 8b) + jobs/registers.yaml + variants/qlora.yaml
    mine.yaml+qlora             a file of one's own, and a variant

A base's facts stand in its base.yaml alone, a job's settings in its job alone; what a base needs otherwise in a job
stands in the base (`jobs:`). A recipe of one's own may begin with `extends: NAME` and then say only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem, nearest

EXTENDS = "extends"
Kind = Literal["registers", "graft", "pretrain"]
NO_RECIPES = ("accelerate", "jobs", "variants")


class Size(BaseModel):
    """One checkpoint of a family: its Hub id, its sizes as its config.json names them, what its jobs need otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    licence: str | None = None
    gguf_file: str | None = None
    architecture: dict[str, Any] = {}
    jobs: dict[str, dict[str, Any]] = {}


class Family(BaseModel):
    """A base.yaml: what all checkpoints of a family share, and each of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    licence: str
    default: str
    dtype: str = "bfloat16"
    architecture: dict[str, Any] = {}
    jobs: dict[str, dict[str, Any]] = {}
    sizes: dict[str, Size] = Field(min_length=1)


class Checkpoint(BaseModel):
    """A base that recipes are shipped for: `qwen3-8b`, with everything its family and its size say."""

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    licence: str
    dtype: str
    gguf_file: str | None
    architecture: dict[str, Any]
    jobs: dict[str, dict[str, Any]]


def read_recipe(name: str | Path) -> dict[str, Any]:
    """A recipe's keys, from a file or a shipped name, with all that it extends.

    Raises:
        HyperBridgeError: no such file or recipe, not YAML, or a recipe that extends itself.
    """
    return _read(Path(name), ())


def sources(name: str | Path) -> list[Path]:
    """The files that a recipe's own text is in, from its own to the one that all extend; no base's and no variant's."""
    path = _file_of(Path(name))
    parent = _load(path).get(EXTENDS)
    if parent is None:
        return [path]
    beside = path.parent / str(parent)
    return [path, *sources(beside if beside.exists() else str(parent))]


def kind_of(data: Mapping[str, Any]) -> Kind:
    """What a recipe's keys are for: adapters, an extended base, or a base from nothing."""
    if "registers" not in data and "extension" in data:
        return "graft"
    return "pretrain" if "registers" not in data and "schedule" in data else "registers"


def recipe_names() -> list[str]:
    """Every shipped recipe, without variants: `nano-ru/registers`, `qwen3-8b/registers`, ..."""
    composed = {f"{base}/{job}" for base in checkpoints() for job in _names("jobs")}
    return sorted({*_shipped_files(), *composed})


def variant_names() -> list[str]:
    """What can be added with `+` to a recipe that trains adapters."""
    return _names("variants")


def about(kind: str, name: str) -> str:
    """The first sentence of a job's, a variant's or a base's own comment."""
    path = _root() / (f"{kind}/{name}.yaml" if kind != "base" else f"{name}/base.yaml")
    opening = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
    return opening.partition(". ")[0].rstrip(".")


def checkpoints() -> dict[str, Checkpoint]:
    """Every base that jobs are composed with, by name; a family's default size also by the family's name alone."""
    found: dict[str, Checkpoint] = {}
    for path in sorted(_root().glob("*/base.yaml")):
        family = _family(path)
        for size in family.sizes:
            found[f"{path.parent.name}-{size}"] = _checkpoint(path.parent.name, family, size)
    return found


def find_checkpoint(name: str) -> Checkpoint | None:
    """A base by its name (`qwen3-8b`), by its family's (`qwen3`: the default size), or by its Hub id."""
    known = checkpoints()
    for path in _root().glob("*/base.yaml"):
        known.setdefault(path.parent.name, known[f"{path.parent.name}-{_family(path).default}"])
    return known.get(name) or next((one for one in known.values() if one.model == name), None)


def _read(path: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    if str(path) in seen:
        raise HyperBridgeError(f"{path}: a recipe that extends itself ({' -> '.join((*seen, str(path)))})")
    if path.exists():
        return _extended(_load(path), path, seen)
    return _shipped(path, seen)


def _extended(data: dict[str, Any], path: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    parent = data.pop(EXTENDS, None)
    if parent is None:
        return data
    beside = path.parent / str(parent)
    return merged(_read(beside if beside.exists() else Path(str(parent)), (*seen, str(path))), data)


def _shipped(path: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    """A shipped recipe by name, with its variants; or a file with variants."""
    name = path.as_posix().removesuffix(".yaml")
    plain, *variants = name.split("+")
    own = Path(str(path).partition("+")[0])
    if own.is_file():
        data = _read(own, seen)
    elif plain in (shipped := _shipped_files()):
        data = _extended(_load(shipped[plain]), shipped[plain], seen)
    else:
        data = _composed(plain, path)
    if variants and "registers" not in data:
        raise HyperBridgeError(f"{name}: +{variants[0]} is a variant of recipes that train adapters; {plain} is none")
    for variant in variants:
        if variant not in _names("variants"):
            raise HyperBridgeError(f"{name}: no variant '{variant}'; {nearest(variant, _names('variants'))}")
        data = merged(data, _load(_root() / "variants" / f"{variant}.yaml"))
    if variants and "output_dir" in data:
        data["output_dir"] = "-".join([data["output_dir"], *variants])
    return data


def _file_of(path: Path) -> Path:
    """The file of a recipe by its name, or of the job that it is composed of."""
    plain = Path(str(path).partition("+")[0])
    if path.is_file() or plain.is_file():
        return path if path.is_file() else plain
    name = plain.as_posix().removesuffix(".yaml")
    return _shipped_files().get(name) or _root() / "jobs" / f"{name.partition('/')[2]}.yaml"


def _composed(name: str, asked: Path) -> dict[str, Any]:
    base_name, _, job = name.partition("/")
    base = find_checkpoint(base_name)
    if base is None or job not in _names("jobs"):
        hint = nearest(name, recipe_names()).partition(" (known")[0]
        hint = f"; {hint}" if hint.startswith("did you") else ""
        raise HyperBridgeError(
            f"{asked}: no such recipe file, nor a shipped recipe{hint} (hyperbridge recipes list shows them all)"
        )
    own: dict[str, Any] = {"base": {"model": base.model, "dtype": base.dtype}, "output_dir": f"runs/{base.name}-{job}"}
    if base.gguf_file:
        own["base"]["gguf_file"] = base.gguf_file
    return merged(merged(_load(_root() / "jobs" / f"{job}.yaml"), own), base.jobs.get(job, {}))


def merged(data: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`data` with the keys of `over`, section by section."""
    result = deepcopy(data)
    for key, value in over.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else deepcopy(value)
    return result


def _checkpoint(folder: str, family: Family, size: str) -> Checkpoint:
    own = family.sizes[size]
    return Checkpoint(
        name=f"{folder}-{size}",
        model=own.model,
        licence=own.licence or family.licence,
        dtype=family.dtype,
        gguf_file=own.gguf_file,
        architecture={**family.architecture, **own.architecture},
        jobs=merged(family.jobs, own.jobs),
    )


def _family(path: Path) -> Family:
    try:
        return Family.model_validate(_load(path))
    except ValidationError as error:
        raise HyperBridgeError(f"{path}: {first_problem(error)}") from None


def _load(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HyperBridgeError(f"{path}: recipe cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HyperBridgeError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise HyperBridgeError(f"{path}: a recipe is a mapping of keys, found {type(data).__name__}")
    return data


def _root() -> Path:
    return Path(str(files("hyperbridge.recipes")))


def _names(folder: str) -> list[str]:
    return sorted(path.stem for path in (_root() / folder).glob("*.yaml"))


def _shipped_files() -> dict[str, Path]:
    """Recipes that are files of their own: name -> path."""
    return {
        f"{path.parent.name}/{path.stem}": path
        for path in sorted(_root().glob("*/*.yaml"))
        if path.parent.name not in NO_RECIPES and path.stem != "base"
    }
