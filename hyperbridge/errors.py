"""The one exception a user can cause: its message says what was found, where, and what to do.

The command line prints it as a single line and exits with code 2; a program catches `HyperBridgeError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class HyperBridgeError(Exception):
    """A mistake in the input, the configuration or the environment; never a bug of ours."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint for a mistyped name: `did you mean 'poet'? (known: body, logician, poet)`."""
    known = sorted(valid)
    match = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{match[0]}'? " if match else ""
    return f"{hint}(known: {', '.join(known) or 'none'})"


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation error in one line: the key, what is wrong, what was found, how many more."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    found = "" if first["type"] in {"missing", "json_invalid"} else f" (found {str(first['input'])[:60]!r})"
    more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
    message = first["msg"].replace(" at line 1 column", " at column")
    return f"{key + ': ' if key else ''}{message}{found}{more}"
