"""The one exception a user can cause: its message says what was found, where, and what to do.

The command line prints it as a single line and exits with code 2; a program catches `HyperBridgeError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HyperBridgeError(Exception):
    """A mistake in the input, the configuration or the environment; never a bug of ours."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint for a mistyped name: `did you mean 'poet'? (known: body, logician, poet)`."""
    known = sorted(valid)
    match = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{match[0]}'? " if match else ""
    return f"{hint}(known: {', '.join(known) or 'none'})"
