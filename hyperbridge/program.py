"""The door of every program of ours: a mistake of its user is one line and exit code 2, and libraries keep quiet."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable

from hyperbridge.errors import HyperBridgeError


def hide_deprecations() -> None:
    """Keep what libraries say to one another about their next versions from the person at the terminal."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft|accelerate)\b")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells of faster kernels that nobody asked for


def run_main(main: Callable[[], None]) -> None:
    """Run a module's main; a user's mistake is one line and exit code 2."""
    hide_deprecations()
    try:
        main()
    except HyperBridgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
