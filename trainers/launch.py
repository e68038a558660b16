"""The door of the training modules: `accelerate launch -m hyperbridge.trainers.<module> --config RECIPE`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError

if TYPE_CHECKING:
    from accelerate import PartialState


def parse_arguments(description: str, arguments: list[str] | None = None) -> argparse.Namespace:
    """The options every training module shares: `config`, `set` (list of overrides), `resume`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", required=True, metavar="RECIPE", help="recipe file (YAML)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a recipe key")
    parser.add_argument("--resume", action="store_true", help="continue an unfinished run from its last checkpoint")
    return parser.parse_args(arguments)


def processes() -> PartialState:
    """Where this process stands among those of the launch; the first to ask settles it for transformers too."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.accelerator.is_available())


def hide_deprecations() -> None:
    """Keep what libraries say to one another about their next versions from the person at the terminal."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft|accelerate)\b")


def run_main(main: Callable[[], None]) -> None:
    """Run a module's main; a user's mistake is one line and exit code 2."""
    hide_deprecations()
    try:
        main()
    except HyperBridgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
