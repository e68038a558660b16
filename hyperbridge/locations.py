"""Paths into this package: `hyperbridge:assets/nano-ru` names what was installed with it, wherever that is."""

from __future__ import annotations

from importlib.resources import files

PACKAGE_PREFIX = "hyperbridge:"


def resolve_path(value: str) -> str:
    """A `hyperbridge:` path as a real one; anything else (a path, a Hub id) as it is."""
    if value.startswith(PACKAGE_PREFIX):
        return str(files("hyperbridge").joinpath(value.removeprefix(PACKAGE_PREFIX)))
    return value
