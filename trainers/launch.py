"""The door of the training modules: `accelerate launch -m hyperbridge.trainers.<module> --config RECIPE`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import PartialState

Report = Callable[[str], None]  # receives one line of plain text per event


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


def print_once(line: str) -> None:
    """Print a line in the main process alone."""
    if processes().is_main_process:
        print(line)
